"""The places of a config at which rules look: its tables, columns, metrics and so on, and where they stand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from plotsim_core.config.document import Step
from plotsim_core.config.star_schema import is_listed
from plotsim_core.config.table_kind import SECTIONS

PartName = Literal["dataset", "window", "metric", "connection", "table", "column"]
Steps = tuple[Step, ...]


@dataclass(frozen=True)
class Place:
    """A part of a config as read: its value, the keys and indices that lead to it, and the table that a column is of."""

    part: PartName
    steps: Steps
    value: Any
    table: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_in_listed_table(self) -> bool:
        """Whether a column is of a table whose rows its columns list."""
        if "tables" in self.steps[:-3]:
            return not self.table.keys() & {"per", "snapshot_of", "changes_of"}
        return is_listed(self.table)


def places(raw: Any) -> Iterator[Place]:
    """Yield the places of a config, what stands in another place before that one."""
    if not isinstance(raw, Mapping):
        return
    for steps, kind in _items(raw, (), "units"):
        if isinstance(kind, Mapping):
            yield from _kind_places(kind, steps)
    if "window" in raw:
        yield Place("window", ("window",), raw["window"])
    yield from _kind_places(raw, ())


def _kind_places(raw: Mapping[str, Any], steps: Steps) -> Iterator[Place]:
    """Yield the places of a kind of unit, and then the kind."""
    for metric_steps, metric in _items(raw, steps, "metrics"):
        yield Place("metric", metric_steps, metric)
    for connection_steps, connection in _items(raw, steps, "connections"):
        yield Place("connection", connection_steps, connection)
    for phase_steps, phase in _items(raw, steps, "connection_phases"):
        for connection_steps, connection in _items(phase, phase_steps, "connections"):
            yield Place("connection", connection_steps, connection)
    for section in SECTIONS:
        for table_steps, table in _items(raw, steps, section):
            if isinstance(table, Mapping):
                yield from _column_places(table, table_steps)
                yield Place("table", table_steps, table)
    yield Place("dataset", steps, raw)


def _column_places(table: Mapping[str, Any], steps: Steps) -> Iterator[Place]:
    for column_steps, column in _items(table, steps, "columns"):
        yield Place("column", column_steps, column, table)


def _items(owner: Any, steps: Steps, key: str) -> Iterator[tuple[Steps, Any]]:
    """Yield the steps and the items of a list, or of a mapping, in `owner`."""
    items = owner.get(key) if isinstance(owner, Mapping) else None
    if isinstance(items, list | tuple):
        yield from (((*steps, key, index), item) for index, item in enumerate(items))
    elif isinstance(items, Mapping):
        yield from (((*steps, key, name), item) for name, item in items.items())
