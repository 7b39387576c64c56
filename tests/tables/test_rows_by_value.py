"""How many rows there are by a column of what they belong to: `rows: { by: tier, cases: { gold: [3, 8], else: 1 } }`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from plotsim_core import ConfigError, Plan, from_mapping, generate_tables, sizes, slices, write_tables
from plotsim_core.validation.report import check_directory
from tests.laws.test_table_slices import part_rows

RAW: dict[str, Any] = {
    "about": "Customers and what they do",
    "unit": "customer",
    "window": {"start": "2024-01", "end": "2024-12", "every": "month"},
    "segments": [{"name": "all", "count": 300, "archetype": "growth"}],
    "metrics": [{"name": "visits", "type": "count", "polarity": "positive", "mean": [2, 9]}],
    "tables": [
        {
            "name": "customers",
            "per": "customer",
            "columns": {"customer_id": "id", "tier": {"type": "choice", "values": {"gold": 1, "basic": 2, "free": 1}}},
        },
        {
            "name": "cards",
            "per": "customer",
            "rows": {"by": "tier", "cases": {"gold": [3, 8], "basic": 1, "else": 2}},
            "columns": {"card_id": "id", "kind": {"type": "choice", "values": ["x", "y"]}},
        },
        {
            "name": "chips",
            "per": "cards",
            "rows": {"by": "kind", "cases": {"x": {"poisson": 2, "between": [0, 9]}, "y": 4}},
            "columns": {"chip_id": "id"},
        },
        {
            "name": "orders",
            "per": ["customer", "period"],
            "rows": {"by": "tier", "cases": {"gold": {"poisson": "visits"}, "basic": [0, 2], "free": None}},
            "columns": {"order_id": "id", "is_big": "= chance(0.4)"},
        },
        {
            "name": "lines",
            "per": "orders",
            "rows": {"by": "is_big", "cases": {True: [10, 20], False: 1}},
            "columns": {"line": "sequence"},
        },
        {"name": "jobs", "rows": 300, "columns": {"job_id": "id", "size": {"type": "choice", "values": [1, 2]}}},
        {
            "name": "parts",
            "per": "jobs",
            "rows": {"by": "size", "cases": {1: [1, 3], 2: 9}},
            "columns": {"part_id": "id"},
        },
    ],
}
KEYS = {"cards": ("customers", "customer_id", "tier"), "chips": ("cards", "card_id", "kind")}
KEYS |= {"lines": ("orders", "order_id", "is_big"), "parts": ("jobs", "job_id", "size")}
BOUNDS: dict[str, dict[Any, tuple[int, int]]] = {
    "cards": {"gold": (3, 8), "basic": (1, 1), "free": (2, 2)},
    "chips": {"x": (0, 9), "y": (4, 4)},
    "lines": {True: (10, 20), False: (1, 1)},
    "parts": {1: (1, 3), 2: (9, 9)},
}


def plan(**rows: Any) -> Plan:
    """The plan with other rows of some tables."""
    tables = [table | ({"rows": rows[table["name"]]} if table["name"] in rows else {}) for table in RAW["tables"]]
    return from_mapping({**RAW, "tables": tables}, name="customers")


@pytest.fixture(scope="module")
def rows() -> dict[str, pd.DataFrame]:
    return generate_tables(plan())


@pytest.mark.parametrize("table", KEYS)
def test_each_parent_has_as_many_as_its_value_says(table: str, rows: dict[str, pd.DataFrame]) -> None:
    parent, key, deciding = KEYS[table]
    parents = rows[parent].set_index(key)
    counts = rows[table].groupby(key).size().reindex(parents.index, fill_value=0)
    for value, (least, most) in BOUNDS[table].items():
        numbers = counts[parents[deciding] == value]
        assert (numbers.min(), numbers.max()) == (least, most) or (numbers.between(least, most).all() and most == 9), value
        assert least == most or numbers.nunique() > 2, value


def test_rows_of_a_period_follow_a_column_of_the_unit(rows: dict[str, pd.DataFrame]) -> None:
    """Those of some follow the metric, those of others none, and there are none of the rest."""
    tiers = rows["customers"].set_index("customer_id")["tier"]
    orders = rows["orders"].assign(tier=rows["orders"]["customer_id"].map(tiers))
    per_month = orders.groupby("tier").size() / (12 * tiers.value_counts())
    assert per_month["basic"] == pytest.approx(1, abs=4 * np.sqrt(2 / 3 / (12 * (tiers == "basic").sum())))
    assert 3 < per_month["gold"] < 8
    assert "free" not in set(orders["tier"])
    assert orders[orders["tier"] == "basic"].groupby(["customer_id", "date_key"]).size().max() == 2


@pytest.mark.parametrize("table", ["cards", "chips", "orders", "lines", "parts"])
def test_parts_make_the_whole(table: str, rows: dict[str, pd.DataFrame]) -> None:
    parts = part_rows(plan(), slices(plan(), [table], 5)).to_pandas()
    pd.testing.assert_frame_equal(parts, rows[table], check_dtype=False)


def test_another_number_of_one_value_moves_no_row_of_the_others(rows: dict[str, pd.DataFrame]) -> None:
    after = generate_tables(plan(cards={"by": "tier", "cases": {"gold": [3, 8], "basic": 6}}))
    golden = set(rows["customers"]["customer_id"][rows["customers"]["tier"] == "gold"])
    before, cards = (frame[frame["customer_id"].isin(golden)] for frame in (rows["cards"], after["cards"]))
    pd.testing.assert_frame_equal(before.reset_index(drop=True), cards.reset_index(drop=True))
    free = set(rows["customers"]["customer_id"][rows["customers"]["tier"] == "free"])
    assert not after["cards"]["customer_id"].isin(free).any()


def test_sizes_are_told_beforehand(rows: dict[str, pd.DataFrame]) -> None:
    for size in sizes(plan()):
        if size.table in rows:
            assert size.rows == pytest.approx(len(rows[size.table]), rel=0.03), size.table


def test_what_is_written_is_sound(tmp_path: Path) -> None:
    made_plan = plan()
    write_tables(made_plan, tmp_path, format="parquet")
    assert made_plan.stop is not None
    report = check_directory(made_plan, tmp_path, "parquet", made_plan.first, made_plan.stop)
    assert report.score == 100, report.text()


@pytest.mark.parametrize(
    ("table", "count", "message"),
    [
        ("cards", {"by": "teir", "cases": {"gold": 1}}, "rows.by: customers has no column 'teir'.*did you mean 'tier'"),
        ("orders", {"by": "teir", "cases": {"gold": 1}}, "rows.by: customers has no column 'teir'.*did you mean 'tier'"),
        ("lines", {"by": "big", "cases": {"x": 1}}, "rows.by: orders has no column 'big'"),
        ("cards", {"by": "tier", "cases": {"glod": 1}}, "rows.cases.glod: customers.tier is never 'glod'.*mean 'gold'"),
        ("cards", {"by": "tier", "cases": {"gold": "many"}}, "rows.cases.gold: no metric is named 'many'"),
        ("cards", {"by": "tier", "cases": {"gold": [3, 1]}}, r"rows.cases.gold: expected \[least, most\]"),
        ("cards", {"by": "tier", "cases": {"gold": {"poison": 3}}}, "rows.cases.gold.poison: .*did you mean 'poisson'"),
        ("cards", {"by": "tier", "cases": {"gold": {"exact": 3}}}, "rows.cases.gold: expected how many rows each"),
        ("cards", {"by": "tier", "cases": {"gold": {"by": "tier", "cases": {"gold": 1}}}}, "cases.gold: expected how many"),
        ("cards", {"by": "tier", "cases": {"gold": {"segments": {"all": 3}}}}, "rows.cases.gold: expected how many rows"),
        ("cards", {"by": "tier", "cases": {"gold": None, "basic": 0}}, "rows.cases: expected a number of rows in one"),
        ("cards", {"by": "tier", "cases": {}}, "rows.cases: expected values, each with how many rows it has"),
        ("cards", {"by": "tier"}, "rows.cases: is missing"),
        ("jobs", {"by": "tier", "cases": {"gold": 1}}, "rows"),
    ],
)
def test_what_cannot_be_meant_is_refused(table: str, count: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=f"(?s){message}"):
        plan(**{table: count})


def test_a_column_that_changes_decides_no_number() -> None:
    tier = {"type": "scd", "tracks": "visits", "tiers": ["gold", "basic", "free"], "at": [0.3, 0.7]}
    customers = RAW["tables"][0] | {"columns": {"customer_id": "id", "tier": tier}}
    with pytest.raises(ConfigError, match=r"rows\.by: customers\.tier changes with time"):
        from_mapping({**RAW, "tables": [customers, RAW["tables"][3]]}, name="customers")
