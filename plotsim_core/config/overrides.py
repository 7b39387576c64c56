"""Overrides of a request: seed, scale, noise and compression, in the place of those of the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from plotsim_core.errors import UsageError
from plotsim_core.families import did_you_mean
from plotsim_core.numerics.noise import PRESETS

NONE = "none"
"""The word for no noise at all."""


def with_overrides(
    raw: Any,
    *,
    seed: int | None = None,
    scale: float | None = None,
    noise: str | None = None,
    compression: str | None = None,
) -> Any:
    """Return a config as written with the overrides in it; None leaves a value as it is.

    `noise` is a preset, or none, and that of all metrics: it takes the place of the dataset's, of the metrics' own and of
    that of further kinds of unit. `compression` is that of Parquet, so that is the format then. What is no config is
    returned as it is. Raises UsageError for an unknown noise.
    """
    if not isinstance(raw, Mapping):
        return raw
    changes = {name: value for name, value in (("seed", seed), ("scale", scale)) if value is not None}
    if noise is not None:
        raw = {**_without_noise(raw), "noise": _noise(noise)}
        if "units" in raw and isinstance(raw["units"], Sequence):
            raw = {**raw, "units": [_without_noise(kind) for kind in raw["units"]]}
    if compression is not None:
        output = raw.get("output")
        options = output if isinstance(output, Mapping) else {}
        raw = {**raw, "output": {**options, "format": "parquet", "compression": compression}}
    return {**raw, **changes}


def _noise(word: str) -> Any:
    preset = word.strip().lower().replace(" ", "_")
    if preset == NONE:
        return {}
    if preset not in PRESETS:
        raise UsageError(f"no noise is named {word!r}; {did_you_mean(preset, [NONE, *PRESETS])}")
    return preset


def _without_noise(kind: Any) -> Any:
    """Return a kind of unit as written without noise of its own and of its metrics."""
    if not isinstance(kind, Mapping):
        return kind
    metrics = kind.get("metrics")
    metric_list = metrics if isinstance(metrics, Sequence) and not isinstance(metrics, str) else ()
    quiet_metrics = [
        {name: value for name, value in metric.items() if name != "noise"} if isinstance(metric, Mapping) else metric
        for metric in metric_list
    ]
    return {
        name: quiet_metrics if name == "metrics" and metric_list else value
        for name, value in kind.items()
        if name != "noise"
    }
