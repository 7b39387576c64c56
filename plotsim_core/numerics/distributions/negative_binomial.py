"""Negative binomial counts: mean and `shape`, that of the gamma distributed rates of which it is the Poisson mixture.

The variance is mean + mean**2 / shape. P(X <= k) = I_p(shape, k + 1) with p = shape / (shape + mean) and I the regularised
incomplete beta function (Abramowitz and Stegun 26.5.26), smooth in k above -1; quantile and count are as for Poisson.
"""

from __future__ import annotations

import numpy as np
from scipy.special import betainc

from plotsim_core.numerics.arrays import Floats
from plotsim_core.numerics.bounds import Bound
from plotsim_core.numerics.distributions.distribution import DISTRIBUTIONS, Distribution, inverse_of_counts

_HALVINGS = 44


def _cdf(x: Floats, mean: Floats, shape: float) -> Floats:
    return np.asarray(betainc(shape, np.maximum(x + 1.0, 1e-300), shape / (shape + mean)), dtype=np.float64)


def _quantile(u: Floats, mean: Floats, shape: float) -> Floats:
    u, mean = np.broadcast_arrays(u, mean)
    # Far out the probabilities fall by the factor mean / (mean + shape) a count: thirty times its logarithm's inverse.
    high = mean + 12.0 * np.sqrt(mean + mean**2 / shape) + 30.0 * (1.0 + mean / shape)
    return inverse_of_counts(lambda x: _cdf(x, mean, shape), u, high, _HALVINGS)


def _guess(score: Floats, mean: Floats, shape: Floats) -> Floats:
    """The gamma distribution of the same variance by the cube of Wilson and Hilferty."""
    gamma_shape = mean / (1.0 + mean / shape)
    root = 1.0 - 1.0 / (9.0 * gamma_shape) + score / (3.0 * np.sqrt(gamma_shape))
    counts: Floats = mean * np.maximum(root, 0.0) ** 3 - 0.5
    return counts


DISTRIBUTIONS.add(
    "negative_binomial", Distribution("count", _quantile, _cdf, (0.1, 1.0), {"shape": Bound(2, 0.2, 1000)}, guess=_guess)
)
