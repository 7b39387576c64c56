"""`expression` with `formula: "round(quantity * unit_price, 2)"`: computed from the other columns of the row.

A null input gives null, and so does an undefined result: a division by zero, a root or logarithm of a negative number.
Numbers are rounded to the decimals of the column, or to those of a round around the formula, or to four, halves away from
zero; sums, differences and products are exact, in fixed-point decimals (`exact.py`). Integers are exact up to 2**53, and
limited to it.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from typing import Annotated

import numpy as np
import pyarrow as pa
from pydantic import Field

from plotsim_core.arrow import ArrowArray
from plotsim_core.columns.dependencies import circle_of, names_in, nullable_in, table_with, type_in
from plotsim_core.columns.formula_dates import as_dates, as_moments
from plotsim_core.columns.formula_values import Inputs, formula_value, inputs_of, rounded_value
from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import ColumnSource, add_source, fill
from plotsim_core.config.column_source import Origin
from plotsim_core.config.conversions import noun_of
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.formula import (
    NULL,
    TRUTHS,
    FormulaError,
    Kind,
    constants,
    digits_of,
    draws_of,
    may_be_undefined,
    names,
    operands,
    parse_formula,
    reads_null,
)
from plotsim_core.config.formula_kinds import FORMULA_TYPES, kind_of, kind_of_type
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, Table
from plotsim_core.config.words import capitalised, enumeration, phrase
from plotsim_core.errors import Problem
from plotsim_core.families import did_you_mean
from plotsim_core.plan.plan import ColumnPlan, TablePlan

_DECIMALS = 4
_WHOLE = 2.0**53
_MAX_QUOTED = 60
"""Length of the longest formula that a description quotes, in letters."""


@add_source
class Expression(ColumnSource):
    """The `formula`. Its numbers are rounded to the column's `decimals`, by default those of its own round, or four."""

    word = "expression"
    example = "expression"
    is_measure = True

    formula: Annotated[str, Field(min_length=1)]
    """The `formula`."""

    @property
    def formula_text(self) -> str | None:
        return self.formula

    def arrow_type(self, column: Column, dataset: Dataset) -> pa.DataType:
        try:
            return FORMULA_TYPES[kind_of(parse_formula(self.formula), _kinds(self, dataset))]
        except (FormulaError, KeyError):  # reported at the formula, not where its column is read
            return pa.float64()

    def check(self, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
        try:
            inputs = names(self.formula)
        except FormulaError as error:
            yield error.problem
            return
        column_names = [other for other in names_in(scope.tables[table.name]) if other != column.name]
        unknown_names = [name for name in inputs if name not in column_names]
        for name in unknown_names:
            if name == column.name:
                yield Problem("formula", f"{table.name}.{name} depends on itself")
            else:
                word = name.lower()
                hint = f"write {word}" if word in (NULL, *TRUTHS) else did_you_mean(name, column_names)
                yield Problem("formula", f"{table.name} has no column '{name}'", hint)
        if NULL in column_names and reads_null(self.formula):
            yield Problem(
                "formula", f"`{NULL}` is no value, and {table.name} has a column of that name", "rename the column"
            )
        if not unknown_names and (circle := circle_of(column, table, scope)):
            yield Problem("formula", circle)

    def problems(self, table: Table, dataset: Dataset) -> Iterable[Problem]:
        for name in names(self.formula):
            type_ = type_in(table.name, name, dataset)
            if kind_of_type(type_) is None:
                yield Problem("formula", f"cannot compute with {table.name}.{name}: it is {noun_of(type_)}")
                return
        try:
            kind = kind_of(parse_formula(self.formula), _kinds(self, dataset))
        except FormulaError as error:
            yield error.problem
            return
        if kind == "span":
            yield Problem("formula", "is a span of time, which no column holds", "divide it: (ended - began) / hours(1)")
            return
        for text, node in constants(parse_formula(self.formula)):
            with np.errstate(all="ignore"):
                value = formula_value(node, Inputs({}, {}, 1))
            if not isinstance(value, pa.Array) and not np.isfinite(value[0]):
                yield Problem("formula", f"{text} has no value: it is larger than any number, or not defined")
                return

    def describe(self, column: Column, table: Table, dataset: Dataset) -> str:
        """Describe the column by its formula, or by the inputs of a long one."""
        inputs = enumeration(name for _, name in self.reads(table))
        method = (
            f"computed as {self.formula}" if len(self.formula) <= _MAX_QUOTED or not inputs else f"computed from {inputs}"
        )
        return f"{capitalised(phrase(column.name))}, {method}."

    def is_nullable(self, column: Column, dataset: Dataset) -> bool:
        table, tree = table_with(self, dataset), parse_formula(self.formula)
        return may_be_undefined(tree) or _reads_null(tree, lambda name: nullable_in(table.name, name, dataset))

    def text_decimals(self, dataset: Dataset) -> int | None:
        return decimals_of(self) if decimals_of(self) == 2 else None

    def decimal_places(self, dataset: Dataset) -> int | None:
        return decimals_of(self)

    def reads(self, table: Table) -> Iterable[Origin]:
        try:
            yield from ((table.name, name) for name in names(self.formula))
        except FormulaError:
            return  # reported at the formula

    def fill(self, column: ColumnPlan, table: TablePlan, rows: Rows) -> ArrowArray:
        columns = {name: table.column(name) for name in names(self.formula)}
        values = {name: fill(other, table, rows) for name, other in columns.items()}
        tree = parse_formula(self.formula)
        with np.errstate(all="ignore"):
            places = draws_of(self.formula)
            inputs = inputs_of(
                values,
                {name: other.decimal_places for name, other in columns.items()},
                len(rows),
                lambda node: rows.uniforms(table, column, "draw", str(places[id(node)])),
                rows.block.population.dataset.calendar,
            )
            result = formula_value(tree, inputs)
            if isinstance(result, pa.Array):
                return result
            result = np.where(np.isfinite(result), result, np.nan)
            is_missing = np.isnan(result)
            if column.type == pa.float64():
                digits = decimals_of(self) if column.spec.decimals is None else column.spec.decimals
                return pa.array(rounded_value(tree, result, digits, inputs), mask=is_missing)
            if column.type == pa.date32():
                return as_dates(result)
            if column.type == pa.timestamp("us"):
                return as_moments(result)
            if column.type == pa.bool_():
                flags: ArrowArray = pa.array(result == 1.0, mask=is_missing)
                return flags
            integers = np.clip(np.where(is_missing, 0.0, result), -_WHOLE, _WHOLE)
            whole_numbers: ArrowArray = pa.array(np.rint(integers).astype(np.int64), mask=is_missing)
            return whole_numbers


def decimals_of(options: Expression) -> int:
    """Return the number of decimals that numbers are rounded to where the column sets none."""
    tree = parse_formula(options.formula)
    is_round = isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name) and tree.func.id == "round"
    return (digits_of(tree) or 0) if is_round and isinstance(tree, ast.Call) else _DECIMALS


def _kinds(options: Expression, dataset: Dataset) -> dict[str, Kind]:
    table = table_with(options, dataset)
    return {name: kind_of_type(type_in(table.name, name, dataset)) or "number" for name in names(options.formula)}


def _reads_null(node: ast.expr, nullable: Callable[[str], bool]) -> bool:
    if isinstance(node, ast.Name):
        return node.id == NULL or (node.id not in TRUTHS and nullable(node.id))
    is_coalesce = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "coalesce"
    return any(_reads_null(child, nullable) for child in (operands(node)[-1:] if is_coalesce else operands(node)))
