"""The check of segments: those of different archetypes are separable by their stored means."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from plotsim_core.numerics.arrays import Floats
from plotsim_core.plan.plan import Population, TablePlan
from plotsim_core.validation.chance import allowed_errors
from plotsim_core.validation.check import CHECKS, NO_TABLES, Check, Finding, unjudged
from plotsim_core.validation.residuals import Residuals, metric_facts, metrics_judged_by, residuals
from plotsim_core.validation.store import StoredData

_PARTS = 3
"""The number of parts of the time."""
_MIN_DISTANCE = 1.0
"""The least expected distance of separable segments, in standard deviations of units (Cohen's d)."""
_MIN_UNITS = 10
"""The least number of units with values that a segment needs in a part of the time."""


def _segment_tables(population: Population, table: TablePlan) -> frozenset[str] | None:
    """Return the facts that segments are judged by, for the first of them; None if all segments share an archetype."""
    archetypes = [segment.spec.archetype for segment in population.segments]
    first_name = next((fact.name for fact in population.unit_tables if metrics_judged_by(population, fact)), None)
    return (
        metric_facts(population)
        if table.name == first_name and any(archetype != archetypes[0] for archetype in archetypes)
        else None
    )


def _segments(store: StoredData, table: TablePlan) -> Iterator[Finding]:
    population, sample = store.population, residuals(store)
    facts = tuple(sorted(metric_facts(population) - {table.name}))
    if not sample.values:
        return
    spread = _moments(sample, sample.values)[1]
    expected_means, stored_means = (_moments(sample, layer)[0] for layer in (_stored_centres(sample), sample.values))
    counts = np.bincount(sample.segments, minlength=len(population.segments))
    for index, segment in enumerate(population.segments):
        others = [n for n, other in enumerate(population.segments) if other.spec.archetype != segment.spec.archetype]
        distances = {
            other: _distance(expected_means, stored_means, spread, index, other)
            for other in others
            if min(counts[index], counts[other]) > 1
        }
        if not distances:
            continue
        nearest = min(distances, key=lambda other: distances[other][0])
        expected, distance = distances[nearest]
        allowed = allowed_errors(population) * float(np.sqrt(1 / counts[index] + 1 / counts[nearest]))
        numbers = {"expected": expected, "found": distance, "allowed": allowed}
        name, other = segment.spec.name, population.segments[nearest].spec.name
        message = f"{distance:.1f} standard deviations from {other}, {expected:.1f} expected"
        if expected >= _MIN_DISTANCE + allowed:
            yield Finding(name, distance >= 0.5 * expected - allowed, message, numbers, tables=facts)
        else:
            yield replace(unjudged(name, f"{message}, too near for its units to tell them apart", numbers), tables=facts)


def _stored_centres(sample: Residuals) -> dict[int, Floats]:
    return {m: np.where(np.isfinite(values), sample.centres[m], np.nan) for m, values in sample.values.items()}


def _moments(sample: Residuals, layer: dict[int, Floats]) -> tuple[Floats, Floats]:
    """Return the mean and standard deviation of the means of units, by metric, part of the time and segment."""
    segments = len(sample.population.segments)
    shape = (len(layer), _PARTS, segments)
    means, deviations = np.full(shape, np.nan), np.full(shape, np.nan)
    for row, values in enumerate(layer.values()):
        for part, cells in enumerate(np.array_split(values, _PARTS)):
            present = np.isfinite(cells)
            counts = present.sum(axis=0)
            unit_means = np.where(present, cells, 0.0).sum(axis=0) / np.maximum(counts, 1)
            for segment in range(segments):
                segment_means = unit_means[(sample.segments == segment) & (counts > 0)]
                if len(segment_means) >= _MIN_UNITS:
                    means[row, part, segment], deviations[row, part, segment] = (
                        float(segment_means.mean()),
                        float(segment_means.std()),
                    )
    return means, deviations


def _distance(expected_means: Floats, stored_means: Floats, spread: Floats, first: int, second: int) -> tuple[float, float]:
    """Return the (expected, stored) distance of two segments, in the metric and part of the time where most is expected."""
    deviation = np.sqrt((spread[:, :, first] ** 2 + spread[:, :, second] ** 2) / 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        differences: list[NDArray[np.float64]] = [
            (layer[:, :, first] - layer[:, :, second]) / deviation for layer in (expected_means, stored_means)
        ]
    expected, distance = (np.where(np.isfinite(layer), layer, 0.0) for layer in differences)
    best = np.unravel_index(np.argmax(np.abs(expected)), expected.shape)
    return float(abs(expected[best])), float(distance[best] * np.sign(expected[best]))


CHECKS.add(
    "segments_separable",
    Check(
        "behaviour",
        "Segments of different archetypes differ in some metric.",
        False,
        _segments,
        _segment_tables,
        lambda *args: _segment_tables(*args) or NO_TABLES,
    ),
)
