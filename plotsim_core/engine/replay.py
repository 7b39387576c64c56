"""Replay: states that depend on the past, computed from the window's start period by period.

A state is a pure function of (population, name, units, period). Going through time again for each block would repeat work,
so a process keeps the latest state of each kind and extends it; that only saves time, it never changes a value. A state is
one population's: a copy of it has none.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from plotsim_core.engine.cohorts import runs
from plotsim_core.engine.roster import NEVER, Units, slice_units, spells, take
from plotsim_core.plan.plan import Population

State = TypeVar("State", bound=tuple[NDArray[Any], ...])


class StateCache:
    """The latest states, each with the period before which it is, of at most so many units in all: those that were asked for
    last. Threads may share it."""

    def __init__(self, units: int) -> None:
        self._limit = units
        self._states: OrderedDict[tuple[Population, str, int, int], tuple[int, Any]] = OrderedDict()
        self._lock = Lock()

    def latest(self, population: Population, name: str, start: int, count: int) -> tuple[int, Any] | None:
        """Return (period, state) of units `start` to `start + count` of the roster; None if there is none."""
        with self._lock:
            return self._states.get((population, name, start, count))

    def keep(self, population: Population, name: str, start: int, count: int, period: int, state: Any) -> None:
        """Keep the state of units before a period, instead of an earlier one."""
        key = population, name, start, count
        with self._lock:
            self._states[key] = period, state
            self._states.move_to_end(key)
            while sum(units for *_, units in self._states) > self._limit and len(self._states) > 1:
                self._states.popitem(last=False)


_CACHE = StateCache(1 << 23)
"""The states of this process."""


def state_before(
    population: Population,
    name: str,
    units: Units,
    period: int,
    initial: Callable[[Units], State],
    advance: Callable[[Units, State, int, int], State],
) -> State:
    """Return the state of units at the beginning of `period`: a tuple of arrays, shape (units,).

    `initial(units)` is the state at the window's start, and until a unit arrives; `advance(units, state, first, stop)` gives
    the state after the periods `first` to `stop` (exclusive) and must not change the one it is given. After its tenure
    the state of a unit is not read, so it may stand still.
    """
    parts = [
        _state(population, name, units, start, stop, first, period, initial, advance)
        for start, stop, first in runs(population, units.start, units.start + len(units))
    ]
    if len(parts) == 1:
        return parts[0]
    joined: Any = tuple(np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    state: State = joined
    return state


def _state(
    population: Population,
    name: str,
    units: Units,
    start: int,
    stop: int,
    first: int,
    period: int,
    initial: Callable[[Units], State],
    advance: Callable[[Units, State, int, int], State],
) -> State:
    """Return the state of units `start` to `stop` of the roster, none of which arrives before the period `first`."""
    run_units = units if stop - start == len(units) else slice_units(units, start, stop)
    last_period = int(run_units.last_period.max())
    end = period if last_period == NEVER else min(period, last_period + 1)
    entry = _CACHE.latest(population, name, start, stop - start)
    begin, state = entry if entry is not None and entry[0] <= end else (first, initial(run_units))
    for periods, present in spells(run_units, np.arange(begin, end, dtype=np.int64)):
        if len(present) == len(run_units):
            state = advance(run_units, state, periods.start + begin, periods.stop + begin)
        elif len(present):
            part_state: Any = tuple(array[present] for array in state)
            next_state = advance(take(run_units, present), part_state, periods.start + begin, periods.stop + begin)
            merged: Any = tuple(_replaced(array, present, new) for array, new in zip(state, next_state, strict=True))
            state = merged
    _CACHE.keep(population, name, start, stop - start, max(begin, end), state)
    return state


def _replaced(array: NDArray[Any], positions: NDArray[np.intp], values: NDArray[Any]) -> NDArray[Any]:
    """Return a copy of an array with other values at some positions."""
    result = array.copy()
    result[positions] = values
    return result
