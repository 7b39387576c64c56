"""Scope: the declarations of a config by name, for checks between its parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from plotsim_core.config.calendar import Calendar
from plotsim_core.config.effects import Lifecycle
from plotsim_core.config.metrics import Metric
from plotsim_core.config.segments import Segment
from plotsim_core.config.star_schema import DATE_DIMENSION
from plotsim_core.config.tables import DeclaredTable, Table
from plotsim_core.config.window import Window
from plotsim_core.errors import Problem
from plotsim_core.families import did_you_mean


@dataclass(frozen=True)
class Scope:
    """Everything declared, by name. A name whose declaration is itself wrong maps to None, so that it is not reported
    twice: as wrong where it stands, and as unknown where it is used. `foreign` are the tables of other kinds of unit that
    may be referred to, `later` the units of tables of those kinds whose tables refer to this one, by name, `unreachable` the
    units of the other tables of other kinds: rows of these cannot be referred to. `foreign_metrics` are the units of metrics
    of other kinds."""

    unit: str
    window: Window | None
    metrics: Mapping[str, Metric | None]
    segments: tuple[Segment, ...]
    tables: Mapping[str, DeclaredTable]
    lifecycle: Lifecycle | None = None
    locale: tuple[str, ...] = ("en_US",)
    calendar: Calendar | None = None
    foreign: Mapping[str, DeclaredTable] = field(default_factory=dict)
    later: Mapping[str, str] = field(default_factory=dict)
    unreachable: Mapping[str, str] = field(default_factory=dict)
    foreign_metrics: Mapping[str, str] = field(default_factory=dict)

    @property
    def unit_word(self) -> str:
        """What a unit is called in a sentence; a unit, where there are none."""
        return self.unit or "unit"

    def unknown_metric(self, name: str, path: str = "") -> list[Problem]:
        """Return a problem at `path` if there are metrics, but none named `name`."""
        if name in self.metrics or not self.metrics:
            return []
        if name in self.foreign_metrics:
            message = (
                f"{name} is a metric of {self.foreign_metrics[name]} units, and rows here show those of {self.unit} units"
            )
            return [Problem(path, message, did_you_mean(name, list(self.metrics)))]
        return [Problem(path, f"no metric is named '{name}'", did_you_mean(name, list(self.metrics)))]

    def unknown_table(self, name: str, path: str = "") -> list[Problem]:
        """Return a problem at `path` if no dimension is named `name`.

        Silent where something else is wrong already: a dimension without a name, a date dimension of another name, no
        dimension of the unit.
        """
        dimensions = [key for key, table in self.tables.items() if table.is_dimension]
        kinds = [table.kind for table in self.tables.values() if table.kind is not None]
        is_renamed = name == DATE_DIMENSION and any(kind.is_date_dimension for kind in kinds)
        is_lacking = name == f"dim_{self.unit}" and not any(kind.is_unit_dimension for kind in kinds)
        if name in self.foreign or name in dimensions or "" in (*dimensions, *self.foreign) or is_renamed or is_lacking:
            return []
        if name in self.later:
            tables = f"tables of {self.later[name]} units refer to {self.unit} units"
            message = f"{tables}, and kinds of unit cannot refer to each other both ways"
            return [Problem(path, message, "let one of the two refer to the other")]
        if name in self.unreachable:
            unit = self.unreachable[name]
            message = f"rows of {name} happen to {unit} units, of which rows here can refer to what comes with them alone"
            return [Problem(path, message, f"refer to the {unit}, or let rows of {name} refer here")]
        if name in self.tables:
            return [Problem(path, f"{name} is no dimension", f"known: {', '.join([*dimensions, *self.foreign])}")]
        known_names = [*dict.fromkeys([*dimensions, *self.foreign, *self.tables])]
        hint = "the dates come with a window" if name == DATE_DIMENSION else did_you_mean(name, known_names)
        return [Problem(path, f"no table is named '{name}'", hint)]

    def declared_table(self, name: str | None) -> Table | None:
        """Return the table of that name; None where there is none, or where something in it is wrong."""
        declared = None if name is None else self.tables.get(name)
        return None if declared is None else declared.table

    @property
    def declared_units(self) -> DeclaredTable | None:
        """The dimension of the units as far as it could be read; None where it is missing."""
        return next((t for t in self.tables.values() if t.kind is not None and t.kind.is_unit_dimension), None)

    @property
    def unit_dimension(self) -> Table | None:
        """The dimension of the units; None where it is missing or wrong."""
        return None if self.declared_units is None else self.declared_units.table

    @property
    def date_dimension(self) -> Table | None:
        """The date dimension; None where it is missing or wrong."""
        return next((t.table for t in self.tables.values() if t.kind is not None and t.kind.is_date_dimension), None)
