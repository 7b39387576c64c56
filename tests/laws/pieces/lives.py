"""Lives: units that keep arriving and leave after a time, curves with a span of their own and what comes after it."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from plotsim_core.config.check_effects import constant
from plotsim_core.config.segments import Segment
from plotsim_core.config.window import Window


def add(draw: st.DrawFn, raw: dict[str, Any]) -> None:
    """Change how units of each segment live."""
    length = Window.model_validate(raw["window"]).length
    kinds = [segment for kind in raw.get("units", ()) for segment in kind["segments"]]
    for segment in [*raw["segments"], *kinds]:
        _change(draw, segment, length, raw["window"]["every"])


def _change(draw: st.DrawFn, segment: dict[str, Any], length: int, grain: str) -> None:
    if draw(st.booleans()):
        segment["arrival"] = {"kind": "ongoing", "per_period": draw(st.sampled_from([0.04, 0.3, 1.2]))}
        segment["arrival"]["ages"] = draw(st.sampled_from(["mixed", "new"]))
        if draw(st.booleans()):
            segment["arrival"]["growth"] = draw(st.sampled_from(["80% a year", "-3% a week"]))
    arrival = segment.get("arrival", {})
    if grain in ("day", "hour") and arrival.get("kind") in ("ongoing", "uniform", "linear") and draw(st.booleans()):
        arrival["rhythm"] = {"weekdays": draw(st.sampled_from(["workdays", [1, 2, 0, 0, 1, 1, 1]]))}
    if draw(st.booleans()):
        least = draw(st.integers(1, min(3, length - 1)))
        segment["tenure"] = {"mean": draw(st.sampled_from([least, least + 1.5, least + 6.0])), "least": least}
        if segment["tenure"]["mean"] > least and draw(st.booleans()):
            segment["tenure"]["shape"] = draw(st.sampled_from([0.6, 3.0]))
        elif draw(st.booleans()):
            segment["tenure"] = {"hazards": draw(st.sampled_from([[0.5, 0.1, 0.02], [0, 0.2, 1]]))}
    free = segment.get("arrival", {"kind": "ongoing"})["kind"] == "ongoing" and "@" not in segment["archetype"]
    moves = "arrival" in segment or "tenure" in segment or not constant(Segment.model_validate(segment))
    if free and moves and length > 2 and draw(st.booleans()):
        segment["span"] = draw(st.integers(1, min(9, length - 1)))
        timed = segment.get("variation", {}) != "none" and segment.get("variation", {"timing": 1})["timing"] > 0
        segment["after"] = draw(st.sampled_from(["hold", "repeat", *(["restart"] if timed else [])]))
