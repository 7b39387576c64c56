"""Typed moments are read back from every format as the same moment, by readers that are not ours."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from plotsim_core import Plan, batches, from_mapping, write_tables
from plotsim_core.validation.report import check_directory
from tests.output.test_postgres import place
from tests.output.test_sql import asked

FORMATS = ("csv", "jsonl", "parquet", "duckdb", "sql")
TYPED = ("at_utc", "at_berlin")


def shops(log_format: str | None = None, **output: Any) -> Plan:
    """Events in the nights in which clocks of New York are set back, and a log with typed moments inside images."""
    columns = [
        {"name": "visit_id", "type": "id"},
        {"name": "date_key", "type": "ref.dim_date"},
        {"name": "shop_id", "type": "ref.dim_shop"},
        {"name": "at", "type": "timestamp"},
        {"name": "at_utc", "type": "timestamp", "zone": "utc"},
        {"name": "at_berlin", "type": "timestamp", "zone": "Europe/Berlin", "nulls": 0.1},
    ]
    log = {} if log_format is None else {"log_format": log_format}
    opened = {"name": "opened_at", "type": "timestamp", "zone": "America/New_York"}
    visit = {"name": "evt_visit", "trigger": "proportional", "driver": "visits", "columns": columns, **log}
    raw = {
        "about": "Shops",
        "unit": "shop",
        "window": {"start": "2024-11-02", "end": "2024-11-04", "every": "day", "timezone": "America/New_York"},
        "rhythm": {"hours": "night"},
        "metrics": [{"name": "visits", "type": "count", "polarity": "positive", "mean": [20, 60]}],
        "segments": [{"name": "all", "count": 5, "archetype": "growth"}],
        "dimensions": [{"name": "dim_shop", "per": "unit", "columns": [{"name": "shop_id", "type": "id"}, opened]}],
        "events": [visit, {"name": "log_shop", "changes_of": "dim_shop"}],
        "output": {"format": "csv", **output},
    }
    return from_mapping(raw, name="shops")


def instants(plan: Plan) -> dict[str, list[datetime | None]]:
    """Return the typed moments of each event in UTC, by column, in the order of keys."""
    rows = pa.Table.from_batches(batches(plan, "evt_visit")[1], plan.table("evt_visit").schema).sort_by("visit_id")
    return {name: rows[name].cast(pa.timestamp("us", "UTC")).to_pylist() for name in TYPED}


def moment(value: Any) -> datetime | None:
    """Return a value of a reader, a text with an offset or a moment, in UTC."""
    if value is None or value is pd.NaT or value == "":
        return None
    value = pd.Timestamp(value)
    assert value.tzinfo is not None
    return value.tz_convert("UTC").to_pydatetime()


def read(directory: Path, format_: str) -> pd.DataFrame:
    """Return the events of a run as a program reads them that knows nothing of the config."""
    if format_ == "csv":
        return pd.read_csv(directory / "evt_visit.csv", dtype=str, keep_default_na=False)
    if format_ == "jsonl":
        return pd.DataFrame(map(json.loads, (directory / "evt_visit.jsonl").read_text().splitlines()))
    if format_ == "parquet":
        return pd.read_parquet(directory / "evt_visit.parquet")
    if format_ == "duckdb":
        with duckdb.connect(directory / "shops.duckdb") as connection:
            return connection.sql("FROM evt_visit").to_arrow_table().to_pandas()
    dump = (directory / "data.sql").read_text()
    with sqlite3.connect(":memory:") as connection:
        connection.executescript(dump)
        return pd.read_sql("SELECT * FROM evt_visit", connection)


@pytest.mark.parametrize("format_", FORMATS)
def test_each_format_keeps_which_moment_it_is(format_: str, tmp_path: Path) -> None:
    plan = shops(format="sql", sql_dialect="sqlite")
    write_tables(plan, tmp_path, format=format_)
    rows = read(tmp_path, format_).sort_values("visit_id")
    expected = instants(plan)
    assert len({at for at in expected["at_utc"] if at and at.hour in (5, 6)}) > 20  # clocks show 01:00 in both hours
    for name, values in expected.items():
        assert [moment(value) for value in rows[name].astype(object).where(rows[name].notna(), None)] == values
    assert plan.stop is not None
    assert not check_directory(plan, tmp_path, format_, plan.first, plan.stop).failed


def test_files_say_the_zone_in_their_type_or_text(tmp_path: Path) -> None:
    plan = shops()
    for format_ in ("parquet", "csv", "jsonl"):
        write_tables(plan, tmp_path / format_, format=format_)
    schema = pq.ParquetFile(tmp_path / "parquet" / "evt_visit.parquet").schema
    is_adjusted = {schema.column(i).name: json.loads(schema.column(i).logical_type.to_json()) for i in range(len(schema))}
    assert [is_adjusted[name]["isAdjustedToUTC"] for name in ("at", *TYPED)] == [False, True, True]
    assert (read(tmp_path / "csv", "csv")["at_berlin"].str.fullmatch(r"|2024-11-0\d \d\d:\d\d:\d\d\.\d{6}\+0100")).all()
    texts = read(tmp_path / "jsonl", "jsonl")
    assert texts["at_utc"].str.fullmatch(r"2024-11-0\dT\d\d:\d\d:\d\d\.\d{6}\+00:00").all()
    images = [json.loads(line) for line in (tmp_path / "jsonl" / "log_shop.jsonl").read_text().splitlines()]
    assert images[0]["before"] is None
    assert {image["after"]["opened_at"] for image in images} == {"2024-11-02T00:00:00.000000-04:00"}


def test_lines_of_a_log_show_the_clocks_of_the_column(tmp_path: Path) -> None:
    plan = shops(log_format="{at_utc} {at_berlin:%H:%M} {at}")
    write_tables(plan, tmp_path, format="csv")
    lines = (tmp_path / "evt_visit.log").read_text().splitlines()
    rows = read(tmp_path, "csv")
    texts = (
        rows["at_utc"].str.replace(" ", "T").str.replace("Z", "+0000") + " " + rows["at_berlin"].str[11:16].replace("", "-")
    )
    assert lines == (texts + " " + rows["at"].str.replace(" ", "T")).tolist()


def test_dialects_have_a_type_for_it(tmp_path: Path) -> None:
    types = {}
    for dialect in ("postgresql", "mysql", "sqlite"):
        plan = shops(format="sql", sql_dialect=dialect)
        write_tables(plan, tmp_path / dialect, format="sql")
        lines = (tmp_path / dialect / "data.sql").read_text().splitlines()
        types[dialect] = next(line.split(maxsplit=1)[1] for line in lines if line.strip(' "`').startswith("at_utc"))
        assert plan.stop is not None
        assert not check_directory(plan, tmp_path / dialect, "sql", plan.first, plan.stop).failed
    assert types == {
        "postgresql": "TIMESTAMP WITH TIME ZONE NOT NULL,",
        "mysql": "DATETIME(6) NOT NULL,",
        "sqlite": "TIMESTAMP NOT NULL,",
    }


@pytest.mark.slow
def test_postgresql_has_the_moment(postgres: Any, tmp_path: Path) -> None:
    plan = shops()
    write_tables(plan, tmp_path, format=place(postgres))
    rows = asked(
        postgres, 'SELECT at_utc, at_berlin, pg_typeof(at_utc) AS type FROM shops.evt_visit ORDER BY visit_id COLLATE "C"'
    )
    assert {row["type"] for row in rows} == {"timestamp with time zone"}
    for name, values in instants(plan).items():
        read_back = [None if row[name] == "<null>" else datetime.fromisoformat(row[name]).astimezone(UTC) for row in rows]
        assert read_back == values
