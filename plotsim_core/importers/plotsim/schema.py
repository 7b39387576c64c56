"""What the parts of a document of plotsim's engine layer must know of each other: tables, metrics and entities."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from plotsim_core.importers.plotsim.metrics import Metric
from plotsim_core.importers.reading import Part, Record

_NUMBERED = re.compile(r"(.+)_(\d{4})")


@dataclass(frozen=True, eq=False)
class Table:
    """A table as it stands in the document."""

    part: Part
    name: str
    type: str
    grain: str
    columns: tuple[Part, ...]
    key: str

    @property
    def sources(self) -> list[str]:
        """The source of each column, as it is written."""
        return [str(column.value.get("source", "")) for column in self.columns]


@dataclass(frozen=True, eq=False)
class Entity:
    """An entity as it stands in the document: a unit, with `size` rows in the dimensions that are below it."""

    part: Part
    name: str
    archetype: str
    size: int

    @property
    def stem(self) -> tuple[str, int]:
        """Its name without the number at its end, and the number; -1 where there is none."""
        match = _NUMBERED.fullmatch(self.name)
        return (match[1], int(match[2])) if match else (self.name, -1)


@dataclass(frozen=True, eq=False)
class Schema:
    """A document as a whole. `pools` collects the values of each entity that columns show, by attribute; `grain` is the
    length of a period, `period_count` how many the window has (0 where that is not known)."""

    record: Record
    grain: str
    period_count: int
    metrics: Mapping[str, Metric]
    entities: tuple[Entity, ...]
    archetype_names: tuple[str, ...]
    tables: Mapping[str, Table]
    pools: dict[str, dict[str, list[Any]]] = field(default_factory=dict)

    @property
    def has_numbered_names(self) -> bool:
        """Whether entities are called as units are here: the segment, and a number from 0 on in it."""
        numbers: dict[str, int] = {}
        for entity in self.entities:
            stem, number = entity.stem
            if number != numbers.get(stem, 0):
                return False
            numbers[stem] = number + 1
        return True

    def metric_of(self, text: str) -> str | None:
        """Return the metric that a text names, by itself or by a column that holds it (`fct_revenue.mrr`)."""
        table_name, _, column_name = text.rpartition(".")
        if text in self.metrics:
            return text
        tables = [self.tables[table_name]] if table_name in self.tables else list(self.tables.values())
        for table in tables:
            for column in table.columns:
                source = str(column.value.get("source", ""))
                metric_name = source.removeprefix("metric:")
                if column.value.get("name") == column_name and metric_name in self.metrics:
                    return metric_name
        return column_name if column_name in self.metrics else None


def read_table(part: Part) -> Table:
    """Return a table with the keys that others ask for."""
    columns = tuple(part.parts("columns", is_required=True))
    keys = [str(column.value.get("name", "")) for column in columns if column.value.get("source") == "pk"]
    return Table(
        part=part,
        name=part.text("name", is_required=True),
        type=part.text("type", is_required=True),
        grain=part.text("grain", is_required=True),
        columns=columns,
        key=keys[0] if keys else "",
    )


def read_entity(part: Part) -> Entity:
    """Return an entity with the keys that others ask for."""
    return Entity(
        part=part,
        name=part.text("name", is_required=True),
        archetype=part.text("archetype", is_required=True),
        size=part.integer("size", 1),
    )
