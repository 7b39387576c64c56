"""Wide tables and log lines."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st


def add(draw: st.DrawFn, raw: dict[str, Any]) -> None:
    """Make facts wide, and write events as lines."""
    if draw(st.booleans()):
        raw["output"] = {"denormalized": True}
    for event in raw.get("events", ()):
        if draw(st.booleans()):
            names = [column["name"] for column in event["columns"]]
            event["log_format"] = (
                " ".join(f"{{{name}}}" for name in draw(st.lists(st.sampled_from(names), max_size=3))) + "."
            )
