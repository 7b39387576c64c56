"""Dependencies between columns: the inputs of a column, in its own table or another, and cycles among them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa

from plotsim_core.columns.metric import metric_columns
from plotsim_core.config.column_source import DeclaredSource, Origin
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.partial import UnreadError
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


def circle_of(column: Column, table: Table, scope: Scope) -> str | None:
    """Return how a column depends on itself, in words; None where it does not."""
    way = _way(column.depends_on(table), (table.name, column.name), scope)
    if way is None:
        return None
    through = ", ".join(f"{other_table}.{name}" for other_table, name in way)
    return f"{table.name}.{column.name} depends on itself{f', by way of {through}' if through else ''}"


def decides_rows(column: Column, table: Table, target: Table, scope: Scope) -> bool:
    """Return whether a column of a table decides which rows there are of `target`, or of what these belong to."""
    lineage: list[Table | None] = [target]
    while lineage[-1] is not None:
        lineage.append(scope.declared_table(lineage[-1].parent_name))
    origins = [origin for other in lineage if other is not None for origin in other.row_origins()]
    return depend_on(origins, (table.name, column.name), scope)


def depend_on(origins: Iterable[Origin], column: Origin, scope: Scope) -> bool:
    """Return whether some columns depend on another one, directly or through others."""
    return _way(origins, column, scope) is not None


def _way(origins: Iterable[Origin], column: Origin, scope: Scope) -> list[Origin] | None:
    """Return the columns through which some columns depend on another one, the first one first; None if they do not."""
    ways: dict[Origin, list[Origin]] = {}
    pending: list[tuple[Origin, list[Origin]]] = [(origin, []) for origin in origins]
    while pending:
        node, way = pending.pop()
        if node == column:
            return way
        if node not in ways:
            ways[node] = [*way, node]
            pending.extend((other, ways[node]) for other in _inputs_of(node, scope))
    return None


def _inputs_of(node: Origin, scope: Scope) -> Iterator[Origin]:
    declared = scope.tables.get(node[0])
    table = None if declared is None else declared.table or declared.rest
    for column in () if table is None else table.columns:
        if column.name == node[1] and table is not None:
            yield from column.depends_on(table)


def names_in(declared: DeclaredTable) -> list[str]:
    """Return the names of the columns of a declared table."""
    table = declared.table or declared.rest
    return [*declared.columns, *(column.name for column in (metric_columns(table) if table else ()))]


def column_in(table: str, name: str, dataset: Dataset) -> tuple[Column, Dataset]:
    """Return a column of a table, and the dataset of the kind of unit that the table is made from. Raises UnreadError where
    there is none, which is told elsewhere."""
    candidates = ((kind, other) for kind in (dataset, *dataset.units) for other in kind.all_tables if other.name == table)
    columns = ((c, kind) for kind, owner in candidates for c in (*owner.columns, *metric_columns(owner)) if c.name == name)
    pair = next(columns, None)
    if pair is None:
        raise UnreadError
    return pair


def type_in(table: str, name: str, dataset: Dataset) -> pa.DataType:
    """Return the type of a table's column."""
    column, kind = column_in(table, name, dataset)
    return column_type(column, kind)


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


def table_with(options: DeclaredSource, dataset: Dataset) -> Table:
    """Return the table that has the column with these very options, or one with such a branch."""
    return next(table for table in dataset.all_tables if any(column.source.holds(options) for column in table.columns))


def scope_of(dataset: Dataset) -> Scope:
    """Return the scope of a sound dataset: what its columns can be asked in."""
    tables = {table.name: DeclaredTable(table.name, "", type(table), table) for table in dataset.all_tables}
    return Scope(dataset.unit, dataset.window, {}, dataset.segments, tables, locale=dataset.locale)
