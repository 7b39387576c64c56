"""Configs of shapes that people ask for, in public, of generators and pipelines like this one."""

from __future__ import annotations

from typing import Any

import duckdb
import pyarrow as pa

from plotsim_core import Plan, batches, from_mapping

WORDS: dict[str, Any] = {
    "about": "Every name is a word of SQL",
    "unit": "user",
    "window": {"start": "2024-01", "end": "2024-06", "every": "month"},
    "metrics": [
        {"name": "values", "type": "count", "polarity": "positive", "mean": [1, 4]},
        {"name": "end", "type": "score", "polarity": "positive"},
    ],
    "segments": [{"name": "select", "count": 8, "archetype": "growth", "attributes": {"group": ["by", "where"]}}],
    "dimensions": [
        {
            "name": "user",
            "per": "unit",
            "columns": [
                {"name": "primary", "type": "id"},
                {"name": "group", "type": "pool.group"},
                {"name": "Select", "type": "faker.name"},
            ],
        },
        {
            "name": "table",
            "reference": True,
            "columns": [
                {"name": "index", "type": "id"},
                {"name": "from", "type": "static.a,b,c"},
                {"name": "at", "type": "static.1.50,2.50,3.25"},
            ],
        },
    ],
    "facts": [
        {
            "name": "order",
            "row_count_driver": "values",
            "columns": [
                {"name": "order", "type": "id"},
                {"name": "date", "type": "ref.dim_date"},
                {"name": "primary", "type": "ref.user"},
                {"name": "index", "type": "ref.table"},
                {"name": "at", "type": "lookup.table.at"},
                {"name": "pivot", "type": "metric.end"},
                {"name": "timestamp", "type": "timestamp"},
                {"name": "lines", "type": "count.join"},
                {"name": "total", "type": "total.join.all"},
            ],
        },
        {
            "name": "join",
            "parent_table": "order",
            "children_per_row": [1, 3],
            "columns": [
                {"name": "null", "type": "id"},
                {"name": "primary", "type": "ref.user"},
                {"name": "date", "type": "ref.dim_date"},
                {"name": "all", "type": "range", "range": [1.0, 9.0]},
            ],
        },
    ],
}
"""Reserved words as names of tables, columns, metrics, segments and attributes."""

LARGE = (9007199254740993, 900719925474099267, -9007199254740995)
"""Whole numbers that no double holds."""
NUMBERS: dict[str, Any] = {
    "about": "Keys of other systems",
    "unit": "user",
    "window": {"start": "2024-01", "end": "2024-03", "every": "month"},
    "noise": {"mcar_rate": 0.3},
    "metrics": [{"name": "visits", "type": "count", "polarity": "positive", "mean": [3, 9]}],
    "segments": [{"name": "all", "count": 12, "archetype": "growth", "attributes": {"post": list(LARGE)}}],
    "dimensions": [
        {
            "name": "dim_user",
            "per": "unit",
            "columns": [
                {"name": "user_id", "type": "id"},
                {"name": "phone", "type": "choice", "values": list(LARGE)},
                {"name": "post", "type": "pool.post"},
            ],
        },
        {
            "name": "dim_post",
            "reference": True,
            "columns": [
                {"name": "post_id", "type": "id"},
                {"name": "number", "type": f"static.{','.join(map(str, LARGE))}"},
            ],
        },
    ],
    "facts": [
        {
            "name": "fct_visits",
            "columns": [
                {"name": "date_key", "type": "ref.dim_date"},
                {"name": "user_id", "type": "ref.dim_user"},
                {"name": "visits", "type": "metric.visits"},
                {"name": "seen", "type": "choice", "values": list(LARGE)},
            ],
        }
    ],
}
"""Whole numbers beyond 2^53 from every source that gives them, beside a count with gaps."""

TEXTS = ["", "NULL", "null", "NA", "nan", "None", "\\N", " ", "0"]
EMPTY: dict[str, Any] = {
    "about": "Notes, some of them empty, some of them missing",
    "unit": "shop",
    "window": {"start": "2024-01", "end": "2024-03", "every": "month"},
    "metrics": [{"name": "visits", "type": "count", "polarity": "positive", "mean": [9, 12]}],
    "segments": [{"name": "all", "count": 20, "archetype": "flat"}],
    "dimensions": [{"name": "dim_shop", "per": "unit", "columns": [{"name": "shop_id", "type": "id"}]}],
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
            ],
        }
    ],
    "quality": [{"table": "evt_visit", "issue": "null_injection", "rate": 0.2, "column": "note"}],
}
"""Texts that look like nothing, and nulls beside them."""


def wide(columns: int, units: int) -> dict[str, Any]:
    """A fact of so many columns beside its keys, of five sources in turn."""

    def column(place: int) -> dict[str, Any]:
        options: tuple[dict[str, Any], ...] = (
            {"type": "range", "range": [0, place + 10]},
            {"type": "range", "range": [0.0, place + 1.5]},
            {"type": "choice", "values": ["a", "b", "c"]},
            {"type": "faker.word"},
            {"type": "expression", "formula": f"c{place - 4} * 2 + c{place - 3}"},
        )
        return {"name": f"c{place}", **options[place % 5]}

    keys = [{"name": "date_key", "type": "ref.dim_date"}, {"name": "device_id", "type": "ref.dim_device"}]
    return {
        "about": "Devices with many readings",
        "unit": "device",
        "window": {"start": "2024-01", "end": "2024-12", "every": "month"},
        "metrics": [{"name": "load", "type": "score", "polarity": "positive"}],
        "segments": [{"name": "all", "count": units, "archetype": "growth"}],
        "dimensions": [{"name": "dim_device", "per": "unit", "columns": [{"name": "device_id", "type": "id"}]}],
        "facts": [
            {"name": "fct_wide", "columns": [*keys, {"name": "load", "type": "metric.load"}, *map(column, range(columns))]}
        ],
    }


def stored(plan: Plan) -> duckdb.DuckDBPyConnection:
    """Return a database in memory with the tables of a dataset."""
    connection = duckdb.connect()
    for table in plan.tables:
        schema, pieces = batches(plan, table.name)
        connection.register("incoming", pa.RecordBatchReader.from_batches(schema, pieces))
        connection.execute(f'CREATE TABLE "{table.name}" AS FROM incoming')
    return connection


def plan_of(raw: dict[str, Any], name: str = "case") -> Plan:
    return from_mapping(raw, name=name)
