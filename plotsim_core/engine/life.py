"""Lives: when a metric first crosses a threshold, which crossing ends a unit, and who is there when.

A crossing reads stored (noised) values, so that people can find it in the facts; a missing value breaks a run. It is
found by replaying that one metric from the window's start: about a tenth of a microsecond per unit and period.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from plotsim_core.engine.block import Block
from plotsim_core.engine.replay import state_before
from plotsim_core.engine.roster import Units
from plotsim_core.engine.slice import CHUNK, Slice
from plotsim_core.plan.plan import Crossing, Plan

NEVER = np.iinfo(np.int64).max
Run = tuple[NDArray[np.int64], NDArray[np.int64]]


def first_crossings(plan: Plan, crossing: Crossing, units: Units, stop: int) -> NDArray[np.int64]:
    """Return the period in which each unit's first crossing is complete, NEVER where there is none before `stop`."""

    def initial() -> Run:
        return np.zeros(len(units), dtype=np.int64), np.full(len(units), NEVER)

    def advance(state: Run, first: int, stop: int) -> Run:
        length, fired = state[0].copy(), state[1].copy()
        step = max(1, CHUNK // max(1, len(units)))
        for begin in range(first, stop, step):
            part = Block(plan, Slice(begin, min(begin + step, stop), units.start, units.start + len(units)))
            values = part.noised(crossing.metric)
            for period, row in zip(part.periods.tolist(), values, strict=True):
                beyond = row > crossing.level if crossing.above else row < crossing.level
                length = np.where(beyond & (units.arrival <= period), length + 1, 0)
                fired = np.where((fired == NEVER) & (length >= crossing.periods), period, fired)
        return length, fired

    return state_before(plan, f"crossing {crossing}", units, stop, initial, advance)[1]


def ends(block: Block) -> NDArray[np.int64]:
    """Return the last period of each unit's life, NEVER where it does not end before the block does."""

    def find() -> NDArray[np.int64]:
        last = np.full(len(block.units), NEVER)
        for ending in block.plan.endings:
            last = np.minimum(last, first_crossings(block.plan, ending.crossing, block.units, block.slice.stop))
        return last

    found: NDArray[np.int64] = block.kept("ends", None, find)
    return found


def alive(block: Block) -> NDArray[np.bool_]:
    """Return who is there, shape (periods, units): from the arrival to the end of its life, both included."""
    periods = block.periods[:, None]
    return (periods >= block.units.arrival[None, :]) & (periods <= ends(block)[None, :])
