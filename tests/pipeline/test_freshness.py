"""The check `fresh`: whether an open window keeps up, by partition, and without a run."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from plotsim_core import Plan, from_mapping
from plotsim_pipeline.checks.evaluations import FRESH
from plotsim_pipeline.checks.freshness import freshness
from plotsim_pipeline.datasets import dataset_definitions, definitions_of
from plotsim_pipeline.partitions import key_of, latest_complete, partitions_for
from plotsim_pipeline.sensors.reconcile import VALIDATION_REPORT
from plotsim_pipeline.stores.store import Store
from tests.pipeline.support import END, START, materialise, plan_of, store_at

SMALL: dict[str, Any] = {
    "about": "Shops",
    "unit": "shop",
    "metrics": [{"name": "visits", "type": "count", "polarity": "positive", "mean": [2, 30]}],
    "segments": [{"name": "all", "count": 4, "archetype": "growth"}],
}
TABLES = {"dim_date", "dim_shop", "fct_visits", VALIDATION_REPORT}


def shops(start: str = "2024-01-01", **window: Any) -> Plan:
    return from_mapping({**SMALL, "window": {"start": start, "every": "day", "span": 365, **window}}, name="shops")


def late(plan: Plan, store: Store, moment: str, cron: str | None = None) -> tuple[str, set[str]]:
    """Return the partition that is due at a moment in UTC, and the tables that lack it."""
    due = freshness(plan, store, datetime.fromisoformat(moment).replace(tzinfo=UTC), cron)
    assert due is not None and set(due.is_made) == TABLES
    return due.key, {table for table, is_made in due.is_made.items() if not is_made}


@pytest.mark.slow
def test_a_backfill_of_an_old_day_makes_nothing_fresh(tmp_path: Path) -> None:
    """The day that is due is, in each table; nothing else. It is due two hours after the tick of 02:30."""
    plan, store = shops(), store_at("duckdb", tmp_path)
    materialise(plan, store, ["2024-03-05"])
    assert late(plan, store, "2024-03-06T23:00") == ("2024-03-05", set())
    assert late(plan, store, "2024-03-07T04:29") == ("2024-03-05", set())
    assert late(plan, store, "2024-03-07T04:31") == ("2024-03-06", TABLES)
    materialise(plan, store, ["2024-02-01"])
    assert late(plan, store, "2024-03-07T04:31") == ("2024-03-06", TABLES)
    materialise(plan, store, ["2024-03-06"], only=["dim_date", "fct_visits"])
    assert late(plan, store, "2024-03-07T04:31") == ("2024-03-06", {"dim_shop", VALIDATION_REPORT})
    materialise(plan, store, ["2024-03-06"])
    assert late(plan, store, "2024-03-07T04:31") == ("2024-03-06", set())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("window", "moment", "due", "cron"),
    [
        ({"every": "15 minutes"}, "2024-03-01T02:34", "2024-03-01-01:45", None),
        ({"every": "hour"}, "2024-03-01T02:29", "2024-03-01-00:00", None),
        ({"every": "hour"}, "2024-03-01T02:31", "2024-03-01-01:00", None),
        ({"partition": "month"}, "2024-03-01T04:29", "2024-01-01", None),
        ({"partition": "month"}, "2024-03-01T04:31", "2024-02-01", None),
        ({}, "2024-03-07T11:59", "2024-03-05", "0 10 * * *"),
        ({}, "2024-03-07T12:01", "2024-03-06", "0 10 * * *"),
    ],
)
def test_it_is_due_after_the_increment_has_had_time(
    window: dict[str, str], moment: str, due: str, cron: str | None, tmp_path: Path
) -> None:
    """For hours, longer partitions, and a schedule at another time."""
    plan, store = shops(**window), store_at("parquet", tmp_path)
    materialise(plan, store, [key_of(plan, plan.first)])
    assert late(plan, store, moment, cron)[0] == due


def test_nothing_is_due_where_nothing_was_made(tmp_path: Path) -> None:
    assert freshness(shops(), store_at("duckdb", tmp_path), datetime(2024, 3, 7, 12, tzinfo=UTC)) is None


def test_closed_windows_have_no_such_check() -> None:
    closed, opened = (dataset_definitions(plan) for plan in (plan_of("saas"), shops()))
    names = [{key.name for check in one.asset_checks or () for key in check.check_keys} for one in (closed, opened)]
    assert [FRESH in checks for checks in names] == [False, True]
    assert [len(list(one.sensors or ())) for one in (closed, opened)] == [0, 2]


@pytest.mark.slow
def test_it_turns_red_when_nothing_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sensor evaluates the checks without a run, and again only when something has changed."""
    path = tmp_path / "store.duckdb"
    monkeypatch.setenv("PLOTSIM_STORE_PATH", str(path))
    plan, store = shops(str(date.today() - timedelta(days=9))), store_at("duckdb", tmp_path)
    keys = partitions_for(plan).get_partition_keys()
    sensor = definitions_of([plan]).resolve_sensor_def("shops_fresh")

    def ticked(instance: dg.DagsterInstance, cursor: str | None) -> dg.SensorResult | Any:
        with dg.build_sensor_context(instance, cursor=cursor, resources={"store": store}) as context:
            result = sensor.evaluate_tick(context)
        for event in result.asset_events:
            instance.report_runless_asset_event(event)
        return result

    def shown(instance: dg.DagsterInstance) -> set[str]:
        checks = [dg.AssetCheckKey(dg.AssetKey(["shops", table]), FRESH) for table in TABLES]
        latest = instance.event_log_storage.get_latest_asset_check_execution_by_key(checks)
        return {record.status.value for record in latest.values()}

    with dg.DagsterInstance.ephemeral() as instance:
        assert ticked(instance, None).skip_message == "nothing of shops is due yet"
        materialise(plan, store, keys[:5])
        red = ticked(instance, None)
        assert len(red.asset_events) == len(TABLES) and shown(instance) == {"FAILED"}
        assert {event.severity for event in red.asset_events} == {dg.AssetCheckSeverity.WARN}
        assert ticked(instance, red.cursor).asset_events == []
        materialise(plan, store, keys[5:])
        ticked(instance, red.cursor)
        assert shown(instance) == {"SUCCEEDED"}
        assert instance.get_runs() == []


@pytest.mark.slow
def test_a_run_of_the_increment_judges_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So what it has made is green at once; it warns and fails no run."""
    monkeypatch.setenv("PLOTSIM_STORE_PATH", str(tmp_path / "store.duckdb"))
    plan = shops(str(date.today() - timedelta(days=9)))
    keys = partitions_for(plan).get_partition_keys()
    job = definitions_of([plan]).resolve_job_def("shops_increment")
    for outcome, passed in ((keys[:2], False), (keys[2:], True)):
        result = job.execute_in_process(tags={START: outcome[0], END: outcome[-1]})
        judged = [evaluation for evaluation in result.get_asset_check_evaluations() if evaluation.check_name == FRESH]
        assert result.success and len(judged) == len(TABLES) and {evaluation.passed for evaluation in judged} == {passed}


def test_the_latest_partition_is_over() -> None:
    """What is due is never a partition that still runs."""
    now = datetime(2024, 3, 7, 12, tzinfo=UTC)
    assert key_of(shops(), latest_complete(shops(), now)) == "2024-03-06"
