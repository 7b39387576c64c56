"""Configs, as what their YAML says. Those for both generators are in the words that both know."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from plotsim_core.numerics.distributions import DISTRIBUTIONS

Raw = dict[str, Any]


@dataclass(frozen=True)
class Scale:
    """How much is drawn: units on 50 periods for our own tables, units for the side by side, seeds."""

    units: int
    shared_units: int
    seeds: int
    draws: int


FULL = Scale(units=5000, shared_units=1000, seeds=100, draws=100_000)
QUICK = Scale(units=600, shared_units=300, seeds=4, draws=20_000)

_OF_SUPPORT: dict[str, Raw] = {
    "real": {"type": "index", "range": [0, 100]},
    "positive": {"type": "amount", "range": [0, 400], "mean": [40, 150]},
    "unit": {"type": "score"},
    "count": {"type": "count", "mean": [2, 9]},
}
FAMILIES: dict[str, Raw] = {name: {**_OF_SUPPORT[one.support], "distribution": name} for name, one in DISTRIBUTIONS.items()}
"""A metric of each distribution family."""

TYPES: dict[str, Raw] = {
    "score": {"type": "score"},
    "index": {"type": "index", "range": [0, 100]},
    "amount": {"type": "amount", "range": [10, 5000]},
    "count": {"type": "count"},
}
"""A metric of each type, as both generators read it."""

TRAJECTORIES: dict[str, tuple[str, ...]] = {
    "growth": ("growth",),
    "decline": ("decline",),
    "seasonal": ("seasonal",),
    "composite": ("flat > growth @ 20",),
    "mixed": ("growth", "decline", "seasonal", "accelerating", "spike_then_crash"),
}
SHAPES = ("growth", "decline", "seasonal", "accelerating", "spike_then_crash", "flat")
STRENGTHS = (-0.9, -0.7, -0.4, 0.0, 0.4, 0.7, 0.9)
CORRELATION_TOLERANCE = 0.02


def metric(name: str, kind: Raw, **more: Any) -> Raw:
    """Return a metric of a kind: an entry of FAMILIES or TYPES."""
    return {"name": name, "polarity": "positive", **kind, **more}


def config(metrics: Sequence[Raw], shapes: Sequence[str], units: int, periods: int = 50, **more: Any) -> Raw:
    """Return a config for both generators: clean data, `units` units over segments of the given shapes, months."""
    years, months = divmod(periods - 1, 12)
    each = units // len(shapes)
    return {
        "about": "fidelity",
        "unit": "unit",
        "window": {"start": "2020-01", "end": f"{2020 + years}-{months + 1:02d}", "every": "monthly"},
        "seed": 20,
        "noise": "perfectly_clean",
        "metrics": list(metrics),
        "segments": [{"name": f"s{place}", "count": each, "archetype": shape} for place, shape in enumerate(shapes)],
        **more,
    }


def still(raw: Raw) -> Raw:
    """Return a config with what plotsim 0.7.0 has no word for switched off: variation of units, persistence."""
    raw = copy.deepcopy(raw)
    for segment in raw["segments"]:
        segment.setdefault("variation", "none")
    for one in raw["metrics"]:
        one.setdefault("persistence", 0)
    return raw
