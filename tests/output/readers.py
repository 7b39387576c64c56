"""How the programs that people use read a table of Parquet files: its folder, or the glob that the page of layouts gives."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from glob import glob
from pathlib import Path
from shutil import which
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

PLACES = {
    "by_table": ("{table}", "{table}"),
    "hive": ("{table}", "{table}"),
    "nested_daily": ("*/*/*/{table}.parquet", "state/{table}.parquet"),
    "nested_monthly": ("*/*/{table}_????????.parquet", "state/{table}.parquet"),
    "nested_yearly": ("*/{table}_????????.parquet", "state/{table}.parquet"),
    "flat_with_date": ("????????_{table}.parquet", "state_{table}.parquet"),
    "flat_with_date_suffix": ("{table}_????????.parquet", "{table}_state.parquet"),
    "hive_partitioned": ("*/*/*/{table}.parquet", "{table}.parquet"),
    "hive_monthly": ("*/*/{table}_????????.parquet", "{table}_state.parquet"),
    "iso_week": ("*/*/{table}_????????.parquet", "state/{table}.parquet"),
    "quarter_based": ("*/*/{table}_????????.parquet", "state/{table}.parquet"),
}
"""Layout to where the partitions of a table lie below its dataset, and a state: a folder, a file or a glob."""


def in_pandas(place: str) -> pa.Table:
    if "*" not in place and "?" not in place:
        return pa.Table.from_pandas(pd.read_parquet(place), preserve_index=False)
    return pa.Table.from_pandas(pd.concat(map(pd.read_parquet, sorted(glob(place)))), preserve_index=False)


def in_pyarrow(place: str) -> pa.Table:
    actual = pq.read_table(place if os.path.exists(place) else sorted(glob(place)))
    assert isinstance(actual, pa.Table)
    return actual


def in_duckdb(place: str) -> pa.Table:
    with duckdb.connect() as connection:
        return connection.sql(
            f"FROM read_parquet('{f'{place}/**/*.parquet' if Path(place).is_dir() else place}')"
        ).to_arrow_table()


def in_polars(place: str) -> pa.Table:
    return pl.read_parquet(place).to_arrow()


READERS: dict[str, Callable[[str], pa.Table]] = {
    "pandas": in_pandas,
    "pyarrow": in_pyarrow,
    "duckdb": in_duckdb,
    "polars": in_polars,
}


@contextmanager
def spark() -> Iterator[Callable[[str], pa.Table]]:
    """Give a reader by Spark; skips the test where there is no Java."""
    if which("java") is None:
        pytest.skip("Spark needs Java, and there is none")
    sql = pytest.importorskip("pyspark.sql")
    builder: Any = sql.SparkSession.builder.master("local[1]")
    for name, value in (("ui.enabled", "false"), ("driver.host", "127.0.0.1"), ("driver.bindAddress", "127.0.0.1")):
        builder = builder.config(f"spark.{name}", value)
    session = builder.config("spark.sql.session.timeZone", "UTC").getOrCreate()
    try:
        session.sparkContext.setLogLevel("OFF")
        yield lambda place: session.read.parquet(place).toArrow()
    finally:
        session.stop()


def plain(type_: pa.DataType) -> pa.DataType:
    """Return a type as every reader has it: however texts and lists are kept in memory."""
    if pa.types.is_dictionary(type_):
        return plain(type_.value_type)
    if pa.types.is_large_string(type_) or pa.types.is_string_view(type_):
        return pa.string()
    if pa.types.is_list(type_) or pa.types.is_large_list(type_):
        return pa.list_(plain(type_.value_type))
    if pa.types.is_struct(type_):
        return pa.struct([pa.field(field.name, plain(field.type)) for field in type_])
    return type_


def columns(table: pa.Table, names: list[str]) -> pa.Table:
    """Return some columns of a table in plain types."""
    some = table.select(names)
    return some.cast(pa.schema([pa.field(field.name, plain(field.type)) for field in some.schema]))
