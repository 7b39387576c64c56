"""Estimates with standard errors, from cells of units: what a unit does in one period it also did in the last, so units
count as independent and cells do not.

An error around a number that is expected is the root of the sum of squares of what units add to the difference. Few units
that happen to agree have a small error around what they show, but not around what is expected.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from plotsim_core.numerics.arrays import Flags, Floats, Integers


def correlation(first: Floats, second: Floats, expected: float | None = None) -> tuple[float, float]:
    """Return (correlation, its standard error) over cells where both are known, counting units as independent; the error
    is that around the `expected` correlation, or around the estimate."""
    is_known = np.isfinite(first) & np.isfinite(second)
    x = np.where(is_known, first - _mean(first, is_known), 0.0)
    y = np.where(is_known, second - _mean(second, is_known), 0.0)
    xx, yy, xy = (np.sum(product, axis=0) for product in (x * x, y * y, x * y))
    scale = float(np.sqrt(np.sum(xx) * np.sum(yy)))
    if scale == 0.0:
        return 0.0, float("inf")
    coefficient = float(np.sum(xy) / scale)
    balance = float(np.sqrt(np.sum(yy) / np.sum(xx)))
    centre = coefficient if expected is None else expected
    influence = (xy - 0.5 * centre * (xx * balance + yy / balance)) / scale
    return coefficient, float(np.sqrt(np.sum(influence**2)))


def ratio(values: Floats, base: Floats, mask: Flags, expected: float | None = None) -> tuple[float, float]:
    """Return (sum of values over sum of base in some cells, its standard error), counting units as independent; the error is
    that around the `expected` ratio, or around the estimate."""
    is_known = mask & np.isfinite(values)
    numerators, denominators = (np.sum(np.where(is_known, layer, 0.0), axis=0) for layer in (values, base))
    total = float(np.sum(denominators))
    if total == 0.0:
        return 0.0, float("inf")
    quotient = float(np.sum(numerators)) / total
    centre = quotient if expected is None else expected
    return quotient, float(np.sqrt(np.sum((numerators - centre * denominators) ** 2))) / abs(total)


def _mean(values: Floats, mask: Flags) -> float:
    return float(np.mean(values[mask])) if mask.any() else 0.0


def rank_correlation(first: Floats, second: Floats) -> tuple[float, float]:
    """Return (correlation of ranks, its standard error) over cells where both are known, counting units as independent.

    Arrays are (periods, units), NaN where no value is known. The error is that of Spearman's coefficient: what a cell adds
    to it also moves the ranks of the cells above (Hájek's projection).
    """
    is_known = np.isfinite(first) & np.isfinite(second)
    count = int(np.count_nonzero(is_known))
    if count < 2:
        return 0.0, float("inf")
    (x, x_sums), (y, y_sums) = (_ranks(values[is_known]) for values in (first, second))
    scale = float(np.sqrt(np.mean(x * x) * np.mean(y * y)))
    if scale == 0.0:
        return 0.0, float("inf")
    coefficient = float(np.mean(x * y)) / scale
    influence = (x * y + x_sums(y) + y_sums(x)) / scale
    units = np.broadcast_to(np.arange(is_known.shape[1]), is_known.shape)[is_known]
    of_units = np.bincount(units, influence - np.mean(influence))
    return coefficient, float(np.sqrt(np.sum(of_units**2))) / count


def _ranks(values: Floats) -> tuple[Floats, Callable[[Floats], Floats]]:
    """Return (ranks of values, a function of further numbers of the same cells). Ranks are shares of all cells, around 0;
    equal values have the mean of theirs (`scipy.stats` has this, and is slow to import). The function gives, for each cell,
    the sum of the numbers of the cells whose values are at least its own, as a share of all cells."""
    count = len(values)
    order = np.argsort(values)
    starts, stops = _runs(values[order])
    ranks = np.empty(count, dtype=np.float64)
    ranks[order] = (0.5 * (starts + stops + 1) - 0.5 * (count + 1)) / count

    def sums(numbers: Floats) -> Floats:
        from_the_end = np.cumsum(numbers[order][::-1])[::-1]
        shares = np.empty(count, dtype=np.float64)
        shares[order] = from_the_end[starts] / count
        return shares

    return ranks, sums


def _runs(in_order: Floats) -> tuple[Integers, Integers]:
    """Return where the run of equal values begins that each of some sorted values is in, and where the next one does."""
    begins = np.flatnonzero(np.append(True, in_order[1:] != in_order[:-1]))
    lengths = np.diff(np.append(begins, len(in_order)))
    return np.repeat(begins, lengths), np.repeat(begins + lengths, lengths)
