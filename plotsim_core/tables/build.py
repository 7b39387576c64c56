"""From a plan to rows: the one loop over blocks and the one loop over columns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa

from plotsim_core.columns.source import fill
from plotsim_core.engine.block import block
from plotsim_core.engine.slice import Slice
from plotsim_core.plan.plan import Plan, TablePlan
from plotsim_core.tables.kind import KINDS
from plotsim_core.tables.quality import break_rows, stored_rows
from plotsim_core.tables.stages import stage_owner, stage_table


def find_table(plan: Plan, name: str) -> TablePlan:
    """Return the plan of a table or of a stage. Raises UsageError for an unknown name."""
    return stage_table(plan, name) if stage_owner(plan, name) else plan.table(name)


def owner(plan: Plan, name: str) -> Plan:
    """Return the plan of the kind of unit that a table or stage is made from."""
    stage = stage_owner(plan, name)
    return stage[0] if stage else plan.owner(name)


def build(plan: Plan, table: TablePlan, slice_: Slice) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a table in a slice, block by block, in the order of periods and units.

    A state (a dimension of units, of their children, of listed values) is given as of the end of the slice.
    """
    kind = KINDS[table.kind]
    if kind.batches is not None:
        yield from kind.batches(plan, table, _within(table, slice_))
        return
    plan = plan.clean or plan
    own = owner(plan, table.name)
    if own is not plan:
        plan, slice_ = own, replace(slice_, unit_first=0, unit_stop=own.units)
    clean = plan.table(table.name) if table.issues else table
    for part in kind.cut(plan, _within(table, slice_)):
        rows = kind.rows(clean, block(plan, part))
        columns = {column.name: fill(column, clean, rows) for column in clean.columns}
        if table.issues:
            yield stored_rows(table, break_rows(table, rows, columns))
        else:
            yield pa.RecordBatch.from_arrays(list(columns.values()), schema=table.schema)


def _within(table: TablePlan, slice_: Slice) -> Slice:
    """Return the part of a slice that a table has rows of; it may have no periods."""
    first, stop = table.periods or (slice_.first, slice_.stop)
    begin, end = max(slice_.first, first), min(slice_.stop, stop)
    return replace(slice_, first=begin, stop=max(begin, end))
