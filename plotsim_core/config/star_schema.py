"""Defaults of tables: the star schema of metrics and segments for a config without tables, and the missing parts of
tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from plotsim_core.config.column_source import SOURCES
from plotsim_core.config.model import is_name, without_fraction
from plotsim_core.config.pydantic_errors import words_of
from plotsim_core.config.table_kind import SECTIONS, declared_forms
from plotsim_core.config.written_tables import KEY_TYPES, is_shaped_dates, list_or_empty, written_per
from plotsim_core.families import nearest
from plotsim_core.numerics.calendar import ADVERBS, GRAINS

DATE_DIMENSION = "dim_date"
TIME_DIMENSION = "dim_time"
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
_MINUTE_COLUMNS = {"hour": "int", "minute": "int"}
_TO_DATES = f"ref.{DATE_DIMENSION}"


UNIT_SECTIONS = ("unit", "metrics", "segments")
"""The sections that make units, all together."""


def speaks_of_units(raw: Mapping[str, Any]) -> bool:
    """Return whether a config as written has units: it says what one is, what is measured of them or which there are."""
    return any(raw.get(section) is not None for section in UNIT_SECTIONS)


_SELECTING = ("rows", "when", "snapshot_of", "changes_of")
"""Words of a table per unit that is not the table of the units themselves."""


def is_unit_table(raw: Any, unit: str) -> bool:
    """Return whether a table as written is the one of the units."""
    return isinstance(raw, Mapping) and written_per(raw) == (unit,) and not any(word in raw for word in _SELECTING)


def table_of_units(raw: Mapping[str, Any]) -> tuple[str, Any] | None:
    """Return the first table as written whose rows come of units, with its path; None if there is none."""
    names = {table.get("name") for section in SECTIONS for table in list_or_empty(raw.get(section)) if _is_mapping(table)}
    for section in SECTIONS:
        for index, table in enumerate(list_or_empty(raw.get(section))):
            is_plain = section == "dimensions" and (is_dates(table) or is_listed(table) or is_times(table))
            if not is_plain and (section != "tables" or not _is_per_tables(table, names)):
                return f"{section}[{index}]", table
    return None


def _is_mapping(table: Any) -> bool:
    return isinstance(table, Mapping) and isinstance(table.get("name"), str)


def _is_per_tables(table: Any, names: set[Any]) -> bool:
    """Return whether a table of the section `tables` as written is per nothing, other tables, the dates or the times of day:
    per no unit, and no fact of all units in a period."""
    per = table.get("per") if isinstance(table, Mapping) else None
    parts = per if isinstance(per, list | tuple) else [per]
    if written_per(table) == ("period",):
        return is_shaped_dates(table)
    return all(part is None or part in ("period", "time") or (isinstance(part, str) and part in names) for part in parts)


def with_defaults(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return `raw` with the tables, and the parts of tables, that follow from the rest of it.

    The date dimension is there where there is a window, tables of units where there are units. Without any table: the date
    dimension, a dimension of the unit (key, name, one column for each attribute that all segments have) and one fact per
    metric; where the config names `fct_<unit>`, that one fact of all metrics. With tables:
    the date dimension if there is none, and that of the unit if there is none, or if a bridge leads to it. A dimension is of
    units unless it says otherwise. Rows that happen, and those that belong to others, get a key and what they refer to.
    """
    raw = {**raw, **{section: _without_neutral_words(section, raw[section]) for section in SECTIONS if section in raw}}
    if all(not raw.get(section) for section in ("dimensions", "facts", "events", "tables")):
        return {**raw, "dimensions": [_date_dimension(raw), _unit_dimension(raw)], "facts": _facts(raw)}
    dimensions = raw.get("dimensions") or []
    if not isinstance(dimensions, list | tuple):
        return dict(raw)
    dimensions = [_with_date_columns(table, raw) if is_dates(table) else _with_unit(table) for table in dimensions]
    has_units = speaks_of_units(raw) or bool(raw.get("units"))
    shaped = list_or_empty(raw.get("tables"))
    has_dates = any(is_dates(table) for table in dimensions) or any(_is_named(table, DATE_DIMENSION) for table in shaped)
    if (has_units or raw.get("window") is not None) and not has_dates:
        dimensions.append(_date_dimension(raw))
    has_shaped_units = any(is_unit_table(table, str(raw.get("unit"))) for table in shaped)
    if has_units and not has_shaped_units and _lacks_units(raw, dimensions):
        dimensions.append(_unit_dimension(raw))
    completed = {**raw, "dimensions": dimensions}
    unit = _unit_reference(completed)
    return {**completed, **{name: _with_row_keys(raw[name], unit) for name in ("facts", "events") if name in raw}}


def _without_neutral_words(section: str, tables: Any) -> Any:
    """Return the tables of a section without neutral words: those that are null, and those of dimensions with the
    default."""
    if not isinstance(tables, list | tuple):
        return tables
    words = _words(section)
    options = {word for _, source in SOURCES.items() for word in words_of(source)}
    cleaned_tables = []
    for table in tables:
        cleaned = _not_null(table, words)
        if isinstance(cleaned, dict) and isinstance(cleaned.get("columns"), list | tuple):
            cleaned["columns"] = [_not_null(column, options) for column in cleaned["columns"]]
        if isinstance(cleaned, dict) and section == "dimensions":
            cleaned = {
                word: value
                for word, value in cleaned.items()
                if not any(without_fraction(value) is neutral for neutral in _NEUTRAL.get(word, ()))
            }
        cleaned_tables.append(cleaned)
    return cleaned_tables


def _words(section: str) -> set[str]:
    """Return the words that tables of a section may have."""
    return {word for kind in declared_forms(section).values() for word in words_of(kind)}


_NEUTRAL = {"reference": (False,), "count": (1,)}
"""Words of dimensions to values that are the default."""


def _not_null(part: Any, words: set[str]) -> Any:
    if not isinstance(part, Mapping):
        return part
    return {word: value for word, value in part.items() if value is not None or word not in words}


def is_dates(table: Any) -> bool:
    """Return whether a table as written is the date dimension."""
    return isinstance(table, Mapping) and (table.get("per") == "period" or table.get("name") == DATE_DIMENSION)


def _is_named(table: Any, name: str) -> bool:
    return isinstance(table, Mapping) and table.get("name") == name


def is_listed(table: Any) -> bool:
    """Return whether a dimension as written is listed, here or in a file; also where the word for it is misspelt."""
    if not isinstance(table, Mapping):
        return False
    if bool(table.get("reference")) or isinstance(table.get("rows"), Mapping):
        return True
    words = _words("dimensions")
    return any(nearest(str(word), ["reference"]) for word in table if word not in words)


def is_times(table: Any) -> bool:
    """Return whether a dimension as written is of times of day."""
    return isinstance(table, Mapping) and table.get("per") == "time"


def _date_dimension(raw: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": DATE_DIMENSION, "per": "period", "columns": _date_columns(raw)}


def _date_columns(raw: Mapping[str, Any]) -> list[dict[str, str]]:
    window = raw.get("window")
    period = (
        window.get("every")
        if isinstance(window, Mapping)
        else window[2]
        if isinstance(window, list) and len(window) > 2
        else ""
    )
    name = ADVERBS.get(period, period) if isinstance(period, str) else ""
    columns = dict(_DATE_COLUMNS)
    if name in GRAINS:
        columns |= _DAY_COLUMNS if GRAINS[name].is_within_day else {}
        columns |= _MINUTE_COLUMNS if GRAINS[name].is_part_of_hour else {}
    return [{"name": name, "type": kind} for name, kind in columns.items()]


def _with_date_columns(dates: Mapping[str, Any], raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return a date dimension as written, with the columns of every date dimension after its own."""
    table = {**dates, "per": dates.get("per", "period")}
    own_columns = dates.get("columns")
    if not isinstance(own_columns, list) or not own_columns:
        return table
    # a list: an invalid name may be unhashable
    names = [column.get("name") for column in own_columns if isinstance(column, Mapping)]
    missing = [column for column in _date_columns(raw) if column["name"] not in names and column["type"] != "id"]
    return {**table, "columns": [*own_columns, *missing]}


def _with_unit(table: Any) -> Any:
    """Return a dimension as written, with `per: unit` where nothing else says what its rows are."""
    if not isinstance(table, Mapping) or table.keys() & {"per", "every", "rows"} or is_listed(table):
        return table
    return {**table, "per": "unit"}


def _unit_dimension(raw: Mapping[str, Any]) -> dict[str, Any]:
    unit = raw.get("unit")
    segments = [segment for segment in list_or_empty(raw.get("segments")) if isinstance(segment, Mapping)]
    raw_attributes = [segment.get("attributes") for segment in segments]
    attributes = [mapping if isinstance(mapping, Mapping) else {} for mapping in raw_attributes]
    first = attributes[0] if attributes else {}
    shared = sorted(str(name) for name in first if all(name in mapping for mapping in attributes))
    return {
        "name": f"dim_{unit}" if is_name(unit) else None,
        "per": "unit",
        "columns": [
            {"name": f"{unit}_id", "type": "id"},
            {"name": f"{unit}_name", "type": "faker.name"},
            *({"name": name, "type": f"pool.{name}"} for name in shared),
        ],
    }


def _facts(raw: Mapping[str, Any]) -> list[dict[str, Any]]:
    unit = raw.get("unit")
    raw_names = [metric.get("name") for metric in list_or_empty(raw.get("metrics")) if isinstance(metric, Mapping)]
    names = [name for name in raw_names if isinstance(name, str)]
    facts = {f"fct_{name}": [name] for name in names}
    if f"fct_{unit}" not in facts and _names_table(raw, f"fct_{unit}"):
        facts = {f"fct_{unit}": names}
    references = [{"name": "date_key", "type": _TO_DATES}, {"name": f"{unit}_id", "type": f"ref.dim_{unit}"}]
    return [
        {
            "name": name,
            "columns": [*references, *({"name": metric_name, "type": f"metric.{metric_name}"} for metric_name in metrics)],
        }
        for name, metrics in facts.items()
    ]


def _names_table(value: Any, name: str) -> bool:
    """Return whether a part of a config names a table."""
    if isinstance(value, Mapping):
        return any(_names_table(item, name) for item in value.values())
    return value == name if isinstance(value, str) else any(_names_table(item, name) for item in list_or_empty(value))


def _lacks_units(raw: Mapping[str, Any], dimensions: Sequence[Any]) -> bool:
    """Return whether the dimension named after the unit is missing, and none else is of units or a bridge refers to it."""
    unit_table = f"dim_{raw.get('unit')}"
    tables = [table for table in dimensions if isinstance(table, Mapping)]
    if unit_table == DATE_DIMENSION or any(table.get("name") == unit_table for table in tables):
        return False
    bridges = [bridge for bridge in list_or_empty(raw.get("bridges")) if isinstance(bridge, Mapping)]
    is_bridged = any(unit_table in (bridge.get("left"), bridge.get("right")) for bridge in bridges)
    has_no_units = all(is_dates(table) or is_listed(table) or is_times(table) for table in tables)
    return is_bridged or (has_no_units and len(tables) == len(dimensions))


def _unit_reference(raw: Mapping[str, Any]) -> dict[str, str] | None:
    """Return the column that refers to the dimension of the unit: the one named after it, or the first of units."""
    dimensions = [table for table in list_or_empty(raw.get("dimensions")) if isinstance(table, Mapping)]
    unit_tables = [table for table in dimensions if table.get("per") == "unit" and "count" not in table]
    named_tables = [table for table in unit_tables if table.get("name") == f"dim_{raw.get('unit')}"]
    for table in named_tables or unit_tables:
        columns = [column for column in list_or_empty(table.get("columns")) if isinstance(column, Mapping)]
        keys = [column.get("name") for column in columns if column.get("type") in KEY_TYPES]
        if keys and isinstance(keys[0], str) and isinstance(table.get("name"), str):
            return {"name": keys[0], "type": f"ref.{table['name']}"}
    return None


def _with_row_keys(tables: Any, unit: Mapping[str, str] | None) -> Any:
    """Return facts or events as written, with a key and a date for rows that happen or belong to others, and the unit for
    those that belong to others. Rows of a threshold (at most one per unit and period) need no key, nor do those with a
    `sequence` within the row that they belong to."""
    return [_with_row_key(table, unit) for table in tables] if isinstance(tables, list | tuple) else tables


def _with_row_key(table: Any, unit: Mapping[str, str] | None) -> Any:
    if not isinstance(table, Mapping) or not {"trigger", "row_count_driver", "parent_table"} & table.keys():
        return table
    own_columns = table.get("columns")
    if not isinstance(own_columns, list | tuple) or not own_columns:
        return table
    columns = [column for column in own_columns if isinstance(column, Mapping)]
    types, names = ({str(column.get(key)) for column in columns} for key in ("type", "name"))
    noun = str(table.get("name")).partition("_")[2] or str(table.get("name"))
    is_told_apart = table.get("trigger") == "threshold" or ("parent_table" in table and "sequence" in types)
    has_key = not types.isdisjoint(KEY_TYPES) or any(column.get("key") is True for column in columns)
    key_columns = [] if is_told_apart or has_key else [{"name": f"{noun}_id", "type": "id"}]
    key_columns += [{"name": "date_key", "type": _TO_DATES}]
    key_columns += [dict(unit)] if unit is not None and "parent_table" in table else []
    missing = [column for column in key_columns if column["type"] not in types]
    return {
        **table,
        "columns": [*own_columns, *(c if c["name"] not in names else {**c, "name": f"{noun}_{c['name']}"} for c in missing)],
    }
