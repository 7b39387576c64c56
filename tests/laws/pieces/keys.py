"""Keys: whole numbers, formats, patterns, uuids, places within a row, and references that are keys."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

Raw = dict[str, Any]

_ROOM = {"units": 1_000_000, "most": 1_000}
"""Room for what random configs have, in open windows too."""


def add(draw: st.DrawFn, raw: Raw) -> None:
    """Give the tables of every kind of unit other keys, and some a table beside the unit's, with the same key."""
    for kind in (raw, *raw.get("units", ())):
        tables = [table for section in ("dimensions", "facts", "events") for table in kind.get(section, ())]
        for table in tables:
            _change(draw, table, {other["name"]: other for other in tables})
    for table in raw.get("tables", ()):
        columns = table["columns"] if isinstance(table.get("columns"), list) else []
        numbers: list[Raw] = [{"start": 7}, {"format": "T{n:03}"}, {"pattern": "[a-z]{9}"}] if "per" not in table else []
        for column in (column for column in columns if column["type"] == "id"):
            column |= draw(st.sampled_from([{}, {"type": "uuid"}, *numbers]))
    if draw(st.booleans()):
        unit = next(table for table in raw["dimensions"] if table.get("per") == "unit" and "count" not in table)
        name = next(column["name"] for column in unit["columns"] if column["type"] in ("id", "uuid"))
        key = {"name": name, "type": f"ref.{unit['name']}", "key": True}
        raw["dimensions"].append(
            {"name": "dim_card", "per": "unit", "columns": [key, {"name": "colour", "type": "static.red,blue"}]}
        )


def _change(draw: st.DrawFn, table: Raw, tables: dict[str, Raw]) -> None:
    """Give a table another key, in the same column."""
    columns = table.get("columns", ())
    key = next((column for column in columns if column["type"] == "id"), None)
    if key is None or table.get("per") in ("period", "time"):
        return
    is_child = "count" in table and not table.get("reference")
    is_driven = "driver" in table or "row_count_driver" in table
    parent = tables.get(table.get("parent_table", ""))
    start = draw(st.sampled_from([0, 1001, 10_000_000_000]))
    forms: list[Raw] = [{}, {"type": "uuid"}, {"prefix": "K"}]
    if parent is not None or is_child:
        forms.append(
            {"format": draw(st.sampled_from(["{parent}-{n}", "{n:03}/{parent}"])), "start": draw(st.integers(0, 2))}
        )
    if parent is None or _is_numbered(parent):
        has_room = parent is None and not is_child and not table.get("reference")
        room = {"units": _ROOM["units"]} if has_room else {}
        room |= {"most": _ROOM["most"]} if is_driven else {}
        text = draw(st.sampled_from(["LN{n:08}", "{n}-x"]))
        numbers = [{"start": start}, {"format": text}, {"pattern": "[A-Z0-9]{4}-[a-f]{12}"}]
        forms += [{**form, **room} for form in numbers]
    if parent is not None and f"ref.{table['name']}" not in str(tables) and draw(st.booleans()):
        key |= {"type": "sequence"}  # its place and the key of its row are the key
        return
    key |= draw(st.sampled_from(forms))
    if (is_child or is_driven or parent is not None) and draw(st.booleans()):
        step = draw(st.sampled_from([1, -2]))
        columns.append({"name": "place", "type": "sequence", "start": start, "step": step})


def _is_numbered(table: Raw) -> bool:
    return any({"start", "pattern"} & column.keys() for column in table["columns"] if column["type"] == "id")
