"""Serial numbers: numbers below a limit that identify the rows of a dimension, independent of other rows.

A listed row's is its index in the list. A unit's consists of its segment's slot and its number in the segment: even for
units of the start, odd for later ones (a pairing function of the cohort and the number in it). A child's adds its own
number to its unit's. A longer window, more units or another segment change no number. Slots are hashes of the segments'
names; on a collision the later segment takes another slot, and `slot_collisions` reports it.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import ceil

import numpy as np

from plotsim_core.columns.rows import Rows
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.segments import OngoingArrival, Segment
from plotsim_core.config.tables import Table
from plotsim_core.errors import UsageError
from plotsim_core.numerics.arrays import Integers
from plotsim_core.numerics.codes import COHORT, COHORTS, LATER
from plotsim_core.numerics.pairing import pair_numbers
from plotsim_core.numerics.random import key
from plotsim_core.plan.plan import TablePlan

_MAX_SLOT_BITS = 20
"""Most bits of a slot."""
"""Kinds of table whose rows have serial numbers."""


@dataclass(frozen=True)
class Division:
    """Division of `total` numbers into `slots` of `share` numbers each."""

    total: int
    slots: int
    share: int


def number_division(total: int) -> Division:
    """Return the division of `total` numbers: a third of the bits is the slot of a segment."""
    slots = 1 << min(_MAX_SLOT_BITS, (total.bit_length() - 1) // 3)
    return Division(total, slots, total // slots)


@lru_cache(maxsize=256)
def slots(names: tuple[str, ...], count: int) -> tuple[int, ...]:
    """Return the slot of each segment, by the order of declaration where two would have the same.

    Raises UsageError where there are more segments than slots.
    """
    if len(names) > count:
        raise UsageError(
            f"{len(names)} segments have different texts of a column for {count}; `unique: false` lets them repeat"
        )
    result: list[int] = []
    for name in names:
        candidates = (int(key(0, "slot", name, attempt)) % count for attempt in itertools.count())
        result.append(next(slot for slot in candidates if slot not in result))
    return tuple(result)


def slot_collisions(names: Sequence[str], count: int) -> list[str]:
    """Return the segments with another slot than that of their name, which an earlier one has (a hash collision)."""
    segment_slots = slots(tuple(names), count)
    return [name for name, slot in zip(names, segment_slots, strict=True) if slot != int(key(0, "slot", name, 0)) % count]


def has_own_texts(table: Table) -> bool:
    """Return whether each row of a table may have texts of its own: those of units, of their children, and listed rows."""
    return table.is_of_units or table.is_listed


def serials(rows: Rows, table: TablePlan, total: int) -> Integers | None:
    """Return a number below `total` for each row, of a table whose rows have such numbers; None for other tables.

    Versions of one unit have one number. Raises UsageError where the numbers do not suffice.
    """
    population = rows.block.population
    origin = population.table(table.stream)
    if not has_own_texts(origin.spec):
        return None
    if origin.spec.is_listed:
        return _below_limit(rows.ordinal, total, table)
    division, units = number_division(total), rows.block.units
    most_rows = np.array([origin.spec.per_unit_of(segment.spec.name)[1] for segment in population.segments], dtype=np.int64)
    indexes = (_segment_index(units.ordinal) * most_rows[units.segment])[rows.unit]
    if len(rows.ordinal):
        indexes = indexes + rows.ordinal
    segment_slots = np.array(
        slots(tuple(segment.spec.name for segment in population.segments), division.slots), dtype=np.int64
    )
    return _below_limit(indexes, division.share, table) * division.slots + segment_slots[units.segment][rows.unit]


def _below_limit(numbers: Integers, limit: int, table: TablePlan) -> Integers:
    if int(numbers.max(initial=0)) >= limit:
        raise UsageError(
            f"{table.name} has more rows than there are different texts for a column; `unique: false` lets them repeat"
        )
    return numbers


def _segment_index(ordinal: Integers) -> Integers:
    """Return the number of a unit in its segment, from its ordinal."""
    late_numbers = np.maximum(ordinal - LATER, 0)
    return np.where(ordinal < LATER, 2 * ordinal, 2 * pair_numbers(late_numbers // COHORT, late_numbers % COHORT) + 1)


@dataclass(frozen=True)
class Capacity:
    """Capacity for a segment's units: `units` is their number at the start, of which `most` have a serial number; units that
    arrive later have one up to the cohort `cohorts` (None: nobody arrives later)."""

    segment: str
    units: int
    most: int
    cohorts: int | None


def capacities(table: Table, dataset: Dataset, total: int) -> list[Capacity]:
    """Return the capacity of `total` numbers for each segment's units, in a dimension of units or of their children."""
    share, length = number_division(total).share, dataset.grain.cohort
    return [
        _segment_capacity(segment, dataset.scale, share // table.per_unit_of(segment.name)[1], length)
        for segment in dataset.segments
    ]


def _segment_capacity(segment: Segment, scale: float, share: int, length: int) -> Capacity:
    units = max(1, round(segment.count * scale))
    ongoing = segment.arrival if isinstance(segment.arrival, OngoingArrival) else None
    return Capacity(
        segment.name,
        units,
        (share + 1) // 2,
        None if ongoing is None else _cohorts(ongoing.per_period * scale * length, share),
    )


def _cohorts(size: float, share: int) -> int:
    """Return the number of cohorts of a size that have a serial number for every unit."""
    last = np.full(COHORTS, max(ceil(size), 1) - 1, dtype=np.int64)
    numbers = 2 * pair_numbers(np.arange(COHORTS, dtype=np.int64), last) + 1
    return int(np.searchsorted(np.maximum.accumulate(numbers), share))
