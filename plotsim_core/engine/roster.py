"""Who there is: the units of a slice with what is theirs for life (address, arrival, timing, size, arm)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plotsim_core.config.segments import (
    Arrival,
    ExplicitArrival,
    LinearArrival,
    StepArrival,
    UniformArrival,
)
from plotsim_core.engine.treatment import treated_units
from plotsim_core.numerics.codes import segment_number, unit_codes
from plotsim_core.numerics.random import Floats, Words, fold, key, normals, uniforms, words
from plotsim_core.plan.plan import Plan

_TIMING_LIMIT = 3.0


@dataclass(frozen=True, eq=False)
class Units:
    """Units `start` to `start + len` of the roster, as parallel arrays.

    `segment` is the place of the segment in the plan, `ordinal` the place in the segment; `arrival` is a period number,
    `timing` the shift of the curve as a share of its span, `size` the factor on amounts and counts, `treated` whether the
    unit is in the treated arm of its segment.
    """

    start: int
    segment: NDArray[np.intp]
    ordinal: NDArray[np.int64]
    address: Words
    arrival: NDArray[np.int64]
    timing: Floats
    size: Floats
    treated: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.segment)


def select(plan: Plan, start: int, stop: int) -> Units:
    """Return units `start` to `stop` of the roster."""
    places = np.arange(start, stop, dtype=np.int64)
    firsts = np.array([segment.first for segment in plan.segments], dtype=np.int64)
    segment = np.searchsorted(firsts, places, side="right") - 1
    ordinal = places - firsts[segment]
    names = np.array([s.address for s in plan.segments], dtype=np.uint64)
    address = fold(names[segment], words(ordinal))
    timing = np.array([s.spec.variation.timing for s in plan.segments])[segment]
    size = np.array([s.spec.variation.size for s in plan.segments])[segment]
    drift = np.clip(normals(key(plan.seed, "timing"), address), -_TIMING_LIMIT, _TIMING_LIMIT)
    growth = normals(key(plan.seed, "size"), address)
    return Units(
        start=start,
        segment=segment,
        ordinal=ordinal,
        address=address,
        arrival=_arrivals(plan, segment, ordinal, uniforms(key(plan.seed, "arrival"), address)),
        timing=timing * drift,
        size=np.exp(size * growth - 0.5 * size * size),
        treated=treated_units(plan, segment, ordinal),
    )


def codes(plan: Plan, units: Units) -> NDArray[np.str_]:
    """Return the unit's part of every key it appears in: ten base-32 digits, unique by construction."""
    own = np.array([segment_number(segment.spec.name) for segment in plan.segments], dtype=np.uint64)
    return unit_codes(own[units.segment], units.ordinal, plan.seed)


def _arrivals(plan: Plan, segment: NDArray[np.intp], ordinal: NDArray[np.int64], u: Floats) -> NDArray[np.int64]:
    offsets = np.zeros(len(u), dtype=np.int64)
    for place, segment_plan in enumerate(plan.segments):
        arrival = segment_plan.spec.arrival
        if arrival is not None:
            here = segment == place
            offsets[here] = _offsets(arrival, ordinal[here], u[here], plan.span)
    return plan.first + offsets


def _offsets(arrival: Arrival, ordinal: NDArray[np.int64], u: Floats, span: int) -> NDArray[np.int64]:
    """Return the periods after the window's start at which units arrive, by inversion of u."""
    if isinstance(arrival, ExplicitArrival):
        listed = np.array(arrival.start_periods, dtype=np.int64)
        return listed[ordinal % len(listed)]
    if isinstance(arrival, StepArrival):
        edges = np.cumsum([block.fraction for block in arrival.blocks])[:-1]
        periods = np.array([block.period for block in arrival.blocks], dtype=np.int64)
        return periods[np.searchsorted(edges, u, side="right")]
    last = span - 1 if arrival.end is None else arrival.end
    share = u if isinstance(arrival, UniformArrival) else _linear(arrival, u)
    return arrival.start + (share * (last - arrival.start + 1)).astype(np.int64)


def _linear(arrival: LinearArrival, u: Floats) -> Floats:
    return np.sqrt(u) if arrival.direction == "increasing" else 1.0 - np.sqrt(1.0 - u)
