"""Poisson counts, by their mean.

P(X <= k) = Q(k + 1, mean) with Q the regularised upper incomplete gamma function (Abramowitz and Stegun 26.4.21),
which is smooth in k above -1. Its inverse in k is the continuous quantile; the count is its ceiling.
"""

from __future__ import annotations

import numpy as np
from scipy.special import gammaincc

from plotsim_core.numerics.distributions.distribution import DISTRIBUTIONS, Distribution, Floats

_HALVINGS = 34


def _cdf(x: Floats, mean: Floats) -> Floats:
    levels: Floats = gammaincc(np.maximum(x + 1.0, 1e-300), mean)
    return levels


def _quantile(u: Floats, mean: Floats) -> Floats:
    u, mean = np.broadcast_arrays(u, mean)
    low = np.full(u.shape, -1.0)
    high = mean + 12.0 * np.sqrt(mean) + 30.0
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        below = _cdf(middle, mean) < u
        low = np.where(below, middle, low)
        high = np.where(below, high, middle)
    return high


DISTRIBUTIONS.add("poisson", Distribution("count", _quantile, _cdf, (0.1, 1.0)))
