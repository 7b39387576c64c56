"""For each field that says how data is written: two values of it, whose files differ."""

from __future__ import annotations

from typing import Any


def calls(**words: str) -> dict[str, Any]:
    """Return the section of a table of calls with some words."""
    table = {"name": "calls", "per": ["shop", "period"], "rows": [0, 1], "columns": [{"name": "call_id", "type": "id"}]}
    return {"tables": [{**table, **words}]}


def errands(**words: str) -> dict[str, Any]:
    """Return the section of a plain table of errands with some words."""
    columns = [{"name": "errand_id", "type": "id"}, {"name": "at", "type": "timestamp"}]
    return {"tables": [{"name": "errands", "rows": 5, "columns": columns, **words}]}


WRITTEN: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "Dataset.output": ({}, {"output": "jsonl"}),
    "Dataset.manifest": ({}, {"manifest": False}),
    "Output.format": ({"output": {"format": "csv"}}, {"output": {"format": "parquet"}}),
    "Output.directory": ({"output": {"directory": "here"}}, {"output": {"directory": "there"}}),
    "Output.escape_formulas": ({"output": {}}, {"output": {"escape_formulas": True}}),
    "Output.denormalized": ({"output": {}}, {"output": {"denormalized": True}}),
    "Output.partition_by": (
        {"output": {"format": "parquet", "partition_by": "date_key"}},
        {"output": {"format": "parquet", "partition_by": "shop_id"}},
    ),
    "Output.layout": (
        {"output": {"format": "parquet", "layout": "hive"}},
        {"output": {"format": "parquet", "layout": "nested_daily"}},
    ),
    "Output.compression": (
        {"output": {"format": "parquet", "compression": "gzip"}},
        {"output": {"format": "parquet", "compression": "none"}},
    ),
    "Output.row_group_rows": (
        {"output": {"format": "parquet"}},
        {"output": {"format": "parquet", "row_group_rows": 50}},
    ),
    "Output.sort_by": (
        {"output": {"format": "parquet"}},
        {"output": {"format": "parquet", "sort_by": ["shop_id", "date_key"]}},
    ),
    "Output.sql_dialect": (
        {"output": {"format": "sql", "sql_dialect": "mysql"}},
        {"output": {"format": "sql", "sql_dialect": "sqlite"}},
    ),
    "Output.csv_null": ({"output": {"csv_null": "\\N"}}, {"output": {"csv_null": "<null>"}}),
    "Output.cell_budget": ({"output": {"cell_budget": 1}}, {"output": {"cell_budget": 0}}),
    "Manifest.include": ({"manifest": {"include": True}}, {"manifest": {"include": False}}),
    "proportional.log_format": ({"visit": {"log_format": "a"}}, {"visit": {"log_format": "{at}"}}),
    "proportional.log_filename": ({"visit": {"log_format": "a"}}, {"visit": {"log_format": "a", "log_filename": "b.log"}}),
    "rows of cells.log_format": (calls(log_format="a"), calls(log_format="{call_id}")),
    "rows of cells.log_filename": (calls(log_format="a"), calls(log_format="a", log_filename="b.log")),
    "rows in time.log_format": (errands(log_format="a"), errands(log_format="{errand_id}")),
    "rows in time.log_filename": (errands(log_format="a"), errands(log_format="a", log_filename="b.log")),
    "threshold.log_format": ({"never": {}}, {"never": {"log_format": "a"}}),
    "threshold.log_filename": ({"never": {"log_format": "a"}}, {"never": {"log_format": "a", "log_filename": "b.log"}}),
}
"""Sections that take the place of a config's; `visit` and `never` are words of its events."""
