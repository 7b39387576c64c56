"""Trajectories: the position of each unit in each period."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from plotsim_core.engine.roster import Units
from plotsim_core.engine.treatment import treated
from plotsim_core.numerics.random import Floats
from plotsim_core.numerics.shapes import position
from plotsim_core.plan.plan import Plan


def progress(plan: Plan, units: Units, periods: NDArray[np.int64]) -> Floats:
    """Return how far along its curve each unit is, shape (periods, units); values outside [0, 1] hold at the ends.

    A unit runs its whole curve from its arrival to the end of the span, shifted by its timing.
    """
    left = np.maximum(plan.first + plan.span - 1 - units.arrival, 1)
    return (periods[:, None] - units.arrival[None, :]) / left[None, :] + units.timing[None, :]


def positions(plan: Plan, units: Units, periods: NDArray[np.int64]) -> Floats:
    """Return trajectory positions in [0, 1], shape (periods, units), raised by treatments of the whole trajectory."""
    return treated(plan, units, periods, untreated(plan, units, periods), None)


def untreated(plan: Plan, units: Units, periods: NDArray[np.int64]) -> Floats:
    """Return trajectory positions in [0, 1] as they would be without any treatment, shape (periods, units)."""
    along = progress(plan, units, periods)
    years = (plan.first + plan.span - units.arrival) / plan.grain.per_year
    result = np.empty(along.shape)
    for place, segment in enumerate(plan.segments):
        here = units.segment == place
        if here.any():
            result[:, here] = position(segment.pieces, along[:, here], np.broadcast_to(years[here], along[:, here].shape))
    return result
