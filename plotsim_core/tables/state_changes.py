"""What changes of a state: the rows that a store lacks which holds the state of a moment before.

A dimension of units, of their children or of their versions grows by the units that arrive, and of a history a version ends
where the next begins. So the rows of one period follow from its own cells and what is known of each unit before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa

from plotsim_core.columns.source import fill
from plotsim_core.config.tables import changes_by_version
from plotsim_core.engine.block import block
from plotsim_core.engine.cohorts import units_by
from plotsim_core.engine.slice import Slice, by_unit, full_slice
from plotsim_core.engine.staying import may_leave
from plotsim_core.plan.plan import Plan, Population, TablePlan
from plotsim_core.tables.batch import batch_of
from plotsim_core.tables.kind import TableKind, table_kind


def is_kept_by_change(table: TablePlan) -> bool:
    """Return whether the state of a table can be made of an earlier one and of what changed since: rows come, versions end,
    and nothing else about a row ever changes."""
    kind = table_kind(table)
    if not kind.is_state or table.issues or not all(changes_by_version(c.spec, table.spec) for c in table.all_columns):
        return False
    return kind.is_constant or type(kind).changed_rows is not TableKind.changed_rows


def state_changes(plan: Plan, table: TablePlan, first: int, stop: int) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a table that is kept by change, as of the end of the periods `first` to `stop`, that are not there,
    or not the same, at their beginning. They come in no order, each key once. Raises UsageError for periods outside the
    window."""
    full_slice(plan.population, first, stop)
    kind, population = table_kind(table), plan.population_of(table)
    for part in () if kind.is_constant else _parts(population, first, stop):
        rows = kind.changed_rows(table, block(population, part))
        assert rows is not None  # of a table that is kept by change
        yield batch_of(table, [fill(column, table, rows) for column in table.columns])


def _parts(population: Population, first: int, stop: int) -> Iterator[Slice]:
    """Cut the units that may have been there in the period before `first` or later into blocks with all the periods."""
    for part in by_unit(Slice(first, stop, 0, units_by(population, stop))):
        yield replace(part, staying=may_leave(population))
