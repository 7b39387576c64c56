"""Dates and period numbers. A period is counted from a fixed epoch, never from a window's start.

A grain (some minutes, hour, day, ISO week, month, quarter) turns dates into period numbers and back; everything is
vectorised over int64 arrays of period numbers. The beginning of a period is two things: what the calendar and clocks show
then (`civil_starts`), and a point in time (`instants`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from plotsim_core.families import Family
from plotsim_core.numerics.zones import offsets, offsets_of_local

_HOUR, _DAY = 60, 1440
"""Minutes."""

Periods = NDArray[np.int64]
Moments = NDArray[np.datetime64]


@dataclass(frozen=True)
class Grain:
    """One length of period. `civil_starts` maps period numbers to what clocks show when each begins (datetime64[s]), and
    `holding` maps what clocks show to the number of the period. Clocks are those of `zone`, an IANA name; None for UTC.

    `coarser` are the names of the grains that hold whole periods of it, and `cohort` is how many periods of arrivals make a
    cohort. `minutes` is its length, None for those that are longer than a day.
    """

    name: str
    adverb: str
    per_year: float
    holding: Callable[[Moments], Periods]
    civil_starts: Callable[[Periods], Moments]
    labels: Callable[[Moments], list[str]]
    coarser: tuple[str, ...] = ()
    cohort: int = 1
    minutes: int | None = None
    zone: str | None = None

    def __reduce__(self) -> tuple[Callable[[str, str | None], Grain], tuple[str, str | None]]:
        """A grain travels between processes by its name: its functions are made here and cannot be pickled."""
        return grain_named, (self.name, self.zone)

    @property
    def noun(self) -> str:
        """What one period is called."""
        return f"period of {self.name}" if self.name[0].isdigit() else self.name

    @property
    def plural(self) -> str:
        """What periods are called."""
        return f"periods of {self.name}" if self.name[0].isdigit() else f"{self.name}s"

    @property
    def is_within_day(self) -> bool:
        """Whether a period is a day or a part of one."""
        return self.minutes is not None

    @property
    def is_part_of_day(self) -> bool:
        """Whether a day has several periods."""
        return self.minutes is not None and self.minutes < _DAY

    @property
    def is_part_of_hour(self) -> bool:
        """Whether an hour has several periods."""
        return self.minutes is not None and self.minutes < _HOUR

    @property
    def key_format(self) -> str:
        """The format of integer date keys: the start of a period, down to its hour or minute where periods differ in it."""
        if not self.is_part_of_day:
            return "%Y%m%d"
        return "%Y%m%d%H" if self.minutes == _HOUR else "%Y%m%d%H%M"

    @property
    def key_length(self) -> int:
        """How many digits a date key has."""
        return 4 + 2 * self.key_format.count("%") - 2

    def instants(self, periods: Periods) -> Moments:
        """Return the moment in UTC (datetime64[us]) at which each period begins."""
        starts = self.civil_starts(periods)
        if self.zone is not None:
            starts = starts - offsets_of_local(self.zone, starts.astype(np.int64)).astype("timedelta64[s]")
        return starts.astype("datetime64[us]")

    def local(self, instants: Moments) -> Moments:
        """Return what clocks show at moments in UTC (datetime64[us])."""
        if self.zone is None:
            return instants
        shift = offsets(self.zone, instants.astype("datetime64[s]").astype(np.int64)).astype("timedelta64[s]")
        shown: Moments = instants.astype("datetime64[us]") + shift
        return shown

    def seconds(self, periods: Periods) -> NDArray[np.int64]:
        """Return the length of each period in seconds."""
        return (self.instants(periods + 1) - self.instants(periods)).astype("timedelta64[s]").astype(np.int64)

    def keys(self, periods: Periods) -> NDArray[np.int64]:
        """Return the integer date key of each period, its start: YYYYMMDD, of hours YYYYMMDDHH, of minutes YYYYMMDDHHMM."""
        start = self.civil_starts(periods)
        keys = date_keys(start)
        if self.is_part_of_day:
            hour, minute = np.divmod((start - start.astype("datetime64[D]")).astype(np.int64) // 60, _HOUR)
            keys = keys * 100 + hour if self.minutes == _HOUR else (keys * 100 + hour) * 100 + minute
        return keys

    def read(self, text: str) -> int:
        """Return the number of the period that `text` names: its label, or a date or moment in it.

        Raises ValueError for anything else.
        """
        week = re.fullmatch(r"(\d{4})-W(\d{2})", text)
        quarter = re.fullmatch(r"(\d{4})-Q([1-4])", text)
        if week:
            text = date.fromisocalendar(int(week[1]), int(week[2]), 1).isoformat()
        elif quarter:
            text = f"{quarter[1]}-{int(quarter[2]) * 3 - 2:02d}"
        elif not re.fullmatch(r"\d{4}-\d{2}(-\d{2}(T\d{2}(:\d{2}){0,2})?)?", text):
            raise ValueError(f"{text!r} is not a date or a period")
        return int(self.holding(np.array([np.datetime64(text).astype("datetime64[s]")]))[0])

    def period_of_key(self, key: int | str) -> int:
        """Return the number of the period of a date key. Raises ValueError for another number."""
        digits = str(key)
        if len(digits) != self.key_length:
            raise ValueError(f"{key} is no date key: it has {len(digits)} digits, not {self.key_length}")
        hour, minute = digits[8:10] or "00", digits[10:12] or "00"
        return self.read(f"{digits[:4]}-{digits[4:6]}-{digits[6:8]}T{hour}:{minute}")

    def label(self, period: int) -> str:
        """Return the label of one period, as people write it (`2023-01`, `2023-W05`, `2023-Q2`)."""
        return self.labels(self.civil_starts(np.array([period], dtype=np.int64)))[0]


def date_keys(moments: Moments) -> NDArray[np.int64]:
    """Return YYYYMMDD as int64 for each moment."""
    months = moments.astype("datetime64[M]")
    year, month = np.divmod(months.astype(np.int64), 12)
    day = (moments.astype("datetime64[D]") - months.astype("datetime64[D]")).astype(np.int64)
    keys: NDArray[np.int64] = (year + 1970) * 10000 + (month + 1) * 100 + day + 1
    return keys


def iso_year_week(moments: Moments) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the ISO 8601 year and week number of each moment."""
    days = moments.astype("datetime64[D]").astype(np.int64)
    thursday = (days - (days + 3) % 7 + 3).astype("datetime64[D]")
    year = thursday.astype("datetime64[Y]")
    week = (thursday - year.astype("datetime64[D]")).astype(np.int64) // 7 + 1
    return year.astype(np.int64) + 1970, week


def _by_unit(unit: str) -> tuple[Callable[[Moments], Periods], Callable[[Periods], Moments]]:
    def holding(moments: Moments) -> Periods:
        return moments.astype(f"datetime64[{unit}]").astype(np.int64)

    def starts(periods: Periods) -> Moments:
        return np.asarray(periods, dtype=np.int64).astype(f"datetime64[{unit}]").astype("datetime64[s]")

    return holding, starts


def _by_minutes(minutes: int) -> tuple[Callable[[Moments], Periods], Callable[[Periods], Moments]]:
    def holding(moments: Moments) -> Periods:
        return moments.astype("datetime64[m]").astype(np.int64) // minutes

    def starts(periods: Periods) -> Moments:
        return (np.asarray(periods, dtype=np.int64) * minutes).astype("datetime64[m]").astype("datetime64[s]")

    return holding, starts


def _weeks_holding(moments: Moments) -> Periods:
    return (moments.astype("datetime64[D]").astype(np.int64) + 3) // 7


def _week_starts(periods: Periods) -> Moments:
    return (np.asarray(periods, dtype=np.int64) * 7 - 3).astype("datetime64[D]").astype("datetime64[s]")


def _quarters_holding(moments: Moments) -> Periods:
    return moments.astype("datetime64[M]").astype(np.int64) // 3


def _quarter_starts(periods: Periods) -> Moments:
    return (np.asarray(periods, dtype=np.int64) * 3).astype("datetime64[M]").astype("datetime64[s]")


def _text(unit: str) -> Callable[[Moments], list[str]]:
    return lambda moments: [str(moment) for moment in moments.astype(f"datetime64[{unit}]")]


def _week_labels(moments: Moments) -> list[str]:
    years, weeks = iso_year_week(moments)
    return [f"{year}-W{week:02d}" for year, week in zip(years.tolist(), weeks.tolist(), strict=True)]


def _quarter_labels(moments: Moments) -> list[str]:
    years, quarters = np.divmod(_quarters_holding(moments), 4)
    return [f"{year + 1970}-Q{quarter + 1}" for year, quarter in zip(years.tolist(), quarters.tolist(), strict=True)]


@lru_cache(maxsize=256)
def grain_named(name: str, zone: str | None = None) -> Grain:
    """Return the grain of that name, by the clocks of a zone (None: by UTC)."""
    grain = next((grain for grain in (YEAR, ONCE) if grain.name == name), None) or GRAINS[name]
    return grain if zone is None else replace(grain, zone=zone)


MINUTES = tuple(minutes for minutes in range(1, _HOUR) if _HOUR % minutes == 0)
"""The lengths in minutes of periods below an hour: those that divide one."""
_COHORT_HOURS = 720
"""A cohort of hours or minutes."""


def _minutes_name(minutes: int) -> str:
    return "minute" if minutes == 1 else f"{minutes} minutes"


def _of_minutes(minutes: int) -> Grain:
    multiples = (_minutes_name(length) for length in MINUTES if length > minutes and length % minutes == 0)
    return Grain(
        _minutes_name(minutes),
        "",
        8766.0 * _HOUR / minutes,
        *_by_minutes(minutes),
        _text("m"),
        coarser=(*multiples, "hour", *_ABOVE_HOUR),
        cohort=_COHORT_HOURS * _HOUR // minutes,
        minutes=minutes,
    )


GRAINS: Family[Grain] = Family("grain")
_ABOVE_DAY = ("week", "month", "quarter", "year")
_ABOVE_HOUR = ("day", *_ABOVE_DAY)
for _grain in (
    *map(_of_minutes, MINUTES),
    Grain("hour", "hourly", 8766.0, *_by_unit("h"), _text("h"), coarser=_ABOVE_HOUR, cohort=_COHORT_HOURS, minutes=_HOUR),
    Grain("day", "daily", 365.25, *_by_unit("D"), _text("D"), coarser=_ABOVE_DAY, cohort=28, minutes=_DAY),
    # weeks cross the ends of all others
    Grain("week", "weekly", 365.25 / 7, _weeks_holding, _week_starts, _week_labels, cohort=13),
    Grain("month", "monthly", 12.0, *_by_unit("M"), _text("M"), coarser=("quarter", "year"), cohort=12),
    Grain("quarter", "quarterly", 4.0, _quarters_holding, _quarter_starts, _quarter_labels, coarser=("year",), cohort=4),
):
    GRAINS.add(_grain.name, _grain)
USUAL_GRAINS = tuple(name for name in GRAINS if not name[0].isdigit() and name != "minute")
"""Those that are not of minutes."""

ADVERBS: dict[str, str] = {grain.adverb: name for name, grain in GRAINS.items() if grain.adverb}
"""The spelling of `every:` that plotsim's files use (`monthly`), to the grain's own name."""

YEAR = Grain("year", "yearly", 1.0, *_by_unit("Y"), _text("Y"))
"""No period is that long, but a partition can be."""

UNDATED = np.datetime64("2025-01-01", "s")
"""The day that dates of data without a window lie before."""
ONCE = Grain(
    "once",
    "",
    1.0,
    lambda moments: np.zeros(len(moments), dtype=np.int64),
    lambda periods: np.full(len(periods), UNDATED),
    lambda moments: [""] * len(moments),
)
"""The length of the one period, number 0, that a dataset without a window has; it has no dates."""
