"""`lookup.<table>.<column>`: the value of a column in the row that this one refers to (a join).

A line's price is its product's: `{name: unit_price, type: lookup.dim_product.price}` beside `ref.dim_product`. Detail rows
(`parent_table`) look up columns of their parent row too. In a dimension with versions (SCD2) it is the value at the row's
time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
from pydantic import Field

from plotsim_core.arrow import ArrowArray, taken
from plotsim_core.columns.dependencies import (
    circle_of,
    column_in,
    decimal_places_in,
    decimals_in,
    names_in,
    nullable_in,
    type_in,
)
from plotsim_core.columns.earlier_rows import ancestors
from plotsim_core.columns.metric import metric_columns
from plotsim_core.columns.roads import targets_of
from plotsim_core.columns.row_kind import Targets
from plotsim_core.columns.row_relations import ancestor_rows
from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import ColumnSource, add_source, fill
from plotsim_core.config.column_source import History, LookupPath, Origin
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.model import Name, pattern
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, Table, changing_sources
from plotsim_core.config.words import capitalised, phrase
from plotsim_core.engine.tiers import bands_of
from plotsim_core.errors import Problem
from plotsim_core.families import did_you_mean
from plotsim_core.numerics.arrays import Integers
from plotsim_core.plan.plan import ColumnPlan, TablePlan

PATH = pattern(r"^[A-Za-z_][A-Za-z0-9_]{0,62}\.[A-Za-z_][A-Za-z0-9_]{0,62}$", "a table and a column: dim_product.price")


@add_source
class Lookup(ColumnSource):
    """`of` is table.column; `by` names the reference, where there is more than one to the table."""

    word = "lookup"
    in_cases = True
    example = "lookup.dim_product.price"
    in_texts = True
    argument = "of"

    of: Annotated[str, Field(pattern=PATH)]
    """Table.column."""
    by: Name | None = None
    """The reference that leads to the row, where there is more than one to the table."""

    @property
    def table(self) -> str:
        """The table that is looked into."""
        return self.of.partition(".")[0]

    @property
    def column(self) -> str:
        """The column that is looked up."""
        return self.of.partition(".")[2]

    def arrow_type(self, column: Column, dataset: Dataset) -> pa.DataType:
        return type_in(self.table, self.column, dataset)

    def check(self, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
        declared = scope.tables.get(self.table) or scope.foreign.get(self.table)
        references = [reference.name for reference in table.references_to(self.table)]
        if declared is None:
            if not references:  # else it is told at the reference
                yield from scope.unknown_table(self.table, "type")
            return
        references += [name for name in table.made_references(self.table, scope) if name not in references]
        if self.table in ancestors(table, scope):
            if self.by is not None:
                yield Problem("by", f"has no effect: a row of {table.name} belongs to one row of {self.table}")
        elif not references:
            message = f"{table.name} has no column of type ref.{self.table}, so it has no row to look up"
            yield Problem("type", message, f"add a column of type ref.{self.table}")
        elif self.by is not None and self.by not in references:
            hint = did_you_mean(self.by, references)
            yield Problem("by", f"{table.name} has no column '{self.by}' of type ref.{self.table}", hint)
        elif self.by is None and len(references) > 1:
            yield Problem("by", f"is missing: {table.name} refers to {self.table} more than once", f"by: {references[0]}")
        elif self.by is not None and len(references) == 1:
            yield Problem("by", f"has no effect: {table.name} refers to {self.table} only once")
        yield from _check_column(self, column, table, scope)

    def describe(self, column: Column, table: Table, dataset: Dataset) -> str:
        references = [column.name for column in table.references_to(self.table) if column.name not in table.added_keys]
        by = self.by or (references[0] if len(references) == 1 else None)
        relation = f"that {by} refers to" if by else "that it belongs to"
        return f"{capitalised(phrase(self.column))} of the row of {self.table} {relation}."

    def is_nullable(self, column: Column, dataset: Dataset) -> bool:
        """Nulls come from the column, and from references without a target."""
        return nullable_in(self.table, self.column, dataset) or any(
            nullable_in(table.name, reference.name, dataset)
            for table in dataset.all_tables
            if any(source_column.source.holds(self) for source_column in table.columns)
            for reference in table.references_to(self.table)
        )

    def text_decimals(self, dataset: Dataset) -> int | None:
        return decimals_in(self.table, self.column, dataset)

    def decimal_places(self, dataset: Dataset) -> int | None:
        return decimal_places_in(self.table, self.column, dataset)

    def reads(self, table: Table) -> Iterable[Origin]:
        yield self.table, self.column

    @property
    def lookup_path(self) -> LookupPath:
        return LookupPath(self.table, self.column, self.by)

    def possible_values(self, table: Table, scope: Scope) -> list[Any] | None:
        declared = scope.tables.get(self.table)
        target_table = declared.table if declared is not None and declared.table and declared.table.is_listed else None
        columns = (other.source for other in (target_table.columns if target_table else ()) if other.name == self.column)
        return next((source.row_values() for source in columns if not source.is_key), None)

    def listed_texts(self, dataset: Dataset) -> list[str]:
        column, kind = column_in(self.table, self.column, dataset)
        return column.source.listed_texts(kind)

    def fill(self, column: ColumnPlan, table: TablePlan, rows: Rows) -> ArrowArray:
        target = self._targets(table, rows)
        target_column = target.table.column(self.column)
        if len(target.rows.cell) < len(target.rows) and changing_sources(target_column.spec, target.table.spec):
            values = fill(target_column, target.table, _rows_at_time(target, rows))
            return taken(values, np.arange(len(rows), dtype=np.int64), target.positions < 0)
        if target.table.spec.has_keyed_rows and bool(np.all(target.positions >= 0)):  # only the rows referred to
            row_indexes, positions = np.unique(target.positions, return_inverse=True)
            target = Targets(target.table, target.rows.take(row_indexes), positions)
        return target.values(target_column)

    def _targets(self, table: TablePlan, rows: Rows) -> Targets:
        """Return the rows that are looked into, and the position of each row's target in them."""
        target = ancestor_rows(table, rows, self.table)
        if target is not None:
            return Targets(rows.block.population.table(self.table), *target)
        references = (
            reference
            for reference in table.all_columns
            if reference.spec.source.target_name == self.table and self.by in (None, reference.name)
        )
        return targets_of(next(references), table, rows)


def _check_column(options: Lookup, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
    declared = scope.tables.get(options.table) or scope.foreign[options.table]
    if options.column not in names_in(declared):
        hint = did_you_mean(options.column, names_in(declared))
        yield Problem("type", f"{options.table} has no column '{options.column}'", hint)
        return
    if declared.table is None:
        return
    target_column = next(
        other for other in (*declared.table.columns, *metric_columns(declared.table)) if other.name == options.column
    )
    if target_column.source.version_part is not None:
        yield Problem("type", f"{options.table}.{options.column} is part of a version, not of a {scope.unit}")
    is_moving = "cell" not in declared.table.knows and bool(changing_sources(target_column, declared.table))
    if is_moving and options.table in scope.foreign:
        message = f"{options.table}.{options.column} changes with time, and {options.table} is of another kind of unit"
        yield Problem("type", message, "look up a column that stays as it is")
    elif is_moving and "cell" not in table.knows:
        yield Problem("type", f"a row of {table.name} has no period in which {options.column} could be looked up")
    if circle := circle_of(column, table, scope):
        yield Problem("type", circle)


def _rows_at_time(target: Targets, rows: Rows) -> Rows:
    """Return the target rows as of the time of the rows that refer to them."""
    block = rows.block
    target_rows = replace(target.rows.take(target.positions), block=block, unit=rows.unit, cell=rows.cell)
    history = target.table.spec.history
    return replace(target_rows, band=_bands(history, rows)) if history is not None else target_rows


def _bands(history: History, rows: Rows) -> Integers:
    """Return the band of each row's unit at the row's time."""
    return bands_of(rows.block, rows.block.population.metric_index(history.tracks), history.at).ravel()[rows.cell]
