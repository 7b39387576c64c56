"""The members of a dimension and the state of their rows by period: snapshots, change logs and expected states are made
of them. A source system has a unit from the period in which it arrives to the last of its life.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field

from plotsim_core.arrow import ArrowArray
from plotsim_core.columns.primary_key import key_column
from plotsim_core.columns.row_relations import child_counts
from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import fill
from plotsim_core.config.model import Name
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, Table, changing_sources
from plotsim_core.engine.block import Block, block
from plotsim_core.engine.lifetimes import alive
from plotsim_core.engine.roster import Units
from plotsim_core.engine.slice import Slice
from plotsim_core.engine.tiers import bands_of
from plotsim_core.errors import Problem
from plotsim_core.numerics.arrays import Floats, Integers
from plotsim_core.plan.plan import ColumnPlan, Population, TablePlan
from plotsim_core.tables.estimate import remaining_share
from plotsim_core.tables.estimate_sample import Sample
from plotsim_core.tables.kind import table_kind


def _no_columns(columns: Any) -> Any:
    if columns:
        raise ValueError("has no effect: the columns come by themselves, from the dimension")
    return columns


NoColumns = Annotated[tuple[Column, ...], Field(max_length=0), BeforeValidator(_no_columns)]
"""The columns of a table that shows a dimension: none are written."""


def columns_of(dimension: TablePlan) -> tuple[ColumnPlan, ...]:
    """Return the columns of a dimension that are the state of a row: all but those of versions."""
    return tuple(column for column in dimension.columns if column.spec.source.version_part is None)


def changing_columns(dimension: TablePlan) -> tuple[ColumnPlan, ...]:
    """Return the columns whose value of one row changes with time."""
    return tuple(column for column in columns_of(dimension) if changing_sources(column.spec, dimension.spec))


def key_of(dimension: TablePlan) -> ColumnPlan:
    """Return the key column of a dimension: the business key, in an SCD2 history too, where it tells units apart."""
    key = key_column(dimension.spec)
    return next(column for column in dimension.columns if column.spec is key)


def shown_dimension(population: Population, table: TablePlan, slice_: Slice) -> tuple[TablePlan, Slice]:
    """Return (dimension, slice of its rows) of a table that shows a dimension."""
    dimension = population.table(table.shown_table)
    return dimension, replace(slice_, unit_first=0, unit_stop=1) if not dimension.spec.is_of_units else slice_


def members(dimension: TablePlan, block: Block) -> Rows:
    """Return a row for everything of a block that has come by its end, however long it stays."""
    if not dimension.spec.is_unit_dimension:
        return table_kind(dimension).rows_in(dimension, block)
    unit = np.flatnonzero(block.units.arrival < block.slice.stop)
    return Rows(block=block, address=block.units.address[unit], unit=unit, period=block.units.arrival[unit])


def presence(rows: Rows) -> NDArray[np.bool_]:
    """Return which members are present at the end of each period of their block, shape (periods, members)."""
    if len(rows.unit) == len(rows):
        return alive(rows.block)[:, rows.unit]
    return np.ones((len(rows.block.periods), len(rows)), dtype=np.bool_)


def dimension_states(dimension: TablePlan, member_rows: Rows, period_index: Integers, member: Integers) -> Rows:
    """Return the rows of members `member` as they stand at the end of the periods `period_index` (indices in the block)."""
    block, rows = member_rows.block, member_rows.take(member)
    if len(member_rows.unit) < len(member_rows):
        return rows
    history = dimension.spec.history
    band = rows.band
    if history is not None:
        band = bands_of(block, block.population.metric_index(history.tracks), history.at)[period_index, rows.unit]
    return replace(rows, version_stop=block.periods[period_index] + 1, band=band)


def state_rows(population: Population, dimension: TablePlan, part: Slice) -> tuple[Integers, list[ArrowArray]]:
    """Return the rows at the end of each period of a slice: the index of each row's period, and the columns."""
    member_rows = members(dimension, block(population, part))
    period_index, member = np.nonzero(presence(member_rows))
    rows, moving_columns, member_index = (
        dimension_states(dimension, member_rows, period_index, member),
        changing_columns(dimension),
        member,
    )
    columns = columns_of(dimension)
    return period_index, [
        fill(c, dimension, rows) if c in moving_columns else fill(c, dimension, member_rows).take(member_index)
        for c in columns
    ]


def expected_members(dimension: TablePlan, sample: Sample) -> Floats:
    """Return about how many members there are at the end of each of a sample's periods."""
    if not dimension.spec.is_of_units:
        return table_kind(dimension).expect(dimension, sample)

    def member_counts(units: Units) -> Floats:
        rows_per_unit = child_counts(sample.population, dimension.spec, units)
        counts: Floats = np.multiply(sample.is_present(units), rows_per_unit, dtype=np.float64)
        return counts

    return sample.total(member_counts) * remaining_share(sample)


def check_dimension(
    field: str,
    name: Name,
    reserved: Callable[[tuple[str, ...], str], Iterable[str]],
    scope: Scope,
    is_changing: bool = False,
) -> Iterable[Problem]:
    """Yield problems of a table that shows the dimension `name`: of units, of their children or, unless it has to be
    `is_changing`, listed; and without a column of its own whose name `reserved(columns, key)` lists."""

    def is_shown(kind: type[Table] | None) -> bool:
        return kind is not None and (kind.is_of_units or (kind.is_listed and not is_changing))

    problems = scope.unknown_table(name, field)
    yield from problems
    if not problems and name in scope.foreign:
        yield Problem(field, f"{name} is a dimension of another kind of unit", "write this table beside it, under `units`")
    declared = scope.tables.get(name)
    if problems or declared is None or declared.kind is None or declared.table is None:
        return
    if not declared.is_dimension:
        return
    if not is_shown(declared.kind):
        candidates = [table.name for table in scope.tables.values() if is_shown(table.kind)]
        message = f"{name} is no dimension that changes with time: rows never leave it and stay what they are"
        yield Problem(field, message, f"name one of {', '.join(candidates)}" if candidates else "")
    key = key_column(declared.table)
    if key is None:
        yield Problem(field, f"the rows of {name} have no key of their own", "give them a column of type id")
    for column_name in reserved(declared.columns, key.name if key is not None else ""):
        yield Problem(
            field, f"{name} has a column '{column_name}', which this table gets by itself", "give that one another name"
        )
