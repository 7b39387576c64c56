"""Facts that fit together pass; every way of tearing them apart is caught where it is."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pytest
import yaml

from plotsim_core import Plan, api
from plotsim_core.validation.report import Report, check_store
from plotsim_core.validation.store import find_store
from tests.marks import slow_but

CONFIG = yaml.safe_load(
    """
about: Orders
unit: customer
seed: 3
window: [2024-01, 2024-12, month]
metrics:
  - { name: orders, type: count, polarity: positive, mean: [2, 8] }
  - { name: trouble, type: score, polarity: positive }
segments:
  - { name: some, count: 40, archetype: growth, attributes: { payment: [card, cash] } }
  - name: late
    count: 20
    archetype: decline
    attributes: { payment: [card] }
    arrival: { kind: uniform, start: 1, end: 8 }
dimensions:
  - name: dim_customer
    per: unit
    columns:
      - { name: customer_id, type: id }
      - { name: tier, type: scd, tracks: orders, tiers: [low, high], at: [0.5] }
      - { name: rebate, type: expression, formula: "0.1 if tier == 'high' else 0.0" }
      - { name: level, type: bucket, labels: [few, many] }
      - { name: payment, type: pool.payment }
      - { name: payment_id, type: ref.dim_payment, matching: { payment: payment } }
  - name: dim_payment
    reference: true
    columns: [{ name: payment_id, type: id }, { name: payment, type: "static.cash,card,barter,card" }]
  - { name: dim_tier, reference: true, columns: [{ name: tier_id, type: id }, { name: tier, type: "static.high,low" }] }
  - name: dim_product
    reference: true
    columns: [{ name: product_id, type: id }, { name: price, type: "static.1.50,20.00,30.25" }]
facts:
  - name: fct_orders
    row_count_driver: orders
    cdc: true
    columns:
      - { name: order_id, type: id }
      - { name: customer_id, type: ref.dim_customer }
      - { name: order_date, type: ref.dim_date }
      - { name: at, type: timestamp }
      - { name: tier, type: lookup.dim_customer.tier }
      - { name: rebate, type: lookup.dim_customer.rebate }
      - { name: level, type: lookup.dim_customer.level }
      - { name: total, type: total.fct_lines.amount }
      - { name: lines, type: count.fct_lines }
      - { name: payment_id, type: ref.dim_payment, matching: { payment: payment } }
      - { name: tier_id, type: ref.dim_tier, matching: { tier: tier } }
  - name: fct_lines
    parent_table: fct_orders
    children_per_row: [0, 4]
    columns:
      - { name: line_id, type: id }
      - { name: customer_id, type: ref.dim_customer }
      - { name: order_date, type: ref.dim_date }
      - { name: product_id, type: ref.dim_product }
      - { name: quantity, type: range, range: [1, 9] }
      - { name: unit_price, type: lookup.dim_product.price }
      - { name: amount, type: expression, formula: "round(quantity * unit_price, 2)" }
  - name: fct_returns
    row_count_driver: trouble
    columns:
      - { name: return_id, type: id }
      - { name: customer_id, type: ref.dim_customer }
      - { name: date_key, type: ref.dim_date }
      - { name: order_id, type: ref.fct_orders, within: 2 }
      - { name: at, type: timestamp }
      - { name: ordered_at, type: lookup.fct_orders.at }
"""
)
TORN = {
    "a line of another day than its order": (
        "fct_lines.order_id",
        "fct_lines",
        "UPDATE t SET order_date = 20240101 WHERE rowid = (SELECT max(rowid) FROM t)",
    ),
    "a line of another customer than its order": (
        "fct_lines.order_id",
        "fct_lines",
        "UPDATE t SET customer_id = (SELECT max(customer_id) FROM t) WHERE rowid < 9",
    ),
    "a return before its order": (
        "fct_returns.order_id",
        "fct_returns",
        'UPDATE t SET "at" = date_trunc(\'month\', "at") WHERE rowid % 5 = 0',
    ),
    "a return of another customer's order": (
        "fct_returns.order_id",
        "fct_returns",
        "UPDATE t SET order_id = (SELECT min(order_id) FROM t)",
    ),
    "a total that is not the sum": ("fct_orders.total", "fct_orders", "UPDATE t SET total = total + 0.01 WHERE rowid = 5"),
    "a lost line": ("fct_orders.lines", "fct_lines", "DELETE FROM t WHERE rowid = 5"),
    "no line at all": ("fct_orders.total", "fct_lines", "DELETE FROM t"),
    "a price that is not the product's": (
        "fct_lines.unit_price",
        "fct_lines",
        "UPDATE t SET unit_price = unit_price + 1 WHERE rowid = 5",
    ),
    "a tier of another time": (
        "fct_orders.tier",
        "fct_orders",
        "UPDATE t SET tier = CASE tier WHEN 'low' THEN 'high' ELSE 'low' END WHERE rowid = 5",
    ),
    "a rebate of another time": ("fct_orders.rebate", "fct_orders", "UPDATE t SET rebate = 0.1 - rebate WHERE rowid = 5"),
    "an order paid as its customer does not pay": (
        "fct_orders.payment_id",
        "fct_orders",
        "UPDATE t SET payment_id = 'PAY-003' WHERE rowid = 5",
    ),
    "an order that is not paid": ("fct_orders.payment_id", "fct_orders", "UPDATE t SET payment_id = NULL WHERE rowid = 5"),
    "a customer who does not pay as it says beside": (
        "dim_customer.payment_id",
        "dim_customer",
        "UPDATE t SET payment_id = 'PAY-003' WHERE rowid = 5",
    ),
    "a reference to the tier of another time": (
        "fct_orders.tier_id",
        "fct_orders",
        "UPDATE t SET tier_id = CASE tier_id WHEN 'TIE-001' THEN 'TIE-002' ELSE 'TIE-001' END WHERE rowid = 5",
    ),
    "a moment that is not the order's": (
        "fct_returns.ordered_at",
        "fct_returns",
        "UPDATE t SET ordered_at = ordered_at - INTERVAL 1 DAY WHERE rowid = 5",
    ),
}
"""A fault: the subject that has to name it, the table it is in, and the SQL that makes it."""


@pytest.fixture(scope="module")
def plan() -> Plan:
    """The plan of orders with lines and returns."""
    return api.from_mapping(CONFIG, name="orders")


@pytest.fixture(scope="module")
def written(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with its Parquet files."""
    directory = tmp_path_factory.mktemp("written")
    api.write_tables(plan, directory, format="parquet")
    return directory


def _report(plan: Plan, directory: Path) -> Report:
    with find_store(plan, directory) as store:
        return check_store(store)


def test_facts_that_fit_together_pass(plan: Plan, written: Path) -> None:
    report = _report(plan, written)
    assert not report.failed, report.text()
    assert {subject for subject, _, _ in TORN.values()} <= {
        f.subject.split(" >")[0] for f in report.findings_of("relations_hold")
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", slow_but(TORN, *list(TORN)[:3]))
def test_facts_torn_apart_are_caught(name: str, plan: Plan, written: Path, tmp_path: Path) -> None:
    subject, table, sql = TORN[name]
    directory = tmp_path / "torn"
    shutil.copytree(written, directory)
    file = directory / f"{table}.parquet"
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE t AS FROM read_parquet('{file}')")
        connection.execute(sql)
        connection.execute(f"COPY t TO '{file}' (FORMAT parquet)")
    wrong = [finding.subject for finding in _report(plan, directory).findings_of("relations_hold") if not finding.passed]
    assert any(actual.startswith(subject) for actual in wrong), wrong


def test_a_store_that_lacks_the_orders_before_is_not_blamed_for_it(plan: Plan, tmp_path: Path) -> None:
    """Returns that refer to orders of periods that are not stored are not judged, those of the others are."""
    last = plan.first + 11
    api.write_tables(plan, tmp_path, format="parquet", periods="2024-12..2024-12")
    with find_store(plan, tmp_path, last, last + 1) as store:
        report = check_store(store)
    values = [f for f in report.findings_of("references_resolve") if f.subject.startswith("fct_returns.order_id")]
    assert len(values) == 1
    assert values[0].passed, values[0].message


@pytest.mark.slow
def test_a_day_on_which_nothing_was_ordered_hides_no_lost_order(tmp_path: Path) -> None:
    """A few orders a day leave some days empty; the returns of the days after them are judged all the same."""
    window = {"start": "2024-01-01", "end": "2024-03-31", "every": "day"}
    facts = [{**fact, **({"row_count_scale": 0.01} if fact["name"] == "fct_orders" else {})} for fact in CONFIG["facts"]]
    plan = api.from_mapping({**CONFIG, "window": window, "facts": facts}, name="orders")
    api.write_tables(plan, tmp_path, format="parquet")
    file = tmp_path / "fct_returns.parquet"
    with duckdb.connect() as connection:
        days = connection.sql(f"SELECT count(DISTINCT order_date) FROM '{tmp_path}/fct_orders.parquet'").fetchall()[0][0]
        connection.execute(f"CREATE TABLE t AS FROM '{file}'")
        connection.execute("UPDATE t SET order_id = 'nobody' WHERE date_key BETWEEN 20240110 AND 20240320")
        connection.execute(f"COPY t TO '{file}' (FORMAT parquet)")
        count = connection.sql("SELECT count(*) FROM t WHERE order_id = 'nobody'").fetchall()[0][0]
    assert days < 90, "some days are empty"
    (values,) = [
        f for f in _report(plan, tmp_path).findings_of("references_resolve") if f.subject.startswith("fct_returns.order_id")
    ]
    assert f"{count} of" in values.message


@pytest.mark.slow
def test_hours_are_not_judged_of_rows_that_need_something_before_them(tmp_path: Path) -> None:
    """A return in the morning seldom finds an order of its own day, so those that happen are later than the rhythm says."""
    facts = [
        {**fact, **({"columns": _today(fact["columns"])} if fact["name"] == "fct_returns" else {})}
        for fact in CONFIG["facts"]
    ]
    window = {"start": "2024-01-01", "end": "2024-03-31", "every": "day"}
    segments = [{"name": "some", "count": 100, "archetype": "growth", "attributes": {"payment": ["card"]}}]
    raw = {**CONFIG, "window": window, "segments": segments, "facts": facts, "rhythm": {"hours": "daytime"}}
    plan = api.from_mapping(raw, name="orders")
    api.write_tables(plan, tmp_path, format="parquet")
    assert [
        finding.message for finding in _report(plan, tmp_path).findings_of("rhythm_as_declared") if not finding.passed
    ] == []


def _today(columns: list[dict[str, object]]) -> list[dict[str, object]]:
    return [{**column, **({"within": 0} if column["name"] == "order_id" else {})} for column in columns]
