"""The settings of the project's instance do what they say: ticks are tried again and cleared away, runs are watched."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import InstigatorState, TickData, TickStatus

from plotsim_pipeline.datasets import BUNDLED
from tests.pipeline.live import served, until

ROOT = BUNDLED.parent
SETTINGS = (ROOT / "plotsim_pipeline" / "instance.yaml").read_text(encoding="utf-8")
DAY = 86_400
BUSY = """
from pathlib import Path

import dagster as dg

from plotsim_pipeline.sensors.killed_runs import dead_runs_sensor

TRIES = Path(__file__).with_name("tries")


@dg.asset
def made() -> None:
    pass


@dg.schedule(cron_schedule="MINUTE * * * *", target=[made], default_status=dg.DefaultScheduleStatus.RUNNING)
def busy(context: dg.ScheduleEvaluationContext):
    with TRIES.open("a") as tries:
        tries.write(f"{context.scheduled_execution_time.timestamp():.0f}\\n")
    if len(TRIES.read_text().splitlines()) < 3:
        raise RuntimeError("the DuckDB file is held by another process")
    return dg.RunRequest()


defs = dg.Definitions([made], schedules=[busy], sensors=[dead_runs_sensor()], executor=dg.in_process_executor)
"""
WORKSPACE = "load_from: [{python_file: {relative_path: busy.py, location_name: busy}}]\n"


def test_the_settings_are_those_of_an_instance(tmp_path: Path) -> None:
    """Dagster reads each of them."""
    (tmp_path / "dagster.yaml").write_text(SETTINGS)
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        assert instance.run_monitoring_enabled
        assert instance.run_monitoring_start_timeout_seconds == 7200
        assert instance.run_monitoring_max_runtime_seconds == DAY
        assert instance.freshness_enabled
        assert instance.scheduler.max_tick_retries == 3  # type: ignore[union-attr]
        assert instance.get_settings("schedules")["use_threads"]
        assert instance.get_settings("sensors")["use_threads"]
        assert instance.get_tick_retention_settings(InstigatorType.SENSOR)[TickStatus.SKIPPED] == 2
        assert instance.get_tick_retention_settings(InstigatorType.SCHEDULE)[TickStatus.SKIPPED] == 30


@pytest.mark.long
def test_a_daemon_tries_ticks_again_and_clears_old_ones_and_leaves_runs_of_commands_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A schedule that fails twice asks for its run with the third try of the same tick, a minute after each. Of ticks
    three days old, what asked for nothing goes and what succeeded stays. A run of `plotsim materialize`, which no run
    launcher knows, is looked at by run monitoring every second, and succeeds."""
    soon = datetime.now(UTC) + timedelta(
        minutes=3
    )  # once an hour: a tick that is due again takes the place of one that failed
    for name, text in (("busy.py", BUSY.replace("MINUTE", str(soon.minute))), ("workspace.yaml", WORKSPACE)):
        (tmp_path / name).write_text(text)
    home = tmp_path / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text(
        SETTINGS.replace("run_monitoring:\n", "run_monitoring:\n  poll_interval_seconds: 1\n")
    )
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    with served(home, {}, tmp_path / "workspace.yaml"), dg.DagsterInstance.get() as instance:
        sensor = until("a tick of the sensor", 120, lambda: state_of(instance, InstigatorType.SENSOR))
        old = {status: tick(instance, sensor, status) for status in (TickStatus.SKIPPED, TickStatus.SUCCESS)}
        surroundings = {**os.environ, "PYTHONPATH": str(ROOT), "PLOTSIM_STORE_PATH": str(tmp_path / "store.duckdb")}
        command = [sys.executable, "-m", "plotsim_pipeline", "run", "delivery"]
        done = subprocess.run(command, cwd=tmp_path, env=surroundings, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stderr[-3000:]
        (run,) = [run for run in instance.get_runs() if run.job_name == "delivery"]
        assert run.status is dg.DagsterRunStatus.SUCCESS
        assert f"Checking run {run.run_id}" in (home / "log").read_text(), "run monitoring has looked at it"
        schedule = until("a tick of the schedule", 300, lambda: state_of(instance, InstigatorType.SCHEDULE))
        until("a third try", 300, lambda: len((tmp_path / "tries").read_text().splitlines()) == 3)
        (moment,) = set((tmp_path / "tries").read_text().splitlines())
        until("the run", 60, lambda: [run for run in instance.get_runs() if dict(run.tags).get("dagster/schedule_name")])
        until("the end of the tick", 60, lambda: {one.status for one in ticks(instance, schedule)} == {TickStatus.SUCCESS})
        (only,) = ticks(instance, schedule)
        assert (f"{only.timestamp:.0f}", only.status, len(only.run_ids)) == (moment, TickStatus.SUCCESS, 1)
        until("the old tick gone", 240, lambda: old[TickStatus.SKIPPED] not in ids(instance, sensor))
        assert old[TickStatus.SUCCESS] in ids(instance, sensor)


def state_of(instance: dg.DagsterInstance, kind: InstigatorType) -> InstigatorState | None:
    """Return the state of the only schedule or sensor that has ticked."""
    states = instance.all_instigator_state(instigator_type=kind)
    return next((state for state in states if ticks(instance, state)), None)


def ticks(instance: dg.DagsterInstance, state: InstigatorState) -> list[TickData]:
    actual = instance.get_ticks(state.instigator_origin_id, state.selector_id)
    return [tick.tick_data for tick in actual]


def ids(instance: dg.DagsterInstance, state: InstigatorState) -> set[int]:
    return {tick.tick_id for tick in instance.get_ticks(state.instigator_origin_id, state.selector_id)}


def tick(instance: dg.DagsterInstance, state: InstigatorState, status: TickStatus) -> int:
    """Note a tick that ended three days ago; return its number."""
    result = TickData(
        instigator_origin_id=state.instigator_origin_id,
        instigator_name=state.instigator_name,
        instigator_type=state.instigator_type,
        status=status,
        timestamp=time.time() - 3 * DAY,
        selector_id=state.selector_id,
        run_ids=[],
    )
    return int(instance.create_tick(result).tick_id)
