"""Features are what numpy computes from the rows of the fact; a holdout is the end of the fact and nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from plotsim_core import Plan, from_mapping, generate_tables
from plotsim_core.config.holdout import FEATURES
from tests.laws.test_quality import CONFIG, TO_UNIT

SEGMENTS: list[dict[str, Any]] = [
    {"name": "old", "count": 20, "archetype": "growth > decline", "treatment": {"fraction": 0.5, "lift_log_odds": 1}},
    {"name": "new", "count": 20, "archetype": "flat", "arrival": {"kind": "uniform", "start": 0, "end": 11}},
]
ENDING = {
    "name": "evt_close",
    "trigger": "threshold",
    "metric": "mood",
    "below": 0.1,
    "ends_unit": True,
    "columns": [{"name": "close_id", "type": "id"}, *TO_UNIT],
}
RAW = {**CONFIG, "segments": SEGMENTS, "events": [ENDING], "entity_features": True, "noise": {"mcar_rate": 0.2}}
HOLDOUT = {"target": "mood", "periods": 4}
SUMS = ("mean", "std", "slope", "first", "last", "peak_period")


def plan_of(**more: Any) -> Plan:
    return from_mapping({**RAW, **more}, name="learnt")


def by_hand(values: np.ndarray, periods: np.ndarray) -> list[float]:
    """Return the six sums of a unit's values that are there, in the order of `SUMS`."""
    slope = np.polyfit(periods, values, 1)[0] if len(values) > 1 else np.nan
    return [values.mean(), values.std(), slope, values[0], values[-1], periods[np.argmax(values)]]


def hold_sums(features: pd.DataFrame, fact: pd.DataFrame, metrics: list[str]) -> None:
    """Check every unit's sums against those by hand, to the rounding of what is stored."""
    features = features.set_index("shop_id")
    for unit, rows in fact.groupby("shop_id"):
        for metric in metrics:
            present = rows.dropna(subset=[metric])
            actual = features.loc[unit, [f"{metric}_{word}" for word in SUMS]].astype(float).to_numpy()
            if present.empty:
                assert np.isnan(actual).all()
                continue
            periods = (present["date_key"] // 100 % 100 - 1).to_numpy(dtype=float)
            np.testing.assert_allclose(actual, by_hand(present[metric].to_numpy(dtype=float), periods), atol=2e-6)


def test_features_sum_up_the_rows_of_the_fact() -> None:
    tables = generate_tables(plan_of())
    features = tables[FEATURES]
    assert features["visits_slope"].isna().sum() > 0, "some units have one value"
    hold_sums(features, tables["fct_all"], ["visits", "refunds", "mood"])


def test_features_have_the_columns_of_plotsim() -> None:
    """The key, six columns per metric, then what is to be found out."""
    columns = list(generate_tables(plan_of())[FEATURES].columns)
    sums = [f"{metric}_{word}" for metric in ("visits", "refunds", "mood") for word in SUMS]
    assert columns == ["shop_id", *sums, "archetype", "segment", "treatment", "final_trajectory_position"]


def test_labels_are_those_of_the_unit() -> None:
    plan = plan_of()
    tables = generate_tables(plan, tables=[FEATURES, "trajectories", "fct_all"])
    features = tables[FEATURES].set_index("shop_id")
    last = tables["trajectories"].drop_duplicates("shop_id", keep="last").set_index("shop_id")
    assert (features["segment"] == last.loc[features.index, "segment"]).all()
    assert (features["final_trajectory_position"] == last.loc[features.index, "trajectory"]).all()
    assert set(zip(features["segment"], features["archetype"], strict=True)) == {
        ("old", "growth > decline"),
        ("new", "flat"),
    }
    assert features.loc[features["segment"] == "new", "treatment"].isna().all()
    assert features.loc[features["segment"] == "old", "treatment"].nunique() == 2


def test_metrics_and_labels_can_be_chosen() -> None:
    rows = generate_tables(plan_of(entity_features={"metrics": ["refunds"], "include_labels": False}))[FEATURES]
    assert list(rows.columns) == ["shop_id", *(f"refunds_{word}" for word in SUMS)]


def test_false_is_no_features() -> None:
    assert FEATURES not in generate_tables(plan_of(entity_features=False))


def test_a_holdout_is_the_end_of_the_fact() -> None:
    tables = generate_tables(plan_of(holdout=HOLDOUT))
    fact, train, holdout = (tables[f"fct_all{end}"] for end in ("", "_train", "_holdout"))
    pd.testing.assert_frame_equal(pd.concat([train, holdout], ignore_index=True), fact)
    assert train["date_key"].max() == 20240801
    assert holdout["date_key"].min() == 20240901
    assert not [name for name in tables if name.startswith("evt_close_")]


def test_features_know_the_training_periods_only_and_nothing_of_the_target() -> None:
    """As of a period in the middle of them, and as of the end of the window."""
    plan = plan_of(holdout=HOLDOUT)
    tables = generate_tables(plan)
    assert not [name for name in tables[FEATURES].columns if name.startswith("mood")]
    hold_sums(tables[FEATURES], tables["fct_all_train"], ["visits", "refunds"])
    assert set(tables[FEATURES]["shop_id"]) == set(tables["fct_all_train"]["shop_id"])
    early = generate_tables(plan, periods="2024-01..2024-05", tables=[FEATURES, "fct_all"])
    hold_sums(early[FEATURES], early["fct_all"], ["visits", "refunds"])


@pytest.mark.parametrize("period", ["2024-09..2024-10", "2024-12"])
def test_the_training_part_has_no_rows_in_what_is_held_out(period: str) -> None:
    tables = generate_tables(plan_of(holdout=HOLDOUT), periods=period)
    assert len(tables["fct_all_train"]) == 0
    assert len(tables["fct_all_holdout"]) == len(tables["fct_all"]) > 0
