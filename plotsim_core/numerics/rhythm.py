"""Rhythm: how much happens on which weekday, at which hour and on holidays, and where in a period a share of it falls.

Weights of weekdays and of hours average to 1, so that an ordinary week holds what a week without a rhythm would.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plotsim_core.families import Family
from plotsim_core.numerics.arrays import Floats, Integers
from plotsim_core.numerics.clock_changes import ClockChanges

HOUR = 3_600_000_000
"""Microseconds."""
DAY = 24 * HOUR

WEEKDAYS: Family[tuple[float, float]] = Family("shape of a week")
"""The weights of a working day and of a day of the weekend."""
WEEKDAYS.add("even", (1.0, 1.0))
WEEKDAYS.add("workdays", (1.0, 0.15))
WEEKDAYS.add("weekends", (0.6, 2.0))


def _hours(text: str) -> tuple[float, ...]:
    return tuple(float(number) for number in text.split())


HOURS: Family[tuple[float, ...]] = Family("shape of a day")
"""The weights of the 24 hours, from midnight."""
for _name, _weights in {
    "even": "1 " * 24,
    "office_hours": "0 0 0 0 0 0 .1 .4 2 4 5 5 3 4 5 5 4 2 .8 .3 .2 .1 .1 0",
    "daytime": ".1 .1 .1 .1 .1 .3 1 2 3 4 4 4 4 4 4 4 4 4 3 3 2 1 .5 .2",
    "evening": ".5 .2 .1 .1 .1 .1 .2 .5 .6 .7 .8 .9 1 1 1 1.2 1.6 2.5 4 5 5 4 2.5 1.2",
    "night": "5 5 4 3 1.5 .8 .4 .2 .1 .1 .1 .1 .1 .1 .1 .1 .2 .3 .6 1 1.5 2.5 3.5 4.5",
    "commute": ".1 .1 .1 .1 .3 1 3 5 4 1.5 1 1 1.2 1.2 1 1.5 3 5 4 2 1 .6 .4 .2",
}.items():
    HOURS.add(_name, _hours(_weights))


@dataclass(frozen=True)
class Rhythm:
    """Weights of the weekdays (Monday first) and of the hours, each averaging to 1, and the factor on holidays."""

    weekdays: tuple[float, ...]
    hours: tuple[float, ...]
    holiday: float

    def of_days(self, days: Integers, holidays: NDArray[np.bool_]) -> Floats:
        """Return the weight of each day (counted from 1970-01-01)."""
        weights = np.array(self.weekdays)[(days + 3) % 7]
        return np.where(holidays, weights * self.holiday, weights)

    def of_hours(self, hours: Integers) -> Floats:
        """Return the weight of each hour of the day, 0 to 23."""
        return np.array(self.hours)[hours]


def rhythm(weekdays: tuple[float, ...], hours: tuple[float, ...], holiday: float) -> Rhythm:
    """Return the rhythm of these weights, whatever they add up to (more than 0)."""
    week, day = sum(weekdays) / 7, sum(hours) / 24
    return Rhythm(tuple(weight / week for weight in weekdays), tuple(weight / day for weight in hours), holiday)


@dataclass(frozen=True, eq=False)
class _Weights:
    """The weights of the days of some periods, shape (periods, most days), those of hours, and the sums before each."""

    days: Floats
    day_sums: Floats
    hours: Floats
    hour_sums: Floats

    def before(self, period: Integers, shown: Integers) -> Floats:
        """Return the part of a period's weight that lies before clocks show so many microseconds since its start."""
        day_index, rest = np.divmod(shown, DAY)
        is_over = day_index >= self.days.shape[1]
        day_index = np.where(is_over, self.days.shape[1] - 1, day_index)
        day_share = np.interp(rest / HOUR, np.arange(25.0), self.hour_sums)
        weights: Floats = self.day_sums[period, day_index] + self.days[period, day_index] * np.where(is_over, 1.0, day_share)
        return weights

    def place(self, period: Integers, target: Floats) -> Integers:
        """Return how many microseconds since its period's start clocks show where `target` of its weight lies before."""
        day_index = _day_of_weight(self.day_sums, period, target)
        weight = self.days[period, day_index]
        day_share = np.where(
            weight > 0, (target - self.day_sums[period, day_index]) / np.where(weight > 0, weight, 1.0), 0.0
        )
        hour = np.clip(np.searchsorted(self.hour_sums, day_share, side="right") - 1, 0, 23)
        hour_weight = self.hours[hour]
        hour_share = np.where(
            hour_weight > 0, (day_share - self.hour_sums[hour]) / np.where(hour_weight > 0, hour_weight, 1.0), 0.0
        )
        shown: Integers = day_index * DAY + hour * HOUR + (np.clip(hour_share, 0.0, 1.0) * HOUR).astype(np.int64)
        return shown


def place_shares(
    shape: Rhythm,
    days: Floats,
    period: Integers,
    share: Floats,
    available: Integers,
    changes: ClockChanges | None = None,
) -> Integers:
    """Return how many microseconds into its period each share of what happens in it falls.

    `days` are the weights of the days of some periods, shape (periods, most days), 0 beyond a period's end; `period` is
    the index in it of each share's own; `available` are the microseconds, of the period, that something can happen in;
    `changes` those of the clocks, whose hours have the weights. The result rises with `share` (0 to 1) and is below
    `available`. Inverse CDF of a distribution that is even within hours.
    """
    hours = np.array(shape.hours) / 24.0
    day_sums = np.concatenate([np.zeros((len(days), 1)), np.cumsum(days, axis=1)], axis=1)
    weights = _Weights(days, day_sums, hours, np.concatenate([[0.0], np.cumsum(hours)]))
    if changes is None:
        microseconds = weights.place(period, share * weights.before(period, available))
    else:
        microseconds = _place_by_clocks(weights, changes, period, share, available)
    within: Integers = np.clip(microseconds, 0, np.maximum(available - 1, 0))
    return within


def _place_by_clocks(
    weights: _Weights, changes: ClockChanges, period: Integers, share: Floats, available: Integers
) -> Integers:
    """Return the place of each share as `place_shares` does, where clocks are changed.

    What clocks leave out has no weight, and what they show twice has it twice: beyond a change, weights go on from where the
    clocks are then.
    """
    every_period = np.arange(len(changes.elapsed), dtype=np.int64)
    shown, total = available, np.zeros(len(share))
    limits: list[Floats] = []
    skipped: list[Floats] = []
    for change in range(changes.elapsed.shape[1]):
        before, after = changes.before[:, change], changes.after[:, change]
        limit = weights.before(every_period, before)
        limits.append(limit - sum(skipped, np.zeros(len(limit))))
        skipped.append(weights.before(every_period, after) - limit)
        is_over = changes.elapsed[period, change] <= available
        shown = shown + np.where(is_over, (after - before)[period], 0)
        total = total - np.where(is_over, skipped[-1][period], 0.0)
    target = share * (total + weights.before(period, shown))
    civil_target, shift = target, np.zeros(len(share), dtype=np.int64)
    earliest, latest = np.zeros(len(share), dtype=np.int64), np.full(len(share), np.iinfo(np.int64).max)
    for change, (limit, skip) in enumerate(zip(limits, skipped, strict=True)):
        elapsed = changes.elapsed[period, change]
        is_over = (elapsed < available) & (target >= limit[period])
        civil_target = civil_target + np.where(is_over, skip[period], 0.0)
        shift = shift + np.where(is_over, (changes.after - changes.before)[period, change], 0)
        earliest = np.where(is_over, elapsed, earliest)
        latest = np.where(is_over, latest, np.minimum(latest, elapsed - 1))
    microseconds: Integers = np.clip(weights.place(period, civil_target) - shift, earliest, np.maximum(latest, 0))
    return microseconds


def _day_of_weight(day_sums: Floats, period: Integers, target: Floats) -> Integers:
    """Return the last day of each period before which no more than `target` of its weight lies, by bisection."""
    count = day_sums.shape[1] - 1
    day_index = np.zeros(len(target), dtype=np.int64)
    for step in (1 << power for power in reversed(range(count.bit_length()))):
        probe = np.minimum(day_index + step, count)
        day_index = np.where((day_index + step < count) & (day_sums[period, probe] <= target), day_index + step, day_index)
    return day_index
