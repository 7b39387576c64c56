"""Beta: mean and `precision` = alpha + beta. On the unit interval the variance is mean (1 - mean) / (1 + precision)."""

from __future__ import annotations

from scipy.special import betainc, betaincinv

from plotsim_core.numerics.bounds import Bound
from plotsim_core.numerics.distributions.distribution import DISTRIBUTIONS, Distribution, Floats


def _quantile(u: Floats, mean: Floats, precision: float) -> Floats:
    values: Floats = betaincinv(mean * precision, (1.0 - mean) * precision, u)
    return values


def _cdf(x: Floats, mean: Floats, precision: float) -> Floats:
    levels: Floats = betainc(mean * precision, (1.0 - mean) * precision, x)
    return levels


DISTRIBUTIONS.add("beta", Distribution("unit", _quantile, _cdf, (0.1, 0.9), {"precision": Bound(15, 2, 10000)}))
