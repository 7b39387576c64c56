"""A fact: one row per unit and period, while the unit is there. And what facts of every kind say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np

from plotsim_core.columns.cdc import change_columns
from plotsim_core.columns.metric import metric_columns
from plotsim_core.columns.rows import Rows
from plotsim_core.columns.stage import stage_column
from plotsim_core.columns.version import ROW_ID
from plotsim_core.config.absent_words import MOMENT_OF_UNITS, Absence
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.model import Flag, Name
from plotsim_core.config.read_columns import column
from plotsim_core.config.scope import Scope
from plotsim_core.config.star_schema import DATE_DIMENSION
from plotsim_core.config.table_kind import Knowledge, Section
from plotsim_core.config.table_shape import CELL, Shape, Spelling, spelled
from plotsim_core.config.tables import Column, Table
from plotsim_core.config.words import capitalised, enumeration, phrase
from plotsim_core.engine.block import Block
from plotsim_core.engine.lifetimes import recording
from plotsim_core.errors import Problem
from plotsim_core.numerics.arrays import Flags
from plotsim_core.plan.plan import TablePlan
from plotsim_core.tables.kind import TableKind, add_kind


class AnyFact(TableKind):
    """What facts of every kind say: `metrics` that get a column by themselves where they have none, and with `cdc` when each
    row was written and why."""

    section: ClassVar[Section] = "facts"
    may_get_stage: ClassVar[bool] = True

    metrics: tuple[Name, ...] = ()
    """Metrics that get a column by themselves where they have none."""
    cdc: Flag = False
    """Whether columns say when each row was written, and why."""

    @property
    def listed_metrics(self) -> tuple[str, ...]:
        return self.metrics

    def added_columns(self, dataset: Dataset) -> tuple[Column, ...]:
        """Return columns of metrics, of the unit's version, of its stage, of changes."""
        has_unit = "unit" in self.knows
        unit_columns = (*version_column(self, dataset), *stage_column(self, dataset)) if has_unit else ()
        return (*metric_columns(self), *unit_columns, *(change_columns(self) if self.cdc else ()))

    def check(self, scope: Scope) -> Iterable[Problem]:
        for index, name in enumerate(self.metrics):
            yield from scope.unknown_metric(name, f"metrics[{index}]")

    def measured_metrics(self) -> str:
        """Return what its rows hold, in words: the metrics that it has columns of."""
        shown_columns = [column for column in self.columns if not column.hidden]
        shown_metrics = (column.source.shown_metric for column in shown_columns)
        names = list(dict.fromkeys([*(name for name in shown_metrics if name is not None), *self.metrics]))
        nouns = [phrase(name) for name in names]
        nouns = nouns or [phrase(column.name) for column in shown_columns if column.source.target_name is None]
        return capitalised(enumeration(nouns)) or "Presence"


@add_kind
class Fact(AnyFact):
    """One row per unit and period."""

    kind: ClassVar[str] = "fact"
    knows: ClassVar[frozenset[Knowledge]] = frozenset({"unit", "period", "cell", "metrics", "key"})
    is_per_cell: ClassVar[bool] = True
    shape_words: ClassVar[tuple[str, ...]] = ("per", "rows")
    absent: ClassVar[Mapping[str, Absence]] = {
        "when": MOMENT_OF_UNITS,
        "where": Absence("has no place here: there is a row for each period", "write rows: 1, of which some are kept"),
    }
    has_rows_each_period: ClassVar[bool] = True

    @classmethod
    def recognise(cls, raw: Mapping[str, Any], unit: str) -> bool:
        return cls.is_otherwise_unknown(raw, unit)

    @classmethod
    def of_shape(cls, shape: Shape) -> Spelling | None:
        return spelled(shape) if shape.per == CELL and shape.has_one_row_each else None

    def key_columns(self, dataset: Dataset) -> tuple[str, ...]:
        return reference_to(dataset.unit_dimension, self), reference_to(dataset.date_dimension, self)

    def describe(self, dataset: Dataset) -> str:
        subject = f"{self.measured_metrics()} of each {phrase(dataset.unit)}"
        return f"{subject}, one row per {phrase(dataset.unit)} and {dataset.grain.noun}."

    def check(self, scope: Scope) -> Iterable[Problem]:
        yield from needs_references(self, scope)
        yield from super().check(scope)

    def rows_in(self, table: TablePlan, block: Block) -> Rows:
        return rows_of_cells(block, recording(block))


def rows_of_cells(block: Block, mask: Flags) -> Rows:
    """Return a row for each cell in a `mask`, shape (periods, units)."""
    cell = np.flatnonzero(mask.ravel())
    period, unit = np.divmod(cell, len(block.units))
    return Rows(block=block, address=block.address.ravel()[cell], unit=unit, period=block.periods[period], cell=cell)


def needs_references(table: Table, scope: Scope) -> Iterable[Problem]:
    """Yield a problem for each of the unit's and the date's dimension that a table per unit and period lacks."""
    targets = {column.source.target_name for column in table.columns} - {None}
    if any(scope.unknown_table(name) for name in targets if name is not None and name not in scope.tables):
        return  # probably the one that would be missing here
    units, dates = scope.unit_dimension, scope.date_dimension
    for dimension, alternative in ((units, None), (dates, DATE_DIMENSION)):
        if dimension is not None and targets.isdisjoint({dimension.name, alternative}):
            message = f"{table.name} has rows per {scope.unit} and period, so it needs a column of type ref.{dimension.name}"
            yield Problem("columns", message)


def reference_to(dimension: Table, table: Table) -> str:
    """Return the name of a table's column that refers to a dimension."""
    return next(column.name for column in table.references_to(dimension.name))


def version_column(table: Table, dataset: Dataset) -> tuple[Column, ...]:
    """Return the column that ties rows to the version of the unit that was valid at the time, if there are versions."""
    has_versions = any(dimension.history is not None for dimension in dataset.all_dimensions)
    if not has_versions or any(existing.source.version_part == "row_id" for existing in table.columns):
        return ()
    return (column(ROW_ID, "version.row_id"),)
