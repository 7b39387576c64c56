"""Quantile tables: any family, truncated or not, as one lookup from (mean, normal score) to value.

A metric has one table. Its rows are means, its columns normal scores; it is stored on scales on which both directions
are nearly straight (the identity, the logarithm, the logit, the square root), and read by bilinear interpolation.
Reading is element-wise: the same mean and score give the same bits in any array.

Rows are solved when they are first read, since a table reaches much further than any data does. What a row holds does not
depend on which rows are solved with it, or when: a process keeps those of the tables it has read last, by what these are
tables of, and a table itself never changes.

Zeros that are mixed in are cut off the scores before the table is read: a share of zeros is exact, and nothing is
interpolated across the jump.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from plotsim_core.numerics.arrays import Floats
from plotsim_core.numerics.distributions import DISTRIBUTIONS
from plotsim_core.numerics.truncated import AXES, MARGIN, RELATIVE_MARGIN, MeanUnreachable, Truncated

__all__ = ["MeanUnreachable", "QuantileTable", "quantile_table", "reachable"]

Places = NDArray[np.int64]

_MEANS = {"real": 3, "positive": 193, "unit": 97, "count": 193}
_SCORE_LIMIT = 6.0
_SCORE_STEP = 0.1
_SCORES = np.arange(-60, 61) * _SCORE_STEP
_LEVELS = np.asarray(ndtr(_SCORES), dtype=np.float64)
_LARGE = 100.0
"""From such means on, counts are kept as logarithms: their roots are too curved between two rows for a sharp margin."""
_REACH = 1000.0
"""How many times below and above its means the mean of an unbounded metric may be driven by sizes and seasons."""


_TABLES = 256
"""Tables whose solved rows a process keeps: 200 kB each at most."""


class Content(NamedTuple):
    """What a table is of: the name of the family, its parameters, the bounds it is truncated to, and the metric's means."""

    family: str
    parameters: tuple[tuple[str, float], ...]
    bounds: tuple[float, float] | None
    means: tuple[float, float]


@dataclass(frozen=True)
class QuantileTable:
    """Values of one metric's family on a grid of means (rows) and normal scores (columns), on the scale of `support`.

    With a share of `zeros` mixed in, rows and deviations are those of the rest, whose mean is mean / (1 - zeros). All
    functions take and return the metric's own mean, that of the mixture.

    `row_means` are the means of the rows, as a column, before they are stretched. Tables of the same `content` are equal.
    """

    content: Content
    margin: Truncated = field(compare=False)
    support: str = field(compare=False)
    low: float = field(compare=False)
    width: float = field(compare=False)
    first: float = field(compare=False)
    step: float = field(compare=False)
    row_means: Floats = field(compare=False)
    zeros: float = field(compare=False, default=0.0)

    def mean_bounds(self) -> tuple[float, float]:
        """Return the lowest and highest mean in the table; lookups outside use the nearest."""
        low, high = self._mean_ends()
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
        row, row_rest = self._row_and_rest(mean)
        column = np.clip(score + _SCORE_LIMIT, 0.0, 2 * _SCORE_LIMIT) * (1.0 / _SCORE_STEP)
        left_column = np.minimum(column.astype(np.int64), len(_SCORES) - 2)
        column_rest = column - left_column
        flat = solved_rows(self).values_at(row).ravel()
        corner = row * len(_SCORES) + left_column
        lower = flat[corner]
        lower = lower + (flat[corner + 1] - lower) * column_rest
        corner += len(_SCORES)
        upper = flat[corner]
        upper = upper + (flat[corner + 1] - upper) * column_rest
        scaled_values = lower + (upper - lower) * row_rest
        if self.support == "count":
            return np.ceil(np.square(scaled_values)) - 1.0
        if self.support == "large count":
            return np.ceil(np.exp(scaled_values)) - 1.0
        return self._stretch(AXES[self.support].back(scaled_values))

    def deviation(self, mean: Floats) -> Floats:
        """Return the standard deviation of the family at each mean."""
        if self.zeros == 0.0:
            return self._interpolated_deviation(mean)
        rest = 1.0 - self.zeros
        rest_mean = np.clip(mean / rest, *self._mean_ends())
        return np.sqrt(rest * (self._interpolated_deviation(rest_mean) ** 2 + self.zeros * rest_mean**2))

    def _interpolated_deviation(self, mean: Floats) -> Floats:
        row, rest = self._row_and_rest(mean)
        deviations = solved_rows(self).deviations_at(row)
        return deviations[row] + (deviations[row + 1] - deviations[row]) * rest

    def deviations_of(self, rows: Places) -> Floats:
        """Return the standard deviations at the means of some rows: solved, not read."""
        mean = self.row_means[rows] * self.width + self.low
        scores = np.linspace(-_SCORE_LIMIT, _SCORE_LIMIT, 601)[None, :]
        weights = np.exp(-0.5 * scores**2)
        weights /= weights.sum()
        values = self._interpolated(mean, scores)
        center = np.sum(values * weights, axis=1, keepdims=True)
        deviations: Floats = np.sqrt(np.maximum(np.sum((values - center) ** 2 * weights, axis=1), 1e-18))
        return deviations

    def values_of(self, rows: Places) -> Floats:
        """Return the values of some rows at all scores, on the scale that they are kept on: solved, not read."""
        location = self.margin.locations(self.row_means[rows], self.row_means[[0, -1]])
        return self._on_scale(self.margin.values(_LEVELS[None, :], location))

    def _on_scale(self, values: Floats) -> Floats:
        """Return values on the scale that they are kept on."""
        if self.support == "large count":
            return np.log(np.maximum(values + 1.0, 1e-8))
        if self.support == "count":
            return np.sqrt(np.maximum(values + 1.0, 0.0))
        clipped = np.clip(values, 1e-12, 1 - 1e-12) if self.support == "unit" else values
        return AXES[self.support].forward(clipped)

    def _mean_ends(self) -> tuple[float, float]:
        ends = self.first + self.step * np.array([0, len(self.row_means) - 1])
        low, high = self._stretch(AXES[self.support].back(ends))
        return float(low), float(high)

    def _row_and_rest(self, mean: Floats) -> tuple[Places, Floats]:
        low, high = self._mean_ends()
        scaled = (np.clip(mean, low, high) - self.low) / self.width if self.support == "unit" else np.clip(mean, low, high)
        location = (AXES[self.support].forward(scaled) - self.first) * (1.0 / self.step)
        row = np.clip(location.astype(np.int64), 0, len(self.row_means) - 2)
        return row, location - row

    def _stretch(self, values: Floats) -> Floats:
        return self.low + self.width * values if self.support == "unit" else values


class SolvedRows:
    """The rows of a table that were read so far; `has_values` and `has_deviations` say which these are. Solving a row twice
    gives the same bits, so threads need no lock."""

    def __init__(self, table: QuantileTable) -> None:
        count = len(table.row_means)
        self._table = table
        self._values, self._deviations = np.full((count, len(_SCORES)), np.nan), np.full(count, np.nan)
        self.has_values, self.has_deviations = np.zeros((2, count), dtype=np.bool_)

    def values_at(self, row: Places) -> Floats:
        """Return the values of all rows, in which the rows `row` are solved, and the one after each."""
        missing = _unknown_rows(self.has_values, row)
        if len(missing):
            self._values[missing] = self._table.values_of(missing)
            self.has_values[missing] = True
        return self._values

    def deviations_at(self, row: Places) -> Floats:
        """Return the deviations of all rows, in which those of `row` are solved, and the one after each."""
        missing = _unknown_rows(self.has_deviations, row)
        if len(missing):
            self._deviations[missing] = self._table.deviations_of(missing)
            self.has_deviations[missing] = True
        return self._deviations


@lru_cache(maxsize=_TABLES)
def solved_rows(table: QuantileTable) -> SolvedRows:
    """Return the rows of a table that this process has solved."""
    return SolvedRows(table)


@lru_cache(maxsize=_TABLES)
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
        content = Content(family, parameters, bounds, means)
        table = _table(content, Truncated(distribution, shape, bounds), (means[0] / rest, means[1] / rest))
    except MeanUnreachable as unreachable:
        raise MeanUnreachable(unreachable.low * rest, unreachable.high * rest) from None
    return replace(table, zeros=zeros)


@lru_cache(maxsize=_TABLES)
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


def _unknown_rows(is_known: NDArray[np.bool_], row: Places) -> Places:
    """Return which of `row`, and of the rows after each, are not known."""
    is_read = np.zeros(len(is_known), dtype=np.bool_)
    is_read[row] = True
    is_read[1:] |= is_read[:-1]
    return np.flatnonzero(is_read & ~is_known)


def _table(content: Content, margin: Truncated, means: tuple[float, float]) -> QuantileTable:
    """Return the table of a content without zeros that are mixed in; `means` are those of the rest."""
    support: str = margin.family.support
    bounds, is_unit = margin.bounds, support == "unit"
    low, width = (bounds[0], bounds[1] - bounds[0]) if is_unit and bounds else (0.0, 1.0)
    is_truncated = bounds is not None and not is_unit
    if is_truncated:
        ends = np.array(margin.reach(means))
    else:
        ends = np.array(_untruncated_domain(support, ((means[0] - low) / width, (means[1] - low) / width)))
        margin = replace(margin, bounds=None)
    axis, count = AXES[support], _MEANS["positive"] if is_truncated else _MEANS[support]
    first, last = (float(end) for end in axis.forward(ends))
    step = (last - first) / (count - 1)
    row_means = axis.back(first + step * np.arange(count, dtype=np.float64))[:, None]
    scale = "large count" if support == "count" and means[1] > _LARGE else support
    return QuantileTable(content, margin, scale, low, width, first, step, row_means)


def _untruncated_domain(support: str, means: tuple[float, float]) -> tuple[float, float]:
    if support == "unit":
        nearer = RELATIVE_MARGIN[support]
        return min(MARGIN, nearer * means[0]), 1.0 - min(MARGIN, nearer * (1.0 - means[1]))
    if support == "real":
        reach = _REACH * max(abs(means[0]), abs(means[1]), means[1] - means[0])
        return means[0] - reach, means[1] + reach
    return means[0] / _REACH, means[1] * _REACH
