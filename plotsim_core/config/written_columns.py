"""Columns as they are written: a mapping of names to types, formulas that stand for a type, patterns of many columns.

All of it becomes the list of columns that the rest of the language reads; the document remembers where each stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from plotsim_core.config.document import ColumnPlace, Document, likely_section
from plotsim_core.config.table_kind import SECTIONS
from plotsim_core.errors import Problem, value_text

MOST_COLUMNS = 10_000
"""The most columns that a pattern makes."""
NUMBER = "#"
"""What stands in a pattern for the number of a column, from 1."""
_NUMBERED = ("name", "type", "formula", "odds")
"""What of a pattern has the number in it: the name, the type and the formulas."""


def with_listed_columns(document: Document) -> Document:
    """Return a document whose tables have lists of columns, each with a name and a type."""
    places: dict[str, tuple[ColumnPlace, ...]] = {}
    problems: list[Problem] = []
    value = _with_tables(document.value, "", places, problems)
    return replace(document, value=value, problems=(*document.problems, *problems), places=places)


def _with_tables(raw: Any, prefix: str, places: dict[str, tuple[ColumnPlace, ...]], problems: list[Problem]) -> Any:
    """Return the sections of a kind of unit with lists of columns."""
    if not isinstance(raw, Mapping):
        return raw
    sections = dict(raw)
    if not prefix and isinstance(raw.get("units"), list | tuple):
        sections["units"] = [
            _with_tables(kind, f"units[{index}].", places, problems) for index, kind in enumerate(raw["units"])
        ]
    for key, tables in raw.items():
        section = key if key in SECTIONS else likely_section(str(key), raw)
        if section in SECTIONS and isinstance(tables, list | tuple):
            sections[key] = [
                _with_columns(table, f"{prefix}{section}[{index}]", places, problems) for index, table in enumerate(tables)
            ]
    return sections


def _with_columns(table: Any, path: str, places: dict[str, tuple[ColumnPlace, ...]], problems: list[Problem]) -> Any:
    columns = table.get("columns") if isinstance(table, Mapping) else None
    if isinstance(columns, Mapping):
        entries = [
            (f"columns.{name}", _named(str(name), item, f"{path}.columns.{name}", problems))
            for name, item in columns.items()
        ]
    elif isinstance(columns, list | tuple):
        entries = [(f"columns[{index}]", item) for index, item in enumerate(columns)]
    else:
        return table
    pairs = [
        (column, place)
        for place_path, item in entries
        for column, place in _made(with_formula(item), place_path, path, problems)
    ]
    if isinstance(columns, Mapping) or len(pairs) != len(entries):
        places[path] = tuple(place for _, place in pairs)
    return {**table, "columns": [column for column, _ in pairs]}


def _named(name: str, item: Any, path: str, problems: list[Problem]) -> dict[str, Any]:
    """Return a column from its entry in a mapping: a type, or a type with options."""
    if not isinstance(item, Mapping):
        return {"name": name, "type": item}
    if "name" in item:
        problems.append(Problem(f"{path}.name", f"says the same as the key {value_text(name)}; leave it out"))
    return {"name": name, **{key: value for key, value in item.items() if key != "name"}}


def with_formula(item: Any) -> Any:
    """Return a column as written whose type, where that is a formula (`= a * b`), is an expression."""
    type_ = item.get("type") if isinstance(item, Mapping) else None
    if not isinstance(type_, str) or not type_.startswith("=") or "formula" in item:
        return item
    options = {key: value for key, value in item.items() if key not in ("name", "type")}
    return {
        **{key: item[key] for key in ("name",) if key in item},
        "type": "expression",
        "formula": type_[1:].strip(),
        **options,
    }


def _made(item: Any, place: str, path: str, problems: list[Problem]) -> list[tuple[Any, ColumnPlace]]:
    """Return the columns that an entry makes, each with its place: those of a pattern (`r#` with a `count`), or one."""
    name = item.get("name") if isinstance(item, Mapping) else None
    if not isinstance(name, str) or NUMBER not in name:
        return [(item, ColumnPlace(place))]
    count = item.get("count")
    options = {key: value for key, value in item.items() if key != "count"}
    if name.count(NUMBER) > 1:
        problems.append(
            Problem(f"{path}.{place}", f"expected one {NUMBER} in {value_text(name)}, which stands for the number")
        )
        return []
    if count is None:
        problems.append(Problem(f"{path}.{place}.count", "is missing", f"how many columns {name} makes: count: 400"))
        count = 1
    elif type(count) is not int or not 1 <= count <= MOST_COLUMNS:
        message = f"expected a whole number from 1 to {MOST_COLUMNS:,}, found {value_text(count)}"
        problems.append(Problem(f"{path}.{place}.count", message))
        count = 1
    names = [name.replace(NUMBER, str(number)) for number in range(1, count + 1)]
    return [
        (_numbered(options, number), ColumnPlace(place, numbered_name, name))
        for number, numbered_name in enumerate(names, start=1)
    ]


def _numbered(options: Mapping[str, Any], number: int) -> dict[str, Any]:
    """Return the options of a pattern for one of its columns: with its number in the name, the type and the formulas."""
    column = {
        key: value.replace(NUMBER, str(number)) if key in _NUMBERED and isinstance(value, str) else value
        for key, value in options.items()
    }
    nulls = options.get("nulls")
    if isinstance(nulls, Mapping) and isinstance(nulls.get("where"), str):
        column["nulls"] = {**nulls, "where": nulls["where"].replace(NUMBER, str(number))}
    return column


__all__ = ["MOST_COLUMNS", "with_formula", "with_listed_columns"]
