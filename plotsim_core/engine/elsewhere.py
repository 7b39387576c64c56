"""Units of another kind, as rows refer to them: drawn among those that are there at the time, in proportion to size."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from plotsim_core.engine.block import Block
from plotsim_core.engine.cohorts import units_by
from plotsim_core.engine.life import NEVER, first_crossings
from plotsim_core.engine.slice import Slice
from plotsim_core.numerics.random import Floats
from plotsim_core.plan.plan import Plan

Places = NDArray[np.int64]


def everyone(plan: Plan, stop: int) -> Block:
    """Return a block of all units of a kind that may arrive before the period `stop`, in the window's first period."""
    return _first_of(plan, units_by(plan, stop))


@lru_cache(maxsize=8)
def _first_of(plan: Plan, units: int) -> Block:
    return Block(plan, Slice(plan.first, plan.first + 1, 0, units))


def drawn_units(plan: Plan, periods: NDArray[np.int64], u: Floats) -> Places:
    """Return the place in the roster of a unit for each (period, uniform): one that arrived by that period and is there
    to its end; -1 where nobody is. A unit is drawn in proportion to its size."""
    result = np.full(len(u), -1, dtype=np.int64)
    for period in np.unique(periods).tolist():
        there, reach = _present(plan, period)
        if len(there):
            here = np.flatnonzero(periods == period)
            found = np.searchsorted(reach, u[here] * reach[-1], side="right")
            result[here] = there[np.minimum(found, len(there) - 1)]
    return result


@lru_cache(maxsize=256)
def _present(plan: Plan, period: int) -> tuple[Places, Floats]:
    """Return who is there in a period, and their sizes added up in the order of the roster."""
    units = everyone(plan, period + 1).units
    last = np.full(len(units), NEVER)
    for ending in plan.endings:
        last = np.minimum(last, first_crossings(plan, ending.crossing, units, period + 1))
    there = np.flatnonzero((units.arrival <= period) & (last > period) & (units.leaves >= period))
    return there, np.cumsum(units.size[there])
