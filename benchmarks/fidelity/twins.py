"""The declared families as SciPy has them: a margin to test against that is none of our code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import optimize, special, stats

from plotsim_core.config.metrics import Metric
from plotsim_core.numerics.arrays import Floats

_BASES: dict[str, Callable[..., Any]] = {
    "normal": lambda mean, sigma: stats.norm(mean, sigma),
    "lognormal": lambda mean, s: stats.lognorm(s, scale=mean * np.exp(-s * s / 2)),
    "gamma": lambda mean, shape: stats.gamma(shape, scale=mean / shape),
    "weibull": lambda mean, shape: stats.weibull_min(shape, scale=mean / special.gamma(1 + 1 / shape)),
    "poisson": lambda mean: stats.poisson(mean),
    "negative_binomial": lambda mean, shape: stats.nbinom(shape, shape / (shape + mean)),
    "beta": lambda mean, precision: stats.beta(mean * precision, (1 - mean) * precision),
}
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(200)
_LEVELS = 0.5 * (_NODES + 1)


Twin = tuple[Callable[[Floats], Floats], float]
"""(cdf of what is not an extra zero, share of extra zeros)."""


def twin(metric: Metric, mean: float) -> Twin:
    """Return the margin of a metric where its mean is `mean`.

    A truncated family is the one whose truncation has the mean; bounded beta is stretched to its range. Raises KeyError
    for a family that has no twin here.
    """
    given = dict(metric.parameters)
    zeros = given.pop("zeros", 0.0)
    base = _BASES[metric.family.removeprefix("zero_inflated_")]
    mean = mean / (1 - zeros)
    bounds = metric.bounds
    if bounds is None:
        return base(mean, **given).cdf, zeros
    low, high = bounds
    if metric.family == "beta":
        whole = base((mean - low) / (high - low), **given)
        return (lambda x: whole.cdf((x - low) / (high - low))), zeros

    def short(location: float) -> float:
        untruncated = base(location, **given)
        begin, end = untruncated.cdf(low), untruncated.cdf(high)
        return float(0.5 * np.sum(_WEIGHTS * untruncated.ppf(begin + _LEVELS * (end - begin))) - mean)

    around = (mean - 2 * given["sigma"], mean + 2 * given["sigma"]) if metric.family == "normal" else (0.5 * mean, 3 * mean)
    distribution = base(optimize.brentq(short, *around), **given)
    begin, end = distribution.cdf(low), distribution.cdf(high)
    return (lambda x: (distribution.cdf(x) - begin) / (end - begin)), zeros
