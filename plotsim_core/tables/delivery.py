"""When rows are delivered: in time, late, once more, or first with a value that is put right later.

A row is delivered at most once in a period. What is delivered is as it is known at that time, so the latest delivery
of each key (an upsert, or deduplication) has the right rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from plotsim_core.columns.row_relations import rows_in_slice
from plotsim_core.columns.rows import Rows
from plotsim_core.config.quality import longest_delay
from plotsim_core.engine.slice import Slice
from plotsim_core.numerics.arrays import Integers
from plotsim_core.plan.plan import Population, TablePlan
from plotsim_core.tables.issue_rows import find_hits
from plotsim_core.tables.kind import TableKind
from plotsim_core.tables.rank import with_ranks

ACTIONS = ("", "delivered", "restated", "redelivered", "held_back")
"""Action of the ledger for each code of a delivery; none for one in time."""
IN_TIME, LATE, RESTATED, REDELIVERED, HELD_BACK = range(5)
NEVER = np.iinfo(np.int64).min
_REPEATS = {"restatement": RESTATED, "redelivery": REDELIVERED}


@dataclass(frozen=True, eq=False)
class Deliveries:
    """Deliveries of rows, parallel arrays in the order of time: the index of the `row`, the `period` of delivery, the
    `number` of the issue behind it (0: none), and the code of its `action`, see `ACTIONS`. A row that is held back is not
    delivered. `due` has for each restatement the period in which it corrects each row (NEVER: it does not)."""

    row: Integers
    period: Integers
    number: Integers
    action: Integers
    due: Mapping[int, Integers]

    def __len__(self) -> int:
        return len(self.row)

    @property
    def stored(self) -> NDArray[np.bool_]:
        """The mask of deliveries that are rows of the table."""
        is_stored: NDArray[np.bool_] = self.action != HELD_BACK
        return is_stored

    @property
    def first(self) -> NDArray[np.bool_]:
        """The mask of deliveries that are the first of their row."""
        is_first: NDArray[np.bool_] = (self.action == IN_TIME) | (self.action == LATE)
        return is_first

    def provisional(self, number: int) -> NDArray[np.bool_]:
        """Return the mask of deliveries before a restatement corrects the row."""
        is_provisional: NDArray[np.bool_] = (self.due[number] != NEVER) & (self.period < self.due[number])
        return is_provisional

    def restated(self) -> tuple[Integers, Integers]:
        """Return the number of the last restatement that corrected each row by then (0: none), and its period (NEVER)."""
        number, period = np.zeros(len(self), dtype=np.int64), np.full(len(self), NEVER)
        for issue, due in self.due.items():
            later = (due <= self.period) & (due > period)
            number, period = np.where(later, issue, number), np.where(later, due, period)
        return number, period

    def take(self, positions: Integers | NDArray[np.bool_]) -> Deliveries:
        """Return some of the deliveries."""
        due = {number: periods[positions] for number, periods in self.due.items()}
        return Deliveries(self.row[positions], self.period[positions], self.number[positions], self.action[positions], due)


def deliveries(table: TablePlan, rows: Rows) -> Deliveries:
    """Return all deliveries of rows with ranks, those after the end of the window too. Rows that are dropped have one,
    in time, which is then not stored."""
    is_kept = np.ones(len(rows), dtype=np.bool_)
    for number, issue in table.issues:
        if issue.drops:
            is_kept &= ~find_hits(table, rows, number, issue).mask
    first_period, issue_numbers = _first_delivery(table, rows, is_kept)
    late_rows = np.flatnonzero(issue_numbers)
    parts = [
        (np.arange(len(rows)), first_period, issue_numbers, np.where(issue_numbers > 0, LATE, IN_TIME)),
        (late_rows, rows.period[late_rows], issue_numbers[late_rows], np.full(len(late_rows), HELD_BACK)),
    ]
    due: dict[int, Integers] = {}
    for number, issue in table.issues:
        if issue.issue in _REPEATS:
            hits = find_hits(table, rows, number, issue)
            repeat_period = np.where(hits.mask & is_kept, first_period + hits.delay(), NEVER)
            repeats = np.flatnonzero(repeat_period != NEVER)
            parts.append(
                (
                    repeats,
                    repeat_period[repeats],
                    np.full(len(repeats), number),
                    np.full(len(repeats), _REPEATS[issue.issue]),
                )
            )
            if issue.issue == "restatement":
                due[number] = repeat_period
    row_index, period, issue_numbers, action = (
        np.concatenate(columns).astype(np.int64) for columns in zip(*parts, strict=True)
    )
    order = np.lexsort((issue_numbers, action, row_index, period))
    is_duplicate = (row_index[order][1:] == row_index[order][:-1]) & (period[order][1:] == period[order][:-1])
    order = np.delete(order, np.flatnonzero(is_duplicate) + 1)  # once in a period
    row_index = row_index[order]
    return Deliveries(
        row_index,
        period[order],
        issue_numbers[order],
        action[order],
        {number: due_periods[row_index] for number, due_periods in due.items()},
    )


def _first_delivery(table: TablePlan, rows: Rows, is_kept: NDArray[np.bool_]) -> tuple[Integers, Integers]:
    """Return the period in which each row is delivered first, and the number of the issue that makes it late (0: none)."""
    period, issue_numbers = rows.period, np.zeros(len(rows), dtype=np.int64)
    for number, issue in table.issues:
        if issue.issue == "late_delivery":
            hits = find_hits(table, rows, number, issue)
            is_late = hits.mask & (issue_numbers == 0) & is_kept
            period, issue_numbers = (
                np.where(is_late, rows.period + hits.delay(), period),
                np.where(is_late, number, issue_numbers),
            )
    return period, issue_numbers


def deliveries_in(
    kind: TableKind, population: Population, table: TablePlan, slice_: Slice
) -> Iterator[tuple[Rows, Deliveries]]:
    """Yield the deliveries of a table in the periods of a slice, each with its row, block by block of the rows' own periods.

    Within a block they are in the order of delivery, then of rows. Where the slice is one period, so they are altogether.
    """
    lag, clean = longest_delay(issue for _, issue in table.issues), table.clean
    first, stop = clean.periods or (population.first, slice_.stop)
    begin, end = max(slice_.first - lag, first, population.first), min(slice_.stop, stop)
    if begin >= end:
        return
    for part in kind.cut(population, replace(slice_, first=begin, stop=end)):
        rows = rows_in_slice(population, clean, part)
        yield rows.cached(("delivered", slice_.first, slice_.stop), partial(_delivered, table, rows, slice_))


def _delivered(table: TablePlan, rows: Rows, slice_: Slice) -> tuple[Rows, Deliveries]:
    """Return the deliveries of rows in the periods of a slice, and their rows."""
    rows = with_ranks(table.clean, rows)
    batch = deliveries(table, rows)
    batch = batch.take((batch.period >= slice_.first) & (batch.period < slice_.stop))
    return rows.take(batch.row), batch


def delivery_slices(kind: TableKind, population: Population, table: TablePlan, slice_: Slice) -> Iterator[Slice]:
    """Cut a slice into periods whose deliveries are put in order together: as many as a block has, without those that are
    looked back to, or one."""
    lag = longest_delay(issue for _, issue in table.issues)
    first = slice_.first
    while first < slice_.stop:
        block_slice = next(kind.cut(population, replace(slice_, first=max(first - lag, population.first))), slice_)
        stop = min(max(block_slice.stop, first + 1), slice_.stop)
        yield replace(slice_, first=first, stop=stop)
        first = stop
