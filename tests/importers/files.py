"""Files of plotsim's engine layer: those of our own beside this one, and plotsim's where they are there."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from plotsim_core.config.read import read

OWN = sorted(Path(__file__).parent.glob("*.yaml"))
CORPUS = Path(os.environ.get("PLOTSIM_CORPUS") or Path(__file__).parents[3] / "shared/peers/plotsim-corpus") / "engine"
THEIRS = sorted(CORPUS.glob("*.yaml"))
COUNT = 15
"""So many files plotsim has."""
DATES = ("date_key", "date", "year", "quarter", "month", "month_name", "week", "period_label", "period_index")
DAYS = ("day_of_week", "day_of_month", "is_weekend")
VERSIONS = ("dim_row_id", "valid_from", "valid_to", "is_current")
CHANGES = ("_inserted_at", "_updated_at", "_op")

Raw = dict[str, Any]


def document(path: Path) -> Raw:
    """Return a file as its YAML says it."""
    raw = read(path)
    assert isinstance(raw, dict)
    return raw


def periods(raw: Raw) -> int:
    """Return how many months, or days, a file's window has."""
    window = raw["time_window"]
    (first_year, first_month), (year, month) = (map(int, window[end].split("-")) for end in ("start", "end"))
    months = 12 * (year - first_year) + month - first_month + 1
    return {"monthly": months, "daily": 60}[window["granularity"]]  # the one file of days has February and March 2024


def columns(raw: Raw, table: Raw) -> tuple[set[str], set[str]]:
    """Return the columns that plotsim makes of a table, and those that may be there beside them."""
    names = {column["name"] for column in table["columns"]}
    if table["grain"] == "per_period":
        parts = {*DATES, *(DAYS if raw["time_window"]["granularity"] == "daily" else ())}
        return (names & parts) | parts, set()
    sources = {str(column["source"]) for column in table["columns"]}
    more = {*VERSIONS} if "scd_type2" in sources or _has_versions(raw) else set()
    names |= {*CHANGES} if table.get("cdc") else set()
    return names, more | {"stage"}


def _has_versions(raw: Raw) -> bool:
    return any(column["source"] == "scd_type2" for table in raw["tables"] for column in table["columns"])


def rows(raw: Raw, table: Raw) -> int | None:
    """Return how many rows plotsim makes of a table; None where that depends on values. Versions count as one."""
    entities, length = raw["entities"], periods(raw)
    if table["grain"] == "per_period":
        return length
    if table["grain"] == "per_entity":
        return len(entities)
    if table["grain"] == "per_reference":
        lists = [
            column["source"].removeprefix("static:").split(",")
            for column in table["columns"]
            if "static:" in column["source"]
        ]
        return max([table.get("count") or 1, *map(len, lists)])
    if table["grain"] == "variable" and table["type"] == "dim":
        return int(sum(entity.get("size", 1) for entity in entities) * (table.get("count") or 1))
    if table["grain"] == "per_entity_per_period":
        return sum(length - (entity.get("start_period") or 0) for entity in entities)
    has_trigger = table.get("row_count_source") or any("threshold:" in column["source"] for column in table["columns"])
    return None if has_trigger or table["type"] == "fact" else 0


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the path and the value of each key or item that holds no others."""
    items = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    pairs = [(f"{path}[{key}]" if isinstance(value, list) else f"{path}.{key}".lstrip("."), item) for key, item in items]
    if not pairs and path:
        yield path, value
    for item_path, item in pairs:
        yield from leaves(item, item_path)
