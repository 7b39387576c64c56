"""A case: a value by another column of the row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from plotsim_core import ConfigError, Plan, create, explain, from_mapping, generate_tables, slices
from tests.laws.test_table_slices import part_rows

REASONS = {"type": "choice", "values": {"late": 3, "price": 1}}
COLUMNS: dict[str, Any] = {
    "order_id": "id",
    "status": {"type": "choice", "values": {"paid": 6, "open": 2, "cancelled": 2}},
    "is_vip": "= chance(0.25)",
    "reason": {
        "type": "case",
        "by": "status",
        "cases": {"cancelled": {"type": "choice", "values": {"late": 3, "price": 1}}},
    },
    "note": {"type": "case", "by": "status", "cases": {"open": None, "paid": "static.thanks", "else": "faker.sentence"}},
    "discount": {
        "type": "case",
        "by": "is_vip",
        "cases": {True: {"type": "range", "range": [5, 30]}, False: {"type": "range", "range": [0.0, 1.0]}},
    },
}


def plan(rows: int = 4000, **changes: Any) -> Plan:
    columns = {name: column for name, column in (COLUMNS | changes).items() if column is not None}
    return from_mapping({"about": "Orders", "tables": [{"name": "orders", "rows": rows, "columns": columns}]}, name="orders")


def test_each_row_has_what_its_case_says() -> None:
    rows = generate_tables(plan())["orders"]
    assert (rows["reason"].notna() == (rows["status"] == "cancelled")).all()
    reasons = rows["reason"].value_counts()
    share, count = reasons["late"] / reasons.sum(), reasons.sum()
    assert share == pytest.approx(0.75, abs=5 * np.sqrt(0.75 * 0.25 / count))
    assert (rows["note"].isna() == (rows["status"] == "open")).all()
    assert set(rows["note"][rows["status"] == "paid"]) == {"thanks"}
    assert rows["note"][rows["status"] == "cancelled"].nunique() > 200
    assert rows["discount"][rows["is_vip"]].between(5, 30).all()
    assert rows["discount"][~rows["is_vip"]].between(0, 1).all()


def test_truths_numbers_and_else_stand_side_by_side() -> None:
    """Keys of several types in one mapping, which has a digest as others have."""
    by_vip = {"type": "case", "by": "is_vip", "cases": {True: "static.yes", "else": "static.no"}}
    rows = generate_tables(plan(rows=200, told=by_vip))["orders"]
    assert (rows["told"] == rows["is_vip"].map({True: "yes", False: "no"})).all()
    assert plan(told=by_vip).digest != plan().digest


def test_parts_make_the_whole() -> None:
    whole = generate_tables(plan())["orders"]
    pd.testing.assert_frame_equal(part_rows(plan(), slices(plan(), ["orders"], 5)).to_pandas(), whole, check_dtype=False)


def test_a_case_more_or_another_moves_no_value_of_the_others() -> None:
    more = {"type": "case", "by": "status", "cases": {"open": "faker.word", **COLUMNS["reason"]["cases"]}}
    before, after = (generate_tables(plan(**changes))["orders"] for changes in ({}, {"reason": more}))
    is_cancelled = before["status"] == "cancelled"
    assert before["reason"][is_cancelled].equals(after["reason"][is_cancelled])
    assert after["reason"][after["status"] == "open"].notna().all()


PRICED: dict[str, Any] = {
    "type": "case",
    "by": "status",
    "cases": {
        "paid": "= round(amount * where(is_vip, 0.9, 1), 2)",
        "open": "= normal(amount, 2)",
        "else": {"type": "case", "by": "is_vip", "cases": {True: "= 0", False: {"type": "range", "range": [1, 3]}}},
    },
}
AMOUNT = {"type": "range", "range": [10, 99]}


def test_a_case_is_a_formula_that_draws_or_a_case_itself() -> None:
    rows = generate_tables(plan(amount=AMOUNT, price=PRICED))["orders"]
    is_paid, is_open, is_lost = (rows["status"] == word for word in ("paid", "open", "cancelled"))
    expected = (rows["amount"] * np.where(rows["is_vip"], 0.9, 1)).round(2)
    assert rows["price"][is_paid].to_numpy() == pytest.approx(expected[is_paid].to_numpy(), abs=0.006)
    noise = (rows["price"] - rows["amount"])[is_open]
    assert abs(noise.std() - 2) < 5 * 2 / np.sqrt(2 * is_open.sum())
    assert (rows["price"][is_lost & rows["is_vip"]] == 0).all()
    assert set(rows["price"][is_lost & ~rows["is_vip"]]) == {1, 2, 3}


def test_a_case_more_moves_no_draw_of_another() -> None:
    """Each case draws at an address of its own, in a formula too; and so does each inside another."""
    fewer = {**PRICED, "cases": {"open": PRICED["cases"]["open"]}}
    before, after = (generate_tables(plan(amount=AMOUNT, price=price))["orders"] for price in (fewer, PRICED))
    is_open = before["status"] == "open"
    assert before["price"][is_open].equals(after["price"][is_open])
    assert before["price"][~is_open].isna().all()
    twice = {"type": "case", "by": "status", "cases": {"open": "= normal(0, 1)", "paid": "= normal(0, 1)"}}
    rows = generate_tables(plan(first=twice, second=twice))["orders"]
    assert (rows["first"].dropna() != rows["second"].dropna()).all()


def test_parts_with_formulas_make_the_whole() -> None:
    drawn = plan(amount=AMOUNT, price=PRICED)
    whole = generate_tables(drawn)["orders"]
    pd.testing.assert_frame_equal(part_rows(drawn, slices(drawn, ["orders"], 7)).to_pandas(), whole, check_dtype=False)


def test_one_key_of_two_tables() -> None:
    """A key of the table that another column names, by references that are columns of their own."""
    target = {"type": "case", "by": "status", "cases": {"paid": "= post", "open": "= photo"}}
    tables = [
        {"name": "posts", "rows": 30, "columns": {"post_id": "id"}},
        {"name": "photos", "rows": 20, "columns": {"photo_id": "id"}},
        {
            "name": "orders",
            "rows": 500,
            "columns": {
                "order_id": "id",
                "status": COLUMNS["status"],
                "post": {"type": "ref.posts", "hidden": True},
                "photo": {"type": "ref.photos", "hidden": True},
                "target": target,
            },
        },
    ]
    results = generate_tables(from_mapping({"about": "Posts", "tables": tables}, name="posts"))
    rows = results["orders"]
    assert set(rows["target"][rows["status"] == "paid"]) == set(results["posts"]["post_id"])
    assert set(rows["target"][rows["status"] == "open"]) <= set(results["photos"]["photo_id"])
    assert rows["target"][rows["status"] == "open"].nunique() > 15
    assert rows["target"][rows["status"] == "cancelled"].isna().all()


def of_units() -> Plan:
    by_kind = {
        "type": "case",
        "by": "kind",
        "cases": {
            "a": "metric.visits",
            "b": {"type": "lag.visits", "periods": 2},
            "c": "lookup.shops.size",
            "d": "trajectory",
            "e": "= visits * 100 + poisson(visits)",
        },
    }
    return create(
        about="Shops",
        unit="shop",
        window={"start": "2024-01", "end": "2024-12", "every": "month"},
        segments=[{"name": "all", "count": 60, "archetype": "growth"}],
        metrics=[{"name": "visits", "type": "count", "polarity": "positive", "mean": [4, 40]}],
        tables=[
            {"name": "shops", "per": "shop", "columns": {"shop_id": "id", "size": {"type": "range", "range": [1000, 2000]}}},
            {
                "name": "months",
                "per": ["shop", "period"],
                "columns": {
                    "shop_id": "ref.shops",
                    "kind": {"type": "choice", "values": ["a", "b", "c", "d", "e"]},
                    "visits": "metric.visits",
                    "position": "trajectory",
                    "shown": by_kind,
                },
            },
        ],
    )


def test_cases_of_metrics_lookups_and_the_past() -> None:
    results = generate_tables(of_units())
    rows = results["months"].merge(results["shops"], on="shop_id").sort_values(["shop_id", "date_key"])
    earlier = rows.groupby("shop_id")["visits"].shift(2)
    expected = {"a": rows["visits"], "b": earlier, "c": rows["size"], "d": rows["position"]}
    for kind, values in expected.items():
        is_kind = rows["kind"] == kind
        assert rows["shown"][is_kind].to_numpy() == pytest.approx(values[is_kind].to_numpy(), nan_ok=True), kind
    is_drawn = rows["kind"] == "e"
    assert (rows["shown"][is_drawn] // 100 >= rows["visits"][is_drawn]).all()


def test_the_parts_of_facts_make_the_whole() -> None:
    whole = generate_tables(of_units())["months"]
    parts = part_rows(of_units(), slices(of_units(), ["months"], 5)).to_pandas()
    pd.testing.assert_frame_equal(parts, whole, check_dtype=False)


def test_a_case_is_explained_with_its_draws() -> None:
    drawn = plan(amount=AMOUNT, price=PRICED)
    rows = generate_tables(drawn)["orders"]
    row = rows[rows["status"] == "open"].iloc[0]
    case, draw, uniform, value = explain(drawn, "orders", row["order_id"], "", "price").steps
    assert (case.name, case.value, case.description) == ("case", "open", "of status 'open': expression")
    assert (draw.name, draw.description) == ("normal", f"drawn with mean {row['amount']}, sigma 2")
    assert draw.value == pytest.approx(norm.ppf(uniform.value, row["amount"], 2), abs=1e-6)
    assert value.value == pytest.approx(draw.value, abs=1e-4)
    lost = rows[(rows["status"] == "cancelled") & rows["is_vip"]].iloc[0]
    steps = explain(drawn, "orders", lost["order_id"], "", "price").steps
    assert [step.value for step in steps if step.name == "case"] == ["else", "true"]
    none = explain(drawn, "orders", row["order_id"], "", "reason").steps[0]
    assert (none.value, none.description) == (None, "none is for status 'open'")


NESTED: dict[str, Any] = {"type": "choice", "values": ["a", "b"]}
for _ in range(5):
    NESTED = {"type": "case", "by": "is_vip", "cases": {True: NESTED}}


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ({"by": "stauts"}, "by: orders has no column 'stauts'.*did you mean 'status'"),
        ({"cases": {"canceled": "faker.word"}}, "cases.canceled: status is never 'canceled'.*did you mean 'cancelled'"),
        ({"cases": {"paid": "faker.wrod"}}, "cases.paid.*Faker has no provider 'wrod'"),
        ({"cases": {"paid": {"type": "range", "rnage": [1, 2]}}}, r"cases.paid.rnage: unknown key.*did you mean 'range'"),
        ({"cases": {"paid": "= stauts"}}, "cases.paid: orders has no column 'stauts'.*did you mean 'status'"),
        ({"cases": {"paid": "= 1 +"}}, "cases.paid: cannot read"),
        ({"cases": {"paid": "= reason"}}, "cases.paid: orders.reason depends on itself"),
        ({"by": "reason"}, "by: orders has no column 'reason'"),
        ({"by": "echo"}, "by: orders.reason depends on itself"),
        ({"cases": {"paid": "metric.sales"}}, "cases.paid: 'metric' has no place in orders"),
        ({"cases": {"paid": "lookup.goods.price"}}, "cases.paid: no table is named 'goods'"),
        (
            {"cases": {"paid": {"type": "choice", "values": ["a"], "nulls": {"where": "stauts == 'a'"}}}},
            "nulls.where: orders",
        ),
        ({"cases": {"paid": {"type": "choice", "values": ["a"], "nulls": {"where": "status"}}}}, "nulls.where: expected a"),
        ({"cases": {"paid": {"type": "case", "by": "is_vpi", "cases": {True: "static.x"}}}}, "cases.paid.by.*'is_vip'"),
        ({"cases": {"paid": NESTED}}, "expected at most 4 cases inside each other, found 6"),
        ({"cases": {"paid": "ref.orders"}}, "'ref' has no place in a case.*a column of its own"),
        ({"cases": {"paid": "id"}}, "'id' has no place in a case.*one of bucket, case, choice"),
        ({"cases": {"paid": None}}, "expected a value in one of them"),
        ({"cases": {"paid": {"type": "range", "range": [1, 2]}, "open": "faker.word"}}, "expected values of one type"),
        ({"cases": {"paid": 3}}, "cases.paid: expected a column type, or a type with options, found 3"),
        (
            {"cases": {"paid": {"type": "range", "range": [1, 9], "hidden": True}}},
            "cases.paid.hidden: has no place in a case",
        ),
        ({"cases": {"paid": {"type": "range", "range": [1.0, 9], "decimals": 2}}}, "cases.paid.decimals.*beside `cases`"),
        ({"cases": {"paid": {"type": "range", "range": [1, 9], "unique": True}}}, "cases.paid.unique: has no place"),
        ({"cases": {}}, "expected values, each with what rows of it have"),
    ],
)
def test_what_cannot_be_meant_is_refused(column: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=f"(?s){message}"):
        plan(reason=COLUMNS["reason"] | column, echo="= reason")
