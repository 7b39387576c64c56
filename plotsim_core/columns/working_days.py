"""Working days in formulas, on whole arrays: days that are neither of the weekend nor holidays of the calendar."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from plotsim_core.config.calendar import Calendar
from plotsim_core.config.calendar_days import holidays_of
from plotsim_core.numerics.arrays import Floats, Integers

_EARLIEST, _LATEST = (np.datetime64(day).astype(np.int64) for day in ("0001-01-01", "9999-12-31"))
"""The first and the last day of a date."""
_HOLIDAYS_FROM, _HOLIDAYS_TO = (np.datetime64(day).astype(np.int64) for day in ("1600-01-01", "2999-12-31"))
"""The years of windows: outside of them no day is a holiday."""
_MOST = int(_LATEST - _EARLIEST)
"""More days lead beyond the last day from wherever they are counted."""


def _count(calendar: Calendar, begins: Floats, ends: Floats) -> Integers:
    """Return how many working days there are from the day that begins, included, to the day that ends, not included; below
    0 where that is the earlier one."""
    first, stop = _days(begins), _days(ends)
    if not _has_working_days(calendar):
        return np.zeros(len(first), dtype=np.int64)
    holidays = _holidays(calendar, min(first.min(), stop.min()), max(first.max(), stop.max()))
    low, high = np.minimum(first, stop), np.maximum(first, stop)
    counts = np.busday_count(
        low.astype("datetime64[D]"), high.astype("datetime64[D]"), weekmask=_weekmask(calendar), holidays=holidays
    )
    result: Integers = np.where(first <= stop, counts, -counts).astype(np.int64)
    return result


def _added(calendar: Calendar, begins: Floats, numbers: Floats) -> Floats:
    """Return the working day that comes so many after a day, or before it of a number below 0; of 0 the day itself."""
    first, count = _days(begins), np.clip(np.trunc(numbers), -_MOST, _MOST).astype(np.int64)
    if not _has_working_days(calendar):
        return np.full(len(first), np.nan)
    reach = 7 * int(np.abs(count).max()) + 366  # a week has one working day at least, a year as many days
    low, high = int(first.min()) - reach, int(first.max()) + reach
    days, mask = first.astype("datetime64[D]"), _weekmask(calendar)
    holidays = _holidays(calendar, low, high)
    later, earlier = (
        np.busday_offset(days, count, roll=roll, weekmask=mask, holidays=holidays) for roll in ("backward", "forward")
    )
    moved = np.where(count > 0, later, np.where(count < 0, earlier, days))
    result: Floats = moved.astype("datetime64[D]").astype(np.int64).astype(np.float64)
    return np.where((result >= _EARLIEST) & (result <= _LATEST), result, np.nan)


def _days(days: Floats) -> Integers:
    return np.clip(np.floor(days), _EARLIEST, _LATEST).astype(np.int64)


def _has_working_days(calendar: Calendar) -> bool:
    return not all(calendar.days_off)


def _weekmask(calendar: Calendar) -> list[bool]:
    return [not is_off for is_off in calendar.days_off]


def _holidays(calendar: Calendar, first: int, last: int) -> NDArray[np.datetime64]:
    """Return the holidays of the years of some days."""
    years = (
        np.clip([first, last], _HOLIDAYS_FROM, _HOLIDAYS_TO).astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64)
        + 1970
    )
    days = list(holidays_of(calendar, *years.tolist())) if calendar.holidays else []
    return np.array(days, dtype=np.int64).astype("datetime64[D]")


WORKING_DAYS: Mapping[str, Callable[[Calendar, Floats, Floats], Floats | Integers]] = {
    "add_working_days": _added,
    "working_days": _count,
}
"""Functions of the calendar, of dates, and of a date or a number."""
