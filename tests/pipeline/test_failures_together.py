"""Several runs at once, and runs that are killed beside others: they wait for each other, and nothing is lost or half."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from plotsim_core import load_config
from plotsim_pipeline.assets.tables import SHARED_RESOURCES
from plotsim_pipeline.datasets import BUNDLED
from plotsim_pipeline.sensors.killed_runs import end_dead_runs
from plotsim_pipeline.stores import STORES
from tests.pipeline import objects
from tests.pipeline.live import asked, launch, served, until
from tests.pipeline.support import content, keys_of, materialise, store_at

pytestmark = pytest.mark.long

ROOT = BUNDLED.parent
DAGSTER = str(Path(sys.executable).parent / "dagster")
PLAN = load_config(BUNDLED / "minimal.yaml")
KEYS = keys_of(PLAN)
TABLES = [table.name for table in PLAN.tables]
SELECTED = " or ".join(f'key:"minimal/{name}"' for name in TABLES)
DYING = """
import os, signal
import plotsim_pipeline.assets.tables as assets
batches = assets.batches
def dying(plan, name, *span):
    if name == "fct_payments":
        os.kill(os.getpid(), signal.SIGKILL)
    return batches(plan, name, *span)
assets.batches = dying
from plotsim_pipeline.definitions import defs
"""
RUNS = "{ runsOrError { ... on Runs { results { runId status startTime endTime } } } }"


def environment(directory: Path, kind: str, with_home: bool = True) -> dict[str, str]:
    """Return the environment of a command: a store in a directory, and a Dagster home there or none."""
    variables = {name: value for name, value in os.environ.items() if name != "DAGSTER_HOME"}
    home = directory / "home"
    home.mkdir(exist_ok=True)
    (home / "dagster.yaml").write_text((ROOT / "plotsim_pipeline" / "instance.yaml").read_text())
    more = {
        "PLOTSIM_STORE": kind,
        "PLOTSIM_STORE_PATH": store_at(kind, directory).path,
        "PLOTSIM_DATASETS": "minimal",
        "PYTHONPATH": str(ROOT),
    }
    return {**variables, **more, **({"DAGSTER_HOME": str(home)} if with_home else {})}


def started(
    directory: Path,
    partition: str,
    surroundings: dict[str, str],
    where: Sequence[str] = ("-m", "plotsim_pipeline.definitions"),
) -> subprocess.Popen[bytes]:
    """Start `dagster asset materialize` of all tables for a partition; what it says goes to a file of the directory."""
    command = [DAGSTER, "asset", "materialize", *where, "--select", SELECTED, "--partition", partition]
    with (directory / f"{partition}.log").open("ab") as log:
        return subprocess.Popen(command, cwd=directory, env=surroundings, stdout=log, stderr=log)


def expected(directory: Path, keys: Sequence[str]) -> dict[str, tuple[int, str]]:
    store = store_at("duckdb", directory / "expected")
    for key in keys:
        materialise(PLAN, store, [key], only=TABLES)
    return content(PLAN, store)


@pytest.mark.parametrize(
    ("kind", "keys", "with_home"),
    [
        pytest.param("duckdb", KEYS[:8], True, id="eight-duckdb-different"),
        pytest.param("duckdb", KEYS[3:4] * 4, False, id="four-duckdb-same"),
        pytest.param("parquet", KEYS[:4], False, id="four-parquet-different"),
        pytest.param("parquet", KEYS[3:4] * 4, True, id="four-parquet-same"),
        pytest.param("duckdb", KEYS[3:4] * 8, False, id="eight-duckdb-same", marks=pytest.mark.endurance),
        pytest.param("parquet", KEYS[:8], False, id="eight-parquet-different", marks=pytest.mark.endurance),
        pytest.param("parquet", KEYS[3:4] * 8, True, id="eight-parquet-same", marks=pytest.mark.endurance),
    ],
)
def test_many_runs_at_once(
    kind: str, keys: list[str], with_home: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many processes, for different partitions or the same one, with a Dagster home in common or none: all succeed."""
    surroundings = environment(tmp_path, kind, with_home)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    with dg.DagsterInstance.get():
        pass  # a home's files are there once it was used: Dagster makes them without a lock (docs/failures.md)
    running = [started(tmp_path, key, surroundings) for key in keys]
    ends = [run.wait(timeout=560) for run in running]
    assert ends == [0] * len(keys), (tmp_path / f"{keys[0]}.log").read_text()[-3000:]
    assert content(PLAN, store_at(kind, tmp_path)) == expected(tmp_path, sorted(set(keys)))
    assert not list(tmp_path.rglob("*.tmp"))


@pytest.mark.parametrize("kind", ["duckdb", "parquet"])
def test_a_killed_run_does_not_keep_the_next_one_waiting(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After SIGKILL in the middle of a run, the same command completes at once; the dead run is told to have failed."""
    surroundings = environment(tmp_path, kind)
    (tmp_path / "dying.py").write_text(DYING)
    killed = started(tmp_path, KEYS[3], surroundings, ["-f", str(tmp_path / "dying.py")])
    assert killed.wait(timeout=120) == -signal.SIGKILL
    assert started(tmp_path, KEYS[3], surroundings).wait(timeout=120) == 0
    assert content(PLAN, store_at(kind, tmp_path)) == expected(tmp_path, [KEYS[3]])
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    with dg.DagsterInstance.get() as instance:
        assert len(end_dead_runs(instance)) == 1
        assert {run.status for run in instance.get_runs()} == {dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE}
        assert end_dead_runs(instance) == []


def test_queued_runs_write_to_duckdb_one_after_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With webserver and daemon: a run that was killed before, one that is killed now, and four more; the queue goes on."""
    surroundings = environment(tmp_path, "duckdb")
    (tmp_path / "dying.py").write_text(DYING)
    assert started(tmp_path, KEYS[0], surroundings, ["-f", str(tmp_path / "dying.py")]).wait(timeout=120) == -signal.SIGKILL
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    with dg.DagsterInstance.get() as instance:
        instance.event_log_storage.set_concurrency_slots(SHARED_RESOURCES.pool or "", 1)  # as make ui does
    with served(tmp_path / "home", surroundings) as address:
        launched = [launch(address, "minimal_increment", [key]) for key in KEYS[:5]]
        with dg.DagsterInstance.get() as instance:
            first = until("a run to start", 200, lambda: process_of(instance, launched))
        os.kill(first, signal.SIGKILL)

        def over() -> list[dict[str, Any]]:
            runs: list[dict[str, Any]] = asked(address, RUNS)["runsOrError"]["results"]
            return runs if {run["status"] for run in runs} <= {"SUCCESS", "FAILURE"} else []

        runs = until("the end of all runs", 400, over)
    assert sorted(run["status"] for run in runs) == ["FAILURE", "FAILURE", *["SUCCESS"] * 4]
    whole = sorted((run["startTime"], run["endTime"]) for run in runs if run["status"] == "SUCCESS")
    assert all(end <= begin for (_, end), (begin, _) in pairwise(whole)), "two runs wrote at once"


def process_of(instance: dg.DagsterInstance, run_ids: list[str]) -> int | None:
    """Return the process of the run that has started."""
    for run in instance.get_runs(dg.RunsFilter(run_ids=run_ids, statuses=[dg.DagsterRunStatus.STARTED])):
        for record in instance.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT).records:
            event = record.event_log_entry.dagster_event
            number = event.engine_event_data.metadata.get("pid") if event and not event.step_key else None
            if number is not None:
                return int(str(number.value))
    return None


@pytest.mark.parametrize("kind", ["parquet", "delta"])
def test_an_object_store_that_is_gone_is_told_and_one_that_comes_back_is_written(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through Dagster, on a real server that is killed: more tries, then a sentence, or success if it is back."""
    with objects.served(tmp_path / "objects") as server:
        objects.known_to(server, monkeypatch)
        store = STORES[kind](path=f"s3://{objects.BUCKET}/lake")
        materialise(PLAN, store, KEYS[:1], only=["fct_payments"])
        server.kill()
        message = r"minimal\.fct_payments is not written to s3://.*: it cannot be reached .*run again"
        with pytest.raises(dg.Failure, match=message):
            materialise(PLAN, store, KEYS[1:2], only=["fct_payments"])
        back = threading.Timer(3, server.start)
        back.start()
        materialise(PLAN, store, KEYS[1:2], only=["fct_payments"])
        back.join()
        assert sorted(store.intact_partitions("minimal")["fct_payments"]) == KEYS[:2]
