"""What a distribution family is: a record of functions, parameterised by the mean."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from plotsim_core.families import Family
from plotsim_core.numerics.arrays import Floats
from plotsim_core.numerics.bounds import Bound

Support = Literal["real", "positive", "unit", "count"]


def _no_guess(score: Floats, mean: Floats, *parameters: Floats) -> Floats:
    return np.zeros(score.shape) + mean


@dataclass(frozen=True)
class Distribution:
    """A family whose members are picked out by their mean and its shape parameters.

    `quantile(u, mean, **parameters)` and `cdf(x, mean, **parameters)` broadcast over arrays. On the `unit` support the
    mean and the values lie in (0, 1) and are stretched to the metric's range by the caller; on the `count` support both
    are continuous extensions, with value = ceil(quantile) and cdf exact at the integers. `means` says where in a range
    the means at trajectory position 0 and 1 lie when a config does not give them.

    With `inflated`, the parameter `zeros` is the share of zeros that are mixed in, and both functions are those of the
    rest: they take its mean, mean / (1 - zeros), and do not take `zeros`. Of counts, `guess(score, mean, *parameters)` is
    about the one at a normal score, where the exact one is looked for.
    """

    support: Support
    quantile: Callable[..., Floats]
    cdf: Callable[..., Floats]
    means: tuple[float, float]
    parameters: Mapping[str, Bound] = field(default_factory=dict)
    inflated: bool = False
    guess: Callable[..., Floats] = _no_guess

    def split(self, parameters: Iterable[tuple[str, float]]) -> tuple[dict[str, float], float]:
        """Return (parameters of the two functions, share of zeros mixed in)."""
        shape = dict(parameters)
        zeros = shape.pop("zeros") if self.inflated else 0.0
        return shape, zeros


def with_zeros(base: Distribution) -> Distribution:
    """Return the family `base` with extra zeros: a share `zeros` of all values, whatever the mean."""
    return replace(base, parameters={**base.parameters, "zeros": Bound(0.3, 0.01, 0.95)}, inflated=True)


def inverse_of_counts(cdf: Callable[[Floats], Floats], u: Floats, high: Floats, halvings: int) -> Floats:
    """Return the continuous quantiles of counts at levels `u`: where in (-1, high) a rising `cdf` reaches them."""
    low = np.full(u.shape, -1.0)
    for _ in range(halvings):
        middle = 0.5 * (low + high)
        is_below = cdf(middle) < u
        low = np.where(is_below, middle, low)
        high = np.where(is_below, high, middle)
    return high


DISTRIBUTIONS: Family[Distribution] = Family("distribution")
