"""Draws: the functions of formulas that take chance, each by inversion of one uniform for each row.

The families of `distributions` are drawn by their mean and their parameters, as metrics are. A count is the smallest one
whose probability of not being exceeded reaches the uniform, found by bisection: the same one whether the probabilities are
computed for each row or once for all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from plotsim_core.families import Family
from plotsim_core.numerics.arrays import Floats, Integers
from plotsim_core.numerics.bounds import Bound
from plotsim_core.numerics.distributions import DISTRIBUTIONS, Distribution

Values = Literal["whole", "number", "bool"]

MOST = 1e12
"""The largest parameter."""
_MOST_RANKS = 1_000_000
_FEW_COUNTS = 64
"""Counts of which the probabilities are computed once, however few the rows."""
_ROWS_OF_A_MEAN = 16
"""How many rows have one mean where counts are found mean by mean."""
_SMALLEST = 1e-9
LARGEST_COUNT = 2.0**40
"""No count is larger."""
LEAST_SHARE = 1e-9
"""The least share of a distribution that lies between two bounds."""
_MEANS: Mapping[str, Bound] = {
    "real": Bound(0, -MOST, MOST),
    "positive": Bound(1, 0, MOST),
    "unit": Bound(0.5, 0, 1),
    "count": Bound(1, 0, 1e9),
}
"""The means of the values of each support."""


@dataclass(frozen=True)
class Draw:
    """A function of a formula that takes chance: its `parameters` in their order, each with its bounds, and what it gives.

    `quantile(u, *parameters)` gives the values at the levels `u`, and broadcasts over arrays of any shape. With `cdf(x,
    *parameters)`, the probability of at most `x`, values can be drawn between two bounds. With `is_ordered`, the first
    parameter is below the second. `clips` are the ends of parameters that the functions take, where they are not the bounds:
    a mean of 0 is next to 0.
    """

    parameters: Mapping[str, Bound]
    quantile: Callable[..., Floats]
    cdf: Callable[..., Floats] | None = None
    values: Values = "number"
    is_ordered: bool = False
    clips: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def arguments(self) -> tuple[int, int]:
        """The least and the most arguments of a call: bounds come last, both or none."""
        count = len(self.parameters)
        return count, count if self.cdf is None else count + 2

    def takes(self, arguments: int) -> bool:
        """Return whether a call may have so many arguments."""
        return arguments in self.arguments

    def drawn(self, u: Floats, *arguments: Floats) -> Floats:
        """Return a value for each uniform of `u`, NaN where a parameter is none or lies outside its bounds, or where next to
        nothing lies between the bounds of the values (`LEAST_SHARE`)."""
        values = [argument[:1] if _is_one(argument) else argument for argument in arguments]  # what is the same is read once
        parameters, ends = values[: len(self.parameters)], values[len(self.parameters) :]
        is_valid: NDArray[np.bool_] = np.ones(1, dtype=bool)
        for given, bound in zip(parameters, self.parameters.values(), strict=True):
            is_valid = is_valid & (given >= bound.low) & (given <= bound.high)
        sound = self._sound(parameters)
        if not ends or self.cdf is None:
            return np.where(is_valid, self.quantile(u, *sound), np.nan)
        low, high = ends
        below, above = self._levels(low, high, sound)
        is_valid = is_valid & (above - below >= LEAST_SHARE)
        levels = np.clip(below + u * (above - below), np.finfo(np.float64).tiny, 1.0 - 2.0**-53)
        return np.where(is_valid, np.clip(self.quantile(levels, *sound), low, high), np.nan)

    def share(self, *arguments: float) -> float:
        """Return the share of all values that lie between two bounds, which follow the parameters."""
        numbers = [np.array([float(argument)]) for argument in arguments]
        below, above = self._levels(numbers[-2], numbers[-1], self._sound(numbers[:-2]))
        return float((above - below)[0])

    def _sound(self, parameters: Sequence[Floats]) -> list[Floats]:
        """Return parameters as the functions of a family take them: none at an end that it cannot have, nor unknown."""
        pairs = zip(parameters, self.parameters.values(), strict=True)
        return [
            np.clip(np.where(np.isnan(given), bound.default, given), *self.clips.get(name, (bound.low, bound.high)))
            for name, (given, bound) in zip(self.parameters, pairs, strict=True)
        ]

    def _levels(self, low: Floats, high: Floats, sound: Sequence[Floats]) -> tuple[Floats, Floats]:
        """Return the levels of two bounds: what lies below the first, and up to the second."""
        assert self.cdf is not None
        least = np.ceil(low) - 1.0 if self.values == "whole" else low
        return self.cdf(least, *sound), self.cdf(high, *sound)


DRAWS: Family[Draw] = Family("function", "docs/formulas.md")


def _smallest_count(cdf: Callable[[Floats], Floats], u: Floats) -> Floats:
    """Return the smallest count at which a `cdf` reaches each level, up to the largest there is."""
    low, high = np.full(u.shape, -1.0), np.zeros(u.shape)
    while np.any(is_below := (cdf(high) < u) & (high < LARGEST_COUNT)):
        low, high = np.where(is_below, high, low), np.where(is_below, 2.0 * high + 1.0, high)
    while np.any(high - low > 1.0):
        middle = np.floor(0.5 * (low + high))
        is_below = (cdf(middle) < u) & (middle < high)
        low, high = np.where(is_below, middle, low), np.where(is_below, high, np.maximum(middle, low + 1.0))
    return high


def count_near(cdf: Callable[[Floats, Integers], Floats], u: Floats, guess: Floats) -> Floats:
    """Return the smallest count at which a `cdf` reaches each level, looked for from a guess on, which may be any. `cdf(x,
    rows)` are the probabilities of at most `x` in some rows: of most, two counts beside each other say it."""
    rows = np.arange(len(u))
    start = np.clip(np.nan_to_num(np.rint(guess)), 0.0, LARGEST_COUNT) + 0.0  # no zero of minus
    is_reached = cdf(start, rows) >= u
    low, high = np.where(is_reached, -1.0, start), np.where(is_reached, start, LARGEST_COUNT)
    step = 1.0
    pending = rows[high - low > 1.0]
    while len(pending):  # ever further from the guess, on its own side, until the count lies between two ends
        is_up = ~is_reached[pending]
        probe = np.where(is_up, start[pending] + step, start[pending] - step)
        probe = np.clip(probe, low[pending] + is_up, high[pending] - ~is_up)
        is_open = (probe > low[pending]) & (probe < high[pending])
        pending, probe, is_up = pending[is_open], probe[is_open], is_up[is_open]
        is_above = cdf(probe, pending) >= u[pending]
        high[pending] = np.where(is_above, probe, high[pending])
        low[pending] = np.where(is_above, low[pending], probe)
        pending = pending[is_above != is_up]
        step *= 2.0
    pending = rows[high - low > 1.0]
    while len(pending):
        middle = np.floor(0.5 * (low[pending] + high[pending]))
        is_above = cdf(middle, pending) >= u[pending]
        high[pending] = np.where(is_above, middle, high[pending])
        low[pending] = np.where(is_above, low[pending], middle)
        pending = pending[high[pending] - low[pending] > 1.0]
    return high


def _is_one(values: Floats) -> bool:
    """Return whether all values are the same."""
    return values.size > 0 and bool(values.min() == values.max())


def _counted(cdf: Callable[[Floats], Floats], u: Floats) -> Floats:
    """Return the smallest counts at which one `cdf` reaches some levels, of which the probabilities are computed once."""
    most = _smallest_count(cdf, np.array([u.max()]))[0]
    if most >= max(_FEW_COUNTS, u.size):
        return _smallest_count(cdf, u)
    return np.searchsorted(cdf(np.arange(most + 1.0)), u).astype(np.float64)


def _with_mean(cdf: Callable[..., Floats], mean: Floats, parameters: Sequence[Floats], x: Floats) -> Floats:
    return cdf(x, mean, *parameters)


def _counts(family: Distribution, names: tuple[str, ...]) -> tuple[Callable[..., Floats], Callable[..., Floats]]:
    """Return the quantile and the cdf of a family of counts, by its mean and its parameters."""

    def cdf(x: Floats, mean: Floats, *parameters: Floats) -> Floats:
        levels = family.cdf(np.maximum(np.floor(x), 0.0), mean, **dict(zip(names, parameters, strict=True)))
        return np.where(np.asarray(x) < 0, 0.0, levels)

    def quantile(u: Floats, mean: Floats, *parameters: Floats) -> Floats:
        def in_rows(x: Floats, rows: Integers) -> Floats:
            return cdf(x, *(values if values.size == 1 else values[rows] for values in (mean, *parameters)))

        def sought() -> Floats:
            return count_near(in_rows, u, family.guess(ndtri(u), mean, *parameters))

        if not u.size or u.ndim != 1:
            return _smallest_count(lambda x: cdf(x, mean, *parameters), u)
        if not all(map(_is_one, parameters)):
            return sought()
        means, index = np.unique(mean, return_inverse=True)
        if len(means) > max(1, u.size // _ROWS_OF_A_MEAN):
            return sought()
        same = [values.ravel()[:1] for values in parameters]
        if len(means) == 1:
            return _counted(partial(_with_mean, cdf, means, same), u)
        counts = np.empty(u.shape)
        groups = np.split(np.argsort(index, kind="stable"), np.cumsum(np.bincount(index))[:-1])
        for place, rows in enumerate(groups):
            counts[rows] = _counted(partial(_with_mean, cdf, means[place : place + 1], same), u[rows])
        return counts

    return quantile, cdf


def _ordered(function: Callable[..., Floats], names: tuple[str, ...]) -> Callable[..., Floats]:
    """Return a function of a level or value, a mean and named parameters with these in their order."""
    return lambda x, mean, *parameters: function(x, mean, **dict(zip(names, parameters, strict=True)))


def _add_families() -> None:
    for name, family in DISTRIBUTIONS.items():
        if family.inflated:
            continue
        names = tuple(family.parameters)
        bounds = {"mean": _MEANS[family.support], **family.parameters}
        clips = {} if family.support == "real" else {"mean": (_SMALLEST, bounds["mean"].high - _SMALLEST)}
        for parameter, bound in family.parameters.items():
            if bound.relative:  # a spread, of which none is next to none
                bounds[parameter], clips[parameter] = replace(bound, low=0.0), (_SMALLEST, bound.high)
        if family.support == "count":
            DRAWS.add(name, Draw(bounds, *_counts(family, names), values="whole", clips=clips))
        else:
            DRAWS.add(name, Draw(bounds, _ordered(family.quantile, names), _ordered(family.cdf, names), clips=clips))


def _uniform(u: Floats, low: Floats, high: Floats) -> Floats:
    return np.where(low <= high, low + u * (high - low), np.nan)


def _exponential(u: Floats, mean: Floats) -> Floats:
    return -mean * np.log1p(-u)


def _exponential_cdf(x: Floats, mean: Floats) -> Floats:
    return -np.expm1(-np.maximum(x, 0.0) / mean)


def _zipf(u: Floats, exponent: Floats, most: Floats) -> Floats:
    """Return a rank for each uniform, 1 to `most`, in proportion to 1 / rank**exponent."""
    if _is_one(exponent) and _is_one(most):
        return _ranks(u, float(exponent.ravel()[0]), int(most.ravel()[0]))
    ranks = np.empty(u.shape)
    pairs, index = np.unique(np.stack([exponent, np.floor(most)]), axis=1, return_inverse=True)
    for number, (power, count) in enumerate(pairs.T.tolist()):
        is_here = index.reshape(u.shape) == number
        ranks[is_here] = _ranks(u[is_here], power, int(count))
    return ranks


def _ranks(u: Floats, exponent: float, most: int) -> Floats:
    levels = np.cumsum(np.arange(1.0, most + 1.0) ** -exponent)
    return np.minimum(np.searchsorted(levels / levels[-1], u), most - 1) + 1.0


def _chance(u: Floats, rate: Floats) -> Floats:
    return (u < rate).astype(np.float64)


_add_families()
DRAWS.add("uniform", Draw({"low": Bound(0, -MOST, MOST), "high": Bound(1, -MOST, MOST)}, _uniform, is_ordered=True))
DRAWS.add(
    "exponential", Draw({"mean": _MEANS["positive"]}, _exponential, _exponential_cdf, clips={"mean": (_SMALLEST, MOST)})
)
DRAWS.add("zipf", Draw({"exponent": Bound(1, 0, 20), "most": Bound(1, 1, _MOST_RANKS)}, _zipf, values="whole"))
DRAWS.add("chance", Draw({"rate": Bound(0, 0, 1)}, _chance, values="bool"))
