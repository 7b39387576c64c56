"""Occasions: an effect, or a row of its table, with the days on which it is and what it multiplies by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from plotsim_core.config.day_rules import is_date, year_days
from plotsim_core.numerics.arrays import Floats, Integers
from plotsim_core.numerics.calendar import Grain
from plotsim_core.numerics.occasions import covered_shares, with_ramps

if TYPE_CHECKING:
    from plotsim_core.config.metrics import Metric

_LONG_AGO, _FAR_OFF = -(10**7), 10**7
"""The first and the last day of a range without a start or without an end."""

Days = tuple[int, int]
"""The first and the last day of a range, counted from 1970-01-01."""


@dataclass(frozen=True)
class Occasion:
    """An effect, or one row of its list: when it is, by `dates` or from `start` to `end`, its factor, and what it acts on
    (`metrics`: None for amounts and counts, `segments`: None for all). With `moves_arrivals` it acts
    on how many units arrive. `before` and `after` are what is left of it one
    period away from it, two periods and so on."""

    name: str
    dates: tuple[str, ...]
    start: str | None
    end: str | None
    factor: float
    metrics: tuple[str, ...] | None
    segments: tuple[str, ...] | None
    tables: tuple[str, ...]
    before: tuple[float, ...]
    after: tuple[float, ...]
    moves_arrivals: bool = False

    def acts_on(self, metric: Metric) -> bool:
        """Return whether it multiplies the means of a metric."""
        return metric.sized if self.metrics is None else metric.name in self.metrics

    def weights(self, grain: Grain, periods: Integers) -> Floats:
        """Return how much of it each period has, 0 to 1, shape (periods,)."""
        if not len(periods):
            return np.zeros(0)
        first, last = int(periods.min()), int(periods.max())
        near_periods = np.arange(first - len(self.after), last + len(self.before) + 1, dtype=np.int64)
        starts = grain.civil_starts(near_periods).astype("datetime64[D]").astype(np.int64)
        next_starts = grain.civil_starts(near_periods + 1).astype("datetime64[D]").astype(np.int64)
        stops = np.maximum(next_starts, starts + 1)  # an hour is of one day
        years = np.array([starts[0], stops[-1]]).astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970
        shares = covered_shares(self.ranges(int(years[0]), int(years[1])), starts, stops)
        return with_ramps(shares, self.before, self.after)[periods - first]

    def factors(self, grain: Grain, periods: Integers) -> Floats:
        """Return what it multiplies by in each period, shape (periods,)."""
        return 1.0 + (self.factor - 1.0) * self.weights(grain, periods)

    def ranges(self, first_year: int, last_year: int) -> Iterator[Days]:
        """Yield the ranges of days that it has in some years (both included), or in more."""
        if self.dates:
            days = (day for year in range(first_year, last_year + 1) for text in self.dates for day in year_days(text, year))
            yield from ((day, day) for day in days)
            return
        starts = _range_edges(self.start, first_year - 1, last_year, _LONG_AGO)
        ends = _range_edges(self.end, first_year - 1, last_year + 1, _FAR_OFF)
        for start in starts:
            end = next((end for end in ends if end >= start), None)
            yield from () if end is None else [(start, end)]


def _range_edges(text: str | None, first_year: int, last_year: int, open_day: int) -> list[int]:
    """Return the days that a range can begin or end on in some years; of a date, that day alone."""
    if text is None:
        return [open_day]
    years = [int(text[:4])] if is_date(text) else range(first_year, last_year + 1)
    return sorted(day for year in years for day in year_days(text, year))
