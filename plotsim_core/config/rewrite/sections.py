"""Dimensions, facts and events as tables of one shape: what each has rows `per`, how many, or when.

All tables of a kind of unit are spelt so, or none is. What comes by itself in the old sections (a key, a date, the parts
of a date) is written down, since it does not in the new one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from plotsim_core.config.parent_keys import read_parent_keys
from plotsim_core.config.rewrite.joining import JoinedLists
from plotsim_core.config.star_schema import DATE_DIMENSION, is_dates, is_listed, with_defaults
from plotsim_core.config.table_shape import read_shapes
from plotsim_core.config.written_tables import WHEN, columns_of, is_shaped_dates

Raw = Mapping[str, Any]
OLD_SECTIONS = ("dimensions", "facts", "events")
_FACT_WORDS = ("metrics", "cdc")
"""Words of facts that tables whose rows are counted or belong to others have not."""
_CHILDREN = [1, 3]
"""How many rows belong to one of a parent table, unless it is written."""


def with_tables(raw: Raw) -> Raw:
    """Return a config, or a kind of unit, with the section `tables` in the place of the old ones; the same one where a table
    has no such shape, or it has that section already."""
    keys = [key for key in OLD_SECTIONS if raw.get(key)]
    lists = [raw[key] for key in keys]
    unit = raw.get("unit")
    if not keys or "tables" in raw or "units" in raw or not isinstance(unit, str):
        return raw
    if any(not isinstance(tables, list) or any(not isinstance(table, Mapping) for table in tables) for tables in lists):
        return raw
    completed = with_defaults(raw)
    shaped = [_shaped(key, table, unit, completed) for key in keys for table in list(completed[key])[: len(raw[key])]]
    tables = [table for table in shaped if table is not None]
    if len(tables) < len(shaped) or any(table.get("name") == unit for table in tables):
        return raw
    joined = {"tables": JoinedLists(tables, keys)}
    pairs = (joined.items() if key == keys[0] else [(key, value)] for key, value in raw.items() if key not in keys[1:])
    result = dict(pair for items in pairs for pair in items)
    return raw if _gets_keys(result, unit, raw.get("facts") or ()) else result


def _gets_keys(raw: Raw, unit: str, facts: Any) -> bool:
    """Return whether a table gets a key by itself that it had not. Facts with a parent table got its key as well."""
    details = {str(fact.get("name")) for fact in facts if "parent_table" in fact}
    tables_keys = read_parent_keys(raw, unit, read_shapes(raw, unit, []))
    return any(
        type_ != f"ref.{table.get('per')}" or table.get("name") not in details
        for table, keys in zip(raw["tables"], tables_keys, strict=True)
        for _, type_ in keys.added
    )


def _shaped(section: str, table: Raw, unit: str, completed: Raw) -> Raw | None:
    if section == "dimensions":
        return _dimension(table, unit, completed)
    return _fact(table, unit) if section == "facts" else _event(table, unit)


def _dimension(table: Raw, unit: str, completed: Raw) -> Raw | None:
    if is_dates(table):
        return _with_shape(table, (), per="period") if table.get("name") == DATE_DIMENSION else None
    if table.get("per") == "time":
        return table
    if is_listed(table):
        if isinstance(table.get("rows"), Mapping):  # a file
            return _with_shape(table, ("reference",))
        return _with_shape(table, ("reference", "count"), **({"rows": table["count"]} if "count" in table else {}))
    if table.get("per") != "unit":
        return None
    dimensions = completed["dimensions"]
    of_units = [other for other in dimensions if _is_of_units(other, dimensions)]
    main = next((other for other in of_units if other.get("name") == f"dim_{unit}"), of_units[0] if of_units else None)
    if table is main:
        return _with_shape(table, (), per=unit)
    if main is None or main is dimensions[-1]:  # which comes by itself
        return None
    count = table.get("count", 1)
    return _with_shape(table, ("count",), per=unit, rows={"segments": count} if isinstance(count, Mapping) else count)


def _is_of_units(table: Raw, dimensions: Sequence[Raw]) -> bool:
    """Return whether a dimension may be the one of the units: it refers to no other one but to listed ones."""
    types = [type_ for _, type_ in columns_of(table)]
    allowed_types = [f"ref.{other.get('name')}" for other in dimensions if is_listed(other) or is_dates(other)]
    refers = any(type_.startswith("ref.") and type_ not in allowed_types for type_ in types)
    return table.get("per") == "unit" and "count" not in table and not refers


def _fact(table: Raw, unit: str) -> Raw | None:
    has_fact_words = any(word in table for word in _FACT_WORDS)
    if is_shaped_dates(table):
        return None  # its rows would be the dates
    if "snapshot_of" in table or table.get("per") == "period":
        return table
    if "parent_table" in table:
        rows = table.get("children_per_row", _CHILDREN)
        words = ("parent_table", "children_per_row")
        return None if has_fact_words else _with_shape(table, words, per=table["parent_table"], rows=rows)
    if "row_count_driver" in table:
        rows = _counted("metric", table["row_count_driver"], table.get("row_count_scale"))
        words = ("row_count_driver", "row_count_scale")
        return None if has_fact_words else _with_shape(table, words, per=[unit, "period"], rows=rows)
    return _with_shape(table, (), per=[unit, "period"])


def _event(table: Raw, unit: str) -> Raw | None:
    if "changes_of" in table:
        return table
    if table.get("trigger") == "proportional" and "driver" in table:
        rows = _counted("poisson", table["driver"], table.get("scale"))
        return _with_shape(table, ("trigger", "driver", "scale"), per=[unit, "period"], rows=rows)
    if table.get("trigger") == "threshold":
        words = {"for" if key == "for_periods" else key: value for key, value in table.items()}
        when = {word: words[word] for word in WHEN if word in words}
        return _with_shape(table, ("trigger", "for_periods", *WHEN), per=unit, when=when)
    return None


def _counted(word: str, metric: Any, scale: Any) -> Any:
    """Return a number of rows that follows a metric."""
    if scale is not None:
        return {word: metric, "scale": scale}
    return metric if word == "metric" else {word: metric}


def _with_shape(table: Raw, old_words: tuple[str, ...], **words: Any) -> Raw:
    """Return a table with words of its shape behind its name, without old words."""
    rest = {key: value for key, value in table.items() if key not in (*old_words, *words, "name")}
    return {**({"name": table["name"]} if "name" in table else {}), **words, **rest}
