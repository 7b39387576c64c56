"""Changes of the clocks inside periods: an hour that clocks leave out in spring, and one that they show twice in autumn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from plotsim_core.numerics.arrays import Floats, Integers
from plotsim_core.numerics.calendar import Grain, Periods
from plotsim_core.numerics.zones import transitions

NEVER = np.iinfo(np.int64).max
"""The microseconds after which a change is that a period does not have."""
_HOUR = 3_600_000_000
_SECOND = 1_000_000


@dataclass(frozen=True, eq=False)
class ClockChanges:
    """The changes in some periods, arrays of shape (periods, most changes of one), in microseconds: `elapsed` of the period,
    and how far clocks are from what they showed at its start, just `before` and `after`. Periods with fewer have changes
    that come `NEVER`."""

    elapsed: Integers
    before: Integers
    after: Integers

    def real_hours(self, day_count: int) -> Floats:
        """Return how many real hours clocks show each hour of the days of periods, shape (periods, days, 24): 1, but 0 where
        it is left out and 2 where it is shown twice."""
        edges = np.arange(day_count * 24 + 1, dtype=np.float64)
        hours = np.ones((len(self.elapsed), day_count * 24))
        for change in range(self.elapsed.shape[1]):
            before, after = (side[:, change, None] / _HOUR for side in (self.before, self.after))
            low, high = np.minimum(before, after), np.maximum(before, after)
            overlap = np.clip(np.minimum(high, edges[1:]) - np.maximum(low, edges[:-1]), 0.0, None)
            hours += np.where(after < before, overlap, -overlap)
        return hours.reshape(len(self.elapsed), day_count, 24)


def clock_changes(grain: Grain, periods: Periods) -> ClockChanges | None:
    """Return the changes of the clocks in some periods; None where there are none in any."""
    if grain.zone is None or not len(periods):
        return None
    starts, stops = (grain.instants(periods + offset).astype(np.int64) for offset in (0, 1))
    moments, before, after = transitions(grain.zone, int(starts.min() // _SECOND), int(stops.max() // _SECOND))
    low, high = (np.searchsorted(moments * _SECOND, edges, side="left") for edges in (starts, stops))
    most = int((high - low).max())
    if most == 0:
        return None
    index = low[:, None] + np.arange(most)[None, :]
    is_inside = index < high[:, None]
    index = np.where(is_inside, index, 0)
    civil_starts = grain.civil_starts(periods).astype("datetime64[us]").astype(np.int64)[:, None]
    shown_before, shown_after = ((moments + offset)[index] * _SECOND - civil_starts for offset in (before, after))
    return ClockChanges(
        np.where(is_inside, moments[index] * _SECOND - starts[:, None], NEVER),
        np.where(is_inside, shown_before, 0),
        np.where(is_inside, shown_after, 0),
    )
