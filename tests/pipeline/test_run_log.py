"""The run log in the store: one row per table, range and run, written with the rows, and to be asked in SQL."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from click.testing import CliRunner

import plotsim_pipeline.assets.tables as assets
import plotsim_pipeline.stores.duckdb as duckdb_store
from plotsim_core import Plan, load_config
from plotsim_core.version import VERSION
from plotsim_pipeline.__main__ import main
from plotsim_pipeline.stores import STORES
from plotsim_pipeline.stores.run_log import LOG, SCHEMA, Writing, measured_batches
from plotsim_pipeline.stores.store import Store
from tests.pipeline.support import CONFIGS, keys_of, materialise, store_at
from tests.pipeline.test_stores import placed, rows, state

STATE = """
-- View generation state
SELECT 
    dataset_id,
    generation_date,
    tables_generated,
    total_rows,
    file_paths,
    status
FROM log_synthetic_data_generation
WHERE dataset_id = 'retail_oltp_small_incremental'
ORDER BY generation_date DESC;
""".replace("retail_oltp_small_incremental", "minimal")  # noqa: W291 # as it is written in the seed, but for the name
SPEED = """
-- Average generation speed by dataset
SELECT 
    dataset_id,
    generation_mode,
    AVG(rows_per_second) as avg_rows_per_sec,
    AVG(duration_seconds) as avg_duration,
    MIN(rows_per_second) as min_speed,
    MAX(rows_per_second) as max_speed
FROM log_synthetic_data_generation
WHERE status = 'COMPLETED'
GROUP BY dataset_id, generation_mode;
"""  # noqa: W291
RESOURCES = """
-- Peak memory usage by dataset size
SELECT 
    dataset_id,
    target_rows,
    MAX(peak_memory_gb) as max_memory,
    MAX(cpu_cores_used) as max_cores,
    AVG(duration_seconds) as avg_duration
FROM log_synthetic_data_generation
GROUP BY dataset_id, target_rows
ORDER BY target_rows;
"""  # noqa: W291


@pytest.fixture(
    params=["duckdb", pytest.param("parquet", marks=pytest.mark.slow), pytest.param("delta", marks=pytest.mark.long)]
)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def plan_of(seed: int | None = None) -> Plan:
    return load_config(CONFIGS / "minimal.yaml", seed=seed)


def logged(store: Store) -> list[dict[str, Any]]:
    """Return the run log, oldest first, with the hashes of partitions as a mapping."""
    values = sorted(store.run_log().to_pylist(), key=lambda row: row["finished_at"])
    return [{**row, "partition_hashes": dict(row["partition_hashes"])} for row in values]


@pytest.mark.slow
def test_the_monitoring_queries_run_as_written(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """State, speed and resources are asked in the words of the seed, but for the dataset's name, in every store."""
    plan, store = plan_of(), store_at(kind, tmp_path)
    materialise(plan, store, keys_of(plan)[:3], only=["dim_customer", "fct_payments"])
    materialise(plan, store, keys_of(plan)[3:4], only=["fct_payments"])
    monkeypatch.setenv("PLOTSIM_STORE", kind)
    monkeypatch.setenv("PLOTSIM_STORE_PATH", store.path)
    monkeypatch.setenv("PLOTSIM_DATASETS", "minimal")
    for query, shows in ((STATE, "[fct_payments]"), (SPEED, "incremental"), (RESOURCES, "max_memory")):
        answer = CliRunner().invoke(main, ["query", query])
        assert answer.exit_code == 0, answer.output
        assert shows in answer.output
    with duckdb.connect() as connection:
        connection.register(LOG, store.run_log())
        dates = [row[1].isoformat() for row in connection.sql(STATE).fetchall()]
        assert dates == ["2024-04-01", "2024-03-01", "2024-03-01"]
        modes = {row[1]: row[2:] for row in connection.sql(SPEED).fetchall()}
        assert set(modes) == {"state", "series", "incremental"}
        assert all(average > 0 for _, average, *_ in modes.values())
        ((name, size, memory, cores, _),) = connection.sql(RESOURCES).fetchall()
    assert (name, size) == ("minimal", None), "nobody asked for a number of rows"
    assert 0.01 < memory < 64 and 0 < cores < 256


def test_a_row_says_what_was_made(kind: str, tmp_path: Path) -> None:
    plan, store = plan_of(seed=7), store_at(kind, tmp_path)
    keys = keys_of(plan)[:3]
    result = materialise(plan, store, keys, only=["fct_payments"])
    (row,) = logged(store)
    assert (row["dataset_id"], row["table_name"], row["tables_generated"]) == ("minimal", "fct_payments", ["fct_payments"])
    assert (row["first_partition"], row["last_partition"], row["partitions"]) == (keys[0], keys[-1], 3)
    assert (row["status"], row["message"], row["total_rows"]) == ("COMPLETED", None, 240)
    assert (row["config_hash"], row["core_version"], row["seed"], row["scale"]) == (plan.digest, VERSION, 7, 1.0)
    assert row["run_id"] == result.run_id
    assert row["rows_per_second"] == pytest.approx(240 / row["duration_seconds"])
    assert row["started_at"] < row["finished_at"]
    assert list(row["partition_hashes"]) == keys
    assert row["file_paths"] and all(Path(file).exists() for file in row["file_paths"])


@pytest.mark.slow
def test_the_same_rows_have_the_same_hash_everywhere(tmp_path: Path) -> None:
    """In each store, alone or in a range; those of another seed have another."""
    plan, names = plan_of(), ["dim_customer", "fct_payments"]
    keys = keys_of(plan)[:2]
    values: list[dict[tuple[str, str], str]] = []
    for kind in STORES:
        store = store_at(kind, tmp_path / kind)
        materialise(plan, store, keys, only=names)
        values.append({(row["table_name"], key): h for row in logged(store) for key, h in row["partition_hashes"].items()})
    alone = store_at("duckdb", tmp_path / "alone")
    materialise(plan, alone, keys[1:], only=["fct_payments"])
    assert all(hashes == values[0] for hashes in values)
    assert logged(alone)[0]["content_hash"] == values[0]["fct_payments", keys[1]]
    other = store_at("duckdb", tmp_path / "other")
    materialise(plan_of(seed=7), other, keys[1:], only=["fct_payments"])
    assert logged(other)[0]["content_hash"] != logged(alone)[0]["content_hash"]


@pytest.mark.slow
def test_a_failure_is_logged_and_hides_nothing(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that fails in the middle leaves a row that says why, and the error is the error."""
    plan, store = plan_of(), store_at(kind, tmp_path)
    result = assets.batches

    def breaking(*arguments: Any) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        schema, whole = result(*arguments)

        def some() -> Iterator[pa.RecordBatch]:
            yield from whole
            raise RuntimeError("the disk is on fire")

        return schema, some()

    monkeypatch.setattr(assets, "batches", breaking)
    with pytest.raises(Exception, match="the disk is on fire"):
        materialise(plan, store, keys_of(plan)[:2], only=["fct_payments"])
    (row,) = logged(store)
    assert (row["status"], row["content_hash"], row["partition_hashes"]) == ("FAILED", None, {})
    assert "the disk is on fire" in row["message"]
    assert set(store.intact_partitions("minimal").get("fct_payments", {})) < set(keys_of(plan)[:2]), (
        "files are whole, one by one"
    )
    monkeypatch.setattr(type(store), "log", lambda self, row: 1 / 0)
    with pytest.raises(Exception, match="the disk is on fire"):
        materialise(plan, store, keys_of(plan)[:2], only=["fct_payments"])


def test_rows_and_their_log_come_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """DuckDB: they are one transaction, so a log that cannot be written leaves no rows."""
    plan, store = plan_of(), store_at("duckdb", tmp_path)
    monkeypatch.setattr(duckdb_store, "append", lambda connection, row: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        materialise(plan, store, keys_of(plan)[:1], only=["fct_payments"])
    assert store.intact_partitions("minimal") == {}


def writing(run: str, day: int) -> Writing:
    where = placed(day, day)
    return Writing(where.dataset, where.table, where.keys, False, run, rows().schema)


def write(store: Store, run: str, day: int, value: float) -> pa.Table:
    now, where = writing(run, day), placed(day, day)
    reader = measured_batches(now, rows((20240100 + day, "a", value)), where.split)
    return store.write_logged(where, reader, now)[1]


def test_writers_at_once_lose_no_row(kind: str, tmp_path: Path) -> None:
    """Eight runs that write at the same time each leave their row."""
    store = store_at(kind, tmp_path)
    write(store, "first", 1, 1.0)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda day: write(store, f"run {day}", day, 1.0), range(2, 10)))
    assert sorted(row["run_id"] for row in logged(store)) == ["first", *(f"run {day}" for day in range(2, 10))]


def test_other_content_from_the_same_config_is_told(kind: str, tmp_path: Path) -> None:
    """A partition that comes out differently, though config and version are the same, is noted, once."""
    store = store_at(kind, tmp_path)
    assert write(store, "one", 1, 1.0)["message"].to_pylist() == [None]
    assert write(store, "two", 1, 1.0)["message"].to_pylist() == [None]
    (values,) = write(store, "three", 1, 2.0)["message"].to_pylist()
    assert values == "other content than the same config gave before: 2024-01-01"
    assert write(store, "four", 1, 2.0)["message"].to_pylist() == [None]
    assert write(store, "five", 2, 9.0)["message"].to_pylist() == [None]
    assert [row["message"] for row in logged(store)] == [None, None, values, None, None]


def test_a_later_state_that_stays_is_told(tmp_path: Path) -> None:
    """A state that is not written, since a later one is there, has a row without a hash."""
    store = store_at("duckdb", tmp_path)
    store.write(state(5), rows((20240105, "five", 1.0)))
    where = state(3)
    now = Writing(where.dataset, where.table, where.keys, True, "run", rows().schema)
    store.write_logged(where, measured_batches(now, rows((20240103, "three", 1.0)), where.split), now)
    (row,) = logged(store)
    assert (row["status"], row["total_rows"], row["content_hash"]) == ("KEPT", 0, None)


def test_the_page_is_true(tmp_path: Path) -> None:
    """docs/operations.md names every column of the log, and its queries run."""
    page = (CONFIGS.parent / "docs" / "operations.md").read_text(encoding="utf-8")
    table = page.split("| column | what it is |")[1].split("\n\n")[0]
    named = [name for line in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", line.split("|")[1])]
    assert sorted(named) == sorted(SCHEMA.names)
    queries = re.findall(r"```sql\n(.*?)```", page, re.DOTALL)
    store = store_at("duckdb", tmp_path)
    write(store, "one", 1, 1.0)
    with duckdb.connect(store.path) as connection:
        assert [len(connection.sql(query).fetchall()) for query in queries] == [1, 0]
