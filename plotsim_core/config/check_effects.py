"""What is wrong between what acts on metrics, treatments and noises, and the rest of a config."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from plotsim_core.config.check_calendar import events, timed
from plotsim_core.config.effects import Noise
from plotsim_core.config.scope import Scope
from plotsim_core.errors import Problem


def treatments(parts: dict[str, Any], scope: Scope) -> Iterator[Problem]:
    """Yield what is wrong between treatments, the window and the metrics."""
    for path, segment in parts["segments"]:
        treatment = segment.treatment
        if treatment is None:
            continue
        if treatment.target_metric is not None:
            yield from scope.unknown_metric(treatment.target_metric, f"{path}.treatment.target_metric")
        if scope.window is not None and treatment.start_period >= scope.window.length:
            expected = f"expected a period of the window, 0 to {scope.window.length - 1}"
            yield Problem(f"{path}.treatment.start_period", f"{expected}, found {treatment.start_period}")


def seen(parts: dict[str, Any]) -> bool:
    """Return whether the moments of some events can be seen, or some tables cannot be read."""
    return any(declared.table is None for declared in parts["tables"]) or any(timed(event) for event in events(parts))


def noises(parts: dict[str, Any], scope: Scope) -> Iterator[Problem]:
    """Yield what is wrong between noises and metrics: unknown ones, and noise that no metric would have."""
    metrics = parts["metrics"]
    for path, metric in metrics:
        if metric.noise is not None and metric.noise.mar_on is not None:
            yield from scope.unknown_metric(metric.noise.mar_on, f"{path}.noise.mar_on")
            if metric.noise.mar_on == metric.name:
                yield Problem(f"{path}.noise.mar_on", "has no effect: it is the metric itself", "name another metric")
        if metric.noise is not None and metric.noise.temporal_jitter > 0:
            hint = "write it in the dataset's `noise`"
            yield Problem(f"{path}.noise.temporal_jitter", "has no effect: moments are those of events, of no metric", hint)
    noise: Noise | None = parts.get("noise")
    if noise is None or len(metrics) < len(scope.metrics):
        return
    under = [metric.name for _, metric in metrics if metric.noise is None]
    if noise.temporal_jitter > 0 and not seen(parts):
        hint = "give events a column of type timestamp"
        yield Problem("noise.temporal_jitter", "has no effect: no table shows the moments of its rows", hint)
    if metrics and not under and noise.temporal_jitter == 0:
        yield Problem("noise", "has no effect: every metric has its own noise")
    elif under and noise.mar_on is not None:
        yield from scope.unknown_metric(noise.mar_on, "noise.mar_on")
        if under == [noise.mar_on]:
            yield Problem("noise.mar_on", f"has no effect: no metric but {noise.mar_on} itself has this noise")
