"""Gamma: mean and `shape`. The coefficient of variation is 1 / sqrt(shape)."""

from __future__ import annotations

import numpy as np
from scipy.special import gammainc, gammaincinv

from plotsim_core.numerics.arrays import Floats
from plotsim_core.numerics.bounds import Bound
from plotsim_core.numerics.distributions.distribution import DISTRIBUTIONS, Distribution


def _quantile(u: Floats, mean: Floats, shape: float) -> Floats:
    values: Floats = gammaincinv(shape, u) * (mean / shape)
    return values


def _cdf(x: Floats, mean: Floats, shape: float) -> Floats:
    return np.asarray(gammainc(shape, x * (shape / mean)), dtype=np.float64)


GAMMA = DISTRIBUTIONS.add("gamma", Distribution("positive", _quantile, _cdf, (0.05, 0.5), {"shape": Bound(4, 0.2, 1000)}))
