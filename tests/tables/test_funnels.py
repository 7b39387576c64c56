"""Funnels: steps that rows of a table take until they miss one, with shares by column and by the unit's trajectory, moments
one after the other, and a conversion that follows what was done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from plotsim_core import Plan, explain, from_mapping, generate_tables, manifest, sizes, slices, write_tables
from plotsim_core.errors import UsageError
from plotsim_core.validation.report import check_directory
from tests.laws.test_table_slices import part_rows

STEPS: dict[str, Any] = {"view": 1, "cart": "p_cart", "order": "p_order", "pay": 0.9}
SHARES = {"phone": 0.2, "desktop": 0.45}
RAW: dict[str, Any] = {
    "about": "Visits of a shop's pages",
    "unit": "visitor",
    "window": ["2024-01", "2024-12", "month"],
    "metrics": [{"name": "visits", "type": "count", "polarity": "positive", "mean": [1, 9]}],
    "segments": [
        {"name": "keen", "count": 150, "archetype": "growth"},
        {"name": "bored", "count": 150, "archetype": "decline"},
    ],
    "tables": [
        {
            "name": "visitors",
            "per": "visitor",
            "columns": {
                "visitor_id": "id",
                "is_open": {"type": "= chance(0.4)", "hidden": True},
                "mood": {"type": "choice", "values": ["a", "b"]},
            },
        },
        {
            "name": "sign_up",
            "per": "visitor",
            "rows": {"steps": {"mail": 0.7, "code": "is_open"}},
            "columns": {"place": "sequence", "step": "step"},
        },
        {
            "name": "sessions",
            "per": ["visitor", "period"],
            "rows": {"poisson": "visits"},
            "columns": {
                "session_id": "id",
                "started_at": "timestamp",
                "device": {"type": "choice", "values": {"phone": 3, "desktop": 2}},
                "pages": "= 1 + poisson(4)",
                "position": "trajectory",
                "p_cart": {"type": "= where(device == 'phone', 0.2, 0.45)", "hidden": True},
                "p_order": {"type": "= 1 / (1 + exp(4 - 0.6 * pages - 2 * position))", "hidden": True},
                "steps": "count.funnel",
                "furthest": "last.funnel.step",
                "ended_at": "last.funnel.at",
            },
        },
        {
            "name": "funnel",
            "per": "sessions",
            "rows": {"steps": STEPS},
            "columns": {
                "number": "sequence",
                "step": "step",
                "gap": "= round(exponential(90), 3)",
                "at": {"type": "timestamp", "after": "previous", "wait": "seconds(gap)"},
            },
        },
    ],
}


def plan(steps: Any = STEPS, **columns: Any) -> Plan:
    """The plan with other steps, and other columns of the funnel."""
    *others, sessions, funnel = RAW["tables"]
    shown = {name: {**sessions["columns"][name], "hidden": name in steps.values()} for name in ("p_cart", "p_order")}
    others = [*others, {**sessions, "columns": {**sessions["columns"], **shown}}]
    funnel = {**funnel, "rows": {"steps": steps}, "columns": {**funnel["columns"], **columns}}
    return from_mapping({**RAW, "tables": [*others, funnel]}, name="visits")


@pytest.fixture(scope="module")
def rows() -> dict[str, pd.DataFrame]:
    return generate_tables(plan())


def reached(rows: dict[str, pd.DataFrame], step: str) -> pd.Series:
    """Whether each session took a step."""
    sessions = rows["sessions"]["session_id"]
    return sessions.isin(rows["funnel"].loc[rows["funnel"]["step"] == step, "session_id"])


def test_each_session_takes_a_prefix_of_the_steps_each_once(rows: dict[str, pd.DataFrame]) -> None:
    names = list(STEPS)
    funnel = rows["funnel"]
    assert (funnel["step"] == funnel["number"].map(dict(enumerate(names, 1)))).all()
    assert not funnel.duplicated(["session_id", "step"]).any()
    sessions = rows["sessions"]
    counts = funnel.groupby("session_id").size().reindex(sessions["session_id"], fill_value=0).to_numpy()
    highest = funnel.groupby("session_id")["number"].max().reindex(sessions["session_id"]).to_numpy()
    assert (counts == highest).all()
    assert (sessions["steps"].to_numpy() == counts).all()
    assert (sessions["furthest"] == pd.Series(counts).map(dict(enumerate(names, 1)))).all()


def test_shares_follow_a_column_within_three_deviations(rows: dict[str, pd.DataFrame]) -> None:
    takes_cart = reached(rows, "cart")
    for device, share in SHARES.items():
        is_device = rows["sessions"]["device"] == device
        count = int(is_device.sum())
        assert takes_cart[is_device].mean() == pytest.approx(share, abs=3 * np.sqrt(share * (1 - share) / count))
    orders, pays = reached(rows, "order").sum(), reached(rows, "pay").sum()
    assert pays / orders == pytest.approx(0.9, abs=3 * np.sqrt(0.09 / orders))


def logistic(features: np.ndarray[Any, Any], truths: np.ndarray[Any, Any]) -> tuple[Any, Any]:
    """Return the coefficients of a logistic regression and their standard errors, by Newton's method."""
    design = np.column_stack([np.ones(len(features)), features])
    coefficients = np.zeros(design.shape[1])
    for _ in range(30):
        chances = 1 / (1 + np.exp(-design @ coefficients))
        information = design.T @ (design * (chances * (1 - chances))[:, None])
        coefficients += np.linalg.solve(information, design.T @ (truths - chances))
    return coefficients, np.sqrt(np.diag(np.linalg.inv(information)))


def auc(scores: np.ndarray[Any, Any], truths: np.ndarray[Any, Any]) -> float:
    """Return the area under the curve of scores: how often a true one has the higher score, ties counted half."""
    ranks = pd.Series(scores).rank().to_numpy()
    hits = int(truths.sum())
    return float((ranks[truths].sum() - hits * (hits + 1) / 2) / (hits * (len(truths) - hits)))


def test_odds_follow_what_was_done_and_the_trajectory(rows: dict[str, pd.DataFrame]) -> None:
    """A regression over sessions with a cart finds the declared odds within its standard errors."""
    has_cart = reached(rows, "cart")
    sessions = rows["sessions"][has_cart]
    estimates, errors = logistic(
        sessions[["pages", "position"]].to_numpy(float), reached(rows, "order")[has_cart].to_numpy()
    )
    assert np.all(np.abs(estimates - [-4, 0.6, 2]) < 3.5 * errors), (estimates, errors)


def test_a_model_on_the_sessions_own_columns_tells_who_converts(rows: dict[str, pd.DataFrame]) -> None:
    """Learnt on one half of the sessions, judged on the other: an AUC above .65, and none where nothing is declared."""
    sessions = rows["sessions"]
    features = np.column_stack([sessions["device"] == "desktop", sessions["pages"], sessions["position"]]).astype(float)
    is_learnt = np.arange(len(sessions)) % 2 == 0
    scores = {}
    plain_steps = {"view": 1, "cart": 0.3, "order": 0.5, "pay": 0.9}
    for name, data in (("declared", rows), ("plain", generate_tables(plan(plain_steps)))):
        converts = reached(data, "pay").to_numpy()
        coefficients, _ = logistic(features[is_learnt], converts[is_learnt])
        scores[name] = auc(features[~is_learnt] @ coefficients[1:], converts[~is_learnt])
    assert scores["declared"] > 0.65
    assert scores["plain"] == pytest.approx(0.5, abs=0.03)


def test_labels_decide_steps_and_follow_them() -> None:
    """A label is the share of a step, and another label, written before it, has odds that follow how many were taken."""
    *others, sessions, funnel = RAW["tables"]
    is_glad = {"type": "label", "odds": "steps", "rate": 0.3}
    p_order = {"type": "label", "odds": "0.6 * pages", "rate": 0.4}
    columns = {"is_glad": is_glad, **sessions["columns"], "p_order": p_order}
    data = generate_tables(
        from_mapping({**RAW, "tables": [*others, {**sessions, "columns": columns}, funnel]}, name="visits")
    )
    sessions = data["sessions"]
    assert (reached(data, "order") == (reached(data, "cart") & sessions["p_order"])).all()
    glad_shares = sessions.groupby("steps")["is_glad"].mean()
    log_odds = np.log(glad_shares / (1 - glad_shares))
    assert np.diff(log_odds) == pytest.approx([1, 1, 1], abs=0.6)
    assert sessions["is_glad"].mean() == pytest.approx(0.3, abs=0.03)


def test_moments_come_one_wait_after_the_other(rows: dict[str, pd.DataFrame]) -> None:
    funnel = rows["funnel"].merge(rows["sessions"][["session_id", "started_at", "ended_at"]], on="session_id")
    waits = funnel.groupby("session_id")["gap"].cumsum()
    seconds = (funnel["at"] - funnel["started_at"]) / pd.Timedelta("1s")
    assert np.allclose(seconds, waits, atol=1e-5)
    assert ((funnel["at"] >= funnel["started_at"]) & (funnel["at"] <= funnel["ended_at"])).all()
    assert funnel["gap"].mean() == pytest.approx(90, abs=3 * 90 / np.sqrt(len(funnel)))


def test_units_take_steps_once(rows: dict[str, pd.DataFrame]) -> None:
    counts = rows["sign_up"]["step"].value_counts()
    assert counts["mail"] / 300 == pytest.approx(0.7, abs=3 * np.sqrt(0.21 / 300))
    assert counts["code"] / counts["mail"] == pytest.approx(0.4, abs=3 * np.sqrt(0.24 / counts["mail"]))


@pytest.mark.parametrize("table", ["sign_up", "sessions", "funnel"])
def test_parts_make_the_whole(table: str, rows: dict[str, pd.DataFrame]) -> None:
    parts = part_rows(plan(), slices(plan(), [table], 5)).to_pandas()
    pd.testing.assert_frame_equal(parts, rows[table], check_dtype=False)


def test_a_later_end_moves_no_step(rows: dict[str, pd.DataFrame]) -> None:
    window = {"start": "2024-01", "end": "2025-03", "every": "month", "span": 12}
    longer = generate_tables(from_mapping({**RAW, "window": window}, name="visits"))
    for name in ("sessions", "funnel"):
        first_year = longer[name][longer[name]["date_key"] < 20250101].reset_index(drop=True)
        pd.testing.assert_frame_equal(first_year, rows[name], check_dtype=False)


def test_waits_begin_at_the_recorded_moment() -> None:
    """With clocks that go wrong, a session and its steps are recorded by one of them."""
    noisy = generate_tables(from_mapping({**RAW, "noise": {"temporal_jitter": 0.5}}, name="visits"))
    funnel = noisy["funnel"].merge(noisy["sessions"][["session_id", "started_at"]], on="session_id")
    waits = funnel.groupby("session_id")["gap"].cumsum()
    assert np.allclose((funnel["at"] - funnel["started_at"]) / pd.Timedelta("1s"), waits, atol=1e-5)


def test_kept_rows_wait_for_those_that_are_dropped(rows: dict[str, pd.DataFrame]) -> None:
    """A row that `where` drops keeps its wait: the others have the moments that they have among all."""
    *others, funnel = RAW["tables"]
    filtered_rows = generate_tables(
        from_mapping({**RAW, "tables": [*others, {**funnel, "where": "gap > 40"}]}, name="visits")
    )
    expected = rows["funnel"][rows["funnel"]["gap"] > 40].reset_index(drop=True)
    pd.testing.assert_frame_equal(filtered_rows["funnel"], expected, check_dtype=False)
    last = expected.groupby("session_id")["step"].last()
    sessions = filtered_rows["sessions"].set_index("session_id")
    assert (sessions["furthest"].dropna() == last.reindex(sessions["furthest"].dropna().index)).all()
    assert sessions["furthest"].isna().sum() == (~sessions.index.isin(last.index)).sum() > 0


def test_another_share_moves_no_step_before_it(rows: dict[str, pd.DataFrame]) -> None:
    others = generate_tables(plan({"view": 1, "cart": "p_cart", "order": 0.1, "thanks": 0.5}))["funnel"]
    before = rows["funnel"][rows["funnel"]["number"] <= 2].reset_index(drop=True)
    pd.testing.assert_frame_equal(others[others["number"] <= 2].reset_index(drop=True), before)
    more = generate_tables(plan({**STEPS, "thanks": 0.5}))["funnel"]
    pd.testing.assert_frame_equal(more[more["number"] <= 4].reset_index(drop=True), rows["funnel"], check_dtype=False)


def test_a_wait_that_is_null_leaves_no_moment_after_it() -> None:
    at = {"type": "timestamp", "after": "previous", "wait": "seconds(where(gap > 90, null, gap))"}
    funnel = generate_tables(plan(at=at))["funnel"]
    is_unknown = (funnel["gap"] > 90).groupby(funnel["session_id"]).cummax()
    assert (funnel["at"].isna() == is_unknown).all()


def test_a_wait_below_zero_is_none() -> None:
    at = {"type": "timestamp", "after": "previous", "wait": "seconds(gap - 90)"}
    rows = generate_tables(plan(at=at))
    funnel = rows["funnel"].merge(rows["sessions"][["session_id", "started_at"]], on="session_id")
    waits = (funnel["gap"] - 90).clip(lower=0).groupby(funnel["session_id"]).cumsum()
    assert np.allclose((funnel["at"] - funnel["started_at"]) / pd.Timedelta("1s"), waits, atol=1e-5)


def test_steps_are_no_number_in_all() -> None:
    jobs = {"name": "jobs", "rows": 30, "columns": {"job_id": "id"}}
    tries = {"name": "tries", "per": "jobs", "rows": {"steps": {"a": 1, "b": 0.5}}, "columns": {"number": "sequence"}}
    with pytest.raises(UsageError, match="rows of tries are steps, as many as are taken"):
        from_mapping({"about": "Jobs", "tables": [jobs, tries]}, name="jobs", table_rows={"tries": 9})


def test_sizes_are_told_beforehand(rows: dict[str, pd.DataFrame]) -> None:
    for size in sizes(plan()):
        if size.table in rows:
            assert size.rows == pytest.approx(len(rows[size.table]), rel=0.03), size.table


def test_the_report_judges_each_step(tmp_path: Path) -> None:
    """It finds the declared shares in what is written, and steps that are taken too often."""
    made_plan = plan()
    write_tables(made_plan, tmp_path, format="parquet")
    assert made_plan.stop is not None
    report = check_directory(made_plan, tmp_path, "parquet", made_plan.first, made_plan.stop)
    assert report.score == 100, report.text()
    judged = {finding.subject for finding in report.findings_of("steps_as_declared") if finding.judged}
    assert judged == {"funnel.cart", "funnel.order", "funnel.pay", "sign_up.mail", "sign_up.code"}
    other_plan = plan({**STEPS, "order": 0.5})
    report = check_directory(other_plan, tmp_path, "parquet", made_plan.first, made_plan.stop)
    wrong = {finding.subject for finding in report.findings_of("steps_as_declared") if not finding.passed}
    assert wrong == {"funnel.order"}


@pytest.mark.parametrize("step", [1, -2])
def test_the_report_compares_the_last_row(step: int, tmp_path: Path) -> None:
    """Of a session whose furthest step, or whose end, is another row's."""
    made_plan = plan(number={"type": "sequence", "step": step})
    write_tables(made_plan, tmp_path, format="parquet")
    assert made_plan.stop is not None
    for name, other in (("furthest", "view"), ("ended_at", pd.Timestamp("2024-06-01"))):
        report = check_directory(made_plan, tmp_path, "parquet", made_plan.first, made_plan.stop)
        assert [finding.subject for finding in report.findings_of("relations_hold") if not finding.passed] == []
        file = tmp_path / "sessions.parquet"
        table = pq.read_table(file)
        sessions = table.to_pandas()
        sessions.loc[sessions["furthest"] == "pay", name] = other
        pq.write_table(pa.Table.from_pandas(sessions, schema=table.schema), file)
        report = check_directory(made_plan, tmp_path, "parquet", made_plan.first, made_plan.stop)
        wrong = [finding.subject for finding in report.findings_of("relations_hold") if not finding.passed]
        assert wrong == [f"sessions.{name}"]
        pq.write_table(table, file)


def test_explain_and_manifest_tell_the_chances(rows: dict[str, pd.DataFrame]) -> None:
    sessions = rows["sessions"].set_index("session_id")
    row = rows["funnel"][rows["funnel"]["step"] == "order"].iloc[0]
    session = sessions.loc[row["session_id"]]
    steps = {step.name: step for step in explain(plan(), "funnel", f"{row['session_id']},3", "2024-01", "step").steps}
    assert steps["cart"].value == SHARES[session["device"]]
    assert "pay" not in steps
    assert steps["order"].value == pytest.approx(
        1 / (1 + np.exp(4 - 0.6 * session["pages"] - 2 * session["position"])), abs=1e-3
    )
    steps = {step.name: step for step in explain(plan(), "funnel", f"{row['session_id']},3", "2024-01", "at").steps}
    assert steps["waits"].value == pytest.approx((row["at"] - session["started_at"]) / pd.Timedelta("1s"), abs=1e-5)
    assert manifest(plan())["tables"]["funnel"]["steps"] == STEPS
