"""Declared rules: each kind against a computation of its own, every word of each, and what they are not."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from plotsim_core import ConfigError, Plan, from_mapping, generate_tables
from plotsim_core.config.data_rule import BUILT_IN_NAMES, DATA_RULES, DataRule
from plotsim_core.config.pydantic_errors import words_of
from plotsim_core.validation.check import CHECKS, Finding
from plotsim_core.validation.declared import declared_checks
from plotsim_core.validation.report import Report, check_tables
from plotsim_core.validation.store import tables_store
from plotsim_pipeline.assets.report import NOTHING_BROKEN
from plotsim_pipeline.checks.evaluations import FRESH, IN_STORE
from plotsim_pipeline.checks.staleness import CURRENT

BASE: dict[str, Any] = {
    "about": "Orders",
    "window": {"start": "2024-01", "end": "2024-06", "every": "month"},
    "tables": [
        {"name": "countries", "columns": {"code": {"type": "id", "values": ["DE", "FR", "IT"]}, "vat": "static.1"}},
        {
            "name": "orders",
            "rows": 400,
            "columns": {
                "order_id": "id",
                "ordered_at": "timestamp",
                "paid_at": "= ordered_at + hours(uniform(-9, 90))",
                "country": "ref.countries",
                "vat": "lookup.countries.vat",
                "status": {"type": "choice", "values": ["paid", "returned"]},
                "price": {"type": "range", "range": [2.0, 90.0], "decimals": 2},
                "rebate": "= where(chance(0.3), round(price * 0.1, 2), null)",
                "size": "= poisson(3)",
                "net": "total.lines.amount",
                "line_count": "count.lines",
            },
        },
        {
            "name": "lines",
            "per": "orders",
            "rows": [0, 3],
            "columns": {
                "line_id": "id",
                "order_id": "ref.orders",
                "status": {"type": "choice", "values": ["paid", "returned"]},
                "amount": "= round(uniform(5, 20), 2)",
            },
        },
        {
            "name": "parcels",
            "rows": 300,
            "columns": {
                "parcel_id": "id",
                "sent_at": "timestamp",
                "sent": "ref.orders",
                "back": "ref.orders",
                "status": {"type": "choice", "values": ["paid", "returned"]},
                "amount": "= round(uniform(5, 20), 2)",
            },
        },
    ],
}


def plan_with(*rules: Any, **sections: Any) -> Plan:
    """Return the plan of the base with rules, and with other sections."""
    return from_mapping({**copy.deepcopy(BASE), **sections, "checks": list(rules)}, name="orders")


def arrow_tables(plan: Plan) -> dict[str, pa.Table]:
    frames = generate_tables(plan)
    return {
        table.name: pa.Table.from_pandas(frames[table.name], preserve_index=False)
        .select([column.name for column in table.columns])
        .cast(pa.schema([(column.name, column.type) for column in table.columns]))
        for table in plan.tables
    }


@pytest.fixture(scope="module")
def tables() -> dict[str, pa.Table]:
    return arrow_tables(plan_with())


def report_of(rules: list[Any], tables: dict[str, pa.Table], stop: int | None = None) -> Report:
    plan = plan_with(*rules)
    return check_tables(plan, tables, plan.first, plan.stop_or_span if stop is None else stop)


def finding_of(rule: dict[str, Any], tables: dict[str, pa.Table]) -> Finding:
    """Return what is found of one rule."""
    plan = plan_with(rule)
    with tables_store(plan, tables, plan.first, plan.stop_or_span) as store:
        checks = declared_checks(plan).values()
        (finding,) = (f for kind in store.kinds for table in kind.tables for c in checks for f in c.findings(kind, table))
    return finding


def earlier_largest(frame: pd.DataFrame, value: str, along: str) -> list[float]:
    """Return the largest value of the rows before each row, in the plainest way there is."""
    return [frame.loc[frame[along] < moment, value].max() for moment in frame[along]]


def faults(rule: dict[str, Any], frames: dict[str, pd.DataFrame]) -> tuple[int, int]:
    """Return the rows checked and the faults of a rule, as pandas counts them."""
    orders, lines, parcels = frames["orders"], frames["lines"], frames["parcels"]
    word = next(word for word in DATA_RULES if word in rule)
    if word == "formula":
        known = orders[orders["rebate"].notna()]
        return len(known), int((known["rebate"].astype(float) > known["size"]).sum())
    if word == "unique":
        known = orders[orders["rebate"].notna()]
        return len(known), int(known.duplicated(["status", "rebate"], keep=False).sum())
    if word == "included":
        pairs = set(zip(parcels["status"], parcels["sent"], strict=True))
        values = zip(orders["status"], orders["order_id"], strict=True)
        return len(orders), sum(value not in pairs for value in values)
    if word == "order":
        return len(orders), int((orders["ordered_at"] > orders["paid_at"]).sum())
    if word == "grows":
        groups = (group for _, group in orders.groupby("status", observed=True))
        below = [v < e for g in groups for v, e in zip(g["size"], earlier_largest(g, "size", "ordered_at"), strict=True)]
        return len(orders), sum(below)
    if word == "pattern":
        return len(orders), int((~orders["order_id"].str.fullmatch(".*[0-4]")).sum())
    if word == "total":
        sums = parcels.groupby("back")["amount"].sum().reindex(orders["order_id"]).fillna(0).to_numpy()
        return len(orders), int((np.abs(sums - orders["net"].astype(float).to_numpy()) > 1e-6).sum())
    own_sums = orders.groupby("status", observed=True)["net"].sum().astype(float)
    other_sums = lines.groupby("status", observed=True)["amount"].sum()
    return len(own_sums), int((np.abs(own_sums - other_sums) > 1e-6).sum())


COUNTED: list[dict[str, Any]] = [
    {"table": "orders", "formula": "rebate <= size"},
    {"table": "orders", "unique": ["status", "rebate"]},
    {"table": "orders", "included": {"status": "parcels.status", "order_id": "parcels.sent"}},
    {"table": "orders", "order": ["ordered_at", "paid_at"]},
    {"table": "orders", "grows": "size", "along": "ordered_at", "per": "status"},
    {"table": "orders", "pattern": ".*[0-4]", "column": "order_id"},
    {"table": "orders", "total": "parcels.amount", "equals": "net", "by": "back"},
    {"table": "orders", "reconciles": "net", "with": "lines.amount", "per": "status"},
]


@pytest.mark.parametrize("rule", COUNTED, ids=lambda rule: next(word for word in DATA_RULES if word in rule))
def test_faults_are_those_that_pandas_counts(rule: dict[str, Any], tables: dict[str, pa.Table]) -> None:
    finding = finding_of(rule, tables)
    checked, wrong = faults(rule, {name: table.to_pandas() for name, table in tables.items()})
    assert wrong > 0
    assert (finding.numbers["checked"], finding.numbers["faults"]) == (checked, wrong)
    assert not finding.passed and finding.judged


def test_statistics_are_those_that_pandas_computes(tables: dict[str, pa.Table]) -> None:
    orders = tables["orders"].to_pandas()
    prices = orders["price"].astype(float)
    expected = {
        "share": (orders["status"] == "paid").mean(),
        "mean": prices.mean(),
        "sum": prices.sum(),
        "count": float(len(orders)),
    }
    of = {"share": {"of": "status == 'paid'"}, "mean": {"of": "price"}, "sum": {"of": "price"}, "count": {}}
    for word, value in expected.items():
        rule = {"table": "orders", **of[word], "tolerance": 0.01}
        assert finding_of({**rule, word: value}, tables).passed
        off = finding_of({**rule, word: value + 0.011}, tables)
        assert off.numbers["value"] == pytest.approx(value) and not off.passed
        assert finding_of({**rule, word: value + 0.011, "tolerance": 0.012}, tables).passed


FIELDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "table": ({"table": "orders", "unique": "status"}, {"table": "lines"}),
    "name": ({"table": "orders", "unique": "status"}, {"name": "statuses"}),
    "where": ({"table": "orders", "unique": "status"}, {"where": "price > 30"}),
    "severity": ({"table": "orders", "unique": "status"}, {"severity": "warn"}),
    "formula.formula": ({"table": "orders", "formula": "price > 20"}, {"formula": "price > 30"}),
    "unique.unique": ({"table": "orders", "unique": "status"}, {"unique": "order_id"}),
    "included.included": (
        {"table": "orders", "included": {"order_id": "lines.order_id"}},
        {"included": {"order_id": "parcels.sent"}},
    ),
    "order.order": ({"table": "orders", "order": ["ordered_at", "paid_at"]}, {"order": ["paid_at", "ordered_at"]}),
    "order.strictly": ({"table": "orders", "order": ["line_count", "size"]}, {"strictly": True}),
    "grows.grows": ({"table": "orders", "grows": "size", "along": "ordered_at"}, {"grows": "price"}),
    "grows.along": ({"table": "orders", "grows": "price", "along": "ordered_at"}, {"along": "size"}),
    "grows.per": ({"table": "orders", "grows": "size", "along": "ordered_at"}, {"per": "country"}),
    "grows.strictly": ({"table": "orders", "grows": "size", "along": "ordered_at"}, {"strictly": True}),
    "pattern.pattern": ({"table": "orders", "pattern": ".*1", "column": "order_id"}, {"pattern": ".*[12]"}),
    "pattern.column": ({"table": "orders", "pattern": ".*1", "column": "order_id"}, {"column": "country"}),
    "total.total": ({"table": "orders", "total": "lines.amount", "equals": "net"}, {"total": "lines"}),
    "total.equals": (
        {"table": "orders", "total": "lines.amount", "equals": "net"},
        {"equals": "line_count"},
    ),
    "total.by": ({"table": "orders", "total": "parcels", "equals": "line_count", "by": "back"}, {"by": "sent"}),
    "total.tolerance": (
        {"table": "orders", "total": "parcels.amount", "equals": "net", "by": "back"},
        {"tolerance": 20.0},
    ),
    "reconciles.reconciles": ({"table": "orders", "reconciles": "net", "with": "lines.amount"}, {"reconciles": "price"}),
    "reconciles.with": ({"table": "orders", "reconciles": "net", "with": "parcels.amount"}, {"with": "lines.amount"}),
    "reconciles.per": ({"table": "orders", "reconciles": "net", "with": "lines.amount"}, {"per": "status"}),
    "reconciles.tolerance": ({"table": "orders", "reconciles": "vat", "with": "lines.amount"}, {"tolerance": 1e9}),
    "share.share": ({"table": "orders", "share": 0.5, "of": "size > 3", "tolerance": 0.1}, {"share": 0.9}),
    "share.of": ({"table": "orders", "share": 0.5, "of": "size > 3", "tolerance": 0.1}, {"of": "size > 2"}),
    "share.tolerance": ({"table": "orders", "share": 0.9, "of": "size > 3", "tolerance": 0.1}, {"tolerance": 0.7}),
    "mean.mean": ({"table": "orders", "mean": 46.0, "of": "price", "tolerance": 5.0}, {"mean": 60.0}),
    "mean.of": ({"table": "orders", "mean": 46.0, "of": "price", "tolerance": 5.0}, {"of": "size"}),
    "mean.tolerance": ({"table": "orders", "mean": 60.0, "of": "price", "tolerance": 5.0}, {"tolerance": 50.0}),
    "sum.sum": ({"table": "orders", "sum": 18e3, "of": "price", "tolerance": 2e3}, {"sum": 1.0}),
    "sum.of": ({"table": "orders", "sum": 18e3, "of": "price", "tolerance": 2e3}, {"of": "size"}),
    "sum.tolerance": ({"table": "orders", "sum": 1.0, "of": "price", "tolerance": 2e3}, {"tolerance": 1e5}),
    "count.count": ({"table": "orders", "count": 400.0, "tolerance": 0.0}, {"count": 399.0}),
    "count.tolerance": ({"table": "orders", "count": 399.0, "tolerance": 0.0}, {"tolerance": 1.0}),
}
"""For each word of a rule a rule, and a change of the word that must be seen."""


def test_every_word_of_every_rule_has_a_case() -> None:
    own_words = {
        f"{name}.{word}" for name, rule in DATA_RULES.items() for word in words_of(rule) if word not in words_of(DataRule)
    }
    assert set(FIELDS) == own_words | {*words_of(DataRule)}


@pytest.mark.parametrize("field", FIELDS)
def test_a_word_changes_what_is_found(field: str, tables: dict[str, pa.Table]) -> None:
    rule, change = FIELDS[field]
    records = []
    for written in (rule, {**rule, **change}):
        (record,) = (r for r in report_of([written], tables).record()["checks"] if r["category"] == "rules")
        records.append({word: record[word] for word in ("check", "blocking", "passed", "numbers")})
        if field not in ("name", "table"):
            del records[-1]["check"]
    assert records[0] != records[1]


def test_a_rule_in_a_table_is_one_beside_the_tables() -> None:
    raw = copy.deepcopy(BASE)
    raw["tables"][1]["checks"] = ["= price > 2", {"unique": "order_id", "name": "one"}]
    beside = plan_with(
        {"table": "orders", "formula": "price > 2"}, {"table": "orders", "unique": ["order_id"], "name": "one"}
    )
    assert from_mapping(raw, name="orders").dataset.checks == beside.dataset.checks
    assert [*declared_checks(beside)] == ["orders_price_above_2", "one"]


def test_rules_are_no_part_of_the_data() -> None:
    """The digest, by which stores know what is stale, and the rows are those of the dataset without rules."""
    raw = copy.deepcopy(BASE)
    raw["tables"][1]["checks"] = ["price > 2"]
    plain, ruled = plan_with(), plan_with({"table": "lines", "unique": "line_id"})
    assert plain.digest == ruled.digest == from_mapping(raw, name="orders").digest
    for name, table in arrow_tables(plain).items():
        assert table.equals(arrow_tables(ruled)[name])


def test_rules_of_tables_of_all_kinds_of_unit() -> None:
    raw = {
        "about": "Shops and customers",
        "unit": "shop",
        "window": ["2024-01", "2024-03", "month"],
        "metrics": [{"name": "visits", "type": "count", "polarity": "positive"}],
        "segments": [{"name": "small", "count": 5, "archetype": "growth"}],
        "units": [
            {
                "unit": "customer",
                "metrics": [{"name": "mood", "type": "score", "polarity": "positive"}],
                "segments": [{"name": "all", "count": 6, "archetype": "flat"}],
                "tables": [
                    {
                        "name": "moods",
                        "per": ["customer", "period"],
                        "columns": {"mood": "metric.mood", "at": "ref.dim_date"},
                        "checks": ["mood <= 1", {"included": {"at": "fct_visits.date_key"}}],
                    }
                ],
            }
        ],
        "checks": [{"table": "dim_date", "unique": "date"}],
    }
    try:
        plan = from_mapping(raw, name="shops")
    except ConfigError as error:
        pytest.fail(str(error))
    report = check_tables(plan, arrow_tables(plan), plan.first, plan.stop_or_span)
    names = [name for name, _ in report.findings if report.checks[name].category == "rules"]
    assert sorted(names) == ["dim_date_date_unique", "moods_at_in_fct_visits_date_key", "moods_mood_at_most_1"]
    assert not report.failed, report.text()


def test_what_is_broken_on_purpose_breaks_no_rule_and_what_is_not_does() -> None:
    issues = [
        {"table": "orders", "issue": "null_injection", "rate": 0.3, "column": "price"},
        {"table": "lines", "issue": "duplicate_rows", "rate": 0.2},
        {"table": "orders", "issue": "type_mismatch", "rate": 0.2, "column": "size"},
    ]
    rules = [
        {"table": "orders", "count": 400.0, "tolerance": 0.0, "where": "price > 0"},
        {"table": "lines", "unique": "line_id"},
        {"table": "orders", "formula": "size >= 0"},
    ]
    plan = plan_with(*rules, quality=issues)
    tables = arrow_tables(plan)
    assert tables["lines"]["line_id"].to_pandas().duplicated().any()
    assert not check_tables(plan, tables, plan.first, plan.stop_or_span).failed
    lines = tables["lines"].to_pandas()
    copied = lines[~lines.duplicated("line_id", keep=False)].head(1)
    tables["lines"] = pa.concat_tables([tables["lines"], pa.Table.from_pandas(copied, tables["lines"].schema)])
    report = check_tables(plan, tables, plan.first, plan.stop_or_span)
    assert [name for name, f in report.findings if not f.passed and name.startswith("lines_")] == ["lines_line_id_unique"]


def test_targets_wait_for_the_whole_window(tables: dict[str, pa.Table]) -> None:
    rules = [
        {"table": "orders", "count": 1.0, "tolerance": 0.0},
        {"table": "orders", "reconciles": "net", "with": "lines.amount"},
        {"table": "orders", "formula": "price > 2000", "name": "dear"},
    ]
    plan = plan_with(*rules)
    part, whole = (report_of(rules, tables, stop) for stop in (plan.stop_or_span - 1, None))
    judged = [
        {name: finding.judged for name, finding in report.findings if report.checks[name].category == "rules"}
        for report in (part, whole)
    ]
    assert [*judged[0].values()] == [False, False, True]
    assert all(judged[1].values())


def test_rows_of_periods_that_are_not_stored_are_not_missed(tables: dict[str, pa.Table]) -> None:
    """What is looked for in another table is a fault only where all periods of that one are stored."""
    rules = [
        {"table": "parcels", "name": "sent_orders", "included": {"sent": "orders.order_id"}},
        {"table": "parcels", "name": "sent_parcels", "included": {"amount": "orders.price"}},
    ]
    plan = plan_with(*rules)
    first = int(plan.grain.keys(np.array([plan.first]))[0])
    later = {**tables, "orders": tables["orders"].filter(pc.field("date_key") != first)}
    for stored, is_judged in ((tables, True), (later, False)):
        report = check_tables(plan, stored, plan.first + 1, plan.stop_or_span)
        (orders,), (amounts,) = report.findings_of("sent_orders"), report.findings_of("sent_parcels")
        assert (orders.judged, orders.passed) == (is_judged, True), orders
        assert (amounts.judged, amounts.passed) == (is_judged, not is_judged), amounts


def test_what_may_come_later_is_no_fault_before_the_end(tables: dict[str, pa.Table]) -> None:
    """A row that others come to refer to is missed nowhere until the window has ended."""
    plan = plan_with({"table": "orders", "name": "all_sent", "included": {"order_id": "parcels.sent"}})
    for stop, is_judged in ((plan.stop_or_span - 1, False), (plan.stop_or_span, True)):
        (finding,) = check_tables(plan, tables, plan.first, stop).findings_of("all_sent")
        assert (finding.judged, finding.passed) == (is_judged, not is_judged), finding


def test_a_value_of_another_period_is_compared(tables: dict[str, pa.Table]) -> None:
    """Judging one period looks for what is in the others; and counts the faults of its own rows."""
    plan = plan_with({"table": "orders", "unique": "country", "name": "one"})
    report = check_tables(plan, tables, plan.stop_or_span - 1, plan.stop_or_span)
    ((tally,),) = [[finding.tally for finding in report.findings_of("one")]]
    assert tally is not None and tally["date_key"].to_pylist() == [20240601]
    dates = tables["orders"]["date_key"].to_pylist()
    assert 0 < dates.count(20240601) < len(dates)
    assert tally["faults"].to_pylist() == [dates.count(20240601)]


def test_nothing_to_judge_is_not_judged(tables: dict[str, pa.Table]) -> None:
    for rule in ({"unique": "order_id"}, {"formula": "size > 1"}, {"mean": 4.0, "of": "price", "tolerance": 1.0}):
        finding = finding_of({"table": "orders", **rule, "where": "price > 5000"}, tables)
        assert finding.passed and not finding.judged


def test_a_failing_rule_caps_the_score_and_a_warning_does_not(tables: dict[str, pa.Table]) -> None:
    rule = {"table": "orders", "formula": "price > 50", "name": "dear"}
    broken, warned = (report_of([{**rule, "severity": word}], tables) for word in ("error", "warn"))
    assert broken.failed and broken.score == 49
    assert not warned.failed and warned.warned and warned.score > 49
    assert "FAIL dear: 0 of 1" in broken.text() and "warn dear: 0 of 1" in warned.text()


def test_no_rule_can_take_the_name_of_a_check() -> None:
    assert {*CHECKS, IN_STORE, FRESH, NOTHING_BROKEN, CURRENT} == BUILT_IN_NAMES
