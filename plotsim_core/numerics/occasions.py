"""How much of each period some ranges of days cover, and how an effect fades around them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from plotsim_core.numerics.arrays import Floats, Integers


def covered_shares(ranges: Iterable[tuple[int, int]], starts: Integers, stops: Integers) -> Floats:
    """Return the share, 0 to 1, of the days `starts` to before `stops` of each period that lie in some of the ranges.

    Ranges are (first day, last day); where they overlap, a day counts once.
    """
    edges = _merged(ranges)
    if not len(edges):
        return np.zeros(len(starts))
    before = np.concatenate([[0], np.cumsum(edges[:, 1] - edges[:, 0])])

    def days_before(days: Integers) -> Integers:
        place = np.searchsorted(edges[:, 0], days, side="right")
        last = np.maximum(place - 1, 0)
        is_after = place > 0
        return np.where(is_after, before[last] + np.minimum(days, edges[last, 1]) - edges[last, 0], 0)

    shares: Floats = (days_before(stops) - days_before(starts)) / (stops - starts)
    return shares


def _merged(ranges: Iterable[tuple[int, int]]) -> Integers:
    """Return ranges as (first day, day after the last), in order and apart from each other, shape (ranges, 2)."""
    merged: list[list[int]] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], last + 1)
        else:
            merged.append([first, last + 1])
    return np.array(merged, dtype=np.int64).reshape(-1, 2)


def with_ramps(shares: Floats, before: Sequence[float], after: Sequence[float]) -> Floats:
    """Return the weight, 0 to 1, that an effect has in consecutive periods, from the share of each that it covers.

    `shares` begin `len(after)` periods before the first of the result and end `len(before)` after the last. A period has its
    own share or, if that is more, what is left of the share of another one: `before[k - 1]` of that k periods later, and
    `after[k - 1]` of that k periods earlier.
    """
    count, start = len(shares) - len(before) - len(after), len(after)
    weights = shares[start : start + count]
    for distance, left in enumerate(before, start=1):
        weights = np.maximum(weights, left * shares[start + distance : start + distance + count])
    for distance, left in enumerate(after, start=1):
        weights = np.maximum(weights, left * shares[start - distance : start - distance + count])
    return weights
