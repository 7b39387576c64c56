"""Cohorts: where in the roster the units of ongoing arrivals are, without counting anybody.

First come the units that the segments have by themselves, segment by segment. Those who arrive later follow in cohorts, so
many periods of arrivals each (`Grain.cohort`), and within a cohort segment by segment. So no unit's place moves as time goes
on, and the first places are all that a slice needs. A unit's address and key know no place: they know the segment, the
cohort and the number in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from plotsim_core.config.arrivals import cohort_factors, cohort_sizes
from plotsim_core.errors import UsageError
from plotsim_core.numerics.arrays import Floats, Integers
from plotsim_core.numerics.codes import COHORT, COHORTS, LATER
from plotsim_core.numerics.random import fold, key, uniforms, words
from plotsim_core.plan.plan import Population


@dataclass(frozen=True, eq=False)
class Layout:
    """The parts of the roster in order, as parallel arrays: `segment` (its place in the population), the number of its
    `cohort` (-1: there at the start), the `ordinal` of its first unit and its place, `first`. `edges` are the places at
    which cohorts begin, one more than there are cohorts; `limit` is the first cohort with more units of a segment than there
    are keys for."""

    segment: NDArray[np.intp]
    cohort: Integers
    ordinal: Integers
    first: Integers
    count: Integers
    edges: Integers
    limit: int


@lru_cache(maxsize=64)
def layout(population: Population) -> Layout:
    """Return the parts of a population's roster: all cohorts that there can be."""
    ongoing_segments = [index for index, segment in enumerate(population.segments) if segment.rate > 0]
    cohorts = np.arange(COHORTS if ongoing_segments else 0, dtype=np.int64)
    start_counts = np.array([segment.count for segment in population.segments], dtype=np.int64)
    sizes = np.zeros((len(cohorts), len(ongoing_segments)), dtype=np.int64)
    for column, index in enumerate(ongoing_segments):
        segment = population.segments[index]
        u = uniforms(key(population.seed, "cohort"), fold(np.array([segment.address]), words(cohorts)))
        means = np.minimum(cohort_sizes(population.dataset, segment.spec), COHORT)
        sizes[:, column] = np.floor(means + u)  # more when the rate is higher, never fewer
    full_cohorts = np.flatnonzero((sizes >= COHORT).any(axis=1))
    count = np.concatenate([start_counts, sizes.ravel()])
    firsts = np.cumsum(count) - count
    cohort = np.repeat(cohorts, len(ongoing_segments))
    total = int(start_counts.sum())
    return Layout(
        segment=np.concatenate(
            [np.arange(len(start_counts)), np.tile(np.array(ongoing_segments, dtype=np.intp), len(cohorts))]
        ),
        cohort=np.concatenate([np.full(len(start_counts), -1, dtype=np.int64), cohort]),
        ordinal=np.concatenate([np.zeros(len(start_counts), dtype=np.int64), LATER + cohort * COHORT]),
        first=firsts,
        count=count,
        edges=total + np.concatenate([[0], np.cumsum(sizes.sum(axis=1))]),
        limit=int(full_cohorts[0]) if len(full_cohorts) else COHORTS,
    )


@lru_cache(maxsize=64)
def arrival_sums(population: Population, segment: int) -> Floats | None:
    """Return what has arrived of a segment before each of the periods of all its cohorts, as a running sum with one more
    entry than there are periods; None where as many arrive in every period."""
    factors = cohort_factors(population.dataset, population.segments[segment].spec)
    return None if factors is None else np.concatenate([[0.0], np.cumsum(factors.ravel())])


def arrival_offsets(population: Population, segment: int, cohort: Integers, u: Floats) -> Integers:
    """Return after how many periods of their cohorts units of a segment arrive, each by its uniform (inverse CDF)."""
    length, sums = population.grain.cohort, arrival_sums(population, segment)
    if sums is None:
        return (u * length).astype(np.int64)
    first = cohort * length
    target = sums[first] + u * (sums[first + length] - sums[first])
    period = np.searchsorted(sums, target, side="right") - 1
    offsets: Integers = np.clip(period - first, 0, length - 1)
    return offsets


def begins(population: Population, cohort: Integers) -> Integers:
    """Return the first period in which units of cohorts arrive."""
    return population.first + 1 + cohort * population.grain.cohort


def units_by(population: Population, stop: int) -> int:
    """Return how many places of the roster hold all units that arrive before the period `stop`.

    Raises UsageError where units have arrived for longer than there are keys for.
    """
    if not any(segment.rate > 0 for segment in population.segments):
        return population.units
    cohorts = -(-max(0, stop - population.first - 1) // population.grain.cohort)
    if cohorts > COHORTS:
        limit = COHORTS * population.grain.cohort
        raise UsageError(
            f"{population.dataset.plural} arrive for at most {limit:,} {population.grain.plural}; begin a new window"
        )
    parts = layout(population)
    if cohorts > parts.limit:
        label = population.grain.label(int(begins(population, np.array([parts.limit]))[0]))
        raise UsageError(f"from {label} on a segment has more arrivals than keys; split it, or let it grow less")
    return int(parts.edges[cohorts])


def runs(population: Population, start: int, stop: int) -> list[tuple[int, int, int]]:
    """Cut places `start` to `stop` of the roster where cohorts begin: (start, stop, the first period in which one of them
    may be there)."""
    edges = layout(population).edges
    if len(edges) == 1:
        return [(start, stop, population.first)]
    inner_edges = edges[(edges > start) & (edges < stop)].tolist()
    cuts = sorted({start, *inner_edges, stop})
    cohort = np.searchsorted(edges, np.array(cuts[:-1]), side="right") - 1
    first = np.where(cohort < 0, population.first, begins(population, cohort)).tolist()
    return list(zip(cuts, cuts[1:], first, strict=False))
