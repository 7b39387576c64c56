"""References of a table to itself, to what is valid at the time, to siblings' other rows, to other units' children."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

Raw = dict[str, Any]


def add(draw: st.DrawFn, raw: Raw) -> None:
    """Add parts, a tree of listed rows, and references to them in facts; trees of shops and clerks."""
    raw["dimensions"] = [*raw["dimensions"], _parts(draw)]
    names = {table["name"] for table in raw["dimensions"]}
    has_logs = any("changes_of" in table for section in ("facts", "events") for table in raw.get(section, ()))
    for table in raw["dimensions"]:
        if table["name"] == "dim_shop" and not has_logs and draw(st.booleans()):
            above = [{"name": "above_id", "type": "ref.dim_shop"}, {"name": "above_kind", "type": "lookup.dim_shop.kind"}]
            table["columns"] = [*table["columns"], *above]
        if table["name"] == "dim_clerk" and table["count"] != 1:
            more: list[Raw] = [{"name": "boss_id", "type": "ref.dim_clerk"}]
            more.append({"name": "part_id", "type": "ref.dim_part", "distinct": True, "weights": "worth"})
            table["columns"] = [*table["columns"], *more]
    hue: list[Raw] = [
        {"name": "hue", "type": "choice", "values": ["red", "blue"]},
        {"name": "hue_id", "type": "ref.dim_part", "matching": {"hue": "hue"}},
        {"name": "part_number", "type": "ref.dim_part", "column": "number", "weights": "worth"},
        {"name": "valid_id", "type": "ref.dim_part", "during": {"from": "since", "to": "until"}},
    ]
    if "dim_clerk" in names:
        hue += [{"name": f"{of}_clerk", "type": "ref.dim_clerk", "of": of} for of in ("any", "others")]
    for fact in [*raw["facts"], *raw.get("events", ())]:
        if "parent_table" in fact and draw(st.booleans()):
            fact["columns"] = [*fact["columns"], *_of_siblings(draw)]
        elif fact.get("columns") and fact.get("per", "unit") == "unit" and "parent_table" not in fact:
            fact["columns"] = [*fact["columns"], *hue[: draw(st.integers(0, len(hue)))]]


def _parts(draw: st.DrawFn) -> Raw:
    days = ["1969-12-25", "2022-12-01", "2023-12-10", "2024-02-28", None, "1970-01-10", "2024-02-01"]
    ends = ["1970-02-01", "2023-12-20", None, "2024-03-01", "1970-01-05", None, "2024-06-01"]
    return {
        "name": "dim_part",
        "reference": True,
        "columns": [
            {"name": "part_id", "type": "id"},
            {"name": "number", "type": "sequence"},
            {"name": "hue", "type": draw(st.sampled_from(["static.red,blue,red,blue,red,blue,red", "faker.color_name"]))},
            {"name": "worth", "type": "static.1,2,0,4,50,6,7"},
            {"name": "since", "type": "static", "value_type": "date", "values": days},
            {"name": "until", "type": "static", "value_type": "date", "values": ends},
            {"name": "part_of", "type": "ref.dim_part", "roots": draw(st.integers(1, 3))},
        ],
    }


def _of_siblings(draw: st.DrawFn) -> list[Raw]:
    distinct = {"type": "ref.dim_part", "distinct": True}
    columns = [
        {"name": "other_id", **distinct},
        {"name": "popular_id", **distinct, "distribution": draw(st.sampled_from(["zipf", "head_tail"]))},
        {"name": "worthy_id", **distinct, "weights": "worth"},
    ]
    return columns[: draw(st.integers(1, 3))]
