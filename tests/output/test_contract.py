"""What every output format promises: all rows of all tables, as they are, once, in the same bytes every time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import get_args

import pyarrow as pa
import pytest

from plotsim_core import write_tables
from plotsim_core.config.output import FormatWord
from plotsim_core.output.format import FORMATS
from plotsim_core.validation.store import directory_store
from tests.laws.made import afresh, chunks_of
from tests.marks import slow_but
from tests.output.support import NASTY, as_lists, files, plan_with, read, rows

WRITTEN = [
    *((format, {}) for format in FORMATS),
    ("parquet", {"partition_by": "date_key"}),
    ("parquet", {"partition_by": "city"}),
    ("sql", {"sql_dialect": "mysql"}),
    ("sql", {"sql_dialect": "sqlite"}),
    ("csv", {"denormalized": True}),
    ("csv", {"escape_formulas": True}),
]
"""Each format, and those with options that change what is written."""
CASES = [pytest.param(format, options, id="-".join([format, *map(str, options.values())])) for format, options in WRITTEN]
SAME_BYTES = [case for case in CASES if case.values[0] != "duckdb"]
"""A DuckDB file does not promise its bytes, only its rows."""


def test_every_format_has_its_word_in_the_language() -> None:
    assert sorted(get_args(FormatWord)) == sorted(FORMATS)


@pytest.mark.slow
@pytest.mark.parametrize(("format", "options"), slow_but(CASES, "csv", "parquet", "sql"))
def test_what_is_read_is_what_was_made(format: str, options: dict[str, object], tmp_path: Path) -> None:
    """All tables, with all rows, columns and types; empty texts are no nulls; texts that need escaping are the same."""
    plan = plan_with(format, **options)
    counted = write_tables(plan, tmp_path)
    actual = read(plan, tmp_path, format)
    assert set(actual) == {table.name for table in plan.tables} == set(counted)
    for table in plan.tables:
        expected = rows(plan, table.name)
        assert actual[table.name].num_rows == expected.num_rows == counted[table.name]
        assert actual[table.name].column_names == expected.column_names
        assert as_lists(actual[table.name].cast(expected.schema)) == as_lists(expected), table.name
    assert set(NASTY) <= set(actual["evt_visit"]["city"].to_pylist())
    assert 0 < actual["fct_month"]["sales"].null_count < actual["fct_month"].num_rows


@pytest.mark.slow
@pytest.mark.parametrize(("format", "options"), [case for case in SAME_BYTES if "partition_by" not in case.values[1]])
def test_rows_keep_their_order(format: str, options: dict[str, object], tmp_path: Path) -> None:
    """As they are made (there is no order between folders)."""
    plan = plan_with(format, **options)
    write_tables(plan, tmp_path)
    actual = read(plan, tmp_path, format)
    for table in plan.tables:
        expected = rows(plan, table.name)
        assert actual[table.name].cast(expected.schema).to_pylist() == expected.to_pylist()


@pytest.mark.slow
@pytest.mark.parametrize(("format", "options"), SAME_BYTES)
def test_two_runs_have_the_same_bytes(format: str, options: dict[str, object], tmp_path: Path) -> None:
    """Whatever the blocks they were made in."""
    plan = plan_with(format, **options)
    write_tables(plan, tmp_path / "one")
    with chunks_of(plan.population.units * 3 + 1):
        write_tables(afresh(plan), tmp_path / "two")
    assert files(tmp_path / "one") == files(tmp_path / "two")


@pytest.mark.slow
@pytest.mark.parametrize(("format", "options"), CASES)
def test_written_twice_is_there_once(format: str, options: dict[str, object], tmp_path: Path) -> None:
    """Also where the first run had more rows: nothing of it is left."""
    plan = plan_with(format, **options)
    write_tables(plan, tmp_path / "twice")
    part = write_tables(plan, tmp_path / "twice", periods="2024-02..2024-04")
    write_tables(plan, tmp_path / "once", periods="2024-02..2024-04")
    assert set(files(tmp_path / "twice")) == set(files(tmp_path / "once"))
    actual = read(plan, tmp_path / "twice", format)
    assert {name: table.num_rows for name, table in actual.items()} == part
    assert not list((tmp_path / "twice").glob(".plotsim*"))


@pytest.mark.parametrize("format", ["csv", "sql"])
def test_money_has_two_decimals(format: str, tmp_path: Path) -> None:
    """12.50, not 12.5; other numbers have as many decimals as they need."""
    plan = plan_with(format)
    write_tables(plan, tmp_path)
    if format == "csv":
        lines = (tmp_path / "select.csv").read_text(encoding="utf-8").splitlines()
        assert lines == ['"plan_id","price"', '"SEL-001",9.90', '"SEL-002",20.50', '"SEL-003",7.00']
        head, *body = (tmp_path / "fct_month.csv").read_text(encoding="utf-8").splitlines()
        place = head.split(",").index('"sales"')
        sales = [line.split(",")[place] for line in body]
        assert all(value == "" or value[-3] == "." for value in sales)
        assert any(value.endswith("0") for value in sales)
    else:
        dump = (tmp_path / "data.sql").read_text(encoding="utf-8")
        assert '"sales" NUMERIC(18, 2)' in dump
        assert "('SEL-001', 9.90)" in dump


def test_the_schema_of_parquet_says_what_it_was_made_from(tmp_path: Path) -> None:
    """In folders too."""
    import pyarrow.parquet as pq

    plan = plan_with("parquet", partition_by="date_key")
    write_tables(plan, tmp_path)
    for file in tmp_path.rglob("*.parquet"):
        metadata = pq.read_schema(file).metadata
        assert metadata[b"plotsim_digest"].decode() == plan.digest


def test_nested_values_are_nested_where_a_format_can(tmp_path: Path) -> None:
    """JSON lines have objects and lists, CSV has the JSON of them."""
    import csv
    import json

    plan = plan_with()
    write_tables(plan, tmp_path, format="jsonl")
    write_tables(plan, tmp_path, format="csv")
    lines = [json.loads(line) for line in (tmp_path / "dim_shop.jsonl").read_text(encoding="utf-8").splitlines()]
    with (tmp_path / "dim_shop.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    assert isinstance(lines[0]["extra"], dict) and isinstance(lines[0]["codes"], list)
    assert [json.loads(row["extra"]) for row in table] == [line["extra"] for line in lines]
    assert [json.loads(row["codes"]) for row in table] == [line["codes"] for line in lines]
    assert lines[0]["opened"].startswith("2024-") and "T" in lines[0]["opened"]
    assert pa.types.is_struct(rows(plan, "dim_shop").schema.field("extra").type)


def test_moments_inside_nested_values_have_the_digits_of_those_outside(tmp_path: Path) -> None:
    """Six, whatever the moment; one without a fraction too."""
    import csv
    import json
    from datetime import datetime

    moments = [datetime(2024, 1, 1, 9), datetime(2024, 1, 1, 9, 0, 0, 120_000), datetime(2024, 1, 1, 9, 0, 0, 17), None]
    type_ = pa.struct([("at", pa.timestamp("us")), ("more", pa.list_(pa.timestamp("us")))])
    nested = pa.array([{"at": moment, "more": [moment]} for moment in moments], type_)
    batch = pa.record_batch({"opened": pa.array(moments, pa.timestamp("us")), "extra": nested})
    spec = plan_with().table("dim_shop")
    columns = {column.name: column for column in spec.columns}
    shown = (replace(columns["opened"], nullable=True), replace(columns["extra"], type=type_, nullable=True))
    table = replace(spec, columns=shown, key=("opened",), references=())
    for format in ("csv", "jsonl"):
        FORMATS[format].write(plan_with(), table, [batch.cast(table.schema)], tmp_path)
    with (tmp_path / "dim_shop.csv").open(encoding="utf-8", newline="") as file:
        rows_ = [(row["opened"] or None, json.loads(row["extra"])) for row in csv.DictReader(file)]
    lines = [json.loads(line) for line in (tmp_path / "dim_shop.jsonl").read_text(encoding="utf-8").splitlines()]
    for outside, inside in [*rows_, *((line["opened"], line["extra"]) for line in lines)]:
        assert inside == {"at": outside, "more": [outside]}
        assert outside is None or len(outside.partition(".")[2]) == 6


def test_texts_that_a_spreadsheet_would_run_are_escaped_where_it_is_asked_for(tmp_path: Path) -> None:
    """Only texts: a number below zero stays one. What is read back is what was made."""
    texts = ["=1+1", "+49 30", "-5 %", "@cell", "\ttab", "\rreturn", "'=1", "'quoted'", "a=b", "", None]
    batch = pa.record_batch({"city": pa.array(texts), "codes": pa.array(range(-5, 6), pa.int64())})
    plan = plan_with(escape_formulas=True)
    spec = plan.table("dim_shop")
    city, codes = (next(c for c in spec.columns if c.name == name) for name in ("city", "codes"))
    columns = (replace(city, nullable=True), replace(codes, type=pa.int64(), nullable=True))
    table = replace(spec, columns=columns, key=("city",), references=())
    values = {}
    for place, entry in (("raw", plan_with()), ("escaped", plan)):
        (tmp_path / place).mkdir()
        FORMATS["csv"].write(entry, table, [batch.cast(table.schema)], tmp_path / place)
        alone = replace(entry, tables=(table,))
        with directory_store(alone, tmp_path / place, "csv", entry.first, entry.stop or 0) as store:
            assert store.arrow("FROM dim_shop").to_pydict() == batch.to_pydict()
        values[place] = (tmp_path / place / "dim_shop.csv").read_bytes().decode()
    assert values["raw"].startswith('"city","codes"\n"=1+1",-5\n"+49 30",-4\n')
    assert values["escaped"].startswith(
        '"city","codes"\n"\'=1+1",-5\n"\'+49 30",-4\n"\'-5 %",-3\n"\'@cell",-2\n"\'\ttab",-1\n'
    )
    assert "\"''=1\"" in values["escaped"] and "\"'quoted'\"" in values["escaped"] and '"a=b"' in values["escaped"]
