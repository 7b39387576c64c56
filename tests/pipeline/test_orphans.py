"""What killed writers leave is cleared by the next; what is being written stays, and two writers make one whole file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pytest

from plotsim_core.output.atomic import clear_orphans, staging_folder
from plotsim_pipeline.assets.report_files import write_report_file
from plotsim_pipeline.stores import STORES
from plotsim_pipeline.stores.store import Store
from tests.pipeline.support import store_at
from tests.pipeline.test_stores import SCHEMA, placed, rows

pytestmark = pytest.mark.slow

WRITER = """
import sys, time
import pyarrow as pa
from tests.pipeline.support import store_at
from tests.pipeline.test_stores import SCHEMA, placed, rows
from pathlib import Path
def slow():
    for number in range(400):
        yield from (batch for batch in rows(*[(20240101, "x" * 500, float(n)) for n in range(1000)]))
        if number == 300:
            print("writing", flush=True)
            time.sleep(600)
store_at("parquet", Path(sys.argv[1])).write(placed(1, 1), pa.RecordBatchReader.from_batches(SCHEMA, slow()))
"""


@contextmanager
def writing(place: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process in the middle of writing a partition."""
    with subprocess.Popen([sys.executable, "-c", WRITER, str(place)], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"writing\n"
            yield process
        finally:
            process.kill()


def left(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.name.endswith(".tmp"))


def aged(files: list[Path], seconds: float = 300) -> None:
    for file in files:
        os.utime(file, (time.time() - seconds, time.time() - seconds))


@pytest.mark.long
def test_what_a_killed_writer_left_is_cleared_and_what_is_written_stays(tmp_path: Path) -> None:
    """SIGKILL leaves a file aside; the next write to that folder takes it away, but not that of a writer who lives, however
    long nothing was heard of it."""
    with writing(tmp_path) as dead:
        dead.send_signal(signal.SIGKILL)
        dead.wait()
    orphans = left(tmp_path)
    assert len(orphans) == 1
    with writing(tmp_path):
        alive = [file for file in left(tmp_path) if file not in orphans]
        assert len(alive) == 1
        store = store_at("parquet", tmp_path)
        store.write(placed(2, 2), rows((20240102, "a", 1.0)))
        assert left(tmp_path) == sorted([*orphans, *alive])  # a young one may be a writer's who has not locked it yet
        aged([*orphans, *alive])
        store.write(placed(3, 3), rows((20240103, "a", 1.0)))
        assert left(tmp_path) == alive
    aged(alive)
    store.write(placed(1, 1), rows((20240101, "a", 1.0)))
    assert left(tmp_path) == []
    assert store.read(placed(1, 3)).num_rows == 3


def test_reports_and_runs_clear_what_was_left_too(tmp_path: Path) -> None:
    store = store_at("parquet", tmp_path)
    write_report_file(store, "a.html", ["x"])
    old = Path(store.path) / "reports" / ".a.html.0123.tmp"
    old.write_text("half")
    aged([old])
    write_report_file(store, "b.html", ["y"])
    assert not old.exists()
    folder = tmp_path / ".plotsim-old"
    folder.mkdir()
    (folder / "t.csv").write_text("half")
    aged([folder])
    with staging_folder(tmp_path, ".plotsim-") as alive:
        aged([alive])
        assert clear_orphans(tmp_path, ".plotsim-", "") == [folder]
        assert alive.exists()
    assert not alive.exists()


@pytest.mark.parametrize("kind", ["parquet", "delta"])
def test_writers_of_one_partition_leave_one_whole_copy(kind: str, tmp_path: Path) -> None:
    """Eight writers at once, of the same and of other partitions: each partition is that of one of them."""
    store = store_at(kind, tmp_path)

    def write(number: int) -> None:
        writer = STORES[kind](path=store.path)
        writer.write(placed(1, 2), rows(*[(day, str(number), float(n)) for day in (20240101, 20240102) for n in range(50)]))
        writer.write(placed(3 + number, 3 + number), rows((20240103 + number, str(number), 1.0)))

    with ThreadPoolExecutor(8) as writers:
        list(writers.map(write, range(8)))
    assert_one_copy(store)


def assert_one_copy(store: Store) -> None:
    partitions = store.intact_partitions("ds")["fct"]
    assert len(partitions) == 10
    for day in (1, 2):
        actual = store.read(placed(day, day))
        assert actual.num_rows == 50
        assert len(set(actual["name"].to_pylist())) == 1
    assert {partitions[f"2024-01-{day:02d}"][0] for day in range(3, 11)} == {1}


def test_a_state_written_at_once_is_the_latest(tmp_path: Path) -> None:
    """Delta: of states that are written at the same time the one as of the latest moment stays."""
    from tests.pipeline.test_stores import state

    store = store_at("delta", tmp_path)

    def write(day: int) -> None:
        STORES["delta"](path=store.path).write(state(day), rows((20240100 + day, str(day), 1.0)))

    with ThreadPoolExecutor(8) as writers:
        list(writers.map(write, range(1, 9)))
    assert store.read(state(1))["name"].to_pylist() == ["8"]
    assert len(store.intact_partitions("ds")["dim"]) == 1
    assert isinstance(store.read(state(1)), pa.Table)
    assert SCHEMA.names == store.read(state(1)).column_names
