"""Statistics of arrays of shape (periods, units). Standard errors take units, not cells, as independent of each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from plotsim_core.numerics.arrays import Floats

Estimate = tuple[float, float]
"""(what is found, its standard error)."""


def by_segment_and_period(values: Floats, segment: NDArray[np.int64]) -> Floats:
    """Return values less their mean over the units of the same segment and period, in standard deviations of those.

    It needs no knowledge of what was expected. Where all units are the same there is nothing to say: NaN.
    """
    result = np.full(values.shape, np.nan)
    for place in np.unique(segment):
        is_member = segment == place
        part = np.asarray(values[:, is_member], dtype=np.float64)
        mean, spread = part.mean(axis=1, keepdims=True), part.std(axis=1, keepdims=True)
        is_varied = spread > 1e-9 * np.maximum(np.abs(mean), 1.0)
        result[:, is_member] = np.where(is_varied, (part - mean) / np.where(is_varied, spread, 1.0), np.nan)
    return result


def correlation(first: Floats, second: Floats) -> Estimate:
    """Return the Pearson correlation over cells where both are known.

    The error is that of the influence function z1 z2 - r (z1^2 + z2^2) / 2, summed within units.
    """
    both = np.isfinite(first) & np.isfinite(second)
    known = int(both.sum())
    if known == 0:
        return float("nan"), float("nan")
    if known < both.size:
        first, second = np.where(both, first, 0.0), np.where(both, second, 0.0)
    a = (first - first.sum() / known) * both
    b = (second - second.sum() / known) * both
    spread = float(np.sqrt((a * a).sum() * (b * b).sum()))
    if spread == 0.0:
        return float("nan"), float("nan")
    a, b = a * np.sqrt(known / (a * a).sum()), b * np.sqrt(known / (b * b).sum())
    products = a * b
    coefficient = float(products.sum() / known)
    influence = (products - 0.5 * coefficient * (a * a + b * b)).sum(axis=0)
    return coefficient, float(np.sqrt((influence**2).sum()) / known)


def after(first: Floats, second: Floats, lag: int) -> Estimate:
    """Return the correlation of `first` with `second` `lag` periods later (earlier, if `lag` is below 0)."""
    length = len(first) - abs(lag)
    return correlation(first[max(-lag, 0) :][:length], second[max(lag, 0) :][:length])


def autocorrelation(residuals: Floats, lag: int = 1) -> Estimate:
    """Return the correlation of residuals with those of the same unit `lag` periods later."""
    return after(residuals, residuals, lag)


def share_between(residuals: Floats) -> Estimate:
    """Return the share of variance that lies between units: the correlation of any two different periods of a unit.

    The one-way analysis of variance, (T var(unit means) / var - 1) / (T - 1), with missing cells left out.
    """
    known = np.isfinite(residuals).sum(axis=1) == residuals.shape[1]
    left = residuals[known]
    left = (left - left.mean()) / left.std()
    periods, units = left.shape
    of_unit = (left.sum(axis=0) ** 2 - (left**2).sum(axis=0)) / (periods * (periods - 1))
    share = float(of_unit.mean())
    influence = of_unit - share * (left**2).mean(axis=0)
    return share, float(influence.std() / np.sqrt(units))


def peak(driver: Floats, follower: Floats, lags: range) -> tuple[int, Estimate, float]:
    """Return (the lag of the largest |correlation|, that correlation, how many errors it is above that of any other)."""
    estimates = {lag: after(driver, follower, lag) for lag in lags}
    estimates = {lag: estimate for lag, estimate in estimates.items() if np.isfinite(estimate[0])}
    if not estimates:
        return -1, (float("nan"), float("nan")), float("nan")
    best = max(estimates, key=lambda lag: abs(estimates[lag][0]))
    value, error = estimates[best]
    lead = min((abs(value) - abs(r)) / np.hypot(error, e) for lag, (r, e) in estimates.items() if lag != best)
    return best, (value, error), float(lead)


def batched(statistic: Callable[[Floats], float], values: Floats, batches: int = 50) -> Estimate:
    """Return a statistic of a flat array, and its standard error as the spread over batches tells it."""
    parts = np.array([statistic(part) for part in np.array_split(values, batches)])
    return float(statistic(values)), float(parts.std(ddof=1) / np.sqrt(batches))


def rate(hits: NDArray[np.bool_]) -> float:
    """Return the share of cells that are hit."""
    return float(np.mean(hits))


def off_in_sigmas(hits: NDArray[np.bool_], declared: float) -> float:
    """Return how many binomial standard deviations the share of hits is off what is declared."""
    return float((hits.mean() - declared) / np.sqrt(declared * (1 - declared) / hits.size))


def kolmogorov(values: Floats, cdf: Callable[[Floats], Floats]) -> float:
    """Return the p of a Kolmogorov-Smirnov test of a flat array."""
    of_arrays: Any = cdf  # SciPy gives it an array, and its stubs one number
    return float(stats.kstest(values, of_arrays, method="asymp").pvalue)


def chi_square(values: Floats, cdf: Callable[[Floats], Floats]) -> float:
    """Return the p of a chi-square test of counts; tails are merged until 20 are expected in each class."""
    counts = np.bincount(values.astype(np.int64)).astype(np.float64)
    levels = cdf(np.arange(len(counts), dtype=np.float64))
    expected = np.diff(np.concatenate([[0.0], levels])) * values.size
    inner = np.flatnonzero(expected >= 20)
    first, last = int(inner[0]), int(inner[-1])
    merged_counts = np.concatenate([[counts[: first + 1].sum()], counts[first + 1 : last], [counts[last:].sum()]])
    wanted = np.concatenate([[expected[: first + 1].sum()], expected[first + 1 : last]])
    wanted = np.concatenate([wanted, [values.size - wanted.sum()]])
    return float(stats.chisquare(merged_counts, wanted).pvalue)
