"""Stores on a real server of the S3 protocol: what is there is whole, whatever breaks in between."""

from __future__ import annotations

import random
import string
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import fsspec
import pyarrow as pa
import pytest

from plotsim_core import UsageError
from plotsim_pipeline.assets.report_files import write_report_file
from plotsim_pipeline.stores import STORES, store_from_environment
from plotsim_pipeline.stores.filesystem import filesystem_of, replacing_file
from plotsim_pipeline.stores.index import INDEX
from plotsim_pipeline.stores.store import Store
from tests.pipeline.objects import BUCKET, Server, known_to, served
from tests.pipeline.support import content, keys_of, materialise, plan_of, store_at
from tests.pipeline.test_stores import SCHEMA, placed, rows

pytestmark = pytest.mark.slow

KINDS = ("parquet", "delta")


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with served(tmp_path / "objects") as server:
        known_to(server, monkeypatch)
        yield server


def on(kind: str, folder: str = "lake/of mine") -> Store:
    return STORES[kind](path=f"s3://{BUCKET}/{folder.replace(' ', '_')}")


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_a_dataset_on_an_object_store_is_that_on_a_disk(kind: str, server: Server, tmp_path: Path) -> None:
    """Tables and report in a range, then one partition again; nothing is copied, renamed or left aside."""
    plan = plan_of("saas")
    local_store, remote_store = store_at(kind, tmp_path / "here"), on(kind)
    for store in (local_store, remote_store):
        materialise(plan, store, keys_of(plan))
        materialise(plan, store, keys_of(plan)[3:4])
    assert content(plan, remote_store) == content(plan, local_store)
    assert {name: sorted(partitions) for name, partitions in remote_store.intact_partitions("saas").items()} == {
        name: sorted(partitions) for name, partitions in local_store.intact_partitions("saas").items()
    }
    query = "SELECT count(*), round(sum(mrr), 2) FROM saas.fct_revenue"
    assert remote_store.query(query, ["saas"]) == local_store.query(query, ["saas"])
    assert not [file for file in server.folder.rglob("*") if file.name.endswith(".tmp")]


@pytest.mark.long
def test_an_upload_that_fails_leaves_the_old_object(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of several parts as well: the rows that came before the error are never seen."""
    monkeypatch.setitem(fsspec.config.conf, "s3", {"default_block_size": 5 * 2**20})
    letters = random.Random(1)
    texts = ["".join(letters.choices(string.ascii_letters, k=1000)) for _ in range(12_000)]

    def breaking() -> Iterator[pa.RecordBatch]:
        for number in range(0, len(texts), 1000):
            yield from rows(*[(20240101, text, 1.0) for text in texts[number : number + 1000]])
        raise RuntimeError("lost")

    store = on("parquet")
    store.write(placed(1, 1), rows((20240101, "old", 1.0)))
    filesystem, root = filesystem_of(store.path)
    with pytest.raises(RuntimeError, match="lost"):
        store.write(placed(1, 2), pa.RecordBatchReader.from_batches(SCHEMA, breaking()))
    with suppress(RuntimeError), replacing_file(filesystem, f"{root}/large") as sink:
        sink.write(letters.randbytes(12 * 2**20))
        raise RuntimeError("lost")
    assert store.read(placed(1, 1))["name"].to_pylist() == ["old"]
    files = [file.name for file in server.folder.rglob("*") if file.is_file() and INDEX not in file.parts]
    assert files == ["2024-01-01.parquet"]
    with replacing_file(filesystem, f"{root}/large") as sink:
        sink.write(letters.randbytes(12 * 2**20))
    assert filesystem.size(f"{root}/large") == 12 * 2**20


@pytest.mark.parametrize("kind", KINDS)
def test_a_store_that_is_lost_in_the_middle_is_told_and_completed_later(kind: str, server: Server) -> None:
    """The server dies between two partitions: the error names it, each partition is old or new, and writing again makes
    all of it."""
    store = on(kind)
    store.write(placed(1, 3), rows(*[(20240100 + day, "old", 1.0) for day in (1, 2, 3)]))

    def dying() -> Iterator[pa.RecordBatch]:
        yield from rows((20240101, "new", 1.0))
        yield from rows((20240102, "new", 1.0))
        server.kill()
        yield from rows((20240103, "new", 1.0))

    with pytest.raises(Exception, match=f"127.0.0.1:{server.port}"):
        store.write(placed(1, 3), pa.RecordBatchReader.from_batches(SCHEMA, dying()))
    server.start()
    names = store.read(placed(1, 3))["name"].to_pylist()
    assert set(names) <= {"old", "new"} and len(names) == 3 and names[2] == "old"
    if kind == "delta":
        assert names == ["old"] * 3
    store.write(placed(1, 3), rows(*[(20240100 + day, "new", 1.0) for day in (1, 2, 3)]))
    assert store.read(placed(1, 3))["name"].to_pylist() == ["new"] * 3


def test_a_delta_commit_that_comes_second_looks_again(server: Server) -> None:
    """While one writer has read the table and not yet committed, another commits: the first commits after it, and of the
    partition that both wrote there is one copy. (At the very same time is tested on a disk: rclone answers two uploads that
    must not replace each other with yes.)"""
    store = on("delta")
    store.write(placed(1, 1), rows((20240101, "old", 1.0)))

    def interrupted() -> Iterator[pa.RecordBatch]:
        yield from rows((20240101, "first", 1.0))
        on("delta").write(placed(1, 2), rows((20240101, "second", 1.0), (20240102, "second", 1.0)))

    store.write(placed(1, 1), pa.RecordBatchReader.from_batches(SCHEMA, interrupted()))
    assert store.read(placed(1, 2))["name"].to_pylist() == ["first", "second"]


def test_a_report_lies_beside_the_tables(server: Server) -> None:
    place = write_report_file(on("parquet", "x"), "page.html", ["<p>", "whole"])
    assert place == f"s3://{BUCKET}/x/reports/page.html"
    assert (server.folder / BUCKET / "x" / "reports" / "page.html").read_text() == "<p>whole"


def test_where_a_store_is_and_what_it_needs_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """An unknown protocol, a library that is missing, a store that no Delta table can lie in."""
    monkeypatch.setenv("PLOTSIM_STORE", "parquet")
    monkeypatch.setenv("PLOTSIM_STORE_PATH", "nowhere://x")
    with pytest.raises(UsageError, match="nowhere://x cannot be opened"):
        store_from_environment().intact_partitions("ds")
    with pytest.raises(UsageError, match="on a disk or on s3://, not on memory://"):
        STORES["delta"](path="memory://x").write(placed(1, 1), rows())
    monkeypatch.setitem(__import__("sys").modules, "deltalake", None)
    with pytest.raises(UsageError, match=r"pip install 'plotsim-pipeline\[delta\]'"):
        STORES["delta"](path="/tmp/x").intact_partitions("ds")
