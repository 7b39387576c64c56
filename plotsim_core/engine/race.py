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
from plotsim_core.numerics.arrays import Floats, Integers
from plotsim_core.numerics.random import Words, fold, uniforms, words
from plotsim_core.plan.plan import Population

Streams = Callable[..., np.uint64]
"""The key of the draws that some names spell out."""
Free = Callable[[Integers, Integers], NDArray[np.bool_]]
"""Whether each of some references (by index) may go to a runner."""

NOBODY = -1
_BASE = 4
_COHORTS = 16
"""Cohorts that share blocks."""
_VISITS = 32
"""Visits of a block in vain after which its units run for themselves."""
_CELLS = 1 << 20
"""Most numbers in one array."""


@dataclass(frozen=True, eq=False)
class Blocks:
    """Blocks of slots as parallel arrays. `names` identify a block; its slots have the numbers
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
    """The runners: `address`, first period (`arrival`) and last (`last_period`) of each. `runner` is that of a slot, `room`
    the weight of that runner from this slot on, `number` the slot's among those of the runner."""

    address: Words
    arrival: Integers
    last_period: Integers
    blocks: Blocks
    runner: Integers
    room: Floats
    number: Integers

    @cached_property
    def stays(self) -> list[tuple[Integers, Integers]]:
        """The first and the last periods of those who hold the slots of each block, each in order."""
        bounds = []
        for block in range(len(self.blocks.names)):
            runners = self.runner[self.slots(block)]
            runners = runners[self.last_period[runners] >= self.arrival[runners]]
            bounds.append((np.sort(self.arrival[runners]), np.sort(self.last_period[runners])))
        return bounds

    def slots(self, block: int) -> Integers:
        """Return the slots of a block that hold a runner."""
        blocks = self.blocks
        stops = np.minimum(blocks.count[block], blocks.low[block] + blocks.width[block])
        return np.concatenate(
            [
                np.arange(first + blocks.low[block], first + max(end, blocks.low[block]))
                for first, end in zip(blocks.first[block], stops, strict=True)
            ]
        )


def race_field(
    population: Population, rows: Integers, weight: Floats, address: Words, arrival: Integers, last_period: Integers
) -> Field:
    """Return the field of runners, of which the units of the roster have `rows[unit]` each, in order."""
    slots = np.ceil(weight).astype(np.int64)
    runner = np.repeat(np.arange(len(slots), dtype=np.int64), slots)
    stops = np.cumsum(slots)
    number = np.arange(len(runner), dtype=np.int64) - (stops - slots)[runner]
    edges = np.concatenate([[0], np.concatenate([[0], stops])[np.cumsum(rows)]])
    return Field(address, arrival, last_period, _blocks(population, edges), runner, weight[runner] - number, number)


def _blocks(population: Population, edges: Integers) -> Blocks:
    """Return the blocks of a roster of which unit u has the slots `edges[u]` to `edges[u + 1]`."""
    parts = layout(population)
    units = len(edges) - 1
    start = edges[np.minimum(parts.first, units)]
    count = edges[np.minimum(parts.first + parts.count, units)] - start
    group = np.where(parts.cohort < 0, -1, parts.cohort // _COHORTS)
    names, numbers, firsts, counts = [], [], [], []
    for segment, cohort_group in sorted(set(zip(parts.segment[count > 0].tolist(), group[count > 0].tolist(), strict=True))):
        part_indices = np.flatnonzero((parts.segment == segment) & (group == cohort_group))
        cohorts = 1 if cohort_group < 0 else _COHORTS
        first, slot_counts = np.zeros(_COHORTS, dtype=np.int64), np.zeros(_COHORTS, dtype=np.int64)
        columns = parts.cohort[part_indices] - cohort_group * _COHORTS if cohort_group >= 0 else np.zeros(1, dtype=np.int64)
        first[columns], slot_counts[columns] = start[part_indices], count[part_indices]
        low, stop = 0, _BASE
        while low < int(slot_counts.max()):
            names.append((population.segments[segment].spec.name, cohort_group, low))
            numbers.append((low, stop - low, cohorts * (stop - low)))
            firsts.append(first)
            counts.append(slot_counts)
            low, stop = stop, stop * _BASE
    lows, widths, rates = np.array(numbers, dtype=np.int64).reshape(-1, 3).T
    shape = (len(names), _COHORTS)
    return Blocks(tuple(names), lows, widths, rates, np.reshape(firsts, shape), np.reshape(counts, shape))


def winners(entrants: Field, streams: Streams, address: Words, period: Integers, free: Free | None = None) -> Integers:
    """Return who wins the race of each reference, among those that are there in its period; `NOBODY` where none is.

    `streams` names the draws, `free` says to whom a reference may not go.
    """
    result = np.full(len(address), NOBODY, dtype=np.int64)
    if not len(entrants.blocks.names):
        return result
    keys = _keys(entrants, streams)
    step = max(1, _CELLS // len(entrants.blocks.names))
    for begin in range(0, len(address), step):
        part = slice(begin, min(begin + step, len(address)))

        def allowed(positions: Integers, runners: Integers, begin: int = begin) -> NDArray[np.bool_]:
            is_present = (entrants.arrival[runners] <= period[begin + positions]) & (
                entrants.last_period[runners] >= period[begin + positions]
            )
            return is_present if free is None else is_present & free(begin + positions, runners)

        result[part] = _race(entrants, keys, address[part], period[part], _has_present(entrants, period[part]), allowed)
    return result


@dataclass(frozen=True, eq=False)
class _Keys:
    """The keys of the draws of each block."""

    time: Words
    slot: Words
    room: Words
    alone: Words


def _keys(entrants: Field, streams: Streams) -> _Keys:
    return _Keys(
        *(
            np.array([streams(draw, *names) for names in entrants.blocks.names], dtype=np.uint64)
            for draw in ("time", "slot", "room", "alone")
        )
    )


def _has_present(entrants: Field, period: Integers) -> NDArray[np.bool_]:
    """Return whether a unit of each block is present in the period of each reference, shape (references, blocks)."""
    periods, inverse = np.unique(period, return_inverse=True)
    arrival_counts = [np.searchsorted(arrivals, periods, side="right") for arrivals, _ in entrants.stays]
    departure_counts = [np.searchsorted(lasts, periods, side="left") for _, lasts in entrants.stays]
    is_present: NDArray[np.bool_] = (np.stack(arrival_counts, axis=1) > np.stack(departure_counts, axis=1))[inverse]
    return is_present


def _waits(keys: Words, address: Words, rate: Integers) -> Floats:
    """Return exponential waiting times at these rates, by inversion (inverse CDF)."""
    times: Floats = -np.log(uniforms(keys, address)) / rate
    return times


def _race(
    entrants: Field, keys: _Keys, address: Words, period: Integers, present: NDArray[np.bool_], allowed: Free
) -> Integers:
    blocks, result = entrants.blocks, np.full(len(address), NOBODY, dtype=np.int64)
    first = fold(address, words(np.zeros(1, dtype=np.int64)))
    times = np.stack([_waits(key, first, rate) for key, rate in zip(keys.time, blocks.rate, strict=True)], axis=1)
    times[~present] = np.inf
    visits = np.zeros(times.shape, dtype=np.int8)
    alone: dict[int, Integers] = {}
    open_references = np.arange(len(address), dtype=np.int64)
    while len(open_references):
        block = times[open_references].argmin(axis=1)
        is_finite = np.isfinite(times[open_references, block])
        open_references, block = open_references[is_finite], block[is_finite]
        visit = visits[open_references, block].astype(np.int64)
        runner = _slot_runners(entrants, keys, fold(address[open_references], words(visit)), block)
        for block_number in np.unique(block[visit == _VISITS]).tolist():
            selected = (visit == _VISITS) & (block == block_number)
            runner[selected] = alone[block_number][open_references[selected]]
        occupied = np.flatnonzero(runner != NOBODY)
        runner[occupied[~allowed(open_references[occupied], runner[occupied])]] = NOBODY
        result[open_references] = runner
        is_open = runner == NOBODY
        open_references, block, visit = open_references[is_open], block[is_open], visit[is_open] + 1
        visits[open_references, block] = visit
        has_visits = visit < _VISITS
        references, next_blocks = open_references[has_visits], block[has_visits]
        times[references, next_blocks] += _waits(
            keys.time[next_blocks], fold(address[references], words(visit[has_visits])), blocks.rate[next_blocks]
        )
        for block_number in np.unique(block[~has_visits]).tolist():
            selected = open_references[~has_visits & (block == block_number)]
            waits, runners = _single_race(
                entrants, block_number, keys.alone[block_number], address[selected], period[selected], selected, allowed
            )
            times[selected, block_number] += waits
            alone.setdefault(block_number, np.full(len(address), NOBODY, dtype=np.int64))[selected] = runners
    return result


def _slot_runners(entrants: Field, keys: _Keys, visit: Words, block: NDArray[np.intp]) -> Integers:
    """Return who holds the slot of each visit; `NOBODY` where none does, or the slot is a part and the visit beside it."""
    blocks = entrants.blocks
    drawn_slot = (uniforms(keys.slot[block], visit) * blocks.rate[block]).astype(np.int64)
    cohort, number = drawn_slot // blocks.width[block], blocks.low[block] + drawn_slot % blocks.width[block]
    is_held = number < blocks.count[block, cohort]
    slot = np.where(is_held, blocks.first[block, cohort] + number, 0)
    partial = np.flatnonzero(is_held & (entrants.room[slot] < 1.0))
    is_held[partial] = uniforms(keys.room[block[partial]], visit[partial]) < entrants.room[slot[partial]]
    return np.where(is_held, entrants.runner[slot], NOBODY)


def _single_race(
    entrants: Field, block: int, key: np.uint64, address: Words, period: Integers, positions: Integers, allowed: Free
) -> tuple[Floats, Integers]:
    """Return for each reference (waiting time from the last visit to the first runner it may go to, that runner). Those who
    arrive after its period are not looked at."""
    slots = entrants.slots(block)
    slots = slots[np.argsort(entrants.arrival[entrants.runner[slots]], kind="stable")]
    runner = entrants.runner[slots]
    runner_addresses = fold(entrants.address[runner], words(entrants.number[slots]))
    weight = np.minimum(entrants.room[slots], 1.0)
    waits, winner = np.empty(len(address)), np.empty(len(address), dtype=np.int64)
    reach = np.maximum(np.searchsorted(entrants.arrival[runner], period, side="right"), 1)
    order = np.argsort(-reach, kind="stable")
    begin = 0
    while begin < len(order):
        count = int(reach[order[begin]])
        part = order[begin : begin + max(1, _CELLS // count)]
        begin += len(part)
        pairs = np.repeat(positions[part], count), np.tile(runner[:count], len(part))
        is_allowed = allowed(*pairs).reshape(-1, count)
        draws = uniforms(key, fold(address[part][:, None], runner_addresses[None, :count]))
        own_waits = np.where(is_allowed, -np.log(draws) / weight[:count], np.inf)
        best = own_waits.argmin(axis=1)
        waits[part], winner[part] = own_waits[np.arange(len(best)), best], runner[best]
    return waits, winner
