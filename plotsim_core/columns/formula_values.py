"""The values of formulas, on whole arrays: numbers as doubles (truths are 1 and 0, NaN is null), texts as Arrow arrays.

Sums, differences and products are exact, in fixed-point decimals (`exact.py`).
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from plotsim_core.arrow import ArrowArray, joined
from plotsim_core.columns.decimals import as_floats, decimal_texts, is_writable
from plotsim_core.columns.exact import Exact, exact_column, exact_value
from plotsim_core.columns.formula_dates import (
    IN_ZONES,
    OF_DAYS,
    OF_MOMENTS,
    SPANS,
    day_input,
    days_of,
    moment_input,
    moments_of,
    written,
)
from plotsim_core.columns.working_days import WORKING_DAYS
from plotsim_core.config.calendar import Calendar
from plotsim_core.config.formula import NULL, PICK, TRUTHS, digits_of, format_of, length_of, operands, written_date
from plotsim_core.config.formula_functions import Kind
from plotsim_core.config.formula_kinds import kind_of, kind_of_type
from plotsim_core.numerics.arrays import Floats
from plotsim_core.numerics.decimals import half_up
from plotsim_core.numerics.draws import DRAWS
from plotsim_core.numerics.zones import zone_names

_DECIMALS = 4
"""Decimals of a number as a text that says no others."""


def formula_input(values: ArrowArray) -> Any:
    """Return numbers and truths as numbers, dates as days, moments as microseconds, NaN for null; texts as they are."""
    if pa.types.is_date(values.type):
        return day_input(values)
    if pa.types.is_timestamp(values.type):
        return moment_input(values)
    if pa.types.is_decimal(values.type):
        return as_floats(values)
    if pa.types.is_string(values.type) or pa.types.is_dictionary(values.type):
        return pc.cast(values, pa.string())
    return pc.cast(values, pa.float64(), safe=False).fill_null(np.nan).to_numpy(zero_copy_only=False)


@dataclass(frozen=True)
class Inputs:
    """Inputs of a formula in `count` rows: each column's `values`, and `exact` fixed-point numbers of some; the `kinds` of
    columns; `uniforms` gives the uniforms of a draw, by its node; `calendar` says which days are working days."""

    values: dict[str, Any]
    exact: dict[str, Exact]
    count: int
    kinds: Mapping[str, Kind] = field(default_factory=dict)
    uniforms: Callable[[ast.expr], Floats] | None = None
    calendar: Calendar = field(default_factory=Calendar)


def inputs_of(
    columns: Mapping[str, ArrowArray],
    decimals: Mapping[str, int | None],
    count: int,
    calendar: Calendar,
    uniforms: Callable[[ast.expr], Floats] | None = None,
) -> Inputs:
    """Return the inputs of a formula: `columns` by name, with the most `decimals` of each (None: those of a double), the
    dataset's `calendar`, and the `uniforms` of its draws."""
    values = {name: formula_input(array) for name, array in columns.items()}
    kinds = {name: kind_of_type(array.type) or "number" for name, array in columns.items()}
    exact = {name: exact_column(values[name], digits) for name, digits in decimals.items() if digits is not None}
    return Inputs(values, exact, count, kinds, uniforms, calendar)


def _exact(node: ast.expr, inputs: Inputs) -> Exact | None:
    return exact_value(node, inputs.exact, lambda test: formula_value(test, inputs), inputs.count)


def rounded_value(node: ast.expr, doubles: Floats, digits: int, inputs: Inputs) -> Floats:
    """Return a formula's numbers, given as `doubles`, rounded to `digits` decimals, in fixed point where exact."""
    rounded = half_up(doubles, digits)
    exact = _exact(node, inputs)
    if exact is None:
        return rounded
    exact = exact.rounded(digits)
    return np.where(exact.is_exact, exact.units / 10.0**digits, rounded)


def formula_value(node: ast.expr, inputs: Inputs) -> Any:
    """Return a formula's value in each row: numbers (truths are 1 and 0, NaN is null), or texts as an Arrow array."""
    if isinstance(node, ast.Name):
        if node.id in TRUTHS and node.id not in inputs.values:
            return np.full(inputs.count, float(TRUTHS[node.id]))
        return None if node.id == NULL else inputs.values[node.id]
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return pa.repeat(pa.scalar(node.value), inputs.count)
    if isinstance(node, ast.Call) and (day := written_date(node)) is not None:
        return np.full(inputs.count, float(np.datetime64(day).astype(np.int64)))
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return np.full(inputs.count, float(node.value))
    values = [formula_value(child, inputs) for child in operands(node)]
    if isinstance(node, ast.BinOp):
        is_text = isinstance(values[0], pa.Array)
        return joined(*values) if is_text else _ARITHMETIC[type(node.op)](*values)
    if isinstance(node, ast.UnaryOp):
        return (
            _not(values[0]) if isinstance(node.op, ast.Not) else -values[0] if isinstance(node.op, ast.USub) else values[0]
        )
    if isinstance(node, ast.BoolOp):
        return reduce(_and if isinstance(node.op, ast.And) else _or, values)
    if isinstance(node, ast.Compare):
        return _compared(node.ops[0], *_same_decimals(node, values, inputs))
    if isinstance(node, ast.IfExp):
        return _where(*_with_nulls(values, inputs.count))
    assert isinstance(node, ast.Call)
    assert isinstance(node.func, ast.Name)
    if node.func.id in DRAWS:
        return DRAWS[node.func.id].drawn(_uniforms(node, inputs), *values)
    whole_values = _with_nulls(values, inputs.count)
    if node.func.id in _OF_CALLS:
        return _OF_CALLS[node.func.id](node, whole_values, inputs)
    return _FUNCTIONS[node.func.id](*whole_values)


def _uniforms(node: ast.expr, inputs: Inputs) -> Floats:
    if inputs.uniforms is None:
        raise TypeError(f"nothing is drawn in {ast.unparse(node)}")
    return inputs.uniforms(node)


def _rounded(node: ast.Call, values: list[Any], inputs: Inputs) -> Floats:
    return rounded_value(node.args[0], values[0], digits_of(node) or 0, inputs)


def _number_text(node: ast.Call, values: list[Any], inputs: Inputs) -> Any:
    """Return numbers as texts: with as many decimals as the call says, or as they have, up to four; null of one with too
    many digits. Dates and moments are written by a format, or as ISO 8601 has them."""
    kind = kind_of(node.args[0], inputs.kinds)
    if kind in ("date", "moment"):
        return written(values[0], kind == "date", format_of(node))
    if kind == "bool":
        return pc.if_else(pa.array(values[0] == 1.0, mask=np.isnan(values[0])), "true", "false")
    numbers, digits = values[0], digits_of(node) or 0 if len(node.args) > 1 else _DECIMALS
    can_write = is_writable(numbers, digits)
    rounded = rounded_value(node.args[0], np.where(can_write, numbers, 0.0), digits, inputs)
    texts = decimal_texts(np.where(can_write, rounded, np.nan), digits)
    return texts if len(node.args) > 1 else pc.replace_substring_regex(texts, r"\.?0+$", "")


def _of_days(node: ast.Call, values: list[Any], inputs: Inputs) -> Floats:
    """Return a function of dates, or of the dates of moments; null where one of its values is."""
    kinds = [kind_of(child, inputs.kinds) for child in node.args]
    days = [days_of(value) if kind == "moment" else value for value, kind in zip(values, kinds, strict=True)]
    is_known = np.all([~np.isnan(value) for value in days], axis=0)
    assert isinstance(node.func, ast.Name)
    return np.where(is_known, OF_DAYS[node.func.id](*days), np.nan)


def _of_calendar(node: ast.Call, values: list[Any], inputs: Inputs) -> Floats:
    """Return a function of dates and working days; null where one of its values is."""
    kinds = [kind_of(child, inputs.kinds) for child in node.args]
    numbers = [days_of(value) if kind == "moment" else value for value, kind in zip(values, kinds, strict=True)]
    is_known = ~np.isnan(numbers[0]) & ~np.isnan(numbers[1])
    result = np.full(inputs.count, np.nan)
    assert isinstance(node.func, ast.Name)
    if is_known.any():
        result[is_known] = WORKING_DAYS[node.func.id](inputs.calendar, *(number[is_known] for number in numbers))
    return result


def _zoned(node: ast.Call, values: list[Any], inputs: Inputs) -> Floats:
    """Return moments of UTC as the clocks of a zone show them, or back; null where there is no such zone."""
    moments, zones = values[0], pc.dictionary_encode(values[1])
    result = np.full(inputs.count, np.nan)
    codes = zones.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    assert isinstance(node.func, ast.Name)
    for code, zone in enumerate(zones.dictionary.to_pylist()):
        rows = np.flatnonzero((codes == code) & ~np.isnan(moments))
        if len(rows) and zone in zone_names():
            result[rows] = IN_ZONES[node.func.id](zone, moments[rows])
    return result


def _span(node: ast.Call, values: list[Any], inputs: Inputs) -> Floats:
    assert isinstance(node.func, ast.Name)
    spans: Floats = np.rint(values[0] * SPANS[node.func.id])
    return spans


def _first_letters(node: ast.Call, values: list[Any], inputs: Inputs) -> Any:
    return pc.utf8_slice_codeunits(values[0], 0, length_of(node))


def _last_letters(node: ast.Call, values: list[Any], inputs: Inputs) -> Any:
    return pc.utf8_slice_codeunits(values[0], -(length_of(node) or 0))


def _with_nulls(values: list[Any], count: int) -> list[Any]:
    """Return values with nulls of their kind in the place of None."""
    has_texts = any(isinstance(value, pa.Array) for value in values)
    nulls: Any = pa.nulls(count, pa.string()) if has_texts else np.full(count, np.nan)
    return [nulls if value is None else value for value in values]


def _picked(node: ast.Call, values: list[Any], inputs: Inputs) -> Any:
    """Return one of some values for each row, each as likely."""
    index = (_uniforms(node, inputs) * len(values)).astype(np.int64)
    return pc.choose(pa.array(index), *values) if isinstance(values[0], pa.Array) else np.choose(index, values)


def _true(a: Floats) -> Floats:
    return np.where(np.isnan(a), np.nan, (a != 0).astype(np.float64))


def _not(a: Floats) -> Floats:
    return 1.0 - _true(a)


def _and(a: Floats, b: Floats) -> Floats:
    return _true(a) * _true(b)


def _or(a: Floats, b: Floats) -> Floats:
    return np.maximum(_true(a), _true(b))


def _same_decimals(node: ast.Compare, values: list[Any], inputs: Inputs) -> list[Any]:
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


def _is_null(values: Any) -> Floats:
    flags = pc.is_null(values).to_numpy(zero_copy_only=False) if isinstance(values, pa.Array) else np.isnan(values)
    return np.asarray(flags, dtype=np.float64)


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
    **OF_MOMENTS,
    "abs": np.abs,
    "ceil": np.ceil,
    "coalesce": _coalesce,
    "date": days_of,
    "exp": np.exp,
    "floor": np.floor,
    "is_null": _is_null,
    "log": np.log,
    "lower": pc.utf8_lower,
    "max": lambda *values: reduce(np.maximum, values),
    "min": lambda *values: reduce(np.minimum, values),
    "moment": moments_of,
    "sqrt": np.sqrt,
    "upper": pc.utf8_upper,
    "where": _where,
}
"""Functions of the values of their arguments."""
_OF_CALLS: dict[str, Callable[[ast.Call, list[Any], Inputs], Any]] = {
    **dict.fromkeys(OF_DAYS, _of_days),
    **dict.fromkeys(WORKING_DAYS, _of_calendar),
    **dict.fromkeys(IN_ZONES, _zoned),
    **dict.fromkeys(SPANS, _span),
    "left": _first_letters,
    PICK: _picked,
    "right": _last_letters,
    "round": _rounded,
    "text": _number_text,
}
"""Functions that read more of a call than the values of its arguments."""
