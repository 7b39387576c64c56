"""Rows of plain tables, and of what belongs to them, that references draw: any that may be referred to, each as likely.

Of the places for as many rows as there could be, one is drawn until a row has it that may be referred to, at most 64 times.
Each draw is made at the address of the referring row, so nothing is counted or searched through. Where none of them
succeeds, a reference goes to the next such row of the last draw's block, which is of 64 plain rows, or to none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plotsim_core.columns.kept_rows import is_kept, kept_rows
from plotsim_core.columns.row_kind import Targets
from plotsim_core.columns.row_relations import child_rows, row_counts_of, rows_of_parents
from plotsim_core.columns.rows import Rows
from plotsim_core.engine.block import Block
from plotsim_core.errors import UsageError
from plotsim_core.numerics.arrays import Integers
from plotsim_core.plan.plan import ColumnPlan, Population, TablePlan
from plotsim_core.tables.kind import table_kind

_TRIALS = 64
"""Most places that are drawn for a reference."""
_BLOCK = 64
"""Plain rows among which the next one is looked for."""


@dataclass(frozen=True, eq=False)
class Reach:
    """The plain rows that each of some rows reaches: the numbers from `starts` to `stops` (exclusive), and where `moments`
    are given, those that happened before them."""

    starts: Integers
    stops: Integers
    moments: NDArray[np.datetime64] | None = None

    def take(self, positions: Integers) -> Reach:
        """Return the reach of the rows at `positions`."""
        moments = None if self.moments is None else self.moments[positions]
        return Reach(self.starts[positions], self.stops[positions], moments)

    def holds(self, plain_rows: Rows) -> NDArray[np.bool_]:
        """Return whether each row reaches the plain row at its position."""
        numbers = plain_rows.ordinal
        is_reached = (numbers >= self.starts) & (numbers < self.stops)
        if self.moments is not None:
            is_reached &= plain_rows.moment < self.moments
        return is_reached


def drawn_targets(column: ColumnPlan, table: TablePlan, rows: Rows, parent: TablePlan, reach: Reach) -> Targets:
    """Return for each row any row of `parent` that belongs to a plain row that it reaches; none where there is none."""
    population, block = rows.block.population, rows.block
    root, *path = lineage(population, parent)
    numbers = np.zeros((len(path) + 1, len(rows)), dtype=np.int64)
    has_target = reach.stops > reach.starts
    pending = np.flatnonzero(has_target)
    for trial in range(_TRIALS):
        if not len(pending):
            break
        draws, near = rows.take(pending), reach.take(pending)
        count = near.stops - near.starts
        numbers[0, pending] = near.starts + draws.choose(table, column, count, root.name, str(trial))
        candidates = table_kind(root).numbered_rows(root, block, numbers[0, pending])
        is_taken = near.holds(candidates) & is_kept(root, candidates)
        for depth, step in enumerate(path, start=1):
            counts = row_counts_of(step, candidates)
            drawn_numbers = draws.choose(table, column, most_rows(step), step.name, str(trial))
            is_taken &= drawn_numbers < counts
            numbers[depth, pending] = drawn_numbers % counts
            candidates = child_rows(candidates, np.arange(len(pending)), numbers[depth, pending])
            is_taken &= is_kept(step, candidates)
        pending = pending[~is_taken]
    is_partial = reach.moments is not None or any(step.spec.filter is not None for step in (root, *path))
    if len(pending) and is_partial:
        has_target[pending], numbers[:, pending] = _next_rows(block, [root, *path], numbers[:, pending], reach.take(pending))
    target_rows = table_kind(root).numbered_rows(root, block, numbers[0])
    for step_numbers in numbers[1:]:
        target_rows = child_rows(target_rows, np.arange(len(rows)), step_numbers)
    return Targets(parent, target_rows, np.where(has_target, np.arange(len(rows), dtype=np.int64), -1))


def _next_rows(block: Block, tables: list[TablePlan], numbers: Integers, reach: Reach) -> tuple[NDArray[np.bool_], Integers]:
    """Return for each of some rows the next one in its block that may be referred to, or the block's first: whether there
    is one, and its numbers as `numbers` has them, of its plain row, of the row below that, and so on."""
    first = numbers[0] // _BLOCK * _BLOCK
    plain_numbers = (np.unique(first)[:, None] + np.arange(_BLOCK, dtype=np.int64)).ravel()
    plain_numbers = plain_numbers[plain_numbers < reach.stops.max()]
    root, *path = tables
    rows = plain_rows = kept_rows(root, table_kind(root).numbered_rows(root, block, plain_numbers))
    plain = np.arange(len(rows), dtype=np.int64)
    existing = rows.ordinal[None, :]
    for step in path:
        rows = kept_rows(step, rows_of_parents(step, rows))
        plain, existing = plain[rows.owner], np.concatenate([existing[:, rows.owner], rows.ordinal[None, :]])
    after = np.stack([_count_below(existing, numbers), np.searchsorted(existing[0], first)])
    has_next, next_numbers = np.zeros(numbers.shape[1], dtype=np.bool_), numbers.copy()
    for place in after:
        index = np.minimum(place, max(0, existing.shape[1] - 1))
        if not existing.shape[1]:
            break
        is_near = (place < existing.shape[1]) & (existing[0, index] // _BLOCK * _BLOCK == first)
        is_new = is_near & reach.holds(plain_rows.take(plain[index])) & ~has_next
        next_numbers[:, is_new] = existing[:, index[is_new]]
        has_next |= is_new
    return has_next, next_numbers


def _count_below(existing: Integers, numbers: Integers) -> Integers:
    """Return how many of the sorted columns of `existing` come before each column of `numbers`, read from the top."""
    is_existing = np.repeat([True, False], [existing.shape[1], numbers.shape[1]])
    order = np.lexsort((is_existing, *np.concatenate([existing, numbers], axis=1)[::-1]))
    counts = np.empty(len(order), dtype=np.int64)
    counts[order] = np.cumsum(is_existing[order])
    return counts[existing.shape[1] :]


def lineage(population: Population, table: TablePlan) -> list[TablePlan]:
    """Return the tables that the rows of a table belong to, the plain one first, and the table itself."""
    parent = table.spec.parent_name
    return [table] if parent is None else [*lineage(population, population.table(parent)), table]


def most_rows(table: TablePlan) -> int:
    """Return the most rows that belong to one row of the parent table, of a table with a bound."""
    most = 1 if table.spec.row_count is None else table.spec.row_count.bounds[1]
    if most is None:
        raise UsageError(f"rows of {table.name} have no bound")
    return most
