"""Problems of treatments, noises and variations with the rest of a config."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from plotsim_core.config.check_calendar import events, shows_moments
from plotsim_core.config.parts import Parts
from plotsim_core.config.segments import Segment
from plotsim_core.errors import Problem
from plotsim_core.numerics.curves import position

_CURVE_POINTS = 97
"""Sample points of a curve: no divisor of a year, so that no cycle falls on them."""


def treatments(parts: Parts) -> Iterator[Problem]:
    """Yield the problems of treatments with the window and the metrics."""
    scope = parts.scope
    for path, segment in parts.segments:
        treatment = segment.treatment
        if treatment is None:
            continue
        if treatment.target_metric is not None:
            yield from scope.unknown_metric(treatment.target_metric, f"{path}.treatment.target_metric")
        if scope.window is not None and treatment.start_period >= scope.window.length:
            expected = f"expected a period of the window, 0 to {scope.window.length - 1}"
            yield Problem(f"{path}.treatment.start_period", f"{expected}, found {treatment.start_period}")


def has_visible_moments(parts: Parts) -> bool:
    """Return whether a table shows the moments of its events, or a table is invalid."""
    return any(declaration.table is None for declaration in parts.tables) or any(
        shows_moments(event) for event in events(parts)
    )


def noises(parts: Parts) -> Iterator[Problem]:
    """Yield the problems of noises with metrics: unknown metrics, and noise that no metric has."""
    metrics, scope = parts.metrics, parts.scope
    for path, metric in metrics:
        if metric.noise is not None and metric.noise.mar_on is not None:
            yield from scope.unknown_metric(metric.noise.mar_on, f"{path}.noise.mar_on")
            if metric.noise.mar_on == metric.name:
                yield Problem(f"{path}.noise.mar_on", "has no effect: it is the metric itself", "name another metric")
        if metric.noise is not None and metric.noise.temporal_jitter > 0:
            hint = "write it in the dataset's `noise`"
            yield Problem(f"{path}.noise.temporal_jitter", "has no effect: moments are those of events, of no metric", hint)
    noise = parts.noise
    if noise is None or len(metrics) < len(scope.metrics):
        return
    noisy_metrics = [metric.name for _, metric in metrics if metric.noise is None]
    if noise.temporal_jitter > 0 and not has_visible_moments(parts):
        hint = "give events a column of type timestamp"
        yield Problem("noise.temporal_jitter", "has no effect: no table shows the moments of its rows", hint)
    if metrics and not noisy_metrics and noise.temporal_jitter == 0:
        yield Problem("noise", "has no effect: every metric has its own noise")
    elif noisy_metrics and noise.mar_on is not None:
        yield from scope.unknown_metric(noise.mar_on, "noise.mar_on")
        if noisy_metrics == [noise.mar_on]:
            yield Problem("noise.mar_on", f"has no effect: no metric but {noise.mar_on} itself has this noise")


def variations(parts: Parts) -> Iterator[Problem]:
    """Yield variations without effect: of size where no metric is sized, of timing where the curve is constant, and the span
    of a constant curve where nobody arrives or leaves."""
    has_sized = (
        not parts.scope.metrics
        or len(parts.metrics) < len(parts.scope.metrics)
        or any(metric.sized for _, metric in parts.metrics)
    )
    for path, segment in parts.segments:
        fields_set = segment.variation.model_fields_set
        if "size" in fields_set and segment.variation.size > 0 and not has_sized:
            yield Problem(f"{path}.variation.size", "has no effect: no metric is an amount or a count", "leave it out")
        if "timing" in fields_set and segment.variation.timing > 0 and constant(segment):
            yield Problem(f"{path}.variation.timing", "has no effect: the curve is the same all along", "leave it out")
        if segment.span is not None and segment.arrival is None and segment.tenure is None and constant(segment):
            yield Problem(f"{path}.span", "has no effect: the curve is the same all along", "leave it out")


def constant(segment: Segment) -> bool:
    """Return whether a segment's curve is constant."""
    shares = (np.arange(_CURVE_POINTS) + 0.5) / _CURVE_POINTS
    heights = position(segment.archetype.pieces(_CURVE_POINTS), shares, np.full(_CURVE_POINTS, 1.0))
    return float(np.ptp(heights)) == 0
