"""Treatment: the lift that is declared is the lift that the data shows, and nobody else is touched by it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit, logit

from plotsim_core import ConfigError, Plan, explain, generate_tables
from plotsim_core.engine.roster import Units, select
from plotsim_core.engine.treatment import treated
from plotsim_core.numerics.arrays import Floats
from tests.statistics.samples import FAR, Raw, block_of, correlation, metric, plan_of

START = 4


def plan(
    treatment: Raw | None, units: int = 1000, level: float = 0.4, metrics: list[Raw] | None = None, **more: Any
) -> Plan:
    """Return the plan of units that stay at a level, some of them treated."""
    archetype = [{"curve": "plateau", "level": level, "until": 1.0}]
    segment: Raw = {"name": "only", "count": units, "archetype": archetype, "variation": "none", **more}
    if treatment is not None:
        segment["treatment"] = {"fraction": 0.5, "lift_log_odds": 1.0, "start_period": START, **treatment}
    return plan_of(metrics or [metric("a", "beta")], segments=[segment], periods=12)


def roster(plan: Plan) -> Units:
    """Return all units of a plan."""
    return select(plan.population, 0, plan.population.units)


@pytest.mark.parametrize("level", [0.2, 0.4, 0.7])
@pytest.mark.parametrize("lift", [-1.0, 0.5, 1.0])
def test_the_lift_is_found_within_5_percent_in_stored_means(level: float, lift: float) -> None:
    """The mean of a score runs from 0.1 to 0.9 with the position, so the means of the arms tell their positions."""
    block = block_of(plan({"lift_log_odds": lift}, 20_000, level))
    stored, arm = block.noised(0)[START:], block.units.treated

    def log_odds(values: Floats) -> tuple[float, float]:
        at = (values.mean() - 0.1) / 0.8
        return float(logit(at)), float(values.std() / np.sqrt(values.size) / 0.8 / (at * (1 - at)))

    (up, up_error), (usual, usual_error) = log_odds(stored[:, arm]), log_odds(stored[:, ~arm])
    assert FAR * np.hypot(up_error, usual_error) < 0.05 * abs(lift), "the sample is too small to tell"
    assert abs(up - usual - lift) < 0.05 * abs(lift)


def test_nothing_differs_before_the_start_nor_ever_in_the_control() -> None:
    with_, without = block_of(plan({})), block_of(plan(None))
    arm = with_.units.treated
    changed = with_.noised(0) != without.noised(0)
    assert not changed[:START].any()
    assert not changed[:, ~arm].any()
    assert changed[START:, arm].mean() > 0.95
    assert (with_.positions()[START:, arm] > without.positions()[START:, arm]).all()


def test_a_targeted_treatment_changes_its_metric_and_what_follows_it_and_nothing_else() -> None:
    metrics = [metric("a", "beta"), metric("b", "gamma"), metric("c", "normal", follows="a", delay=1)]
    targeted, without = (block_of(plan(way, metrics=metrics)) for way in ({"target_metric": "a"}, None))
    arm = targeted.units.treated
    assert np.array_equal(targeted.positions(), without.positions())
    assert np.array_equal(targeted.centres(1), without.centres(1))
    for place, start in ((0, START), (2, START + 1)):
        moved = targeted.centres(place) != without.centres(place)
        assert not moved[:start].any()
        assert moved[start:, arm].all()
        assert not moved[:, ~arm].any()
    whole = block_of(plan({}, metrics=metrics))
    assert np.array_equal(whole.centres(0), targeted.centres(0))
    assert (whole.centres(1) != without.centres(1))[START:, arm].mean() > 0.99


def test_log_odds_rise_by_the_lift_and_ends_stay() -> None:
    loaded_plan = plan({"fraction": 1.0, "lift_log_odds": -2.5, "start_period": 0}, 12)
    units, periods = roster(loaded_plan), np.arange(loaded_plan.first, loaded_plan.first + 3)
    before = np.array([[0.0, 1.0, 1e-12, 1 - 1e-12, *np.linspace(0.01, 0.99, 8)]] * 3)
    after = treated(loaded_plan.population, units, periods, before, None)
    assert np.array_equal(after[:, :2], before[:, :2])
    assert np.allclose(after[:, 2:], expit(logit(before[:, 2:]) - 2.5), rtol=1e-12, atol=0)


@pytest.mark.parametrize("fraction", [0.03, 0.1, 0.25, 1 / 3, 0.5, 0.9, 1.0])
def test_the_share_of_the_treated_is_exact_to_within_one_unit_after_every_ten(fraction: float) -> None:
    arm = roster(plan({"fraction": fraction}, 2000)).treated.reshape(-1, 10)
    so_far = arm.sum(axis=1).cumsum()
    assert (np.abs(so_far - 10 * fraction * np.arange(1, 201)) < 1).all()
    assert set(arm.sum(axis=1)) <= {int(np.floor(10 * fraction)), int(np.ceil(10 * fraction))}


def test_every_place_among_ten_is_treated_equally_often_whatever_its_neighbour_is() -> None:
    arm = roster(plan({"fraction": 0.4}, 100_000)).treated.reshape(-1, 10)
    places = arm.sum(axis=0)
    # Four of ten without replacement: a place varies as a binomial, and the ten add up to a constant.
    statistic = ((places - 4000) ** 2 / (10_000 * 0.4 * 0.6)).sum() * 0.9
    assert stats.chi2.sf(statistic, 9) > 1e-4
    together = (arm[:, :-1] & arm[:, 1:]).mean(axis=0)
    expected = 0.4 * 3 / 9
    assert (np.abs(together - expected) < FAR * np.sqrt(expected * (1 - expected) / 10_000)).all()


def test_arms_depend_on_seed_and_segment_and_on_nothing_else() -> None:
    archetype = [{"curve": "linear", "until": 1.0}]

    def arms(*names: str, count: int = 200, seed: int = 11, lift: float = 1.0) -> np.ndarray:
        way = {"fraction": 0.5, "lift_log_odds": lift}
        segments = [{"name": name, "count": count, "archetype": archetype, "treatment": way} for name in names]
        return roster(plan_of([metric("a", "beta")], segments=segments, seed=seed)).treated

    alone = arms("first")
    assert np.array_equal(alone, arms("first", "second")[:200])
    assert np.array_equal(alone, arms("second", "first")[200:])
    assert np.array_equal(alone, arms("first", count=353)[:200])
    assert np.array_equal(alone, arms("first", lift=-3.0))
    for other in (arms("second"), arms("first", seed=12)):
        assert abs(correlation(alone.astype(np.float64), other.astype(np.float64))[0]) < FAR / np.sqrt(200)


def test_any_slice_of_units_has_the_arms_of_the_whole() -> None:
    loaded_plan = plan({"fraction": 0.35}, 47)
    arm = roster(loaded_plan).treated
    for start in range(47):
        for stop in range(start + 1, 48):
            assert np.array_equal(select(loaded_plan.population, start, stop).treated, arm[start:stop])


@pytest.mark.parametrize(
    "arrival",
    [
        {"kind": "uniform", "start": 0, "end": 9},
        {"kind": "linear", "start": 0, "end": 9},
        {"kind": "explicit", "start_periods": list(range(10)) * 2000},
    ],
    ids=["uniform", "linear", "in turn"],
)
def test_arms_are_independent_of_arrival(arrival: Raw) -> None:
    units = roster(plan({"fraction": 0.4}, 20_000, arrival=arrival))
    table = np.array([np.bincount(units.arrival[units.treated == arm] - units.arrival.min()) for arm in (True, False)])
    assert stats.chi2_contingency(table).pvalue > 1e-4
    assert np.array_equal(units.arrival, roster(plan(None, 20_000, arrival=arrival)).arrival)


def test_arms_are_independent_of_size_and_timing() -> None:
    varied: Raw = {"archetype": "growth", "variation": {"level": 0, "timing": 0.1, "size": 0.5}}
    units = roster(plan({}, 20_000, metrics=[metric("a", "gamma")], **varied))
    for trait in (units.size, units.timing):
        estimate, error = correlation(units.treated.astype(np.float64), trait)
        assert abs(estimate) < FAR * error


def test_the_arm_is_a_column_and_null_where_there_is_no_treatment() -> None:
    columns = [{"name": "unit_id", "type": "id"}, {"name": "arm", "type": "segment.treatment"}]
    dimension = {"name": "dim_unit", "per": "unit", "columns": columns}
    way = {"fraction": 0.5, "lift_log_odds": 1.0, "treatment_label": "new", "control_label": "old"}
    segments: list[Raw] = [{"name": name, "count": 40, "archetype": "growth"} for name in ("tried", "left")]
    segments[0]["treatment"] = way
    plan = plan_of([metric("a", "beta")], segments=segments, dimensions=[dimension])
    rows = generate_tables(plan)["dim_unit"]["arm"]
    assert plan.table("dim_unit").columns[1].nullable
    assert (rows[:40] == np.where(roster(plan).treated[:40], "new", "old")).all()
    assert rows[40:].isna().all()
    both = plan_of([metric("a", "beta")], segments=segments[:1], dimensions=[dimension])
    assert not both.table("dim_unit").columns[1].nullable
    with pytest.raises(ConfigError, match="no segment has a `treatment`"):
        plan_of([metric("a", "beta")], segments=segments[1:], dimensions=[dimension])


def test_explain_tells_the_arm_and_what_the_position_would_be_without() -> None:
    loaded_plan = plan({}, 10)
    arm = roster(loaded_plan).treated
    keys = generate_tables(loaded_plan, tables=["dim_unit"])["dim_unit"]["unit_id"]
    for unit, key in enumerate(keys):
        for period, lifted in (("2020-03", False), ("2020-08", bool(arm[unit]))):
            steps = {step.name: step.value for step in explain(loaded_plan, "trajectories", key, period, "trajectory").steps}
            assert steps["arm"] == ("treatment" if arm[unit] else "control")
            assert ("untreated" in steps) == lifted
            assert steps["position"] == pytest.approx(expit(logit(0.4) + lifted), rel=1e-12)
