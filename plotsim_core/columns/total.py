"""`total.<table>.<column>`: the sum of a column over the detail rows of a row; `count.<table>`: the number of these rows. An
order's total is the sum of its lines.

Nulls are left out, and where there are no rows the sum is zero. Numbers of up to six decimals are added as whole units of
the last one, so their sum is exact, up to 2^53 units; others in the order of the rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import numpy as np
import pyarrow as pa
from pydantic import Field

from plotsim_core.arrow import ArrowArray
from plotsim_core.columns.decimals import decimal_array, units_of, widest
from plotsim_core.columns.dependencies import circle_of, decimal_places_in, decimals_in, names_in, type_in
from plotsim_core.columns.kept_rows import kept_rows
from plotsim_core.columns.lookup import PATH
from plotsim_core.columns.row_relations import rows_of_parents
from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import ColumnSource, add_source, fill
from plotsim_core.config.column_source import Origin
from plotsim_core.config.conversions import noun_of
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.model import Name
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, Table, is_number
from plotsim_core.errors import Problem
from plotsim_core.families import did_you_mean
from plotsim_core.numerics.arrays import Floats, Integers
from plotsim_core.numerics.decimals import EXACT, PRECISION
from plotsim_core.plan.plan import ColumnPlan, TablePlan

_DECIMALS = 6
"""Most decimals of columns that are added exactly; sums of other columns are rounded to them."""


@add_source
class Total(ColumnSource):
    """`of` is the detail table and its column, in whatever table it belongs to but that of the units."""

    word = "total"
    example = "total.fct_lines.amount"
    argument = "of"
    is_measure = True

    of: Annotated[str, Field(pattern=PATH)]
    """The detail table and its column."""

    @property
    def table(self) -> str:
        """The detail table."""
        return self.of.partition(".")[0]

    @property
    def column(self) -> str:
        """The column that is added up."""
        return self.of.partition(".")[2]

    def arrow_type(self, column: Column, dataset: Dataset) -> pa.DataType:
        return widest(type_in(self.table, self.column, dataset))

    def check(self, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
        problems = list(check_detail_table(self.table, table, scope))
        yield from problems
        declared = scope.tables.get(self.table)
        if problems or declared is None:
            return
        if self.column not in names_in(declared):
            hint = did_you_mean(self.column, names_in(declared))
            yield Problem("type", f"{self.table} has no column '{self.column}'", hint)
        elif circle := circle_of(column, table, scope):
            yield Problem("type", circle)

    def problems(self, table: Table, dataset: Dataset) -> Iterable[Problem]:
        type_ = type_in(self.table, self.column, dataset)
        if not is_number(type_):
            yield Problem("type", f"cannot add up {self.of}: it is {noun_of(type_)}")

    def describe(self, column: Column, table: Table, dataset: Dataset) -> str:
        return f"Sum of {self.column} over the rows of {self.table} that belong to the row."

    def text_decimals(self, dataset: Dataset) -> int | None:
        return decimals_in(self.table, self.column, dataset)

    def decimal_places(self, dataset: Dataset) -> int | None:
        return decimal_places_in(self.table, self.column, dataset)

    def reads(self, table: Table) -> Iterable[Origin]:
        yield self.table, self.column

    @property
    def summand(self) -> tuple[str, str]:
        return self.table, self.column

    def fill(self, column: ColumnPlan, table: TablePlan, rows: Rows) -> ArrowArray:
        detail_table, detail_rows = detail_rows_of(self.table, rows)
        target_column = detail_table.column(self.column)
        detail_values = fill(target_column, detail_table, detail_rows)
        if pa.types.is_decimal(column.type):
            units = units_of(detail_values)
            if np.any(_magnitudes(units, detail_rows.owner, len(rows)) >= 10.0**PRECISION):
                raise OverflowError
            return decimal_array(_sums(units, detail_rows.owner, len(rows)), column.type.scale)
        values = detail_values.fill_null(0).to_numpy(zero_copy_only=False)
        if column.type == pa.int64():
            return pa.array(_sums(values, detail_rows.owner, len(rows)))
        # bincount adds in sequence, so a row's sum does not depend on other rows; without values it gives integers
        sums = np.bincount(detail_rows.owner, values, minlength=len(rows)).astype(np.float64).round(_DECIMALS)
        if target_column.decimal_places is not None and target_column.decimal_places <= _DECIMALS:
            scaled = np.rint(values * 10.0**target_column.decimal_places)
            is_exact = _magnitudes(scaled, detail_rows.owner, len(rows)) < EXACT
            units = np.where(is_exact[detail_rows.owner], scaled, 0.0).astype(np.int64)
            sums = np.where(is_exact, _sums(units, detail_rows.owner, len(rows)) / 10.0**target_column.decimal_places, sums)
        return pa.array(sums)


@add_source
class Count(ColumnSource):
    """`table` is the detail table, whatever table it belongs to but that of the units."""

    word = "count"
    example = "count.fct_lines"
    argument = "table"

    table: Name
    """The detail table."""

    def arrow_type(self, column: Column, dataset: Dataset) -> pa.DataType:
        return pa.int64()

    def check(self, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
        return check_detail_table(self.table, table, scope)

    def describe(self, column: Column, table: Table, dataset: Dataset) -> str:
        return f"Number of rows of {self.table} that belong to the row."

    @property
    def summand(self) -> tuple[str, None]:
        return self.table, None

    def fill(self, column: ColumnPlan, table: TablePlan, rows: Rows) -> ArrowArray:
        _, detail_rows = detail_rows_of(self.table, rows)
        return pa.array(np.bincount(detail_rows.owner, minlength=len(rows)).astype(np.int64))


def check_detail_table(name: str, table: Table, scope: Scope) -> Iterable[Problem]:
    """Yield a problem if no rows of the table `name` belong to rows of a table."""
    detail_names = [
        other
        for other, declared in scope.tables.items()
        if (child := declared.table or declared.rest) is not None and child.parent_name == table.name
    ]
    declared = scope.tables.get(name)
    if table.is_unit_dimension:
        message = f"rows per {scope.unit} are counted and added up in no column of {table.name}"
        yield Problem("type", message, f"let a query say it: rows of {name} name their {scope.unit}")
    elif declared is None or (declared.table is not None and name not in detail_names):
        parent_name = None if declared is None or declared.table is None else declared.table.parent_name
        if parent_name is not None and parent_name not in scope.tables:  # reported there
            return
        hint = (
            did_you_mean(name, detail_names)
            if detail_names
            else f"a table has them that says parent_table: {table.name}, or in `tables` per: {table.name}"
        )
        yield Problem("type", f"no rows of a table '{name}' belong to rows of {table.name}", hint)


def detail_rows_of(name: str, rows: Rows) -> tuple[TablePlan, Rows]:
    """Return (table, detail rows) of rows, by the name of the detail table."""
    table = rows.block.population.table(name)
    return table, kept_rows(
        table, rows_of_parents(table, rows)
    )  # not cached: a cycle of references between rows would outlive its use


def _magnitudes(values: Integers | Floats, owner: Integers, count: int) -> Floats:
    """Return the sums of absolute values by owner, an upper bound of the sums."""
    return np.bincount(owner, np.abs(values.astype(np.float64)), minlength=count).astype(np.float64)


def _sums(values: Integers, owner: Integers, count: int) -> Integers:
    """Return the sums of integers by owner."""
    sums = np.zeros(count, dtype=np.int64)
    np.add.at(sums, owner, values)
    return sums
