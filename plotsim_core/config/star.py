"""What is added to a config that leaves tables out: the star schema that metrics and segments call for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DATE_DIMENSION = "dim_date"
_DATE_COLUMNS = {
    "date_key": "id",
    "date": "date",
    "year": "int",
    "quarter": "int",
    "month": "int",
    "month_name": "string",
    "week": "int",
    "period_label": "string",
    "period_index": "int",
}
_DAY_COLUMNS = {"day_of_week": "int", "day_of_month": "int", "is_weekend": "bool"}


def complete(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return `raw` with the tables that follow from the rest of it.

    Without any table: the date dimension, a dimension of the unit (key, name, one column for each attribute that all
    segments have) and one fact per metric. With tables but no date dimension: the date dimension is added.
    """
    tables = [table for section in ("dimensions", "facts", "events") for table in raw.get(section) or ()]
    if not tables:
        return {**raw, "dimensions": [_dates(raw), _units(raw)], "facts": _facts(raw)}
    dimensions = raw.get("dimensions") or []
    if isinstance(dimensions, list) and not any(_is_dates(table) for table in dimensions):
        return {**raw, "dimensions": [*dimensions, _dates(raw)]}
    return dict(raw)


def _is_dates(table: Any) -> bool:
    return isinstance(table, Mapping) and (table.get("per") == "period" or table.get("name") == DATE_DIMENSION)


def _dates(raw: Mapping[str, Any]) -> dict[str, Any]:
    window = raw.get("window")
    every = (
        window.get("every")
        if isinstance(window, Mapping)
        else window[2]
        if isinstance(window, list) and len(window) > 2
        else ""
    )
    columns = {**_DATE_COLUMNS, **(_DAY_COLUMNS if every in ("day", "daily", "hour", "hourly") else {})}
    return {
        "name": DATE_DIMENSION,
        "per": "period",
        "columns": [{"name": name, "type": kind} for name, kind in columns.items()],
    }


def _units(raw: Mapping[str, Any]) -> dict[str, Any]:
    unit = raw.get("unit")
    segments = [segment for segment in raw.get("segments") or () if isinstance(segment, Mapping)]
    held = [set(segment.get("attributes") or {}) for segment in segments]
    shared = [name for name in (segments[0].get("attributes") or {} if segments else {}) if all(name in h for h in held)]
    return {
        "name": f"dim_{unit}",
        "per": "unit",
        "columns": [
            {"name": f"{unit}_id", "type": "id"},
            {"name": f"{unit}_name", "type": "faker.name"},
            *({"name": name, "type": f"pool.{name}"} for name in shared),
        ],
    }


def _facts(raw: Mapping[str, Any]) -> list[dict[str, Any]]:
    unit = raw.get("unit")
    names = [metric.get("name") for metric in raw.get("metrics") or () if isinstance(metric, Mapping)]
    return [
        {
            "name": f"fct_{name}",
            "columns": [
                {"name": "date_key", "type": f"ref.{DATE_DIMENSION}"},
                {"name": f"{unit}_id", "type": f"ref.dim_{unit}"},
                {"name": name, "type": f"metric.{name}"},
            ],
        }
        for name in names
        if isinstance(name, str)
    ]
