"""What may happen to a store while a run writes to it: what is told, what is left, and that running again completes."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest
from fsspec import AbstractFileSystem

from plotsim_core import Plan, load_config
from plotsim_pipeline.assets.tables import resources_of, table_assets
from plotsim_pipeline.datasets import BUNDLED
from plotsim_pipeline.partitions import partitions_for
from plotsim_pipeline.stores import parquet
from plotsim_pipeline.stores.duckdb_lock import PATIENCE_VARIABLE
from plotsim_pipeline.stores.failures import TRIES, failure_of
from plotsim_pipeline.stores.placement import Placement
from plotsim_pipeline.stores.store import Store
from tests.pipeline.support import content, keys_of, materialise, store_at

pytestmark = pytest.mark.slow

KINDS = ["duckdb", "parquet"]
HOLD = """
import sys, time, duckdb
with duckdb.connect(sys.argv[1]) as connection:
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


TABLES = ["dim_customer", "fct_payments"]
"""A state, and a table with a partition per month."""


@cache
def plan(seed: int = 42) -> Plan:
    return load_config(BUNDLED / "minimal.yaml", seed=seed)


def make(seed: int, store: Store) -> None:
    """Materialise five months with a seed, as one run."""
    materialise(plan(seed), store, keys_of(plan(seed))[:5], only=TABLES)


def whole(seed: int, directory: Path) -> dict[str, tuple[int, str]]:
    """Return the content of a store where nothing ever went wrong."""
    store = store_at("duckdb", directory / f"sound-{seed}")
    make(seed, store)
    return content(plan(seed), store)


@contextmanager
def mounted(*command: str | Path, at: Path) -> Iterator[None]:
    """Have something mounted at a folder; skip where this user may not mount."""
    at.mkdir(exist_ok=True)
    done = subprocess.run(["mount", *map(str, command), str(at)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"this user may not mount: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(at)], check=True)


def fill(file: Path) -> None:
    """Write a file that takes all space that there is."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT)
    try:
        while os.write(descriptor, b"x" * 4096):
            pass
    except OSError:
        os.close(descriptor)


@contextmanager
def locked_file(store: Store, seconds: float) -> Iterator[int]:
    """Have another process hold a DuckDB file for some seconds; give its number."""
    with subprocess.Popen([sys.executable, "-c", HOLD, store.path, str(seconds)], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None and other.stdout.readline() == b"held\n"
        try:
            yield other.pid
        finally:
            other.kill()


@pytest.mark.parametrize("kind", KINDS)
def test_a_full_disk(kind: str, tmp_path: Path) -> None:
    """What does not fit is told in a sentence, nothing is half, and with space again the same run completes."""
    disk = tmp_path / "disk"
    with mounted("-t", "tmpfs", "-o", "size=6m", "tmpfs", at=disk):
        store = store_at(kind, disk)
        make(1, store)
        old, new = content(plan(1), store), whole(2, tmp_path)
        fill(disk / "in the way")
        with pytest.raises(dg.Failure, match=r"minimal\.\w+ is not written to .*there is no space left.*Free some space"):
            make(2, store)
        (disk / "in the way").unlink()
        assert content(plan(1), store) == old
        make(2, store)
        assert content(plan(2), store) == new
        assert not list(disk.rglob("*.tmp"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_that_cannot_be_written(kind: str, tmp_path: Path) -> None:
    """It is told at once, not after having waited for a lock, and what was there is there."""
    real = tmp_path / "real"
    real.mkdir()
    make(1, store_at(kind, real))
    old = content(plan(1), store_at(kind, real))
    with mounted("--bind", "-o", "ro", real, at=tmp_path / "seen"):
        start_time = time.monotonic()
        with pytest.raises(dg.Failure, match=r"is not written to .*: it cannot be written .*Let this user write there"):
            make(2, store_at(kind, tmp_path / "seen"))
        assert time.monotonic() - start_time < 30
    assert content(plan(1), store_at(kind, real)) == old
    make(2, store_at(kind, real))
    assert content(plan(2), store_at(kind, real)) == whole(2, tmp_path)


def test_a_duckdb_file_that_another_process_holds_for_a_while_is_waited_for(tmp_path: Path) -> None:
    store = store_at("duckdb", tmp_path)
    make(1, store)
    with locked_file(store, 3):
        make(2, store)
    assert content(plan(2), store) == whole(2, tmp_path)


def test_a_duckdb_file_that_is_held_for_ever_is_told_with_who_holds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within the time that was said, with the process's number; the query too; nothing is lost, and a re-run completes."""
    store = store_at("duckdb", tmp_path)
    make(1, store)
    old = content(plan(1), store)
    monkeypatch.setenv(PATIENCE_VARIABLE, "1")
    with locked_file(store, 300) as other:
        for tried in (lambda: make(2, store), lambda: store.query("SELECT 1", [])):
            start_time = time.monotonic()
            with pytest.raises(dg.Failure, match=rf"is held by process {other} .*run again"):
                tried()
            assert time.monotonic() - start_time < 20
    assert content(plan(1), store) == old
    make(2, store)
    assert content(plan(2), store) == whole(2, tmp_path)


def test_a_store_that_is_lost_for_a_moment_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two writes find nobody; the third succeeds, in the same run. (With a server that is killed: see the object stores.)"""
    opened, lost = parquet.replacing_file, iter([True, True])

    def written(filesystem: AbstractFileSystem, file: str) -> AbstractContextManager[Any]:
        if next(lost, False):
            raise ConnectionError("Could not connect to the endpoint")
        return opened(filesystem, file)

    monkeypatch.setattr(parquet, "replacing_file", written)
    store = store_at("parquet", tmp_path)
    assets = [asset for asset in table_assets(plan(), partitions_for(plan())) if asset.key.path[-1] == "fct_payments"]
    result = dg.materialize(assets, resources={"store": store, **resources_of(plan())}, partition_key="2024-03-01")
    assert len(result.filter_events(lambda event: event.event_type_value == "STEP_UP_FOR_RETRY")) == 2
    assert list(store.intact_partitions("minimal")["fct_payments"]) == ["2024-03-01"]


def test_a_store_that_stays_lost_is_told_after_some_tries() -> None:
    error = ConnectionError("Could not connect to the endpoint")
    tries = [failure_of(error, "saas.fct_revenue", "s3://bucket", tried) for tried in range(TRIES + 1)]
    assert [type(message) for message in tries] == [*[dg.RetryRequested] * TRIES, dg.Failure]
    assert "saas.fct_revenue is not written to s3://bucket: it cannot be reached" in str(tries[-1].description)
    assert failure_of(ValueError("a mistake of ours"), "saas.fct_revenue", "s3://bucket") is None


def test_a_state_that_two_runs_write_at_once_is_the_later_one(tmp_path: Path) -> None:
    """The run of an earlier partition has looked at what is there, and is slow to write; a later one comes in between."""
    store = store_at("parquet", tmp_path)
    start_event, later = threading.Event(), threading.Event()
    schema = pa.schema([("name", pa.string())])

    def rows(name: str, waits: bool) -> pa.RecordBatchReader:
        def row_batches() -> Iterator[pa.RecordBatch]:
            if waits:
                start_event.set()
                later.wait(timeout=2)
            yield pa.record_batch({"name": [name]}, schema=schema)

        return pa.RecordBatchReader.from_batches(schema, row_batches())

    def state(day: int) -> Placement:
        return Placement("ds", "dim", None, ("name",), (f"2024-01-0{day}",), (day, day + 1), f"2024-01-0{day + 1} 00:00:00")

    first = threading.Thread(target=lambda: store.write(state(1), rows("early", waits=True)))
    first.start()
    start_event.wait(timeout=10)
    store.write(state(2), rows("late", waits=False))
    later.set()
    first.join()
    assert store.read(state(2))["name"].to_pylist() == ["late"]
