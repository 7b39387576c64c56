"""Quantile tables: any family, truncated or not, as one lookup from (mean, normal score) to value.

A table is made once per metric. Its rows are means, its columns normal scores; it is stored on scales on which both
directions are nearly straight (the identity, the logarithm, the logit, the square root), and read by bilinear
interpolation. Reading is element-wise: the same mean and score give the same bits in any array.

Truncation keeps the mean: the untruncated family's location is solved for each row, so that the truncated mean is
the row's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, ndtr

from plotsim_core.numerics.distributions import DISTRIBUTIONS, Distribution

Floats = NDArray[np.float64]

_MEANS = {"real": 3, "positive": 97, "unit": 97, "count": 193}
_SCORE_LIMIT = 6.0
_SCORE_STEP = 0.1
_SCORES = np.arange(-60, 61) * _SCORE_STEP
_LEVELS = np.asarray(ndtr(_SCORES), dtype=np.float64)
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(48)
_MARGIN = 0.02
"""How close to a bound of a bounded metric its mean may come, as a share of the range."""
_REACH = 1000.0
"""How many times below and above its means the mean of an unbounded metric may be driven by sizes and seasons."""


@dataclass(frozen=True)
class _Scale:
    forward: Callable[[Floats], Floats]
    back: Callable[[Floats], Floats]


def _identity(x: Floats) -> Floats:
    return x


_AXES = {
    "real": _Scale(_identity, _identity),
    "positive": _Scale(np.log, np.exp),
    "unit": _Scale(logit, expit),
    "count": _Scale(np.log, np.exp),
}


class MeanUnreachable(ValueError):
    """A family cannot have the mean that is asked of it inside the range; `low` and `high` are what it can have."""

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, high
        super().__init__(f"reachable means are {low:.4g} to {high:.4g}")


@dataclass(frozen=True, eq=False)
class QuantileTable:
    """Values of one metric's family on a grid of means (rows) and normal scores (columns), on the family's scale."""

    support: str
    low: float
    width: float
    first: float
    step: float
    values: Floats
    deviations: Floats

    def mean_bounds(self) -> tuple[float, float]:
        """Return the lowest and highest mean in the table; lookups outside use the nearest."""
        ends = self.first + self.step * np.array([0, len(self.values) - 1])
        low, high = self._stretch(_AXES[self.support].back(ends))
        return float(low), float(high)

    def clip(self, mean: Floats) -> Floats:
        """Return `mean` moved into the means that the table can deliver."""
        return np.clip(mean, *self.mean_bounds())

    def lookup(self, mean: Floats, score: Floats) -> Floats:
        """Return the value at each mean and standard normal score (broadcast); whole numbers for counts."""
        row, row_rest = self._row(mean)
        column = np.clip(score + _SCORE_LIMIT, 0.0, 2 * _SCORE_LIMIT) * (1.0 / _SCORE_STEP)
        left = np.minimum(column.astype(np.int64), len(_SCORES) - 2)
        column_rest = column - left
        flat = self.values.ravel()
        corner = row * len(_SCORES) + left
        near = flat[corner]
        near = near + (flat[corner + 1] - near) * column_rest
        corner += len(_SCORES)
        far = flat[corner]
        far = far + (flat[corner + 1] - far) * column_rest
        found = near + (far - near) * row_rest
        if self.support == "count":
            return np.ceil(np.square(found)) - 1.0
        return self._stretch(_AXES[self.support].back(found))

    def deviation(self, mean: Floats) -> Floats:
        """Return the standard deviation of the family at each mean."""
        row, rest = self._row(mean)
        return self.deviations[row] + (self.deviations[row + 1] - self.deviations[row]) * rest

    def _row(self, mean: Floats) -> tuple[NDArray[np.int64], Floats]:
        low, high = self.mean_bounds()
        scaled = (np.clip(mean, low, high) - self.low) / self.width if self.support == "unit" else np.clip(mean, low, high)
        place = (_AXES[self.support].forward(scaled) - self.first) * (1.0 / self.step)
        row = np.clip(place.astype(np.int64), 0, len(self.values) - 2)
        return row, place - row

    def _stretch(self, values: Floats) -> Floats:
        return self.low + self.width * values if self.support == "unit" else values


@lru_cache(maxsize=512)
def quantile_table(
    family: str,
    parameters: tuple[tuple[str, float], ...],
    bounds: tuple[float, float] | None,
    means: tuple[float, float],
) -> QuantileTable:
    """Return the table of a family, truncated to `bounds` if given, for a metric whose own means are `means`.

    The table reaches further than these means: to just inside the bounds, or far to both sides without bounds, since
    sizes and seasons move them. Raises MeanUnreachable when the truncated family cannot have the metric's means.
    """
    distribution = DISTRIBUTIONS[family]
    support = distribution.support
    axis = _AXES[support]
    shape = dict(parameters)
    unit = support == "unit"
    low, width = (bounds[0], bounds[1] - bounds[0]) if unit and bounds else (0.0, 1.0)
    truncate = bounds if bounds and not unit else None
    ends = np.array(_domain(distribution, shape, truncate, means) if truncate else _untruncated_domain(support, means))
    count = _MEANS["positive"] if truncate else _MEANS[support]
    first, last = (float(end) for end in axis.forward(ends))
    step = (last - first) / (count - 1)
    wanted = axis.back(first + step * np.arange(count, dtype=np.float64))[:, None]
    location = _solve(distribution, shape, truncate, wanted) if truncate else wanted
    values = _truncated(distribution, shape, truncate, _LEVELS[None, :], location)
    if support == "count":
        stored = np.sqrt(np.maximum(values + 1.0, 0.0))
    else:
        stored = axis.forward(np.clip(values, 1e-12, 1 - 1e-12) if unit else values)
    table = QuantileTable(support, low, width, first, step, stored, np.ones(count))
    return replace(table, deviations=_deviations(table, wanted * width + low))


def _untruncated_domain(support: str, means: tuple[float, float]) -> tuple[float, float]:
    if support == "unit":
        return _MARGIN, 1.0 - _MARGIN
    if support == "real":
        reach = _REACH * max(abs(means[0]), abs(means[1]), means[1] - means[0])
        return means[0] - reach, means[1] + reach
    return means[0] / _REACH, means[1] * _REACH


def _domain(
    distribution: Distribution, shape: dict[str, float], bounds: tuple[float, float], means: tuple[float, float]
) -> tuple[float, float]:
    """Return the means that the truncated family can have, as far as `_MARGIN` of the bounds."""
    margin = _MARGIN * (bounds[1] - bounds[0])
    low, high = bounds[0] + margin, bounds[1] - margin
    reach = _delivered(distribution, shape, bounds, _outermost(distribution, bounds, np.array([[low], [high]])))
    low, high = max(low, float(reach[0, 0])), min(high, float(reach[1, 0]))
    if means[0] < low - margin or means[1] > high + margin:
        raise MeanUnreachable(low, high)
    return low, high


def _outermost(distribution: Distribution, bounds: tuple[float, float], wanted: Floats) -> Floats:
    """Return the farthest untruncated means (on the axis) that a search starts from: down, then up."""
    reach = (bounds[1] - bounds[0]) * 4.0 if distribution.support == "real" else 6.0
    return _AXES[distribution.support].forward(wanted) + reach * np.array([[-1.0], [1.0]])


def _delivered(distribution: Distribution, shape: dict[str, float], bounds: tuple[float, float], place: Floats) -> Floats:
    """Return the means after truncation of the untruncated means at `place` on the axis."""
    levels = (0.5 * (_NODES + 1.0))[None, :]
    found = _truncated(distribution, shape, bounds, levels, _AXES[distribution.support].back(place))
    mean: Floats = np.sum(found * (0.5 * _WEIGHTS), axis=1, keepdims=True)
    return mean


def _truncated(
    distribution: Distribution,
    shape: dict[str, float],
    bounds: tuple[float, float] | None,
    levels: Floats,
    location: Floats,
) -> Floats:
    if bounds is None:
        return distribution.quantile(levels, location, **shape)
    low, high = (distribution.cdf(np.array(end), location, **shape) for end in bounds)
    tiny = np.finfo(np.float64).tiny
    return np.clip(
        distribution.quantile(np.clip(low + levels * (high - low), tiny, 1 - 2.0**-53), location, **shape), *bounds
    )


def _solve(distribution: Distribution, shape: dict[str, float], bounds: tuple[float, float], wanted: Floats) -> Floats:
    """Return the untruncated means whose truncation to `bounds` has the means `wanted`, by bisection."""
    ends = _outermost(distribution, bounds, np.array([[wanted[0, 0]], [wanted[-1, 0]]]))
    low, high = np.full(wanted.shape, ends[0, 0]), np.full(wanted.shape, ends[1, 0])
    for _ in range(44):
        middle = 0.5 * (low + high)
        short = _delivered(distribution, shape, bounds, middle) < wanted
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    return _AXES[distribution.support].back(0.5 * (low + high))


def _deviations(table: QuantileTable, means: Floats) -> Floats:
    scores = np.linspace(-_SCORE_LIMIT, _SCORE_LIMIT, 601)[None, :]
    weights = np.exp(-0.5 * scores**2)
    weights /= weights.sum()
    values = table.lookup(means, scores)
    center = np.sum(values * weights, axis=1, keepdims=True)
    return np.sqrt(np.maximum(np.sum((values - center) ** 2 * weights, axis=1), 1e-18))
