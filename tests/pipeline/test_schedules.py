"""The increment's schedule makes the latest complete partition and catches up with what was missed; it asks for nothing
twice, and for nothing outside the window."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from plotsim_core import Plan, from_mapping
from plotsim_pipeline.datasets import dataset_definitions, definitions_of
from plotsim_pipeline.partitions import end_of
from plotsim_pipeline.schedules import requests
from plotsim_pipeline.sensors.reconcile import VALIDATION_REPORT
from plotsim_pipeline.stores.duckdb import DuckDBStore
from plotsim_pipeline.stores.store import Partition, Partitions, Store
from tests.pipeline.support import END, START, content, keys_of, materialise, plan_of, store_at

SMALL = {
    "about": "Shops",
    "unit": "shop",
    "window": {"start": "2024-01-01", "every": "day", "span": 365},
    "metrics": [{"name": "visits", "type": "count", "polarity": "positive", "mean": [2, 30]}],
    "segments": [{"name": "all", "count": 4, "archetype": "growth"}],
}


def small(**window: Any) -> Plan:
    """An open window of days from 2024-01-01, or as the window says."""
    return from_mapping({**SMALL, "window": {**SMALL["window"], **window}}, name="shops")  # type: ignore[dict-item]


class Holding(DuckDBStore):
    """A store that holds what it is told, by table and key."""

    partitions: dict[str, list[str]]

    def intact_partitions(self, dataset: str) -> Partitions:
        return {table: {key: Partition(1, "digest") for key in keys} for table, keys in self.partitions.items()}


def tick(plan: Plan, store: Store, moment: str, instance: dg.DagsterInstance) -> list[tuple[str, str]]:
    """Return (first, last) key of each run that the schedule asks for at a moment in UTC; none where it says why not."""
    actual = requests(plan, store, instance, datetime.fromisoformat(moment).replace(tzinfo=UTC))
    return [] if isinstance(actual, dg.SkipReason) else [range_of(request) for request in actual]


def ticked(plan: Plan, store: Store, moment: str, instance: dg.DagsterInstance) -> list[dg.RunRequest]:
    """Return what the schedule itself asks for, as the daemon evaluates it."""
    repository = definitions_of([plan]).get_repository_def()
    now, resources = datetime.fromisoformat(moment).replace(tzinfo=UTC), {"store": store}
    with dg.build_schedule_context(
        instance, scheduled_execution_time=now, repository_def=repository, resources=resources
    ) as context:
        return list(repository.get_schedule_def(f"{plan.name}_increment").evaluate_tick(context).run_requests or ())


def range_of(request: dg.RunRequest) -> tuple[str, str]:
    key = request.partition_key
    return (key, key) if key is not None else (request.tags[START], request.tags[END])


def store_with(plan: Plan, keys: Iterable[str] = (), but: str = "", only: Iterable[str] = ()) -> Holding:
    """Return a store that holds partitions of all tables and the report; but the days `only` of a table not."""
    some = sorted(keys)
    partitions: dict[str, list[str]] = {VALIDATION_REPORT: some}
    for table in plan.tables:
        partitions[table.name] = some if table.time is not None else [end_of(plan, key) for key in some[-1:]]
    if but:
        partitions[but] = [key for key in partitions[but] if key not in set(only)]
    return Holding(
        path="nowhere.duckdb", partitions={name: partition for name, partition in partitions.items() if partition}
    )


def days(first: int, stop: int) -> list[str]:
    return [f"2024-03-{day:02d}" for day in range(first, stop)]


@pytest.fixture
def instance() -> Iterable[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


@pytest.mark.parametrize(
    ("window", "moment", "key"),
    [
        ({"every": "15 minutes"}, "2024-03-01T02:15", "2024-03-01-02:00"),
        ({"every": "15 minutes", "partition": "hour"}, "2024-03-01T02:10", "2024-03-01-01:00"),
        ({"every": "hour"}, "2024-03-01T02:10", "2024-03-01-01:00"),
        ({}, "2024-03-01T02:30", "2024-02-29"),
        ({"every": "week"}, "2024-03-04T02:30", "2024-02-26"),
        ({"every": "month"}, "2024-03-01T02:30", "2024-02-01"),
        ({"every": "quarter"}, "2024-04-01T02:30", "2024-01-01"),
        ({"partition": "week"}, "2024-03-04T02:30", "2024-02-26"),
        ({"partition": "month"}, "2024-03-31T23:59", "2024-02-01"),
        ({"partition": "quarter"}, "2024-04-01T02:30", "2024-01-01"),
        ({"partition": "year"}, "2025-01-01T02:30", "2024-01-01"),
        ({"every": "hour", "partition": "day"}, "2024-03-01T02:10", "2024-02-29"),
    ],
)
def test_on_a_blank_instance_it_is_the_latest_complete_partition(
    window: dict[str, str], moment: str, key: str, instance: dg.DagsterInstance
) -> None:
    """However long the window is open already: a schedule that is switched on makes no backfill."""
    assert tick(small(**window), store_with(small(**window)), moment, instance) == [(key, key)]


def test_moments_are_utc(instance: dg.DagsterInstance) -> None:
    """Half past midnight of March in Tokyo is still February."""
    tokyo = datetime(2024, 3, 1, 0, 30, tzinfo=timezone(timedelta(hours=9)))
    plan = small(partition="month")
    actual = requests(plan, store_with(plan), instance, tokyo)
    assert isinstance(actual, list) and actual[0].partition_key == "2024-01-01"


def test_missed_days_are_one_run(instance: dg.DagsterInstance) -> None:
    """Five days without a tick are a range; a day that lies before, too, in a run of its own."""
    plan = small()
    store = store_with(plan, [*days(1, 4), *days(5, 8)])
    assert tick(plan, store, "2024-03-13T02:30", instance) == [("2024-03-04", "2024-03-04"), ("2024-03-08", "2024-03-12")]


def test_a_table_that_lacks_a_day_is_caught_up(instance: dg.DagsterInstance) -> None:
    plan = small()
    store = store_with(plan, days(1, 8), but="fct_visits", only=days(5, 6))
    assert tick(plan, store, "2024-03-08T02:30", instance) == [("2024-03-05", "2024-03-05")]


def test_what_is_made_is_not_asked_for(instance: dg.DagsterInstance) -> None:
    plan = small()
    answer = requests(plan, store_with(plan, days(1, 8)), instance, datetime(2024, 3, 8, 2, 30, tzinfo=UTC))
    assert isinstance(answer, dg.SkipReason)
    assert answer.skip_message == "shops is made, or being made, from 2024-03-01 to 2024-03-07"


@pytest.mark.parametrize(
    ("job", "tags"),
    [
        ("shops", {START: "2024-03-03", END: "2024-03-05"}),
        ("shops_increment", {START: "2024-03-03", END: "2024-03-05"}),
        ("__ASSET_JOB", {START: "2024-03-03", END: "2024-03-05"}),
    ],
)
def test_nothing_is_asked_for_while_a_run_makes_it(job: str, tags: dict[str, str], instance: dg.DagsterInstance) -> None:
    """Be it a run of the job, of the schedule, or of a backfill; what it fails to make is asked for at the next tick."""
    plan = small()
    store = store_with(plan, days(1, 3))
    selection = frozenset({dg.AssetKey(["shops", "fct_visits"])}) if job == "__ASSET_JOB" else None
    run = dg.DagsterRun(job_name=job, status=dg.DagsterRunStatus.STARTED, tags=tags, asset_selection=selection)
    other = dg.DagsterRun(job_name="other", status=dg.DagsterRunStatus.STARTED, tags={"dagster/partition": "2024-03-06"})
    for known in (run, other):
        instance.add_run(known)
    assert tick(plan, store, "2024-03-07T02:30", instance) == [("2024-03-06", "2024-03-06")]
    instance.report_run_failed(run)
    assert tick(plan, store, "2024-03-07T03:30", instance) == [("2024-03-03", "2024-03-06")]


def test_a_run_key_is_of_its_tick(instance: dg.DagsterInstance) -> None:
    """The daemon that evaluates a tick again launches nothing twice; a later tick may ask for the same days."""
    plan = small()
    ticks = [requests(plan, store_with(plan), instance, datetime(2024, 3, 8, hour, tzinfo=UTC)) for hour in (2, 2, 3)]
    keys = [request.run_key for tick in ticks if isinstance(tick, list) for request in tick]
    assert keys[0] == keys[1] == "2024-03-07...2024-03-07 at 2024-03-08 02:00"
    assert keys[2] != keys[0]


def test_nothing_outside_the_window(instance: dg.DagsterInstance) -> None:
    """Before the window and after it, a tick says why it does nothing; what is missing at its end is still made."""
    plan = plan_of("saas")
    before, after = (
        requests(plan, store_with(plan), instance, datetime(year, 3, 1, 3, tzinfo=UTC)) for year in (2022, 2025)
    )
    assert isinstance(before, dg.SkipReason) and before.skip_message == "the window of saas begins with 2023-01"
    assert isinstance(after, dg.SkipReason) and "is over" in str(after.skip_message)
    store = store_with(plan, ["2024-10-01"])
    assert tick(plan, store, "2025-03-01T03:00", instance) == [("2024-11-01", "2024-12-01")]


def test_off_until_switched_on_and_without_what_judges_the_whole() -> None:
    """No schedule runs until somebody switches it on, a window that is over has none; an increment makes neither overview
    nor manifest."""
    actual = dataset_definitions(small())
    schedules = {
        schedule.name: schedule for schedule in actual.schedules or () if isinstance(schedule, dg.ScheduleDefinition)
    }
    assert set(schedules) == {"shops_increment", "shops_overview"}
    assert not dataset_definitions(plan_of("saas")).schedules
    assert {schedule.default_status for schedule in schedules.values()} == {dg.DefaultScheduleStatus.STOPPED}
    resolved = definitions_of([plan_of("saas")])
    parts = [
        {node.name for node in resolved.resolve_job_def(name).nodes} for name in ("saas_increment", "saas_overview", "saas")
    ]
    assert {"saas__overview", "saas__manifest"} <= parts[1]
    assert parts[0] | parts[1] == parts[2] and not parts[0] & parts[1]


@pytest.mark.slow
def test_days_by_the_schedule_are_the_days_of_a_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A schedule that ticks, misses four days, and ticks again: the store holds what one range of these days gives, and what
    was made before has not changed."""
    plan = small()
    monkeypatch.setenv("PLOTSIM_STORE_PATH", str(tmp_path / "store.duckdb"))
    closed = small(end="2024-03-09")
    store = store_at("duckdb", tmp_path)
    with dg.DagsterInstance.local_temp(str(tmp_path)) as real:
        for moment in ("2024-03-03T02:30", "2024-03-04T02:30", "2024-03-09T02:30", "2024-03-10T02:30"):
            before = {key: rows for key, (rows, _) in store.intact_partitions("shops").get("fct_visits", {}).items()}
            for request in ticked(plan, store, moment, real):
                job = definitions_of([plan]).resolve_job_def("shops_increment")
                tags, key = dict(request.tags), request.partition_key
                assert job.execute_in_process(instance=real, partition_key=key, tags=tags).success
            partitions = {key: rows for key, (rows, _) in store.intact_partitions("shops")["fct_visits"].items()}
            assert before.items() <= partitions.items()
        assert ticked(plan, store, "2024-03-10T03:30", real) == []
    names = [table.name for table in plan.tables]
    whole = store_at("duckdb", tmp_path / "whole")
    materialise(closed, whole, keys_of(closed)[-8:], only=names)
    actual = content(closed, store)
    assert {name: actual[name] for name in names} == content(closed, whole)
