"""What is added to a config that leaves tables or parts of them out: the star schema that metrics and segments call for, and
what a table is where it says nothing of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from plotsim_core.config.problems import words_of
from plotsim_core.config.tables import KIND_WORDS, SECTIONS, SOURCE_WORDS

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
_TO_DATES = f"ref.{DATE_DIMENSION}"


def listed(value: Any) -> Sequence[Any]:
    """Return `value` if it is a list, else an empty one: what is no list is reported elsewhere."""
    return value if isinstance(value, list | tuple) else ()


def complete(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return `raw` with the tables, and the parts of tables, that follow from the rest of it.

    Without any table: the date dimension, a dimension of the unit (key, name, one column for each attribute that all
    segments have) and one fact per metric; where the config names `fct_<unit>`, that one fact of all metrics. With tables:
    the date dimension if there is none, and that of the unit if there is none, or if a bridge leads to it. A dimension is of
    units unless it says otherwise. Rows that happen, and those that belong to others, get a key and what they refer to.
    """
    raw = {**raw, **{section: _said(section, raw[section]) for section in SECTIONS if section in raw}}
    if all(not raw.get(section) for section in ("dimensions", "facts", "events")):
        return {**raw, "dimensions": [_dates(raw), _units(raw)], "facts": _facts(raw)}
    dimensions = raw.get("dimensions") or []
    if not isinstance(dimensions, list | tuple):
        return dict(raw)
    dimensions = [_with_all(table, raw) if is_dates(table) else _of_units(table) for table in dimensions]
    if not any(is_dates(table) for table in dimensions):
        dimensions.append(_dates(raw))
    if _lacks_units(raw, dimensions):
        dimensions.append(_units(raw))
    full = {**raw, "dimensions": dimensions}
    unit = _unit_reference(full)
    return {**full, **{name: _rows(raw[name], unit) for name in ("facts", "events") if name in raw}}


def _said(section: str, tables: Any) -> Any:
    """Return the tables of a section without words that say nothing: those of any kind that are null, and of dimensions
    what holds of each anyway."""
    if not isinstance(tables, list | tuple):
        return tables
    words = {word for kind in dict(KIND_WORDS.items()).values() if kind.section == section for word in words_of(kind.model)}
    options = {word for source in dict(SOURCE_WORDS.items()).values() for word in words_of(source.options)}
    found = []
    for table in tables:
        own = _not_null(table, words)
        if isinstance(own, dict) and isinstance(own.get("columns"), list | tuple):
            own["columns"] = [_not_null(column, options) for column in own["columns"]]
        if isinstance(own, dict) and section == "dimensions":
            own = {word: value for word, value in own.items() if not any(value is no for no in _NEUTRAL.get(word, ()))}
        found.append(own)
    return found


_NEUTRAL = {"reference": (False,), "count": (1,)}
"""Words of dimensions that one without them has as well."""


def _not_null(part: Any, words: set[str]) -> Any:
    if not isinstance(part, Mapping):
        return part
    return {word: value for word, value in part.items() if value is not None or word not in words}


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
    table = {**dates, "per": dates.get("per", "period")}
    own = dates.get("columns")
    if not isinstance(own, list) or not own:
        return table
    there = [column.get("name") for column in own if isinstance(column, Mapping)]  # whatever it is: a list is no name
    more = [column for column in _date_columns(raw) if column["name"] not in there and column["type"] != "id"]
    return {**table, "columns": [*own, *more]}


def _of_units(table: Any) -> Any:
    """Return a dimension as written, of units where it does not say what its rows are."""
    if not isinstance(table, Mapping) or table.keys() & {"per", "every", "rows"} or table.get("reference"):
        return table
    return {**table, "per": "unit"}


def _units(raw: Mapping[str, Any]) -> dict[str, Any]:
    unit = raw.get("unit")
    segments = [segment for segment in listed(raw.get("segments")) if isinstance(segment, Mapping)]
    held = [segment.get("attributes") for segment in segments]
    attributes = [own if isinstance(own, Mapping) else {} for own in held]
    first = attributes[0] if attributes else {}
    shared = sorted(str(name) for name in first if all(name in own for own in attributes))
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
    written = [metric.get("name") for metric in listed(raw.get("metrics")) if isinstance(metric, Mapping)]
    names = [name for name in written if isinstance(name, str)]
    facts = {f"fct_{name}": [name] for name in names}
    if f"fct_{unit}" not in facts and _names(raw, f"fct_{unit}"):
        facts = {f"fct_{unit}": names}
    references = [{"name": "date_key", "type": _TO_DATES}, {"name": f"{unit}_id", "type": f"ref.dim_{unit}"}]
    return [
        {"name": name, "columns": [*references, *({"name": held, "type": f"metric.{held}"} for held in metrics)]}
        for name, metrics in facts.items()
    ]


def _names(value: Any, name: str) -> bool:
    """Return whether a part of a config names a table."""
    if isinstance(value, Mapping):
        return any(_names(item, name) for item in value.values())
    return value == name if isinstance(value, str) else any(_names(item, name) for item in listed(value))


def _lacks_units(raw: Mapping[str, Any], dimensions: Sequence[Any]) -> bool:
    """Return whether the dimension named after the unit is not there, and none else is of units or a bridge leads to it."""
    own = f"dim_{raw.get('unit')}"
    tables = [table for table in dimensions if isinstance(table, Mapping)]
    if own == DATE_DIMENSION or any(table.get("name") == own for table in tables):
        return False
    bridges = [bridge for bridge in listed(raw.get("bridges")) if isinstance(bridge, Mapping)]
    bridged = any(own in (bridge.get("left"), bridge.get("right")) for bridge in bridges)
    others = all(is_dates(table) or table.get("reference") or table.get("per") == "time" for table in tables)
    return bridged or (others and len(tables) == len(dimensions))


def _unit_reference(raw: Mapping[str, Any]) -> dict[str, str] | None:
    """Return the column that refers to the dimension of the unit: the one named after it, or the first of units."""
    dimensions = [table for table in listed(raw.get("dimensions")) if isinstance(table, Mapping)]
    of_units = [table for table in dimensions if table.get("per") == "unit" and "count" not in table]
    named = [table for table in of_units if table.get("name") == f"dim_{raw.get('unit')}"]
    for table in named or of_units:
        keys = [c.get("name") for c in listed(table.get("columns")) if isinstance(c, Mapping) and c.get("type") == "id"]
        if keys and isinstance(keys[0], str) and isinstance(table.get("name"), str):
            return {"name": keys[0], "type": f"ref.{table['name']}"}
    return None


def _rows(tables: Any, unit: Mapping[str, str] | None) -> Any:
    """Return facts or events as written, with the key and the date of rows that happen or belong to others, and the unit of
    those that belong to others. What happens to a unit once in a period needs no key."""
    return [_happening(table, unit) for table in tables] if isinstance(tables, list | tuple) else tables


def _happening(table: Any, unit: Mapping[str, str] | None) -> Any:
    if not isinstance(table, Mapping) or not {"trigger", "row_count_driver", "parent_table"} & table.keys():
        return table
    own = table.get("columns")
    if not isinstance(own, list | tuple) or not own:
        return table
    columns = [column for column in own if isinstance(column, Mapping)]
    types, names = {str(column.get("type")) for column in columns}, {column.get("name") for column in columns}
    noun = str(table.get("name")).partition("_")[2] or str(table.get("name"))
    more = [] if table.get("trigger") == "threshold" else [{"name": f"{noun}_id", "type": "id"}]
    more += [{"name": "date_key", "type": _TO_DATES}]
    more += [dict(unit)] if unit is not None and "parent_table" in table else []
    added = [column for column in more if column["type"] not in types]
    return {
        **table,
        "columns": [*own, *(c if c["name"] not in names else {**c, "name": f"{noun}_{c['name']}"} for c in added)],
    }
