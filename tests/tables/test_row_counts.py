"""How many rows dimensions have: what the config says, whatever else is in it."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pyarrow as pa

from plotsim_core import from_mapping, generate_tables, make, sizes, slices

OWN = {"name": "own_id", "type": "id"}
RAW: dict[str, Any] = {
    "about": "Shops",
    "unit": "shop",
    "window": ["2024-01", "2024-12", "month"],
    "metrics": [{"name": "mood", "type": "score", "polarity": "positive"}],
    "segments": [{"name": "new", "count": 7, "archetype": "growth"}, {"name": "old", "count": 5, "archetype": "flat"}],
}


def rows(*dimensions: dict[str, Any]) -> dict[str, int]:
    """Return the rows of dimensions beside dim_shop, which may be among them."""
    shop = {"name": "dim_shop", "per": "unit", "columns": [{"name": "shop_id", "type": "id"}]}
    values = [] if any(d["name"] == "dim_shop" for d in dimensions) else [shop]
    tables = generate_tables(from_mapping({**RAW, "dimensions": [*dimensions, *values]}, name="shops"))
    return {name: len(frame) for name, frame in tables.items()}


def test_a_dimension_per_unit_has_a_row_for_each() -> None:
    """Also one beside the unit's own, in whatever order they stand, and one that refers to listed rows."""
    table_rows = rows(
        {"name": "dim_site", "per": "unit", "columns": [OWN, {"name": "town", "type": "faker.city"}]},
        {"name": "dim_plan", "reference": True, "columns": [OWN, {"name": "plan", "type": "static.a,b"}]},
        {
            "name": "dim_shop",
            "per": "unit",
            "columns": [{"name": "shop_id", "type": "id"}, {"name": "plan_id", "type": "ref.dim_plan"}],
        },
    )
    assert table_rows == {"dim_site": 12, "dim_plan": 2, "dim_shop": 12, "dim_date": 12}


def test_children_are_as_many_for_each_unit_as_counted() -> None:
    """One by default."""
    to_shop = {"name": "shop_id", "type": "ref.dim_shop"}
    table_rows = rows(
        {"name": "dim_clerk", "per": "unit", "count": 4, "columns": [OWN, to_shop]},
        {"name": "dim_till", "per": "unit", "columns": [OWN, to_shop]},
    )
    assert (table_rows["dim_clerk"], table_rows["dim_till"]) == (48, 12)


def test_listed_rows_are_as_many_as_the_longest_list_or_more() -> None:
    words = {"name": "word", "type": "static.a,b,c"}
    assert rows({"name": "dim_word", "reference": True, "columns": [OWN, words]})["dim_word"] == 3
    assert rows({"name": "dim_word", "reference": True, "count": 8, "columns": [OWN, words]})["dim_word"] == 8
    assert rows({"name": "dim_word", "reference": True, "count": 2, "columns": [OWN, words]})["dim_word"] == 3


def _clerks(segments: list[dict[str, Any]], count: dict[str, Any]) -> pd.DataFrame:
    """Return the clerks of shops, so many as `count` says for each segment, with the segment of their shop."""
    shop = {"name": "dim_shop", "per": "unit", "columns": [OWN, {"name": "kind", "type": "segment.name"}]}
    columns = [OWN, {"name": "shop_id", "type": "ref.dim_shop"}, {"name": "mail", "type": "faker.email"}]
    columns += [{"name": "kind", "type": "segment.name"}, {"name": "number", "type": "sequence"}]
    clerk = {"name": "dim_clerk", "per": "unit", "count": count, "columns": columns}
    plan = from_mapping({**RAW, "segments": segments, "dimensions": [shop, clerk]}, name="shops")
    frame = generate_tables(plan, tables=["dim_clerk"])["dim_clerk"]
    size = next(size for size in sizes(plan) if size.table == "dim_clerk")
    low, high = (sum(segment["count"] * pair[end] for segment, pair in _pairs(segments, count)) for end in (0, 1))
    assert low <= size.rows <= high
    return frame


def _pairs(segments: list[dict[str, Any]], count: dict[str, Any]) -> list[tuple[dict[str, Any], list[int]]]:
    numbers = [(segment, count[segment["name"]]) for segment in segments]
    return [(segment, number if isinstance(number, list) else [number, number]) for segment, number in numbers]


def test_units_of_each_segment_have_as_many_children_as_it_says() -> None:
    frame = _clerks(RAW["segments"], {"new": 3, "old": [1, 4]})
    new, old = (frame[frame["kind"] == kind].groupby("shop_id").size() for kind in ("new", "old"))
    assert new.tolist() == [3] * 7
    assert len(old) == 5 and old.between(1, 4).all() and old.nunique() > 1
    assert frame["mail"].is_unique


def test_another_segment_with_more_children_changes_none_of_the_others() -> None:
    more = {"name": "vast", "count": 2, "archetype": "growth"}
    frame = _clerks(RAW["segments"], {"new": 3, "old": [1, 4]})
    longer = _clerks([more, *RAW["segments"]], {"vast": 40, "new": 3, "old": [1, 4]})
    pd.testing.assert_frame_equal(longer[longer["kind"] != "vast"].reset_index(drop=True), frame)


def test_a_table_per_unit_may_say_the_number_of_each_segment() -> None:
    """In words of `tables`, with a distribution for one segment; any slice alone is the same rows of the whole."""
    rows = {"segments": {"new": {"poisson": 3, "between": [1, 9]}, "old": 2}}
    shops = {"name": "shops", "per": "shop", "columns": [OWN]}
    clerks = {"name": "clerks", "per": "shop", "rows": rows, "columns": [{"name": "clerk_id", "type": "id"}]}
    clerks["columns"] += [{"name": "kind", "type": "segment.name"}]
    plan = from_mapping({**RAW, "tables": [shops, clerks]}, name="shops")
    frame = generate_tables(plan, tables=["clerks"])["clerks"]
    counts = frame.groupby(["kind", "own_id"]).size()
    assert counts["old"].tolist() == [2] * 5
    assert counts["new"].between(1, 9).all() and counts["new"].nunique() > 1
    parts = [make(plan, part).read_all() for part in slices(plan, ["clerks"], 4, by="units")]
    assert len(parts) == 4
    assert pa.concat_tables(parts)["clerk_id"].to_pylist() == frame["clerk_id"].tolist()


def _whole(value: Any) -> Any:
    """Return a config in which a number without a fraction is a whole one."""
    if isinstance(value, dict):
        return {_whole(key): _whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def test_a_number_of_rows_may_be_written_as_1e3() -> None:
    """In whatever place of a table, and in the words of older sections."""
    number = {"name": "number", "type": "sequence"}
    of_shops = {"segments": {"new": 1e1, "old": [1.0, 3.0]}}
    to_units = [{"name": "date_key", "type": "ref.dim_date"}, {"name": "shop_id", "type": "ref.dim_shop"}]
    raw: dict[str, Any] = {
        **RAW,
        "segments": [{"name": name, "count": 1e1, "archetype": "growth"} for name in ("new", "old")],
        "dimensions": [
            {"name": "dim_shop", "per": "unit", "count": 1.0, "columns": [{"name": "shop_id", "type": "id"}]},
            {"name": "dim_desk", "per": "unit", "count": [1.0, 2e0], "columns": [OWN, to_units[1]]},
            {"name": "dim_size", "reference": True, "count": 2e1, "columns": [OWN]},
        ],
        "facts": [
            {"name": "fct_visit", "row_count_driver": "mood", "row_count_scale": 9.0, "columns": [OWN, *to_units]},
            {"name": "fct_item", "parent_table": "fct_visit", "children_per_row": 2e0, "columns": [number]},
        ],
        "tables": [
            {"name": "jobs", "rows": 1e2, "columns": [OWN]},
            {"name": "calls", "rows": 1.5e3, "columns": [OWN, {"name": "at", "type": "timestamp"}]},
            {"name": "stages", "per": "jobs", "rows": 2e0, "columns": [number]},
            {"name": "tasks", "per": "jobs", "rows": {"exact": 1e3, "between": [1.0, 5e2]}, "columns": [number]},
            {"name": "steps", "per": "jobs", "rows": {"zipf": 1.5, "between": [1.0, 1e2]}, "columns": [number]},
            {"name": "turns", "per": "jobs", "rows": {1.0: 9, 2.0: 1}, "columns": [number]},
            {"name": "desks", "per": "shop", "rows": of_shops, "columns": [OWN]},
        ],
    }
    written, usual = (generate_tables(from_mapping(config, name="shops")) for config in (raw, _whole(raw)))
    assert (len(written["jobs"]), len(written["tasks"])) == (100, 1000)
    for name, frame in usual.items():
        pd.testing.assert_frame_equal(written[name], frame)
