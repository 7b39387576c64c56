"""Beta: mean and `precision` = alpha + beta. On the unit interval the variance is mean (1 - mean) / (1 + precision)."""

from __future__ import annotations

import numpy as np
from scipy.special import betainc, betaincinv

from plotsim_core.numerics.arrays import Floats
from plotsim_core.numerics.bounds import Bound
from plotsim_core.numerics.distributions.distribution import DISTRIBUTIONS, Distribution


def _quantile(u: Floats, mean: Floats, precision: float) -> Floats:
    return np.asarray(betaincinv(mean * precision, (1.0 - mean) * precision, u), dtype=np.float64)


def _cdf(x: Floats, mean: Floats, precision: float) -> Floats:
    return np.asarray(betainc(mean * precision, (1.0 - mean) * precision, x), dtype=np.float64)


DISTRIBUTIONS.add("beta", Distribution("unit", _quantile, _cdf, (0.1, 0.9), {"precision": Bound(15, 2, 10000)}))
