"""`unique: true`: values that no two rows of a dimension share, by construction.

A row has a serial number (`identifier_serials.py`), and a keyed permutation of the numbers below the count of values gives
it one of them. Nothing is drawn and nothing remembered, so more units, another segment or a longer window move no value.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from plotsim_core.columns.identifier_serials import capacities, has_own_texts, number_division, serials, slot_collisions
from plotsim_core.columns.rows import Rows
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.tables import Table
from plotsim_core.errors import Problem, UsageError
from plotsim_core.numerics.arrays import Integers
from plotsim_core.numerics.calendar import Grain
from plotsim_core.numerics.permutation import shuffled
from plotsim_core.plan.plan import ColumnPlan, TablePlan

_MOST_BITS = 60
"""Bits of the largest count of values that a permutation has."""


def unique_indexes(count: int, column: ColumnPlan, table: TablePlan, rows: Rows) -> Integers:
    """Return an index below `count` for each row of a table whose rows have serial numbers, none twice."""
    numbers = serials(rows, table, count)
    if numbers is None:
        raise UsageError(f"rows of {table.name} have no serial numbers")
    return shuffled(numbers, count, np.array([rows.stream(table, column, "unique")]))


def check_unique(table: Table) -> Iterator[Problem]:
    """Yield the problem of unique values in a table whose rows have no serial numbers."""
    if not has_own_texts(table):
        reason = f"rows of {table.name} stand for no thing that a value could be kept for, so their values are drawn"
        yield Problem(
            "unique", f"has no place here: {reason}", "units, their children and listed rows have values of their own"
        )


def capacity_messages(count: int, noun: str, values: str, table: Table, dataset: Dataset) -> Iterator[str]:
    """Yield why the rows of a dimension cannot all have different values of `count` that there are. `noun` is what gives
    them, `values` what they are called."""
    if table.is_listed:
        if table.length > count:
            yield f"{table.name} has {table.length:,} rows, and {noun} has {count:,} different {values}"
        return
    slots = number_division(count).slots
    if len(dataset.segments) > slots:
        yield f"{noun} has {values} for {slots:,} segments, and there are {len(dataset.segments):,}"
        return
    for room in capacities(table, dataset, count):
        if room.units > room.most:
            yield f"{noun} has {values} for {room.most:,} units of a segment, and {room.segment} has {room.units:,}"
        elif room.cohorts is not None and room.cohorts * dataset.grain.cohort < (
            dataset.span if dataset.stop is None else dataset.stop - dataset.first
        ):
            year = last_year(room.cohorts, dataset.grain, dataset.first)
            yield f"{noun} has {values} for those who arrive in {room.segment} up to {year}"


def last_year(cohorts: int, grain: Grain, first: int) -> int:
    """Return the last year in which so many cohorts arrive."""
    last = first + cohorts * grain.cohort
    return int(grain.civil_starts(np.array([last])).astype("datetime64[Y]").astype(np.int64)[0]) + 1970


def unique_problems(count: int, noun: str, table: Table, dataset: Dataset) -> Iterator[Problem]:
    """Yield a problem where there are too few values for all rows of a dimension, with how many are needed."""
    for message in capacity_messages(count, noun, "values", table, dataset):
        needed = table.length if table.is_listed else _needed(noun, table, dataset)
        yield Problem("unique", message, f"it needs {needed:,} values, and has {count:,}" if needed else "")
        return


def _needed(noun: str, table: Table, dataset: Dataset) -> int:
    """Return a count of values that suffices, the first power of two; 0 if none does."""
    powers = (1 << bits for bits in range(1, _MOST_BITS))
    return next((count for count in powers if not any(capacity_messages(count, noun, "values", table, dataset))), 0)


def collision_notes(count: int, table: Table, dataset: Dataset) -> Iterable[Problem]:
    """Yield the segments whose values depend on the segments declared before them."""
    if table.is_of_units:
        for name in slot_collisions([segment.name for segment in dataset.segments], number_division(count).slots):
            yield Problem(
                "unique",
                f"values of units in {name} depend on the segments before it",
                "keep their order, and add segments after them",
            )
