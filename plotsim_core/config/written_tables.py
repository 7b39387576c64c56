"""Tables as written: their columns, what they are per, their key, as far as these can be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

KEY_TYPES = ("id", "uuid")
"""Types of columns that are keys."""
LIKELY_KEY_TYPES = ("key", "pk", "primary_key", "primary key")
"""What people write who mean a key; a table with such a column is judged as if it had one."""

WHEN = ("metric", "above", "below", "for", "ends_unit", "refire", "again_after")
"""Words of a crossing, which stand under `when`."""


def list_or_empty(value: Any) -> Sequence[Any]:
    """Return `value` if it is a list, else an empty one: what is no list is reported elsewhere."""
    return value if isinstance(value, list | tuple) else ()


def written_per(raw: Any) -> tuple[str, ...] | None:
    """Return what a table as written is per, as names; None if that is not a name or a list of names."""
    value = raw.get("per") if isinstance(raw, Mapping) else None
    names = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list | tuple) else value
    if names is None:
        return ()
    return names if isinstance(names, tuple) and all(isinstance(name, str) for name in names) else None


def column_parts(raw: Any) -> list[Mapping[Any, Any]]:
    """Return the columns of a table as written, each with its name and type, as far as they can be read."""
    columns = raw.get("columns") if isinstance(raw, Mapping) else None
    if isinstance(columns, Mapping):
        return [{"name": name, **(part if isinstance(part, Mapping) else {"type": part})} for name, part in columns.items()]
    return [part for part in list_or_empty(columns) if isinstance(part, Mapping)]


def columns_of(raw: Any) -> list[tuple[str, str]]:
    """Return the names and types of the columns of a table as written, as far as they can be read."""
    return [(str(part.get("name")), str(part.get("type"))) for part in column_parts(raw)]


def key_of(raw: Any) -> str | None:
    """Return the name of the column of a table as written that is its key."""
    columns = raw.get("columns") if isinstance(raw, Mapping) else None
    parts = columns.items() if isinstance(columns, Mapping) else ((None, part) for part in list_or_empty(columns))
    references = [
        str(part.get("name", name)) for name, part in parts if isinstance(part, Mapping) and part.get("key") is True
    ]
    key_types = (*KEY_TYPES, *LIKELY_KEY_TYPES)
    return next((name for name, type_ in columns_of(raw) if type_.lower() in key_types or name in references), None)


def shows_dimension(raw: Any) -> bool:
    """Return whether a table as written shows the rows of a dimension, again and again or as they change."""
    return isinstance(raw, Mapping) and bool({"snapshot_of", "changes_of"} & raw.keys())


def is_shaped_dates(raw: Any) -> bool:
    """Return whether a table of the section `tables` as written is the dates: per period, with a key. Without one it is of
    all units in a period."""
    return written_per(raw) == ("period",) and key_of(raw) is not None
