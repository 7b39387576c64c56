"""Idempotence: a run written again leaves the directory as it was, and a run that fails leaves what was there."""

from __future__ import annotations

import hashlib
import weakref
from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from plotsim_core import Plan, write_tables
from plotsim_core.output import parquet
from plotsim_core.output.format import FORMATS, rechunked
from plotsim_core.output.run import config_text, write_run
from plotsim_core.run_files import CONFIG_FILE, MANIFEST_FILE
from tests.laws.made import BUNDLED, afresh, bundled, chunks_of, made_table
from tests.laws.strategies import examples
from tests.marks import slow_but

SAME_BYTES = [name for name in FORMATS if name != "duckdb"]
"""Formats whose files have the same bytes whenever they hold the same rows. A DuckDB file does not promise that."""


def files(directory: Path) -> dict[str, str]:
    """Return the names of all files, hidden ones too, with the hash of their bytes."""
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in directory.rglob("*")
        if path.is_file()
    }


def contents(plan: Plan, directory: Path) -> dict[str, list[tuple[object, ...]]]:
    """Return the rows of a DuckDB file, table by table, in the order of their keys."""
    with duckdb.connect(directory / f"{plan.name}.duckdb", read_only=True) as connection:
        return {t.name: connection.table(t.name).order(", ".join(t.key)).fetchall() for t in plan.tables}


def periods(plan: Plan) -> str:
    """Return a range of periods inside the window."""
    return f"{plan.grain.label(plan.first + 2)}..{plan.grain.label(plan.first + 8)}"


def failing(table: pa.Table) -> Iterator[pa.RecordBatch]:
    """Give some rows, and then fail."""
    yield from table.slice(0, 3).to_batches()
    raise RuntimeError("the disk is full")


@pytest.mark.parametrize("name", slow_but(BUNDLED, "minimal"))
@pytest.mark.parametrize("format", SAME_BYTES)
def test_a_run_written_twice_is_there_once_with_the_same_bytes(name: str, format: str, tmp_path: Path) -> None:
    plan = bundled(name)
    rows = write_tables(plan, tmp_path, format=format, periods=periods(plan), with_manifest=True)
    before = files(tmp_path)
    assert write_tables(plan, tmp_path, format=format, periods=periods(plan), with_manifest=True) == rows
    assert files(tmp_path) == before
    assert set(before) == {FORMATS[format].file(plan, table) for table in plan.tables} | {CONFIG_FILE, MANIFEST_FILE}


@pytest.mark.parametrize("name", BUNDLED)
def test_a_database_written_twice_holds_the_rows_once(name: str, tmp_path: Path) -> None:
    plan = bundled(name)
    rows = write_tables(plan, tmp_path, format="duckdb", periods=periods(plan), with_manifest=True)
    before = contents(plan, tmp_path)
    assert {table: len(actual) for table, actual in before.items()} == rows
    write_tables(plan, tmp_path, format="duckdb", periods=periods(plan), with_manifest=True)
    assert contents(plan, tmp_path) == before
    assert set(files(tmp_path)) == {f"{plan.name}.duckdb", CONFIG_FILE, MANIFEST_FILE}


@pytest.mark.parametrize("format", list(FORMATS))
def test_a_run_that_fails_leaves_the_older_files_and_no_others(format: str, tmp_path: Path) -> None:
    plan = bundled("minimal")
    write_tables(plan, tmp_path, format=format)
    before = files(tmp_path)
    tables = [made_table(plan, table.name) for table in plan.tables]
    for broken in range(len(tables)):
        run = [failing(rows) if n == broken else rows.to_batches() for n, rows in enumerate(tables)]
        with pytest.raises(Exception, match="the disk is full"):
            write_run(plan, plan.tables, lambda folder, run=run: run, tmp_path, format)
        assert files(tmp_path) == before
        assert {path.name for path in tmp_path.iterdir()} == set(before), "a directory is left over"


@pytest.mark.parametrize("format", list(FORMATS))
def test_a_run_that_fails_in_an_empty_place_leaves_nothing(format: str, tmp_path: Path) -> None:
    plan = bundled("minimal")
    table = plan.tables[-1]
    with pytest.raises(Exception, match="the disk is full"):
        write_run(plan, [table], lambda folder: [failing(made_table(plan, table.name))], tmp_path / "new", format)
    assert list((tmp_path / "new").iterdir()) == []


@pytest.mark.parametrize("format", slow_but(FORMATS, "csv", "parquet"))
@pytest.mark.parametrize("name", slow_but(BUNDLED, "minimal"))
def test_a_file_does_not_show_in_which_blocks_it_was_made(
    name: str, format: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Same bytes (a database: same rows) for blocks of any size, also where a file has many row groups."""
    monkeypatch.setattr(parquet, "ROW_GROUP", 100)
    plan = bundled(name)
    for directory, cells in (("large", 1 << 19), ("small", plan.population.units * 3 + 1)):
        with chunks_of(cells):
            write_tables(afresh(plan), tmp_path / directory, format=format, periods=periods(plan), with_manifest=True)
    if format in SAME_BYTES:
        assert files(tmp_path / "large") == files(tmp_path / "small")
    else:
        assert contents(plan, tmp_path / "large") == contents(plan, tmp_path / "small")


@pytest.mark.parametrize("name", BUNDLED)
def test_files_read_back_are_the_rows_that_were_made(name: str, tmp_path: Path) -> None:
    """Parquet and CSV, read again with the table's own types, equal what the generator gave; in CSV, structures are text."""
    plan = bundled(name)
    for format in SAME_BYTES:
        write_tables(plan, tmp_path, format=format)
    for table in plan.tables:
        expected = made_table(plan, table.name)
        assert pq.read_table(tmp_path / f"{table.name}.parquet").equals(expected), table.name
        flat = pa.schema([field for field in table.schema if not pa.types.is_nested(field.type)])
        types = pacsv.ConvertOptions(
            column_types=flat, strings_can_be_null=True, quoted_strings_can_be_null=False, null_values=[""]
        )
        rows = pacsv.read_csv(tmp_path / f"{table.name}.csv", convert_options=types)
        assert rows.select(flat.names).cast(flat).combine_chunks().equals(expected.select(flat.names)), table.name


def test_the_config_beside_the_files_makes_the_same_files(tmp_path: Path) -> None:
    """Its copy says the seed that was in force."""
    from plotsim_core import load_config

    plan = load_config(Path(__file__).parents[2] / "configs" / "minimal.yaml", seed=7)
    write_tables(plan, tmp_path / "first")
    assert (tmp_path / "first" / CONFIG_FILE).read_text() == config_text(plan)
    write_tables(load_config(tmp_path / "first" / CONFIG_FILE), tmp_path / "second")
    assert files(tmp_path / "first") == files(tmp_path / "second")


@examples(30)
@given(st.lists(st.integers(0, 9), max_size=12), st.integers(1, 7))
def test_rechunking_keeps_rows_and_their_order(sizes: list[int], rows: int) -> None:
    """Batches of exactly the size that is asked for, but for the last."""
    schema = pa.schema([("x", pa.int64())])
    given_rows = [list(range(sum(sizes[:n]), sum(sizes[: n + 1]))) for n in range(len(sizes))]
    batches = [pa.RecordBatch.from_arrays([pa.array(part, pa.int64())], schema=schema) for part in given_rows]
    values = list(rechunked(batches, schema, rows))
    assert [x for batch in values for x in batch["x"].to_pylist()] == list(range(sum(sizes)))
    assert all(batch.num_rows == rows for batch in values[:-1])


def test_what_was_rechunked_is_let_go() -> None:
    """Arrays that lived on between the batches that a writer takes would split the memory that others leave."""
    schema = pa.schema([("x", pa.int64())])
    arrays: list[weakref.ref[NDArray[np.int64]]] = []

    def batches() -> Iterator[pa.RecordBatch]:
        for _ in range(6):
            values = np.arange(1000)
            arrays.append(weakref.ref(values))
            yield pa.RecordBatch.from_arrays([pa.array(values)], schema=schema)

    for _ in rechunked(batches(), schema, 1500):
        assert sum(array() is not None for array in arrays) == 1
