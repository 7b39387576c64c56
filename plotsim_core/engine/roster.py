"""The units of a slice, with their attributes for life (address, arrival, timing, size, arm)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from plotsim_core.config.segments import (
    Arrival,
    ExplicitArrival,
    LinearArrival,
    OngoingArrival,
    StepArrival,
    UniformArrival,
)
from plotsim_core.engine.cohorts import begins, layout
from plotsim_core.engine.treatment import treated_units
from plotsim_core.numerics.arrays import Floats
from plotsim_core.numerics.codes import segment_number, unit_codes
from plotsim_core.numerics.random import Words, fold, key, normals, uniforms, words
from plotsim_core.numerics.shares import cycle
from plotsim_core.numerics.tenure import mixed_ages, total_tenure
from plotsim_core.plan.plan import Population, SegmentPlan

NEVER = np.iinfo(np.int64).max
_TIMING_LIMIT = 3.0
_SPELL, _FEW = 64, 1 << 15
"""Periods of a spell, or more where it has fewer cells."""


@dataclass(frozen=True, eq=False)
class Units:
    """Units with places from `start` to `stop` of the roster, all of them or some, in its order, as parallel arrays.

    `place` is the place in the roster, `segment` the index of the segment in the population, `ordinal` the number of the
    unit in its segment; `arrival` is the first period in which it is there, `last_period` the last that its tenure has
    (NEVER without one). It runs its curve from period `curve_start` on (before its arrival, if it was there before the
    window) in `course` periods; `timing` is the shift of the curve as a share of that, `size` the factor on amounts and
    counts, `treated` whether the unit is in the treated arm of its segment.
    """

    start: int
    stop: int
    place: NDArray[np.int64]
    segment: NDArray[np.intp]
    ordinal: NDArray[np.int64]
    address: Words
    arrival: NDArray[np.int64]
    last_period: NDArray[np.int64]
    curve_start: NDArray[np.int64]
    course: NDArray[np.int64]
    timing: Floats
    size: Floats
    treated: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.segment)

    @property
    def is_whole(self) -> bool:
        """Whether they are all of their places."""
        return len(self) == self.stop - self.start


_ARRAYS = tuple(field.name for field in fields(Units) if field.name not in ("start", "stop"))


def select(population: Population, start: int, stop: int) -> Units:
    """Return units `start` to `stop` of the roster."""
    positions = np.arange(start, stop, dtype=np.int64)
    parts = layout(population)
    part = np.searchsorted(parts.first, positions, side="right") - 1
    segment = parts.segment[part]
    ordinal = parts.ordinal[part] + (positions - parts.first[part])
    names = np.array([s.address for s in population.segments], dtype=np.uint64)
    address = fold(names[segment], words(ordinal))
    timing = np.array([s.spec.variation.timing for s in population.segments])[segment]
    size = np.array([s.spec.variation.size for s in population.segments])[segment]
    timing_scores = np.clip(normals(key(population.seed, "timing"), address), -_TIMING_LIMIT, _TIMING_LIMIT)
    size_scores = normals(key(population.seed, "size"), address)
    arrival, last_period, curve_start, course = _lives(population, segment, parts.cohort[part], ordinal, address)
    return Units(
        start=start,
        stop=stop,
        place=positions,
        segment=segment,
        ordinal=ordinal,
        address=address,
        arrival=arrival,
        last_period=last_period,
        curve_start=curve_start,
        course=course,
        timing=timing * timing_scores,
        size=np.exp(size * size_scores - 0.5 * size * size),
        treated=treated_units(population, segment, ordinal),
    )


def slice_units(units: Units, start: int, stop: int) -> Units:
    """Return those of some units that have the places `start` to `stop` of the roster."""
    whole_span = slice(start - units.start, stop - units.start)
    span = whole_span if units.is_whole else slice(*np.searchsorted(units.place, (start, stop)))
    return Units(start=start, stop=stop, **{name: getattr(units, name)[span] for name in _ARRAYS})


def take(units: Units, positions: NDArray[np.intp]) -> Units:
    """Return some of some units."""
    return Units(start=units.start, stop=units.stop, **{name: getattr(units, name)[positions] for name in _ARRAYS})


def spells(units: Units, periods: NDArray[np.int64]) -> Iterator[tuple[slice, NDArray[np.intp]]]:
    """Cut consecutive periods into spells: (which of the periods, which units are there by arrival and tenure in some of
    them). Without tenures there is one."""
    if not len(periods):
        return
    if int(units.last_period.min()) == NEVER:
        yield slice(0, len(periods)), np.arange(len(units))
        return
    step = max(_SPELL, _FEW // len(units))
    for curve_start in range(0, len(periods), step):
        span = slice(curve_start, min(curve_start + step, len(periods)))
        yield span, np.flatnonzero((units.last_period >= periods[curve_start]) & (units.arrival <= periods[span.stop - 1]))


def codes(population: Population, units: Units) -> NDArray[np.str_]:
    """Return the unit's part of every key it appears in: ten base-32 digits, unique by construction."""
    numbers = np.array([segment_number(segment.spec.name) for segment in population.segments], dtype=np.uint64)
    return unit_codes(numbers[units.segment], units.ordinal, population.seed)


def _lives(
    population: Population, segment: NDArray[np.intp], cohort: NDArray[np.int64], ordinal: NDArray[np.int64], address: Words
) -> tuple[NDArray[np.int64], ...]:
    """Return (arrival, leaves, begin, course) of units."""
    u = uniforms(key(population.seed, "arrival"), address)
    is_later = cohort >= 0
    spread = (u * population.grain.cohort).astype(np.int64)
    arrival = np.where(is_later, begins(population, cohort) + spread, population.first)
    curve_start, last_period = arrival.copy(), np.full(len(u), NEVER)
    course = np.full(len(u), population.span, dtype=np.int64)
    for index, segment_plan in enumerate(population.segments):
        members = np.flatnonzero(segment == index)
        if not len(members):
            continue
        arrival_spec, tenure = segment_plan.spec.arrival, segment_plan.spec.tenure
        if isinstance(arrival_spec, OngoingArrival):
            course[members] = segment_plan.span
            age = np.zeros(len(members), dtype=np.int64)
            if arrival_spec.ages == "mixed":
                age = np.where(is_later[members], 0, _ages(population, segment_plan, address[members]))
                curve_start[members] = arrival[members] - age
        else:
            age = np.zeros(len(members), dtype=np.int64)
            if arrival_spec is not None:
                arrival[members] += _offsets(arrival_spec, ordinal[members], u[members], segment_plan.span)
                curve_start[members] = arrival[members]
            course[members] = population.first + segment_plan.span - arrival[members]
        if tenure is not None:
            stay_draws = uniforms(key(population.seed, "tenure"), address[members])
            last_period[members] = curve_start[members] + total_tenure(tenure.mean, tenure.least, age, stay_draws) - 1
    return arrival, last_period, curve_start, course


def _ages(population: Population, segment_plan: SegmentPlan, address: Words) -> NDArray[np.int64]:
    """Return for how many periods units that are there at the start have been there before."""
    u, tenure = uniforms(key(population.seed, "age"), address), segment_plan.spec.tenure
    return (u * segment_plan.span).astype(np.int64) if tenure is None else mixed_ages(tenure.mean, tenure.least, u)


def _offsets(arrival: Arrival, ordinal: NDArray[np.int64], u: Floats, span: int) -> NDArray[np.int64]:
    """Return the periods after the window's start at which units arrive: by their number, or by inversion of u."""
    if isinstance(arrival, ExplicitArrival):
        start_periods = np.array(arrival.start_periods, dtype=np.int64)
        return start_periods[ordinal % len(start_periods)]
    if isinstance(arrival, StepArrival):
        block = cycle(tuple(block.fraction for block in arrival.blocks))
        periods = np.array([block.period for block in arrival.blocks], dtype=np.int64)
        return periods[block[ordinal % len(block)]]
    assert not isinstance(arrival, OngoingArrival)
    share = u if isinstance(arrival, UniformArrival) else _linear(arrival, u)
    return arrival.start + (share * (arrival.stop(span) - arrival.start)).astype(np.int64)


def _linear(arrival: LinearArrival, u: Floats) -> Floats:
    return np.sqrt(u) if arrival.direction == "increasing" else 1.0 - np.sqrt(1.0 - u)
