"""`<fact>_wide`: the rows of a fact with the columns of the dimensions they refer to, as `<dimension>__<column>`.

They are what the row's own version of a unit said at the time, so that a row is the same whenever it is made.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from plotsim_core.columns.dependencies import nullable_in
from plotsim_core.config.check_output import WIDE, WideColumn, wide_columns
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.read_columns import column
from plotsim_core.config.tables import Column
from plotsim_core.plan.plan import ColumnPlan, TablePlan
from plotsim_core.plan.schemas import DERIVED, column_plan


def _derive(dataset: Dataset, declared: tuple[TablePlan, ...]) -> Iterator[TablePlan]:
    if not dataset.output.denormalized:
        return
    for table in declared:
        if table.spec.is_fact:
            lookups = tuple(_column(wide, table, dataset) for wide in wide_columns(table.spec, dataset))
            names = ", ".join(dict.fromkeys(wide.table for wide in wide_columns(table.spec, dataset)))
            columns = (*(_pinned(column, table) for column in table.spec.columns), *(column.spec for column in lookups))
            yield replace(
                table,
                spec=table.spec.model_copy(update={"name": f"{table.name}{WIDE}", "columns": columns}),
                columns=(*table.columns, *lookups),
                description=f"{table.name} with the columns of {names}.",
                shown_table=table.stream,
            )


def _pinned(column: Column, table: TablePlan) -> Column:
    """Return a column of a fact with the same values in its wide table, whatever that is called."""
    source = column.source.pinned(table.spec)
    return column if source is column.source else column.model_copy(update={"source": source})


def _column(wide: WideColumn, table: TablePlan, dataset: Dataset) -> ColumnPlan:
    spec = column(wide.name, f"lookup.{wide.table}.{wide.column}", by=wide.by)
    reference = next(other for other in table.columns if other.name == wide.by)
    is_nullable = reference.nullable or nullable_in(wide.table, wide.column, dataset)
    return replace(column_plan(spec, table.spec, dataset), nullable=is_nullable)


DERIVED.add("wide", _derive)
