"""Replay: states that depend on the past, computed from the window's start period by period.

A state is a pure function of (population, name, units, period). Going through time again for each block would repeat work,
so a process keeps states at some periods of the past and goes on from the latest of them; that only saves time, it never
changes a value. A state is one population's: a copy of it has none. A store may keep them from one process to the next
(`engine/checkpoints.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from plotsim_core.engine.block import Block
from plotsim_core.engine.cohorts import runs
from plotsim_core.engine.roster import NEVER, Units, slice_units, spells, take
from plotsim_core.engine.slice import CHUNK, Slice
from plotsim_core.engine.state_cache import STATES, State, StateKey, joined
from plotsim_core.engine.staying import whole_units
from plotsim_core.plan.plan import Population

Output = TypeVar("Output")
_NEAR, _FEW_UNITS = 32, 1 / 8
"""Periods from a known state, and a share of the units with the same places, up to which some units are replayed alone."""


@dataclass(frozen=True)
class Replay(Generic[Output]):
    """What is replayed. `name` tells it from all others of a population. `initial(units)` is the state at the window's
    start, and until a unit arrives. `through(block, state)` gives what is asked for of a block, and the state after it from
    the one before it, which it must not change. After its tenure the state of a unit is not read, so it may stand still."""

    name: str
    initial: Callable[[Units], State]
    through: Callable[[Block, State], tuple[Output, State]]


def replayed(block: Block, replay: Replay[Output]) -> Output:
    """Return what a replay gives of a block, computed once. The state after the block is kept for the next."""
    return block.cached(("replay", replay.name), lambda: _through(block, replay))


def _through(block: Block, replay: Replay[Output]) -> Output:
    population, units, stop = block.population, block.units, block.slice.stop
    if not _has_all_present(block):
        return replay.through(block, state_before(population, replay, units, block.slice.first))[0]
    parts = _advanced_parts(population, replay, units, _latest_parts(population, replay, units, block.slice.first))
    output, state = replay.through(block, joined([part.state_of(units) for part in parts]))
    for part in parts:
        if part.first < stop <= part.end:
            span = part.span(units)
            positions = units.place[span] - part.start
            part_state = tuple(_replaced(old, positions, new[span]) for old, new in zip(part.state, state, strict=True))
            STATES.keep(StateKey(population, replay.name, part.start, part.stop), stop, part_state)
    return output


def _whole(population: Population, units: Units) -> Units:
    """Return all units with the places that some units are of."""
    return units if units.is_whole else whole_units(population, units.start, units.stop)


def _has_all_present(block: Block) -> bool:
    """Return whether a block has all units with its places that are there in it by arrival and tenure: the state of others
    stays."""
    if block.units.is_whole:
        return True
    first, stop, whole = block.slice.first, block.slice.stop, _whole(block.population, block.units)
    counts = [np.count_nonzero((group.last_period >= first) & (group.arrival < stop)) for group in (whole, block.units)]
    return bool(counts[0] == counts[1])


def state_before(population: Population, replay: Replay[Any], units: Units, period: int) -> State:
    """Return the state of units at the beginning of `period`."""
    parts = _latest_parts(population, replay, units, period)
    is_near = all(part.moment - part.known <= _NEAR for part in parts)
    if is_near and len(units) <= _FEW_UNITS * (units.stop - units.start):
        return joined([_state_of_some(population, replay, units, group) for group in _groups(parts)])
    return joined([part.state_of(units) for part in _advanced_parts(population, replay, units, parts)])


def state_after(population: Population, replay: Replay[Any], units: Units, period: int) -> State | None:
    """Return the state of units at some time after the beginning of `period`, or at it; None where none is known of some of
    them. Of units that have left by then, it is that at their end."""
    whole, states = _whole(population, units), []
    for start, stop, first in _runs(population, units):
        moment = min(period, _end(whole, start, stop))
        key = StateKey(population, replay.name, start, stop)
        has_begun = moment > first
        state = STATES.earliest(key, moment) if has_begun else replay.initial(slice_units(whole, start, stop))
        if state is None:
            return None
        states.append(_Part(start, stop, first, moment, moment, moment, state).state_of(units))
    return joined(states)


class _Part(NamedTuple):
    """Units `start` to `stop` of the roster, none of which is there before the period `first` or from `end` on: the latest
    state that is `known` of them by the `moment` at which it is wanted."""

    start: int
    stop: int
    first: int
    end: int
    known: int
    moment: int
    state: State

    def span(self, units: Units) -> slice:
        """Return which of some units are of this part."""
        return slice(*np.searchsorted(units.place, (self.start, self.stop)).tolist())

    def state_of(self, units: Units) -> State:
        """Return the state of those of some units that are of this part."""
        if units.is_whole:
            return self.state
        positions = units.place[self.span(units)] - self.start
        return tuple(array[positions] for array in self.state)


def _latest_parts(population: Population, replay: Replay[Any], units: Units, period: int) -> list[_Part]:
    """Return what is known of some units by `period`, of all in their cohorts."""
    whole, parts = _whole(population, units), []
    for start, stop, first in _runs(population, units):
        end = _end(whole, start, stop)
        known_state = STATES.latest(StateKey(population, replay.name, start, stop), min(period, end))
        known, state = known_state or (first, replay.initial(slice_units(whole, start, stop)))
        parts.append(_Part(start, stop, first, end, known, max(known, min(period, end)), state))
    return parts


def _groups(parts: list[_Part]) -> list[list[_Part]]:
    """Return parts that follow each other, and are to be advanced through the same periods, together."""
    groups: list[list[_Part]] = []
    for part in parts:
        last = groups[-1][-1] if groups else None
        if last is not None and (last.stop, last.known, last.moment) == (part.start, part.known, part.moment):
            groups[-1].append(part)
        else:
            groups.append([part])
    return groups


def _state_of_some(population: Population, replay: Replay[Any], units: Units, group: list[_Part]) -> State:
    """Return the state, at the wanted period, of those of some units that are of a group."""
    known_state = joined([part.state_of(units) for part in group])
    group_units = slice_units(units, group[0].start, group[-1].stop)
    return _through_spells(population, replay, group_units, known_state, group[0].known, group[0].moment)


def _advanced_parts(population: Population, replay: Replay[Any], units: Units, parts: list[_Part]) -> list[_Part]:
    """Return parts of the roster that some units are of with the states that are wanted, and keep these."""
    whole, advanced_parts = _whole(population, units), []
    for group in _groups(parts):
        known, moment, offset = group[0].known, group[0].moment, group[0].start
        if known == moment:
            advanced_parts += group
            continue
        group_units = slice_units(whole, offset, group[-1].stop)
        group_state = joined([part.state for part in group])
        state = _through_spells(population, replay, group_units, group_state, known, moment)
        for part in group:
            part_state = tuple(array[part.start - offset : part.stop - offset].copy() for array in state)
            advanced_parts.append(part._replace(known=moment, state=part_state))
            if moment > part.first:
                STATES.keep(StateKey(population, replay.name, part.start, part.stop), moment, part_state)
    return advanced_parts


def _through_spells(population: Population, replay: Replay[Any], units: Units, state: State, begin: int, end: int) -> State:
    """Return the state of units after the periods `begin` to `end`, from that before them."""
    for periods, present in spells(units, np.arange(begin, end, dtype=np.int64)) if len(units) else ():
        span = periods.start + begin, periods.stop + begin
        if len(present) == len(units):
            state = _advanced(population, replay, units, state, *span)
        elif len(present):
            present_state = tuple(array[present] for array in state)
            next_state = _advanced(population, replay, take(units, present), present_state, *span)
            state = tuple(_replaced(array, present, new) for array, new in zip(state, next_state, strict=True))
    return state


def _runs(population: Population, units: Units) -> list[tuple[int, int, int]]:
    """Cut units where cohorts begin, all with their places: (start, stop, the first period in which one of them may be
    there). Cohorts of which no unit is asked for are left out, but for one."""
    all_runs = runs(population, units.start, units.stop)
    if units.is_whole:
        return all_runs
    edges = np.searchsorted(units.place, [start for start, *_ in all_runs] + [units.stop])
    return [run for run, count in zip(all_runs, np.diff(edges).tolist(), strict=True) if count] or all_runs[:1]


def _end(whole: Units, start: int, stop: int) -> int:
    """Return the period from which on none of the units `start` to `stop` of the roster is there any more."""
    latest = int(whole.last_period[start - whole.start : stop - whole.start].max(initial=0))
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
