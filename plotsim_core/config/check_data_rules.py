"""Problems of `checks` with the rest of a config: names, sorts of values, formulas that are no rule."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from plotsim_core.config.check_columns import truth_problem
from plotsim_core.config.conversions import noun_of
from plotsim_core.config.data_rule import (
    BUILT_IN_NAMES,
    DataRule,
    KnownColumn,
    Reading,
    Sort,
    formula_inputs,
    is_of_sort,
)
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.formula import FormulaError, names
from plotsim_core.config.parts import Parts
from plotsim_core.config.tables import Table, column_type
from plotsim_core.errors import Problem
from plotsim_core.families import did_you_mean

_SORTS: dict[Sort, str] = {"number": "numbers", "ordered": "numbers, dates or moments", "text": "texts"}


def data_rules(parts: Parts) -> Iterator[Problem]:
    """Yield the problems of the names of rules, of the tables that they name, and of formulas that cannot be read."""
    names_of_rules: dict[str, str] = {}
    tables = {table.name for table in parts.declared_tables}
    for path, rule in parts.checks:
        yield from _name_problems(path, rule, names_of_rules)
        if rule.table and rule.table not in tables and "" not in tables:
            hint = did_you_mean(rule.table, sorted(tables))
            yield Problem(f"{path}.table", f"no table is named '{rule.table}'", hint)
        for reading in rule.readings():
            if reading.table and reading.table not in tables and "" not in tables:
                message = f"no table is named '{reading.table}'"
                yield Problem(f"{path}.{reading.path}", message, did_you_mean(reading.table, sorted(tables)))
        for field, formula in rule.formulas():
            try:
                inputs = names(formula)
            except FormulaError as error:
                yield Problem(f"{path}.{field}", error.problem.message, error.problem.hint)
                continue
            if not inputs:
                message = "reads no column, so it is the same in all rows"
                yield Problem(f"{path}.{field}", message, "name a column of the row")


def _name_problems(path: str, rule: DataRule, names_of_rules: dict[str, str]) -> Iterator[Problem]:
    """Yield why the name of a rule is taken; `names_of_rules` has the paths of those before it."""
    if not rule.table:
        return
    name = rule.check_name
    place = f"{path}.name" if rule.name is not None else path
    if name in BUILT_IN_NAMES:
        yield Problem(place, f"{name} is a check that every dataset has", "choose another")
    elif name in names_of_rules:
        message = f"{names_of_rules[name]} is named {name} too"
        yield Problem(place, message, "choose another" if rule.name is not None else "give one of them a `name`")
    names_of_rules.setdefault(name, path)


@dataclass(frozen=True, eq=False)
class SoundTables:
    """The sound tables of a config (`KnownTables` of rules)."""

    parts: Parts

    @cached_property
    def tables(self) -> dict[str, tuple[Table, Dataset]]:
        """The tables with the datasets of their kinds of unit, by name."""
        kinds = (self.parts, *self.parts.units)
        pairs = ((declaration.table, kind.dataset) for kind in kinds for declaration in kind.tables)
        tables: dict[str, tuple[Table, Dataset]] = {}
        for table, dataset in pairs:
            if table is not None:
                tables.setdefault(table.name, (table, dataset))
        return tables

    @cached_property
    def declared_columns(self) -> dict[str, tuple[str, ...]]:
        """The names of the columns that tables declare, those that are wrong too."""
        return {table.name: table.columns for table in self.parts.declared_tables}

    def table(self, name: str) -> tuple[Table, Dataset]:
        return self.tables[name]

    def column(self, table: str, name: str) -> KnownColumn:
        owner, dataset = self.tables[table]
        column = next(column for column in owner.stored_columns(dataset) if column.name == name)
        return KnownColumn(column, owner, dataset, column_type(column, dataset))

    def names(self, table: str) -> list[str]:
        """Return the names of the stored columns of a table."""
        owner, dataset = self.tables[table]
        return [column.name for column in owner.stored_columns(dataset)]


def sound_data_rules(parts: Parts) -> Iterator[Problem]:
    """Yield the problems of rules about sound tables: columns that are not there, or of another sort."""
    known = SoundTables(parts)
    for path, rule in parts.checks:
        if all(name in known.tables for name in (rule.table, *rule.other_tables)):
            yield from (problem.under(path) for problem in _problems(rule, known))


def _problems(rule: DataRule, known: SoundTables) -> Iterator[Problem]:
    readings = [*rule.readings(), *formula_inputs(rule)]
    unknown = [problem for reading in readings for problem in _reading_problems(reading, rule, known)]
    is_unread = any(reading.column and not _is_stored(reading, rule, known) for reading in readings)
    yield from unknown
    if unknown or is_unread:
        return
    table, dataset = known.table(rule.table)
    formula_problems = [
        Problem(field, problem.message, problem.hint)
        for field, formula in rule.formulas()
        if _is_readable(formula) and (problem := truth_problem(formula, table, dataset)) is not None
    ]
    yield from formula_problems or rule.problems(known)


def _is_readable(formula: str) -> bool:
    try:
        return bool(names(formula))
    except FormulaError:  # reported at the formula
        return False


def _is_stored(reading: Reading, rule: DataRule, known: SoundTables) -> bool:
    return reading.column in known.names(reading.table or rule.table)


def _reading_problems(reading: Reading, rule: DataRule, known: SoundTables) -> Iterator[Problem]:
    """Yield why a column cannot be read: there is none, it is hidden, or its values are of another sort."""
    table_name = reading.table or rule.table
    table, dataset = known.table(table_name)
    if not reading.column:
        return
    if not _is_stored(reading, rule, known):
        if not known.names(table_name):
            message = f"rules know no columns of {table_name}: it shows those of another table"
            yield Problem(reading.path, message, "let the rule be about that one, or count rows")
        elif any(column.name == reading.column for column in table.all_columns(dataset)):
            message = f"{table_name}.{reading.column} is hidden, and rules are about what is stored"
            yield Problem(reading.path, message)
        elif reading.column not in known.declared_columns.get(table_name, ()):
            hint = did_you_mean(reading.column, known.names(table_name))
            yield Problem(reading.path, f"{table_name} has no column '{reading.column}'", hint)
        return
    type_ = known.column(table_name, reading.column).type
    if not is_of_sort(type_, reading.sort):
        message = f"{table_name}.{reading.column} is {noun_of(type_)}, and this takes {_SORTS[reading.sort]}"
        yield Problem(reading.path, message)
