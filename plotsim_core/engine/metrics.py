"""Metrics: the centre of each metric, the mean that its value is drawn around."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from plotsim_core.engine.roster import Units
from plotsim_core.numerics.random import Floats
from plotsim_core.plan.plan import MetricPlan, Plan

_SMALLEST_FACTOR = 0.01


def seasonal_factors(plan: Plan, metric: MetricPlan, units: Units, periods: NDArray[np.int64]) -> Floats:
    """Return the factor that seasons put on the mean, shape (periods, units)."""
    months = plan.grain.starts(periods).astype("datetime64[M]").astype(np.int64) % 12 + 1
    strengths = np.zeros(13)
    for season in plan.dataset.seasonality:
        strengths[list(season.months)] += season.strength
    of_segment = np.array([segment.spec.seasonal_sensitivity for segment in plan.segments])[units.segment]
    strength = strengths[months] * metric.spec.seasonal_sensitivity
    return np.maximum(1.0 + strength[:, None] * of_segment[None, :], _SMALLEST_FACTOR)


def directed(metric: MetricPlan, positions: Floats) -> Floats:
    """Return positions as the metric reads them: turned round where its polarity is negative."""
    return positions if metric.spec.polarity == "positive" else 1.0 - positions


def unseasoned(metric: MetricPlan, units: Units, positions: Floats) -> Floats:
    """Return the means that positions call for, with the unit's size and before any season."""
    means = metric.means[units.segment]
    mean = means[:, 0] + (means[:, 1] - means[:, 0]) * directed(metric, positions)
    return mean * units.size if metric.spec.sized else mean


def centres(plan: Plan, metric: MetricPlan, units: Units, periods: NDArray[np.int64], positions: Floats) -> Floats:
    """Return the means of a metric, shape (periods, units), inside what its distribution can have.

    `positions` are those the metric reads: for a follower, its driver's positions `total_delay` periods before.
    """
    mean = unseasoned(metric, units, positions)
    if plan.dataset.seasonality:
        factor = seasonal_factors(plan, metric, units, periods)
        mean = mean + (factor - 1.0) * np.abs(mean)
    return metric.quantiles.clip(mean)
