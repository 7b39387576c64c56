"""Slices of tables: small values, each of which says which part of a table is made, by whichever process.

How a table can be cut is an answer of its kind (`TableKind.cuts`): by periods, by units, by rows, or not at all. The parts
that `slices` gives, made in any order and put one after the other, are the whole table.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pyarrow as pa

from plotsim_core.config.words import enumeration
from plotsim_core.engine.cohorts import units_by
from plotsim_core.engine.slice import Slice, full_slice
from plotsim_core.errors import UsageError
from plotsim_core.plan.plan import Plan, TablePlan
from plotsim_core.tables.build import build, find_table
from plotsim_core.tables.kind import Cut, table_kind

Range = tuple[int, int]
"""The first of some numbers, and the one after the last."""


@dataclass(frozen=True)
class TableSlice:
    """A part of a `table` or stage: its rows in the periods `first` to `stop` (exclusive; numbers as `plan.first` counts
    them). Of a state (a table without time) they say the moment: it is given as of the end of the periods.

    `units` are some units of the table's own kind, by their places in the roster, `rows` some of the rows of a plain table
    by their numbers, or what belongs to these rows in the end; each as (first, stop), None: all.
    """

    table: str
    first: int
    stop: int
    units: Range | None = None
    rows: Range | None = None


def cuts_of(plan: Plan, table: TablePlan) -> tuple[Cut, ...]:
    """Return what a table can be cut by, the best first. Rows that are delivered late or again come in the order of
    delivery, so they are cut by periods alone."""
    cuts = table_kind(table).cuts(plan.population_of(table), table)
    is_delivered = any(issue.delivers for _, issue in table.issues)
    return tuple(cut for cut in cuts if not is_delivered or cut == "periods")


def slices(
    plan: Plan,
    tables: Sequence[str] | None = None,
    parts: int = 1,
    *,
    first: int | None = None,
    stop: int | None = None,
    by: Cut | None = None,
) -> list[TableSlice]:
    """Return slices that cover each of some tables (by default all of the config) in the periods `first` to `stop` (by
    default those of the window), about `parts` of each: fewer where a table has not so many periods, units or rows. Those of
    one table follow each other in the order of its rows.

    `by` cuts all tables in that way alone; by units, those that have time are cut within each period. By default each is cut
    by what its kind has, by units within a period only where there are more parts than periods.

    Raises UsageError for an unknown table, periods outside the window, an open window without `stop`, fewer than one part,
    and a cut that a table does not have.
    """
    if parts < 1:
        raise UsageError(f"expected at least one part, found {parts}")
    whole = full_slice(plan.population, first, stop)
    names = [table.name for table in plan.tables] if tables is None else tables
    return [part for name in names for part in _table_slices(plan, name, whole, parts, by)]


def _table_slices(plan: Plan, name: str, whole: Slice, parts: int, by: Cut | None) -> Iterator[TableSlice]:
    table = find_table(plan, name)
    cuts = cuts_of(plan, table)
    if by is not None:
        _require_cut(plan, table, by)
        cuts = ("periods", "units") if by == "units" and table.time is not None else (by,)
    part = TableSlice(name, whole.first, whole.stop)
    if "rows" in cuts:
        yield from (replace(part, rows=places) for places in _ranges(0, row_count(plan, table), parts))
    elif "periods" in cuts:
        yield from _by_period(plan, table, part, parts, cuts, is_per_period=by == "units")
    elif "units" in cuts:
        yield from (replace(part, units=units) for units in _unit_ranges(plan, table, part, parts))
    else:
        yield part


def _by_period(
    plan: Plan, table: TablePlan, whole: TableSlice, parts: int, cuts: tuple[Cut, ...], is_per_period: bool
) -> Iterator[TableSlice]:
    """Yield ranges of periods, or units of each period where there are more parts than periods."""
    first, stop = table.periods or (whole.first, whole.stop)
    begin, end = max(first, whole.first), min(stop, whole.stop)
    if begin >= end:
        yield whole
    elif "units" not in cuts or (parts <= end - begin and not is_per_period):
        yield from (replace(whole, first=low, stop=high) for low, high in _ranges(begin, end, parts))
    else:
        for period in range(begin, end):
            part = replace(whole, first=period, stop=period + 1)
            count = -(-parts // (end - begin))
            yield from (replace(part, units=units) for units in _unit_ranges(plan, table, part, count))


def _unit_ranges(plan: Plan, table: TablePlan, part: TableSlice, parts: int) -> list[Range]:
    """Return ranges of the units that are there by the end of a slice, where the table's kind allows a cut."""
    step, count = table_kind(table).unit_step(), units_by(plan.population_of(table), part.stop)
    return [(low * step, min(high * step, count)) for low, high in _ranges(0, -(-count // step), parts)]


def _ranges(first: int, stop: int, parts: int) -> list[Range]:
    """Cut the numbers from `first` to `stop` into at most so many parts, as even as can be."""
    edges = np.linspace(first, stop, min(parts, max(1, stop - first)) + 1).round().astype(np.int64)
    return list(pairwise(edges.tolist()))


def make(plan: Plan, part: TableSlice) -> pa.RecordBatchReader:
    """Return the rows of a slice as a stream of Arrow batches with the table's schema: `read_all()` gives a table.

    Raises UsageError for an unknown table, periods outside the window, and a cut that the table does not have.
    """
    return pa.RecordBatchReader.from_batches(plan.schema(find_table(plan, part.table)), slice_batches(plan, part))


def slice_batches(plan: Plan, part: TableSlice) -> Iterator[pa.RecordBatch]:
    """Return the rows of a slice, batch by batch. Raises what `make` does."""
    table = find_table(plan, part.table)
    full_slice(plan.population, part.first, part.stop)
    count = units_by(plan.population_of(table), part.stop)
    first, stop = part.units or (0, count)
    if part.units is not None:
        _require_cut(plan, table, "units")
        _require_range("units", part.units, count)
        step = table_kind(table).unit_step()
        if first % step or (stop % step and stop != count):
            raise UsageError(f"{table.name} is cut at every {step:,}th unit, found {first:,} to {stop:,}")
    if part.rows is not None:
        _require_cut(plan, table, "rows")
        _require_range("rows", part.rows, row_count(plan, table))
    return build(plan, table, Slice(part.first, part.stop, first, stop, part.rows))


def _require_cut(plan: Plan, table: TablePlan, cut: Cut) -> None:
    cuts = cuts_of(plan, table)
    if cut not in cuts:
        known = f"it is cut by {enumeration(list(cuts))}" if cuts else "it is made whole"
        raise UsageError(f"{table.name} cannot be cut by {cut}; {known}")


def _require_range(noun: str, numbers: Range, count: int) -> None:
    if not 0 <= numbers[0] < numbers[1] <= count:
        raise UsageError(f"expected {noun} from 0 to {count:,}, found {numbers[0]:,} to {numbers[1]:,}")


def row_count(plan: Plan, table: TablePlan) -> int:
    """Return how many rows there are to cut by, of a table that is cut by rows."""
    return table_kind(table).row_total(plan.population_of(table))
