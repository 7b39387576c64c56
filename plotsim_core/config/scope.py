"""What the parts of a config know of each other while it is being checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from plotsim_core.config.effects import Lifecycle
from plotsim_core.config.metrics import Metric
from plotsim_core.config.segments import Segment
from plotsim_core.config.tables import DeclaredTable, Table
from plotsim_core.config.window import Window
from plotsim_core.families import did_you_mean


@dataclass(frozen=True)
class Scope:
    """Everything declared, by name. A name whose declaration is itself wrong maps to None, so that it is not reported
    twice: as wrong where it stands, and as unknown where it is used."""

    unit: str
    window: Window | None
    metrics: Mapping[str, Metric | None]
    segments: tuple[Segment, ...]
    tables: Mapping[str, DeclaredTable]
    lifecycle: Lifecycle | None = None

    def unknown_metric(self, name: str) -> list[str]:
        """Return a sentence if no metric is named `name`."""
        if name in self.metrics:
            return []
        return [f"no metric is named {name!r}; {did_you_mean(name, list(self.metrics))}"]

    def unknown_table(self, name: str) -> list[str]:
        """Return a sentence if no dimension is named `name`."""
        dimensions = [key for key, table in self.tables.items() if table.path.startswith("dimensions")]
        if name in dimensions:
            return []
        return [f"no dimension is named {name!r}; {did_you_mean(name, dimensions)}"]

    def attributes(self) -> list[str]:
        """Return the attributes that every segment has."""
        shared = [set(segment.attributes) for segment in self.segments]
        return [name for name in self.segments[0].attributes if all(name in held for held in shared)] if shared else []

    def dimension(self, kind: str) -> Table | None:
        """Return the first dimension of a kind."""
        found = (declared.table for declared in self.tables.values() if declared.kind == kind)
        return next(found, None)
