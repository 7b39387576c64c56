"""Random named effects: days, ranges and rules, on metrics, segments and tables of events."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.robustness.draw import Draw

Config = dict[str, Any]
_RULES = ("12-24", "easter - 2", "last friday of every month", "4th thursday of november + 1", "1st day of every month")
_RATES = ("3% a month", "-20% a year", {"rate": 0.5, "per": "year"})


def add_effects(draw: Draw, raw: Config) -> None:
    """Add some effects to a config, and growth to a metric."""
    if draw.chance(0.3):
        raw["effects"] = [_effect(draw, raw, number) for number in range(draw.whole(1, 3))]
    if draw.chance(0.15):
        draw.one(raw["metrics"])["growth"] = draw.one(_RATES)


def _effect(draw: Draw, raw: Config, number: int) -> Config:
    first = np.datetime64(f"{raw['window']['start']}"[:10], "D") + draw.whole(0, 200)
    days: Config = draw.one(
        (
            {"date": str(first)},
            {"date": draw.some(_RULES, 1, 3)},
            {"start": str(first), "end": str(first + draw.whole(0, 60))},
            {"start": "12-15", "end": "01-10"},
            {"start": str(first)},
        )
    )
    effect: Config = {"name": f"effect {number}", "factor": draw.one((0.4, 0.9, 1.3, 2, 4)), **days}
    events = [event["name"] for event in raw.get("events", []) if event.get("trigger") == "proportional"]
    if events and draw.chance(0.4):
        effect["tables"] = draw.some(events, 1, 2)
    elif draw.chance(0.7):
        effect["metrics"] = draw.some([metric["name"] for metric in raw["metrics"]], 1, 2)
    if draw.chance(0.3):
        effect["segments"] = draw.one(raw["segments"])["name"]
    for word in ("ramp_in", "ramp_out"):
        if draw.chance(0.25):
            effect[word] = draw.one((1, 3, {"half_life": 1.5}))
    return effect
