"""The rank of rows: the number of each among the rows of its period that are counted together with it.

Counted together are the rows of some units of a segment that follow each other: of those there at the start so many at a
time, of later ones those of a cohort. So more units, and other segments, leave a rank as it is, and a slice of some units
has to count a bounded number of others.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from plotsim_core.columns.rows import Rows
from plotsim_core.engine.block import Block
from plotsim_core.engine.cohorts import layout, units_by
from plotsim_core.engine.roster import Units
from plotsim_core.engine.slice import Slice
from plotsim_core.numerics.arrays import Integers
from plotsim_core.numerics.codes import COHORT, LATER
from plotsim_core.numerics.random import Words, fold, words
from plotsim_core.plan.plan import Population, TablePlan
from plotsim_core.tables.kind import table_kind

GROUP_SIZE = 1 << 12
"""Units that are counted together, of those at the start and of each cohort."""


@dataclass(frozen=True, eq=False)
class Groups:
    """Which units are counted together, parallel arrays: their `segment`, the `cohort` (-1: there at the start), and the
    part of these."""

    segment: Integers
    cohort: Integers
    part: Integers

    def addresses(self, population: Population) -> Words:
        """Return an address for each unit, the same for those that are counted together."""
        names = np.array([segment.address for segment in population.segments], dtype=np.uint64)
        return fold(fold(names[self.segment], words(self.cohort)), words(self.part))


def groups_of(population: Population, units: Units) -> Groups:
    """Return which units are counted together with each."""
    later = np.array([segment.rate > 0 for segment in population.segments])[units.segment] & (units.ordinal >= LATER)
    since = np.where(later, units.ordinal - LATER, units.ordinal)
    cohort = np.where(later, since // COHORT, -1)
    return Groups(units.segment.astype(np.int64), cohort, np.where(later, since % COHORT, since) // GROUP_SIZE)


def addresses(rows: Rows) -> Words:
    """Return an address for each row, the same for those that are counted together: of its group of units and its period."""

    def compute() -> Words:
        population, units = rows.block.population, rows.block.units
        group = (
            groups_of(population, units).addresses(population)[rows.unit] if len(rows.unit) else np.zeros(1, dtype=np.uint64)
        )
        return fold(group, words(rows.period))

    return rows.cached("counted together", compute)


def with_ranks(table: TablePlan, rows: Rows) -> Rows:
    """Return the rows of a table in a block with their ranks. `table` is the plan of the clean table, `rows` are all it has
    in the block."""
    population, units, slice_ = rows.block.population, rows.block.units, rows.block.slice
    if not len(units):
        return replace(rows, rank=table_kind(table).ranks(table, rows))
    groups = groups_of(population, units)
    _, first, group_of_unit = np.unique(groups.addresses(population), return_index=True, return_inverse=True)
    unit = rows.unit if len(rows.unit) else np.zeros(len(rows), dtype=np.int64)
    group_of_row = group_of_unit[unit]
    sequence = (rows.period - slice_.first) * len(first) + group_of_row
    order = np.argsort(sequence * len(units) + unit, kind="stable")
    is_first = np.append(True, np.diff(sequence[order]) != 0)[: len(rows)]
    positions = np.arange(len(rows), dtype=np.int64)
    rank = np.empty(len(rows), dtype=np.int64)
    rank[order] = positions - np.maximum.accumulate(np.where(is_first, positions, 0))
    for group in np.unique(group_of_row).tolist() if len(rows.unit) and slice_.unit_first > 0 else ():
        in_group = group_of_row == group
        rank[in_group] += _earlier_rows(table, rows.block, groups, int(first[group]))[rows.period[in_group] - slice_.first]
    return replace(rows, rank=rank)


def most_groups(population: Population, stop: int) -> int:
    """Return how many groups of units that are counted together there are at most among those who arrive before `stop`."""
    parts = layout(population)
    has_arrived = parts.first < units_by(population, stop)
    return int(np.sum(-(-parts.count[has_arrived] // GROUP_SIZE)))


def _earlier_rows(table: TablePlan, block: Block, groups: Groups, unit: int) -> Integers:
    """Return how many rows of each period of a block are those of units before it that are counted together with one of its
    units."""
    population, slice_ = block.population, block.slice
    group = int(groups.segment[unit]), int(groups.cohort[unit]), int(groups.part[unit])
    total = np.zeros(len(block.periods), dtype=np.int64)
    for start, stop in _earlier_ranges(population, slice_.unit_first, *group):
        total += _counted(population, table.name, replace(slice_, unit_first=start, unit_stop=stop))
    return total


def _earlier_ranges(population: Population, limit: int, segment: int, cohort: int, part: int) -> Iterator[tuple[int, int]]:
    """Yield the ranges (start, stop) of the roster before the place `limit` whose units are counted together."""
    parts = layout(population)
    in_group = (parts.segment == segment) & (np.maximum(parts.cohort, -1) == cohort) & (parts.first < limit)
    for index in np.flatnonzero(in_group).tolist():
        start = int(parts.first[index]) + part * GROUP_SIZE
        stop = min(start + GROUP_SIZE, int(parts.first[index] + parts.count[index]), limit)
        if start < stop:
            yield start, stop


@lru_cache(maxsize=256)
def _counted(population: Population, name: str, slice_: Slice) -> Integers:
    """Return how many rows a table has in each period of a slice."""
    table, total = population.table(name), np.zeros(slice_.stop - slice_.first, dtype=np.int64)
    kind = table_kind(table)
    for part in kind.cut(population, slice_):
        periods: NDArray[np.int64] = kind.rows_in(table, Block(population, part)).period
        np.add.at(total, periods - slice_.first, 1)
    return total
