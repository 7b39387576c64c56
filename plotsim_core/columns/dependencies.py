"""Dependencies between columns: the inputs of a column, in its own table or another, and cycles among them."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from plotsim_core.columns.metric import metric_columns
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.model import Part
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import (
    Column,
    DeclaredTable,
    Table,
    column_decimal_places,
    column_decimals,
    column_type,
    may_be_null,
)


def is_circular(column: Column, table: Table, scope: Scope) -> bool:
    """Return whether a column depends on itself, directly or through others."""
    visited: dict[tuple[str, str], None] = {}
    pending = list(column.source.reads(table))
    while pending:
        node = pending.pop()
        if node == (table.name, column.name):
            return True
        if node not in visited:
            visited[node] = None
            pending.extend(_inputs_of(node, scope))
    return False


def _inputs_of(node: tuple[str, str], scope: Scope) -> Iterator[tuple[str, str]]:
    declared = scope.tables.get(node[0])
    if declared is not None and declared.table is not None:
        for column in declared.table.columns:
            if column.name == node[1]:
                yield from column.source.reads(declared.table)


def names_in(declared: DeclaredTable) -> list[str]:
    """Return the names of the columns of a declared table."""
    table = declared.table or declared.rest
    return [*declared.columns, *(column.name for column in (metric_columns(table) if table else ()))]


def column_in(table: str, name: str, dataset: Dataset) -> tuple[Column, Dataset]:
    """Return a column of a table, and the dataset of the kind of unit that the table is made from."""
    candidates = ((kind, other) for kind in (dataset, *dataset.units) for other in kind.tables if other.name == table)
    kind, owner = next(candidates)
    return next(column for column in (*owner.columns, *metric_columns(owner)) if column.name == name), kind


def type_in(table: str, name: str, dataset: Dataset) -> pa.DataType:
    """Return the type of a table's column."""
    column, kind = column_in(table, name, dataset)
    return column_type(column, kind)


def noun_of(type_: pa.DataType) -> str:
    """Return the noun for values of a type."""
    if pa.types.is_timestamp(type_):
        return "a moment"
    return {pa.string(): "a text", pa.bool_(): "true or false", pa.date32(): "a date"}.get(type_, "not one value")


def nullable_in(table: str, name: str, dataset: Dataset) -> bool:
    """Return whether a table's column may have nulls."""
    column, kind = column_in(table, name, dataset)
    return may_be_null(column, kind)


def decimals_in(table: str, name: str, dataset: Dataset) -> int | None:
    """Return the fixed number of decimals of a table's column (None: as many as each number has)."""
    column, kind = column_in(table, name, dataset)
    return column_decimals(column, kind)


def decimal_places_in(table: str, name: str, dataset: Dataset) -> int | None:
    """Return the largest number of decimals of a table's column; None for doubles, and for columns without numbers."""
    column, kind = column_in(table, name, dataset)
    return column_decimal_places(column, kind)


def table_with(options: Part, dataset: Dataset) -> Table:
    """Return the table that has the column with these very options."""
    return next(table for table in dataset.tables if any(column.source is options for column in table.columns))
