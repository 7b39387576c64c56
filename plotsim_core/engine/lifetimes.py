"""Lives: when a metric crosses a threshold, which crossing ends a unit, and who is there when.

A crossing reads stored (noised) values, so that people can find it in the facts; a missing value breaks a run. It is
found by replaying that one metric from the window's start: about a tenth of a microsecond per unit and period.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from plotsim_core.engine.block import Block
from plotsim_core.engine.memory import Recent, stage
from plotsim_core.engine.replay import Replay, replayed, state_after, state_before
from plotsim_core.engine.roster import NEVER as NEVER
from plotsim_core.engine.roster import Units
from plotsim_core.engine.silence import may_be_silent, silent
from plotsim_core.engine.state_cache import State
from plotsim_core.numerics.arrays import Floats
from plotsim_core.plan.plan import Crossing, Population

BEFORE = np.iinfo(np.int64).min // 2
"""Stands for a period so long ago that nothing is waited for any more."""


_CROSSINGS: Recent[NDArray[np.int64]] = Recent(least=1, most=32, limit=1 << 17, size=len)
"""The last crossings of this process, by units and the end of their blocks: blocks that begin earlier have the same."""


def first_crossings(block: Block, crossing: Crossing) -> NDArray[np.int64]:
    """Return the period in which each unit's first crossing is complete; NEVER where none is by the end of the block."""
    key = block.population, crossing, block.units, block.slice.stop
    return _CROSSINGS.value(key, lambda: _crossings(block, crossing))


def _crossings(block: Block, crossing: Crossing) -> NDArray[np.int64]:
    replay = _first_crossing(crossing)
    later_state = state_after(block.population, replay, block.units, block.slice.stop)
    return replayed(block, replay) if later_state is None else _before(later_state[1], block.slice.stop)


def first_crossings_before(population: Population, crossing: Crossing, units: Units, stop: int) -> NDArray[np.int64]:
    """Return the period in which the first crossing of each of some units is complete, NEVER where there is none before the
    period `stop`. The units follow each other in the roster."""
    replay = _first_crossing(crossing)
    state = state_after(population, replay, units, stop) or state_before(population, replay, units, stop)
    return _before(state[1], stop)


def _before(complete: NDArray[np.int64], stop: int) -> NDArray[np.int64]:
    """Return the periods of crossings as far as they are complete before `stop`: a later state knows the earlier ones."""
    return np.where(complete < stop, complete, NEVER)


def _first_crossing(crossing: Crossing) -> Replay[NDArray[np.int64]]:
    return Replay(f"crossing {crossing}", partial(_no_run, NEVER), partial(_completed, crossing))


def _no_run(last: int, units: Units) -> State:
    """Return the state of units at first: no period beyond the level, and no crossing."""
    return np.zeros(len(units), dtype=np.int64), np.full(len(units), last)


def _completed(crossing: Crossing, block: Block, state: State) -> tuple[NDArray[np.int64], State]:
    """Return the period in which the first crossing was complete, and the state: for how many periods each unit's metric has
    been beyond the level, and that period."""
    length, complete = state
    for period, row in zip(block.periods.tolist(), block.noised(crossing.metric), strict=True):
        length = _run(crossing, block.units, length, period, row)
        complete = np.where((complete == NEVER) & (length >= crossing.periods), period, complete)
    return complete, (length, complete)


def _run(crossing: Crossing, units: Units, length: NDArray[np.int64], period: int, row: Floats) -> NDArray[np.int64]:
    is_beyond = row > crossing.level if crossing.above else row < crossing.level
    return np.where(is_beyond & (units.arrival <= period), length + 1, 0)


def repeat_crossings(block: Block, crossing: Crossing, spacing: int) -> NDArray[np.bool_]:
    """Return where a crossing becomes complete anew, shape (periods, units).

    A crossing that is complete less than `spacing` periods after the last that counted does not count.
    """
    name = f"crossing {crossing} again after {spacing}"
    return replayed(block, Replay(name, partial(_no_run, BEFORE), partial(_fired, crossing, spacing)))


def _fired(crossing: Crossing, spacing: int, block: Block, state: State) -> tuple[NDArray[np.bool_], State]:
    """Return where a crossing counts, and the state: for how many periods the metric has been beyond the level, and in which
    period a crossing last counted."""
    length, last = state
    is_fired = np.zeros(block.shape, dtype=np.bool_)
    for index, (period, row) in enumerate(zip(block.periods.tolist(), block.noised(crossing.metric), strict=True)):
        length = _run(crossing, block.units, length, period, row)
        is_fired[index] = (length == crossing.periods) & (period - last >= spacing)
        last = np.where(is_fired[index], period, last)
    return is_fired, (length, last)


@stage
def ends(block: Block) -> NDArray[np.int64]:
    """Return the last period of each unit's life, by an event or its tenure; NEVER where it does not end before the block
    does."""
    last_period = np.where(block.units.last_period < block.slice.stop, block.units.last_period, NEVER)
    for ending in block.population.endings:
        last_period = np.minimum(last_period, first_crossings(block, ending.crossing))
    return last_period


def recording(block: Block) -> NDArray[np.bool_]:
    """Return who makes rows, shape (periods, units): who is there and not silent."""
    return alive(block) & ~silent(block) if may_be_silent(block.population) else alive(block)


def alive(block: Block) -> NDArray[np.bool_]:
    """Return who is there, shape (periods, units): from the arrival to the end of its life, both included."""
    is_tenured = block.tenured
    return is_tenured & (block.periods[:, None] <= ends(block)[None, :]) if block.population.endings else is_tenured
