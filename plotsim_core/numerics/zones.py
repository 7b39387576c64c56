"""Time zones: what clocks of a zone show at moments that are UTC, and back, on whole arrays.

The rules are those of the machine's database of zones (IANA), or of the package tzdata where it has none. Offsets change at
transitions; those of a year are found once, day by day and then to the second.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

import numpy as np

from plotsim_core.numerics.arrays import Integers

_DAY = 86_400
_EPOCH = datetime(1970, 1, 1)
_FIRST_YEAR, _LAST_YEAR = 1800, 2500
"""Before the first there are no rules, and after the last those of its end go on."""


@lru_cache(maxsize=1)
def zone_names() -> frozenset[str]:
    """Return the names of all zones."""
    return frozenset(available_timezones())


def offsets(zone: str, seconds: Integers) -> Integers:
    """Return by how many seconds the clocks of a zone are ahead of UTC at moments, given in seconds since 1970."""
    if not len(seconds):
        return seconds
    before, moments, after = _transitions(zone, seconds)
    return np.append(before, after)[np.searchsorted(moments, seconds, side="right")]


def offsets_of_local(zone: str, seconds: Integers) -> Integers:
    """Return by how many seconds the clocks of a zone are ahead of UTC when they show a time, in seconds as of UTC.

    What clocks show twice, is the first time; what they leave out, is as if they had not been changed (PEP 495, fold 0).
    """
    if not len(seconds):
        return seconds
    before, moments, after = _transitions(zone, seconds)
    earlier = np.append(before, after)[:-1]
    return np.append(before, after)[np.searchsorted(moments + np.maximum(earlier, after), seconds, side="right")]


def transitions(zone: str, first: int, stop: int) -> tuple[Integers, Integers, Integers]:
    """Return the moments from `first` to `stop` (exclusive), in seconds since 1970, at which the clocks of a zone are
    changed, and by how many seconds they are ahead of UTC before and after each."""
    before, moments, after = _transitions(zone, np.array([first, stop], dtype=np.int64))
    earlier = np.append(before, after)[:-1]
    is_inside = (moments >= first) & (moments < stop)
    return moments[is_inside], earlier[is_inside], after[is_inside]


def _transitions(zone: str, seconds: Integers) -> tuple[int, Integers, Integers]:
    """Return the offset before all transitions of the years of some moments, their moments, and the offset after each."""
    years = np.array([seconds.min() - _DAY, seconds.max() + _DAY]).astype("datetime64[s]").astype("datetime64[Y]")
    first, last = np.clip(years.astype(np.int64) + 1970, _FIRST_YEAR, _LAST_YEAR).tolist()
    parts = [_of_year(zone, year) for year in range(first, last + 1)]
    moments = np.array([moment for _, moments, _ in parts for moment in moments], dtype=np.int64)
    after = np.array([offset for _, _, after in parts for offset in after], dtype=np.int64)
    return parts[0][0], moments, after


@lru_cache(maxsize=1 << 14)
def _of_year(zone: str, year: int) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
    """Return the offset at the start of a year, the moments of its transitions, and the offset after each."""
    first, stop = ((datetime(number, 1, 1) - _EPOCH) // timedelta(seconds=1) for number in (year, year + 1))
    rules = ZoneInfo(zone)
    offset = start_offset = _offset(rules, first)
    moments: list[int] = []
    after: list[int] = []
    for day in range(first, stop, _DAY):
        while (end_offset := _offset(rules, day + _DAY)) != offset:
            low, high = (moments[-1] if moments and moments[-1] >= day else day), day + _DAY
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if _offset(rules, middle) == offset else (low, middle)
            offset = _offset(rules, high)
            moments.append(high)
            after.append(offset)
            if offset == end_offset:
                break
    return start_offset, tuple(moments), tuple(after)


def _offset(rules: ZoneInfo, seconds: int) -> int:
    moment = (_EPOCH + timedelta(seconds=seconds)).replace(tzinfo=rules)
    offset = rules.fromutc(moment).utcoffset()
    assert offset is not None
    return int(offset.total_seconds())
