"""How many rows dimensions have: what the config says, whatever else is in it."""

from __future__ import annotations

from typing import Any

from plotsim_core import from_mapping, generate_tables

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
