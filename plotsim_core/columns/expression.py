"""`expression` with `formula: "round(quantity * unit_price, 2)"`: computed from the other columns of the row.

A null in what is read gives null, and so does what has no value: a division by zero, a root or logarithm of a negative.
Numbers are rounded to the decimals of the column, or to those of a round around the formula, or to four, halves away from
zero: sums, differences and products by the decimals themselves (`exact.py`). Whole ones are exact up to 2**53, and end
there.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import reduce
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from plotsim_core.columns.decimals import as_floats
from plotsim_core.columns.exact import Exact, exact_column, exact_value
from plotsim_core.columns.reads import circle, names_in, noun_of, nullable_in, table_with, type_in
from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import Source, add_source, fill
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
    parsed,
)
from plotsim_core.config.model import Part
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, SourceWords, Table
from plotsim_core.config.words import begun, phrase, several
from plotsim_core.errors import Problem
from plotsim_core.families import did_you_mean
from plotsim_core.numerics.decimals import half_up
from plotsim_core.numerics.random import Floats
from plotsim_core.plan.plan import ColumnPlan, TablePlan

_DECIMALS = 4
_WHOLE = 2.0**53
_SPELT_OUT = 60
"""The longest formula that a description spells out, in letters."""
_TYPES: dict[Kind, pa.DataType] = {"whole": pa.int64(), "number": pa.float64(), "bool": pa.bool_(), "text": pa.string()}


class Options(Part):
    """The `formula`. Its numbers are rounded to the column's `decimals`, by default those of its own round, or four."""

    formula: Annotated[str, Field(min_length=1)]


def decimals_of(options: Options) -> int:
    """Return to how many decimals numbers are rounded where the column does not say."""
    tree = parsed(options.formula)
    rounded = isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name) and tree.func.id == "round"
    return (digits_of(tree) or 0) if rounded and isinstance(tree, ast.Call) else _DECIMALS


def _kind(type_: pa.DataType) -> Kind | None:
    if pa.types.is_decimal(type_):
        return "number"
    return next((kind for kind, known in _TYPES.items() if known == type_), None)


def _kinds(options: Options, dataset: Dataset) -> dict[str, Kind]:
    table = table_with(options, dataset)
    return {name: _kind(type_in(table.name, name, dataset)) or "number" for name in names(options.formula)}


def _arrow(options: Options, column: Column, dataset: Dataset) -> pa.DataType:
    try:
        return _TYPES[kind_of(parsed(options.formula), _kinds(options, dataset))]
    except FormulaError:  # which is told where the formula stands, not where its column is read
        return pa.float64()


def _nullable(options: Options, dataset: Dataset) -> bool:
    table, tree = table_with(options, dataset), parsed(options.formula)
    return may_be_undefined(tree) or _reads_null(tree, lambda name: nullable_in(table.name, name, dataset))


def _reads_null(node: ast.expr, nullable: Callable[[str], bool]) -> bool:
    if isinstance(node, ast.Name):
        return nullable(node.id)
    last = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "coalesce"
    return any(_reads_null(child, nullable) for child in (operands(node)[-1:] if last else operands(node)))


def _check(options: Options, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
    try:
        read = names(options.formula)
    except FormulaError as error:
        yield error.problem
        return
    known = [other for other in names_in(scope.tables[table.name]) if other != column.name]
    unknown = [name for name in read if name not in known]
    for name in unknown:
        if name == column.name:
            yield Problem("formula", f"{table.name}.{name} depends on itself")
        else:
            yield Problem("formula", f"{table.name} has no column '{name}'", did_you_mean(name, known))
    if not unknown and circle(column, table, scope):
        yield Problem("formula", f"{table.name}.{column.name} depends on itself")


def _wrong(options: Options, table: Table, dataset: Dataset) -> Iterable[Problem]:
    for name in names(options.formula):
        type_ = type_in(table.name, name, dataset)
        if _kind(type_) is None:
            yield Problem("formula", f"cannot compute with {table.name}.{name}: it is {noun_of(type_)}")
            return
    try:
        kind_of(parsed(options.formula), _kinds(options, dataset))
    except FormulaError as error:
        yield error.problem
        return
    for written, part in constants(parsed(options.formula)):
        with np.errstate(all="ignore"):
            found = _value(part, _Read({}, {}, 1))
        if not isinstance(found, pa.Array) and not np.isfinite(found[0]):
            yield Problem("formula", f"{written} has no value: it is larger than any number, or not defined")
            return


def _reads(options: Options, table: Table) -> Iterator[tuple[str, str]]:
    try:
        yield from ((table.name, name) for name in names(options.formula))
    except FormulaError:
        return  # reported where it stands


def _fill(column: ColumnPlan, table: TablePlan, rows: Rows) -> pa.Array:
    options = column.spec.source
    assert isinstance(options, Options)
    by_name = {other.name: other for other in table.columns}
    values = {name: _read(fill(by_name[name], table, rows)) for name in names(options.formula)}
    tree = parsed(options.formula)
    with np.errstate(all="ignore"):
        read = _Read(values, _exact_columns(values, by_name), len(rows))
        found = _value(tree, read)
        if isinstance(found, pa.Array):
            return found
        found = np.where(np.isfinite(found), found, np.nan)
        missing = np.isnan(found)
        if column.type == pa.float64():
            digits = decimals_of(options) if column.spec.decimals is None else column.spec.decimals
            return pa.array(_rounded(tree, found, digits, read), mask=missing)
        if column.type == pa.bool_():
            return pa.array(found == 1.0, mask=missing)
        whole = np.clip(np.where(missing, 0.0, found), -_WHOLE, _WHOLE)
        return pa.array(np.rint(whole).astype(np.int64), mask=missing)


def _read(values: pa.Array) -> Any:
    """Return numbers and truths as numbers, NaN for null; texts as they are."""
    if pa.types.is_decimal(values.type):
        return as_floats(values)
    if pa.types.is_string(values.type) or pa.types.is_dictionary(values.type):
        return pc.cast(values, pa.string())
    return pc.fill_null(pc.cast(values, pa.float64()), np.nan).to_numpy(zero_copy_only=False)


@dataclass(frozen=True)
class _Read:
    """What a formula reads in `count` rows: each column's `values`, and as `exact` numbers those that have decimals."""

    values: dict[str, Any]
    exact: dict[str, Exact]
    count: int


def _exact_columns(values: dict[str, Any], columns: dict[str, ColumnPlan]) -> dict[str, Exact]:
    places = {name: columns[name].places for name in values}
    return {name: exact_column(values[name], place) for name, place in places.items() if place is not None}


def _exact(node: ast.expr, read: _Read) -> Exact | None:
    return exact_value(node, read.exact, lambda test: _value(test, read), read.count)


def _rounded(node: ast.expr, found: Floats, digits: int, read: _Read) -> Floats:
    """Return a formula's numbers, `found` as doubles, rounded to so many decimals."""
    rounded = half_up(found, digits)
    exact = _exact(node, read)
    if exact is None:
        return rounded
    exact = exact.rounded(digits)
    return np.where(exact.known, exact.units / 10.0**digits, rounded)


def _value(node: ast.expr, read: _Read) -> Any:
    """Return a formula's value in each row: numbers (truths are 1 and 0, NaN is null), or texts as an Arrow array."""
    if isinstance(node, ast.Name):
        return read.values[node.id]
    if isinstance(node, ast.Constant):
        if isinstance(node.value, str):
            return pa.repeat(pa.scalar(node.value), read.count)
        return np.full(read.count, float(node.value))  # type: ignore[arg-type]
    found = [_value(child, read) for child in operands(node)]
    if isinstance(node, ast.BinOp):
        return _ARITHMETIC[type(node.op)](*found)
    if isinstance(node, ast.UnaryOp):
        return _not(found[0]) if isinstance(node.op, ast.Not) else -found[0] if isinstance(node.op, ast.USub) else found[0]
    if isinstance(node, ast.BoolOp):
        return reduce(_and if isinstance(node.op, ast.And) else _or, found)
    if isinstance(node, ast.Compare):
        return _compared(node.ops[0], *_same_decimals(node, found, read))
    if isinstance(node, ast.IfExp):
        return _where(*found)
    assert isinstance(node, ast.Call)
    assert isinstance(node.func, ast.Name)
    if node.func.id == "round":
        return _rounded(node.args[0], found[0], digits_of(node) or 0, read)
    return _FUNCTIONS[node.func.id](*found)


def _true(a: Floats) -> Floats:
    return np.where(np.isnan(a), np.nan, (a != 0).astype(np.float64))


def _not(a: Floats) -> Floats:
    return 1.0 - _true(a)


def _and(a: Floats, b: Floats) -> Floats:
    return _true(a) * _true(b)


def _or(a: Floats, b: Floats) -> Floats:
    return np.maximum(_true(a), _true(b))


def _same_decimals(node: ast.Compare, found: list[Any], read: _Read) -> list[Any]:
    """Return what is compared: sums and products by their decimals, so that 0.1 + 0.2 is 0.3."""
    if isinstance(found[0], pa.Array):
        return found
    sides = [_exact(side, read) for side in (node.left, node.comparators[0])]
    scales = [side.scale for side in sides if side is not None]
    if len(scales) < 2:
        return found
    return [
        np.where(side.known, side.units / 10.0**side.scale, doubles)
        for side, doubles in zip(sides, found, strict=True)
        if side is not None
    ]


def _compared(op: ast.cmpop, a: Any, b: Any) -> Floats:
    if isinstance(a, pa.Array):
        same = pc.cast(pc.equal(a, b), pa.float64())
        equal = pc.fill_null(same, np.nan).to_numpy(zero_copy_only=False)
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


def _where(*found: Any) -> Any:
    """`where(condition, a, b)`, from operands in that order; null where the condition is."""
    test, a, b = found
    if isinstance(a, pa.Array):
        return pc.if_else(pa.array(_true(test) == 1.0, mask=np.isnan(test)), a, b)
    return np.where(np.isnan(test), np.nan, np.where(test != 0, a, b))


def _coalesce(*found: Any) -> Any:
    if isinstance(found[0], pa.Array):
        return pc.coalesce(*found)
    return reduce(lambda a, b: np.where(np.isfinite(a), a, b), found)


def _divided(how: Callable[[Floats, Floats], Floats]) -> Callable[[Floats, Floats], Floats]:
    return lambda a, b: np.where(b == 0, np.nan, how(a, b))


_ARITHMETIC: dict[type, Callable[[Floats, Floats], Floats]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: _divided(np.divide),
    ast.FloorDiv: _divided(np.floor_divide),
    ast.Mod: _divided(np.mod),
    ast.Pow: np.power,
}
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": np.abs,
    "ceil": np.ceil,
    "coalesce": _coalesce,
    "exp": np.exp,
    "floor": np.floor,
    "log": np.log,
    "max": lambda *found: reduce(np.maximum, found),
    "min": lambda *found: reduce(np.minimum, found),
    "sqrt": np.sqrt,
    "where": _where,
}


def _describe(options: Options, column: Column, table: Table, dataset: Dataset) -> str:
    """Say the formula, or where it is long, what it reads."""
    read = several(name for _, name in _reads(options, table))
    how = f"computed as {options.formula}" if len(options.formula) <= _SPELT_OUT or not read else f"computed from {read}"
    return f"{begun(phrase(column.name))}, {how}."


add_source(
    "expression",
    SourceWords(
        options=Options,
        arrow=_arrow,
        example="expression",
        check=_check,
        nullable=_nullable,
        describe=_describe,
        decimals=lambda options, dataset: decimals_of(options) if decimals_of(options) == 2 else None,
        places=lambda options, dataset: decimals_of(options),
        reads=_reads,
        wrong=_wrong,
    ),
    Source(_fill),
)
