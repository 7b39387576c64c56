"""Explain recomputes one cell, and its value is the one that the table holds."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pandas as pd
import pytest

import plotsim_core
from plotsim_core.tables.build import find_table
from plotsim_core.tables.stages import STAGES
from tests.laws.made import BRIEF, bundled, unit_keys

CELLS = 12
PLANS = {name: bundled(name) for name in (*BRIEF, "retail")}
NOISY = "{gaussian_sigma: 0.1, outlier_rate: 0.3, mcar_rate: 0.3}"


def _tables(plan: plotsim_core.Plan) -> list[str]:
    """Return the names of facts and stages."""
    return [*(table.name for table in plan.tables if table.kind == "fact"), *STAGES]


@cache
def _frame(name: str, table: str) -> pd.DataFrame:
    return plotsim_core.generate_tables(PLANS[name], tables=[table])[table]


COLUMNS = [
    pytest.param(name, table, column.name, marks=[pytest.mark.slow] * (name != BRIEF[0]))
    for name, plan in PLANS.items()
    for table in _tables(plan)
    for column in find_table(plan, table).columns
]


def _same(value: object, stored: object) -> bool:
    return value is None if pd.isna(stored) else value == stored


@pytest.mark.parametrize(("name", "table", "column"), COLUMNS)
def test_any_column_of_a_fact_or_stage_is_explained_with_the_generated_value(name: str, table: str, column: str) -> None:
    plan, frame = PLANS[name], _frame(name, table)
    for place in np.random.default_rng(7).integers(0, len(frame), CELLS).tolist():
        row = frame.iloc[place]
        key = row[f"{plan.population_of(find_table(plan, table)).unit}_id"]
        actual = plotsim_core.explain(plan, table, key, str(row["date_key"]), column)
        assert _same(actual.value, row[column]), actual.text()
        assert actual.steps[-1].value == actual.value


def test_missing_values_and_outliers_are_explained_as_what_they_are() -> None:
    text = plotsim_core.template("saas").read_text(encoding="utf-8")
    plan = plotsim_core.create_from_yaml(
        "\n".join(f"noise: {NOISY}" if line.startswith("noise:") else line for line in text.splitlines())
    )
    frame = plotsim_core.generate_tables(plan, tables=["fct_revenue"])["fct_revenue"]
    seen = set()
    for place in range(40):
        row = frame.iloc[place * 7]
        actual = plotsim_core.explain(plan, "fct_revenue", row["company_id"], str(row["date_key"]), "mrr")
        steps = {step.name: step.value for step in actual.steps}
        assert _same(actual.value, row["mrr"])
        assert steps["missing"] == pd.isna(row["mrr"])
        if not steps["missing"] and not steps["outlier"]:
            assert math.isclose(steps["true"] + steps["jitter"], actual.value, abs_tol=0.006)
        seen.add((steps["outlier"], steps["missing"]))
    assert len(seen) == 4, "outliers, missing values and neither have all been looked at"


@pytest.mark.parametrize("metric", ["engagement", "mrr", "churn_risk"])
def test_the_parts_of_a_score_add_up_to_it_also_for_a_follower(metric: str) -> None:
    plan = PLANS["saas"]
    row = _frame("saas", "noised_metrics").iloc[500]
    actual = plotsim_core.explain(plan, "noised_metrics", row["company_id"], str(row["date_key"]), metric)
    steps = {step.name: step.value for step in actual.steps}
    parts = [steps.get(name, 0.0) for name in ("level", "shock", "persistence", "lag")]
    assert math.isclose(sum(parts), steps["score"], abs_tol=1e-12)
    assert ("lag" in steps) == (metric == "mrr")


@pytest.mark.parametrize("period", ["2023-06", "2024-12"])
def test_a_history_column_is_explained_as_the_version_valid_in_the_period(period: str) -> None:
    plan = PLANS["saas"]
    state = plotsim_core.generate_tables(plan, tables=["dim_company"], periods=period)["dim_company"]
    current = state.drop_duplicates("company_id", keep="last")
    for _, row in current.sample(CELLS, random_state=1).iterrows():
        actual = plotsim_core.explain(plan, "dim_company", row["company_id"], period, "plan_tier")
        assert actual.value == row["plan_tier"]
        steps = {step.name: step for step in actual.steps}
        assert steps["band"].description.startswith(row["plan_tier"])


def test_rows_of_events_children_dates_and_lists_are_found_by_their_own_key() -> None:
    plan = PLANS["saas"]
    frames = plotsim_core.generate_tables(plan, tables=["evt_login", "evt_churn", "dim_user", "dim_date", "dim_plan"])
    for table, frame in frames.items():
        row = frame.iloc[len(frame) // 2]
        period = str(row["date_key"]) if "date_key" in frame else "2024-12"
        for column in frame.columns:
            actual = plotsim_core.explain(plan, table, str(row.iloc[0]), period, column)
            assert pd.Timestamp(actual.value) == row[column] if column.endswith("_at") else actual.value == row[column]


def test_times_are_found_and_tables_made_of_others_say_so() -> None:
    plan = plotsim_core.create_from_yaml("""
about: Shops
unit: shop
window: [2024-01, 2024-12, month]
metrics: [{ name: visits, type: count, polarity: positive, mean: [2, 30] }]
segments: [{ name: small, count: 5, archetype: growth }]
dimensions:
  - { name: dim_shop, per: unit, columns: [{ name: shop_id, type: id }, { name: owner, type: faker.name }] }
  - { name: dim_time, per: time, every: minute, columns: [{ name: time_key, type: id }, { name: hour, type: int }] }
sources: [{ name: crm }, { name: erp, key_scheme: numeric }]
""")
    assert plotsim_core.explain(plan, "dim_time", "1614", "2024-12", "hour").value == 16
    frames = plotsim_core.generate_tables(plan, tables=["dim_shop_crm", "dim_shop_erp", "source_entity_map"])
    for name, frame in frames.items():
        with pytest.raises(plotsim_core.UsageError, match="ask for those"):
            plotsim_core.explain(plan, name, str(frame.iloc[0, 0]), "2024-12", frame.columns[-1])


_KEY = unit_keys(PLANS["saas"], 0, 1)[0].as_py()
_WRONG = [
    ("fct_revenu", _KEY, "2023-01", "mrr", "did you mean 'fct_revenue'"),
    ("fct_revenue", "COM-" + _KEY[4:-1] + "#", "2023-01", "mrr", f"did you mean '{_KEY}'"),
    ("fct_revenue", "nonsense", "2023-01", "mrr", "keys look like 'COM-"),
    ("fct_revenue", _KEY, "January", "mrr", "write it like 2023-01"),
    ("fct_revenue", _KEY, "2031-01", "mrr", "not in the window 2023-01 to 2024-12"),
    ("fct_revenue", _KEY, "2023-01", "mr", "did you mean 'mrr'"),
    ("dim_plan", "PLA-009", "2023-01", "plan_name", "did you mean 'PLA-00"),
    (
        "evt_churn",
        _KEY,
        "2023-01",
        "churned_at",
        "that is a key of dim_company, and a row of evt_churn is asked for by churn_id;",
    ),
    ("dim_user", _KEY, "2023-01", "role", f"a row of dim_user is asked for by user_id; known: USE-{_KEY[4:]}-001, "),
    ("dim_plan", _KEY, "2023-01", "list_price", "a row of dim_plan is asked for by plan_id; known: PLA-001, "),
    ("fct_revenue", f"USE-{_KEY[4:]}-001", "2023-01", "mrr", f"is asked for by company_id; known: {_KEY}"),
    ("dim_user", f"USE-{_KEY[4:]}-999", "2023-01", "role", f"in 2023-01; did you mean 'USE-{_KEY[4:]}-00"),
]


@pytest.mark.parametrize(("table", "key", "period", "column", "message"), _WRONG)
def test_what_does_not_exist_is_answered_with_the_nearest_that_does(
    table: str, key: str, period: str, column: str, message: str
) -> None:
    with pytest.raises(plotsim_core.UsageError) as raised:
        plotsim_core.explain(PLANS["saas"], table, key, period, column)
    assert message in str(raised.value)


def test_a_row_that_is_not_there_is_answered_with_why() -> None:
    departure = plotsim_core.generate_tables(PLANS["saas"], tables=["evt_churn"])["evt_churn"].iloc[0]
    with pytest.raises(plotsim_core.UsageError, match="its company left in"):
        plotsim_core.explain(PLANS["saas"], "fct_revenue", departure["company_id"], "2024-12", "mrr")
    late = _frame("delivery", "fct_day").drop_duplicates("courier_id").iloc[-1]
    with pytest.raises(plotsim_core.UsageError, match="its courier arrives in"):
        plotsim_core.explain(PLANS["delivery"], "fct_day", late["courier_id"], "2023-01-01", "parcels")
