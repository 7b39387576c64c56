"""Slots of a text that name no rule: columns of the row, and types of columns, such as `{faker.first_name}`."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from plotsim_core.arrow import ArrowArray
from plotsim_core.columns.dependencies import circle_of, names_in, nullable_in, scope_of, type_in
from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import fill
from plotsim_core.columns.text_forms import formatted, plain_text
from plotsim_core.config.column_source import SOURCES, Origin
from plotsim_core.config.conversions import noun_of
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.read_columns import column as read_column
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, Table, column_decimal_places, column_decimals, is_number, may_be_null
from plotsim_core.config.text_grammar import Grammar
from plotsim_core.config.text_rules import Slot, alternatives_of, has_time, is_date_format, number_format
from plotsim_core.errors import ConfigError, Problem, key_text
from plotsim_core.families import did_you_mean
from plotsim_core.plan.plan import ColumnPlan, TablePlan


def typed_slots(grammar: Grammar) -> list[str]:
    """Return the slots that are types of columns, each once."""
    return list(dict.fromkeys(slot.name for slot in grammar.slots if "." in slot.name))


def slot_column(name: str, slot: str) -> Column:
    """Return a slot of the column `name` that is a type, as a column. Raises ConfigError if there is no such type."""
    return read_column("slot", slot).model_copy(update={"name": f"{name}.{slot}"})


def slot_columns(name: str, grammar: Grammar) -> Iterator[Column]:
    """Yield the slots of the column `name` that are types, as columns; not those whose type there is none of."""
    for slot in typed_slots(grammar):
        try:
            yield slot_column(name, slot)
        except ConfigError:
            continue  # reported at the slot


def read_names(grammar: Grammar) -> list[str]:
    """Return the columns of the row that slots and forms name, each once."""
    return list(dict.fromkeys([*(slot.name for slot in grammar.slots if "." not in slot.name), *grammar.form_columns]))


def slot_reads(grammar: Grammar, table: Table) -> Iterator[Origin]:
    """Yield the columns that the slots of a text in a table are made from."""
    yield from ((table.name, name) for name in read_names(grammar))
    for column in slot_columns("slot", grammar):
        yield from column.depends_on(table)


def placed_slots(grammar: Grammar) -> Iterator[tuple[str, Slot]]:
    """Yield the slots that name no rule, each with the place of the texts that it stands in; the first of each."""
    slots: set[Slot] = set()
    for rule in grammar.rules.values():
        for group in alternatives_of(rule):
            for slot in (slot for template in group.templates for slot in template.slots):
                if slot.name not in grammar.rules and slot not in slots:
                    slots.add(slot)
                    yield group.path, slot


def check_slots(grammar: Grammar, column: Column, table: Table, scope: Scope) -> Iterator[Problem]:
    """Yield slots that name nothing, and types of columns that have no place in a text or in the table."""
    names = [name for name in names_in(scope.tables[table.name]) if name != column.name]
    known_names = [*(name for name in grammar.rules if name != grammar.start), *names]
    checked: set[str] = set()
    for path, slot in placed_slots(grammar):
        if "." not in slot.name and slot.name not in names:
            if slot.name == column.name:
                yield Problem(path, f"{table.name}.{column.name} depends on itself")
            else:
                yield Problem(path, f"no rule or column is named '{slot.name}'", did_you_mean(slot.name, known_names))
        elif "." in slot.name and slot.name not in checked:
            checked.add(slot.name)
            yield from _type_problems(path, slot.name, column, table, scope)
        yield from (
            Problem(path, f"{table.name} has no column '{form.column}'", did_you_mean(form.column, names))
            for form in slot.forms
            if form.column is not None and form.column not in names
        )


def _type_problems(path: str, slot: str, column: Column, table: Table, scope: Scope) -> Iterator[Problem]:
    word = slot.partition(".")[0]
    words = sorted(name for name, source in SOURCES.items() if source.in_texts)
    if word not in words:
        hint = f"a slot is a rule, a column, or of these types: {', '.join(f'{name}.' for name in words)}"
        yield Problem(path, f"'{slot}' has no place in a text", hint)
        return
    try:
        typed_column = slot_column(column.name, slot)
    except ConfigError as error:
        yield from (Problem(path, problem.message, problem.hint) for problem in error.problems)
        return
    if not typed_column.source.needed <= table.knows:
        yield Problem(path, f"'{word}' has no place in {table.name}")
        return
    yield from (
        Problem(path, problem.message, problem.hint) for problem in typed_column.source.check(typed_column, table, scope)
    )


def circle_problems(column: Column, table: Table, scope: Scope) -> Iterator[Problem]:
    """Yield how a text depends on itself by way of the columns that it reads."""
    if circle := circle_of(column, table, scope):
        yield Problem("template", circle)


def type_problems(grammar: Grammar, table: Table, dataset: Dataset) -> Iterator[Problem]:
    """Yield slots whose values are no texts or have another format, and forms by what is no number."""
    for path, slot in placed_slots(grammar):
        type_ = _slot_type(slot.name, table, dataset)
        if pa.types.is_nested(type_):
            yield Problem(path, f"cannot write {slot.name}: it is {noun_of(type_)}")
            continue
        is_time = bool(pa.types.is_timestamp(type_))
        is_date = bool(pa.types.is_date(type_))
        if slot.format and is_date_format(slot.format):
            if not is_time and not is_date:
                yield Problem(path, f"cannot write {slot.name} as '{slot.format}': it is {noun_of(type_)}, no date")
            elif is_date and has_time(slot.format):
                yield Problem(path, f"'{slot.format}' writes a time of day, which {slot.name} has not")
        elif slot.format and not is_number(type_):
            yield Problem(path, f"cannot write {slot.name} as '{slot.format}': it is {noun_of(type_)}, no number")
        for form in slot.forms:
            if form.column is not None and not is_number(type_in(table.name, form.column, dataset)):
                yield Problem(path, f"{form.column} is no number, so it cannot say how many there are")


def _slot_type(slot: str, table: Table, dataset: Dataset) -> pa.DataType:
    if "." not in slot:
        return type_in(table.name, slot, dataset)
    column = slot_column("slot", slot)
    return column.source.arrow_type(column, dataset)


def may_lack_slots(grammar: Grammar, table: Table, dataset: Dataset) -> bool:
    """Return whether a slot of a text in a table may be null."""
    if any(nullable_in(table.name, name, dataset) for name in read_names(grammar)):
        return True
    for column in slot_columns("slot", grammar):
        path = column.source.lookup_path
        references = table.references_to(path.table) if path is not None else []
        if may_be_null(column, dataset) or any(may_be_null(reference, dataset) for reference in references):
            return True
    return False


def whole_values(name: str, table: Table, dataset: Dataset) -> list[str]:
    """Return the values of a column as texts, where the config lists all of them and none is null; empty elsewhere."""
    column = next((other for other in table.columns if other.name == name), None)
    if column is None or column.as_type is not None or may_be_null(column, dataset):
        return []
    type_ = type_in(table.name, name, dataset)
    is_plain = pa.types.is_string(type_) or pa.types.is_integer(type_) or pa.types.is_boolean(type_)
    values = column.source.possible_values(table, scope_of(dataset)) if is_plain else None
    return [key_text(value) for value in values or []]


def slot_plan(name: str, column: ColumnPlan, table: TablePlan, dataset: Dataset) -> ColumnPlan:
    """Return the plan of a slot of a column: of a column of its table, or of a type."""
    if "." not in name:
        return table.column(name)
    typed_column = slot_column(column.name, name)
    source = typed_column.source
    type_ = source.arrow_type(typed_column, dataset)
    return ColumnPlan(typed_column, type_, True, "", column_decimals(typed_column, dataset))


def slot_texts(slot: Slot, column: ColumnPlan, table: TablePlan, rows: Rows) -> ArrowArray:
    """Return the texts of a slot in all rows, in its format and before its forms."""
    plan = slot_plan(slot.name, column, table, rows.block.population.dataset)
    values = fill(plan, table, rows)
    return formatted(values, slot.format) if slot.format else plain_text(values, plan.decimals)


def slot_count(slot: Slot, table: Table, dataset: Dataset, scope: Scope) -> float:
    """Return how many different values a slot has at least, as far as the config says; 1 where it does not."""
    column = next((other for other in table.columns if other.name == slot.name), None)
    if column is None and "." in slot.name:
        column = slot_column("slot", slot.name)
    if column is None:
        return 1.0
    if column.source.is_unique(table):
        return float("inf")
    values, bounds = column.source.possible_values(table, scope), column.source.number_range(dataset)
    if values is not None:
        return float(max(len(set(map(str, values))), 1))
    decimals = column_decimal_places(column, dataset)
    written = number_format(slot.format)
    if bounds is None or decimals is None:
        return float(column.source.text_count(table, dataset) or 1)
    digits = decimals if written is None or not slot.format else written.digits + 2 * written.is_share
    return (bounds[1] - bounds[0]) * 10.0 ** min(decimals, digits) + 1.0
