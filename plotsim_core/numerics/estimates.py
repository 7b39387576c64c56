"""Estimates with standard errors, from cells of units: what a unit does in one period it also did in the last, so units
count as independent and cells do not.

An error around a number that is expected is the root of the sum of squares of what units add to the difference. Few units
that happen to agree have a small error around what they show, but not around what is expected.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def correlation(first: Floats, second: Floats, expected: float | None = None) -> tuple[float, float]:
    """Return (correlation, its standard error) over cells where both are there, counting units as independent; the error is
    that around what is `expected`, or around what is found."""
    both = np.isfinite(first) & np.isfinite(second)
    x = np.where(both, first - _mean(first, both), 0.0)
    y = np.where(both, second - _mean(second, both), 0.0)
    xx, yy, xy = (np.sum(product, axis=0) for product in (x * x, y * y, x * y))
    scale = float(np.sqrt(np.sum(xx) * np.sum(yy)))
    if scale == 0.0:
        return 0.0, float("inf")
    found = float(np.sum(xy) / scale)
    balance = float(np.sqrt(np.sum(yy) / np.sum(xx)))
    centre = found if expected is None else expected
    influence = (xy - 0.5 * centre * (xx * balance + yy / balance)) / scale
    return found, float(np.sqrt(np.sum(influence**2)))


def ratio(values: Floats, base: Floats, where: Flags, expected: float | None = None) -> tuple[float, float]:
    """Return (sum of values over sum of base in some cells, its standard error), counting units as independent; the error is
    that around what is `expected`, or around what is found."""
    there = where & np.isfinite(values)
    above, below = (np.sum(np.where(there, layer, 0.0), axis=0) for layer in (values, base))
    total = float(np.sum(below))
    if total == 0.0:
        return 0.0, float("inf")
    found = float(np.sum(above)) / total
    centre = found if expected is None else expected
    return found, float(np.sqrt(np.sum((above - centre * below) ** 2))) / abs(total)


def _mean(values: Floats, where: Flags) -> float:
    return float(np.mean(values[where])) if where.any() else 0.0
