"""A case: a value by another column of the row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from plotsim_core import ConfigError, Plan, from_mapping, generate_tables, slices
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


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ({"by": "stauts"}, "by: orders has no column 'stauts'.*did you mean 'status'"),
        ({"cases": {"canceled": "faker.word"}}, "cases.canceled: status is never 'canceled'.*did you mean 'cancelled'"),
        ({"cases": {"paid": "faker.wrod"}}, "cases.paid.*Faker has no provider 'wrod'"),
        ({"cases": {"paid": {"type": "range", "rnage": [1, 2]}}}, r"cases.paid.rnage: unknown key.*did you mean 'range'"),
        ({"cases": {"paid": "= 1 + 1"}}, "no column type is named|'expression' has no place in a case"),
        ({"cases": {"paid": "ref.orders"}}, "'ref' has no place in a case.*one of choice, faker"),
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
        plan(reason=COLUMNS["reason"] | column)
