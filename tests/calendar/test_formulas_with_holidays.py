"""Working days by the calendar of the dataset, wherever a formula stands."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from plotsim_core import from_mapping, generate_tables, validate

RAW: dict[str, Any] = {
    "about": "Orders",
    "unit": "customer",
    "seed": 1,
    "window": ["2024-01", "2024-12", "month"],
    "calendar": {"holidays": [{"name": "day off", "date": "2024-05-01"}]},
    "metrics": [{"name": "spend", "type": "amount", "polarity": "positive", "range": [5, 500]}],
    "segments": [{"name": "all", "count": 5, "archetype": "growth"}],
}
DUE = "date('2024-04-30')"
AFTER_THE_HOLIDAY = f"add_working_days({DUE}, 1) == date('2024-05-02')"
"""Without the holiday it is the first of May."""


def rows_with(column: dict[str, Any]) -> pd.DataFrame:
    """Return the rows of orders with a column."""
    columns = {"order_id": "id", "kind": "static.a", "number": {"type": "choice", "values": [1, 2, 3, 4]}, "after": column}
    plan = from_mapping({**RAW, "tables": [{"name": "orders", "rows": 200, "columns": columns}]}, name="orders")
    return generate_tables(plan)["orders"]


@pytest.mark.parametrize(
    "column",
    [
        {"type": "expression", "formula": AFTER_THE_HOLIDAY},
        {"type": "case", "by": "kind", "cases": {"a": f"= {AFTER_THE_HOLIDAY}"}},
    ],
    ids=["formula", "case"],
)
def test_a_column_knows_holidays(column: dict[str, Any]) -> None:
    assert rows_with(column)["after"].all()


def test_a_label_knows_holidays() -> None:
    """Otherwise the odds of all rows would be the other way round."""
    rows = rows_with({"type": "label", "odds": f"where({AFTER_THE_HOLIDAY}, 8, -8) * number", "rate": 0.5})
    assert rows.groupby("number")["after"].mean().is_monotonic_increasing


def test_a_rule_knows_holidays() -> None:
    """It reads the calendar, so the calendar has an effect though nothing else shows it."""
    rule = {"name": "due", "formula": f"{AFTER_THE_HOLIDAY} and order_id != ''"}
    table = {"name": "orders", "rows": 20, "columns": {"order_id": "id"}, "checks": [rule]}
    plan = from_mapping({**RAW, "tables": [table]}, name="orders")
    assert "ok   due: 1 of 1" in validate(plan, generate_tables(plan)).text()
