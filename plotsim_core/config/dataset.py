"""The root of the language."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Annotated, Any

from pydantic import AliasChoices, BeforeValidator, Field

from plotsim_core.config.calendar import Calendar, Rhythm
from plotsim_core.config.connections import Connection, ConnectionPhase
from plotsim_core.config.data_rule import DataRule
from plotsim_core.config.effects import Lifecycle, Noise, Season
from plotsim_core.config.holdout import EntityFeatures, Holdout, read_flag
from plotsim_core.config.metrics import Metric
from plotsim_core.config.model import Name, Number, Part, pattern
from plotsim_core.config.named_effects import Effect
from plotsim_core.config.output import Manifest, Output
from plotsim_core.config.quality import Issue
from plotsim_core.config.segments import Segment
from plotsim_core.config.sources import Sources
from plotsim_core.config.tables import Table
from plotsim_core.config.window import Window
from plotsim_core.config.words import phrase, plural
from plotsim_core.numerics.calendar import ONCE, Grain

OWNER = pattern(
    r"^([A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,7}|team:[^\s,][^,\n]*)$",
    "an e-mail address or a team, as team:name",
)
Owner = Annotated[str, Field(pattern=OWNER)]
"""Who answers for a dataset, as Dagster takes it."""


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class Dataset(Part):
    """A whole config. `about` is required, and with units `unit`, `window`, `metrics` and `segments`; without tables a star
    schema is made of them: the date and unit dimensions and one fact per metric. Plain tables, whose rows are of no unit,
    need none of the four.

    `units` are further kinds of unit, each with its own unit, metrics, segments and whatever follows from them; window, seed
    and the rest are the dataset's.
    """

    about: Annotated[str, Field(min_length=1)]
    """What the data is about, in a few words."""
    unit: Name = ""
    """What a unit is called, in the singular. It comes with `window`, `metrics` and `segments`, or not at all."""
    window: Window | None = None
    """From when to when, in periods of which length. Plain tables need none."""
    metrics: Annotated[tuple[Metric, ...], Field(min_length=1)] = ()
    """What is measured."""
    segments: Annotated[tuple[Segment, ...], Field(min_length=1)] = ()
    """The groups of units."""
    connections: tuple[Connection, ...] = ()
    """Which metrics move together."""
    connection_phases: tuple[ConnectionPhase, ...] = ()
    """Periods in which they do so otherwise."""
    lifecycle: Annotated[Lifecycle | None, Field(validation_alias=AliasChoices("lifecycle", "stages"))] = None
    """Stages read off a metric."""
    dimensions: tuple[Table, ...] = ()
    """Tables of what there is."""
    facts: tuple[Table, ...] = ()
    """Tables of what is measured."""
    events: tuple[Table, ...] = ()
    """Tables of what happens."""
    bridges: tuple[Table, ...] = ()
    """Tables of what belongs together."""
    tables: tuple[Table, ...] = ()
    """Tables of any shape: per what there are rows, how many, which of them, and their columns."""
    seasonality: tuple[Season, ...] = ()
    """Months that are stronger or weaker."""
    calendar: Calendar = Calendar()
    """Fiscal year, weekend and holidays."""
    rhythm: Rhythm | None = None
    """Weekdays and hours at which more or less happens."""
    effects: tuple[Effect, ...] = ()
    """What multiplies means, or rows of tables, on some days."""
    sources: Sources = ()
    """Systems that hold the units otherwise."""
    checks: tuple[DataRule, ...] = ()
    """Rules about the data, each with the `table` that it is about; those that stand in a table are read as these."""
    quality: tuple[Issue, ...] = ()
    """What is broken on purpose."""
    holdout: Holdout | None = None
    """What a model is tested on."""
    entity_features: Annotated[EntityFeatures | None, BeforeValidator(read_flag)] = None
    """A table of what a model may learn from."""
    output: Annotated[Output, Field(validation_alias=AliasChoices("output", "output_format"))] = Output()
    """Where and how it is written."""
    manifest: Manifest = Manifest()
    """Whether the answers are written beside it."""
    owners: tuple[Owner, ...] = ()
    """Who answers for it, e-mail addresses or teams as team:name, for the catalogue."""
    noise: Noise = Noise()
    """Measurement noise, of all metrics that have none of their own."""
    locale: Annotated[tuple[str, ...], Field(min_length=1), BeforeValidator(_as_list)] = ("en_US",)
    """The language of names and addresses, one or several."""
    seed: Annotated[int, Field(ge=0, le=2**32 - 1, strict=True)] = 0
    """Another number gives other values of the same dataset."""
    units: tuple[Dataset, ...] = ()
    """Further kinds of unit, each with its own unit, metrics, segments and whatever follows from them."""
    scale: Annotated[Number, Field(gt=0, le=1_000_000)] = 1.0
    """Multiplies the count of every segment."""

    @property
    def all_tables(self) -> tuple[Table, ...]:
        """All tables, in the order dimensions, facts, events, bridges, tables."""
        return self.dimensions + self.facts + self.events + self.bridges + self.tables

    @property
    def all_dimensions(self) -> tuple[Table, ...]:
        """The tables whose rows are members of what there is, whatever section declares them."""
        return tuple(table for table in self.all_tables if table.is_dimension)

    @property
    def grain(self) -> Grain:
        """The length of a period. Without a window there is one period, number 0, which has no date."""
        return ONCE if self.window is None else self.window.grain

    @property
    def partition(self) -> Grain:
        """The length of a partition: that of a period, or a longer one."""
        return ONCE if self.window is None else self.window.partitioned

    @property
    def first(self) -> int:
        """The first period."""
        return 0 if self.window is None else self.window.first

    @property
    def stop(self) -> int | None:
        """The period after the last; None for an open window."""
        return 1 if self.window is None else self.window.stop

    @property
    def span(self) -> int:
        """The number of periods that a curve takes."""
        return 1 if self.window is None else self.window.length

    @property
    def has_units(self) -> bool:
        """Whether its own sections declare units."""
        return bool(self.segments)

    @property
    def unit_dimension(self) -> Table:
        """The dimension of the units."""
        return next(table for table in self.all_tables if table.is_unit_dimension)

    @property
    def own_unit_dimension(self) -> Table | None:
        """The dimension of the units; None where there are none."""
        return self.unit_dimension if self.has_units else None

    @property
    def date_dimension(self) -> Table:
        """The date dimension."""
        return next(table for table in self.all_tables if table.is_date_dimension)

    @cached_property
    def named_tables(self) -> Mapping[str, Table]:
        """All tables by name."""
        return {table.name: table for table in self.all_tables}

    def lineage(self, table: Table) -> Iterator[Table]:
        """Yield the table that rows of a table belong to, the one that rows of that belong to, and so on."""
        parent = self.named_tables.get(table.parent_name or "")
        while parent is not None:
            yield parent
            parent = self.named_tables.get(parent.parent_name or "")

    @cached_property
    def belonging(self) -> tuple[tuple[Table, Table], ...]:
        """Tables whose rows belong to rows of another one (`parent_table`), each after that one."""
        parents = ((self.named_tables.get(table.parent_name or ""), table) for table in self.all_tables)
        return tuple((parent, table) for parent, table in parents if parent is not None)

    @property
    def plural(self) -> str:
        """What several units are called in a sentence: companies, branches, sales reps."""
        return plural(phrase(self.unit))


LISTS = ("metrics", "segments", "connections", "connection_phases", "seasonality", "effects", "quality", "checks")
"""Sections that are lists, of which each item is read alone."""
ALIASES = {
    str(choice): name
    for name, field in Dataset.model_fields.items()
    if isinstance(field.validation_alias, AliasChoices)
    for choice in field.validation_alias.choices
    if choice != name
}
"""Other names of sections to their own."""


def dataset_name(text: str) -> str:
    """Return `text` as a name for a dataset: lower case, digits and underscores."""
    name = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
    return name if name and not name[0].isdigit() else f"dataset_{name}".rstrip("_")
