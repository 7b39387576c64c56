"""Problems of what every column may say, whatever its source: nulls, hidden columns, other types."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from plotsim_core.config.column_source import Origin
from plotsim_core.config.conversions import conversion_type, converts, noun_of, unreadable
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.formula import FormulaError, draws_of, names, parse_formula
from plotsim_core.config.formula_kinds import kind_of, kind_of_type
from plotsim_core.config.model import mentioned
from plotsim_core.config.partial import known_problems
from plotsim_core.config.parts import Parts
from plotsim_core.config.tables import Column, DeclaredTable, Table, column_type, matched_origin
from plotsim_core.config.words import number_text
from plotsim_core.errors import Problem, value_text
from plotsim_core.families import did_you_mean


def null_formula(column: Column, declaration: DeclaredTable, table: Table) -> Iterator[Problem]:
    """Yield what is wrong with the formula that says where a column is null, as far as one table tells it."""
    if column.nulls is None or column.nulls.where is None:
        return
    known_names = [*declaration.columns, *table.listed_metrics]
    try:
        unknown_names = [name for name in names(column.nulls.where) if name not in known_names]
    except FormulaError as error:
        yield _at(error.problem, "nulls.where")
        return
    for name in unknown_names:
        yield Problem("nulls.where", f"{table.name} has no column '{name}'", did_you_mean(name, known_names))


def common_words(parts: Parts) -> Iterator[Problem]:
    """Yield the problems of nulls, hidden columns and other types in sound tables."""
    dataset = parts.dataset
    read_columns = _read_columns(dataset) if parts.is_whole else None
    for declaration in parts.tables:
        table = declaration.table
        if table is None:
            continue
        indices = {name.lower(): index for index, name in enumerate(declaration.columns)}
        for column in table.columns:
            for problem in (
                *known_problems(null_problems(column, table, dataset)),
                *known_problems(_hidden(column, table, dataset, read_columns)),
                *known_problems(_conversion(column, dataset)),
                *known_problems(_idle_decimals(column, dataset)),
            ):
                yield problem.under(f"{declaration.path}.columns[{indices[column.name.lower()]}]")


def _at(problem: Problem, path: str) -> Problem:
    return Problem(path, problem.message, problem.hint)


def _fixed(column: Column, table: Table, dataset: Dataset) -> str:
    """Return why each row has to have a value of a column; empty where it need not."""
    if column.source.is_key:
        return f"it is the key of {table.name}"
    if column.name in table.key_columns(dataset):
        return f"it tells the rows of {table.name} apart"
    if column.name == table.time_column():
        return f"it places the rows of {table.name} in time"
    if table.parent_name is not None and column.source.target_name == table.parent_name:
        return f"it says which row of {table.parent_name} a row belongs to"
    if column.source.history is not None or column.source.version_part is not None:
        return f"it tells the versions of a row of {table.name} apart"
    if column.source.change_part is not None:
        return f"it tells the changes of a row of {table.name} apart"
    return ""


def null_problems(column: Column, table: Table, dataset: Dataset) -> Iterator[Problem]:
    if column.nulls is None:
        return
    if reason := _fixed(column, table, dataset):
        yield Problem("nulls", f"has no place here: {reason}", "leave it out")
        return
    where = column.nulls.where
    if column.nulls.rate is None and where is None:
        yield Problem("nulls", "has no effect without `rate` or `where`", "write nulls: 0.1, or { where: ... }")
    if where is None:
        return
    problem = truth_problem(where, table, dataset)
    if problem is not None:
        yield _at(problem, "nulls.where")
    elif _depends_on_itself(column, table, dataset):
        yield Problem("nulls.where", f"{table.name}.{column.name} depends on itself")


def truth_problem(formula: str, table: Table, dataset: Dataset) -> Problem | None:
    """Return what is wrong with a formula over columns of a table that is to be true or false; None where nothing is."""
    columns = {other.name: other for other in table.all_columns(dataset)}
    kinds = {name: kind_of_type(column_type(columns[name], dataset)) for name in names(formula)}
    for name, kind in kinds.items():
        if kind is None:
            noun = noun_of(column_type(columns[name], dataset))
            return Problem("", f"cannot compute with {table.name}.{name}: it is {noun}")
    try:
        kind = kind_of(parse_formula(formula), {name: kind for name, kind in kinds.items() if kind is not None})
    except FormulaError as error:
        return error.problem
    if draws_of(formula):
        return Problem("", "takes chance, and is read more than once", "draw it in a hidden column, and read that")
    if kind != "bool":
        message = f"expected a formula that is true or false, found {value_text(formula)}"
        return Problem("", message, "compare something: amount > 100")
    return None if kinds else Problem("", "reads no column, so it is the same in every row")


def _depends_on_itself(column: Column, table: Table, dataset: Dataset) -> bool:
    """Return whether what says where a column is null is made of the column."""
    tables = {other.name: other for kind in (dataset, *dataset.units) for other in kind.all_tables}
    pending: list[Origin] = [*column.depends_on(table)]
    visited: set[Origin] = set()
    while pending:
        node = pending.pop()
        if node == (table.name, column.name):
            return True
        if node in visited:
            continue
        visited.add(node)
        owner = tables.get(node[0])
        for other in owner.columns if owner is not None else ():
            if owner is not None and other.name == node[1]:
                pending += other.depends_on(owner)
    return False


def _hidden(column: Column, table: Table, dataset: Dataset, read_columns: set[Origin] | None) -> Iterator[Problem]:
    if not column.hidden:
        return
    if reason := _fixed(column, table, dataset):
        yield Problem("hidden", f"has no place here: {reason}", "leave it out")
    elif read_columns is not None and (table.name, column.name) not in read_columns and not _chooses(column, table):
        hint = "read it in a formula, a lookup or `nulls`, or leave it out"
        yield Problem("hidden", f"has no effect: nothing reads {table.name}.{column.name}, so it need not be made", hint)
    elif all(other.hidden for other in table.columns):
        yield Problem("hidden", f"leaves {table.name} without a column")
    if column.description is not None or column.pii_note is not None:
        word = "description" if column.description is not None else "pii_note"
        yield Problem(word, f"has no effect: {column.name} is hidden, so it is published nowhere", "leave it out")


def _chooses(column: Column, table: Table) -> bool:
    """Return whether a place chooses the language of other columns of its row."""
    return column.source.sets_locale and any(other.source.has_locale for other in table.columns)


def _read_columns(dataset: Dataset) -> set[Origin]:
    """Return the columns that something of a dataset reads."""
    origins: set[Origin] = set()
    for kind in (dataset, *dataset.units):
        for table in kind.all_tables:
            origins |= {*table.row_origins()}
            for column in table.columns:
                origins |= {*column.depends_on(table)}
                name = column.source.target_name
                if name is None:
                    continue
                for listed_name, own_name in column.source.matched_columns.items():
                    origins |= {(name, listed_name), matched_origin(own_name, table, kind.own_unit_dimension)}
                origins |= {(name, other) for other in _weighted_columns(column, name, kind)}
    return origins


def _weighted_columns(reference: Column, name: str, dataset: Dataset) -> Iterator[str]:
    """Yield the columns of a listed table that a reference names, or whose values its weights may name."""
    words = mentioned(reference.source)
    for table in dataset.all_dimensions:
        if table.name == name and table.is_listed:
            yield from (other.name for other in table.columns if words & {other.name, *other.source.row_texts()})


def _conversion(column: Column, dataset: Dataset) -> Iterator[Problem]:
    if column.as_type is None:
        return
    if column.decimals is not None:
        yield Problem("decimals", "says the same as `as`; give one of them")
        return
    if column.source.is_key or column.source.target_name is not None:
        reason = (
            "others refer to a key as it is" if column.source.is_key else "a reference is written as the key it refers to"
        )
        yield Problem("as", f"has no place here: {reason}", "leave it out")
        return
    type_, target = column.source.arrow_type(column, dataset), conversion_type(column.as_type)
    if type_ == target:
        yield Problem("as", f"has no effect: {column.name} is of that type as it is", "leave it out")
    elif not converts(type_, column.as_type):
        yield Problem("as", f"cannot make {noun_of(target)} of {column.name}: it is {noun_of(type_)}")
    elif isinstance(target, pa.Decimal128Type) and (bounds := column.source.number_range(dataset)) is not None:
        largest, limit = max(map(abs, bounds)), 10 ** (target.precision - target.scale)
        if largest + 0.5 * 10.0**-target.scale >= limit:
            message = f"{column.name} may be {number_text(largest)}, and {column.as_type} holds what is below {limit:,}"
            yield Problem("as", message, "give it more digits")
    elif pa.types.is_string(type_) or pa.types.is_dictionary(type_):
        texts = column.source.listed_texts(dataset)
        wrong_text = (
            None if pa.types.is_string(target) or pa.types.is_dictionary(target) else unreadable(texts, column.as_type)
        )
        if not texts and not pa.types.is_string(target):
            message = f"cannot make {noun_of(target)} of {column.name}: its texts are not known before they are made"
            yield Problem("as", message, "a `choice`, a `static` or a pool lists them")
        elif wrong_text is not None:
            yield Problem("as", f"cannot make {noun_of(target)} of {column.name}: it may be {value_text(wrong_text)}")


def _idle_decimals(column: Column, dataset: Dataset) -> Iterator[Problem]:
    """Yield a problem where a column that has no fractions asks for decimals."""
    type_ = column.source.arrow_type(column, dataset)
    if column.decimals is None or column.as_type is not None or type_ == pa.float64():
        return
    if pa.types.is_integer(type_):
        yield Problem("decimals", f"has no effect: {column.name} has whole numbers", column.source.decimals_hint)
    elif pa.types.is_decimal(type_):
        yield Problem("decimals", f"has no effect: {column.name} has the {type_.scale} decimals of what it is made from")
    else:
        yield Problem("decimals", f"has no effect: {column.name} has no numbers")
