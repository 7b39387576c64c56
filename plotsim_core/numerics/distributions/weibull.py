"""Weibull: mean and `shape`. The scale is mean / Gamma(1 + 1 / shape)."""

from __future__ import annotations

import numpy as np
from scipy.special import gamma

from plotsim_core.numerics.arrays import Floats
from plotsim_core.numerics.bounds import Bound
from plotsim_core.numerics.distributions.distribution import DISTRIBUTIONS, Distribution


def _quantile(u: Floats, mean: Floats, shape: float) -> Floats:
    values: Floats = mean / gamma(1.0 + 1.0 / shape) * (-np.log1p(-u)) ** (1.0 / shape)
    return values


def _cdf(x: Floats, mean: Floats, shape: float) -> Floats:
    levels: Floats = -np.expm1(-((x * gamma(1.0 + 1.0 / shape) / mean) ** shape))
    return levels


DISTRIBUTIONS.add("weibull", Distribution("positive", _quantile, _cdf, (0.05, 0.5), {"shape": Bound(2, 0.3, 50)}))
