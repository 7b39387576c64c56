"""Normal: mean and standard deviation `sigma` (by default a tenth of the metric's range)."""

from __future__ import annotations

from scipy.special import ndtr, ndtri

from plotsim_core.numerics.arrays import Floats
from plotsim_core.numerics.bounds import Bound
from plotsim_core.numerics.distributions.distribution import DISTRIBUTIONS, Distribution


def _quantile(u: Floats, mean: Floats, sigma: float) -> Floats:
    values: Floats = mean + sigma * ndtri(u)
    return values


def _cdf(x: Floats, mean: Floats, sigma: float) -> Floats:
    levels: Floats = ndtr((x - mean) / sigma)
    return levels


DISTRIBUTIONS.add(
    "normal",
    Distribution("real", _quantile, _cdf, (0.2, 0.8), {"sigma": Bound(0.1, 1e-9, 1e12, relative=True)}),
)
