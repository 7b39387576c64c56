"""Distribution families beside scipy's own: with parameters and means to try them at, truncated and not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats
from scipy.special import gamma

from plotsim_core.numerics.arrays import Floats
from plotsim_core.numerics.distributions import DISTRIBUTIONS
from plotsim_core.numerics.quantiles import QuantileTable, quantile_table


@dataclass(frozen=True)
class Inflated:
    """A distribution with a share of zeros mixed in, made of the parts that scipy has."""

    zeros: float
    rest: Any

    def cdf(self, x: Floats) -> Floats:
        """Return the probabilities of a value at or below `x`."""
        levels: Floats = np.where(np.asarray(x) < 0, 0.0, self.zeros + (1 - self.zeros) * self.rest.cdf(x))
        return levels

    def ppf(self, u: Floats) -> Floats:
        """Return the values at levels `u`."""
        above = np.maximum(np.asarray(u) - self.zeros, 0.0) / (1 - self.zeros)
        values: Floats = np.where(above > 0, self.rest.ppf(above), 0.0)
        return values

    def mean(self) -> float:
        """Return the mean."""
        return float((1 - self.zeros) * self.rest.mean())

    def std(self) -> float:
        """Return the standard deviation."""
        return float(np.sqrt((1 - self.zeros) * (self.rest.var() + self.rest.mean() ** 2) - self.mean() ** 2))


@dataclass(frozen=True)
class Truncated:
    """A continuous distribution of scipy's, cut to `low` to `high`."""

    whole: Any
    low: float
    high: float

    def cdf(self, x: Floats) -> Floats:
        """Return the probabilities of a value at or below `x`."""
        start, stop = self.whole.cdf(self.low), self.whole.cdf(self.high)
        levels: Floats = np.clip((self.whole.cdf(x) - start) / (stop - start), 0.0, 1.0)
        return levels

    def mean(self) -> float:
        """Return the mean, integrated over levels."""
        start, stop = self.whole.cdf(self.low), self.whole.cdf(self.high)
        nodes, weights = np.polynomial.legendre.leggauss(80)
        return float(np.sum(0.5 * weights * self.whole.ppf(start + 0.5 * (nodes + 1) * (stop - start))))


@dataclass(frozen=True)
class Case:
    """A family with parameters, means to try it at, and scipy's distribution of that mean: the outside witness.

    `bounds` are those a metric of the family would be truncated to, with means that it can have inside them.
    """

    family: str
    parameters: dict[str, float]
    means: tuple[float, ...]
    twin: Callable[..., Any]
    bounds: tuple[float, float] | None = None
    inside: tuple[float, ...] = ()

    @property
    def sorted_parameters(self) -> tuple[tuple[str, float], ...]:
        return tuple(sorted(self.parameters.items()))

    @property
    def support(self) -> str:
        return DISTRIBUTIONS[self.family].support

    def table(self) -> QuantileTable:
        """Return the quantile table without bounds (a beta's are its support)."""
        return quantile_table(self.family, self.sorted_parameters, None, (self.means[0], self.means[-1]))

    def truncated(self) -> QuantileTable:
        """Return the quantile table inside the bounds."""
        return quantile_table(self.family, self.sorted_parameters, self.bounds, (self.inside[0], self.inside[-1]))

    def at(self, mean: float) -> Any:
        """Return scipy's distribution of a mean."""
        return self.twin(mean, **self.parameters)

    def rest(self, mean: float) -> tuple[Floats, dict[str, float], Any]:
        """Return (mean, parameters, scipy's distribution) of all but the zeros that are mixed in, if any are."""
        shape, zeros = DISTRIBUTIONS[self.family].split(self.sorted_parameters)
        twin = self.at(mean)
        return np.array(mean / (1 - zeros)), shape, twin.rest if zeros else twin

    def truncated_at(self, mean: float) -> Any:
        """Return scipy's distribution truncated to the bounds, of a mean: what is truncated is searched with scipy alone."""
        assert self.bounds is not None
        low, high = self.bounds
        _, zeros = DISTRIBUTIONS[self.family].split(self.sorted_parameters)

        def inside(location: float) -> Truncated:
            return Truncated(self.rest(location * (1 - zeros))[2], low, high)

        wanted, positive = mean / (1 - zeros), self.support == "positive"
        below, above = (wanted / 50, wanted * 50) if positive else (wanted - (high - low) / 2, wanted + (high - low) / 2)
        for _ in range(60):
            middle = (below * above) ** 0.5 if positive else 0.5 * (below + above)
            below, above = (middle, above) if inside(middle).mean() < wanted else (below, middle)
        return Inflated(zeros, inside(above)) if zeros else inside(above)


def goodness(drawn: Floats, twin: Any, counts: bool) -> float:
    """Return the probability that a distribution gives what was drawn, or worse.

    Counts: chi-square over cells of at least 20 expected. Others: Kolmogorov-Smirnov, in the limit of many draws. Where
    zeros are mixed in, their number is judged on its own, and the worse of both probabilities counts twice.
    """
    if counts:
        edges = np.unique(twin.ppf(np.linspace(0.001, 0.999, 60)))
        expected = np.diff(np.concatenate([[0.0], twin.cdf(edges), [1.0]])) * len(drawn)
        below = np.searchsorted(np.sort(drawn), edges, side="right")
        mask = expected >= 20
        off = (np.diff(np.concatenate([[0], below, [len(drawn)]])) - expected) ** 2 / expected
        return float(stats.chi2.sf(off[mask].sum(), mask.sum() - 1))
    if isinstance(twin, Inflated):
        zeros = int((drawn == 0).sum())
        some = float(stats.binomtest(zeros, len(drawn), twin.zeros).pvalue)
        return min(1.0, 2.0 * min(some, goodness(drawn[drawn > 0], twin.rest, counts=False)))
    levels = twin.cdf(np.sort(drawn))
    steps = np.arange(len(drawn) + 1) / len(drawn)
    farthest = max(np.max(steps[1:] - levels), np.max(levels - steps[:-1]))
    return float(stats.kstwobign.sf(farthest * np.sqrt(len(drawn))))


def _gamma(m: float, shape: float) -> Any:
    return stats.gamma(shape, scale=m / shape)


def _lognormal(m: float, s: float) -> Any:
    return stats.lognorm(s, scale=m * np.exp(-s * s / 2))


def _beta(m: float, precision: float) -> Any:
    return stats.beta(m * precision, (1 - m) * precision)


def _weibull(m: float, shape: float) -> Any:
    return stats.weibull_min(shape, scale=m / gamma(1 + 1 / shape))


def _negative_binomial(m: float, shape: float) -> Any:
    return stats.nbinom(shape, shape / (shape + m))


def _some_gamma(m: float, shape: float, zeros: float) -> Inflated:
    return Inflated(zeros, _gamma(m / (1 - zeros), shape))


def _some_poisson(m: float, zeros: float) -> Inflated:
    return Inflated(zeros, stats.poisson(m / (1 - zeros)))


CASES = [
    Case("normal", {"sigma": 2.0}, (-3.0, 0.5, 10.0), lambda m, sigma: stats.norm(m, sigma), (-4.0, 6.0), (-2.5, 1.0, 4.0)),
    Case("normal", {"sigma": 0.1}, (0.2, 0.5, 0.8), lambda m, sigma: stats.norm(m, sigma), (0.0, 1.0), (0.15, 0.5, 0.9)),
    Case("lognormal", {"s": 0.4}, (0.5, 20.0, 300.0), _lognormal, (5.0, 500.0), (30.0, 100.0, 250.0)),
    Case("lognormal", {"s": 1.2}, (2.0, 40.0), _lognormal),
    Case("beta", {"precision": 15.0}, (0.05, 0.3, 0.9), _beta),
    Case("beta", {"precision": 4.0}, (0.2, 0.5, 0.7), _beta),
    Case("gamma", {"shape": 4.0}, (0.5, 30.0, 110.0), _gamma, (5.0, 250.0), (20.0, 60.0, 130.0)),
    Case("gamma", {"shape": 0.7}, (1.0, 50.0), _gamma),
    Case("weibull", {"shape": 2.0}, (0.5, 10.0, 60.0), _weibull, (0.0, 90.0), (8.0, 30.0, 60.0)),
    Case("poisson", {}, (0.05, 0.7, 4.0, 40.0, 900.0), lambda m: stats.poisson(m)),
    Case("negative_binomial", {"shape": 2.0}, (0.05, 0.7, 4.0, 40.0, 900.0), _negative_binomial),
    Case("negative_binomial", {"shape": 0.5}, (0.3, 3.0, 30.0), _negative_binomial),
    Case("negative_binomial", {"shape": 50.0}, (2.0, 12.0), _negative_binomial),
    Case("zero_inflated_poisson", {"zeros": 0.3}, (0.05, 0.7, 4.0, 40.0), _some_poisson),
    Case("zero_inflated_poisson", {"zeros": 0.9}, (0.2, 3.0), _some_poisson),
    Case(
        "zero_inflated_gamma",
        {"shape": 4.0, "zeros": 0.3},
        (0.5, 30.0, 110.0),
        _some_gamma,
        (0.0, 250.0),
        (15.0, 50.0, 110.0),
    ),
    Case("zero_inflated_gamma", {"shape": 1.5, "zeros": 0.8}, (1.0, 50.0), _some_gamma, (0.0, 400.0), (4.0, 20.0, 35.0)),
]
"""Each family stands here at least once; a test sees to it."""
