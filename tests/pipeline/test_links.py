"""Stores of files write nothing through a symbolic link below their own folder, and remove nothing behind one."""

from __future__ import annotations

from pathlib import Path

import pytest

from plotsim_core import UsageError
from plotsim_pipeline.assets.report_files import write_report_file
from tests.pipeline.support import store_at
from tests.pipeline.test_stores import placed, rows, state

ROW = (20240101, "a", 1.0)


@pytest.mark.parametrize("linked", ["ds", "ds/fct", "ds/dim"])
@pytest.mark.parametrize("kind", ["parquet", "delta"])
def test_nothing_is_written_through_a_link(kind: str, linked: str, tmp_path: Path) -> None:
    store = store_at(kind, tmp_path / "store")
    outside, root = tmp_path / "outside", Path(store.path)
    outside.mkdir()
    (root / linked).parent.mkdir(parents=True, exist_ok=True)
    (root / linked).symlink_to(outside)
    where = state(1) if linked == "ds/dim" else placed(1, 1)
    with pytest.raises(UsageError, match="is a symbolic link, and nothing is written through one"):
        store.write(where, rows(ROW))
    assert not list(outside.iterdir())


@pytest.mark.parametrize("kind", ["parquet", "delta"])
def test_the_folder_that_is_named_may_be_a_link(kind: str, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "store").symlink_to(tmp_path / "disk")
    store = store_at(kind, tmp_path / "store")
    store.write(placed(1, 1), rows(ROW))
    assert store.records("ds")["fct"]


def test_reports_are_not_written_through_a_link(tmp_path: Path) -> None:
    store = store_at("parquet", tmp_path / "store")
    outside = tmp_path / "outside"
    outside.mkdir()
    Path(store.folder).mkdir(parents=True, exist_ok=True)
    (Path(store.folder) / "reports").symlink_to(outside)
    with pytest.raises(UsageError, match="is a symbolic link"):
        write_report_file(store, "report.json", ["{}"])
    assert not list(outside.iterdir())


def test_a_table_that_is_dropped_takes_nothing_behind_a_link(tmp_path: Path) -> None:
    store, other = store_at("parquet", tmp_path / "store"), store_at("parquet", tmp_path / "other")
    for place in (store, other):
        place.write(placed(1, 1), rows(ROW))
    (Path(store.path) / "ds" / "fct" / "2024").symlink_to(Path(other.path) / "ds" / "fct")
    store.drop("ds", "fct")
    assert not store.records("ds").get("fct")
    assert other.records("ds")["fct"]
