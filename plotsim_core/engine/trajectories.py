"""Trajectories: the position of each unit in each period.

A unit runs its curve from its arrival to the end of the span (its first round), and then stays, or runs it again: each later
round begins a span after the one before, earlier or later by the round's timing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from plotsim_core.engine.roster import Units
from plotsim_core.engine.treatment import treated
from plotsim_core.numerics.arrays import Floats, Integers
from plotsim_core.numerics.curves import position
from plotsim_core.numerics.random import fold, key, normals, words
from plotsim_core.plan.plan import Population, SegmentPlan

_SHIFT = 0.5
"""Largest shift of a later round, as a share of the span: rounds stay in order."""


def progress(population: Population, units: Units, periods: Integers) -> Floats:
    """Return how far along its curve each unit is, shape (periods, units); values outside [0, 1] hold at the ends.

    A unit runs its whole curve in its course, shifted by its timing; in later rounds in a span.
    """
    progress_values = np.empty((len(periods), len(units)))
    for index, segment in enumerate(population.segments):
        members = np.flatnonzero(units.segment == index)
        if len(members):
            progress_values[:, members] = _curve_progress(population, segment, units, members, periods)[0]
    return progress_values


def rounds(population: Population, units: Units, periods: Integers) -> Integers:
    """Return in which round each unit is, shape (periods, units): 0 in the first, and wherever there is no other."""
    round_numbers = np.zeros((len(periods), len(units)), dtype=np.int64)
    for index, segment in enumerate(population.segments):
        members = np.flatnonzero(units.segment == index)
        if segment.spec.after != "hold" and len(members):
            round_numbers[:, members] = _round_numbers(population, segment, units, members, periods)[0]
    return round_numbers


def _curve_progress(
    population: Population, segment: SegmentPlan, units: Units, members: Integers, periods: Integers
) -> tuple[Floats, Floats | None]:
    """Return how far along their curve some units of a segment are, and for how many years they have run it by the calendar:
    None where time stands still with the curve, which is not run again. Shape (periods, units)."""
    begin, course, timing = units.curve_start[members], units.course[members], units.timing[members]
    first = (periods[:, None] - begin[None, :]) / np.maximum(course - 1, 1)[None, :] + timing[None, :]
    if segment.spec.after == "hold":
        return first, None
    number, since = _round_numbers(population, segment, units, members, periods)
    years = course / population.grain.per_year
    elapsed = (periods[:, None] - begin[None, :]) / population.grain.per_year + (timing * years)[None, :]
    is_repeated = number > 0
    along = np.where(is_repeated, np.minimum(since / max(segment.span - 1, 1), 1.0), first)
    return along, np.where(is_repeated, elapsed, np.maximum(first, 0.0) * years[None, :])


def _round_numbers(
    population: Population, segment: SegmentPlan, units: Units, members: Integers, periods: Integers
) -> tuple[Integers, Floats]:
    """Return (round, periods since it began) of some units, shape (periods, units).

    Round n >= 1 begins n - 1 spans after the first has ended, earlier by its timing: that of the unit, or one of its own.
    """
    elapsed = periods[:, None] - (units.curve_start + units.course)[members][None, :]
    base_round = 1 + elapsed // segment.span
    if segment.spec.after == "repeat":
        shift = np.clip(units.timing[members], -_SHIFT, _SHIFT)[None, :] * segment.span
        number = 1 + np.floor((elapsed + shift) / segment.span).astype(np.int64)
        return np.maximum(number, 0), elapsed + shift - (number - 1) * segment.span
    lowest = base_round[0] - 1
    candidates = lowest[None, :] + np.arange(int((base_round[-1] - lowest).max()) + 2, dtype=np.int64)[:, None]
    scores = normals(key(population.seed, "timing again"), fold(units.address[members][None, :], words(candidates)))
    shifts = np.clip(segment.spec.variation.timing * scores, -_SHIFT, _SHIFT) * segment.span
    unit = np.arange(len(members))[None, :]
    number = base_round - 1
    for candidate in (base_round, base_round + 1):
        has_begun = elapsed - (candidate - 1) * segment.span + shifts[candidate - lowest[None, :], unit] >= 0
        number = np.where(has_begun, candidate, number)
    since = elapsed - (number - 1) * segment.span + shifts[number - lowest[None, :], unit]
    return np.maximum(number, 0), since


def positions(population: Population, units: Units, periods: NDArray[np.int64]) -> Floats:
    """Return trajectory positions in [0, 1], shape (periods, units), raised by treatments of the whole trajectory."""
    return treated(population, units, periods, untreated(population, units, periods), None)


def untreated(population: Population, units: Units, periods: Integers) -> Floats:
    """Return trajectory positions in [0, 1] as they would be without any treatment, shape (periods, units)."""
    years = units.course / population.grain.per_year
    result = np.empty((len(periods), len(units)))
    for index, segment in enumerate(population.segments):
        members = np.flatnonzero(units.segment == index)
        if len(members):
            along, elapsed = _curve_progress(population, segment, units, members, periods)
            result[:, members] = position(segment.pieces, along, np.broadcast_to(years[members], along.shape), elapsed)
    return result
