"""`lookup.<table>.<column>`: the value of a column in the row that this one refers to (a join).

A line's price is its product's: `{name: unit_price, type: lookup.dim_product.price}` beside `ref.dim_product`. Detail rows
(`parent_table`) look up columns of their parent row too. In a dimension with versions (SCD2) it is the value at the row's
time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Annotated

import numpy as np
import pyarrow as pa
from pydantic import Field

from plotsim_core.columns.dependencies import decimals_in, is_circular, names_in, nullable_in, places_in, type_in
from plotsim_core.columns.earlier_rows import ancestors
from plotsim_core.columns.foreign_key import targets_of
from plotsim_core.columns.metric import metric_columns
from plotsim_core.columns.row_kind import Targets
from plotsim_core.columns.row_relations import ancestor_rows
from plotsim_core.columns.rows import Integers, Rows
from plotsim_core.columns.scd import Options as History
from plotsim_core.columns.source import Source, add_source, fill
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.model import Name, Part, pattern
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, SourceWords, Table, changing_types
from plotsim_core.config.words import capitalised, phrase
from plotsim_core.engine.tiers import bands_of
from plotsim_core.errors import Problem
from plotsim_core.families import did_you_mean
from plotsim_core.plan.plan import ColumnPlan, TablePlan

PATH = pattern(
    r"^[A-Za-z_][A-Za-z0-9_]{0,62}\.[A-Za-z_][A-Za-z0-9_]{0,62}$", "a table and a column: lookup.dim_product.price"
)


class Options(Part):
    """`of` is table.column; `by` names the reference, where there is more than one to the table."""

    of: Annotated[str, Field(pattern=PATH)]
    by: Name | None = None

    @property
    def table(self) -> str:
        """The table that is looked into."""
        return self.of.partition(".")[0]

    @property
    def column(self) -> str:
        """The column that is looked up."""
        return self.of.partition(".")[2]


def _check(options: Options, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
    declared = scope.tables.get(options.table) or scope.foreign.get(options.table)
    if declared is None:
        yield Problem("type", f"no table is named '{options.table}'", did_you_mean(options.table, list(scope.tables)))
        return
    references = [reference.name for reference in table.sourced("ref") if reference.type == f"ref.{options.table}"]
    if options.table in ancestors(table, scope):
        if options.by is not None:
            yield Problem("by", f"has no effect: a row of {table.name} belongs to one row of {options.table}")
    elif not references:
        yield Problem("type", f"{table.name} has no column of type ref.{options.table}, so it has no row to look up")
    elif options.by is not None and options.by not in references:
        hint = did_you_mean(options.by, references)
        yield Problem("by", f"{table.name} has no column '{options.by}' of type ref.{options.table}", hint)
    elif options.by is None and len(references) > 1:
        yield Problem("by", f"is missing: {table.name} refers to {options.table} more than once", f"by: {references[0]}")
    elif options.by is not None and len(references) == 1:
        yield Problem("by", f"has no effect: {table.name} refers to {options.table} only once")
    yield from _check_column(options, column, table, scope)


def _check_column(options: Options, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
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
    if target_column.word == "version":
        yield Problem("type", f"{options.table}.{options.column} is part of a version, not of a {scope.unit}")
    is_moving = "cell" not in declared.table.knows and bool(changing_types(target_column, declared.table))
    if is_moving and ("cell" not in table.knows or options.table in scope.foreign):
        yield Problem("type", f"a row of {table.name} has no period in which {options.column} could be looked up")
    if is_circular(column, table, scope):
        yield Problem("type", f"{table.name}.{column.name} depends on itself")


def _describe(options: Options, column: Column, table: Table, dataset: Dataset) -> str:
    references = [reference.name for reference in table.sourced("ref") if reference.type == f"ref.{options.table}"]
    by = options.by or (references[0] if len(references) == 1 else None)
    relation = f"that {by} refers to" if by else "that it belongs to"
    return f"{capitalised(phrase(options.column))} of the row of {options.table} {relation}."


def _reads(options: Options, table: Table) -> Iterator[tuple[str, str]]:
    yield options.table, options.column


def lookup_targets(column: ColumnPlan, table: TablePlan, rows: Rows) -> Targets:
    """Return the rows that a lookup column reads, and the position of each row's target in them."""
    options = column.spec.source
    assert isinstance(options, Options)
    plan = rows.block.plan
    target = ancestor_rows(table, rows, options.table)
    if target is not None:
        return Targets(plan.table(options.table), *target)
    references = (
        reference
        for reference in table.columns
        if reference.spec.type == f"ref.{options.table}" and options.by in (None, reference.name)
    )
    return targets_of(next(references), table, rows)


def _fill(column: ColumnPlan, table: TablePlan, rows: Rows) -> pa.Array:
    options = column.spec.source
    assert isinstance(options, Options)
    target = lookup_targets(column, table, rows)
    target_column = next(other for other in target.table.columns if other.name == options.column)
    if len(target.rows.cell) < len(target.rows) and changing_types(target_column.spec, target.table.spec):
        return fill(target_column, target.table, _rows_at_time(target, rows))
    if target.table.spec.has_keyed_rows and bool(np.all(target.places >= 0)):  # only the rows referred to
        row_indexes, positions = np.unique(target.places, return_inverse=True)
        target = Targets(target.table, target.rows.taken(row_indexes), positions)
    return target.values(target_column)


def _rows_at_time(target: Targets, rows: Rows) -> Rows:
    """Return the target rows as of the time of the rows that refer to them."""
    block = rows.block
    target_rows = replace(target.rows.taken(target.places), block=block, unit=rows.unit, cell=rows.cell)
    histories = target.table.spec.sourced("scd")
    return replace(target_rows, band=_band(histories[0].source, rows)) if histories else target_rows


def _band(history: Part, rows: Rows) -> Integers:
    """Return the band of each row's unit at the row's time."""
    assert isinstance(history, History)
    return bands_of(rows.block, rows.block.plan.metric_index(history.tracks), history.at).ravel()[rows.cell]


def _nullable(options: Options, dataset: Dataset) -> bool:
    """Nulls come from the column, and from references without a target."""
    return nullable_in(options.table, options.column, dataset) or any(
        nullable_in(table.name, reference.name, dataset)
        for table in dataset.tables
        if any(source_column.source is options for source_column in table.columns)
        for reference in table.sourced("ref")
        if reference.type == f"ref.{options.table}"
    )


add_source(
    "lookup",
    SourceWords(
        options=Options,
        arrow=lambda options, column, dataset: type_in(options.table, options.column, dataset),
        example="lookup.dim_product.price",
        argument="of",
        check=_check,
        nullable=_nullable,
        describe=_describe,
        decimals=lambda options, dataset: decimals_in(options.table, options.column, dataset),
        places=lambda options, dataset: places_in(options.table, options.column, dataset),
        reads=_reads,
    ),
    Source(_fill),
)
