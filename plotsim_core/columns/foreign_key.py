"""`ref.<dimension>`: a foreign key, the key of a row of a dimension, recomputed rather than looked up.

To the date dimension: the row's period. To the unit's dimension: the row's unit. To a dimension of the unit's children:
one of this unit's children. To the dimension of another kind of unit: one that lives in the row's period, in
proportion to its size. To a listed dimension: any row, or with `matching: {plan_name: plan}` one whose
`plan_name` equals the `plan` of the row's unit, which is constant or a tier. To a fact or event with keys: an earlier row
of the same unit. A detail row (`parent_table`) has the target of its parent row where both have a column of one name and
type. `roads.py` lists which of these is tried when.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated

import numpy as np
import pyarrow as pa
from pydantic import Field

from plotsim_core.arrow import ArrowArray
from plotsim_core.columns.earlier_rows import WITHIN, check_row_reference, is_row
from plotsim_core.columns.matching import check_matching
from plotsim_core.columns.popularity import Popularity, check_popularity
from plotsim_core.columns.primary_key import key_column
from plotsim_core.columns.roads import targets_of
from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import ColumnSource, add_source
from plotsim_core.config.column_source import History, Origin
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.model import Name
from plotsim_core.config.scope import Scope
from plotsim_core.config.segments import OngoingArrival, Segment
from plotsim_core.config.tables import Column, Table, may_be_null, row_noun
from plotsim_core.config.words import enumeration, phrase
from plotsim_core.errors import Problem
from plotsim_core.numerics.arrays import Integers
from plotsim_core.numerics.random import choose, key
from plotsim_core.plan.plan import ColumnPlan, Population, TablePlan


@add_source
class Reference(Popularity, ColumnSource):
    """`table` is the table; `matching` ties a listed dimension to a column of the unit's; `within` is how many
    periods back a fact or event may lie."""

    word = "ref"
    example = "ref.dim_company"
    argument = "table"
    is_drifting = False

    table: Name
    """The table."""
    matching: dict[Name, Name] | None = None
    """The column of the unit's dimension that each column of a listed dimension agrees with."""
    within: Annotated[int, Field(ge=0, le=1000, strict=True)] | None = None
    """How many periods back a fact or event may lie."""

    def arrow_type(self, column: Column, dataset: Dataset) -> pa.DataType:
        id_column = key_column(referenced_table(self.table, dataset))
        if id_column is None:
            return pa.string()
        return id_column.source.arrow_type(id_column, _kind_of(self.table, dataset))

    def check(self, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
        if is_row(self.table, scope):
            if self.matching is not None:
                yield Problem("matching", f"{self.table} is not a reference dimension")
            yield from check_row_reference(self.table, self.within, column, table, scope)
            yield from check_popularity(self, self.table, (), None)
            return
        if self.within is not None:
            yield Problem("within", f"has no effect: {self.table} is no fact or event whose rows have a moment")
        problems = scope.unknown_table(self.table, "type")
        yield from problems
        if self.table in scope.foreign:
            if "period" not in table.knows:
                yield Problem("type", f"a row of {table.name} has no period in which there could be one of {self.table}")
            if self.matching is not None:
                yield Problem("matching", f"{self.table} is not a reference dimension")
            yield from check_popularity(self, self.table, (), None)
            return
        declared = scope.tables.get(self.table)
        target = declared.table if declared is not None else None
        if problems or target is None:
            return
        if target is table:
            yield Problem("type", f"{table.name} refers to itself")
        if target.is_date_dimension and "period" not in table.knows:
            yield Problem("type", f"a row of {table.name} has no period that {self.table} could give the date of")
        hourly = scope.window is None or scope.window.grain.name == "hour"
        if target.is_time_dimension and "event" not in table.knows and not (hourly and "period" in table.knows):
            yield Problem("type", f"a row of {table.name} has no moment that {self.table} could give the time of day of")
        if target.is_of_units and "unit" not in table.knows:
            yield Problem("type", f"a row of {table.name} has no {scope.unit} that it could refer to")
        if self.matching is not None:
            yield from check_matching(self.matching, column, table, target, scope)
            for name in self.option_names:
                yield Problem(name, "has no effect: `matching` says which row is referred to")
        else:
            yield from check_popularity(self, target.name, target.popularity, target)

    def describe(self, column: Column, table: Table, dataset: Dataset) -> str:
        target_table = referenced_table(self.table, dataset)
        noun = dataset.window.grain.name if target_table.is_date_dimension else row_noun(target_table)
        pairs = [
            f"its {target_name} is the {phrase(dataset.unit)}'s {source_name}"
            for target_name, source_name in (self.matching or {}).items()
        ]
        return f"Key of the {noun} in {self.table}{f': {enumeration(pairs)}' if pairs else ''}."

    def is_nullable(self, column: Column, dataset: Dataset) -> bool:
        """Nulls come from a parent row's null, from a matched column with nulls, and from periods in which no unit of
        another kind lives."""
        if any(may_be_null(column, dataset) for column in _parent_columns(self, dataset)):
            return True
        if self.matching is not None:
            source_name = next(iter(self.matching.values()))
            units = (dimension for dimension in dataset.dimensions if dimension.is_unit_dimension)
            unit_columns = (other for table in units for other in table.columns if other.name == source_name)
            return any(may_be_null(other, dataset) for other in unit_columns)
        kinds = [kind for kind in dataset.units if any(table.name == self.table for table in kind.dimensions)]
        table_names = {table.name for table in dataset.tables}
        return self.table not in table_names and any(
            all(_may_be_empty(segment) for segment in kind.segments)
            or any(event.ending() is not None for event in kind.events)
            for kind in kinds
        )

    def target(self, dataset: Dataset) -> Origin | None:
        table = referenced_table(self.table, dataset)
        id_column = key_column(table)
        return table.name, id_column.name if id_column is not None else ""

    @property
    def target_name(self) -> str:
        return self.table

    @property
    def matched_columns(self) -> Mapping[str, str]:
        return self.matching or {}

    @property
    def look_back(self) -> int:
        return WITHIN if self.within is None else self.within

    def stored_bytes(self, type_: pa.DataType) -> float:
        return 0.8 if type_ == pa.string() else 0.02

    def fill(self, column: ColumnPlan, table: TablePlan, rows: Rows) -> ArrowArray:
        target = targets_of(column, table, rows)
        id_column = next(column for column in target.table.columns if column.spec.source.is_key)
        return target.values(id_column)


def referenced_table(name: str, dataset: Dataset) -> Table:
    """Return the table of that name."""
    tables = [table for kind in (dataset, *dataset.units) for table in kind.tables]
    return next(table for table in tables if table.name == name)


def child_counts(population: Population, table: Table, unit_address: np.ndarray) -> Integers:
    """Return the number of rows of each unit in a dimension of units or of their children."""
    low, high = table.per_unit
    counts: Integers = low + choose(key(population.seed, "children", table.name), unit_address, high - low + 1)
    return counts


def history_dimension(dataset: Dataset) -> tuple[Table, History] | None:
    """Return the unit dimension and its history (SCD2), if it has one."""
    pairs = ((table, table.history) for table in dataset.dimensions)
    return next(((table, history) for table, history in pairs if history is not None), None)


def _kind_of(name: str, dataset: Dataset) -> Dataset:
    """Return the kind of unit that has a table: the dataset itself, or one of its units."""
    return next(kind for kind in (dataset, *dataset.units) if any(table.name == name for table in kind.tables))


def _parent_columns(options: Reference, dataset: Dataset) -> list[Column]:
    """Return the columns that a reference is copied from: those of its name and type in the parent table."""
    parents = [(parent, other) for parent, table in dataset.belonging for other in table.columns if other.source is options]
    return [
        other
        for parent, column in parents
        for other in parent.columns
        if (other.name, other.type) == (column.name, column.type)
    ]


def _may_be_empty(segment: Segment) -> bool:
    """Return whether a segment may have no living unit at some time."""
    return segment.tenure is not None or not (segment.arrival is None or isinstance(segment.arrival, OngoingArrival))


def reference_of(column: ColumnPlan) -> Reference:
    """Return the options of a reference. Raises TypeError for another column."""
    if not isinstance(column.spec.source, Reference):
        raise TypeError(f"{column.name} is no reference")
    return column.spec.source
