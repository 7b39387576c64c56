"""`expression` with `formula: "round(quantity * unit_price, 2)"`: computed from the other columns of the row.

A null input gives null, and so does an undefined result: a division by zero, a root or logarithm of a negative number.
Numbers are rounded to the decimals of the column, or to those of a round around the formula, or to four, halves away from
zero; sums, differences and products are exact, in fixed-point decimals (`exact.py`). Integers are exact up to 2**53, and
limited to it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import Annotated

import numpy as np
import pyarrow as pa
from pydantic import Field

from plotsim_core.arrow import ArrowArray
from plotsim_core.columns.dependencies import table_with
from plotsim_core.columns.formula_dates import as_dates, as_moments
from plotsim_core.columns.formula_inputs import row_inputs
from plotsim_core.columns.formula_problems import input_kinds, may_have_nulls, name_problems, value_problems
from plotsim_core.columns.formula_steps import draw_steps
from plotsim_core.columns.formula_values import formula_value, rounded_value
from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import ColumnSource, add_source
from plotsim_core.config.column_source import Origin
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.formula import (
    FormulaError,
    digits_of,
    names,
    parse_formula,
)
from plotsim_core.config.formula_functions import Kind
from plotsim_core.config.formula_kinds import FORMULA_TYPES, kind_of
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, Table
from plotsim_core.config.words import capitalised, enumeration, phrase
from plotsim_core.engine.steps import Step
from plotsim_core.errors import Problem
from plotsim_core.plan.plan import ColumnPlan, TablePlan

_DECIMALS = 4
_WHOLE = 2.0**53
_MAX_QUOTED = 60
"""Length of the longest formula that a description quotes, in letters."""


@add_source
class Expression(ColumnSource):
    """The `formula`. Its numbers are rounded to the column's `decimals`, by default those of its own round, or four."""

    word = "expression"
    in_cases = True
    example = "expression"
    is_measure = True

    formula: Annotated[str, Field(min_length=1)]
    """The `formula`."""

    @property
    def formula_texts(self) -> tuple[str, ...]:
        return (self.formula,)

    def arrow_type(self, column: Column, dataset: Dataset) -> pa.DataType:
        try:
            return FORMULA_TYPES[kind_of(parse_formula(self.formula), _kinds(self, dataset))]
        except (FormulaError, KeyError):  # reported at the formula, not where its column is read
            return pa.float64()

    def check(self, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
        return name_problems(self.formula, "formula", column, table, scope)

    def problems(self, table: Table, dataset: Dataset) -> Iterable[Problem]:
        problems = list(value_problems(self.formula, "formula", table, dataset))
        yield from problems
        if not problems and kind_of(parse_formula(self.formula), _kinds(self, dataset)) == "span":
            yield Problem("formula", "is a span of time, which no column holds", "divide it: (ended - began) / hours(1)")

    def describe(self, column: Column, table: Table, dataset: Dataset) -> str:
        """Describe the column by its formula, or by the inputs of a long one."""
        inputs = enumeration(name for _, name in self.reads(table))
        method = (
            f"computed as {self.formula}" if len(self.formula) <= _MAX_QUOTED or not inputs else f"computed from {inputs}"
        )
        return f"{capitalised(phrase(column.name))}, {method}."

    def is_nullable(self, column: Column, dataset: Dataset) -> bool:
        return may_have_nulls(self.formula, table_with(self, dataset), dataset)

    def text_decimals(self, dataset: Dataset) -> int | None:
        return decimals_of(self) if decimals_of(self) == 2 else None

    def decimal_places(self, dataset: Dataset) -> int | None:
        return decimals_of(self)

    def reads(self, table: Table) -> Iterable[Origin]:
        try:
            yield from ((table.name, name) for name in names(self.formula))
        except FormulaError:
            return  # reported at the formula

    def row_steps(self, column: ColumnPlan, table: TablePlan, row: Rows) -> list[Step]:
        with np.errstate(all="ignore"):
            return draw_steps(self.formula, row_inputs(self.formula, column, table, row))

    def fill(self, column: ColumnPlan, table: TablePlan, rows: Rows) -> ArrowArray:
        tree = parse_formula(self.formula)
        with np.errstate(all="ignore"):
            inputs = row_inputs(self.formula, column, table, rows)
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
    return input_kinds(options.formula, table_with(options, dataset), dataset)
