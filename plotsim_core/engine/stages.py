"""Stages of a lifecycle: which one the stored values of a metric put each unit in.

Where stages are kept (`enforce_order`), the stage of a period depends on those before it: it is replayed from the window's
start. A missing value leaves a unit in its stage.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from plotsim_core.config.effects import Lifecycle
from plotsim_core.engine.block import Block
from plotsim_core.engine.life import stored
from plotsim_core.engine.replay import state_before
from plotsim_core.engine.roster import Units
from plotsim_core.numerics.random import Floats
from plotsim_core.plan.plan import Plan

Integers = NDArray[np.int64]
Walk = tuple[Integers, Integers]
"""The stage that each unit is in, and for how many periods in a row it has been below the level at which it leaves."""

NONE = -1


def stages(block: Block, lifecycle: Lifecycle) -> Integers:
    """Return the place of the stage of each unit in each period, shape (periods, units); NONE where a value is missing
    and no stage is kept."""
    plan, units = block.plan, block.units
    metric = plan.metric_index(lifecycle.track)
    if lifecycle.leaves_below is None:
        return reached(lifecycle, shares(plan, lifecycle, block.noised(metric)))

    def initial(units: Units) -> Walk:
        return np.zeros(len(units), dtype=np.int64), np.zeros(len(units), dtype=np.int64)

    def advance(units: Units, walk: Walk, first: int, stop: int) -> Walk:
        for period, row in stored(plan, metric, units, first, stop):
            walk = step(lifecycle, walk, shares(plan, lifecycle, _lived(units, period, row)))
        return walk

    walk = state_before(plan, f"stages {lifecycle!r}", units, block.slice.first, initial, advance)
    found = np.zeros(block.slice.shape, dtype=np.int64)
    for place, (period, row) in enumerate(zip(block.periods.tolist(), block.noised(metric), strict=True)):
        walk = step(lifecycle, walk, shares(plan, lifecycle, _lived(units, period, row)))
        found[place] = walk[0]
    return found


def shares(plan: Plan, lifecycle: Lifecycle, values: Floats) -> Floats:
    """Return stored values of the tracked metric as thresholds have them, NaN where one is missing."""
    spec = plan.metrics[plan.metric_index(lifecycle.track)].spec
    low, high = spec.bounds or spec.means
    found: Floats = (values - low) / (high - low)
    return found


def reached(lifecycle: Lifecycle, values: Floats) -> Integers:
    """Return the place of the highest stage whose threshold a share has reached; NONE for NaN."""
    thresholds = np.array([stage.threshold for stage in lifecycle.stages])
    place = np.searchsorted(thresholds, np.where(np.isnan(values), 0.0, values), side="right") - 1
    return np.where(np.isnan(values), NONE, np.maximum(place, 0)).astype(np.int64)


def step(lifecycle: Lifecycle, walk: Walk, values: Floats) -> Walk:
    """Return the walk one period on: up to a higher stage at once, down after enough periods below."""
    at, below = walk
    place = reached(lifecycle, values)
    leaves = values < np.array(lifecycle.leaves_below)[at]
    longer = np.where(leaves, below + 1, np.where(np.isnan(values), below, 0))
    down = leaves & (longer >= (lifecycle.downgrade_delay or 1))
    moves = (place > at) | down
    return np.where(moves, place, at), np.where(moves, 0, longer)


def _lived(units: Units, period: int, row: Floats) -> Floats:
    """Return the values of units that have arrived, NaN before."""
    return np.where(units.arrival <= period, row, np.nan)
