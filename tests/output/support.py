"""A config whose tables have every type, and texts that no format may trip over; and how each format is read back."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from plotsim_core import Plan, batches, from_mapping
from plotsim_core.engine.slice import full_slice
from plotsim_core.validation.store import directory_store

NASTY = [
    "O'Hara",
    'say "hi"',
    "back\\slash\\",
    "two\nlines;\n",
    "`tick`, $1 %s {x}",
    "Zoë 日本 🙂",
    "NULL",
    " pad ",
    "-- rows",
    "",
]
"""Texts that have to be escaped somewhere, and an empty one."""

RAW: dict[str, Any] = {
    "about": "Shops",
    "unit": "shop",
    "seed": 3,
    "window": {"start": "2024-01", "end": "2024-12", "every": "month"},
    "metrics": [
        {"name": "visits", "type": "count", "polarity": "positive", "mean": [2, 9]},
        {"name": "sales", "type": "amount", "polarity": "positive", "range": [0, 500]},
        {"name": "mood", "type": "score", "polarity": "positive", "follows": "sales", "delay": 1},
    ],
    "connections": [["visits", "related", "sales"]],
    "noise": {"mcar_rate": 0.2},
    "segments": [
        {
            "name": "small",
            "count": 12,
            "archetype": "growth",
            "attributes": {"city": NASTY, "order": ["select"]},
            "arrival": {"kind": "uniform", "start": 0, "end": 6},
            "treatment": {"fraction": 0.5, "lift_log_odds": 1},
        },
        {"name": "big", "count": 8, "archetype": "flat > growth @ 4", "attributes": {"city": ["x"], "order": ["table"]}},
    ],
    "dimensions": [
        {
            "name": "dim_shop",
            "per": "unit",
            "columns": [
                {"name": "shop_id", "type": "id"},
                {"name": "city", "type": "pool.city"},
                {"name": "order", "type": "pool.order"},
                {"name": "arm", "type": "segment.treatment"},
                {"name": "tier", "type": "scd", "tracks": "sales", "tiers": ["low", "mid", "top"], "at": [0.3, 0.6]},
                {"name": "opened", "type": "timestamp"},
                {"name": "extra", "type": "struct", "nested_schema": {"n": "int", "order": "string", "ok": "boolean"}},
                {"name": "codes", "type": "array", "array_element_type": "string", "array_length": 2},
            ],
        },
        {
            "name": "select",
            "reference": True,
            "columns": [{"name": "plan_id", "type": "id"}, {"name": "price", "type": "static.9.90,20.50,7.00"}],
        },
    ],
    "facts": [
        {
            "name": "fct_month",
            "columns": [
                {"name": "date_key", "type": "ref.dim_date"},
                {"name": "shop_id", "type": "ref.dim_shop"},
                {"name": "plan_id", "type": "ref.select"},
                {"name": "visits", "type": "metric.visits"},
                {"name": "sales", "type": "metric.sales"},
                {"name": "mood", "type": "metric.mood"},
                {"name": "luck", "type": "range", "range": [0.0, 1.0]},
            ],
        },
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
                {"name": "at", "type": "timestamp"},
                {"name": "yes", "type": "flag"},
                {"name": "city", "type": "pool.city"},
            ],
        },
        {
            "name": "evt_never",
            "trigger": "threshold",
            "metric": "sales",
            "above": 499.99,
            "columns": [
                {"name": "never_id", "type": "id"},
                {"name": "date_key", "type": "ref.dim_date"},
                {"name": "shop_id", "type": "ref.dim_shop"},
            ],
        },
    ],
}


@lru_cache
def plan_with(format: str = "csv", **options: Any) -> Plan:
    """Return the plan of the config, written in a format with options."""
    return from_mapping({**RAW, "output": {"format": format, **options}}, name="shops")


def rows(plan: Plan, table: str) -> pa.Table:
    """Return the rows of a table as they are made."""
    schema, pieces = batches(plan, table)
    return pa.Table.from_batches(pieces, schema).replace_schema_metadata()


def read(plan: Plan, directory: Path, format: str) -> dict[str, pa.Table]:
    """Return what was written into a directory, by the names of the tables."""
    slice_ = full_slice(plan.population)
    with directory_store(plan, directory, format, slice_.first, slice_.stop) as store:
        return {name: store.arrow(f"FROM {relation}") for name, relation in store.relations.items()}


def files(directory: Path) -> dict[str, str]:
    """Return the hash of every file below a directory."""
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def as_lists(table: pa.Table) -> dict[str, list[Any]]:
    """Return the columns of a table as lists, rows in the order of their first columns."""
    values = table.to_pylist()
    values.sort(key=repr)
    return {name: [row[name] for row in values] for name in table.column_names}
