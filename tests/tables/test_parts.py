"""Parts of a number of the row that rows belong to: they add up to it, equal, by chance or in proportion to a column."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy import stats

from plotsim_core import Plan, explain, from_mapping, generate_tables, slices, write_tables
from plotsim_core.columns.part import whole_weights
from plotsim_core.validation.report import check_directory, check_tables
from tests.laws.test_table_slices import part_rows

RAW: dict[str, Any] = {
    "about": "Orders and how they are paid",
    "window": {"start": "2024-01-01", "end": "2024-03-31", "every": "day"},
    "tables": [
        {
            "name": "orders",
            "rows": 3000,
            "columns": {
                "order_id": "id",
                "at": "timestamp",
                "total": {"type": "= where(chance(0.1), null, lognormal(80, 0.8) - 30)", "decimals": 2},
                "minutes": "= round(uniform(0, 600))",
                "rate": "= round(uniform(0, 9), 3)",
                "pieces": "= poisson(2)",
                "fee": {"type": "= uniform(1, 90)", "as": "decimal(8, 2)"},
                "due": {"type": "= uniform(9000, 99000)", "decimals": 2},
            },
        },
        {
            "name": "payments",
            "per": "orders",
            "rows": [0, 6],
            "columns": {
                "number": "sequence",
                "size": "= where(chance(0.2), null, poisson(2) - 1)",
                "amount": "part.orders.total",
                "equal": {"type": "part.orders.due", "spread": 0},
                "minutes": {"type": "part.orders.minutes", "spread": 1.5},
                "rate": {"type": "part.orders.rate", "weights": "size"},
                "pieces": {"type": "part.orders.pieces", "spread": 0},
                "fee": {"type": "part.orders.fee", "spread": 1.0},
                "wide": {"type": "part.orders.due", "spread": 0.5},
            },
        },
    ],
}
PARTS = {"amount": "total", "equal": "due", "minutes": "minutes", "rate": "rate", "wide": "due", "fee": "fee"}


def plan(**columns: Any) -> Plan:
    """The plan with other columns of payments."""
    orders, payments = RAW["tables"]
    payments = {**payments, "columns": {**payments["columns"], **columns}}
    return from_mapping({**RAW, "tables": [orders, payments]}, name="orders")


@pytest.fixture(scope="module")
def rows() -> dict[str, pd.DataFrame]:
    return generate_tables(plan())


def test_a_unit_falls_to_each_row_as_likely(rows: dict[str, pd.DataFrame]) -> None:
    """Of few units each row has the mean of its exact share, whatever its place; with weights too."""
    pairs = joined(rows)
    counts = pairs.groupby("order_id")["number"].transform("max")
    for number in (1, 2, 4):
        four = pairs[(counts == 4) & (pairs["number"] == number)]
        errors = four["pieces"] - four["all_pieces"] / 4
        assert len(four) > 300 and abs(errors.mean()) < 4 * 0.5 / np.sqrt(len(four))


def joined(rows: dict[str, pd.DataFrame]) -> pd.DataFrame:
    orders = rows["orders"].rename(
        columns={"minutes": "all_minutes", "rate": "all_rate", "pieces": "all_pieces", "fee": "all_fee"}
    )
    return rows["payments"].merge(orders, on="order_id")


@pytest.mark.parametrize(("part", "whole"), PARTS.items())
def test_parts_add_up_to_the_last_decimal(part: str, whole: str, rows: dict[str, pd.DataFrame]) -> None:
    orders = rows["orders"].set_index("order_id")[whole]
    for order_id, parts in rows["payments"].groupby("order_id")[part]:
        number = orders[order_id]
        assert parts.isna().all() if pd.isna(number) else sum(map(exact, parts)) == exact(number)


def exact(number: Any) -> Decimal:
    """Return a number with three decimals, as it is written."""
    return Decimal(number) if isinstance(number, Decimal) else Decimal(f"{number:.3f}")


def test_equal_parts_differ_by_the_last_decimal(rows: dict[str, pd.DataFrame]) -> None:
    spans = rows["payments"].groupby("order_id")["equal"].agg(lambda parts: max(parts) - min(parts))
    assert set(spans) == {Decimal("0.00"), Decimal("0.01")}


def test_parts_are_never_on_the_other_side_of_zero(rows: dict[str, pd.DataFrame]) -> None:
    pairs = joined(rows)
    amounts = pairs[pairs["total"].notna()]
    assert (amounts["total"].astype(float) < 0).any()
    assert (np.sign(amounts["amount"].astype(float)) * np.sign(amounts["total"].astype(float)) >= 0).all()


def test_parts_follow_the_weights_of_a_column(rows: dict[str, pd.DataFrame]) -> None:
    """In proportion, but for the rounding; null and below zero are none, and where there are none parts are equal."""
    pairs = joined(rows)
    weights = pairs["size"].fillna(0).clip(lower=0).astype(float)
    sums = weights.groupby(pairs["order_id"]).transform("sum")
    counts = weights.groupby(pairs["order_id"]).transform("size")
    expected = np.where(sums > 0, weights / sums.where(sums > 0, 1), 1 / counts) * pairs["all_rate"]
    assert np.abs(pairs["rate"] - expected).max() < 0.00101
    assert (sums == 0).any() and (weights == 0).any()


def test_shares_of_two_are_a_beta_variable(rows: dict[str, pd.DataFrame]) -> None:
    """The share of a gamma variable of shape 1 / spread² in two of them."""
    payments = rows["payments"]
    pairs = joined({**rows, "payments": payments[payments.groupby("order_id")["number"].transform("max") == 2]})
    first = pairs[pairs["number"] == 1]
    shares = first["wide"].astype(float) / first["due"].astype(float)
    assert len(shares) > 300
    assert stats.kstest(shares, stats.beta(4, 4).cdf).pvalue > 0.001


def test_parts_make_the_whole(rows: dict[str, pd.DataFrame]) -> None:
    parts = part_rows(plan(), slices(plan(), ["payments"], 7)).to_pandas()
    pd.testing.assert_frame_equal(parts, rows["payments"], check_dtype=False)


def test_weights_are_whole_numbers_of_their_owner_alone() -> None:
    owner = np.array([0, 0, 2, 3, 3])
    weights = whole_weights(np.array([1.0, 3.0, 5e300, 0.0, 0.0]), owner, 4)
    assert weights.tolist() == [round(2**30 / 3), 2**30, 2**30, 1, 1]


def test_the_report_adds_them_up(tmp_path: Path) -> None:
    made_plan = plan()
    write_tables(made_plan, tmp_path, format="parquet")
    report = check_directory(made_plan, tmp_path, "parquet", made_plan.first, made_plan.stop_or_span)
    assert report.score == 100, report.text()
    judged = {f.subject for f in report.findings_of("relations_hold") if f.judged}
    assert {f"payments.{part}" for part in PARTS} <= judged
    tables = {path.stem: pa.table(pd.read_parquet(path)) for path in tmp_path.glob("*.parquet")}
    payments = tables["payments"].to_pandas()
    payments.loc[payments.index[:1], "minutes"] += 1
    broken = {**tables, "payments": pa.Table.from_pandas(payments, preserve_index=False)}
    report = check_tables(made_plan, broken, made_plan.first, made_plan.stop_or_span)
    messages = {f.subject: f.message for f in report.findings_of("relations_hold") if not f.passed}
    assert list(messages) == ["payments.minutes"] and messages["payments.minutes"].startswith("1 of"), messages


def test_explain_shows_the_share(rows: dict[str, pd.DataFrame]) -> None:
    payment = joined(rows).dropna(subset=["total"]).iloc[5]
    key, period = f"{payment['order_id']},{payment['number']}", f"{payment['at']:%Y-%m-%d}"
    steps = {step.name: step for step in explain(plan(), "payments", key, period, "wide").steps}
    assert steps["due"].value == payment["due"]
    assert steps["share"].value * float(payment["due"]) == pytest.approx(float(payment["wide"]), abs=0.0101)
