"""Time zones: of the window, and of columns with moments."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from plotsim_core.numerics.calendar import GRAINS

Raw = dict[str, Any]

CHANGED, FIXED = (
    ("America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Beirut"),
    ("Etc/GMT+5", "Asia/Kolkata"),
)
"""Zones whose clocks are changed in windows of weeks and longer, and whose are not."""


def add(draw: st.DrawFn, raw: Raw) -> None:
    """Add what of the theme has a place in the config. With a zone come typed columns, by which tests know what is
    earlier."""
    events = raw.get("events", [])
    has_zone = draw(st.booleans())
    if has_zone:
        zones = FIXED if GRAINS[raw["window"]["every"]].is_part_of_day else CHANGED
        raw["window"] = {**raw["window"], "timezone": draw(st.sampled_from(zones))}
    for event in events:
        if "columns" in event and (has_zone or draw(st.booleans())):
            event["columns"] += [
                {"name": "at_typed", "type": "timestamp", "zone": draw(st.sampled_from(["utc", "Europe/Berlin"]))},
                {"name": "place", "type": "choice", "values": ["Asia/Tokyo", "America/St_Johns"]},
                {"name": "at_place", "type": "timestamp", "zone": "place"},
            ]
