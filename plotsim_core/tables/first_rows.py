"""The first rows of a table, made without the rest of it: to look at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa

from plotsim_core.engine.cohorts import units_by
from plotsim_core.plan.plan import Plan, TablePlan
from plotsim_core.tables.build import find_table
from plotsim_core.tables.kind import table_kind
from plotsim_core.tables.slices import TableSlice, cuts_of, row_count, slice_batches

_FEW_UNITS = 256
"""So many units are looked at first, where rows are of units."""
_MORE = 16
"""The factor by which more units, or rows of a parent, are looked at where these have too few rows."""


def first_rows(plan: Plan, name: str, count: int, first: int, stop: int) -> pa.Table:
    """Return `count` rows of a table or stage in the periods `first` to `stop`, or all if there are fewer.

    They are the first of its rows, where these are of units of some of its first units; of a state as of the end of the
    periods. Raises UsageError for an unknown table.
    """
    table = find_table(plan, name)
    rows: pa.Table = plan.schema(table).empty_table()
    for pieces in _attempts(plan, table, count, first, stop):
        rows = _taken(plan, table, pieces, count)
        if len(rows) == count:
            break
    return rows


def _attempts(plan: Plan, table: TablePlan, count: int, first: int, stop: int) -> Iterator[Iterator[TableSlice]]:
    """Yield slices to take rows of, those that cost the least first; the last are the whole table."""
    whole, cuts = TableSlice(table.name, first, stop), cuts_of(plan, table)
    if "rows" in cuts:
        stops = _rising(count, row_count(plan, table))
        yield from (iter([replace(whole, rows=(0, rows))]) for rows in stops)
        yield iter([whole])
        return
    if "units" not in cuts:
        yield _by_period(table, first, stop) if "periods" in cuts else iter([whole])
        return
    step, total = table_kind(table).unit_step(), units_by(plan.population_of(table), stop)
    fewest = -(-max(count, _FEW_UNITS) // step) * step
    for part in (*((0, units) for units in _rising(fewest, total)), None):
        yield _by_period(table, first, stop, part) if "periods" in cuts else iter([replace(whole, units=part)])


def _rising(fewest: int, total: int) -> list[int]:
    """Return how many units or rows to look at, from the fewest to less than all, each `_MORE` times the one before."""
    counts = []
    while fewest < total:
        counts.append(fewest)
        fewest *= _MORE
    return counts


def _by_period(table: TablePlan, first: int, stop: int, units: tuple[int, int] | None = None) -> Iterator[TableSlice]:
    """Yield slices of a table that follow each other in time, each twice as long as the one before."""
    length = 1
    while first < stop:
        yield TableSlice(table.name, first, min(first + length, stop), units)
        first, length = first + length, 2 * length


def _taken(plan: Plan, table: TablePlan, pieces: Iterator[TableSlice], count: int) -> pa.Table:
    """Return the first rows of slices; no more is made than they need."""
    batches: list[pa.RecordBatch] = []
    missing = count
    for batch in (batch for piece in pieces for batch in slice_batches(plan, piece)):
        batches.append(batch.slice(0, missing))
        missing -= len(batches[-1])
        if missing == 0:
            break
    return pa.Table.from_batches(batches, plan.schema(table))
