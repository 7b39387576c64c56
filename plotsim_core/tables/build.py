"""From a plan to rows: the one loop over blocks and the one loop over columns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa

from plotsim_core.arrow import ArrowArray
from plotsim_core.columns.row_relations import rows_in_slice
from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import fill
from plotsim_core.config.quality import DELIVERED
from plotsim_core.engine.slice import Slice
from plotsim_core.plan.plan import Plan, Population, TablePlan
from plotsim_core.tables.batch import batch_of
from plotsim_core.tables.delivery import deliveries_in, delivery_slices
from plotsim_core.tables.issues import break_rows, stored_rows
from plotsim_core.tables.kind import table_kind
from plotsim_core.tables.rank import with_ranks
from plotsim_core.tables.stages import stage_of, stage_table


def find_table(plan: Plan, name: str) -> TablePlan:
    """Return the plan of a table or of a stage. Raises UsageError for an unknown name."""
    return stage_table(plan, name) if stage_of(plan, name) else plan.table(name)


def build(plan: Plan, table: TablePlan, slice_: Slice) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a table in a slice, block by block, in the order of periods and units. The units of the slice are of
    the table's own population.

    A state (a dimension of units, of their children, of listed values) is given as of the end of the slice.
    """
    kind = table_kind(table)
    if kind.is_derived:
        yield from kind.batches(plan, table, _table_slice(table, slice_))
        return
    population = plan.population_of(table)
    if any(issue.delivers for _, issue in table.issues):
        yield from _delivered(population, table, slice_)
        return
    for part in kind.cut(population, _table_slice(table, slice_)):
        yield _block_batch(population, table, part)


def _block_batch(population: Population, table: TablePlan, part: Slice) -> pa.RecordBatch:
    """Return the rows of a table in a block. What they were made of is let go before anybody reads them."""
    clean = table.clean
    rows = rows_in_slice(population, clean, part)
    batch = _clean_batch(clean, rows)
    return stored_rows(table, break_rows(table, with_ranks(clean, rows), _by_name(batch))) if table.issues else batch


def _clean_batch(clean: TablePlan, rows: Rows) -> pa.RecordBatch:
    """Return the batch of rows before issues: what a source fills wrongly is an error, even where an issue makes nulls."""
    return batch_of(clean, [fill(column, clean, rows) for column in clean.columns])


def _by_name(batch: pa.RecordBatch) -> dict[str, ArrowArray]:
    return dict(zip(batch.schema.names, batch.columns, strict=True))


def _delivered(population: Population, table: TablePlan, slice_: Slice) -> Iterator[pa.RecordBatch]:
    """Yield the rows that are delivered in a slice, in the order of delivery, then of the rows themselves."""
    kind, clean = table_kind(table), table.clean
    for part in delivery_slices(kind, population, table, slice_):
        batches = (
            stored_rows(table, break_rows(table, rows, _by_name(_clean_batch(clean, rows)), deliveries))
            for rows, deliveries in deliveries_in(kind, population, table, part)
        )
        if part.stop - part.first == 1:
            yield from batches
            continue
        rows = pa.Table.from_batches(batches, table.schema).combine_chunks()
        order = np.argsort(rows[DELIVERED].to_numpy(), kind="stable")
        yield from rows.take(order).combine_chunks().to_batches()


def _table_slice(table: TablePlan, slice_: Slice) -> Slice:
    """Return the part of a slice that a table has rows of; it may have no periods."""
    first, stop = table.periods or (slice_.first, slice_.stop)
    begin, end = max(slice_.first, first), min(slice_.stop, stop)
    return replace(slice_, first=begin, stop=max(begin, end))
