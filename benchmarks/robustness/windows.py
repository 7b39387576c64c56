"""A random window: from when to when, in periods and partitions of which length."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.robustness.draw import Draw

Config = dict[str, Any]
GRAINS = {"month": 5.0, "week": 3.0, "day": 3.0, "quarter": 1.0, "hour": 1.0, "15 minutes": 0.5}
_DAYS = {"15 minutes": 1 / 96, "hour": 1 / 24, "day": 1, "week": 7, "month": 30, "quarter": 91, "year": 365}
_LONGER = {
    "15 minutes": ("day",),
    "hour": ("day", "week", "month"),
    "day": ("week", "month", "quarter", "year"),
    "month": ("quarter", "year"),
}
_ZONES = ("America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Africa/Casablanca", "America/Santiago")
_FIXED_ZONES = ("Asia/Kolkata", "Asia/Tokyo", "UTC")
"""Zones whose clocks are never changed."""
_MONTHS = {"month": 1, "quarter": 3, "year": 12}


def window(draw: Draw, length: int, cells: int) -> tuple[Config, int]:
    """Return a window of about `length` periods, or a partition if that is longer and has no more than `cells` periods, and
    how many it has (of an open window, how many it is shown for)."""
    grain = draw.weighted(GRAINS)
    longer = [name for name in _LONGER.get(grain, ()) if 1.2 * _DAYS[name] / _DAYS[grain] <= cells]
    partition = draw.one(longer) if longer and draw.chance(0.15) else "day" if _DAYS[grain] < 1 else grain
    count = max(1, round(length * _DAYS[grain] / _DAYS[partition]))
    begin = _aligned(np.datetime64("2019-01-01") + draw.whole(0, 1800), partition)
    stop = _later(begin, partition, count)
    section: Config = {"start": str(begin), "end": str(stop - 1), "every": grain}
    section |= {"partition": partition} if partition in longer else {}
    periods = _periods(begin, stop, grain)
    if draw.chance(0.12) and periods > 1:
        del section["end"]
        section["span"] = periods
    elif draw.chance(0.15):
        section["span"] = draw.whole(max(1, periods // 2), 2 * periods)
    if draw.chance(0.15):
        section["timezone"] = draw.one(_ZONES if _DAYS[grain] >= 1 else _FIXED_ZONES)
    return section, periods


def _aligned(day: np.datetime64, partition: str) -> np.datetime64:
    """Return the first day of the partition that a day lies in."""
    if partition in _MONTHS:
        months = int(day.astype("datetime64[M]").astype(int))
        first: np.datetime64 = np.datetime64(months - months % _MONTHS[partition], "M").astype("datetime64[D]")
    else:
        first = day - (int(day.astype(int)) + 3) % 7 if partition == "week" else day
    return first


def _later(day: np.datetime64, partition: str, count: int) -> np.datetime64:
    """Return the first day of the partition that begins `count` partitions later."""
    if partition in _MONTHS:
        later: np.datetime64 = (day.astype("datetime64[M]") + count * _MONTHS[partition]).astype("datetime64[D]")
    else:
        later = day + count * (7 if partition == "week" else 1)
    return later


def _periods(begin: np.datetime64, stop: np.datetime64, grain: str) -> int:
    if grain in _MONTHS:
        months = stop.astype("datetime64[M]").astype(int) - begin.astype("datetime64[M]").astype(int)
        return int(months) // _MONTHS[grain]
    return round(int((stop - begin).astype(int)) / _DAYS[grain])
