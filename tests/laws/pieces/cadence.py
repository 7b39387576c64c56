"""Dimensions that come in several ways: snapshots and change logs of them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

Raw = dict[str, Any]

_LONGER = {
    "30 minutes": ["hour", "day", "once"],
    "hour": ["hour", "day", "once"],
    "day": ["day", "week", "month", "once"],
    "week": ["week", "month", "quarter", "once"],
    "month": ["month", "quarter", "once"],
    "quarter": ["quarter", "once"],
}


def add(draw: st.DrawFn, raw: Raw) -> None:
    """Add a snapshot and a change log of dimensions of units, of their children and, of a snapshot, of listed ones."""
    window = raw["window"]
    grain = window[2] if isinstance(window, list) else window["every"]
    dimensions = [table for table in raw["dimensions"] if table.get("per", "unit") == "unit"]
    logged = draw(st.lists(st.sampled_from([table for table in dimensions if not table.get("reference")]), max_size=2))
    shown = draw(st.lists(st.sampled_from(dimensions), min_size=1, max_size=2))
    names = dict.fromkeys(table["name"] for table in logged)
    raw["events"] = [*raw.get("events", ()), *({"name": f"log_{name}", "changes_of": name} for name in names)]
    for name in dict.fromkeys(table["name"] for table in shown):
        every = draw(st.sampled_from([None, *_LONGER[grain]]))
        raw["facts"] = [
            *raw["facts"],
            {"name": f"snp_{name}", "snapshot_of": name, **({"every": every} if every else {})},
        ]
