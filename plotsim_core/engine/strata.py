"""Strata: the parts of the roster that samples are taken from, a segment's units at the start and each of its cohorts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from plotsim_core.engine.cohorts import begins, layout
from plotsim_core.engine.roster import NEVER, select
from plotsim_core.plan.plan import Population

_TOGETHER = 1 << 20
"""Units that are looked at at once."""
_PARTS = 64
"""Parts of the roster whose last periods are looked for together."""


@dataclass(frozen=True)
class Stratum:
    """Units `first` to `first + count` of the roster, all of the segment at the place `segment` of the population."""

    segment: int
    first: int
    count: int


def strata(population: Population, first: int, stop: int) -> tuple[Stratum, ...]:
    """Return the strata in which some unit may be there in the periods `first` to `stop`; of each segment there is one at
    least. Without ongoing arrivals these are the segments, and without units there are none."""
    if not population.segments:
        return ()
    parts = layout(population)
    arriving = np.flatnonzero((parts.cohort < 0) | (begins(population, parts.cohort) < stop))
    part_indices = [index for index in arriving.tolist() if parts.cohort[index] < 0 or _stays(population, index, first)]
    return tuple(
        Stratum(int(parts.segment[p]), int(parts.first[p]), int(parts.count[p])) for p in part_indices if parts.count[p]
    )


def _stays(population: Population, index: int, first: int) -> bool:
    return _last_period(population, index) >= first


def _last_period(population: Population, index: int) -> int:
    """Return the last period in which one of the units of a part of the roster has its tenure."""
    return _last_periods(population, index // _PARTS)[index % _PARTS]


@lru_cache(maxsize=256)
def _last_periods(population: Population, group: int) -> tuple[int, ...]:
    """Return those of the parts of a group: `_PARTS` that follow each other."""
    parts = layout(population)
    indexes = range(group * _PARTS, min((group + 1) * _PARTS, len(parts.first)))
    counts = parts.count[indexes.start : indexes.stop]
    has_tenure = [population.segments[int(parts.segment[index])].spec.tenure is not None for index in indexes]
    last = np.where(counts > 0, NEVER, population.first - 1)
    start, stop = int(parts.first[indexes.start]), int(parts.first[indexes.start] + counts.sum())
    for begin in range(start, stop, _TOGETHER) if any(has_tenure) else ():
        units = select(population, begin, min(begin + _TOGETHER, stop))
        part = np.searchsorted(parts.first, np.arange(begin, begin + len(units)), side="right") - 1 - indexes.start
        latest = np.full(len(indexes), population.first - 1)
        np.maximum.at(latest, part, units.last_period)
        last = np.where(has_tenure, latest if begin == start else np.maximum(last, latest), last)
    return tuple(last.tolist())


def departure_stop(population: Population, start: int, stop: int) -> int:
    """Return the stop of the first slice in which it is known that all units `start` to `stop` of the roster have left, by
    their tenures; NEVER if one has none."""
    parts = layout(population).first
    first, last = np.searchsorted(parts, [start, stop - 1], side="right") - 1
    latest = max(_last_period(population, index) for index in range(int(first), int(last) + 1))
    return latest if latest == NEVER else latest + 2


def stratum_samples(parts: Sequence[Stratum], units: float, fewest: int) -> list[int]:
    """Return how many units of each stratum to look at, of `units` in all, each by its share: no fewer than `fewest` of a
    segment, if it has them."""
    total = sum(part.count for part in parts)
    segment_counts = {part.segment: sum(other.count for other in parts if other.segment == part.segment) for part in parts}
    minimums = [fewest * part.count / segment_counts[part.segment] for part in parts]
    shares = [units * part.count / total for part in parts]
    return [
        min(p.count, max(1, round(max(minimum, share)))) for p, minimum, share in zip(parts, minimums, shares, strict=True)
    ]
