"""Facts with as many rows as a metric says, rows that belong to them, rows that come after them; prices, amounts, totals."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from plotsim_core.config.metrics import Metric


def add(draw: st.DrawFn, raw: dict[str, Any]) -> None:
    """Add goods, orders with lines, returns of them, and a fact of whole periods."""
    to_unit = [{"name": "date_key", "type": "ref.dim_date"}, {"name": "shop_id", "type": "ref.dim_shop"}]
    at = {"name": "at", "type": "timestamp"}
    first, last = raw["metrics"][0], raw["metrics"][-1]
    goods = {
        "name": "dim_good",
        "reference": True,
        "columns": [{"name": "good_id", "type": "id"}, {"name": "price", "type": "static.1.25,20.5,399.99"}],
    }
    orders: dict[str, Any] = {
        "name": "fct_order",
        **_driven(draw, first, 3),
        "columns": [
            {"name": "order_id", "type": "id"},
            *to_unit,
            at,
            {"name": "total", "type": "total.fct_line.amount"},
            {"name": "lines", "type": "count.fct_line"},
            {"name": "fees", "type": "range", "range": [0, 900]},
            {"name": "large", "type": "expression", "formula": "total > 100 and lines >= 2"},
        ],
    }
    lines: dict[str, Any] = {
        "name": "fct_line",
        "parent_table": "fct_order",
        "children_per_row": draw(st.sampled_from([2, [0, 3], [1, 4]])),
        "columns": [
            {"name": "line_id", "type": "id"},
            *to_unit,
            {"name": "good_id", "type": "ref.dim_good"},
            {"name": "quantity", "type": "range", "range": [1, 9]},
            {"name": "price", "type": "lookup.dim_good.price"},
            {"name": "amount", "type": "expression", "formula": "round(quantity * price, 2)"},
            {"name": "share", "type": "expression", "formula": "amount / whole"},
            {"name": "whole", "type": "lookup.fct_order.total"},
            {"name": "fee", "type": "part.fct_order.fees", "spread": draw(st.sampled_from([0, 0.7]))},
            {"name": "tax", "type": "part.fct_order.total", "weights": "quantity"},
        ],
    }
    returns: dict[str, Any] = {
        "name": "fct_return",
        **_driven(draw, last, 2),
        "columns": [
            {"name": "return_id", "type": "id"},
            *to_unit,
            at,
            {
                "name": "order_id",
                "type": "ref.fct_order",
                **({"within": draw(st.integers(0, 4))} if draw(st.booleans()) else {}),
            },
            {"name": "paid", "type": "lookup.fct_order.total"},
        ],
    }
    month = {
        "name": "fct_whole",
        "per": "period",
        "metrics": [metric["name"] for metric in raw["metrics"][:2]],
        "columns": [
            {"name": "date_key", "type": "ref.dim_date"},
            {"name": "shops", "type": "units"},
            {"name": "real", "type": f"true.{last['name']}"},
        ],
    }
    if any(column["name"] == "tier" for table in raw["dimensions"] for column in table["columns"]):
        returns["columns"].append({"name": "tier", "type": "lookup.dim_shop.tier"})
    for table in (orders, lines, returns, month):
        if draw(st.booleans()):
            table["cdc"] = True
    facts = [orders, lines, *(table for table in (returns, month) if draw(st.booleans()))]
    raw["dimensions"] = [*raw["dimensions"], goods]
    raw["facts"] = [*raw["facts"], *facts]
    if returns in facts and draw(st.booleans()):
        columns = [{"name": "part_id", "type": "id"}, *to_unit, {"name": "order_id", "type": "ref.fct_order"}]
        raw["facts"].append({"name": "fct_part", "parent_table": "fct_return", "columns": columns})
    for event in raw.get("events", ()):
        if event["trigger"] == "proportional" and draw(st.booleans()):
            event["columns"].append({"name": "line_id", "type": "ref.fct_line"})


def _driven(draw: st.DrawFn, metric: dict[str, Any], rows: int) -> dict[str, Any]:
    mean = max(abs(value) for value in Metric.model_validate(metric).means)
    return {
        "row_count_driver": metric["name"],
        "row_count_scale": draw(st.sampled_from([1, round(rows / max(mean, 1.0), 4)]))
        if mean < rows
        else round(rows / mean, 4),
    }
