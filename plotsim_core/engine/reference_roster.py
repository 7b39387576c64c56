"""The reference roster: as many units of each segment, however many there are, for what is solved at load.

What is solved against it moves neither with more units nor with a later end. A segment more does move it.
"""

from __future__ import annotations

from dataclasses import replace

from plotsim_core.config.segments import ExplicitArrival
from plotsim_core.plan.plan import Population, SegmentPlan


def reference_roster(population: Population, count: int) -> Population:
    """Return a population with `count` units of each segment, all there from the start where arrivals are listed or go on
    for ever."""
    segments = (_standard_segment(spec, index * count, count) for index, spec in enumerate(population.segments))
    return replace(population, segments=tuple(segments))


def _standard_segment(segment: SegmentPlan, first: int, count: int) -> SegmentPlan:
    """Return a segment with a fixed number of units and without later arrivals."""
    spec = segment.spec
    if isinstance(spec.arrival, ExplicitArrival):
        spec = spec.model_copy(update={"arrival": None})
    return replace(segment, spec=spec, first=first, count=count, rate=0.0)
