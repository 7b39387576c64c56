"""One contract for every store: what is written is read, columns go by name, a write is all or nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pyarrow as pa
import pytest

from plotsim_pipeline.stores import STORES
from plotsim_pipeline.stores.duckdb import DuckDBStore
from plotsim_pipeline.stores.placement import Placement
from plotsim_pipeline.stores.run_log import SCHEMA as LOG_SCHEMA
from plotsim_pipeline.stores.store import DIGEST, Store
from tests.marks import slow_but
from tests.pipeline.objects import BUCKET, Server, known_to, served
from tests.pipeline.support import KINDS, keys_of, materialise, plan_of, store_at

SCHEMA = pa.schema(
    [pa.field("date_key", pa.int64(), False), pa.field("name", pa.string()), pa.field("value", pa.float64())],
    metadata={DIGEST: "one", "description": "It's a table."},
)
DAYS = Placement(
    "ds",
    "fct",
    "date_key",
    ("date_key", "name"),
    ("2024-01-01", "2024-01-02"),
    (20240101, 20240102, 20240103),
    "2024-01-03 00:00:00",
)


def placed(first: int, last: int) -> Placement:
    keys = tuple(f"2024-01-{day:02d}" for day in range(first, last + 1))
    bounds = tuple(range(20240100 + first, 20240100 + last + 2))
    return Placement("ds", "fct", "date_key", ("date_key", "name"), keys, bounds, f"2024-01-{last + 1:02d} 00:00:00")


def state(day: int) -> Placement:
    return Placement(
        "ds",
        "dim",
        None,
        ("name",),
        (f"2024-01-{day:02d}",),
        (20240100 + day, 20240101 + day),
        f"2024-01-{day + 1:02d} 00:00:00",
    )


def rows(*values: tuple[int, str | None, float | None], schema: pa.Schema = SCHEMA) -> pa.RecordBatchReader:
    columns = [pa.array([v[i] for v in values], type=field.type) for i, field in enumerate(schema)]
    return pa.table(columns, schema=schema).to_reader()


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with served(tmp_path_factory.mktemp("objects") / "root") as server:
        yield server


@pytest.fixture(params=slow_but([*STORES, "memory", "s3 parquet", "s3 delta"], *STORES, "memory"))
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    if request.param == "memory":
        return STORES["parquet"](path=f"memory://{tmp_path.name}")
    if request.param.startswith("s3"):
        known_to(request.getfixturevalue("objects"), monkeypatch)
        return STORES[request.param.partition(" ")[2]](path=f"s3://{BUCKET}/{tmp_path.name}")
    return store_at(request.param, tmp_path)


def test_a_range_is_written_and_read(store: Store) -> None:
    """Rows of a range come back in key order, with nulls and empty texts told apart; empty partitions are there."""
    counted = store.write(
        placed(1, 3), rows((20240101, "b", 1.0), (20240101, "a", None), (20240103, "", 2.0), (20240103, None, 3.0))
    )
    assert counted == {"2024-01-01": 2, "2024-01-02": 0, "2024-01-03": 2}
    read = store.read(placed(1, 3))
    assert read["date_key"].to_pylist() == [20240101, 20240101, 20240103, 20240103]
    assert set(read["name"].to_pylist()) == {"a", "b", "", None}
    assert store.read(placed(2, 2)).num_rows == 0
    assert {key: n for key, (n, _) in store.intact_partitions("ds")["fct"].items()} == counted


def test_rows_are_found_by_any_column(store: Store) -> None:
    store.write(placed(1, 2), rows((20240101, "a", 1.0), (20240101, None, 2.0), (20240102, "b", None)))
    counts = {"name = 'a'": "1", "name IS NULL": "1", "value < 3": "2", "value IS NULL": "1", "date_key >= 20240102": "1"}
    for condition, count in counts.items():
        answer = store.query(f"SELECT 'rows ' || count(*) AS said FROM ds.fct WHERE {condition}", ["ds"])
        assert f"rows {count}" in answer, condition


def test_a_write_replaces_its_partitions_and_nothing_else(store: Store) -> None:
    """Writing a partition again leaves one copy of it, and the others alone."""
    store.write(placed(1, 3), rows((20240101, "a", 1.0), (20240102, "b", 2.0), (20240103, "c", 3.0)))
    store.write(placed(2, 2), rows((20240102, "new", 5.0)))
    store.write(placed(2, 2), rows((20240102, "new", 5.0)))
    assert store.read(placed(1, 3))["name"].to_pylist() == ["a", "new", "c"]


def test_a_failing_write_leaves_what_was_there(store: Store) -> None:
    """An error in the middle of the rows leaves every partition old, and no stray file."""
    store.write(placed(1, 1), rows((20240101, "old", 1.0)))

    def breaking() -> Iterator[pa.RecordBatch]:
        yield from rows((20240101, "half", 2.0))
        raise RuntimeError("lost")

    with pytest.raises(Exception, match="lost"):
        store.write(placed(1, 1), pa.RecordBatchReader.from_batches(SCHEMA, breaking()))
    assert store.read(placed(1, 1))["name"].to_pylist() == ["old"]
    if "://" not in store.path and Path(store.path).is_dir():
        assert not [file for file in Path(store.path).rglob("*") if file.name.endswith(".tmp")]


def test_a_state_is_as_of_the_latest(store: Store) -> None:
    """A state made as of an earlier moment leaves a later one alone, unless the config has changed."""
    store.write(state(5), rows((20240105, "five", 1.0)))
    store.write(state(3), rows((20240103, "three", 1.0)))
    assert store.read(state(3))["name"].to_pylist() == ["five"]
    store.write(state(6), rows((20240106, "six", 1.0)))
    assert store.read(state(3))["name"].to_pylist() == ["six"]
    other = SCHEMA.with_metadata({DIGEST: "two"})
    store.write(state(2), rows((20240102, "two", 1.0), schema=other))
    assert store.read(state(2))["name"].to_pylist() == ["two"]


def test_rows_outside_their_partitions_are_refused(tmp_path: Path) -> None:
    """Parquet files hold what their names say: a row of another day is an error, not a guess."""
    store = store_at("parquet", tmp_path)
    with pytest.raises(Exception, match="outside"):
        store.write(placed(1, 1), rows((20240102, "a", 1.0)))


KEYS = ("2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04")
OTHERS = {
    "one that goes": (SCHEMA.remove(2), "value is gone"),
    "one of another type": (SCHEMA.set(2, pa.field("value", pa.string())), "value was .* and is now"),
}


def of_schema(schema: pa.Schema, *values: tuple[object, ...]) -> pa.RecordBatchReader:
    columns = zip(*values, strict=True)
    return pa.table([pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)], schema=schema).to_reader()


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_column_is_null_in_older_partitions(kind: str, tmp_path: Path) -> None:
    """The older partition stays as it is, and a query over both sees nothing in the new column of it; so in any order, and
    again when another column comes."""
    store = store_at(kind, tmp_path)
    store.write(placed(1, 1), rows((20240101, "old", 1.0)))
    wider = pa.schema([SCHEMA.field(0), pa.field("more", pa.int64()), *list(SCHEMA)[1:]])
    store.write(placed(2, 2), of_schema(wider, (20240102, 7, "new", 2.0)))
    widest = wider.append(pa.field("most", pa.string()))
    store.write(placed(3, 3), of_schema(widest, (20240103, 8, "newer", 3.0, "x")))
    table = store.read(placed(1, 3))
    assert table.select(["date_key", "name", "more", "most"]).to_pylist() == [
        {"date_key": 20240101, "name": "old", "more": None, "most": None},
        {"date_key": 20240102, "name": "new", "more": 7, "most": None},
        {"date_key": 20240103, "name": "newer", "more": 8, "most": "x"},
    ]
    assert sorted(store.intact_partitions("ds")["fct"]) == ["2024-01-01", "2024-01-02", "2024-01-03"]


@pytest.mark.slow
@pytest.mark.parametrize("change", OTHERS)
@pytest.mark.parametrize("kind", KINDS)
def test_other_changes_of_columns_are_refused_and_nothing_is_lost(kind: str, change: str, tmp_path: Path) -> None:
    """The refusal names the column and the command that works; status sees the same obstacle; a dropped table takes all."""
    schema, message = OTHERS[change]
    store = store_at(kind, tmp_path)
    store.write(placed(1, 1), rows((20240101, "old", 1.0)))
    value = () if len(schema) == 2 else ("text",)
    with pytest.raises(dg.Failure, match=rf"{message}.*plotsim materialize ds --recreate --tables fct"):
        store.write(placed(2, 2), of_schema(schema, (20240102, "new", *value)))
    assert store.read(placed(1, 1))["name"].to_pylist() == ["old"]
    assert list(store.intact_partitions("ds")["fct"]) == ["2024-01-01"]
    assert re.search(message, store.obstacles("ds", {"fct": ("date_key", schema)})["fct"])
    assert store.obstacles("ds", {"fct": ("date_key", SCHEMA)}) == {}
    store.drop("ds", "fct")
    assert "fct" not in store.intact_partitions("ds")
    store.write(placed(2, 2), of_schema(schema, (20240102, "new", *value)))
    assert store.read(placed(2, 2)).column_names == schema.names


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_lost_is_not_made(kind: str, tmp_path: Path) -> None:
    """Rows deleted, a file removed or cut off, a table taken away behind the store's back: these partitions are not
    made, the others are, an empty one too. Writing again makes it whole."""
    store = store_at(kind, tmp_path)
    data = rows((20240101, "a", 1.0), (20240102, "b", 2.0), (20240102, "c", 3.0), (20240104, "d", 4.0))
    store.write(placed(1, 4), data)
    assert {key: part.rows for key, part in store.intact_partitions("ds")["fct"].items()} == dict(
        zip(KEYS, (1, 2, 0, 1), strict=True)
    )
    lose(store, "2024-01-02")
    assert list(store.intact_partitions("ds")["fct"]) == ["2024-01-01", "2024-01-03", "2024-01-04"]
    store.write(placed(2, 2), rows((20240102, "b", 2.0), (20240102, "c", 3.0)))
    assert list(store.intact_partitions("ds")["fct"]) == list(KEYS)
    before = store.version("ds")
    lose(store, None)
    assert "fct" not in store.intact_partitions("ds") and store.version("ds") != before


def test_records_without_bounds_are_counted_as_a_whole(tmp_path: Path) -> None:
    """Version 0.5 recorded no bounds: a table with such a record is made while it has all its rows, and not at all after."""
    store = store_at("duckdb", tmp_path)
    store.write(placed(1, 2), rows((20240101, "a", 1.0), (20240102, "b", 2.0), (20240102, "c", 3.0)))
    with duckdb.connect(store.path) as connection:
        bounds = "time_column = NULL, low = NULL, high = NULL"
        connection.execute(f"UPDATE ds._partitions SET {bounds} WHERE table_name = 'fct' AND partition_key = '2024-01-01'")
    assert list(store.intact_partitions("ds")["fct"]) == ["2024-01-01", "2024-01-02"]
    lose(store, "2024-01-02")
    assert "fct" not in store.intact_partitions("ds")


def test_a_new_file_is_seen_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two processes that make a DuckDB file at the same moment, DuckDB lets one destroy what the other wrote: whenever
    the store opens its file, to write rows or to log a failure, there is a database in it."""
    store, connections, connect = store_at("duckdb", tmp_path), [], duckdb.connect

    def looking(path: str, **options: Any) -> duckdb.DuckDBPyConnection:
        if path == store.path:
            connections.append(Path(path).read_bytes()[8:12])
        return connect(path, **options)

    monkeypatch.setattr(duckdb, "connect", looking)
    store.write(placed(1, 1), rows((20240101, "a", 1.0)))
    assert connections and set(connections) == {b"DUCK"}
    assert [file.name for file in tmp_path.iterdir() if "store" in file.name] == ["store.duckdb"]
    connections.clear()
    Path(store.path).unlink()
    store.log(pa.Table.from_pylist([{}], LOG_SCHEMA))
    assert connections == [b"DUCK"]


def lose(store: Store, key: str | None) -> None:
    """Take a row, a file or a whole table out of a store as somebody would who does not know of it."""
    if isinstance(store, DuckDBStore):
        with duckdb.connect(store.path) as connection:
            delete = f"DELETE FROM ds.fct WHERE date_key = {key.replace('-', '')} AND name = 'b'" if key else ""
            connection.execute(delete or "DROP TABLE ds.fct")
        return
    files = sorted((Path(store.path) / "ds" / "fct").glob("*.parquet"))
    for file in (file for file in files if key is None or file.name.startswith(key)):
        if key is None:
            file.unlink()
        else:
            file.write_bytes(file.read_bytes()[:-20])


def test_columns_are_described(tmp_path: Path) -> None:
    """Descriptions reach the database's catalogue, quotes and all."""
    store = store_at("duckdb", tmp_path)
    store.write(placed(1, 1), rows((20240101, "a", 1.0)))
    assert "It's a table." in store.query("SELECT comment FROM duckdb_tables() WHERE table_name = 'fct'", ["ds"])


@pytest.mark.slow
def test_parquet_files_do_not_show_how_they_were_made(tmp_path: Path) -> None:
    """A month's file is the same bytes whether it was made alone or in a range."""
    plan = plan_of("saas")
    keys = keys_of(plan)
    names = [table.name for table in plan.tables]
    alone, ranged = store_at("parquet", tmp_path / "alone"), store_at("parquet", tmp_path / "ranged")
    materialise(plan, ranged, keys, only=names)
    materialise(plan, alone, [keys[7]], only=names)
    compared = 0
    for file in Path(alone.path).rglob(f"{keys[7]}.parquet"):
        twin = Path(ranged.path) / file.relative_to(alone.path)
        assert file.read_bytes() == twin.read_bytes(), file
        compared += 1
    assert compared == sum(table.time is not None for table in plan.tables)
