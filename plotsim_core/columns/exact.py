"""Fixed-point formulas: sums, differences and products of decimals as integers in units of the last decimal.

A row is exact while its numbers have at most 18 digits, decimals included. Other rows, and formulas that divide or take
roots, are doubles.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from plotsim_core.config.formula import digits_of
from plotsim_core.numerics.arrays import Floats, Integers
from plotsim_core.numerics.decimals import EXACT

_LARGEST = 2.0**61
_SCALE = 18
"""Largest number of decimals."""


@dataclass(frozen=True)
class Exact:
    """Fixed-point numbers, one per row: integers `units` with `scale` decimals; `is_exact` is the mask of exact ones."""

    units: Integers
    is_exact: NDArray[np.bool_]
    scale: int

    def at(self, scale: int) -> Exact:
        """Return the same numbers with `scale` decimals, no fewer than they have."""
        if scale == self.scale:
            return self
        in_range = self.is_exact & (np.abs(self.units) < _LARGEST / 10.0 ** (scale - self.scale))
        return Exact(np.where(in_range, self.units, 0) * 10 ** (scale - self.scale), in_range, scale)

    def rounded(self, digits: int) -> Exact:
        """Return the numbers rounded to `digits` decimals, halves away from zero."""
        if digits >= self.scale:
            return self.at(digits)
        step = 10 ** (self.scale - digits)
        return Exact(np.sign(self.units) * ((np.abs(self.units) + step // 2) // step), self.is_exact, digits)


def exact_column(values: Floats, decimals: int) -> Exact:
    """Return a column of numbers with at most so many decimals, NaN for null, as fixed-point numbers."""
    scaled = np.rint(values * 10.0**decimals)
    is_exact = np.abs(scaled) < EXACT
    return Exact(np.where(is_exact, scaled, 0.0).astype(np.int64), is_exact, decimals)


def decimal_count(value: float | str) -> int | None:
    """Return the number of decimals of a number as written; None for NaN and infinity."""
    exponent = Decimal(value if isinstance(value, str) else repr(value)).as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else None


def exact_value(
    node: ast.expr, columns: Mapping[str, Exact], test: Callable[[ast.expr], Floats], count: int
) -> Exact | None:
    """Return a formula's numbers in `count` rows; None for a formula with inexact operations. `test` evaluates conditions,
    to 1, 0 and NaN."""

    def value(child: ast.expr) -> Exact | None:
        return exact_value(child, columns, test, count)

    if isinstance(node, ast.Name):
        return columns.get(node.id)
    if isinstance(node, ast.Constant):
        return _constant(Fraction(str(node.value)), count) if type(node.value) in (int, float) else None
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        operand = value(node.operand)
        negative = operand is not None and isinstance(node.op, ast.USub)
        return Exact(-operand.units, operand.is_exact, operand.scale) if operand is not None and negative else operand
    if isinstance(node, ast.BinOp):
        if isinstance(node.op, ast.Div):
            return _quotient(value(node.left), node.right, count)
        return _combined(_ARITHMETIC.get(type(node.op)), value(node.left), value(node.right))
    if isinstance(node, ast.IfExp):
        return _where(test(node.test), value(node.body), value(node.orelse))
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
        return None
    if node.func.id == "where":
        return _where(test(node.args[0]), value(node.args[1]), value(node.args[2]))
    arguments = [value(child) for child in node.args]
    if node.func.id == "round":
        return None if arguments[0] is None else arguments[0].rounded(digits_of(node) or 0)
    if node.func.id == "abs":
        return None if arguments[0] is None else Exact(np.abs(arguments[0].units), arguments[0].is_exact, arguments[0].scale)
    operation = {"min": _least, "max": _most}.get(node.func.id)
    return None if operation is None else reduce(lambda a, b: _combined(operation, a, b), arguments)


def _constant(value: Fraction, count: int) -> Exact | None:
    scale = next((scale for scale in range(_SCALE + 1) if (value * 10**scale).denominator == 1), None)
    if scale is None or abs(value) * 10**scale >= _LARGEST:
        return None
    return Exact(np.full(count, int(value * 10**scale)), np.ones(count, dtype=bool), scale)


def _quotient(left: Exact | None, right: ast.expr, count: int) -> Exact | None:
    """Return the quotient by a constant whose inverse is a finite decimal, such as 100."""
    if not isinstance(right, ast.Constant) or type(right.value) not in (int, float) or not right.value:
        return None
    return _combined(_product, left, _constant(1 / Fraction(str(right.value)), count))


def _combined(operation: Callable[[Exact, Exact], Exact] | None, a: Exact | None, b: Exact | None) -> Exact | None:
    if operation is None or a is None or b is None or (operation is _product and a.scale + b.scale > _SCALE):
        return None
    return operation(a, b)


def _rescaled(operation: Callable[[Integers, Integers], Integers]) -> Callable[[Exact, Exact], Exact]:
    def apply(a: Exact, b: Exact) -> Exact:
        scale = max(a.scale, b.scale)
        a, b = a.at(scale), b.at(scale)
        in_range = (np.abs(a.units) < _LARGEST) & (np.abs(b.units) < _LARGEST)
        return Exact(operation(a.units, b.units), a.is_exact & b.is_exact & in_range, scale)

    return apply


def _product(a: Exact, b: Exact) -> Exact:
    in_range = np.abs(a.units.astype(np.float64)) * np.abs(b.units.astype(np.float64)) < _LARGEST
    return Exact(np.where(in_range, a.units, 0) * b.units, a.is_exact & b.is_exact & in_range, a.scale + b.scale)


def _where(condition: Floats, a: Exact | None, b: Exact | None) -> Exact | None:
    if a is None or b is None:
        return None
    scale = max(a.scale, b.scale)
    a, b = a.at(scale), b.at(scale)
    is_true = condition != 0
    return Exact(
        np.where(is_true, a.units, b.units), np.where(is_true, a.is_exact, b.is_exact) & ~np.isnan(condition), scale
    )


_least, _most = _rescaled(np.minimum), _rescaled(np.maximum)
_ARITHMETIC: dict[type[ast.operator], Callable[[Exact, Exact], Exact]] = {
    ast.Add: _rescaled(np.add),
    ast.Sub: _rescaled(np.subtract),
    ast.Mult: _product,
}
