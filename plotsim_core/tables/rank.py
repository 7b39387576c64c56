"""The rank of rows: the number of each among the rows of its period that are counted together with it.

Counted together are the rows of some units of a segment that follow each other: of those there at the start so many at a
time, of later ones those of some cohorts. So more units, and other segments, leave a rank as it is, and a slice of some
units has to count a bounded number of others.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from plotsim_core.columns.rows import Integers, Rows
from plotsim_core.engine.block import Block
from plotsim_core.engine.cohorts import layout, units_by
from plotsim_core.engine.roster import Units
from plotsim_core.engine.slice import Slice
from plotsim_core.engine.strata import staying
from plotsim_core.numerics.codes import COHORT, LATER
from plotsim_core.numerics.random import Words, fold, words
from plotsim_core.plan.plan import Plan, TablePlan
from plotsim_core.tables.kind import KINDS

TOGETHER = 1 << 12
"""So many units that are there at the start are counted together, and so many of each cohort."""
COHORTS_TOGETHER = 64


@dataclass(frozen=True, eq=False)
class Groups:
    """Which units are counted together, parallel arrays: their `segment`, the run of cohorts (-1: there at the start), and
    the part of these."""

    segment: Integers
    run: Integers
    part: Integers

    def addresses(self, plan: Plan) -> Words:
        """Return an address for each unit, the same for those that are counted together."""
        names = np.array([segment.address for segment in plan.segments], dtype=np.uint64)
        return fold(fold(names[self.segment], words(self.run)), words(self.part))


def groups_of(plan: Plan, units: Units) -> Groups:
    """Return which units are counted together with each."""
    later = np.array([segment.rate > 0 for segment in plan.segments])[units.segment] & (units.ordinal >= LATER)
    since = np.where(later, units.ordinal - LATER, units.ordinal)
    run = np.where(later, since // COHORT // COHORTS_TOGETHER, -1)
    return Groups(units.segment.astype(np.int64), run, np.where(later, since % COHORT, since) // TOGETHER)


def addresses(rows: Rows) -> Words:
    """Return an address for each row, the same for those that are counted together: of its group of units and its period."""

    def made() -> Words:
        plan, units = rows.block.plan, rows.block.units
        group = groups_of(plan, units).addresses(plan)[rows.unit] if len(rows.unit) else np.zeros(1, dtype=np.uint64)
        return fold(group, words(rows.period))

    return rows.kept("counted together", made)


def ranked(table: TablePlan, rows: Rows) -> Rows:
    """Return the rows of a table in a block with their ranks. `table` is the plan of the clean table, `rows` are all it has
    in the block."""
    plan, units, slice_ = rows.block.plan, rows.block.units, rows.block.slice
    groups = groups_of(plan, units)
    _, first, each = np.unique(groups.addresses(plan), return_index=True, return_inverse=True)
    unit = rows.unit if len(rows.unit) else np.zeros(len(rows), dtype=np.int64)
    own = each[unit]
    sequence = (rows.period - slice_.first) * len(first) + own
    order = np.argsort(sequence * len(units) + unit, kind="stable")
    begins = np.append(True, np.diff(sequence[order]) != 0)[: len(rows)]
    places = np.arange(len(rows), dtype=np.int64)
    rank = np.empty(len(rows), dtype=np.int64)
    rank[order] = places - np.maximum.accumulate(np.where(begins, places, 0))
    for group in np.unique(own).tolist() if len(rows.unit) and slice_.unit_first > 0 else ():
        here = own == group
        rank[here] += _before(table, rows.block, groups, int(first[group]))[rows.period[here] - slice_.first]
    return replace(rows, rank=rank)


def most_groups(plan: Plan, stop: int) -> int:
    """Return how many groups of units that are counted together there are at most among those who arrive before `stop`."""
    parts = layout(plan)
    here = parts.first < units_by(plan, stop)
    runs = np.where(parts.cohort < 0, -1, parts.cohort // COHORTS_TOGETHER)[here]
    largest: dict[tuple[int, int], int] = {}
    for segment, run, count in zip(parts.segment[here].tolist(), runs.tolist(), parts.count[here].tolist(), strict=True):
        largest[segment, run] = max(largest.get((segment, run), 0), count)
    return sum(-(-count // TOGETHER) for count in largest.values())


def _before(table: TablePlan, block: Block, found: Groups, place: int) -> Integers:
    """Return how many rows of each period of a block are those of units before it that are counted together with one of its
    units."""
    plan, slice_ = block.plan, block.slice
    group = int(found.segment[place]), int(found.run[place]), int(found.part[place])
    total = np.zeros(len(block.periods), dtype=np.int64)
    for start, stop in _places(plan, slice_.unit_first, *group):
        total += _counted(plan, table.name, replace(slice_, unit_first=start, unit_stop=stop))
    return total


def _places(plan: Plan, before: int, segment: int, run: int, part: int) -> Iterator[tuple[int, int]]:
    """Yield the places (start, stop) of the roster before one of it that are counted together."""
    parts = layout(plan)
    runs = np.where(parts.cohort < 0, -1, parts.cohort // COHORTS_TOGETHER)
    for own in np.flatnonzero((parts.segment == segment) & (runs == run) & (parts.first < before)).tolist():
        start = int(parts.first[own]) + part * TOGETHER
        stop = min(start + TOGETHER, int(parts.first[own] + parts.count[own]), before)
        if start < stop:
            yield start, stop


@lru_cache(maxsize=256)
def _counted(plan: Plan, name: str, slice_: Slice) -> Integers:
    """Return how many rows a table has in each period of a slice."""
    table, total = plan.table(name), np.zeros(slice_.stop - slice_.first, dtype=np.int64)
    kind = KINDS[table.kind]
    for start, stop in staying(plan, slice_.unit_first, slice_.unit_stop, slice_.first):
        for part in kind.cut(plan, replace(slice_, unit_first=start, unit_stop=stop)):
            periods: NDArray[np.int64] = kind.rows(table, Block(plan, part)).period
            np.add.at(total, periods - slice_.first, 1)
    return total
