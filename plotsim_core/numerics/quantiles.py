"""Quantile tables: any family, truncated or not, as one lookup from (mean, normal score) to value.

A table is made once per metric. Its rows are means, its columns normal scores; it is stored on scales on which both
directions are nearly straight (the identity, the logarithm, the logit, the square root), and read by bilinear
interpolation. Reading is element-wise: the same mean and score give the same bits in any array.

Truncation keeps the mean: the untruncated family's location is solved for each row, so that the truncated mean is
the row's.

Zeros that are mixed in are cut off the scores before the table is read: a share of zeros is exact, and nothing is
interpolated across the jump.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, ndtr, ndtri

from plotsim_core.numerics.distributions import DISTRIBUTIONS, Distribution

Floats = NDArray[np.float64]

_MEANS = {"real": 3, "positive": 193, "unit": 97, "count": 193}
_SCORE_LIMIT = 6.0
_SCORE_STEP = 0.1
_SCORES = np.arange(-60, 61) * _SCORE_STEP
_LEVELS = np.asarray(ndtr(_SCORES), dtype=np.float64)
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(48)
_LARGE = 100.0
"""From such means on, counts are kept as logarithms: their roots are too curved between two rows for a sharp margin."""
_MARGIN = 0.02
"""How close to a bound of a bounded metric its mean may come, as a share of the range."""
_NEARER = {"real": 0.5, "unit": 0.1, "positive": 0.001}
"""And as a share of how far the declared means stay away from it, for small units and strong seasons."""
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
    "large count": _Scale(np.log, np.exp),
}


class MeanUnreachable(ValueError):
    """A family cannot have the mean that is asked of it inside the range; `low` and `high` are what it can have."""

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, high
        super().__init__(f"reachable means are {low:.4g} to {high:.4g}")


@dataclass(frozen=True, eq=False)
class QuantileTable:
    """Values of one metric's family on a grid of means (rows) and normal scores (columns), on the scale of `support`.

    With a share of `zeros` mixed in, rows and deviations are those of the rest, whose mean is mean / (1 - zeros). All
    functions take and return the metric's own mean, that of the mixture.
    """

    support: str
    low: float
    width: float
    first: float
    step: float
    values: Floats
    deviations: Floats
    zeros: float = 0.0

    def mean_bounds(self) -> tuple[float, float]:
        """Return the lowest and highest mean in the table; lookups outside use the nearest."""
        low, high = self._ends()
        return low * (1.0 - self.zeros), high * (1.0 - self.zeros)

    def clip(self, mean: Floats) -> Floats:
        """Return `mean` moved into the means that the table can deliver."""
        return np.clip(mean, *self.mean_bounds())

    def lookup(self, mean: Floats, score: Floats) -> Floats:
        """Return the value at each mean and standard normal score (broadcast); whole numbers for counts."""
        if self.zeros == 0.0:
            return self._interpolated(mean, score)
        rest = 1.0 - self.zeros
        above = ndtr(-score)  # the upper tail is the one that is long: there it must stay precise
        values = self._interpolated(mean / rest, -ndtri(np.minimum(above / rest, 1.0)))
        return np.where(above < rest, values, 0.0)

    def _interpolated(self, mean: Floats, score: Floats) -> Floats:
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
        if self.support == "large count":
            return np.ceil(np.exp(found)) - 1.0
        return self._stretch(_AXES[self.support].back(found))

    def deviation(self, mean: Floats) -> Floats:
        """Return the standard deviation of the family at each mean."""
        if self.zeros == 0.0:
            return self._interpolated_deviation(mean)
        rest = 1.0 - self.zeros
        own = np.clip(mean / rest, *self._ends())
        return np.sqrt(rest * (self._interpolated_deviation(own) ** 2 + self.zeros * own**2))

    def _interpolated_deviation(self, mean: Floats) -> Floats:
        row, rest = self._row(mean)
        return self.deviations[row] + (self.deviations[row + 1] - self.deviations[row]) * rest

    def _ends(self) -> tuple[float, float]:
        ends = self.first + self.step * np.array([0, len(self.values) - 1])
        low, high = self._stretch(_AXES[self.support].back(ends))
        return float(low), float(high)

    def _row(self, mean: Floats) -> tuple[NDArray[np.int64], Floats]:
        low, high = self._ends()
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
    shape, zeros = distribution.split(parameters)
    rest = 1.0 - zeros
    try:
        table = _table(distribution, shape, bounds, (means[0] / rest, means[1] / rest))
    except MeanUnreachable as unreachable:
        raise MeanUnreachable(unreachable.low * rest, unreachable.high * rest) from None
    return replace(table, zeros=zeros)


@lru_cache(maxsize=512)
def reachable(
    family: str,
    parameters: tuple[tuple[str, float], ...],
    bounds: tuple[float, float] | None,
    means: tuple[float, float],
) -> tuple[float, float]:
    """Return `means`, moved so far into `bounds` as the truncated family needs to have them, with a twentieth to spare."""
    try:
        quantile_table(family, parameters, bounds, means)
    except MeanUnreachable as unreachable:
        spare = 0.05 * (unreachable.high - unreachable.low)
        return max(means[0], unreachable.low + spare), min(means[1], unreachable.high - spare)
    return means


def _table(
    distribution: Distribution, shape: dict[str, float], bounds: tuple[float, float] | None, means: tuple[float, float]
) -> QuantileTable:
    support = distribution.support
    axis = _AXES[support]
    unit = support == "unit"
    low, width = (bounds[0], bounds[1] - bounds[0]) if unit and bounds else (0.0, 1.0)
    truncate = bounds if bounds and not unit else None
    if truncate:
        ends = np.array(_domain(distribution, shape, truncate, means))
    else:
        ends = np.array(_untruncated_domain(support, ((means[0] - low) / width, (means[1] - low) / width)))
    count = _MEANS["positive"] if truncate else _MEANS[support]
    first, last = (float(end) for end in axis.forward(ends))
    step = (last - first) / (count - 1)
    wanted = axis.back(first + step * np.arange(count, dtype=np.float64))[:, None]
    location = _solve(distribution, shape, truncate, wanted) if truncate else wanted
    values = _truncated(distribution, shape, truncate, _LEVELS[None, :], location)
    kept: str = support
    if support == "count" and means[1] > _LARGE:
        kept, stored = "large count", np.log(np.maximum(values + 1.0, 1e-8))
    elif support == "count":
        stored = np.sqrt(np.maximum(values + 1.0, 0.0))
    else:
        stored = axis.forward(np.clip(values, 1e-12, 1 - 1e-12) if unit else values)
    table = QuantileTable(kept, low, width, first, step, stored, np.ones(count))
    return replace(table, deviations=_deviations(table, wanted * width + low))


def _untruncated_domain(support: str, means: tuple[float, float]) -> tuple[float, float]:
    if support == "unit":
        nearer = _NEARER[support]
        return min(_MARGIN, nearer * means[0]), 1.0 - min(_MARGIN, nearer * (1.0 - means[1]))
    if support == "real":
        reach = _REACH * max(abs(means[0]), abs(means[1]), means[1] - means[0])
        return means[0] - reach, means[1] + reach
    return means[0] / _REACH, means[1] * _REACH


def _domain(
    distribution: Distribution, shape: dict[str, float], bounds: tuple[float, float], means: tuple[float, float]
) -> tuple[float, float]:
    """Return the means that the truncated family can have, up to close to the bounds."""
    most, nearer = _MARGIN * (bounds[1] - bounds[0]), _NEARER[distribution.support]
    low = bounds[0] + min(most, nearer * (means[0] - bounds[0]))
    high = bounds[1] - min(most, nearer * (bounds[1] - means[1]))
    reach = _delivered(distribution, shape, bounds, _outermost(distribution, bounds, np.array([[low], [high]])))
    low, high = max(low, float(reach[0, 0])), min(high, float(reach[1, 0]))
    if means[0] < low or means[1] > high:
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
