"""For each field that says how data is written: two values of it, whose files differ."""

from __future__ import annotations

from typing import Any

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
    "threshold.log_format": ({"never": {}}, {"never": {"log_format": "a"}}),
    "threshold.log_filename": ({"never": {"log_format": "a"}}, {"never": {"log_format": "a", "log_filename": "b.log"}}),
}
"""Sections that take the place of a config's; `visit` and `never` are words of its events."""
