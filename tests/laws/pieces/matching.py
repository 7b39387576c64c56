"""References to the listed row that says what the unit says of itself, for life or at the time."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

Raw = dict[str, Any]


def add(draw: st.DrawFn, raw: Raw) -> None:
    """Add listed regions, some twice, and groups, and references to them in tables of every kind that knows its unit."""
    regions = ["west", "south", "east", "north", *draw(st.sampled_from([[], ["south"], ["north", "north", "nowhere"]]))]
    groups = ["first", "second", "third", "added"]
    raw["dimensions"] = [
        *raw["dimensions"],
        _listed("region", regions, draw(st.sampled_from([1, 9]))),
        _listed("group", groups, draw(st.sampled_from([1, 7]))),
    ]
    to_region = {"type": "ref.dim_region", "matching": {"region_name": "region"}}
    to_group = {"type": "ref.dim_group", "matching": {"group_name": "kind"}}
    of_life = [{"name": "region_id", **to_region}, {"name": "group_id", **to_group}]
    looked_up = {"name": "region_worth", "type": "lookup.dim_region.worth"}
    again = {"name": "worth_id", "type": "ref.dim_region", "matching": {"worth": "region_worth"}}
    of_unit = [*of_life[: draw(st.integers(0, 2))]]
    for table in [*raw["dimensions"], *raw["facts"], *raw.get("events", ()), *raw.get("bridges", ())]:
        if table["name"] == "dim_shop":
            table["columns"] = [*table["columns"], *of_unit, *([looked_up] if of_unit else [])]
        elif "reference" not in table and table.get("per", "unit") == "unit" and table.get("columns"):
            references = [*of_life, *([again] if of_unit else [])]
            table["columns"] = [*table["columns"], *references[: draw(st.integers(0, 3))]]


def _listed(name: str, values: list[str], count: int) -> Raw:
    worth = ",".join(str(place) for place in range(len(values)))
    columns = [{"name": f"{name}_id", "type": "id"}, {"name": f"{name}_name", "type": f"static.{','.join(values)}"}]
    return {
        "name": f"dim_{name}",
        "reference": True,
        "count": count,
        "columns": [*columns, {"name": "worth", "type": f"static.{worth}"}],
    }
