"""What is wrong with a formula over the columns of a row: names of no column, values that it cannot compute with, parts
without a value."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from plotsim_core.columns.dependencies import circle_of, names_in, nullable_in, type_in
from plotsim_core.columns.formula_values import Inputs, formula_value
from plotsim_core.config.conversions import noun_of
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.formula import (
    NULL,
    TRUTHS,
    FormulaError,
    constants,
    divisors,
    may_be_undefined,
    names,
    operands,
    parse_formula,
    reads_null,
)
from plotsim_core.config.formula_functions import Kind
from plotsim_core.config.formula_kinds import kind_of, kind_of_type
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, Table
from plotsim_core.errors import Problem
from plotsim_core.families import did_you_mean


def name_problems(formula: str, word: str, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
    """Yield why a formula of a column, in its field `word`, cannot be read, and the names in it that no column has."""
    try:
        inputs = names(formula)
    except FormulaError as error:
        yield Problem(word, error.problem.message, error.problem.hint)
        return
    column_names = [other for other in names_in(scope.tables[table.name]) if other != column.name]
    unknown_names = [name for name in inputs if name not in column_names]
    for name in unknown_names:
        if name == column.name:
            yield Problem(word, f"{table.name}.{name} depends on itself")
        else:
            small = name.lower()
            hint = f"write {small}" if small in (NULL, *TRUTHS) else did_you_mean(name, column_names)
            yield Problem(word, f"{table.name} has no column '{name}'", hint)
    if NULL in column_names and reads_null(formula):
        yield Problem(word, f"`{NULL}` is no value, and {table.name} has a column of that name", "rename the column")
    if not unknown_names and (circle := circle_of(column, table, scope)):
        yield Problem(word, circle)


def value_problems(formula: str, word: str, table: Table, dataset: Dataset) -> Iterable[Problem]:
    """Yield the first thing for which a formula over sound columns has no values."""
    for name in names(formula):
        type_ = type_in(table.name, name, dataset)
        if kind_of_type(type_) is None:
            yield Problem(word, f"cannot compute with {table.name}.{name}: it is {noun_of(type_)}")
            return
    try:
        kind_of(parse_formula(formula), input_kinds(formula, table, dataset))
    except FormulaError as error:
        yield Problem(word, error.problem.message, error.problem.hint)
        return
    yield from (Problem(word, message) for message in _undefined(parse_formula(formula)))


def _undefined(tree: ast.expr) -> Iterator[str]:
    """Yield the first part of a formula that is the same in each row and has no value, or is divided by zero."""
    for text, node in constants(tree):
        value = _constant(node)
        if not isinstance(value, pa.Array) and not np.isfinite(value[0]):
            yield f"{text} has no value: it is larger than any number, or not defined"
            return
    for text, divisor in divisors(tree):
        if _constant(divisor)[0] == 0.0:
            yield f"{text} has no value: it divides by zero in each row"
            return


def _constant(node: ast.expr) -> Any:
    with np.errstate(all="ignore"):
        return formula_value(node, Inputs({}, {}, 1))


def input_kinds(formula: str, table: Table, dataset: Dataset) -> dict[str, Kind]:
    """Return the kinds of the columns that a formula reads."""
    return {name: kind_of_type(type_in(table.name, name, dataset)) or "number" for name in names(formula)}


def may_have_nulls(formula: str, table: Table, dataset: Dataset) -> bool:
    """Return whether a formula over columns of a table may be null in some rows."""
    tree = parse_formula(formula)
    return may_be_undefined(tree) or _reads_null(tree, lambda name: nullable_in(table.name, name, dataset))


def _reads_null(node: ast.expr, nullable: Callable[[str], bool]) -> bool:
    if isinstance(node, ast.Name):
        return node.id == NULL or (node.id not in TRUTHS and nullable(node.id))
    function = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
    inputs = () if function == "is_null" else operands(node)[-1:] if function == "coalesce" else operands(node)
    return any(_reads_null(child, nullable) for child in inputs)
