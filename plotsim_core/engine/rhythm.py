"""The rhythm at work: what that of a metric or an event does to periods and days."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from plotsim_core.config.calendar_days import day_weights, period_factors, shape
from plotsim_core.numerics import rhythm as shapes
from plotsim_core.numerics.arrays import Floats, Integers
from plotsim_core.numerics.calendar import Moments

if TYPE_CHECKING:
    from plotsim_core.config.calendar import Rhythm
    from plotsim_core.plan.plan import MetricPlan, Population


SMALLEST_FACTOR = 0.01
"""No mean is multiplied by less."""


def rhythm_of(population: Population, declared: Rhythm | None) -> shapes.Rhythm | None:
    """Return the weights of a `declared` rhythm over that of the dataset; None where there is neither."""
    spec = population.dataset.rhythm if declared is None else declared.over(population.dataset.rhythm)
    return None if spec is None else shape(population.dataset.calendar, spec)


def metric_factors(population: Population, metric: MetricPlan, periods: Integers) -> Floats | None:
    """Return what the rhythm multiplies the means of a metric by, shape (periods,); None where it does not."""
    sensitivity = metric.spec.follows_rhythm
    if population.dataset.rhythm is None or sensitivity == 0 or not population.grain.is_within_day:
        return None
    calendar = population.dataset.calendar
    factors = period_factors(calendar, population.grain, shape(calendar, population.dataset.rhythm), periods)
    return np.maximum(1.0 + sensitivity * (factors - 1.0), SMALLEST_FACTOR)


def event_factors(
    population: Population, declared: Rhythm | None, metric: MetricPlan | None, periods: Integers
) -> Floats | None:
    """Return what the number of events in proportion to a metric (None: to none) is multiplied by, so that it has the rhythm
    of the events whatever that of the metric is, shape (periods,); None where it is not."""
    weights = rhythm_of(population, declared)
    if weights is None or not population.grain.is_within_day:
        return None
    metric_part = None if metric is None else metric_factors(population, metric, periods)
    factors = period_factors(population.dataset.calendar, population.grain, weights, periods)
    return factors if metric_part is None else factors / metric_part


def days_of(population: Population, weights: shapes.Rhythm, periods: Integers) -> Floats:
    """Return the weights of the days of periods of a day or longer, shape (periods, most days); 0 beyond a period's end.

    Where nothing is to happen in a whole period, all its days weigh the same.
    """
    first, stop = (_days(population.grain.civil_starts(periods + offset)) for offset in (0, 1))
    days = first[:, None] + np.arange(int((stop - first).max(initial=1)))[None, :]
    is_inside = days < stop[:, None]
    day_parts = np.where(is_inside, day_weights(population.dataset.calendar, weights, days), 0.0)
    return np.where(np.any(day_parts > 0, axis=1, keepdims=True), day_parts, is_inside.astype(np.float64))


def _days(moments: Moments) -> Integers:
    return moments.astype("datetime64[D]").astype(np.int64)
