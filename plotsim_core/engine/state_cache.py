"""States of replays, as a process keeps them: at ever fewer periods of the past.

They save time and never change a value. A state is one population's: a copy of it has none.
"""

from __future__ import annotations

from bisect import insort
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from plotsim_core.plan.plan import Population

State = tuple[NDArray[Any], ...]
"""Arrays of shape (units,): how each unit stands before a period."""


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
            return None if begin is None else (begin, joined([source.at(begin) for source in sources]))

    def earliest(self, state_key: StateKey, period: int) -> State | None:
        """Return a state at `period` or after, the earliest that is known of each of the units; None if there is none."""
        with self._lock:
            parts = []
            for source in self._sources(state_key):
                end = min((moment for moment in source.states if moment >= period), default=None)
                if end is None:
                    return None
                parts.append(source.at(end))
            return joined(parts) if parts else None

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
            for dropped in sorted(states.keys() - spaced(states)) if len(states) > 2 else ():
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


def joined(parts: list[State]) -> State:
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
