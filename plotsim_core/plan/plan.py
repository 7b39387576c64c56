"""A plan: everything that is fixed before the first value is made. Frozen and picklable; every worker gets the same."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from plotsim_core.config.column_source import DerivedColumn
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.metrics import Metric
from plotsim_core.config.quality import Issue
from plotsim_core.config.segments import Segment
from plotsim_core.config.table_kind import form_name
from plotsim_core.config.tables import Column, Table, derived_column
from plotsim_core.errors import Problem, UsageError
from plotsim_core.families import did_you_mean
from plotsim_core.numerics.arrays import Floats
from plotsim_core.numerics.calendar import Grain
from plotsim_core.numerics.curves import Piece
from plotsim_core.numerics.quantiles import QuantileTable
from plotsim_core.plan.copula import Mixing

DIGEST = "plotsim_digest"
"""Metadata of a stored table's schema: the hash of config and version that it was made from."""
SINCE, UNTIL = "plotsim_since", "plotsim_until"
"""Metadata of a field that is not there all the time: the date keys between which it is."""
PARTITION = "plotsim_partition"
"""Metadata of a stored table's schema: the length of its partitions, where that is not a period."""


@dataclass(frozen=True, eq=False)
class SegmentPlan:
    """A segment with the place in the roster of those who are there at the start (`first` to `first + count`), how many
    arrive per period later on average (`rate`; where it is above 0, `count` are there at the start), and its curve, which
    takes `span` periods."""

    spec: Segment
    first: int
    count: int
    address: np.uint64
    pieces: tuple[Piece, ...]
    span: int
    rate: float = 0.0


@dataclass(frozen=True, eq=False)
class MetricPlan:
    """A metric with its numbers solved.

    `means` holds, for each segment, the means at position 0 and 1. `persistence` are the weights of a shock now, one period
    ago, and so on; their squares add up to 1. A follower reads the metric at `driver`, `delay` periods ago and, with a
    decay, earlier still, with the weights of `kernel`. `latent` is the metric as its normal scores have it. `positions` are
    those that the units of each segment run through, `level_shares` the share of the values' variance that lies between
    them.
    """

    spec: Metric
    means: Floats
    quantiles: QuantileTable
    persistence: tuple[float, ...]
    driver: int | None
    kernel: tuple[float, ...]
    latent: Metric
    positions: tuple[Floats, ...]
    level_shares: tuple[float, ...]

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def delay(self) -> int:
        """Periods after which this metric reads its driver; 0 without one."""
        return self.spec.delay or 0


@dataclass(frozen=True)
class Crossing:
    """A metric beyond a level for a number of periods in a row."""

    metric: int
    above: bool
    level: float
    periods: int


@dataclass(frozen=True)
class Ending:
    """A crossing that ends a unit, and the table that records it."""

    table: str
    crossing: Crossing


@dataclass(frozen=True)
class Intercept:
    """What is solved of a column of labels: the `value` that is added to the log odds of each row, and the sample that says
    it, how many `rows` it has and the standard `error` of the rate that comes of it, rows of one unit counted together."""

    value: float
    rows: int
    error: float


@dataclass(frozen=True)
class ColumnPlan:
    """A column with its type fixed. `decimals` are those its numbers are written with as text; None: as many as they have.
    `decimal_places` are the decimals that they have at most; None: those of a double, or they are no numbers. `values` are
    all that an enum may have, `intercept` what is solved of labels. Of a column
    that comes or goes, `first_date_key` is the first date at which it is there and `stop_date_key` the first at which it is
    not: where a partition has columns of its own, it has this one only then."""

    spec: Column
    type: pa.DataType
    nullable: bool
    description: str
    decimals: int | None = None
    decimal_places: int | None = None
    values: tuple[str, ...] = ()
    intercept: Intercept | None = None
    first_date_key: int | None = None
    stop_date_key: int | None = None

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def comment(self) -> str:
        """The comment of the column: its description, and the note on personal data."""
        return comment_of(self.metadata)

    @property
    def metadata(self) -> dict[str, str]:
        """The metadata of the field in a published schema."""
        note = {"pii_note": self.spec.pii_note} if self.spec.pii_note else {}
        values = {"values": json.dumps(self.values, ensure_ascii=False)} if self.values else {}
        limits = {SINCE: self.first_date_key, UNTIL: self.stop_date_key}
        return {
            "description": self.description,
            **note,
            **values,
            **{name: str(limit) for name, limit in limits.items() if limit is not None},
        }


def made_column(
    name: str,
    type_: pa.DataType,
    description: str,
    *,
    word: str,
    nullable: bool = False,
    source: DerivedColumn | None = None,
) -> ColumnPlan:
    """Return a column that a table makes by itself; no source fills it. `word` stands in the place of its type, `source`
    answers what is asked of it (None: nothing out of the usual)."""
    return ColumnPlan(derived_column(name, word, source), type_, nullable, description)


def comment_of(metadata: Mapping[str, str]) -> str:
    """Return the comment of a column from the metadata of its field."""
    note = f"Personal data: {metadata['pii_note']}" if metadata.get("pii_note") else ""
    return f"{metadata.get('description', '')} {note}".strip()


@dataclass(frozen=True)
class TablePlan:
    """A table with its schema fixed: `key` are the columns that tell its rows apart, `time` the one that places a row in
    time (None for a table whose rows are a state), `references` maps columns to (table, column) they refer to. A table that
    shows the rows of another names it (`shown_table`), and shares its draws; `periods` (first, stop) are all it has rows of,
    None for those of the window. It is made of the units of the `population` of that name, or of none: listed tables and
    dates. `issues` are what is broken in it on purpose, with their numbers; `without_issues` is the table as it would be
    whole. `hidden` are columns that others are made of, and that are not stored."""

    spec: Table
    columns: tuple[ColumnPlan, ...]
    key: tuple[str, ...]
    time: str | None
    references: tuple[tuple[str, str, str], ...]
    description: str
    shown_table: str = ""
    periods: tuple[int, int] | None = None
    population: str = ""
    issues: tuple[tuple[int, Issue], ...] = ()
    without_issues: TablePlan | None = None
    hidden: tuple[ColumnPlan, ...] = ()

    def column(self, name: str) -> ColumnPlan:
        """Return a column by name, a hidden one too."""
        return next(column for column in self.all_columns if column.name == name)

    def holds(self, name: str) -> bool:
        """Return whether a column of that name is stored."""
        return any(column.name == name for column in self.columns)

    @property
    def all_columns(self) -> tuple[ColumnPlan, ...]:
        """Its columns, and the hidden ones that these are made of."""
        return (*self.columns, *self.hidden)

    @property
    def clean(self) -> TablePlan:
        """The table without its issues: itself if it has none."""
        return self.without_issues or self

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def kind(self) -> str:
        """The name of its kind, for texts: who wants to know something of the kind asks `spec`."""
        return self.spec.kind

    @property
    def form(self) -> str:
        """Name of the form of its kind: that of the kind, where it has but one."""
        return form_name(type(self.spec))

    @property
    def stream(self) -> str:
        """The name that its draws are addressed by."""
        return self.shown_table or self.name

    @property
    def version_columns(self) -> dict[str, str]:
        """The columns that tell versions (SCD2), by the part that each has."""
        parts = ((column.spec.source.version_part, column.name) for column in self.columns)
        return {part: name for part, name in parts if part is not None}

    @property
    def stored_metrics(self) -> dict[str, str]:
        """The metrics whose stored values it shows as they are, by the column that has them."""
        plain_columns = [c for c in self.columns if c.spec.nulls is None and c.spec.as_type is None]
        metrics = ((column.name, column.spec.source.stored_metric) for column in plain_columns)
        return {name: metric for name, metric in metrics if metric is not None}

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema of the table's rows, with the descriptions of the table and its columns as metadata."""
        fields = [pa.field(c.name, c.type, c.nullable, c.metadata) for c in self.columns]
        return pa.schema(fields, {"description": self.description})


@dataclass(frozen=True, eq=False)
class Population:
    """A kind of unit: what its units are and do, and the tables that are made of them.

    `dataset` is its part of the dataset: of the first, the whole. `stop` is the period after the last, None for an open
    window. `phases` are the periods (first, stop) in which other correlations are in force, those of `mixings[1]`,
    `mixings[2]` and so on; in all others `mixings[0]` is.

    `tables` are all that its rows may read, without issues: those that are made of its units, those of no population, and
    those of the populations in `others`, whose units its rows may refer to. A population that `is_further` has the tables of
    no population from the first.

    A dataset without units has one population, with no unit in it, of which all its tables are read.
    """

    dataset: Dataset
    grain: Grain
    first: int
    stop: int | None
    span: int
    segments: tuple[SegmentPlan, ...]
    metrics: tuple[MetricPlan, ...]
    mixings: tuple[Mixing, ...]
    phases: tuple[tuple[int, int], ...]
    endings: tuple[Ending, ...]
    tables: tuple[TablePlan, ...]
    others: tuple[Population, ...] = ()
    is_further: bool = False

    @property
    def seed(self) -> int:
        return self.dataset.seed

    @property
    def unit(self) -> str:
        """What a unit is called (`company`); no two populations share it. Empty where there are no units."""
        return self.dataset.unit

    @property
    def has_units(self) -> bool:
        """Whether it is a kind of unit, rather than what tables of a dataset without units are made of."""
        return self.dataset.has_units

    @property
    def units(self) -> int:
        """How many units there are, but for those of ongoing arrivals, who come after all others in the roster."""
        return sum(segment.count for segment in self.segments)

    @property
    def unit_tables(self) -> tuple[TablePlan, ...]:
        """The tables that are made of its units."""
        return tuple(table for table in self.tables if self.has_units and table.population == self.unit)

    @property
    def dimension(self) -> TablePlan:
        """The dimension of its units."""
        return next(table for table in self.unit_tables if table.spec.is_unit_dimension)

    def table(self, name: str) -> TablePlan:
        """Return a table by name. Raises UsageError for an unknown one."""
        return named_table(self.tables, name)

    def population_of(self, table: TablePlan) -> Population:
        """Return the population that a table is made of: this one for a table of none."""
        return next((other for other in self.others if other.unit == table.population), self)

    def phase(self, period: int) -> int:
        """Return the index in `mixings` of the mixing that is in force in a period."""
        return next((index for index, (first, stop) in enumerate(self.phases, 1) if first <= period < stop), 0)

    def metric_index(self, name: str) -> int:
        """Return the index of a metric. Raises UsageError for an unknown one."""
        for index, metric in enumerate(self.metrics):
            if metric.name == name:
                return index
        raise UsageError(f"no metric is named {name!r}; {did_you_mean(name, [m.name for m in self.metrics])}")


@dataclass(frozen=True, eq=False)
class Plan:
    """A resolved dataset: its populations and its tables. `raw` is the config as written, with seed and scale as they are
    in force; `digest` is a hash of it and of the version of the generator.

    The first of `populations` is that of the dataset's own sections, the others those of `units`. Without a window there is
    one period, number 0, which has no date. `tables` are all tables
    as they are stored, with the issues that some have on purpose. `notes` are what is to be known of a config in which
    nothing is wrong. `file` is the absolute path of the config, empty where it was none.
    """

    name: str
    dataset: Dataset
    raw: dict[str, Any]
    digest: str
    populations: tuple[Population, ...]
    tables: tuple[TablePlan, ...]
    warnings: tuple[Problem, ...]
    notes: tuple[Problem, ...] = ()
    file: str = ""

    @property
    def population(self) -> Population:
        """The first population."""
        return self.populations[0]

    @property
    def kinds(self) -> tuple[Population, ...]:
        """The populations that have units: the kinds of unit."""
        return tuple(population for population in self.populations if population.has_units)

    @property
    def has_window(self) -> bool:
        """Whether its periods have dates."""
        return self.dataset.window is not None

    @property
    def seed(self) -> int:
        return self.dataset.seed

    @property
    def grain(self) -> Grain:
        return self.population.grain

    @property
    def first(self) -> int:
        """The first period of the window."""
        return self.population.first

    @property
    def stop(self) -> int | None:
        """The period after the last, None for an open window."""
        return self.population.stop

    @property
    def span(self) -> int:
        """The number of periods that a curve takes."""
        return self.population.span

    @property
    def stop_or_span(self) -> int:
        """The period after the last; of an open window, that after its first span."""
        return self.first + self.span if self.stop is None else self.stop

    @property
    def partition(self) -> Grain:
        """The length of a partition: that of a period, or a longer one."""
        return self.dataset.partition

    @property
    def clean(self) -> Plan:
        """The plan of the same tables without their issues."""
        return replace(self, tables=tuple(table.clean for table in self.tables))

    def schema(self, table: TablePlan) -> pa.Schema:
        """Return the schema that stored rows of a table carry: its own, and what it was made from."""
        schema = table.schema
        return schema.with_metadata({**schema.metadata, **self.origin})

    @property
    def origin(self) -> dict[str, str]:
        """What data was made from, as texts: dataset, digest, seed and scale. Whatever is written carries it."""
        scale = f"{self.dataset.scale:g}"
        partition = {PARTITION: self.partition.name} if self.partition is not self.grain else {}
        origin = {"plotsim_dataset": self.name, DIGEST: self.digest, "plotsim_seed": str(self.seed), "plotsim_scale": scale}
        return {**origin, **partition}

    def table(self, name: str) -> TablePlan:
        """Return a table by name. Raises UsageError for an unknown one."""
        return named_table(self.tables, name)

    def population_of(self, table: TablePlan) -> Population:
        """Return the population that a table or stage is made of: the first for a table of none."""
        return next((other for other in self.populations if other.unit == table.population), self.population)

    def tables_of(self, population: Population) -> tuple[TablePlan, ...]:
        """Return the tables that are made of a population: those of none too, of the first."""
        return tuple(table for table in self.tables if self.population_of(table) is population)


def named_table(tables: Sequence[TablePlan], name: str) -> TablePlan:
    """Return a table by name. Raises UsageError for an unknown one."""
    for table in tables:
        if table.name == name:
            return table
    raise UsageError(f"no table is named {name!r}; {did_you_mean(name, [table.name for table in tables])}")
