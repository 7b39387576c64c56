"""Metrics: the centre of each metric, the mean that its value is drawn around."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from plotsim_core.config.effects import season_strengths
from plotsim_core.engine.effects import metric_effects
from plotsim_core.engine.rhythm import metric_factors
from plotsim_core.engine.roster import Units
from plotsim_core.engine.trajectories import positions
from plotsim_core.engine.treatment import treated
from plotsim_core.numerics.arrays import Floats
from plotsim_core.plan.plan import MetricPlan, Population

_SMALLEST_FACTOR = 0.01

PositionsAt = Callable[[NDArray[np.int64]], Floats]
"""Gives trajectory positions in consecutive periods, shape (periods, units)."""


def seasonal_factors(population: Population, metric: MetricPlan, units: Units, periods: NDArray[np.int64]) -> Floats:
    """Return the factor that seasons put on the mean, shape (periods, units)."""
    sensitivity = np.array([segment.spec.seasonal_sensitivity for segment in population.segments])[units.segment]
    strength = season_strengths(population.dataset.seasonality, population.grain, periods) * metric.spec.seasonal_sensitivity
    factors: Floats = np.maximum(1.0 + strength[:, None] * sensitivity[None, :], _SMALLEST_FACTOR)
    return factors


def growth_factors(population: Population, metric: MetricPlan, periods: NDArray[np.int64]) -> Floats | None:
    """Return what growth has multiplied the means of a metric by, shape (periods,); None for one that does not grow."""
    growth = metric.spec.growth
    return None if growth is None else growth.factors(population.grain, population.first, periods)


def shifted_positions(
    population: Population, metric: int, units: Units, periods: NDArray[np.int64], positions_at: PositionsAt | None = None
) -> Floats:
    """Return the positions that a metric reads, shape (periods, units); `periods` are consecutive.

    They are the trajectory's, or what its driver read `delay` periods before (and earlier, with a decay), lifted where a
    treatment has this metric as its target. `positions_at` gives the positions of consecutive periods, where they are kept.
    """
    spec = population.metrics[metric]
    if spec.driver is None:
        values = positions(population, units, periods) if positions_at is None else positions_at(periods)
    else:
        lags = len(spec.kernel) - 1
        driver_values = shifted_positions(
            population, spec.driver, units, np.arange(periods[0] - lags, periods[-1] + 1) - spec.delay, positions_at
        )
        values = driver_values[lags:] if lags == 0 else spec.kernel[0] * driver_values[lags:]
        for age, weight in enumerate(spec.kernel[1:], start=1):
            values = values + weight * driver_values[lags - age : lags - age + len(periods)]
    return treated(population, units, periods, values, spec.name)


def oriented(metric: MetricPlan, positions_read: Floats) -> Floats:
    """Return positions as the metric reads them: turned round where its polarity is negative."""
    return positions_read if metric.spec.polarity == "positive" else 1.0 - positions_read


def unseasoned(metric: MetricPlan, units: Units, positions_read: Floats) -> Floats:
    """Return the means that positions call for, with the unit's size and before any season."""
    means = metric.means[units.segment]
    mean = means[:, 0] + (means[:, 1] - means[:, 0]) * oriented(metric, positions_read)
    return mean * units.size if metric.spec.sized else mean


def centres(
    population: Population, metric: MetricPlan, units: Units, periods: NDArray[np.int64], positions_read: Floats
) -> Floats:
    """Return the means of a metric, shape (periods, units), inside what its distribution can have.

    `positions_read` are those the metric reads.
    """
    mean = unseasoned(metric, units, positions_read)
    growth = growth_factors(population, metric, periods)
    if growth is not None:
        mean = mean + (growth[:, None] - 1.0) * np.abs(mean)
    if population.dataset.seasonality:
        factor = seasonal_factors(population, metric, units, periods)
        mean = mean + (factor - 1.0) * np.abs(mean)
    rhythm = metric_factors(population, metric, periods)
    if rhythm is not None:
        mean = mean + (rhythm[:, None] - 1.0) * np.abs(mean)
    effects = metric_effects(population, metric, units, periods)
    if effects is not None:
        mean = mean + (effects - 1.0) * np.abs(mean)
    return metric.quantiles.clip(mean)
