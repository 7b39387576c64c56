"""How many rows belong to each parent: families of counts, inverted from one uniform each.

A count is the first whole number whose cumulative probability reaches the level, found element by element: so it is the same
in any array. Means may differ from parent to parent.

Bounds make the conditional distribution: that of a count given that it lies between them. The mean that is asked for is the
mean *after* that, so that data have the mean that a config declares; the family's own mean is solved for it. So a geometric
count of mean 2.1 between 1 and 12 has that mean, whether one counts from 0 or from 1. Means that the bounds do not allow are
moved to the nearest that they do (`reach`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from plotsim_core.numerics.arrays import Flags, Floats, Integers
from plotsim_core.numerics.count_families import COUNT_FAMILIES

MOST = 1_000_000
"""Most rows of a parent, where no bound says less."""

_TABLE = 4096
"""Counts whose probabilities are made where all parents have one mean: then a draw is a search, for the same numbers."""
_MEANS, _HALVINGS, _PRECISION = 33, 8, 1e-4
"""The mean between bounds is solved for so many means of the family, and between two of them where a line is further off,
as a share of the mean."""
_REACH = 30.0
"""How many times below the least and above the most the mean of the family may lie."""
_SMALLEST_MASS = 1e-250
_SMALLEST_MEAN = 1e-300


@dataclass(frozen=True)
class RowCounts:
    """Counts of a family by its name in `COUNT_FAMILIES` with its `parameters`, sorted by name; `between` are the least and
    the most, None: any from 0 to `MOST`."""

    family: str
    parameters: tuple[tuple[str, float], ...] = ()
    between: tuple[int, int] | None = None

    def draw(self, level: Floats, mean: Floats | float) -> Integers:
        """Return the count that each level in (0, 1) stands for, shape (n,); `mean` is one for all or has that shape.

        Without bounds, a mean of 0 or below has no rows.
        """
        least, most = self.between or (0, MOST)
        location = np.asarray(self._locations(np.asarray(mean, dtype=np.float64)))
        below, above = self._cumulative(least - 1, location), self._remaining(least - 1, location)
        is_upper = below > 0.5
        target = np.where(
            is_upper,
            above - level * (above - self._remaining(most, location)),
            below + level * (self._cumulative(most, location) - below),
        )
        if location.ndim == 0:
            return self._searched(target, location, bool(is_upper))
        return self._bisected(target, location, is_upper)

    def reach(self) -> tuple[float, float]:
        """Return the lowest and the highest mean that the counts can have."""
        if self.between is None:
            return 0.0, float(MOST)
        means, _ = _solved(self)
        return float(means[0]), float(means[-1])

    def _cumulative(self, count: Integers | int, location: Floats) -> Floats:
        return COUNT_FAMILIES[self.family].cumulative(count, location, **dict(self.parameters))

    def _remaining(self, count: Integers | int, location: Floats) -> Floats:
        return COUNT_FAMILIES[self.family].remaining(count, location, **dict(self.parameters))

    def _locations(self, mean: Floats) -> Floats:
        """Return the means that the family has before it is bounded."""
        if self.between is None:
            return np.clip(mean, _SMALLEST_MEAN, MOST)
        means, logarithms = _solved(self)
        if len(means) == 1:
            return np.full(mean.shape, np.exp(logarithms[0]))
        inside = np.clip(mean, means[0], means[-1])
        row = np.clip(np.searchsorted(means, inside, side="right") - 1, 0, len(means) - 2)
        share = (inside - means[row]) / (means[row + 1] - means[row])
        return np.exp(logarithms[row] + share * (logarithms[row + 1] - logarithms[row]))

    def means_between(self, location: Floats) -> Floats:
        """Return the means between the bounds of members of the family with means `location`, shape (n,); NaN where hardly
        any of their counts lie there."""
        least, most = self.between or (0, MOST)
        family, parameters = COUNT_FAMILIES[self.family], dict(self.parameters)
        below, above = self._cumulative(least - 1, location), self._remaining(least - 1, location)
        last_below, last_above = self._cumulative(most, location), self._remaining(most, location)
        is_likely = np.where(below > 0.5, above - last_above, last_below - below) > _SMALLEST_MASS
        counts = np.arange(least, most + 1, dtype=np.int64)
        means = np.full(len(location), np.nan)
        for index in np.flatnonzero(is_likely).tolist():
            masses = family.log_mass(counts, location[index], **parameters)
            masses = np.exp(masses - masses.max())
            means[index] = np.sum(masses * counts) / np.sum(masses)
        return means

    def _searched(self, target: Floats, location: Floats, is_upper: bool) -> Integers:
        """Return the counts of one location, by a search in their probabilities."""
        least, most = self.between or (0, MOST)
        counts = np.arange(least, min(most, least + _TABLE) + 1)
        if is_upper:
            indexes = np.searchsorted(-self._remaining(counts, location), -target)
        else:
            indexes = np.searchsorted(self._cumulative(counts, location), target)
        result = np.minimum(least + indexes, most).astype(np.int64)
        outside = np.flatnonzero(indexes == len(counts))
        if len(outside) and most > counts[-1]:
            places = np.full(len(outside), float(location))
            result[outside] = self._bisected(target[outside], places, np.full(len(outside), is_upper))
        return result

    def _bisected(self, target: Floats, location: Floats, is_upper: Flags) -> Integers:
        """Return the counts of a location each: doubled until the probability is reached, then by halves."""
        least, most = self.between or (0, MOST)

        def reaches(count: Integers, pending: Integers) -> Flags:
            place, upper = location[pending], is_upper[pending]
            is_reached = count >= most
            if not upper.all():
                is_reached |= ~upper & (self._cumulative(count, place) >= target[pending])
            if upper.any():
                is_reached |= upper & (self._remaining(count, place) <= target[pending])
            return is_reached

        low, high = np.full(len(target), least - 1), np.full(len(target), least)
        pending, step = np.arange(len(target)), 1
        while len(pending):
            pending = pending[~reaches(high[pending], pending)]
            low[pending] = high[pending]
            step *= 2
            high[pending] = np.minimum(high[pending] + step, most)
        pending = np.flatnonzero(high - low > 1)
        while len(pending):
            middle = (low[pending] + high[pending]) // 2
            is_reached = reaches(middle, pending)
            high[pending[is_reached]] = middle[is_reached]
            low[pending[~is_reached]] = middle[~is_reached]
            pending = pending[high[pending] - low[pending] > 1]
        return high


@lru_cache(maxsize=256)
def _solved(counts: RowCounts) -> tuple[Floats, Floats]:
    """Return rising means between the bounds, and the logarithms of the family's means that have them."""
    assert counts.between is not None
    least, most = counts.between
    logarithms = np.linspace(np.log(max(least, 0.1) / _REACH), np.log(max(most, 1) * _REACH), _MEANS)
    means = counts.means_between(np.exp(logarithms))
    for _ in range(_HALVINGS):
        middles = 0.5 * (logarithms[1:] + logarithms[:-1])
        middle_means = counts.means_between(np.exp(middles))
        off = np.abs(middle_means - 0.5 * (means[1:] + means[:-1])) > _PRECISION * middle_means
        if not off.any():
            break
        places = np.flatnonzero(off) + 1
        logarithms, means = np.insert(logarithms, places, middles[off]), np.insert(means, places, middle_means[off])
    usable = np.flatnonzero(np.isfinite(means))
    rising = usable[np.append(True, np.diff(np.maximum.accumulate(means[usable])) > 1e-12 * max(most, 1))]
    return np.round(means[rising], 10), np.round(logarithms[rising], 10)


def uniform_counts(level: Floats, least: int, most: int) -> Integers:
    """Return counts from `least` to `most`, each as likely, shape (n,)."""
    return least + (level * (most - least + 1)).astype(np.int64)


def weighted_counts(level: Floats, counts: tuple[int, ...], weights: tuple[float, ...]) -> Integers:
    """Return counts by their weights (at least 0, one above 0), shape (n,)."""
    chances = np.cumsum(np.array(weights) / sum(weights))
    last = int(np.flatnonzero(weights)[-1])
    return np.array(counts, dtype=np.int64)[np.minimum(np.searchsorted(chances, level), last)]


def zipf_counts(level: Floats, exponent: float, least: int, most: int) -> Integers:
    """Return counts from `least` (at least 1) to `most` (at most `MOST`), of which n is as likely as n**-exponent."""
    counts = np.arange(least, most + 1)
    chances = np.cumsum(counts.astype(np.float64) ** -exponent)
    drawn: Integers = counts[np.minimum(np.searchsorted(chances, level * chances[-1]), len(counts) - 1)]
    return drawn
