"""The shape of what a config gives (tables, columns, keys, references, rows of dimensions), ours beside plotsim's."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plotsim_core import Plan, generate_tables, load_config, write_tables
from plotsim_core.columns.primary_key import key_column
from plotsim_core.plan.plan import TablePlan
from plotsim_core.validation.report import Report, check_store
from plotsim_core.validation.store import find_store

Shape = Mapping[str, Mapping[str, Any]]
"""Table to its kind, columns, key, references and, for a dimension, the number of different keys it has."""


@dataclass(frozen=True)
class Difference:
    """One thing that differs: `what` is columns, order, key, references, rows, table or file; values as text."""

    config: str
    table: str
    what: str
    theirs: str
    ours: str


def ours(path: Path) -> dict[str, dict[str, Any]]:
    """Return the shape of what we make of a config. Raises ConfigError if it does not load."""
    plan = load_config(path)
    frames = generate_tables(plan)
    tables = {table.name: _shape(table) for table in plan.tables}
    for name, frame in frames.items():
        if name.startswith("dim_"):
            tables[name]["rows"] = len(frame.drop_duplicates(_own_key(plan, name)))
        if frame.empty:
            tables[name]["empty"] = True
    return tables


def judged(path: Path) -> Report:
    """Return what our checks say of the data that we make of a config."""
    plan = load_config(path)
    with tempfile.TemporaryDirectory() as folder:
        write_tables(plan, folder, format="parquet")
        with find_store(plan, Path(folder)) as store:
            return check_store(store)


def _own_key(plan: Plan, name: str) -> list[str]:
    table = plan.table(name)
    column = key_column(table.spec)
    return [column.name] if column is not None else list(table.key)


def _shape(table: TablePlan) -> dict[str, Any]:
    return {
        "kind": table.kind,
        "columns": [column.name for column in table.columns],
        "key": list(table.key),
        "references": {column: to for column, to, _ in table.references},
    }


def differences(config: str, theirs: Shape, ours: Shape) -> Iterator[Difference]:
    """Yield what differs between the shapes of one config. Log files are compared by those who write files."""
    for name, their in theirs.items():
        if their["kind"] == "log":
            continue
        our = ours.get(name)
        if our is None:
            yield Difference(config, name, "table", "is there", "is not there")
            continue
        missing = [column for column in their["columns"] if column not in our["columns"]]
        added = [column for column in our["columns"] if column not in their["columns"]]
        if missing or added:
            yield Difference(config, name, "columns", ", ".join(missing), ", ".join(added))
        elif their["columns"] != our["columns"]:
            yield Difference(config, name, "order", ", ".join(their["columns"]), ", ".join(our["columns"]))
        if "key" in their and sorted(their["key"]) != sorted(our["key"]):
            yield Difference(config, name, "key", ", ".join(their["key"]), ", ".join(our["key"]))
        lost = {column: to for column, to in their.get("references", {}).items() if our["references"].get(column) != to}
        if lost:
            yield Difference(config, name, "references", _arrows(lost), _arrows(our["references"]))
        if "rows" in their and their["rows"] != our.get("rows"):
            yield Difference(config, name, "rows", str(their["rows"]), str(our.get("rows")))
        if our.get("empty") and not their.get("empty"):
            yield Difference(config, name, "rows", "some", "none")
    for name in ours:
        if name not in theirs:
            yield Difference(config, name, "table", "is not there", "is there")


def _arrows(references: Mapping[str, str]) -> str:
    return ", ".join(f"{column} to {to}" for column, to in references.items())
