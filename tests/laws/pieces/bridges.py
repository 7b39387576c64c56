"""Bridges: to listed rows, to other units, to units' children; of some drivers, in one direction or both."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st


def add(draw: st.DrawFn, raw: dict[str, Any]) -> None:
    """Add a bridge from the unit or its children to whatever there is."""
    units = sum(segment["count"] for segment in raw["segments"])
    names = [table["name"] for table in raw["dimensions"]]
    right = draw(st.sampled_from([name for name in names if name in ("dim_shop", "dim_clerk", "dim_level")]))
    left = draw(st.sampled_from([name for name in names if name in ("dim_shop", "dim_clerk")]))
    most = (4 if right == "dim_level" else units) - (left == right)
    if most < 1:
        return
    low, high = sorted((draw(st.integers(0, most)), draw(st.integers(1, most))))
    columns = [
        {"name": "since", "type": "ref.dim_date"},
        {"name": "mean", "type": f"metric.{raw['metrics'][0]['name']}"},
        {"name": "usual", "type": f"expected.{raw['metrics'][0]['name']}"},
        {"name": "place", "type": "trajectory"},
        {"name": "kind", "type": "static.old,new"},
        {"name": "word", "type": "faker.word"},
        {"name": "weight", "type": "range", "range": [0.0, 1.0]},
    ]
    bridge: dict[str, Any] = {"name": "bridge_one", "left": left, "right": right, "cardinality": [low, high]}
    bridge["columns"] = draw(st.lists(st.sampled_from(columns), unique_by=lambda column: column["name"]))
    if low < high and draw(st.booleans()):
        bridge["driver"] = draw(st.sampled_from(raw["metrics"]))["name"]
    if left == right and draw(st.booleans()):
        bridge["directed"] = False
    raw["bridges"] = [*raw.get("bridges", []), bridge]
