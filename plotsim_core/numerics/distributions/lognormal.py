"""Lognormal: mean and `s`, the standard deviation of the logarithm. The median is mean * exp(-s**2 / 2)."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr, ndtri

from plotsim_core.numerics.arrays import Floats
from plotsim_core.numerics.bounds import Bound
from plotsim_core.numerics.distributions.distribution import DISTRIBUTIONS, Distribution


def _quantile(u: Floats, mean: Floats, s: float) -> Floats:
    values: Floats = np.exp(np.log(mean) - 0.5 * s * s + s * ndtri(u))
    return values


def _cdf(x: Floats, mean: Floats, s: float) -> Floats:
    with np.errstate(divide="ignore"):
        levels: Floats = ndtr((np.log(x) - np.log(mean) + 0.5 * s * s) / s)
    return levels


DISTRIBUTIONS.add("lognormal", Distribution("positive", _quantile, _cdf, (0.05, 0.5), {"s": Bound(0.4, 0.01, 3)}))
