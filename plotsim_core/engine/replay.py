"""Replay: states that depend on the past, computed from the window's start period by period.

A state is a pure function of (population, name, units, period). Going through time again for each block would repeat work,
so a process keeps states at some periods of the past and goes on from the latest of them; that only saves time, it never
changes a value. A state is one population's: a copy of it has none. A store may keep them from one process to the next
(`engine/checkpoints.py`).
"""

from __future__ import annotations

from bisect import insort
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from threading import Lock
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from plotsim_core.engine.block import Block
from plotsim_core.engine.cohorts import runs
from plotsim_core.engine.roster import NEVER, Units, slice_units, spells, take
from plotsim_core.engine.slice import CHUNK, Slice
from plotsim_core.engine.staying import whole_units
from plotsim_core.plan.plan import Population

State = tuple[NDArray[Any], ...]
"""Arrays of shape (units,): how each unit stands before a period."""
Output = TypeVar("Output")


@dataclass(frozen=True)
class Replay(Generic[Output]):
    """What is replayed. `name` tells it from all others of a population. `initial(units)` is the state at the window's
    start, and until a unit arrives. `through(block, state)` gives what is asked for of a block, and the state after it from
    the one before it, which it must not change. After its tenure the state of a unit is not read, so it may stand still."""

    name: str
    initial: Callable[[Units], State]
    through: Callable[[Block, State], tuple[Output, State]]


class StateKey(NamedTuple):
    """What a state is of: the units `first` to `stop` of the roster of a population."""

    population: Population
    name: str
    first: int
    stop: int


class _Source(NamedTuple):
    """States by period, and which of their units are asked for (None: all)."""

    states: dict[int, State]
    units: slice | None = None

    def at(self, period: int) -> State:
        """Return the state of these units before a period."""
        state = self.states[period]
        return state if self.units is None else tuple(array[self.units] for array in state)


class StateCache:
    """States by key at some periods, of at most so many bytes in all: of the keys that were asked for last. Of one key they
    are the closer together the later they are, so that what looks back goes on from a state about twice as far back at most.
    Threads may share it."""

    def __init__(self, size: int) -> None:
        self._limit = size
        self._size = 0
        self._states: OrderedDict[StateKey, dict[int, State]] = OrderedDict()
        self._stops: dict[tuple[Population, str], dict[int, list[int]]] = {}
        self._lock = Lock()

    def latest(self, state_key: StateKey, period: int) -> tuple[int, State] | None:
        """Return the latest (period, state) at `period` or before; None if there is none."""
        with self._lock:
            sources = self._sources(state_key)
            common = set.intersection(*(set(source.states) for source in sources)) if sources else set()
            begin = max((moment for moment in common if moment <= period), default=None)
            return None if begin is None else (begin, _joined([source.at(begin) for source in sources]))

    def earliest(self, state_key: StateKey, period: int) -> State | None:
        """Return a state at `period` or after, the earliest that is known of each of the units; None if there is none."""
        with self._lock:
            parts = []
            for source in self._sources(state_key):
                end = min((moment for moment in source.states if moment >= period), default=None)
                if end is None:
                    return None
                parts.append(source.at(end))
            return _joined(parts) if parts else None

    def _sources(self, state_key: StateKey) -> list[_Source]:
        """Return where states of some units are: those of their own key, those of more units, or those of parts of them, one
        after the other; nothing where they are not all known."""
        if state_key in self._states:
            return [_Source(self._states[state_key])]
        stops = self._stops.get((state_key.population, state_key.name), {})
        for first, first_stops in stops.items():
            if first <= state_key.first and first_stops[-1] >= state_key.stop:
                states = self._states[state_key._replace(first=first, stop=first_stops[-1])]
                return [_Source(states, slice(state_key.first - first, state_key.stop - first))]
        sources, place = [], state_key.first
        while place < state_key.stop:
            stop = max((stop for stop in stops.get(place, ()) if stop <= state_key.stop), default=None)
            if stop is None:
                return []
            sources.append(_Source(self._states[state_key._replace(first=place, stop=stop)]))
            place = stop
        return sources

    def _note(self, key: StateKey) -> None:
        """Note that there are states of a key: by its first unit, the ends in their order."""
        insort(self._stops.setdefault((key.population, key.name), {}).setdefault(key.first, []), key.stop)

    def _forget(self, key: StateKey) -> None:
        stops = self._stops[key.population, key.name]
        stops[key.first].remove(key.stop)
        if not stops[key.first]:
            del stops[key.first]
        if not stops:
            del self._stops[key.population, key.name]

    def keep(self, state_key: StateKey, period: int, state: State) -> None:
        """Keep the state before a period."""
        with self._lock:
            if state_key not in self._states:
                self._note(state_key)
            states = self._states.setdefault(state_key, {})
            self._states.move_to_end(state_key)
            if period in states:
                return
            states[period] = state
            self._size += _bytes(state)
            for dropped in sorted(states.keys() - spaced(states)):
                self._size -= _bytes(states.pop(dropped))
            while self._size > self._limit and len(self._states) > 1:
                oldest, oldest_states = self._states.popitem(last=False)
                self._forget(oldest)
                self._size -= sum(map(_bytes, oldest_states.values()))
            for dropped in sorted(states.keys() - {period}) if self._size > self._limit else ():
                self._size -= _bytes(states.pop(dropped))

    def of(self, population: Population) -> Iterator[tuple[StateKey, int, State]]:
        """Yield all that is kept of a population, by key and period."""
        with self._lock:
            copies = [(key, dict(states)) for key, states in self._states.items() if key.population is population]
        for state_key, states in copies:
            for period in sorted(states):
                yield state_key, period, states[period]


def _joined(parts: list[State]) -> State:
    """Return the state of all units of some states, which follow each other."""
    return parts[0] if len(parts) == 1 else tuple(np.concatenate(arrays) for arrays in zip(*parts, strict=True))


def spaced(periods: Iterable[int]) -> set[int]:
    """Return those of some periods that are kept: the latest, and before it ever fewer, so that their number grows with the
    logarithm of the time they span."""
    descending = sorted(periods, reverse=True)
    chosen = descending[:1]
    for index, period in enumerate(descending[1:], start=1):
        is_last = index == len(descending) - 1
        if is_last or descending[0] - descending[index + 1] > 2 * max(1, descending[0] - chosen[-1]):
            chosen.append(period)
    return set(chosen)


def _bytes(state: State) -> int:
    return sum(array.nbytes for array in state)


STATES = StateCache(1 << 25)
"""The states of this process."""


def replayed(block: Block, replay: Replay[Output]) -> Output:
    """Return what a replay gives of a block, computed once. The state after the block is kept for the next."""
    return block.cached(("replay", replay.name), lambda: _through(block, replay))


def _through(block: Block, replay: Replay[Output]) -> Output:
    population, units = block.population, _whole(block.population, block.units)
    state = state_before(population, replay, units, block.slice.first)
    if units is block.units:
        output, state = replay.through(block, state)
    else:
        chosen = block.units.place - units.start
        output, chosen_state = replay.through(block, tuple(array[chosen] for array in state))
        state = tuple(_replaced(array, chosen, new) for array, new in zip(state, chosen_state, strict=True))
        if not _has_all_present(block, units):
            return output
    for start, stop, first in _runs(population, units):
        places = slice(start - units.start, stop - units.start)
        if first < block.slice.stop <= _end(units.last_period[places]):
            part_state = tuple(array[places].copy() for array in state)
            STATES.keep(_key(population, replay, start, stop), block.slice.stop, part_state)
    return output


def _whole(population: Population, units: Units) -> Units:
    """Return all units with the places that some units are of."""
    return units if units.is_whole else whole_units(population, units.start, units.stop)


def _has_all_present(block: Block, units: Units) -> bool:
    """Return whether a block has all of `units` that are there in it by arrival and tenure: the state of others stays."""
    first, stop = block.slice.first, block.slice.stop
    counts = [np.count_nonzero((group.last_period >= first) & (group.arrival < stop)) for group in (units, block.units)]
    return bool(counts[0] == counts[1])


def state_before(population: Population, replay: Replay[Any], units: Units, period: int) -> State:
    """Return the state of units at the beginning of `period`."""
    if not units.is_whole:
        state = state_before(population, replay, _whole(population, units), period)
        return tuple(array[units.place - units.start] for array in state)
    known_states = [_latest_state(population, replay, units, part, period) for part in _runs(population, units)]
    groups = [list(group) for _, group in groupby(known_states, key=lambda part: (part.begin, part.end))]
    states = [_advanced_group(population, replay, units, group) for group in groups]
    return states[0] if len(states) == 1 else tuple(np.concatenate(arrays) for arrays in zip(*states, strict=True))


def state_after(population: Population, replay: Replay[Any], units: Units, period: int) -> State | None:
    """Return the state of units at some time after the beginning of `period`, or at it; None where none is known of some of
    them. Of units that have left by then, it is that at their end."""
    if not units.is_whole:
        whole_state = state_after(population, replay, _whole(population, units), period)
        return None if whole_state is None else tuple(array[units.place - units.start] for array in whole_state)
    states = []
    for start, stop, first in _runs(population, units):
        end = min(period, _end(units.last_period[start - units.start : stop - units.start]))
        state = (
            replay.initial(slice_units(units, start, stop))
            if end <= first
            else STATES.earliest(_key(population, replay, start, stop), end)
        )
        if state is None:
            return None
        states.append(state)
    return states[0] if len(states) == 1 else tuple(np.concatenate(arrays) for arrays in zip(*states, strict=True))


class _KnownState(NamedTuple):
    """The latest state that is known of units `start` to `stop`, none of which arrives before the period `first`: that at
    `begin`, of which that at `end` is wanted."""

    start: int
    stop: int
    first: int
    begin: int
    end: int
    state: State


def _latest_state(
    population: Population, replay: Replay[Any], units: Units, run: tuple[int, int, int], period: int
) -> _KnownState:
    start, stop, first = run
    end = min(period, _end(units.last_period[start - units.start : stop - units.start]))
    known_state = STATES.latest(_key(population, replay, start, stop), end)
    begin, state = known_state or (first, replay.initial(slice_units(units, start, stop)))
    return _KnownState(start, stop, first, begin, max(begin, end), state)


def _advanced_group(population: Population, replay: Replay[Any], units: Units, group: list[_KnownState]) -> State:
    """Return the state at the wanted period of units whose known states are of one period."""
    begin, end, offset = group[0].begin, group[0].end, group[0].start
    state = tuple(np.concatenate(arrays) for arrays in zip(*(part.state for part in group), strict=True))
    if begin == end:
        return state
    group_units = slice_units(units, offset, group[-1].stop)
    for periods, present in spells(group_units, np.arange(begin, end, dtype=np.int64)):
        span = periods.start + begin, periods.stop + begin
        if len(present) == len(group_units):
            state = _advanced(population, replay, group_units, state, *span)
        elif len(present):
            present_state = tuple(array[present] for array in state)
            next_state = _advanced(population, replay, take(group_units, present), present_state, *span)
            state = tuple(_replaced(array, present, new) for array, new in zip(state, next_state, strict=True))
    for part in group:
        if end > part.first:
            places = slice(part.start - offset, part.stop - offset)
            STATES.keep(_key(population, replay, part.start, part.stop), end, tuple(array[places].copy() for array in state))
    return state


def _runs(population: Population, units: Units) -> list[tuple[int, int, int]]:
    """Cut units where cohorts begin: (start, stop, the first period in which one of them may be there)."""
    return runs(population, units.start, units.stop)


def _key(population: Population, replay: Replay[Any], start: int, stop: int) -> StateKey:
    return StateKey(population, replay.name, start, stop)


def _end(last_period: NDArray[np.int64]) -> int:
    """Return the period from which on no unit is there any more."""
    latest = int(last_period.max(initial=0))
    return latest if latest == NEVER else latest + 1


def _advanced(population: Population, replay: Replay[Any], units: Units, state: State, first: int, stop: int) -> State:
    """Return the state of units after the periods `first` to `stop`, of which a block at a time is computed."""
    step = max(1, CHUNK // len(units))
    for begin in range(first, stop, step):
        span = Slice(begin, min(begin + step, stop), units.start, units.stop)
        _, state = replay.through(Block(population, span, units), state)
    return state


def _replaced(array: NDArray[Any], positions: NDArray[np.intp], values: NDArray[Any]) -> NDArray[Any]:
    """Return a copy of an array with other values at some positions."""
    result = array.copy()
    result[positions] = values
    return result
