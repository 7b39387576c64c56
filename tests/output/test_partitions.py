"""Parquet in folders: what matches, how values become names, and that nothing stale or foreign is kept or lost."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from plotsim_core import UsageError, from_mapping, write_tables
from plotsim_core.output import parquet_folders
from plotsim_core.output.parquet import ROW_GROUP
from plotsim_core.output.parquet_folders import write_folders
from tests.output.support import NASTY, RAW, plan_with, read, rows


def folders(directory: Path) -> dict[str, set[str]]:
    """Return the names of the folders of each table that has some."""
    return {path.name: {part.name for part in path.iterdir()} for path in directory.iterdir() if path.is_dir()}


def test_a_table_with_the_column_has_a_folder_per_value(tmp_path: Path) -> None:
    """Hive's way: `column=value`, the column in the names only; a table without it, or without rows, is a file."""
    plan = plan_with("parquet", partition_by="date_key")
    write_tables(plan, tmp_path)
    actual = folders(tmp_path)
    months = {f"date_key={year}{month:02d}01" for year, month in [(2024, m) for m in range(1, 13)]}
    assert actual == {"dim_date": months, "fct_month": months, "evt_visit": months}
    assert {path.name for path in tmp_path.glob("*.parquet")} == {
        "dim_shop.parquet",
        "select.parquet",
        "evt_never.parquet",
    }
    january = pq.read_table(tmp_path / "fct_month" / "date_key=20240101" / "part-0.parquet", partitioning=None)
    assert "date_key" not in january.column_names
    assert january.num_rows == sum(key == 20240101 for key in rows(plan, "fct_month")["date_key"].to_pylist())


@pytest.mark.parametrize("by", ["shop_id", "dim_shop"])
def test_a_dimension_means_the_columns_that_refer_to_it(by: str, tmp_path: Path) -> None:
    """Wherever a fact refers to the dimension, by whatever name; a text is a folder's name as well as a number is."""
    raw = {**RAW, "output": {"format": "parquet", "partition_by": by}}
    fact = {
        **RAW["facts"][0],
        "columns": [{**c, "name": "seller"} if c["name"] == "shop_id" else c for c in RAW["facts"][0]["columns"]],
    }
    plan = from_mapping({**raw, "facts": [fact]}, name="shops")
    write_tables(plan, tmp_path)
    shops = set(rows(plan, "dim_shop")["shop_id"].to_pylist())
    actual = folders(tmp_path)
    assert actual["fct_month"] == {f"seller={shop}" for shop in shops}
    assert actual["evt_visit"] <= {f"shop_id={shop}" for shop in shops}
    assert ("dim_shop" in actual) == (by == "shop_id")


def test_other_readers_find_every_row_in_its_folder(tmp_path: Path) -> None:
    """pyarrow reads the folders as one table, whatever stands in the texts that they are named after."""
    plan = plan_with("parquet", partition_by="city")
    write_tables(plan, tmp_path)
    expected = rows(plan, "evt_visit")
    hive = ds.partitioning(pa.schema([("city", pa.string())]), flavor="hive")
    actual = ds.dataset(tmp_path / "evt_visit", partitioning=hive).to_table().select(expected.column_names)
    assert sorted(actual.to_pylist(), key=repr) == sorted(expected.to_pylist(), key=repr)
    assert set(NASTY) <= set(actual["city"].to_pylist())


def test_flags_dates_and_missing_values_are_folders_too(tmp_path: Path) -> None:
    """A missing value has the folder that Hive gives it."""
    dates = pa.array([None, 19723, 19724, 19723], pa.date32())
    for name, values in (("day", dates), ("yes", pa.array([True, False, None, True]))):
        table = pa.table({name: values, "x": pa.array([1, 2, 3, 4])})
        write_folders(table.schema, name, table.to_batches(), tmp_path / name, ROW_GROUP)
    assert folders(tmp_path) == {
        "day": {"day=2024-01-01", "day=2024-01-02", "day=__HIVE_DEFAULT_PARTITION__"},
        "yes": {"yes=true", "yes=false", "yes=__HIVE_DEFAULT_PARTITION__"},
    }
    assert pq.read_table(tmp_path / "day" / "day=2024-01-01" / "part-0.parquet", partitioning=None)["x"].to_pylist() == [
        2,
        4,
    ]


def test_more_values_than_files_that_can_be_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of a value go on in another file; none is lost, and each stays in its order."""
    monkeypatch.setattr(parquet_folders, "_MAX_OPEN_FILES", 3)
    table = pa.table({"k": pa.array([n % 7 for n in range(500)]), "x": pa.array(range(500))})
    write_folders(table.schema, "k", table.to_batches(max_chunksize=33), tmp_path / "t", 50)
    for value in range(7):
        parts = sorted((tmp_path / "t" / f"k={value}").iterdir(), key=lambda path: int(path.stem.partition("-")[2]))
        assert len(parts) > 1
        values = [x for part in parts for x in pq.read_table(part, partitioning=None)["x"].to_pylist()]
        assert values == [n for n in range(500) if n % 7 == value]


def test_too_many_values_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_folders, "_MAX_FOLDERS", 5)
    with pytest.raises(UsageError, match="more than 5 folders"):
        write_tables(plan_with("parquet", partition_by="shop_id"), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_another_way_of_writing_leaves_nothing_of_the_former(tmp_path: Path) -> None:
    """Whole, in folders of dates, in folders of texts, whole: the same rows each time, and nothing twice."""
    for options in ({}, {"partition_by": "date_key"}, {"partition_by": "city"}, {}):
        plan = plan_with("parquet", **options)
        counted = write_tables(plan, tmp_path)
        assert {name: table.num_rows for name, table in read(plan, tmp_path, "parquet").items()} == counted
        names = [path.name.removesuffix(".parquet") for path in tmp_path.iterdir() if path.suffix in ("", ".parquet")]
        assert sorted(names) == sorted(counted)


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    """It is not ours to replace; nothing is written then."""
    (tmp_path / "fct_month").mkdir()
    (tmp_path / "fct_month" / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="something else is there"):
        write_tables(plan_with("parquet", partition_by="date_key"), tmp_path)
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")] == ["fct_month", "fct_month/notes.txt"]
    write_tables(plan_with("parquet"), tmp_path)
    assert (tmp_path / "fct_month" / "notes.txt").read_text() == "mine"
