"""What days of a calendar are: holidays by name, and what happens on each by a rhythm.

Days are counted from 1970-01-01.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from plotsim_core.config.calendar import Calendar, Rhythm
from plotsim_core.numerics import rhythm as shapes
from plotsim_core.numerics.arrays import Floats, Integers
from plotsim_core.numerics.calendar import Grain


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


def day_weights(calendar: Calendar, weights: shapes.Rhythm, days: Integers) -> Floats:
    """Return the weight of each day (counted from 1970-01-01), any shape."""
    return weights.of_days(days, holiday_places(calendar, days)[1] >= 0)


def period_factors(calendar: Calendar, grain: Grain, weights: shapes.Rhythm, periods: Integers) -> Floats:
    """Return what a rhythm multiplies the usual of a day or a part of one by, shape (periods,); 1 for longer periods."""
    if not grain.is_within_day:
        return np.ones(len(periods))
    starts = grain.civil_starts(periods)
    factors = day_weights(calendar, weights, starts.astype("datetime64[D]").astype(np.int64))
    if grain.is_part_of_day:
        factors = factors * weights.of_hours(starts.astype("datetime64[h]").astype(np.int64) % 24)
    return factors
