"""The calendar at work: which days are holidays, and what the rhythm of a metric or an event does to them."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from plotsim_core.config.calendar import Calendar
from plotsim_core.numerics import rhythm as shapes
from plotsim_core.numerics.arrays import Floats, Integers
from plotsim_core.numerics.calendar import Moments

if TYPE_CHECKING:
    from plotsim_core.config.calendar import Rhythm
    from plotsim_core.plan.plan import MetricPlan, Population


SMALLEST_FACTOR = 0.01
"""No mean is multiplied by less."""


def holidays_of(calendar: Calendar, first: int, last: int) -> dict[int, str]:
    """Return the holidays of the years (both included), as day counted from 1970-01-01 to name, in order.

    What several entries call the same day is joined.
    """
    names: dict[int, str] = {}
    for year in range(first, last + 1):
        names |= _holidays_of_year(calendar, year)
    return names


@lru_cache(maxsize=4096)
def _holidays_of_year(calendar: Calendar, year: int) -> dict[int, str]:
    names: dict[int, list[str]] = {}
    for entry in calendar.holidays:
        for day, name in entry.of_year(year).items():
            names.setdefault(day, []).append(name)
    return {day: "; ".join(dict.fromkeys(names[day])) for day in sorted(names)}


def holiday_places(calendar: Calendar, days: Integers) -> tuple[list[str], Integers]:
    """Return the names of holidays, and for each day (counted from 1970-01-01) the place of its own, -1 for none."""
    if not calendar.holidays or days.size == 0:
        return [], np.full(days.shape, -1, dtype=np.int64)
    years = np.array([days.min(), days.max()]).astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970
    holidays = holidays_of(calendar, int(years[0]), int(years[1]))
    holiday_days = np.array([*holidays, np.iinfo(np.int64).max], dtype=np.int64)
    index = np.searchsorted(holiday_days, days)
    return list(holidays.values()), np.where(holiday_days[index] == days, index, -1)


def working(calendar: Calendar, days: Integers) -> NDArray[np.bool_]:
    """Return which days (counted from 1970-01-01) are neither of the weekend nor holidays."""
    return ~np.array(calendar.days_off)[(days + 3) % 7] & (holiday_places(calendar, days)[1] < 0)


def shape(calendar: Calendar, spec: Rhythm) -> shapes.Rhythm:
    """Return the weights of a rhythm."""
    holiday = 1.0 if spec.holidays is None else spec.holidays
    return shapes.rhythm(spec.weekday_weights(calendar), spec.hour_weights, holiday)


def rhythm_of(population: Population, declared: Rhythm | None) -> shapes.Rhythm | None:
    """Return the weights of a `declared` rhythm over that of the dataset; None where there is neither."""
    spec = population.dataset.rhythm if declared is None else declared.over(population.dataset.rhythm)
    return None if spec is None else shape(population.dataset.calendar, spec)


def period_factors(population: Population, weights: shapes.Rhythm, periods: Integers) -> Floats:
    """Return what a rhythm multiplies the usual of a day or a part of one by, shape (periods,); 1 for longer periods."""
    if not population.grain.is_within_day:
        return np.ones(len(periods))
    starts = population.grain.starts(periods)
    factors = day_weights(population, weights, starts.astype("datetime64[D]").astype(np.int64))
    if population.grain.is_part_of_day:
        factors = factors * weights.of_hours(starts.astype("datetime64[h]").astype(np.int64) % 24)
    return factors


def metric_factors(population: Population, metric: MetricPlan, periods: Integers) -> Floats | None:
    """Return what the rhythm multiplies the means of a metric by, shape (periods,); None where it does not."""
    sensitivity = metric.spec.follows_rhythm
    if population.dataset.rhythm is None or sensitivity == 0 or not population.grain.is_within_day:
        return None
    factors = period_factors(population, shape(population.dataset.calendar, population.dataset.rhythm), periods)
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
    factors = period_factors(population, weights, periods)
    return factors if metric_part is None else factors / metric_part


def day_weights(population: Population, weights: shapes.Rhythm, days: Integers) -> Floats:
    """Return the weight of each day (counted from 1970-01-01), any shape."""
    return weights.of_days(days, holiday_places(population.dataset.calendar, days)[1] >= 0)


def days_of(population: Population, weights: shapes.Rhythm, periods: Integers) -> Floats:
    """Return the weights of the days of periods of a day or longer, shape (periods, most days); 0 beyond a period's end.

    Where nothing is to happen in a whole period, all its days weigh the same.
    """
    first, stop = (_days(population.grain.starts(periods + offset)) for offset in (0, 1))
    days = first[:, None] + np.arange(int((stop - first).max(initial=1)))[None, :]
    is_inside = days < stop[:, None]
    day_parts = np.where(is_inside, day_weights(population, weights, days), 0.0)
    return np.where(np.any(day_parts > 0, axis=1, keepdims=True), day_parts, is_inside.astype(np.float64))


def _days(moments: Moments) -> Integers:
    return moments.astype("datetime64[D]").astype(np.int64)
