"""Stages of a lifecycle: which one the stored values of a metric put each unit in.

Where stages are kept (`enforce_order`), the stage of a period depends on those before it: it is replayed from the window's
start. A missing value leaves a unit in its stage.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from plotsim_core.config.effects import Lifecycle
from plotsim_core.engine.block import Block
from plotsim_core.engine.replay import Replay, replayed
from plotsim_core.engine.roster import Units
from plotsim_core.engine.state_cache import State
from plotsim_core.numerics.arrays import Floats, Integers
from plotsim_core.plan.plan import Population

Walk = tuple[Integers, Integers]
"""The stage that each unit is in, and for how many periods in a row it has been below the level at which it leaves."""

NONE = -1


def stages(block: Block, lifecycle: Lifecycle) -> Integers:
    """Return the place of the stage of each unit in each period, shape (periods, units); NONE where a value is missing
    and no stage is kept."""
    if lifecycle.leaves_below is None:
        return stage_of(lifecycle, shares(block.population, lifecycle, _tracked_values(block, lifecycle)))
    return replayed(block, Replay(f"stages {lifecycle!r}", _no_walk, partial(_walked, lifecycle)))


def _tracked_values(block: Block, lifecycle: Lifecycle) -> Floats:
    """Return the stored values of the metric that stages follow, shape (periods, units)."""
    return block.noised(block.population.metric_index(lifecycle.track))


def _no_walk(units: Units) -> State:
    return np.zeros(len(units), dtype=np.int64), np.zeros(len(units), dtype=np.int64)


def _walked(lifecycle: Lifecycle, block: Block, state: State) -> tuple[Integers, State]:
    """Return the stages in the periods of a block, and the walk after it."""
    walk = state[0], state[1]
    stage_indices = np.zeros(block.shape, dtype=np.int64)
    for index, (period, row) in enumerate(zip(block.periods.tolist(), _tracked_values(block, lifecycle), strict=True)):
        walk = step(lifecycle, walk, shares(block.population, lifecycle, _arrived_values(block.units, period, row)))
        stage_indices[index] = walk[0]
    return stage_indices, walk


def shares(population: Population, lifecycle: Lifecycle, values: Floats) -> Floats:
    """Return stored values of the tracked metric as thresholds have them, NaN where one is missing."""
    spec = population.metrics[population.metric_index(lifecycle.track)].spec
    low, high = spec.bounds or spec.means
    values_scaled: Floats = (values - low) / (high - low)
    return values_scaled


def stage_of(lifecycle: Lifecycle, values: Floats) -> Integers:
    """Return the place of the highest stage whose threshold a share has reached; NONE for NaN."""
    thresholds = np.array([stage.threshold for stage in lifecycle.stages])
    index = np.searchsorted(thresholds, np.where(np.isnan(values), 0.0, values), side="right") - 1
    return np.where(np.isnan(values), NONE, np.maximum(index, 0)).astype(np.int64)


def step(lifecycle: Lifecycle, walk: Walk, values: Floats) -> Walk:
    """Return the walk one period on: up to a higher stage at once, down after enough periods below."""
    stage, below_count = walk
    reached_stage = stage_of(lifecycle, values)
    is_below = values < np.array(lifecycle.leaves_below)[stage]
    count = np.where(is_below, below_count + 1, np.where(np.isnan(values), below_count, 0))
    is_down = is_below & (count >= (lifecycle.downgrade_delay or 1))
    is_moved = (reached_stage > stage) | is_down
    return np.where(is_moved, reached_stage, stage), np.where(is_moved, 0, count)


def _arrived_values(units: Units, period: int, row: Floats) -> Floats:
    """Return the values of units that have arrived, NaN before."""
    return np.where(units.arrival <= period, row, np.nan)
