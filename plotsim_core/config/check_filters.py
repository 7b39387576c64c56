"""Problems of what tables keep (`where`): names of no column, rows that are known too late, rows that others refer to; and
of columns that say how many rows belong to a row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa

from plotsim_core.config.check_columns import truth_problem
from plotsim_core.config.column_source import Origin
from plotsim_core.config.conversions import noun_of
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.filtered import filter_inputs
from plotsim_core.config.formula import FormulaError, names
from plotsim_core.config.formula_kinds import kind_of_type
from plotsim_core.config.partial import known_problems
from plotsim_core.config.parts import Parts
from plotsim_core.config.tables import Column, DeclaredTable, Table, changing_sources, column_type
from plotsim_core.errors import Problem
from plotsim_core.families import did_you_mean


def filters(parts: Parts) -> Iterator[Problem]:
    """Yield the problems of what tables keep: names of no column, rows that are known only by what belongs to them or what
    they refer to, and rows that others refer to."""
    for declaration in parts.tables:
        yield from (problem.under(declaration.path) for problem in known_problems(_name_problems(declaration)))
        table = declaration.table
        if table is None or table.filter is None:
            continue
        others = [other.table for other in parts.tables if other.table is not None]
        referring = [other for other in others if _chooses_rows_of(other, table)]
        counting = next((other for other in referring if other.is_bridge or (other is table and not table.is_timed)), None)
        if counting is not None:
            message = f"rows that {counting.name} refers to are chosen by their numbers, before it is known which are kept"
            yield Problem("where", message, f"let {counting.name} refer to what they belong to").under(declaration.path)
        elif referring and table.comes_with_units:
            yield from (problem.under(declaration.path) for problem in _changes(table, referring[0]))


def _name_problems(declaration: DeclaredTable) -> Iterator[Problem]:
    """Yield why a formula that keeps rows cannot be read, and the names in it that no column has."""
    table = declaration.table or declaration.rest
    if table is None or table.filter is None or declaration.is_open:
        return
    known_names = [*declaration.columns, *table.listed_metrics]
    try:
        unknown_names = [name for name in names(table.filter) if name not in known_names]
    except FormulaError as error:
        yield Problem("where", error.problem.message, error.problem.hint)
        return
    for name in unknown_names:
        yield Problem("where", f"{table.name} has no column '{name}'", did_you_mean(name, known_names))


def _changes(table: Table, referring: Table) -> Iterator[Problem]:
    """Yield why rows of units that another table refers to are not kept for good."""
    for column in _read_columns(table, filter_inputs(table)):
        if changing_sources(column, table):
            message = (
                f"{column.name} changes with time, and so would the rows of {table.name} that {referring.name} refers to"
            )
            yield Problem("where", message, "decide by columns that stay as they are")


def _chooses_rows_of(table: Table, target: Table) -> bool:
    """Return whether a column of a table draws rows of another one, rather than say what its rows belong to."""
    if table.parent_name is None:
        return bool(table.references_to(target.name))
    is_child = table.parent_name == target.name and not table.parent_keys  # a table of the older sections
    return not is_child and any(column.name not in table.parent_keys for column in table.references_to(target.name))


def sound_filters(parts: Parts) -> Iterator[Problem]:
    """Yield the problems of formulas of sound tables that keep some rows."""
    dataset = parts.dataset
    tables = {table.name: table for table in dataset.all_tables}
    for declaration in parts.tables:
        table = declaration.table
        if table is not None and table.filter is not None:
            yield from (problem.under(declaration.path) for problem in _problems(table, dataset))
            circles = _circles("where", filter_inputs(table), table, table, tables)
            yield from (problem.under(declaration.path) for problem in circles)


def row_counts(parts: Parts) -> Iterator[Problem]:
    """Yield why a column of sound tables cannot say how many rows belong to a row: it is no number, or is known only by what
    belongs to the row."""
    dataset = parts.dataset
    tables = {table.name: table for table in dataset.all_tables}
    for declaration in parts.tables:
        table = declaration.table
        count = None if table is None else table.row_count
        if table is None or count is None:
            continue
        parent = tables.get(table.parent_name or "") or (dataset.own_unit_dimension if table.is_state else None)
        if parent is not None:
            problems = (problem for name in count.drivers for problem in _driver_problems(name, table, parent, dataset))
            yield from map(declaration.placed, problems)
            problems = (p for name in count.chance_columns for p in _chance_problems(name, table, parent, dataset))
            yield from map(declaration.placed, problems)
        unit_table = parent or dataset.own_unit_dimension
        if count.deciding is not None and unit_table is not None:
            yield from map(declaration.placed, _deciding_problems(count.deciding, table, unit_table, dataset))
        if parent is not None:
            yield from map(declaration.placed, _circles("rows", count.read_columns, table, parent, tables))


def _circles(
    word: str, read_names: Sequence[str], table: Table, owner: Table, tables: Mapping[str, Table]
) -> Iterator[Problem]:
    """Yield which of some columns of `owner`, by which it is decided what rows a table has (`word`), are made of these rows,
    by way of other tables."""
    for name in read_names:
        own_columns = list(_read_columns(owner, (name,)))  # those of the row itself are told elsewhere
        pending, visited = [(owner.name, name)], set[Origin]()
        while pending:
            origin = pending.pop()
            reader = tables.get(origin[0])
            column = next((other for other in (reader.columns if reader else ()) if other.name == origin[1]), None)
            if origin in visited or reader is None or column is None:
                continue
            visited.add(origin)
            pending += column.depends_on(reader)
            detail_table = tables.get(column.source.detail_table or "")
            pending += detail_table.row_origins() if detail_table is not None else ()
            if column not in own_columns and _belongs_to(detail_table, table, tables):
                message = (
                    f"{owner.name}.{name} follows from {reader.name}.{column.name}, which is made of rows of {table.name}"
                )
                yield Problem(word, message, "name a column that is known before them")
                break


def _belongs_to(rows: Table | None, table: Table, tables: Mapping[str, Table]) -> bool:
    """Return whether rows of a table are those of another one, or belong to them at any depth."""
    visited = set[str]()
    while rows is not None and rows.name not in visited:
        if rows.name == table.name:
            return True
        visited.add(rows.name)
        rows = tables.get(rows.parent_name or "")
    return False


def _driver_problems(name: str, table: Table, parent: Table, dataset: Dataset) -> Iterator[Problem]:
    """Yield why a column of a parent, if it has it, cannot say how many rows of a table belong to each of its own."""
    columns = {column.name: column for column in parent.all_columns(dataset)}
    if name not in columns:
        return
    if parent.is_unit_dimension and changing_sources(columns[name], parent):
        message = f"{parent.name}.{name} changes with time, and rows of {table.name} are there from the first"
        yield Problem("rows", message, "name a column that stays as it is")
        return
    type_ = column_type(columns[name], dataset)
    if kind_of_type(type_) not in ("whole", "number"):
        yield Problem("rows", f"{parent.name}.{name} is {noun_of(type_)}, and no number of rows")
    for column in _read_columns(parent, (name,)):
        if column.source.detail_table is not None:
            yield Problem(
                "rows", f"{parent.name}.{column.name} adds up rows that belong to a row, so it is known after them"
            )


def _chance_problems(name: str, table: Table, parent: Table, dataset: Dataset) -> Iterator[Problem]:
    """Yield why a column of a parent, if it has it, cannot say the share of a step."""
    column = next((other for other in parent.all_columns(dataset) if other.name == name), None)
    if column is None:
        return
    type_ = column_type(column, dataset)
    if parent.is_unit_dimension and changing_sources(column, parent):
        message = f"{parent.name}.{name} changes with time, and a unit takes its steps once for life"
        yield Problem("rows.steps", message, "name a column that stays as it is")
    elif kind_of_type(type_) not in ("whole", "number", "bool"):
        hint = "a share is a number from 0 to 1, or true or false"
        yield Problem("rows.steps", f"{parent.name}.{name} is {noun_of(type_)}, and no share of a step", hint)
    for other in _read_columns(parent, (name,)):
        if other.source.detail_table is not None:
            message = f"{parent.name}.{other.name} is made of rows that belong to a row, so it is known after them"
            yield Problem("rows.steps", message)


def _deciding_problems(name: str, table: Table, parent: Table, dataset: Dataset) -> Iterator[Problem]:
    """Yield why a column of a parent, if it has it, cannot decide how many rows of a table belong to each of its own."""
    column = next((other for other in parent.all_columns(dataset) if other.name == name), None)
    if column is None:
        return
    if parent.is_unit_dimension and changing_sources(column, parent):
        message = f"{parent.name}.{name} changes with time, and a unit has one number of rows for life"
        yield Problem("rows.by", message, "name a column that stays as it is")
    elif pa.types.is_nested(column_type(column, dataset)):
        yield Problem("rows.by", f"{parent.name}.{name} has lists or records, which are no single value")
    for other in _read_columns(parent, (name,)):
        if other.source.detail_table is not None:
            message = f"{parent.name}.{other.name} adds up rows that belong to a row, so it is known after them"
            yield Problem("rows.by", message)


def _problems(table: Table, dataset: Dataset) -> Iterator[Problem]:
    formula = table.filter or ""
    problem = truth_problem(formula, table, dataset)
    if problem is not None:
        yield Problem("where", problem.message, problem.hint)
    for column in _read_columns(table, filter_inputs(table)):
        if column.source.detail_table is not None:
            message = f"{column.name} adds up rows that belong to a row of {table.name}, which are there if it is kept"
            yield Problem("where", message)
        elif column.source.target_name is not None and column.name not in table.parent_keys:
            message = f"{column.name} is what a row of {table.name} refers to, which is chosen for rows that are kept"
            yield Problem("where", message, "decide by columns that follow from the row itself")


def _read_columns(table: Table, read_names: Sequence[str]) -> Iterator[Column]:
    """Yield the columns of a table of these names, and those that they are made of."""
    columns = {column.name: column for column in table.columns}
    pending, visited = [*read_names], set[str]()
    while pending:
        name = pending.pop()
        if name in visited or name not in columns:
            continue
        visited.add(name)
        yield columns[name]
        pending += [other for owner, other in columns[name].depends_on(table) if owner == table.name]
