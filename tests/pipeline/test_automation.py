"""The automation conditions of an open window ask for what its schedules ask for, and where they do not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from plotsim_core import Plan
from plotsim_core.output.partitions import keys_between
from plotsim_pipeline.datasets import definitions_of
from plotsim_pipeline.partitions import periods_in
from plotsim_pipeline.schedules import requests
from plotsim_pipeline.stores.store import Store
from tests.pipeline.support import END, START, materialise, plan_of, store_at
from tests.pipeline.test_freshness import TABLES, shops

WHOLE = {"overview", "manifest"}


class Looked:
    """A sensor that evaluates the conditions of a dataset, as often as it is asked, with its cursor."""

    def __init__(self, plan: Plan, instance: dg.DagsterInstance) -> None:
        self.plan, self.instance, self.cursor = plan, instance, None
        self.definitions = definitions_of([plan])

    def at(self, moment: str) -> dict[str, list[str]]:
        """Return the partitions that are asked for at a moment in UTC, by asset; none for an asset without partitions."""
        result: Any = dg.evaluate_automation_conditions(
            self.definitions,
            self.instance,
            dg.AssetSelection.groups(self.plan.name),
            datetime.fromisoformat(moment).replace(tzinfo=UTC),
            self.cursor,
        )
        self.cursor = result.cursor
        subsets = {one.key.path[-1]: one.true_subset for one in result.results if one.true_subset.size}
        return {
            name: [] if name in WHOLE else sorted(subset.expensively_compute_partition_keys())
            for name, subset in subsets.items()
        }


def scheduled(plan: Plan, store: Store, instance: dg.DagsterInstance, moment: str) -> list[str]:
    """Return the partitions that the increment's schedule asks for at a moment."""
    actual = requests(plan, store, instance, datetime.fromisoformat(moment).replace(tzinfo=UTC))
    keys: list[str] = []
    for request in [] if isinstance(actual, dg.SkipReason) else actual:
        first, last = (request.tags.get(tag) or request.partition_key for tag in (START, END))
        assert first is not None and last is not None
        keys += keys_between(plan, periods_in(plan, first)[0], periods_in(plan, last)[1])
    return keys


@pytest.fixture
def instance() -> Iterable[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


def every(keys: Sequence[str]) -> dict[str, list[str]]:
    return {name: list(keys) for name in TABLES}


@pytest.mark.parametrize(
    ("window", "before", "tick"),
    [
        pytest.param({"every": "hour"}, "2024-03-01T02:00", "2024-03-01T02:11", marks=pytest.mark.slow),
        ({}, "2024-03-01T02:00", "2024-03-01T02:31"),
        ({"every": "week"}, "2024-03-04T02:00", "2024-03-04T02:31"),
        ({"partition": "month"}, "2024-03-01T02:00", "2024-03-01T02:31"),
        ({"every": "hour", "partition": "day"}, "2024-03-01T02:00", "2024-03-01T02:31"),
    ],
)
def test_on_a_blank_instance_they_ask_as_the_schedule_does(
    window: dict[str, str], before: str, tick: str, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    """At the tick, once, for the latest complete partition of every table and the report; not for the stages."""
    plan, store = shops(**window), store_at("duckdb", tmp_path)
    sensor = Looked(plan, instance)
    assert sensor.at(before) == {}
    keys = scheduled(plan, store, instance, tick)
    assert len(keys) == 1
    requested_keys = sensor.at(tick)
    assert {name: requested_keys[name] for name in set(requested_keys) - WHOLE} == every(keys)
    assert sensor.at(tick[:-1] + "9") == {}


@pytest.mark.slow
def test_they_catch_up_as_the_schedule_does(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    """What was made is not asked for; what is missing since the sensor first looked is, after a week without a daemon too;
    what was asked for and failed is asked for again."""
    plan, store = shops(), store_at("duckdb", tmp_path)
    materialise(plan, store, ["2024-03-01", "2024-03-02", "2024-03-03"], instance=instance)
    sensor = Looked(plan, instance)
    for moment in ("2024-03-04T02:00", "2024-03-04T02:31"):
        assert sensor.at(moment) == {} and scheduled(plan, store, instance, moment) == []
    for moment, days in (("2024-03-12T02:31", range(4, 12)), ("2024-03-13T02:31", range(4, 13))):
        missing = [f"2024-03-{day:02d}" for day in days]
        requested_keys = sensor.at(moment)
        assert {name: requested_keys[name] for name in TABLES} == every(missing)
        assert scheduled(plan, store, instance, moment) == missing


@pytest.mark.slow
def test_they_know_no_gap_before_they_were_switched_on(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    """The difference: the schedule fills it, since it knows what was made first."""
    plan, store = shops(), store_at("duckdb", tmp_path)
    materialise(plan, store, ["2024-03-01", "2024-03-02", "2024-03-03"], instance=instance)
    sensor = Looked(plan, instance)
    sensor.at("2024-03-08T02:00")
    assert sensor.at("2024-03-08T02:31") == every(["2024-03-07"])
    assert scheduled(plan, store, instance, "2024-03-08T02:31") == [f"2024-03-{day:02d}" for day in range(4, 8)]


@pytest.mark.slow
def test_they_ask_the_records_and_not_the_store(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    """The other difference: what was lost from the store the schedule makes again."""
    plan, store = shops(), store_at("duckdb", tmp_path)
    days = ["2024-03-01", "2024-03-02", "2024-03-03"]
    materialise(plan, store, days, instance=instance)
    store.drop(plan.name, "fct_visits")
    sensor = Looked(plan, instance)
    sensor.at("2024-03-04T02:00")
    assert sensor.at("2024-03-04T02:31") == {}
    assert scheduled(plan, store, instance, "2024-03-04T02:31") == days


def test_the_whole_is_told_when_its_schedule_would(instance: dg.DagsterInstance) -> None:
    """Overview and manifest on Monday mornings, whatever was made."""
    sensor = Looked(shops(), instance)
    sensor.at("2024-03-08T02:00")
    days = {day: set(sensor.at(f"2024-03-{day:02d}T04:31")) & WHOLE for day in range(8, 15)}
    assert {day for day, names in days.items() if names} == {11} and days[11] == WHOLE


def test_they_are_off_and_on_open_windows_only() -> None:
    """Nobody who has the schedules gets anything twice; a window that is over has no condition."""
    opened, closed = definitions_of([shops()]), definitions_of([plan_of("saas")])
    sensor = next(s for s in opened.sensors or () if isinstance(s, dg.AutomationConditionSensorDefinition))
    assert sensor.name == "shops_automation" and sensor.default_status == dg.DefaultSensorStatus.STOPPED
    conditions = [
        {spec.key.path[-1] for spec in actual.resolve_all_asset_specs() if spec.automation_condition is not None}
        for actual in (opened, closed)
    ]
    assert conditions == [TABLES | WHOLE, set()]
    assert not [sensor for sensor in closed.sensors or () if isinstance(sensor, dg.AutomationConditionSensorDefinition)]
