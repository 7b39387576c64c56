"""Log odds: the intercept at which chances have a declared mean."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from plotsim_core.numerics.arrays import Floats

_MARGIN, _HALVINGS, _DECIMALS = 40.0, 80, 10
"""How far beyond all log odds the intercept may lie, the halvings of what lies between, and the decimals of a solution:
another machine's last bit does not show."""


def chances(log_odds: Floats, intercept: float) -> Floats:
    """Return 1 / (1 + exp(-(log odds + intercept))), of the shape of `log_odds`."""
    result: Floats = expit(log_odds + intercept)
    return result


def intercept_of(log_odds: Floats, weights: Floats, rate: float) -> float:
    """Return the intercept at which the weighted mean of the chances is `rate`, in (0, 1). `log_odds` and `weights` have
    shape (n,), n > 0; the mean rises with the intercept, so it is found by halves."""
    total = float(np.sum(weights))
    low, high = -float(log_odds.max()) - _MARGIN, -float(log_odds.min()) + _MARGIN
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        mean = float(np.sum(weights * chances(log_odds, middle))) / total
        low, high = (middle, high) if mean < rate else (low, middle)
    return round(0.5 * (low + high), _DECIMALS)


def clustered_error(values: Floats, weights: Floats, clusters: np.ndarray[tuple[int], np.dtype[np.int64]]) -> float:
    """Return the standard error of the weighted mean of `values`, where those of one cluster go together. All have shape
    (n,). It is the usual one of a ratio: the root of the sum of squares of what clusters add to the deviation."""
    total = float(np.sum(weights))
    deviations = weights * (values - float(np.sum(weights * values)) / total)
    _, index = np.unique(clusters, return_inverse=True)
    return float(np.sqrt(np.sum(np.bincount(index, deviations) ** 2))) / total
