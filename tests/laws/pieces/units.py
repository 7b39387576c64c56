"""A second kind of unit, with tables of its own, that rows of the first refer to."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st


def add(draw: st.DrawFn, raw: dict[str, Any]) -> None:
    """Add landlords, who arrive and may leave, and references to them."""
    kind: dict[str, Any] = {
        "unit": "landlord",
        "metrics": [
            {"name": "rent", "type": "amount", "polarity": "positive", "range": [5, 500]},
            {"name": "patience", "type": "score", "polarity": "negative"},
        ],
        "segments": [{"name": "private", "count": draw(st.integers(1, 4)), "archetype": "growth"}],
    }
    if draw(st.booleans()):
        kind["segments"].append({"name": "firms", "count": 2, "archetype": "decline", "arrival": {"kind": "uniform"}})
    columns = [{"name": "landlord_id", "type": "id"}, {"name": "landlord_name", "type": "faker.name"}]
    to_unit = [{"name": "date_key", "type": "ref.dim_date"}, {"name": "landlord_id", "type": "ref.dim_landlord"}]
    if draw(st.booleans()):
        kind["dimensions"] = [{"name": "dim_landlord", "per": "unit", "columns": columns}]
        kind["facts"] = [{"name": "fct_rent", "columns": [*to_unit, {"name": "rent", "type": "metric.rent"}]}]
        if draw(st.booleans()):
            departure = {"trigger": "threshold", "metric": "patience", "below": 0.3, "ends_unit": True}
            kind["events"] = [{"name": "evt_sold", **departure, "columns": [{"name": "sold_id", "type": "id"}, *to_unit]}]
    raw["units"] = [kind]
    away = {"name": "landlord_id", "type": "ref.dim_landlord"}
    for table in [*raw["dimensions"][:2], *raw["facts"], *raw.get("events", ())]:
        fits = table.get("per") == "unit" or ("columns" in table and "reference" not in table and "per" not in table)
        if fits and table["name"] in ("dim_shop", "fct_all", "evt_visit") and draw(st.booleans()):
            table["columns"] = [*table["columns"], away]
