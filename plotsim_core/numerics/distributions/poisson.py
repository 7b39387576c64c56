"""Poisson counts, by their mean.

P(X <= k) = Q(k + 1, mean) with Q the regularised upper incomplete gamma function (Abramowitz and Stegun 26.4.21),
which is smooth in k above -1. Its inverse in k is the continuous quantile; the count is its ceiling.
"""

from __future__ import annotations

import numpy as np
from scipy.special import gammaincc

from plotsim_core.numerics.arrays import Floats
from plotsim_core.numerics.distributions.distribution import DISTRIBUTIONS, Distribution, inverse_of_counts

_HALVINGS = 34


def _cdf(x: Floats, mean: Floats) -> Floats:
    levels: Floats = gammaincc(np.maximum(x + 1.0, 1e-300), mean)
    return levels


def _quantile(u: Floats, mean: Floats) -> Floats:
    u, mean = np.broadcast_arrays(u, mean)
    return inverse_of_counts(lambda x: _cdf(x, mean), u, mean + 12.0 * np.sqrt(mean) + 30.0, _HALVINGS)


def _guess(score: Floats, mean: Floats) -> Floats:
    """The expansion of Cornish and Fisher to its second term."""
    return mean + score * np.sqrt(mean) + (score * score - 1.0) / 6.0


POISSON = DISTRIBUTIONS.add("poisson", Distribution("count", _quantile, _cdf, (0.1, 1.0), guess=_guess))
