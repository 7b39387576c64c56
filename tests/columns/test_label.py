"""Labels: true or false with odds that follow the row, and a declared rate of all rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from scipy.special import expit

from plotsim_core import ConfigError, Plan, explain, from_mapping, generate_tables, manifest, slices, write_tables
from plotsim_core.plan.plan import Intercept
from plotsim_core.validation.check import Finding
from plotsim_core.validation.report import check_directory
from tests.laws.test_table_slices import part_rows

LOANS: dict[str, Any] = {
    "loan_id": "id",
    "late": "= poisson(1.2)",
    "income": "= lognormal(40000, 0.4)",
    "is_new": "= chance(0.3)",
    "defaulted": {"type": "label", "odds": "0.8 * late - income / 25000 + 0.6 * is_new", "rate": 0.04},
}
CUSTOMERS: dict[str, Any] = {
    "about": "Customers and their orders",
    "unit": "customer",
    "window": {"start": "2024-01-01", "end": "2024-12-31", "every": "month", "span": 12},
    "segments": [
        {"name": "up", "count": 300, "archetype": "growth"},
        {"name": "down", "count": 300, "archetype": "decline"},
    ],
    "metrics": [
        {"name": "visits", "type": "count", "polarity": "positive", "mean": [1, 6]},
        {"name": "mood", "type": "score", "polarity": "positive"},
    ],
    "tables": [
        {
            "name": "customers",
            "per": "customer",
            "columns": {
                "customer_id": "id",
                "age": "= normal(41, 14, 18, 90)",
                "churned": {"type": "label", "odds": "0.05 * age", "rate": 0.2},
            },
        },
        {
            "name": "cards",
            "per": "customers",
            "rows": [1, 3],
            "columns": {
                "card_id": "id",
                "limit": {"type": "range", "range": [1, 9]},
                "blocked": {"type": "label", "odds": "limit / 4", "rate": 0.15},
            },
        },
        {
            "name": "months",
            "per": ["customer", "period"],
            "columns": {
                "mood": "metric.mood",
                "visits": "metric.visits",
                "upset": {"type": "label", "odds": "-mood / 20 + visits / 10", "rate": 0.1},
            },
        },
        {
            "name": "orders",
            "per": ["customer", "period"],
            "rows": "visits",
            "columns": {
                "order_id": "id",
                "customer_id": "ref.customers",
                "age": "lookup.customers.age",
                "items": {"type": "range", "range": [1, 9]},
                "returned": {"type": "label", "odds": "0.3 * items - 0.02 * age", "rate": 0.05},
            },
        },
        {
            "name": "calls",
            "rows": 4000,
            "columns": {
                "call_id": "id",
                "called_at": "timestamp",
                "wait": "= exponential(5)",
                "hung_up": {"type": "label", "odds": "where(hour(called_at) < 8, 1, 0) + wait / 5", "rate": 0.3},
            },
        },
    ],
}
LABELS = {"customers": "churned", "cards": "blocked", "months": "upset", "orders": "returned", "calls": "hung_up"}


def loans(rows: int = 20_000, **changes: Any) -> Plan:
    columns = {name: column for name, column in (LOANS | changes).items() if column is not None}
    return from_mapping({"about": "Loans", "tables": [{"name": "loans", "rows": rows, "columns": columns}]}, name="loans")


def customers(**changes: Any) -> Plan:
    return from_mapping(CUSTOMERS | changes, name="customers")


def intercept(plan: Plan, table: str, column: str) -> Intercept:
    solution = plan.table(table).column(column).intercept
    assert solution is not None
    return solution


def fitted(features: np.ndarray[Any, Any], labels: np.ndarray[Any, Any]) -> tuple[Any, Any]:
    """Return the coefficients of a logistic regression, found by Newton's method, and their standard errors."""
    coefficients = np.zeros(features.shape[1])
    for _ in range(30):
        odds = expit(features @ coefficients)
        information = (features * (odds * (1 - odds))[:, None]).T @ features
        coefficients = coefficients + np.linalg.solve(information, features.T @ (labels - odds))
    return coefficients, np.sqrt(np.diag(np.linalg.inv(information)))


def test_a_regression_finds_the_odds_that_are_declared() -> None:
    rows = generate_tables(loans(60_000))["loans"]
    features = np.stack([np.ones(len(rows)), rows["late"], rows["income"] / 25_000, rows["is_new"]], axis=1).astype(float)
    estimates, errors = fitted(features, rows["defaulted"].to_numpy().astype(float))
    expected = np.array([intercept(loans(60_000), "loans", "defaulted").value, 0.8, -1.0, 0.6])
    assert (np.abs(estimates - expected) < 4 * errors).all(), (estimates, expected, errors)
    assert (np.abs(estimates[1:]) > 8 * errors[1:]).all()


@pytest.mark.parametrize("rate", [0.001, 0.04, 0.5, 0.99])
def test_as_many_are_true_as_declared(rate: float) -> None:
    plan = loans(40_000, defaulted=LOANS["defaulted"] | {"rate": rate})
    share = generate_tables(plan)["loans"]["defaulted"].mean()
    deviation = np.hypot(np.sqrt(rate * (1 - rate) / 40_000), intercept(plan, "loans", "defaulted").error)
    assert abs(share - rate) < 3 * deviation


@pytest.mark.parametrize("table", LABELS)
def test_every_kind_of_row_has_the_declared_rate(table: str) -> None:
    """Of units, their children, their periods, their orders, and of rows in time."""
    plan, name = customers(), LABELS[table]
    rows, rate = generate_tables(plan)[table][name], plan.table(table).column(name).spec.source.rate
    deviation = np.sqrt(rate * (1 - rate) / len(rows) + 2 * intercept(plan, table, name).error ** 2 * 4096 / len(rows))
    assert abs(rows.mean() - rate) < 3 * deviation
    assert 0 < intercept(plan, table, name).error < 0.01


def test_rows_per_row_of_a_plain_table_have_the_rate_too() -> None:
    part = {"part_id": "id", "size": {"type": "range", "range": [0, 4]}}
    tables = [
        {"name": "jobs", "rows": 3000, "columns": {"job_id": "id", "kind": "= pick(0, 3)"}},
        {
            "name": "parts",
            "per": "jobs",
            "rows": [1, 5],
            "columns": part | {"kind": "lookup.jobs.kind", "broken": {"type": "label", "odds": "kind - size", "rate": 0.1}},
        },
    ]
    rows = generate_tables(from_mapping({"about": "Jobs", "tables": tables}, name="jobs"))["parts"]
    assert abs(rows["broken"].mean() - 0.1) < 3 * np.sqrt(2 * 0.09 / len(rows))
    assert rows["broken"][rows["kind"] == 3].mean() > 2 * rows["broken"][rows["kind"] == 0].mean()


def test_parts_make_the_whole() -> None:
    plan = loans(3000)
    whole = generate_tables(plan)["loans"]
    pd.testing.assert_frame_equal(part_rows(plan, slices(plan, ["loans"], 5)).to_pandas(), whole, check_dtype=False)


def test_more_rows_move_no_label() -> None:
    before, after = (generate_tables(loans(rows))["loans"]["defaulted"] for rows in (700, 30_000))
    assert before.equals(after[:700])


def test_more_units_and_a_later_end_move_no_label() -> None:
    """The intercepts are the same to the last bit, so labels are those of the same odds."""
    segments = [{**CUSTOMERS["segments"][0], "count": 900}, CUSTOMERS["segments"][1]]
    window = CUSTOMERS["window"] | {"end": "2025-06-30"}
    before = customers()
    for changes in ({"segments": segments}, {"window": window}, {"scale": 2}):
        after = customers(**changes)
        for table, name in LABELS.items():
            assert intercept(before, table, name) == intercept(after, table, name), (changes, table)


def test_a_segment_more_is_told() -> None:
    notes = [str(note) for note in customers().notes]
    assert any("churned.rate: the rate is of as many units of each segment: one segment more changes" in n for n in notes)
    assert not loans().notes


def test_other_numbers_of_units_are_told_with_the_rate_that_they_have() -> None:
    """Of 20 customers who grow slowly and 2000 who grow and then stop, more are upset than of as many of each."""
    ups, downs = CUSTOMERS["segments"]
    segments = [ups | {"count": 20, "archetype": "growth"}, downs | {"count": 2000, "archetype": "growth > flat"}]
    columns = CUSTOMERS["tables"][2]["columns"] | {"upset": {"type": "label", "odds": "-visits", "rate": 0.1}}
    plan = customers(segments=segments, tables=[CUSTOMERS["tables"][0], {**CUSTOMERS["tables"][2], "columns": columns}])
    (note,) = (str(note) for note in plan.notes if "columns.upset" in str(note))
    rows = generate_tables(plan)["months"]
    assert abs(float(note.rpartition(" ")[2]) - rows["upset"].mean()) < 0.004
    assert rows["upset"].mean() > 0.11


def test_a_label_follows_another_and_decides_which_rows_are_kept() -> None:
    recovered = {"type": "label", "odds": "2 * is_new - 3 * defaulted", "rate": 0.5}
    rows = generate_tables(loans(recovered=recovered))["loans"]
    assert abs(rows["recovered"].mean() - 0.5) < 3 * np.sqrt(0.5 / 20_000)
    assert rows["recovered"][rows["defaulted"]].mean() < 0.2
    months = CUSTOMERS["tables"][2] | {"rows": 1, "where": "not upset"}
    months = months | {"columns": {"month_id": "id", **months["columns"]}}
    rows = generate_tables(customers(tables=[CUSTOMERS["tables"][0], months]))["months"]
    assert not rows["upset"].any()
    assert abs(len(rows) / 7200 - 0.9) < 3 * np.sqrt(2 * 0.09 / 7200)


def test_a_null_in_the_odds_is_a_null() -> None:
    rows = generate_tables(loans(3000, late={"type": "range", "range": [0, 4], "nulls": 0.2}))["loans"]
    assert rows["defaulted"].isna().equals(rows["late"].isna())
    assert rows["late"].isna().any()


def test_a_hidden_feature_and_a_label_in_other_words() -> None:
    plan = loans(
        2000, late={"type": "range", "range": [0, 4], "hidden": True}, defaulted=LOANS["defaulted"] | {"as": "text"}
    )
    rows = generate_tables(plan)["loans"]
    assert "late" not in rows
    assert set(rows["defaulted"]) == {"true", "false"}


def test_labels_of_a_pattern_read_columns_of_one() -> None:
    sizes, labels = (
        {"type": "range", "range": [0, 9], "count": 2},
        {"type": "label", "odds": "size_#", "rate": 0.3, "count": 2},
    )
    rows = generate_tables(loans(4000, **{"size_#": sizes, "is_large_#": labels}))["loans"]
    for number in (1, 2):
        sizes_of_true = rows[f"size_{number}"][rows[f"is_large_{number}"]]
        assert sizes_of_true.mean() > rows[f"size_{number}"].mean() + 2


def test_a_label_is_explained() -> None:
    plan = loans(500)
    rows = generate_tables(plan)["loans"]
    for row in rows[:40].itertuples():
        steps = {step.name: step.value for step in explain(plan, "loans", row.loan_id, "", "defaulted").steps}
        odds = 0.8 * row.late - row.income / 25_000 + 0.6 * row.is_new
        assert steps["odds"] == pytest.approx(odds, abs=1e-9)
        assert steps["chance"] == pytest.approx(expit(odds + steps["intercept"]), abs=1e-9)
        assert (steps["uniform"] < steps["chance"]) == steps["value"] == row.defaulted


def test_the_manifest_says_how_labels_follow() -> None:
    plan = loans(500)
    label = manifest(plan)["tables"]["loans"]["columns"]["defaulted"]["label"]
    solution = intercept(plan, "loans", "defaulted")
    expected = {"value": solution.value, "rows": 16384, "error": solution.error}
    assert label == {"odds": LOANS["defaulted"]["odds"], "rate": 0.04, **expected}


def findings(plan: Plan, folder: Path) -> list[Finding]:
    assert plan.stop is not None
    return check_directory(plan, folder, "parquet", plan.first, plan.stop).findings_of("labels_follow_odds")


def test_the_report_judges_the_rate(tmp_path: Path) -> None:
    plan = customers()
    write_tables(plan, tmp_path, format="parquet")
    actual = {finding.subject: finding for finding in findings(plan, tmp_path)}
    assert {*actual} == {f"{table}.{name}" for table, name in LABELS.items()}
    assert all(finding.passed and finding.judged for finding in actual.values())
    assert "0.2 declared" in actual["customers.churned"].message


def label(odds: str, rate: float) -> dict[str, Any]:
    return {"type": "label", "odds": odds, "rate": rate}


SIZE = {"type": "range", "range": [0, 9]}
KINDS: dict[str, Any] = {
    **{section: CUSTOMERS[section] for section in ("about", "unit", "window", "segments", "metrics")},
    "units": [
        {
            "unit": "store",
            "segments": [{"name": "all", "count": 12, "archetype": "flat"}],
            "metrics": [{"name": "stock", "type": "count", "polarity": "positive", "mean": [5, 50]}],
            "tables": [
                {"name": "stores", "per": "store", "columns": {"store_id": "id", "size": SIZE}},
                {
                    "name": "stocks",
                    "per": ["store", "period"],
                    "columns": {"n": "metric.stock", "x": label("-n / 10", 0.2)},
                },
            ],
        }
    ],
    "tables": [
        {
            "name": "customers",
            "per": "customer",
            "columns": {
                "customer_id": "id",
                "tier": {"type": "scd", "tracks": "visits", "tiers": ["low", "high"], "at": [0.5]},
                "x": label("2 * (tier == 'high')", 0.3),
            },
        },
        {"name": "products", "rows": 200, "columns": {"product_id": "id", "n": SIZE, "x": label("n / 3", 0.4)}},
        {"name": "depots", "rows": 5, "columns": {"depot_id": "id"}},
        {"name": "grid", "per": ["depots", "products"], "columns": {"n": "lookup.products.n", "x": label("n", 0.2)}},
        {"name": "grid_in_time", "per": ["depots", "products", "period"], "columns": {"n": SIZE, "x": label("n", 0.2)}},
        {"name": "unit_grid", "per": ["customer", "depots", "period"], "columns": {"n": SIZE, "x": label("n / 9", 0.2)}},
        {
            "name": "slumps",
            "per": "customer",
            "when": {"metric": "visits", "above": 4},
            "columns": {"at": "timestamp", "n": SIZE, "x": label("n", 0.2)},
        },
        {
            "name": "sales",
            "per": ["customer", "period"],
            "rows": 2,
            "columns": {"sale_id": "id", "store": "ref.stores", "n": "lookup.stores.size", "x": label("n / 4", 0.3)},
        },
    ],
    "bridges": [
        {
            "name": "links",
            "left": "customers",
            "right": "products",
            "cardinality": [1, 3],
            "columns": [{"name": "n", **SIZE}, {"name": "x", **label("n", 0.25)}],
        }
    ],
}


def test_labels_of_grids_links_versions_events_and_other_units(tmp_path: Path) -> None:
    """The report finds as many as these rows give; what is expected of them is near what is declared."""
    plan = from_mapping(KINDS, name="kinds")
    write_tables(plan, tmp_path, format="parquet")
    actual = findings(plan, tmp_path)
    assert len(actual) == 9
    for finding in actual:
        assert finding.passed and finding.judged, finding
        assert abs(finding.numbers["expected"] - finding.numbers["declared"]) < 0.05, finding


def test_the_report_sees_labels_that_are_too_many(tmp_path: Path) -> None:
    plan = loans(5000)
    write_tables(plan, tmp_path, format="parquet")
    (file,) = tmp_path.rglob("loans*.parquet")
    rows = pq.read_table(file)
    is_true = rows["defaulted"].to_numpy().copy()
    is_true[np.flatnonzero(~is_true)[:60]] = True
    index = rows.column_names.index("defaulted")
    pq.write_table(rows.set_column(index, rows.schema.field(index), [is_true]), file)
    (finding,) = findings(plan, tmp_path)
    assert not finding.passed
    assert finding.numbers["found"] > finding.numbers["expected"] + finding.numbers["allowed"]


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ({"rate": 0}, "defaulted.rate: expected more than 0, found 0"),
        ({"rate": 1}, "defaulted.rate: expected less than 1, found 1"),
        ({"rate": "4%"}, "defaulted.rate: expected a number"),
        ({"odds": "0.8 * laet"}, "odds: loans has no column 'laet'.*did you mean 'late'"),
        ({"odds": "0.8 *"}, "odds: cannot read"),
        ({"odds": "0.8 * 3"}, r"odds: reads no column.*= chance\(0.04\)"),
        ({"odds": "late * 0"}, r"odds: are the same in each of 16,384 rows of a sample.*= chance\(0.04\)"),
        ({"odds": "sqrt(-1 - late)"}, "odds: no row of loans has a value of them"),
        ({"odds": "late + normal(0, 1)"}, "odds: takes chance.*hidden column"),
        ({"odds": "'a' + text(late)"}, "odds: expected a formula of numbers"),
        ({"odds": "defaulted + 1"}, "odds: loans.defaulted depends on itself"),
        ({"odds": "number / 1000"}, "odds: number is another value in each row"),
    ],
)
def test_what_cannot_be_meant_is_refused(label: dict[str, Any], message: str) -> None:
    number = {"type": "range", "range": [1, 50_000], "unique": True}
    with pytest.raises(ConfigError, match=f"(?s){message}"):
        loans(number=number, defaulted=LOANS["defaulted"] | label)


def test_labels_that_follow_each_other_in_a_circle_are_refused() -> None:
    other = {"type": "label", "odds": "1 + defaulted", "rate": 0.5}
    with pytest.raises(ConfigError, match=r"depends on itself, by way of loans\.other"):
        loans(other=other, defaulted={"type": "label", "odds": "1 + other", "rate": 0.5})
