"""Fiscal years of whole weeks, 52 or 53 of them, and their quarters of 13 weeks in months of 4 or 5 (the 4-4-5 calendar).

A year begins on a weekday near the first day of a month. The calendar of American retailers (National Retail Federation) is
4-5-4, with weeks from Sunday, and begins on the one nearest to the first of February.
"""

from __future__ import annotations

import numpy as np

from plotsim_core.numerics.arrays import Integers

_WEEKS = 13
"""Weeks of a quarter; a 53rd of the year belongs to the last month of the last one."""


def year_starts(years: Integers, month: int, weekday: int, is_nearest: bool) -> Integers:
    """Return the day (since 1970) that fiscal years begin on, whose month (1 to 12) is that of calendar `years`: the weekday
    (0 for Monday) nearest to the first of the month, or the last one until then."""
    first = ((years - 1970) * 12 + month - 1).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    back = (first + 3 - weekday) % 7
    starts: Integers = first - back + 7 * (is_nearest & (back > 3))
    return starts


def years_and_weeks(days: Integers, month: int, weekday: int, is_nearest: bool) -> tuple[Integers, Integers]:
    """Return the calendar year in whose month the fiscal year of each day begins, and the number of its week, 1 to 53."""
    years = days.astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970
    years = years + (days >= year_starts(years + 1, month, weekday, is_nearest))
    years = years - (days < year_starts(years, month, weekday, is_nearest))
    weeks: Integers = (days - year_starts(years, month, weekday, is_nearest)) // 7 + 1
    return years, weeks


def month_of_week(weeks: Integers, lengths: tuple[int, ...]) -> Integers:
    """Return the month of the year, 1 to 12, of weeks; `lengths` are the weeks of the three months of a quarter."""
    quarter = np.minimum((weeks - 1) // _WEEKS, 3)
    week = weeks - 1 - _WEEKS * quarter
    months: Integers = 3 * quarter + 1 + (week >= lengths[0]) + (week >= lengths[0] + lengths[1])
    return months
