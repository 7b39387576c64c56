"""Moments that others place: a wait after a column's, in working days too, and in a span, in the order of rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import stats

from plotsim_core import ConfigError, Plan, explain, from_mapping, generate_tables, slices, write_tables
from plotsim_core.validation.report import check_directory, check_tables
from tests.laws.test_table_slices import part_rows

RAW: dict[str, Any] = {
    "about": "Claims and the calls about them",
    "unit": "client",
    "window": {"start": "2024-11-01", "end": "2024-12-31", "every": "day"},
    "calendar": {"holidays": "US"},
    "metrics": [{"name": "claims", "type": "count", "polarity": "positive", "mean": [0.1, 0.5]}],
    "segments": [{"name": "all", "count": 60, "archetype": "growth"}],
    "tables": [
        {"name": "clients", "per": "client", "columns": {"client_id": "id", "born": "faker.date_of_birth"}},
        {
            "name": "claims",
            "per": ["client", "period"],
            "rows": {"poisson": "claims"},
            "columns": {
                "claim_id": "id",
                "filed_at": "timestamp",
                "decided_at": {"type": "timestamp", "after": "filed_at", "wait": "2 + poisson(3) working days"},
                "paid_at": {"type": "timestamp", "after": "decided_at", "wait": "where(chance(0.3), days(3), null)"},
                "due_at": {"type": "timestamp", "after": "filed_at", "wait": "3 weeks"},
                "seen_at": {"type": "timestamp", "between": ["filed_at", "decided_at"]},
            },
        },
        {
            "name": "calls",
            "per": "claims",
            "rows": [0, 5],
            "columns": {
                "number": "sequence",
                "filed_at": "lookup.claims.filed_at",
                "decided_at": "lookup.claims.decided_at",
                "begun_at": {"type": "timestamp", "between": ["filed_at", "decided_at"]},
                "looked_at": {"type": "timestamp", "after": "previous", "wait": "1 working day"},
            },
        },
    ],
}


def plan(**columns: Any) -> Plan:
    """The plan with other columns of claims."""
    *others, claims, calls = RAW["tables"]
    claims = {**claims, "columns": {**claims["columns"], **columns}}
    return from_mapping({**RAW, "tables": [*others, claims, calls]}, name="claims")


@pytest.fixture(scope="module")
def rows() -> dict[str, pd.DataFrame]:
    return generate_tables(plan())


def working_days_between(first: pd.Series, last: pd.Series) -> Any:
    """Working days after the day of one moment, to that of another, which is one: counted by NumPy with the holidays of
    these months in the United States."""
    days_off = ["2024-11-11", "2024-11-28", "2024-12-25", "2025-01-01", "2025-01-20"]
    holidays = np.array(days_off, dtype="datetime64[D]")
    days = [moments.to_numpy().astype("datetime64[D]") + 1 for moments in (first, last)]
    return np.busday_count(*days, holidays=holidays)


def test_a_wait_in_working_days_keeps_the_hour(rows: dict[str, pd.DataFrame]) -> None:
    claims = rows["claims"]
    counts = working_days_between(claims["filed_at"], claims["decided_at"])
    assert counts.min() >= 2
    assert counts.mean() == pytest.approx(5, abs=3 * np.sqrt(3 / len(claims)))
    hours = [claims[name] - claims[name].dt.normalize() for name in ("filed_at", "decided_at")]
    assert (hours[0] == hours[1]).all()
    assert len(claims) > 500


def test_a_wait_is_a_span_or_none_at_all(rows: dict[str, pd.DataFrame]) -> None:
    claims = rows["claims"]
    assert (claims["due_at"] - claims["filed_at"] == pd.Timedelta(weeks=3)).all()
    is_paid = claims["paid_at"].notna()
    assert is_paid.mean() == pytest.approx(0.3, abs=3 * np.sqrt(0.21 / len(claims)))
    assert (claims["paid_at"] - claims["decided_at"])[is_paid].eq(pd.Timedelta(days=3)).all()


def test_a_moment_in_a_span_is_uniform(rows: dict[str, pd.DataFrame]) -> None:
    claims = rows["claims"]
    shares = (claims["seen_at"] - claims["filed_at"]) / (claims["decided_at"] - claims["filed_at"])
    assert shares.between(0, 1).all()
    assert stats.kstest(shares, "uniform").pvalue > 0.001


def test_moments_of_rows_of_one_row_are_ordered_draws(rows: dict[str, pd.DataFrame]) -> None:
    """The k-th of n is the k-th smallest of n uniforms: a beta variable of k and n + 1 - k."""
    calls = rows["calls"]
    assert calls.groupby("claim_id")["begun_at"].apply(lambda moments: moments.is_monotonic_increasing).all()
    shares = (calls["begun_at"] - calls["filed_at"]) / (calls["decided_at"] - calls["filed_at"])
    counts = calls.groupby("claim_id")["number"].transform("max")
    uniforms = stats.beta(calls["number"], counts + 1 - calls["number"]).cdf(shares)
    assert stats.kstest(uniforms[calls["number"] == 1], "uniform").pvalue > 0.001
    assert stats.kstest(uniforms[calls["number"] == 3], "uniform").pvalue > 0.001


def test_waits_in_working_days_add_up_along_a_chain(rows: dict[str, pd.DataFrame]) -> None:
    calls = rows["calls"]
    assert (working_days_between(calls["filed_at"], calls["looked_at"]) == calls["number"]).all()


@pytest.mark.parametrize("table", ["claims", "calls"])
def test_parts_make_the_whole(table: str, rows: dict[str, pd.DataFrame]) -> None:
    parts = part_rows(plan(), slices(plan(), [table], 7)).to_pandas()
    pd.testing.assert_frame_equal(parts, rows[table], check_dtype=False)


def test_the_report_judges_where_moments_lie(tmp_path: Path) -> None:
    checked = plan()
    write_tables(checked, tmp_path, format="parquet")
    report = check_directory(checked, tmp_path, "parquet", checked.first, checked.stop_or_span)
    names = ("claims.decided_at", "claims.due_at", "claims.paid_at", "claims.seen_at", "calls.begun_at")
    for name in names:
        (finding,) = [f for f in report.findings_of("relations_hold") if f.subject == name]
        assert finding.passed and finding.judged, finding
    tables = {name: pa.Table.from_pandas(frame, preserve_index=False) for name, frame in generate_tables(checked).items()}
    claims = generate_tables(checked)["claims"]
    claims.loc[claims.index[:7], "seen_at"] = claims.loc[claims.index[:7], "decided_at"] + pd.Timedelta(seconds=1)
    claims.loc[claims.index[:3], "due_at"] = claims.loc[claims.index[:3], "filed_at"] - pd.Timedelta(seconds=1)
    broken = {**tables, "claims": pa.Table.from_pandas(claims, preserve_index=False).cast(tables["claims"].schema)}
    report = check_tables(checked, broken, checked.first, checked.stop_or_span)
    messages = {f.subject: f.message for f in report.findings_of("relations_hold") if not f.passed}
    assert messages["claims.seen_at"].startswith("7 of") and messages["claims.due_at"].startswith("3 of"), messages


def test_explain_says_what_a_moment_follows(rows: dict[str, pd.DataFrame]) -> None:
    claim = rows["claims"].iloc[3]
    period = f"{claim['filed_at']:%Y-%m-%d}"
    steps = {step.name: step for step in explain(plan(), "claims", claim["claim_id"], period, "decided_at").steps}
    days = working_days_between(rows["claims"]["filed_at"], rows["claims"]["decided_at"])[3]
    assert steps["waits"].value == steps["poisson"].value + 2 == days
    assert steps["after"].value == f"{claim['filed_at']:%Y-%m-%dT%H:%M:%S}"
    (call,) = rows["calls"][rows["calls"]["number"] == 2].head(1).to_dict("records")
    key = f"{call['claim_id']},2"
    period = f"{rows['claims'].set_index('claim_id').loc[call['claim_id'], 'filed_at']:%Y-%m-%d}"
    steps = {step.name: step for step in explain(plan(), "calls", key, period, "begun_at").steps}
    assert steps["decided_at"].value == f"{call['decided_at']:%Y-%m-%dT%H:%M:%S}"
    assert 0 < steps["share"].value < 1


def test_a_formula_that_ends_like_a_unit_is_a_formula() -> None:
    for wait in ("hours(2) * days", "days(2)"):
        claims = generate_tables(plan(days="= 3", paid_at={"type": "timestamp", "after": "due_at", "wait": wait}))["claims"]
        hours = 6 if wait.startswith("hours") else 48
        assert (claims["paid_at"] - claims["due_at"] == pd.Timedelta(hours=hours)).all()


def test_days_of_moments_lie_after_days(tmp_path: Path) -> None:
    """Stored as dates, moments are judged by their day; as texts not at all; and an open end of 9999 is one."""
    made_plan = plan(
        decided_at={"type": "timestamp", "after": "filed_at", "wait": "1 hour", "as": "date"},
        paid_at={"type": "timestamp", "after": "filed_at", "wait": "1 hour", "as": "text"},
        open_end={"type": "= moment(date('9999-12-31'))", "hidden": True},
        due_at={"type": "timestamp", "after": "filed_at", "wait": "200000 days"},
        seen_at={"type": "timestamp", "between": ["filed_at", "open_end"]},
    )
    write_tables(made_plan, tmp_path, format="parquet")
    report = check_directory(made_plan, tmp_path, "parquet", made_plan.first, made_plan.stop_or_span)
    subjects = {f.subject for f in report.findings_of("relations_hold") if f.passed and f.judged}
    assert report.score == 100 and "claims.decided_at" in subjects and "claims.paid_at" not in subjects, report.text()
    claims = pq.read_table(tmp_path / "claims.parquet").to_pandas()
    assert {moment.year for moment in claims["due_at"]} == {2572}
    assert max(moment.year for moment in claims["seen_at"]) > 9000


def test_waits_go_by_utc_and_working_days_by_the_clocks() -> None:
    """Over the change of clocks a wait of days is as long as any, and a working day keeps the hour that clocks show."""
    raw = {**RAW, "window": {**RAW["window"], "start": "2024-10-21", "timezone": "Europe/Berlin"}}
    claims = {**RAW["tables"][1]["columns"], "filed_utc": {"type": "timestamp", "zone": "utc"}}
    claims["due_at"] = {"type": "timestamp", "after": "filed_at", "wait": "7 days", "zone": "utc"}
    claims["seen_at"] = {"type": "timestamp", "between": ["filed_utc", "due_at"], "zone": "utc"}
    tables = [RAW["tables"][0], {**RAW["tables"][1], "columns": claims}, RAW["tables"][2]]
    made_plan = from_mapping({**raw, "tables": tables}, name="claims")
    rows = generate_tables(made_plan)["claims"]
    hours = [rows[name] - rows[name].dt.normalize() for name in ("filed_at", "decided_at")]
    assert (hours[0] == hours[1]).all()
    assert rows["seen_at"].between(rows["filed_utc"], rows["due_at"]).all()
    waits = rows["due_at"] - rows["filed_utc"]
    is_doubled = waits != pd.Timedelta(days=7)  # a naive column does not say which of the two hours it was
    assert is_doubled.sum() < 5 and (rows.loc[is_doubled, "filed_at"].dt.date == pd.Timestamp("2024-10-27").date()).all()
    tables = {"claims": pa.Table.from_pandas(rows, preserve_index=False)}
    report = check_tables(made_plan, tables, made_plan.first, made_plan.stop_or_span)
    judged = {f.subject: f.passed for f in report.findings_of("relations_hold")}
    assert judged["claims.seen_at"] and "claims.decided_at" not in judged


def test_of_an_empty_span_a_moment_is_its_beginning() -> None:
    claims = generate_tables(plan(seen_at={"type": "timestamp", "between": ["decided_at", "filed_at"]}))["claims"]
    assert (claims["seen_at"] == claims["decided_at"]).all()


def test_a_date_is_the_moment_at_which_it_begins() -> None:
    columns = {"filed_on": "= date(filed_at)", "paid_at": {"type": "timestamp", "after": "filed_on", "wait": "2 days"}}
    claims = generate_tables(plan(**columns))["claims"]
    assert (claims["paid_at"] == claims["filed_at"].dt.normalize() + pd.Timedelta(days=2)).all()


def test_rows_of_no_period_have_moments_of_their_columns() -> None:
    """Plain rows whose dates others place are in no partition of time, with a window or without."""
    tables = [
        {
            "name": "accounts",
            "rows": 400,
            "columns": {
                "account_id": "id",
                "opened_at": {"type": "faker.date_between", "arguments": {"start_date": "-2y", "end_date": "today"}},
                "closed_on": {"type": "timestamp", "after": "opened_at", "wait": "exponential(200) days", "as": "date"},
                "seen_at": {"type": "timestamp", "between": ["opened_at", "closed_on"]},
            },
        },
        {
            "name": "payments",
            "per": "accounts",
            "rows": [0, 4],
            "columns": {
                "number": "sequence",
                "opened_at": "lookup.accounts.opened_at",
                "closed_on": "lookup.accounts.closed_on",
                "paid_at": {"type": "timestamp", "between": ["opened_at", "closed_on"]},
            },
        },
    ]
    for raw in ({}, {"window": {"start": "2024-01-01", "end": "2024-01-31", "every": "day"}}):
        made_plan = from_mapping({"about": "Accounts", "tables": tables, **raw}, name="accounts")
        assert all(made_plan.table(name).time is None for name in ("accounts", "payments"))
        payments = generate_tables(made_plan)["payments"]
        is_open = payments["closed_on"].astype("datetime64[us]") > payments["opened_at"]
        assert is_open.sum() > 500
        assert payments["paid_at"].between(payments["opened_at"], payments["closed_on"])[is_open].all()
        assert payments.groupby("account_id")["paid_at"].apply(lambda moments: moments.is_monotonic_increasing).all()


@pytest.mark.parametrize("wait", ["2 fortnights", "three days", "filed_at days", "days", "0 days", "-2 working days"])
def test_what_is_no_wait_is_refused(wait: str) -> None:
    with pytest.raises(ConfigError, match="wait"):
        plan(paid_at={"type": "timestamp", "after": "filed_at", "wait": wait})
