"""What is added to a config that leaves tables out: the star schema that metrics and segments call for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


def listed(value: Any) -> Sequence[Any]:
    """Return `value` if it is a list, else an empty one: what is no list is reported elsewhere."""
    return value if isinstance(value, list | tuple) else ()


def complete(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return `raw` with the tables that follow from the rest of it.

    Without any table: the date dimension, a dimension of the unit (key, name, one column for each attribute that all
    segments have) and one fact per metric. With tables but no date dimension: the date dimension is added.
    """
    tables = [table for section in ("dimensions", "facts", "events") for table in listed(raw.get(section))]
    if not tables and all(not raw.get(section) for section in ("dimensions", "facts", "events")):
        return {**raw, "dimensions": [_dates(raw), _units(raw)], "facts": _facts(raw)}
    dimensions = raw.get("dimensions") or []
    if not isinstance(dimensions, list):
        return dict(raw)
    if not any(is_dates(table) for table in dimensions):
        return {**raw, "dimensions": [*dimensions, _dates(raw)]}
    return {**raw, "dimensions": [_with_all(table, raw) if is_dates(table) else table for table in dimensions]}


def is_dates(table: Any) -> bool:
    """Return whether a table as written is the date dimension."""
    return isinstance(table, Mapping) and (table.get("per") == "period" or table.get("name") == DATE_DIMENSION)


def _dates(raw: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": DATE_DIMENSION, "per": "period", "columns": _date_columns(raw)}


def _date_columns(raw: Mapping[str, Any]) -> list[dict[str, str]]:
    window = raw.get("window")
    every = (
        window.get("every")
        if isinstance(window, Mapping)
        else window[2]
        if isinstance(window, list) and len(window) > 2
        else ""
    )
    columns = {**_DATE_COLUMNS, **(_DAY_COLUMNS if every in ("day", "daily", "hour", "hourly") else {})}
    return [{"name": name, "type": kind} for name, kind in columns.items()]


def _with_all(dates: Mapping[str, Any], raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return a date dimension as written with the columns that every date dimension has after its own."""
    own = dates.get("columns")
    if not isinstance(own, list) or not own:
        return dict(dates)
    there = [column.get("name") for column in own if isinstance(column, Mapping)]  # whatever it is: a list is no name
    more = [column for column in _date_columns(raw) if column["name"] not in there and column["type"] != "id"]
    return {**dates, "columns": [*own, *more]}


def _units(raw: Mapping[str, Any]) -> dict[str, Any]:
    unit = raw.get("unit")
    segments = [segment for segment in listed(raw.get("segments")) if isinstance(segment, Mapping)]
    held = [segment.get("attributes") for segment in segments]
    attributes = [own if isinstance(own, Mapping) else {} for own in held]
    shared = [name for name in (attributes[0] if attributes else ()) if all(name in own for own in attributes)]
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
    names = [metric.get("name") for metric in listed(raw.get("metrics")) if isinstance(metric, Mapping)]
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
