"""Correlated metrics: the normal score of each metric, and the value it stands for.

Scores of a metric at one period are standard normal: a Gaussian copula across metrics, whose correlations are solved.
Within a unit they persist (AR(1) as a moving average), and a follower's scores carry those of its driver. See
`plotsim_core/plan/copula.py` for the model.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from plotsim_core.engine.memory import Recent
from plotsim_core.engine.roster import Units
from plotsim_core.numerics.arrays import Floats
from plotsim_core.numerics.random import fold, key, normals, words
from plotsim_core.plan.copula import Mixing, latent_level
from plotsim_core.plan.plan import MetricPlan, Population


class Draws:
    """The independent normals of the metrics' streams, for some units. Metrics that are mixed ask for the same ones, and
    blocks of periods that follow each other for those of the periods before: what was drawn last of each stream is kept."""

    def __init__(self, population: Population, units: Units) -> None:
        self._population, self._address = population, units.address
        self._look_back = max((look_back(population, metric) for metric in range(len(population.metrics))), default=0)
        self._kept: dict[int, tuple[int, Floats]] = {}

    @property
    def width(self) -> int:
        """How many normals a period has: of each unit and metric one."""
        return len(self._address) * len(self._population.metrics)

    def __call__(self, metric: int, periods: NDArray[np.int64]) -> Floats:
        """Return the normals of a metric's stream in consecutive periods, shape (periods, units)."""
        first, stop = int(periods[0]), int(periods[-1]) + 1
        begin, values = self._kept.get(metric, (first, np.empty((0, len(self._address)))))
        if first > begin + len(values) or stop < begin:  # nothing of it is of use
            begin, values = first, values[:0]
        end = begin + len(values)
        if first < begin or stop > end:
            stale_count = max(0, first - self._look_back - begin) if stop > end else 0
            parts = [self._fresh(metric, first, begin), values[stale_count:], self._fresh(metric, end, stop)]
            begin, values = min(first, begin + stale_count), np.concatenate(parts)
            self._kept[metric] = begin, values
        return values[first - begin : stop - begin]

    def _fresh(self, metric: int, first: int, stop: int) -> Floats:
        address = fold(self._address[None, :], words(np.arange(first, max(first, stop), dtype=np.int64))[:, None])
        return normals(key(self._population.seed, "shock", self._population.metrics[metric].name), address)


_DRAWS: Recent[Draws] = Recent(least=1, most=32, limit=1 << 17, size=lambda draws: draws.width)
"""The last draws of this process: of so many units and metrics."""


def draws_of(population: Population, units: Units) -> Draws:
    """Return the draws of some units; the last ones are kept."""
    return _DRAWS.value((population, units), lambda: Draws(population, units))


def look_back(population: Population, metric: int) -> int:
    """Return how many periods before its own a score of a metric is drawn from."""
    spec = population.metrics[metric]
    lags = len(spec.persistence) - 1
    if spec.driver is None:
        return lags
    return max(lags, len(spec.kernel) - 1 + spec.delay + look_back(population, spec.driver))


def runs(population: Population, periods: NDArray[np.int64]) -> list[tuple[Mixing, NDArray[np.int64]]]:
    """Cut consecutive periods where the correlations in force change: (what is in force, the periods) in order."""
    edges = sorted(
        {edge - int(periods[0]) for phase in population.phases for edge in phase if periods[0] < edge <= periods[-1]}
    )
    parts = np.split(periods, edges)
    return [(population.mixings[population.phase(int(part[0]))], part) for part in parts]


def shocks(mixing: Mixing, metric: int, periods: NDArray[np.int64], draw: Draws) -> Floats:
    """Return the mixed shocks E of a metric, shape (periods, units); `periods` are consecutive."""
    total: Floats | None = None
    for other, weight in enumerate(mixing.shocks[metric].tolist()):
        if weight != 0.0:
            part = weight * draw(other, periods)
            total = part if total is None else total + part
    assert total is not None  # a metric's own shock has a weight above 0
    return total


def own_scores(population: Population, mixing: Mixing, metric: int, periods: NDArray[np.int64], draw: Draws) -> Floats:
    """Return what a metric's own shocks, this period's and earlier ones, add up to; `periods` are consecutive.

    All shocks are mixed as is in force at the end: so correlations switch on the day a phase begins, and not gradually.
    """
    spec = population.metrics[metric]
    lags = len(spec.persistence) - 1
    extended = np.arange(periods[0] - lags, periods[-1] + 1, dtype=np.int64)
    mixed = shocks(mixing, metric, extended, draw)
    total = spec.persistence[0] * mixed[lags:]
    for age, weight in enumerate(spec.persistence[1:], start=1):
        total += weight * mixed[lags - age : lags - age + len(periods)]
    return total


def moving_scores(population: Population, metric: int, periods: NDArray[np.int64], draw: Draws) -> Floats:
    """Return the part v of a metric's scores that moves in time, shape (periods, units); `periods` are consecutive."""
    parts = [_moving_part(population, mixing, metric, part, draw) for mixing, part in runs(population, periods)]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _moving_part(population: Population, mixing: Mixing, metric: int, periods: NDArray[np.int64], draw: Draws) -> Floats:
    spec = population.metrics[metric]
    total = own_scores(population, mixing, metric, periods, draw)
    if spec.driver is None:
        return total
    return mixing.own_weights[metric] * total + driver_contribution(population, mixing, metric, periods, draw)


def driver_contribution(
    population: Population, mixing: Mixing, metric: int, periods: NDArray[np.int64], draw: Draws
) -> Floats:
    """Return what a follower takes over from its driver, shape (periods, units); `periods` are consecutive."""
    spec = population.metrics[metric]
    assert spec.driver is not None
    lags = len(spec.kernel) - 1
    driver_scores = moving_scores(population, spec.driver, np.arange(periods[0] - lags, periods[-1] + 1) - spec.delay, draw)
    total = mixing.driver_weights[metric][0] * driver_scores[lags:]
    for age, weight in enumerate(mixing.driver_weights[metric][1:], start=1):
        total += weight * driver_scores[lags - age : lags - age + len(periods)]
    return total


def level_scores(population: Population, mixing: Mixing, metric: int, units: Units) -> Floats:
    """Return the part B of a metric's scores that is a unit's own in a mixing (its random effect), shape (units,)."""
    total = np.zeros(len(units))
    for other, weight in enumerate(mixing.levels[metric].tolist()):
        if weight != 0.0:
            total += weight * normals(key(population.seed, "level", population.metrics[other].name), units.address)
    driver = population.metrics[metric].driver
    if driver is None:
        return total
    return mixing.own_level_weights[metric] * total + mixing.driver_level_weights[metric] * level_scores(
        population, mixing, driver, units
    )


def level_shares(population: Population, metric: int, units: Units) -> Floats:
    """Return the share of a metric's scores' variance that lies between units, for the segment of each unit."""
    return segment_shares(population.metrics[metric])[units.segment]


@lru_cache(maxsize=256)
def segment_shares(metric: MetricPlan) -> Floats:
    """Return the share of a metric's scores' variance that lies between units, for each segment. Solved when data is first
    made: many plans are loaded only to be looked at."""
    segments = zip(metric.means.tolist(), metric.level_shares, metric.positions, strict=True)
    return np.array(
        [latent_level(metric.spec, (low, high), metric.quantiles, nature, q) for (low, high), nature, q in segments]
    )


def levels(population: Population, metric: int, units: Units, periods: NDArray[np.int64]) -> Floats:
    """Return what of a metric's scores is a unit's own, shape (periods, units); `periods` are consecutive."""
    share = np.sqrt(level_shares(population, metric, units))
    parts = [
        np.broadcast_to(share * level_scores(population, mixing, metric, units), (len(part), len(units)))
        for mixing, part in runs(population, periods)
    ]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def scores(population: Population, metric: int, units: Units, periods: NDArray[np.int64], draw: Draws) -> Floats:
    """Return the standard normal scores of a metric, shape (periods, units); `periods` are consecutive."""
    moving_scale = np.sqrt(1.0 - level_shares(population, metric, units))
    return levels(population, metric, units, periods) + moving_scale[None, :] * moving_scores(
        population, metric, periods, draw
    )
