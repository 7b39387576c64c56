"""`expression` with `formula: "round(quantity * unit_price, 2)"`: computed from the other columns of the row.

A null input gives null, and so does an undefined result: a division by zero, a root or logarithm of a negative number.
Numbers are rounded to the decimals of the column, or to those of a round around the formula, or to four, halves away from
zero; sums, differences and products are exact, in fixed-point decimals (`exact.py`). Integers are exact up to 2**53, and
limited to it.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import reduce
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from plotsim_core.arrow import ArrowArray
from plotsim_core.columns.decimals import as_floats
from plotsim_core.columns.dependencies import is_circular, names_in, noun_of, nullable_in, table_with, type_in
from plotsim_core.columns.exact import Exact, exact_column, exact_value
from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import ColumnSource, add_source, fill
from plotsim_core.config.column_source import Origin
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.formula import (
    FormulaError,
    Kind,
    constants,
    digits_of,
    kind_of,
    may_be_undefined,
    names,
    operands,
    parse_formula,
)
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, Table
from plotsim_core.config.words import capitalised, enumeration, phrase
from plotsim_core.errors import Problem
from plotsim_core.families import did_you_mean
from plotsim_core.numerics.arrays import Floats
from plotsim_core.numerics.decimals import half_up
from plotsim_core.plan.plan import ColumnPlan, TablePlan

_DECIMALS = 4
_WHOLE = 2.0**53
_MAX_QUOTED = 60
"""Length of the longest formula that a description quotes, in letters."""
_TYPES: dict[Kind, pa.DataType] = {"whole": pa.int64(), "number": pa.float64(), "bool": pa.bool_(), "text": pa.string()}


@add_source
class Expression(ColumnSource):
    """The `formula`. Its numbers are rounded to the column's `decimals`, by default those of its own round, or four."""

    word = "expression"
    example = "expression"
    is_measure = True

    formula: Annotated[str, Field(min_length=1)]
    """The `formula`."""

    def arrow_type(self, column: Column, dataset: Dataset) -> pa.DataType:
        try:
            return _TYPES[kind_of(parse_formula(self.formula), _kinds(self, dataset))]
        except FormulaError:  # reported at the formula, not where its column is read
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
                yield Problem("formula", f"{table.name} has no column '{name}'", did_you_mean(name, column_names))
        if not unknown_names and is_circular(column, table, scope):
            yield Problem("formula", f"{table.name}.{column.name} depends on itself")

    def problems(self, table: Table, dataset: Dataset) -> Iterable[Problem]:
        for name in names(self.formula):
            type_ = type_in(table.name, name, dataset)
            if _kind(type_) is None:
                yield Problem("formula", f"cannot compute with {table.name}.{name}: it is {noun_of(type_)}")
                return
        try:
            kind_of(parse_formula(self.formula), _kinds(self, dataset))
        except FormulaError as error:
            yield error.problem
            return
        for text, node in constants(parse_formula(self.formula)):
            with np.errstate(all="ignore"):
                value = _value(node, _Read({}, {}, 1))
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
        columns = {other.name: other for other in table.columns}
        values = {name: _read(fill(columns[name], table, rows)) for name in names(self.formula)}
        tree = parse_formula(self.formula)
        with np.errstate(all="ignore"):
            inputs = _Read(values, _exact_columns(values, columns), len(rows))
            result = _value(tree, inputs)
            if isinstance(result, pa.Array):
                return result
            result = np.where(np.isfinite(result), result, np.nan)
            is_missing = np.isnan(result)
            if column.type == pa.float64():
                digits = decimals_of(self) if column.spec.decimals is None else column.spec.decimals
                return pa.array(_rounded(tree, result, digits, inputs), mask=is_missing)
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


def _kind(type_: pa.DataType) -> Kind | None:
    if pa.types.is_decimal(type_):
        return "number"
    return next((kind for kind, arrow_type in _TYPES.items() if arrow_type == type_), None)


def _kinds(options: Expression, dataset: Dataset) -> dict[str, Kind]:
    table = table_with(options, dataset)
    return {name: _kind(type_in(table.name, name, dataset)) or "number" for name in names(options.formula)}


def _reads_null(node: ast.expr, nullable: Callable[[str], bool]) -> bool:
    if isinstance(node, ast.Name):
        return nullable(node.id)
    is_coalesce = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "coalesce"
    return any(_reads_null(child, nullable) for child in (operands(node)[-1:] if is_coalesce else operands(node)))


def _read(values: ArrowArray) -> Any:
    """Return numbers and truths as numbers, NaN for null; texts as they are."""
    if pa.types.is_decimal(values.type):
        return as_floats(values)
    if pa.types.is_string(values.type) or pa.types.is_dictionary(values.type):
        return pc.cast(values, pa.string())
    return pc.cast(values, pa.float64()).fill_null(np.nan).to_numpy(zero_copy_only=False)


@dataclass(frozen=True)
class _Read:
    """Inputs of a formula in `count` rows: each column's `values`, and `exact` fixed-point numbers of some."""

    values: dict[str, Any]
    exact: dict[str, Exact]
    count: int


def _exact_columns(values: dict[str, Any], columns: dict[str, ColumnPlan]) -> dict[str, Exact]:
    decimals = {name: columns[name].decimal_places for name in values}
    return {name: exact_column(values[name], digits) for name, digits in decimals.items() if digits is not None}


def _exact(node: ast.expr, inputs: _Read) -> Exact | None:
    return exact_value(node, inputs.exact, lambda test: _value(test, inputs), inputs.count)


def _rounded(node: ast.expr, doubles: Floats, digits: int, inputs: _Read) -> Floats:
    """Return a formula's numbers, given as `doubles`, rounded to `digits` decimals, in fixed point where exact."""
    rounded = half_up(doubles, digits)
    exact = _exact(node, inputs)
    if exact is None:
        return rounded
    exact = exact.rounded(digits)
    return np.where(exact.is_exact, exact.units / 10.0**digits, rounded)


def _value(node: ast.expr, inputs: _Read) -> Any:
    """Return a formula's value in each row: numbers (truths are 1 and 0, NaN is null), or texts as an Arrow array."""
    if isinstance(node, ast.Name):
        return inputs.values[node.id]
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return pa.repeat(pa.scalar(node.value), inputs.count)
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return np.full(inputs.count, float(node.value))
    values = [_value(child, inputs) for child in operands(node)]
    if isinstance(node, ast.BinOp):
        return _ARITHMETIC[type(node.op)](*values)
    if isinstance(node, ast.UnaryOp):
        return (
            _not(values[0]) if isinstance(node.op, ast.Not) else -values[0] if isinstance(node.op, ast.USub) else values[0]
        )
    if isinstance(node, ast.BoolOp):
        return reduce(_and if isinstance(node.op, ast.And) else _or, values)
    if isinstance(node, ast.Compare):
        return _compared(node.ops[0], *_same_decimals(node, values, inputs))
    if isinstance(node, ast.IfExp):
        return _where(*values)
    assert isinstance(node, ast.Call)
    assert isinstance(node.func, ast.Name)
    if node.func.id == "round":
        return _rounded(node.args[0], values[0], digits_of(node) or 0, inputs)
    return _FUNCTIONS[node.func.id](*values)


def _true(a: Floats) -> Floats:
    return np.where(np.isnan(a), np.nan, (a != 0).astype(np.float64))


def _not(a: Floats) -> Floats:
    return 1.0 - _true(a)


def _and(a: Floats, b: Floats) -> Floats:
    return _true(a) * _true(b)


def _or(a: Floats, b: Floats) -> Floats:
    return np.maximum(_true(a), _true(b))


def _same_decimals(node: ast.Compare, values: list[Any], inputs: _Read) -> list[Any]:
    """Return both sides of a comparison, in fixed point where exact, so that 0.1 + 0.2 equals 0.3."""
    if isinstance(values[0], pa.Array):
        return values
    sides = [_exact(side, inputs) for side in (node.left, node.comparators[0])]
    scales = [side.scale for side in sides if side is not None]
    if len(scales) < 2:
        return values
    return [
        np.where(side.is_exact, side.units / 10.0**side.scale, doubles)
        for side, doubles in zip(sides, values, strict=True)
        if side is not None
    ]


def _compared(op: ast.cmpop, a: Any, b: Any) -> Floats:
    if isinstance(a, pa.Array):
        matches = pc.cast(pc.equal(a, b), pa.float64())
        equal = matches.fill_null(np.nan).to_numpy(zero_copy_only=False)
        return equal if isinstance(op, ast.Eq) else 1.0 - equal
    compare = {
        ast.Lt: np.less,
        ast.LtE: np.less_equal,
        ast.Gt: np.greater,
        ast.GtE: np.greater_equal,
        ast.Eq: np.equal,
        ast.NotEq: np.not_equal,
    }[type(op)]
    return np.where(np.isnan(a) | np.isnan(b), np.nan, compare(a, b).astype(np.float64))


def _where(*values: Any) -> Any:
    """`where(condition, a, b)`, from operands in that order; null where the condition is."""
    condition, a, b = values
    if isinstance(a, pa.Array):
        return pc.if_else(pa.array(_true(condition) == 1.0, mask=np.isnan(condition)), a, b)
    return np.where(np.isnan(condition), np.nan, np.where(condition != 0, a, b))


def _coalesce(*values: Any) -> Any:
    if isinstance(values[0], pa.Array):
        return pc.coalesce(*values)
    return reduce(lambda a, b: np.where(np.isfinite(a), a, b), values)


def _quotient(operation: Callable[[Floats, Floats], Floats]) -> Callable[[Floats, Floats], Floats]:
    return lambda a, b: np.where(b == 0, np.nan, operation(a, b))


_ARITHMETIC: dict[type, Callable[[Floats, Floats], Floats]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: _quotient(np.divide),
    ast.FloorDiv: _quotient(np.floor_divide),
    ast.Mod: _quotient(np.mod),
    ast.Pow: np.power,
}
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": np.abs,
    "ceil": np.ceil,
    "coalesce": _coalesce,
    "exp": np.exp,
    "floor": np.floor,
    "log": np.log,
    "max": lambda *values: reduce(np.maximum, values),
    "min": lambda *values: reduce(np.minimum, values),
    "sqrt": np.sqrt,
    "where": _where,
}
