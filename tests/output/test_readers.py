"""Every layout is read by pandas, pyarrow, DuckDB, polars and Spark without options: states too, same types, same rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from plotsim_core import ConfigError, Plan, from_mapping, write_tables
from plotsim_core.config.layout import LAYOUTS
from tests.marks import slow_but
from tests.output.readers import PLACES, READERS, columns, spark
from tests.output.support import RAW, rows
from tests.pipeline.support import keys_of, materialise, store_at

ROOT = Path(__file__).parent.parent.parent
Read = Callable[[str], pa.Table]
TABLES = ("dim_date", "dim_shop", "fct_month", "evt_visit")


def shops(layout: str, partition: str | None = "quarter", **more: Any) -> Plan:
    """Months in partitions of a quarter: a reader that took the month of a path for that of the row would show it."""
    month = RAW["facts"][0]
    fact = {**month, "columns": [*month["columns"], {"name": "share", "type": "range", "range": [0.0, 9.0], "decimals": 2}]}
    window = {**RAW["window"], **({"partition": partition} if partition else {})}
    output = {"format": "parquet", "layout": layout}
    return from_mapping({**RAW, "facts": [fact], "window": window, "output": output, **more}, name="shops")


def assert_read(read: Read, plan: Plan, folder: Path, layout: str, tables: tuple[str, ...] = TABLES) -> None:
    for name in tables:
        table = plan.table(name)
        place = PLACES[layout][table.time is None].format(table=name)
        actual, expected = read(f"{folder}/{place}"), rows(plan, name)
        more = set(actual.column_names) - set(expected.column_names)
        assert more <= {"partition_year", "partition_month", "partition_day"}, name
        for extra in more:
            values = actual[extra].type.value_type if pa.types.is_dictionary(actual[extra].type) else actual[extra].type
            assert pa.types.is_integer(values)
        entry, wanted = columns(actual, expected.column_names), columns(expected, expected.column_names)
        if read is READERS["pandas"]:  # numbers with nulls are floats there
            entry = entry.cast(wanted.schema)
        assert entry.schema.types == wanted.schema.types, name
        assert sorted(map(repr, entry.to_pylist())) == sorted(map(repr, wanted.to_pylist())), name


def test_the_page_says_where_each_layout_is_read() -> None:
    page = (ROOT / "docs" / "stores.md").read_text(encoding="utf-8")
    assert set(PLACES) == set(LAYOUTS)
    for layout, (partitions, state) in PLACES.items():
        assert f"| `{layout}` | `shops/{partitions}` | `shops/{state}` |".replace("{table}", "orders") in page


@pytest.mark.slow
@pytest.mark.parametrize("layout", slow_but(LAYOUTS, "hive"))
def test_a_run_is_read_by_everybody(layout: str, tmp_path: Path) -> None:
    plan = shops(layout)
    write_tables(plan, tmp_path)
    for read in READERS.values():
        assert_read(read, plan, tmp_path / "shops", layout)


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["by_table", "hive"])
def test_the_store_is_read_by_everybody(layout: str, tmp_path: Path) -> None:
    """Its index and what else it keeps beside the tables is in nobody's way."""
    plan, store = shops(layout), store_at("parquet", tmp_path)
    materialise(plan, store, keys_of(plan), only=TABLES)
    for read in READERS.values():
        assert_read(read, plan, Path(store.path) / "shops", layout)
    assert all(file.relative_to(store.path).parts[0][0] != "_" for file in Path(store.path).glob("**/*.parquet"))


@pytest.mark.long
def test_spark_reads_every_layout(tmp_path: Path) -> None:
    with spark() as read:
        for layout in LAYOUTS:
            plan = shops(layout)
            write_tables(plan, tmp_path / layout)
            assert_read(read, plan, tmp_path / layout / "shops", layout, TABLES)


@pytest.mark.parametrize(
    "layout", ["{dataset}/{table}/year={yyyy}/{mm}.parquet", "{table}/{dataset}/Month={yyyymm}/x.parquet"]
)
def test_a_key_that_is_a_column_is_refused(layout: str) -> None:
    """dim_date has year and month, and readers would take them from the path."""
    with pytest.raises(ConfigError, match=r"output\.layout: dim_date has a column .*readers would take from folders"):
        shops(layout, partition=None)


def test_a_named_layout_is_refused_where_a_column_has_its_key() -> None:
    fact = RAW["facts"][0]
    clashing_fact = {**fact, "columns": [*fact["columns"], {"name": "partition_day", "type": "range", "range": [0, 1]}]}
    with pytest.raises(ConfigError, match="fct_month has a column 'partition_day'"):
        shops("hive", facts=[clashing_fact])
    shops("nested_daily", facts=[clashing_fact])
