"""Problems of tables: no dimension of the units, sources that have no place in their rows, idle options."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from plotsim_core.config.check_columns import null_formula
from plotsim_core.config.column_source import SOURCES
from plotsim_core.config.model import is_name, mentioned
from plotsim_core.config.partial import known_problems
from plotsim_core.config.parts import Parts
from plotsim_core.config.scope import Scope
from plotsim_core.config.star_schema import DATE_DIMENSION
from plotsim_core.config.table_kind import Knowledge, tables_with
from plotsim_core.config.tables import Column, DeclaredTable, Table
from plotsim_core.config.written_tables import list_or_empty
from plotsim_core.errors import Problem


def unit_dimension(parts: Parts) -> Iterator[Problem]:
    """Yield a problem where there is no dimension of the units, or none can be named after them."""
    scope = parts.scope
    if parts.unit is None:
        return
    if f"dim_{scope.unit}" == DATE_DIMENSION:
        yield Problem("unit", f"a unit cannot be called '{scope.unit}': {DATE_DIMENSION} is the date dimension")
    kinds = [declaration.kind for declaration in parts.tables]
    if not any(kind is None or kind.is_unit_dimension for kind in kinds):
        yield Problem(
            "dimensions",
            f"there is no dimension of the {scope.unit}",
            f"add one with `per: unit`, named dim_{scope.unit}",
        )


_MISSING_KNOWLEDGE: dict[Knowledge, str] = {
    "unit": "belong to no {unit}",
    "period": "belong to no period",
    "cell": "are not of one {unit} in one period",
    "metrics": "are not of one {unit} in one period",
    "crowd": "are not of all {unit}s in a period",
    "event": "are not events",
    "calendar": "are not dates",
    "history": "are not versions of a {unit}",
    "key": "are told apart by what they refer to",
    "number": "are not numbered",
    "list": "are not listed",
}


def columns(parts: Parts) -> Iterator[Problem]:
    """Yield the problems of columns and kinds with the rest: sources without a place, unknown names. A column that names
    something in a part that could not be read is left out."""
    scope = parts.scope
    for declaration in parts.tables:
        table = declaration.table or declaration.rest
        if table is None:
            continue
        unread_columns = _unread_columns(declaration, table, parts)
        for column in (*table.columns, *declaration.partial_columns):
            path = f"{declaration.path}.columns[{declaration.columns.index(column.name)}]"
            whole_table = _with_column(table, column, declaration)
            problems = [
                *known_problems(null_formula(column, declaration, table)),
                *known_problems(_misplaced(column, table, scope)),
            ]
            if not any(problem.path == "type" for problem in problems) and not parts.names_unknown(column):
                problems += known_problems(_source_problems(column, whole_table, unread_columns, parts))
            yield from (problem.under(path) for problem in problems)
        is_whole = len(table.columns) == len(declaration.columns)
        if is_whole and not parts.wrong_words & mentioned(table) and not parts.names_unknown(table):
            yield from (declaration.placed(problem) for problem in known_problems(table.check(scope)))


def _with_column(table: Table, column: Column, declaration: DeclaredTable) -> Table:
    """Return a table with a column of which something is wrong, at its place."""
    if any(column is other for other in table.columns):
        return table
    others = [other for other in table.columns if other.name != column.name]
    columns = sorted([*others, column], key=lambda other: declaration.columns.index(other.name))
    return table.model_copy(update={"columns": tuple(columns)})


def _misplaced(column: Column, table: Table, scope: Scope) -> Iterator[Problem]:
    """Yield a problem where a column's source has no place in the rows of its table."""
    missing = sorted(column.source.needed - table.knows)
    if not missing:
        return
    reason = _MISSING_KNOWLEDGE[missing[0]].format(unit=scope.unit or "unit")
    fitting, others = (list(tables_with(column.source.needed, are_fitting)) for are_fitting in (True, False))
    names, start = (others, "all kinds but") if len(others) < len(fitting) else (fitting, "these kinds:")
    places = f"it has one in tables of {start} {', '.join(names)}"
    message = f"'{column.word}' has no place in {table.name}: its rows {reason}"
    yield Problem("type", message, column.source.instead or places)


def _source_problems(column: Column, table: Table, unread_columns: list[Any], parts: Parts) -> Iterator[Problem]:
    """Yield the problems of a column's source with the rest, unless it names something that could not be read."""
    if not parts.wrong_words & mentioned(column) and not _may_need(column, unread_columns, table, parts.scope):
        yield from column.source.check(column, table, parts.scope)


def _unread_columns(declaration: DeclaredTable, table: Table, parts: Parts) -> list[Any]:
    """Return the columns of a table that could not be read, as written; those that come by themselves follow them."""
    if table is declaration.table:
        return []
    section, index = declaration.path.removesuffix("]").split("[")
    raw_columns = list_or_empty(parts.raw[section][int(index)].get("columns"))
    names = {column.name for column in table.columns}
    return [raw for name, raw in zip(declaration.columns, raw_columns, strict=False) if name not in names]


def _may_need(column: Column, unread_columns: list[Any], table: Table, scope: Scope) -> bool:
    """Return whether a column may be right by one that could not be read: a formula by one without a name, a lookup by a
    reference to its table, which one of an unknown type may be."""
    are_named = all(isinstance(raw, Mapping) and is_name(raw.get("name")) for raw in unread_columns)
    if not are_named and any(name == table.name for name, _ in column.reads(table)):
        return True
    path = column.source.lookup_path
    if path is None or path.table not in {*scope.tables, *scope.foreign}:
        return False
    is_decided = path.by is None and bool(table.references_to(path.table))
    targets = {column.source.target_name for column in table.columns} - {None}
    if not is_decided and not targets <= {*scope.tables, *scope.foreign}:
        return True
    return any(path.table in mentioned(raw) or not (is_decided or _has_known_type(raw)) for raw in unread_columns)


def _has_known_type(raw: Any) -> bool:
    """Return whether a column as written is of a type that there is."""
    type_ = raw.get("type") if isinstance(raw, Mapping) else None
    return isinstance(type_, str) and type_.partition(".")[0] in SOURCES


def sound_columns(parts: Parts) -> Iterator[Problem]:
    """Yield the problems of columns of sound tables: of their sources, and names of columns that come by
    themselves."""
    dataset = parts.dataset
    for declaration in parts.tables:
        table = declaration.table
        if table is None:
            continue
        indices = {name.lower(): index for index, name in enumerate(declaration.columns)}
        for column in table.columns:
            for problem in column.source.problems(table, dataset):
                yield problem.under(f"{declaration.path}.columns[{indices[column.name.lower()]}]")
        for column in (*table.leading_columns(dataset), *table.added_columns(dataset)):
            if column.name in indices:
                path = f"{declaration.path}.columns[{indices[column.name]}].name"
                yield Problem(path, f"{table.name} gets a column '{column.name}' by itself; choose another name")
