"""Races: which unit of a population a reference goes to, so that who comes new takes references and moves none.

The units of a segment have numbered slots, as many as their weight says (the last one is a part of a slot). Slots are
visited at random times, at the same rate each, and a reference goes to the first visited slot that holds a unit which is
there at the time. Where the visits of a slot lie is said by the reference's address, the name of the segment and the number
of the slot alone, never by how many there are: a segment more, a unit more or an arrival is visited first or not at all.

Visits are drawn for blocks of slots: those with numbers 0 to 3, 4 to 15, 16 to 63 and so on of the units that a segment has
at the start, or of the units that arrive in some cohorts. The visits of a block are a Poisson process whose rate is the
number of its slots, each visit at any of them. So at least a fourth of the slots of a segment hold a unit. Where a block is
nearly empty, each of its units runs for itself after some visits, which has the same law.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from plotsim_core.engine.cohorts import layout
from plotsim_core.numerics.random import Floats, Words, fold, uniforms, words
from plotsim_core.plan.plan import Plan

Integers = NDArray[np.int64]
Streams = Callable[..., np.uint64]
"""The key of the draws that some names spell out."""
Free = Callable[[Integers, Integers], NDArray[np.bool_]]
"""Whether each of some references (their places) may go to a runner."""

NOBODY = -1
_BASE = 4
_COHORTS = 16
"""So many cohorts share blocks."""
_VISITS = 32
"""After so many visits of a block in vain its units run for themselves."""
_CELLS = 1 << 20
"""At most so many numbers are kept in one array."""


@dataclass(frozen=True, eq=False)
class Blocks:
    """Blocks of slots as parallel arrays. `names` spell out what tells a block from others; its slots have the numbers
    `low` to `low + width` in each of some cohorts; `rate` is how many slots it has in all. `first` and `count` are where
    the slots of a cohort are and how many hold a unit, shape (blocks, cohorts)."""

    names: tuple[tuple[str | int, ...], ...]
    low: Integers
    width: Integers
    rate: Integers
    first: Integers
    count: Integers


@dataclass(frozen=True, eq=False)
class Field:
    """Who runs: `address`, first period (`arrival`) and last (`last`) of each runner. `runner` is whom a slot holds, `room`
    the weight of that runner from this slot on, `number` the slot's among those of the runner."""

    address: Words
    arrival: Integers
    last: Integers
    blocks: Blocks
    runner: Integers
    room: Floats
    number: Integers

    @cached_property
    def stays(self) -> list[tuple[Integers, Integers]]:
        """The first and the last periods of those who hold the slots of each block, each in order."""
        found = []
        for block in range(len(self.blocks.names)):
            own = self.runner[self.slots(block)]
            own = own[self.last[own] >= self.arrival[own]]
            found.append((np.sort(self.arrival[own]), np.sort(self.last[own])))
        return found

    def slots(self, block: int) -> Integers:
        """Return the slots of a block that hold somebody."""
        own = self.blocks
        ends = np.minimum(own.count[block], own.low[block] + own.width[block])
        return np.concatenate(
            [np.arange(f + own.low[block], f + max(e, own.low[block])) for f, e in zip(own.first[block], ends, strict=True)]
        )


def field(plan: Plan, rows: Integers, weight: Floats, address: Words, arrival: Integers, last: Integers) -> Field:
    """Return the field of runners, of which the units of the roster have `rows[unit]` each, in order."""
    slots = np.ceil(weight).astype(np.int64)
    runner = np.repeat(np.arange(len(slots), dtype=np.int64), slots)
    ends = np.cumsum(slots)
    number = np.arange(len(runner), dtype=np.int64) - (ends - slots)[runner]
    of_units = np.concatenate([[0], np.concatenate([[0], ends])[np.cumsum(rows)]])
    return Field(address, arrival, last, _blocks(plan, of_units), runner, weight[runner] - number, number)


def _blocks(plan: Plan, edges: Integers) -> Blocks:
    """Return the blocks of a roster of which unit u has the slots `edges[u]` to `edges[u + 1]`."""
    parts = layout(plan)
    units = len(edges) - 1
    start = edges[np.minimum(parts.first, units)]
    count = edges[np.minimum(parts.first + parts.count, units)] - start
    group = np.where(parts.cohort < 0, -1, parts.cohort // _COHORTS)
    names, numbers, firsts, counts = [], [], [], []
    for segment, of in sorted(set(zip(parts.segment[count > 0].tolist(), group[count > 0].tolist(), strict=True))):
        own = np.flatnonzero((parts.segment == segment) & (group == of))
        cohorts = 1 if of < 0 else _COHORTS
        first, held = np.zeros(_COHORTS, dtype=np.int64), np.zeros(_COHORTS, dtype=np.int64)
        at = parts.cohort[own] - of * _COHORTS if of >= 0 else np.zeros(1, dtype=np.int64)
        first[at], held[at] = start[own], count[own]
        low, stop = 0, _BASE
        while low < int(held.max()):
            names.append((plan.segments[segment].spec.name, of, low))
            numbers.append((low, stop - low, cohorts * (stop - low)))
            firsts.append(first)
            counts.append(held)
            low, stop = stop, stop * _BASE
    lows, widths, rates = np.array(numbers, dtype=np.int64).reshape(-1, 3).T
    shape = (len(names), _COHORTS)
    return Blocks(tuple(names), lows, widths, rates, np.reshape(firsts, shape), np.reshape(counts, shape))


def winners(who: Field, streams: Streams, address: Words, period: Integers, free: Free | None = None) -> Integers:
    """Return who wins the race of each reference, among those that are there in its period; `NOBODY` where none is.

    `streams` names the draws, `free` says to whom a reference may not go.
    """
    result = np.full(len(address), NOBODY, dtype=np.int64)
    if not len(who.blocks.names):
        return result
    keys = _keys(who, streams)
    step = max(1, _CELLS // len(who.blocks.names))
    for begin in range(0, len(address), step):
        part = slice(begin, min(begin + step, len(address)))

        def allowed(places: Integers, runners: Integers, begin: int = begin) -> NDArray[np.bool_]:
            there = (who.arrival[runners] <= period[begin + places]) & (who.last[runners] >= period[begin + places])
            return there if free is None else there & free(begin + places, runners)

        result[part] = _run(who, keys, address[part], _present(who, period[part]), allowed)
    return result


@dataclass(frozen=True, eq=False)
class _Keys:
    """The keys of the draws of each block."""

    time: Words
    slot: Words
    room: Words
    alone: Words


def _keys(who: Field, streams: Streams) -> _Keys:
    return _Keys(
        *(
            np.array([streams(what, *names) for names in who.blocks.names], dtype=np.uint64)
            for what in ("time", "slot", "room", "alone")
        )
    )


def _present(who: Field, period: Integers) -> NDArray[np.bool_]:
    """Return whether somebody of each block is there in the period of each reference, shape (references, blocks)."""
    periods, place = np.unique(period, return_inverse=True)
    came = [np.searchsorted(arrivals, periods, side="right") for arrivals, _ in who.stays]
    gone = [np.searchsorted(lasts, periods, side="left") for _, lasts in who.stays]
    there: NDArray[np.bool_] = (np.stack(came, axis=1) > np.stack(gone, axis=1))[place]
    return there


def _waits(keys: Words, address: Words, rate: Integers) -> Floats:
    """Return exponential times at these rates."""
    waits: Floats = -np.log(uniforms(keys, address)) / rate
    return waits


def _run(who: Field, keys: _Keys, address: Words, present: NDArray[np.bool_], allowed: Free) -> Integers:
    own, result = who.blocks, np.full(len(address), NOBODY, dtype=np.int64)
    first = fold(address, words(np.zeros(1, dtype=np.int64)))
    times = np.stack([_waits(key, first, rate) for key, rate in zip(keys.time, own.rate, strict=True)], axis=1)
    times[~present] = np.inf
    visits = np.zeros(times.shape, dtype=np.int8)
    alone: dict[int, Integers] = {}
    going = np.arange(len(address), dtype=np.int64)
    while len(going):
        block = times[going].argmin(axis=1)
        on = np.isfinite(times[going, block])
        going, block = going[on], block[on]
        visit = visits[going, block].astype(np.int64)
        runner = _visited(who, keys, fold(address[going], words(visit)), block)
        for last in np.unique(block[visit == _VISITS]).tolist():
            here = (visit == _VISITS) & (block == last)
            runner[here] = alone[last][going[here]]
        held = np.flatnonzero(runner != NOBODY)
        runner[held[~allowed(going[held], runner[held])]] = NOBODY
        result[going] = runner
        vain = runner == NOBODY
        going, block, visit = going[vain], block[vain], visit[vain] + 1
        visits[going, block] = visit
        more = visit < _VISITS
        place, at = going[more], block[more]
        times[place, at] += _waits(keys.time[at], fold(address[place], words(visit[more])), own.rate[at])
        for last in np.unique(block[~more]).tolist():
            here = going[~more & (block == last)]
            waits, runners = _alone(who, last, keys.alone[last], address[here], here, allowed)
            times[here, last] += waits
            alone.setdefault(last, np.full(len(address), NOBODY, dtype=np.int64))[here] = runners
    return result


def _visited(who: Field, keys: _Keys, visit: Words, block: NDArray[np.intp]) -> Integers:
    """Return who holds the slot of each visit; `NOBODY` where none does, or the slot is a part and the visit beside it."""
    own = who.blocks
    at = (uniforms(keys.slot[block], visit) * own.rate[block]).astype(np.int64)
    cohort, number = at // own.width[block], own.low[block] + at % own.width[block]
    held = number < own.count[block, cohort]
    slot = np.where(held, own.first[block, cohort] + number, 0)
    part = np.flatnonzero(held & (who.room[slot] < 1.0))
    held[part] = uniforms(keys.room[block[part]], visit[part]) < who.room[slot[part]]
    return np.where(held, who.runner[slot], NOBODY)


def _alone(
    who: Field, block: int, key: np.uint64, address: Words, places: Integers, allowed: Free
) -> tuple[Floats, Integers]:
    """Return how long it takes each reference from the last visit to the first of somebody it may go to, and to whom."""
    slots = who.slots(block)
    runner = who.runner[slots]
    own = fold(who.address[runner], words(who.number[slots]))
    weight = np.minimum(who.room[slots], 1.0)
    waits, found = np.empty(len(address)), np.empty(len(address), dtype=np.int64)
    step = max(1, _CELLS // len(slots))
    for begin in range(0, len(address), step):
        part = slice(begin, min(begin + step, len(address)))
        some = np.repeat(places[part], len(slots)), np.tile(runner, len(places[part]))
        there = allowed(*some).reshape(-1, len(slots))
        alone = np.where(there, -np.log(uniforms(key, fold(address[part][:, None], own[None, :]))) / weight, np.inf)
        best = alone.argmin(axis=1)
        waits[part], found[part] = alone[np.arange(len(best)), best], runner[best]
    return waits, found
