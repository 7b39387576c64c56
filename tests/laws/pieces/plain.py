"""Datasets without units: plain tables, some of which refer to others or belong to them, and the times of a day. With a
window there are grids, and rows that have moments, too."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

Raw = dict[str, Any]

_COLUMNS: tuple[Raw, ...] = (
    {"name": "name", "type": "faker.name"},
    {"name": "born", "type": "faker.date_of_birth"},
    {"name": "mail", "type": "faker.email", "unique": True},
    {"name": "tag", "type": "faker.word"},
    {"name": "plan", "type": "choice", "values": ["free", "paid", "trial"]},
    {"name": "price", "type": "range", "range": [0.0, 90.0]},
    {"name": "age", "type": "range", "range": [18, 99]},
    {"name": "number", "type": "sequence"},
    {"name": "city", "type": "geo.city"},
    {"name": "colour", "type": "static.red,green,blue"},
)
_FORMULA: Raw = {"name": "gross", "type": "expression", "formula": "price * 1.2"}
_LABEL: Raw = {"name": "is_member", "type": "label", "odds": "age / 20", "rate": 0.4}


@st.composite
def plain_configs(draw: st.DrawFn, window: Raw) -> Raw:
    """A config of plain tables that loads; it has the window or none."""
    raw: Raw = {"about": "generated", "seed": draw(st.integers(0, 1000)), "dimensions": draw(_tables())}
    if draw(st.booleans()):
        raw["window"] = window
    if draw(st.booleans()):
        columns = [{"name": "time_key", "type": "id"}, {"name": "hour", "type": "int"}]
        raw["dimensions"].append({"name": "dim_time", "per": "time", "every": "hour", "columns": columns})
    tables = draw(_shaped_tables("window" in raw))
    if tables:
        raw["tables"] = tables
    if draw(st.booleans()):
        raw["locale"] = draw(st.sampled_from(["de_DE", ["en_US", "fr_FR"]]))
        raw["dimensions"][0]["columns"].append({"name": "contact", "type": "faker.name"})
    return raw


@st.composite
def _shaped_tables(draw: st.DrawFn, is_dated: bool) -> list[Raw]:
    """Some tables of the section `tables`: rows that belong to those of t0, and with a window a grid, and rows in time."""
    key: Raw = {"name": "own_id", "type": "id"}
    cost: Raw = {"name": "cost", "type": "range", "range": [0.0, 9.0]}
    child = {"name": "child", "per": "t0", "rows": [1, 3], "columns": [{"name": "number", "type": "sequence"}, cost]}
    grid = {"name": "grid", "per": ["t0", "period"], "columns": [cost]}
    before = {"name": "before", "type": "ref.calls", "roots": draw(st.integers(1, 3))}
    at = {"name": "at", "type": "timestamp"}
    calls = {"name": "calls", "rows": 30, "columns": [key, at, cost, *([before] if draw(st.booleans()) else [])]}
    tables = [child, *([grid, calls] if is_dated else [])]
    drawn = [table for table in tables if draw(st.booleans())]
    if calls in drawn:
        call = {"name": "call", "type": "ref.calls"}
        mails = {"name": "mails", "rows": 40, "columns": [key, at, call, {"name": "cost", "type": "lookup.calls.cost"}]}
        grid["columns"] = [cost, {**call, "within": draw(st.integers(0, 3))}]
        drawn += [mails] if draw(st.booleans()) else []
    return drawn


@st.composite
def _tables(draw: st.DrawFn) -> list[Raw]:
    tables: list[Raw] = []
    for number in range(draw(st.integers(1, 3))):
        columns = draw(st.lists(st.sampled_from(_COLUMNS), max_size=5, unique_by=lambda column: column["name"]))
        columns = [dict(column) for column in columns]
        if any(column["name"] == "price" for column in columns) and draw(st.booleans()):
            columns.append(dict(_FORMULA))
        if any(column["name"] == "age" for column in columns) and draw(st.booleans()):
            columns.append(dict(_LABEL))
        if tables and draw(st.booleans()):
            parent = draw(st.sampled_from(tables))["name"]
            columns.append({"name": f"{parent}_id", "type": f"ref.{parent}"})
            if draw(st.booleans()):  # a reference that may be null closes the circle
                back = {"name": f"t{number}_id", "type": f"ref.t{number}", "nulls": 0.3}
                next(table for table in tables if table["name"] == parent)["columns"].append(back)
        columns = [{"name": "own_id", "type": "id"}, *columns]
        tables.append({"name": f"t{number}", "reference": True, "count": draw(st.integers(4, 40)), "columns": columns})
    return tables
