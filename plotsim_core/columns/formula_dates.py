"""Dates and moments in formulas, on whole arrays: a date is a number of days since 1970, a moment one of microseconds, and
NaN is null. Both are whole; a double holds the microseconds exactly up to the year 2255.

Whatever lies outside the years 1 to 9999 is put on their first or last day.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from plotsim_core.arrow import ArrowArray
from plotsim_core.numerics.arrays import Floats, Integers
from plotsim_core.numerics.zones import offsets, offsets_of_local

_MICROSECONDS = 86_400_000_000.0
_EARLIEST, _LATEST = (float(np.datetime64(day).astype(np.int64)) for day in ("0001-01-01", "9999-12-31"))
_MOST_MONTHS = 120_000.0
SPANS: Mapping[str, float] = {
    "seconds": 1e6,
    "minutes": 60e6,
    "hours": 3600e6,
    "days": _MICROSECONDS,
    "weeks": 7 * _MICROSECONDS,
}
"""The microseconds of each unit of a span."""


def day_input(values: ArrowArray) -> Floats:
    """Return dates as days, NaN for null."""
    return pc.cast(values.cast(pa.int32()), pa.float64()).fill_null(np.nan).to_numpy(zero_copy_only=False)


def moment_input(values: ArrowArray) -> Floats:
    """Return moments as microseconds, NaN for null."""
    microseconds = pc.cast(values.cast(pa.int64()), pa.float64(), safe=False)  # beyond the year 2255 a double rounds them
    return microseconds.fill_null(np.nan).to_numpy(zero_copy_only=False)


def days_of(moments: Floats) -> Floats:
    """Return the days of moments."""
    return np.floor(moments / _MICROSECONDS)


def moments_of(days: Floats) -> Floats:
    """Return the moments at which days begin."""
    return days * _MICROSECONDS


def as_dates(days: Floats) -> ArrowArray:
    """Return days as Arrow dates, null for NaN."""
    dates: ArrowArray = pa.array(_whole(np.floor(days), _EARLIEST, _LATEST).astype(np.int32), mask=np.isnan(days)).cast(
        pa.date32()
    )
    return dates


def as_moments(moments: Floats) -> ArrowArray:
    """Return microseconds as Arrow moments, null for NaN."""
    whole = _whole(np.rint(moments), _EARLIEST * _MICROSECONDS, (_LATEST + 1) * _MICROSECONDS - 1e6)
    timestamps: ArrowArray = pa.array(whole, mask=np.isnan(moments)).cast(pa.timestamp("us"))
    return timestamps


def written(values: Floats, is_date: bool, format_: str | None) -> ArrowArray:
    """Return dates or moments as texts: by a format, or as ISO 8601 writes them, to the second."""
    array = as_dates(values) if is_date else as_moments(values)
    default = "%Y-%m-%d" if is_date else "%Y-%m-%d %H:%M:%S"
    seconds: Any = array if is_date else pc.floor_temporal(array, unit="second")
    texts: ArrowArray = pc.strftime(seconds.cast(pa.timestamp("s")), format=format_ or default)
    return texts


def _whole(values: Floats, least: float, most: float) -> Integers:
    return np.clip(np.where(np.isnan(values), 0.0, values), least, most).astype(np.int64)


def _dates(days: Floats) -> NDArray[np.datetime64]:
    return _whole(np.floor(days), _EARLIEST, _LATEST).astype("datetime64[D]")


def _months(days: Floats) -> Integers:
    """Return how many months have begun since January 1970."""
    return _dates(days).astype("datetime64[M]").astype(np.int64)


def _since(days: Floats, unit: str) -> Integers:
    """Return how many days have passed since the year or month of each day began."""
    dates = _dates(days)
    passed: Integers = (dates - dates.astype(f"datetime64[{unit}]").astype("datetime64[D]")).astype(np.int64)
    return passed


def _year(days: Floats) -> Integers:
    years: Integers = _dates(days).astype("datetime64[Y]").astype(np.int64) + 1970
    return years


def _weekday(days: Floats) -> Integers:
    """Return the day of the week, 1 for Monday to 7."""
    numbers: Integers = (_dates(days).astype(np.int64) + 3) % 7 + 1
    return numbers


def _thursday(days: Floats) -> Floats:
    """Return the Thursday of each day's week, whose year is that of the week (ISO 8601)."""
    return np.floor(days) + 4.0 - _weekday(days)


def _added_months(days: Floats, count: Floats) -> Integers:
    """Return the same day so many months later, or the last of a month that is shorter."""
    months = _months(days) + _whole(np.floor(count), -_MOST_MONTHS, _MOST_MONTHS)
    first = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    next_first = (months + 1).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    later: Integers = np.minimum(first + _since(days, "M"), next_first - 1)
    return later


def _age(born: Floats, at: Floats) -> Integers:
    """Return the whole years from one date to another: birthdays that have come."""
    years = _year(at) - _year(born)
    months, born_months = _months(at) % 12, _months(born) % 12
    is_before = (months < born_months) | ((months == born_months) & (_since(at, "M") < _since(born, "M")))
    whole_years: Integers = years - is_before
    return whole_years


def _month_end(days: Floats) -> Integers:
    """Return the last day of each day's month."""
    last: Integers = (_months(days) + 1).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) - 1
    return last


OF_DAYS: Mapping[str, Callable[..., Any]] = {
    "add_months": _added_months,
    "age": _age,
    "day": lambda days: _since(days, "M") + 1,
    "day_of_year": lambda days: _since(days, "Y") + 1,
    "iso_week": lambda days: _since(_thursday(days), "Y") // 7 + 1,
    "iso_year": lambda days: _year(_thursday(days)),
    "month": lambda days: _months(days) % 12 + 1,
    "month_end": _month_end,
    "quarter": lambda days: _months(days) % 12 // 3 + 1,
    "weekday": _weekday,
    "year": _year,
}
"""Functions of days, and of numbers beside them."""


def _local(zone: str, moments: Floats) -> Floats:
    """Return what the clocks of a zone show at moments."""
    shift = offsets(zone, np.floor(moments / SPANS["seconds"]).astype(np.int64))
    local_moments: Floats = moments + shift * SPANS["seconds"]
    return local_moments


def _utc(zone: str, moments: Floats) -> Floats:
    """Return the moments at which the clocks of a zone show some times."""
    shift = offsets_of_local(zone, np.floor(moments / SPANS["seconds"]).astype(np.int64))
    utc_moments: Floats = moments - shift * SPANS["seconds"]
    return utc_moments


IN_ZONES: Mapping[str, Callable[[str, Floats], Floats]] = {"local": _local, "utc": _utc}
"""Functions of a zone and moments."""
OF_MOMENTS: Mapping[str, Callable[[Floats], Floats]] = {
    "hour": lambda moments: np.floor(moments / SPANS["hours"]) % 24,
    "minute": lambda moments: np.floor(moments / SPANS["minutes"]) % 60,
}
"""Functions of moments."""
