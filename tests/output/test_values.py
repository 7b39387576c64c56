"""What comes back from each format: NULL, the empty text, texts that look like neither, moments, integers past 2**53."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest

from plotsim_core import Plan, from_mapping, generate_tables, manifest, write_tables
from plotsim_core.output.format import FORMATS
from tests.marks import slow_but
from tests.output.support import read, rows

TEXTS = [
    "",
    "NA",
    "NULL",
    "nan",
    "None",
    "<null>",
    "001",
    "1e5",
    "a,b",
    'say "x"',
    '""',
    "line\nbreak",
    "cr\rlf\r\n",
    "ünï ☃ 顧客",
    "=1+1",
    "end ",
    "\\N",
    "it's; --",
    "tab\there",
    "2024-01-01",
    "true",
]
LARGE = [9007199254740993, 900719925474099267, -9007199254740995, 9223372036854775807]
"""Whole numbers that no double is."""


def plan_of(format: str, **output: Any) -> Plan:
    return from_mapping(
        {
            "about": "Visits",
            "unit": "shop",
            "window": {"start": "2024-01", "end": "2024-06", "every": "month"},
            "noise": {"mcar_rate": 0.2},
            "metrics": [{"name": "visits", "type": "count", "polarity": "positive", "mean": [5, 9]}],
            "segments": [{"name": "all", "count": 40, "archetype": "growth", "attributes": {"number": LARGE}}],
            "dimensions": [
                {
                    "name": "dim_shop",
                    "per": "unit",
                    "columns": [{"name": "shop_id", "type": "id"}, {"name": "number", "type": "pool.number"}],
                },
                {
                    "name": "dim_large",
                    "reference": True,
                    "columns": [
                        {"name": "large_id", "type": "id"},
                        {"name": "large", "type": f"static.{','.join(map(str, LARGE))}"},
                    ],
                },
            ],
            "facts": [
                {
                    "name": "fct_month",
                    "columns": [
                        {"name": "date_key", "type": "ref.dim_date"},
                        {"name": "shop_id", "type": "ref.dim_shop"},
                        {"name": "visits", "type": "metric.visits"},
                    ],
                }
            ],
            "events": [
                {
                    "name": "evt_visit",
                    "trigger": "proportional",
                    "driver": "visits",
                    "columns": [
                        {"name": "visit_id", "type": "id"},
                        {"name": "date_key", "type": "ref.dim_date"},
                        {"name": "shop_id", "type": "ref.dim_shop"},
                        {"name": "note", "type": "choice", "values": TEXTS},
                        {"name": "number", "type": "choice", "values": LARGE},
                        {"name": "moment", "type": "timestamp"},
                    ],
                }
            ],
            "quality": [
                {"table": "evt_visit", "issue": "null_injection", "rate": 0.2, "column": "note"},
                {"table": "evt_visit", "issue": "null_injection", "rate": 0.2, "column": "number"},
            ],
            "output": {"format": format, **output},
        },
        name="visits",
    )


COLUMNS = ["visit_id", "note", "number", "moment"]
Rows = Iterable[tuple[Any, ...]]


def _pandas(folder: Path) -> Rows:
    """Of files whose word for a null is no text of theirs."""
    kinds: dict[str, Any] = {"note": object, "number": "Int64"}
    frame = pd.read_csv(
        folder / "evt_visit.csv",
        keep_default_na=False,
        na_values=["#none#"],
        dtype=kinds,
        parse_dates=["moment"],
        lineterminator="\n",
    )
    return [
        tuple(None if value is pd.NA or value != value else value for value in row)
        for row in zip(*(frame[name].astype(object) for name in COLUMNS), strict=True)
    ]


def _sqlite(folder: Path) -> Rows:
    connection = sqlite3.connect(":memory:")
    connection.executescript((folder / "data.sql").read_bytes().decode())
    text = connection.execute(f"SELECT {', '.join(COLUMNS)} FROM evt_visit").fetchall()
    return [(*row[:3], datetime.fromisoformat(row[3])) for row in text]


def _jsonl(folder: Path) -> Rows:
    lines = [json.loads(line) for line in (folder / "evt_visit.jsonl").read_text(encoding="utf-8").split("\n") if line]
    return [(*(line[name] for name in COLUMNS[:3]), datetime.fromisoformat(line["moment"])) for line in lines]


def _duckdb_csv(null: str) -> Callable[[Path], Rows]:
    how = f"header = true, nullstr = '{null}', allow_quoted_nulls = false"

    def rows(folder: Path) -> Rows:
        names = ", ".join(COLUMNS)
        return duckdb.sql(f"SELECT {names} FROM read_csv('{folder}/evt_visit.csv', {how})").fetchall()

    return rows


def _polars_csv(null: str) -> Callable[[Path], Rows]:
    def rows(folder: Path) -> Rows:
        kinds = {"note": pl.String, "number": pl.Int64}
        word = null or None
        frame = pl.read_csv(folder / "evt_visit.csv", null_values=word, try_parse_dates=True, schema_overrides=kinds)
        return frame.select(COLUMNS).rows()

    return rows


def _database(folder: Path) -> Rows:
    with duckdb.connect(folder / "visits.duckdb") as connection:
        return connection.sql(f"SELECT {', '.join(COLUMNS)} FROM evt_visit").fetchall()


def _parquet(folder: Path) -> Rows:
    return [tuple(row.values()) for row in pq.read_table(folder / "evt_visit.parquet", columns=COLUMNS).to_pylist()]


CASES: list[tuple[str, dict[str, Any], Callable[[Path], Rows]]] = [
    ("csv", {}, _duckdb_csv("")),
    ("csv", {}, _polars_csv("")),
    ("csv", {"csv_null": "#none#"}, _duckdb_csv("#none#")),
    ("csv", {"csv_null": "#none#"}, _polars_csv("#none#")),
    ("csv", {"csv_null": "#none#"}, _pandas),
    ("parquet", {}, _parquet),
    ("jsonl", {}, _jsonl),
    ("sql", {"sql_dialect": "sqlite"}, _sqlite),
    ("duckdb", {}, _database),
]


@pytest.mark.slow
@pytest.mark.parametrize(("format", "options", "reader"), CASES, ids=lambda value: str(getattr(value, "__name__", value)))
def test_values_come_back_as_they_were(
    format: str, options: dict[str, Any], reader: Callable[[Path], Rows], tmp_path: Path
) -> None:
    plan = plan_of(format, **options)
    write_tables(plan, tmp_path)
    expected = [tuple(row[name] for name in COLUMNS) for row in rows(plan, "evt_visit").to_pylist()]
    notes, numbers = Counter(row[1] for row in expected), Counter(row[2] for row in expected)
    assert set(notes) == {None, *TEXTS}
    assert set(numbers) == {None, *LARGE}
    values = [tuple(row) for row in reader(tmp_path)]
    assert Counter(row[1] for row in values) == notes
    assert Counter(row[2] for row in values) == numbers
    assert Counter(values) == Counter(expected)


@pytest.mark.parametrize("format", slow_but(FORMATS, "csv", "parquet"))
def test_our_own_reading_gives_the_same(format: str, tmp_path: Path) -> None:
    """What the checks read: nulls, texts, and large numbers from lists of values and of segments."""
    plan = plan_of(format, **({"csv_null": "\\N"} if format == "csv" else {}))
    write_tables(plan, tmp_path)
    actual = read(plan, tmp_path, format)
    for name in ("dim_shop", "dim_large", "fct_month", "evt_visit"):
        assert sorted(map(repr, actual[name].to_pylist())) == sorted(map(repr, rows(plan, name).to_pylist())), name


def test_whole_numbers_with_nulls_stay_whole(tmp_path: Path) -> None:
    plan = plan_of("csv")
    write_tables(plan, tmp_path)
    cells = [line.split(",")[2] for line in (tmp_path / "fct_month.csv").read_text().splitlines()[1:]]
    assert "" in cells
    assert all(cell == "" or cell.isdecimal() for cell in cells)
    frame = generate_tables(plan)["evt_visit"]["number"]
    assert str(frame.dtype) == "Int64"
    assert set(frame.dropna()) == set(LARGE)


def test_the_manifest_says_how_csv_is_written() -> None:
    answer_key = manifest(plan_of("csv", csv_null="\\N"))["csv"]
    assert answer_key["null"] == "\\N"
    moment = rows(plan_of("csv"), "evt_visit")["moment"][0].as_py()
    assert datetime.strptime(moment.strftime(answer_key["moment"]), answer_key["moment"]) == moment
