"""`total.<table>.<column>`: the sum of a column over the detail rows of a row; `count.<table>`: the number of these rows. An
order's total is the sum of its lines.

Nulls are left out, and where there are no rows the sum is zero. Numbers of up to six decimals are added as whole units of
the last one, so their sum is exact, up to 2^53 units; others in the order of the rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from plotsim_core.columns.decimals import Integers, decimal_array, units_of
from plotsim_core.columns.dependencies import decimals_in, is_circular, names_in, noun_of, places_in, type_in
from plotsim_core.columns.lookup import PATH
from plotsim_core.columns.row_relations import rows_of_parents
from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import Source, add_source, fill
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.model import Name, Part
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, SourceWords, Table, is_number
from plotsim_core.errors import Problem
from plotsim_core.families import did_you_mean
from plotsim_core.numerics.decimals import EXACT, PRECISION
from plotsim_core.numerics.random import Floats
from plotsim_core.plan.plan import ColumnPlan, TablePlan

_DECIMALS = 6
"""Most decimals of columns that are added exactly; sums of other columns are rounded to them."""


class Options(Part):
    """`of` is the detail table and its column."""

    of: Annotated[str, Field(pattern=PATH)]

    @property
    def table(self) -> str:
        """The detail table."""
        return self.of.partition(".")[0]

    @property
    def column(self) -> str:
        """The column that is added up."""
        return self.of.partition(".")[2]


class Count(Part):
    """`table` is the detail table."""

    table: Name


def _check_table(name: str, table: Table, scope: Scope) -> Iterable[Problem]:
    detail_names = [
        other
        for other, declared in scope.tables.items()
        if declared.table is not None and declared.table.parent_name == table.name
    ]
    declared = scope.tables.get(name)
    if declared is None or (declared.table is not None and name not in detail_names):
        hint = did_you_mean(name, detail_names) if detail_names else f"a table has them that says parent_table: {table.name}"
        yield Problem("type", f"no rows of a table '{name}' belong to rows of {table.name}", hint)


def _check(options: Options, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
    problems = list(_check_table(options.table, table, scope))
    yield from problems
    declared = scope.tables.get(options.table)
    if problems or declared is None:
        return
    if options.column not in names_in(declared):
        hint = did_you_mean(options.column, names_in(declared))
        yield Problem("type", f"{options.table} has no column '{options.column}'", hint)
    elif is_circular(column, table, scope):
        yield Problem("type", f"{table.name}.{column.name} depends on itself")


def _check_count(options: Count, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
    return _check_table(options.table, table, scope)


def _problems(options: Options, table: Table, dataset: Dataset) -> Iterable[Problem]:
    type_ = type_in(options.table, options.column, dataset)
    if not is_number(type_):
        yield Problem("type", f"cannot add up {options.of}: it is {noun_of(type_)}")


def _reads(options: Options, table: Table) -> Iterator[tuple[str, str]]:
    yield options.table, options.column


def _detail_rows(name: str, rows: Rows) -> tuple[TablePlan, Rows]:
    """Return (table, detail rows) of rows, by the name of the detail table."""
    table = rows.block.plan.table(name)
    return table, rows_of_parents(table, rows)  # not cached: a cycle of references between rows would outlive its use


def _fill(column: ColumnPlan, table: TablePlan, rows: Rows) -> pa.Array:
    options = column.spec.source
    assert isinstance(options, Options)
    detail_table, detail_rows = _detail_rows(options.table, rows)
    target_column = next(other for other in detail_table.columns if other.name == options.column)
    detail_values = fill(target_column, detail_table, detail_rows)
    if pa.types.is_decimal(column.type):
        units = units_of(detail_values)
        if np.any(_magnitudes(units, detail_rows.owner, len(rows)) >= 10.0**PRECISION):
            raise OverflowError
        return decimal_array(_sums(units, detail_rows.owner, len(rows)), column.type.scale)
    values = pc.fill_null(detail_values, 0).to_numpy(zero_copy_only=False)
    if column.type == pa.int64():
        return pa.array(_sums(values, detail_rows.owner, len(rows)))
    # bincount adds in sequence, so a row's sum does not depend on other rows; without values it gives integers
    sums = np.bincount(detail_rows.owner, values, minlength=len(rows)).astype(np.float64).round(_DECIMALS)
    if target_column.places is not None and target_column.places <= _DECIMALS:
        scaled = np.rint(values * 10.0**target_column.places)
        is_exact = _magnitudes(scaled, detail_rows.owner, len(rows)) < EXACT
        units = np.where(is_exact[detail_rows.owner], scaled, 0.0).astype(np.int64)
        sums = np.where(is_exact, _sums(units, detail_rows.owner, len(rows)) / 10.0**target_column.places, sums)
    return pa.array(sums)


def _magnitudes(values: Integers | Floats, owner: Integers, count: int) -> Floats:
    """Return the sums of absolute values by owner, an upper bound of the sums."""
    return np.bincount(owner, np.abs(values.astype(np.float64)), minlength=count).astype(np.float64)


def _sums(values: Integers, owner: Integers, count: int) -> Integers:
    """Return the sums of integers by owner."""
    sums = np.zeros(count, dtype=np.int64)
    np.add.at(sums, owner, values)
    return sums


def _fill_count(column: ColumnPlan, table: TablePlan, rows: Rows) -> pa.Array:
    options = column.spec.source
    assert isinstance(options, Count)
    _, detail_rows = _detail_rows(options.table, rows)
    return pa.array(np.bincount(detail_rows.owner, minlength=len(rows)).astype(np.int64))


add_source(
    "total",
    SourceWords(
        options=Options,
        arrow=lambda options, column, dataset: type_in(options.table, options.column, dataset),
        example="total.fct_lines.amount",
        argument="of",
        needs=frozenset({"cell"}),
        check=_check,
        describe=lambda options, column, table, dataset: (
            f"Sum of {options.column} over the rows of {options.table} that belong to the row."
        ),
        decimals=lambda options, dataset: decimals_in(options.table, options.column, dataset),
        places=lambda options, dataset: places_in(options.table, options.column, dataset),
        reads=_reads,
        wrong=_problems,
    ),
    Source(_fill),
)
add_source(
    "count",
    SourceWords(
        options=Count,
        arrow=lambda options, column, dataset: pa.int64(),
        example="count.fct_lines",
        argument="table",
        needs=frozenset({"cell"}),
        check=_check_count,
        describe=lambda options, column, table, dataset: f"Number of rows of {options.table} that belong to the row.",
    ),
    Source(_fill_count),
)
