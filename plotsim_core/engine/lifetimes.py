"""Lives: when a metric crosses a threshold, which crossing ends a unit, and who is there when.

A crossing reads stored (noised) values, so that people can find it in the facts; a missing value breaks a run. It is
found by replaying that one metric from the window's start: about a tenth of a microsecond per unit and period.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from plotsim_core.engine.block import Block
from plotsim_core.engine.memory import stage
from plotsim_core.engine.replay import state_before
from plotsim_core.engine.roster import NEVER as NEVER
from plotsim_core.engine.roster import Units
from plotsim_core.engine.slice import CHUNK, Slice
from plotsim_core.numerics.arrays import Floats
from plotsim_core.plan.plan import Crossing, Population

BEFORE = np.iinfo(np.int64).min // 2
"""Stands for a period so long ago that nothing is waited for any more."""
Run = tuple[NDArray[np.int64], NDArray[np.int64]]
"""For how many periods each unit's metric has been beyond the level, and in which period a crossing was last complete."""


def first_crossings(population: Population, crossing: Crossing, units: Units, stop: int) -> NDArray[np.int64]:
    """Return the period in which each unit's first crossing is complete, NEVER where there is none before `stop`."""

    def initial(units: Units) -> Run:
        return np.zeros(len(units), dtype=np.int64), np.full(len(units), NEVER)

    def advance(units: Units, state: Run, first: int, stop: int) -> Run:
        length, complete = state
        for period, row in stored_values(population, crossing.metric, units, first, stop):
            length = _run(crossing, units, length, period, row)
            complete = np.where((complete == NEVER) & (length >= crossing.periods), period, complete)
        return length, complete

    return state_before(population, f"crossing {crossing}", units, stop, initial, advance)[1]


def stored_values(population: Population, metric: int, units: Units, first: int, stop: int) -> Iterator[tuple[int, Floats]]:
    """Yield each period and the stored values of a metric in it, shape (units,); NaN where one is missing."""
    step = max(1, CHUNK // max(1, len(units)))
    for begin in range(first, stop, step):
        part = Block(population, Slice(begin, min(begin + step, stop), units.start, units.start + len(units)), units)
        yield from zip(part.periods.tolist(), part.noised(metric), strict=True)


def _run(crossing: Crossing, units: Units, length: NDArray[np.int64], period: int, row: Floats) -> NDArray[np.int64]:
    is_beyond = row > crossing.level if crossing.above else row < crossing.level
    return np.where(is_beyond & (units.arrival <= period), length + 1, 0)


def repeat_crossings(block: Block, crossing: Crossing, spacing: int) -> NDArray[np.bool_]:
    """Return where a crossing becomes complete anew, shape (periods, units).

    A crossing that is complete less than `spacing` periods after the last that counted does not count.
    """
    population, units = block.population, block.units

    def initial(units: Units) -> Run:
        return np.zeros(len(units), dtype=np.int64), np.full(len(units), BEFORE)

    def fires(length: NDArray[np.int64], last: NDArray[np.int64], period: int) -> NDArray[np.bool_]:
        is_repeated: NDArray[np.bool_] = (length == crossing.periods) & (period - last >= spacing)
        return is_repeated

    def advance(units: Units, state: Run, first: int, stop: int) -> Run:
        length, last = state
        for period, row in stored_values(population, crossing.metric, units, first, stop):
            length = _run(crossing, units, length, period, row)
            last = np.where(fires(length, last, period), period, last)
        return length, last

    name = f"crossing {crossing} again after {spacing}"
    length, last = state_before(population, name, units, block.slice.first, initial, advance)
    is_fired = np.zeros(block.slice.shape, dtype=np.bool_)
    for index, (period, row) in enumerate(zip(block.periods.tolist(), block.noised(crossing.metric), strict=True)):
        length = _run(crossing, units, length, period, row)
        is_fired[index] = fires(length, last, period)
        last = np.where(is_fired[index], period, last)
    return is_fired


@stage
def ends(block: Block) -> NDArray[np.int64]:
    """Return the last period of each unit's life, by an event or its tenure; NEVER where it does not end before the block
    does."""
    last_period = np.where(block.units.last_period < block.slice.stop, block.units.last_period, NEVER)
    for ending in block.population.endings:
        last_period = np.minimum(
            last_period, first_crossings(block.population, ending.crossing, block.units, block.slice.stop)
        )
    return last_period


def alive(block: Block) -> NDArray[np.bool_]:
    """Return who is there, shape (periods, units): from the arrival to the end of its life, both included."""
    is_tenured = block.tenured
    return is_tenured & (block.periods[:, None] <= ends(block)[None, :]) if block.population.endings else is_tenured
