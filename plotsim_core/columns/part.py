"""`part.<table>.<column>`: the share of a row in a number of the row that it belongs to. The parts of all rows of one row
add up to it, to the last decimal: payments to the amount of their order, instalments to a loan, minutes to a day.

Each row has a weight: drawn at its own address, or that of a column. The first k rows together have the share of the number
that their weights are of all, rounded down after a part of a unit is added that is drawn for the number (systematic
sampling: the mean of a part is its exact share); a row has what it adds to those before it. Weights are whole numbers, in
units of 2^-30 of the largest of their row, so that their sums are exact.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import numpy as np
import pyarrow as pa
from pydantic import Field

from plotsim_core.arrow import ArrowArray
from plotsim_core.columns.decimals import decimal_array, units_of, widest
from plotsim_core.columns.dependencies import circle_of, decimal_places_in, decimals_in, names_in, nullable_in, type_in
from plotsim_core.columns.lookup import PATH
from plotsim_core.columns.row_relations import parent_of, rows_of_parents
from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import ColumnSource, add_source, fill
from plotsim_core.config.column_source import Origin
from plotsim_core.config.conversions import noun_of
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.model import Name
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, Table, is_number
from plotsim_core.engine.steps import Step
from plotsim_core.errors import Problem
from plotsim_core.families import did_you_mean
from plotsim_core.numerics.arrays import Floats, Integers
from plotsim_core.numerics.draws import DRAWS
from plotsim_core.numerics.random import uniforms
from plotsim_core.plan.plan import ColumnPlan, TablePlan

_WEIGHT_UNITS = 2.0**30
"""Units of the largest weight among rows of one row."""
_EXACT = 2.0**53
"""Whole numbers below it are exact as doubles."""


@add_source
class Part(ColumnSource):
    """The parts of a number of the row that rows belong to: they add up to it."""

    word = "part"
    example = "part.orders.total"
    argument = "of"
    is_measure = True

    of: Annotated[str, Field(pattern=PATH)]
    """The table that rows belong to, and its column."""
    spread: Annotated[float, Field(ge=0, le=2, strict=True)] | None = None
    """How unequal parts are: the coefficient of variation of their weights, which are gamma variables; 0.5 unless it is
    given. With 0 parts are equal, but for the last decimal."""
    weights: Name | None = None
    """A column of the row, of numbers, that parts are in proportion to; below zero or null is none. Where none of a row has
    any, parts are equal."""

    @property
    def table(self) -> str:
        """The table that rows belong to."""
        return self.of.partition(".")[0]

    @property
    def column(self) -> str:
        """The column that is divided."""
        return self.of.partition(".")[2]

    def arrow_type(self, column: Column, dataset: Dataset) -> pa.DataType:
        return widest(type_in(self.table, self.column, dataset))

    def check(self, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
        if table.parent_name != self.table:
            hint = f"rows of {table.name} belong to {table.parent_name}" if table.parent_name else ""
            yield Problem("type", f"rows of {table.name} belong to no row of '{self.table}'", hint)
            return
        if table.filter is not None:
            message = f"the rows of {table.name} that its `where` drops would take their parts with them"
            yield Problem("type", message, "let `rows` say how many there are")
        if column.nulls is not None:
            yield Problem("nulls", f"the parts of {self.of} that are null would be missing in their sum", "leave it out")
        if self.weights is not None and self.spread is not None:
            yield Problem("spread", f"has no effect: {self.weights} says how unequal parts are", "leave it out")
        declared = scope.tables.get(self.table)
        if declared is not None and self.column not in names_in(declared):
            hint = did_you_mean(self.column, names_in(declared))
            yield Problem("type", f"{self.table} has no column '{self.column}'", hint)
        names = names_in(scope.tables[table.name])
        if self.weights is not None and self.weights not in names:
            yield Problem("weights", f"{table.name} has no column '{self.weights}'", did_you_mean(self.weights, names))
        elif circle := circle_of(column, table, scope):
            yield Problem("type", circle)

    def problems(self, table: Table, dataset: Dataset) -> Iterable[Problem]:
        type_ = type_in(self.table, self.column, dataset)
        if not is_number(type_):
            yield Problem("type", f"cannot divide {self.of}: it is {noun_of(type_)}")
        elif not pa.types.is_integer(type_) and decimal_places_in(self.table, self.column, dataset) is None:
            message = f"{self.of} has no last decimal, which its parts have to add up to"
            yield Problem("type", message, f"round it, or give {self.column} `decimals`")
        if self.weights is not None and not is_number(weight_type := type_in(table.name, self.weights, dataset)):
            yield Problem("weights", f"expected numbers, and {self.weights} is {noun_of(weight_type)}")

    def describe(self, column: Column, table: Table, dataset: Dataset) -> str:
        way = f" in proportion to {self.weights}" if self.weights is not None else ""
        return f"Part of the {self.column} of the row of {self.table} that the row belongs to{way}."

    def is_nullable(self, column: Column, dataset: Dataset) -> bool:
        return nullable_in(self.table, self.column, dataset)

    def text_decimals(self, dataset: Dataset) -> int | None:
        return decimals_in(self.table, self.column, dataset)

    def decimal_places(self, dataset: Dataset) -> int | None:
        return decimal_places_in(self.table, self.column, dataset)

    def reads(self, table: Table) -> Iterable[Origin]:
        yield self.table, self.column
        if self.weights is not None:
            yield table.name, self.weights

    @property
    def divided(self) -> Origin:
        return self.table, self.column

    def fill(self, column: ColumnPlan, table: TablePlan, rows: Rows) -> ArrowArray:
        assert rows.parent is not None  # of a table with a parent
        totals = self._totals(rows)
        is_missing = totals.is_null().to_numpy(zero_copy_only=False)[rows.owner]
        begins, ends = self._shares(column, table, rows)
        units = _units(totals, _digits(rows, self))[rows.owner].astype(np.float64)
        offsets = uniforms(rows.stream(table, column, "rounding"), rows.parent.address)[rows.owner]
        parts = (_rounded(units, ends, offsets) - _rounded(units, begins, offsets)).astype(np.int64)
        if pa.types.is_decimal(column.type):
            return decimal_array(parts, column.type.scale, is_missing)
        values = parts if pa.types.is_integer(column.type) else parts / 10.0 ** _digits(rows, self)
        return pa.array(values, column.type, mask=is_missing)

    def _totals(self, rows: Rows) -> ArrowArray:
        """Return the numbers that are divided, one for each row that rows belong to."""
        assert rows.parent is not None  # of a table with a parent
        parent_table = rows.block.population.table(self.table)
        return fill(parent_table.column(self.column), parent_table, rows.parent)

    def _shares(self, column: ColumnPlan, table: TablePlan, rows: Rows) -> tuple[Floats, Floats]:
        """Return the share of the number that all rows before a row have together, and that of the row and these."""
        assert rows.parent is not None
        siblings = rows_of_parents(table, rows.parent)
        weights = whole_weights(self._weights(column, table, siblings), siblings.owner, len(rows.parent))
        sums = np.cumsum(weights)
        counts = np.bincount(siblings.owner, minlength=len(rows.parent))
        first = np.cumsum(counts) - counts
        before = np.concatenate([[0], sums])[first]
        total = np.concatenate([[0], sums])[first + counts] - before
        places = first[rows.owner] + rows.ordinal
        ends = sums[places] - before[rows.owner]
        wholes = total[rows.owner].astype(np.float64)
        return (ends - weights[places]) / wholes, ends / wholes

    def _weights(self, column: ColumnPlan, table: TablePlan, rows: Rows) -> Floats:
        if self.weights is not None:
            values = fill(table.column(self.weights), table, rows).cast(pa.float64()).fill_null(0.0)
            weights: Floats = np.maximum(values.to_numpy(zero_copy_only=False), 0.0)
            return weights
        spread = 0.5 if self.spread is None else self.spread
        if spread == 0:
            return np.ones(len(rows))
        shape = np.full(len(rows), 1 / spread**2)
        drawn: Floats = DRAWS["gamma"].drawn(rows.uniforms(table, column, "part"), np.ones(len(rows)), shape)
        return drawn

    def row_steps(self, column: ColumnPlan, table: TablePlan, row: Rows) -> list[Step]:
        begins, ends = self._shares(column, table, row)
        return [
            Step(self.column, self._totals(row)[row.owner[0]].as_py(), f"of the row of {parent_of(table)} it belongs to"),
            Step("weight", float(self._weights(column, table, row)[0]), self.weights or "drawn at the row's address"),
            Step("share", float(ends[0] - begins[0]), "of the weights of all rows that belong to that row"),
        ]


def _digits(rows: Rows, part: Part) -> int:
    target = rows.block.population.table(part.table).column(part.column)
    return 0 if pa.types.is_integer(target.type) else target.decimal_places or 0


def _units(totals: ArrowArray, digits: int) -> Integers:
    """Return numbers in units of their last decimal, 0 for a null. Raises OverflowError where one is not exact."""
    if pa.types.is_decimal(totals.type):
        units = units_of(totals)
    else:
        units = np.rint(totals.cast(pa.float64()).fill_null(0.0).to_numpy(zero_copy_only=False) * 10.0**digits)
    if np.any(np.abs(units) >= _EXACT):
        raise OverflowError
    return units.astype(np.int64)


def _rounded(units: Floats, shares: Floats, offsets: Floats) -> Floats:
    """Return shares of whole numbers, rounded down after an offset below 1 is added; none and all of a number are exact."""
    inner = np.clip(np.floor(units * shares + offsets), np.minimum(units, 0.0), np.maximum(units, 0.0))
    return np.where(shares >= 1.0, units, np.where(shares <= 0.0, 0.0, inner))


def whole_weights(weights: Floats, owner: Integers, count: int) -> Integers:
    """Return weights as whole numbers, in units of 2^-30 of the largest of their owner (`count` of them); those of an owner
    without any are 1."""
    largest = np.zeros(count)
    np.maximum.at(largest, owner, weights)
    has_weight = largest > 0
    scale = _WEIGHT_UNITS / np.where(has_weight, largest, 1.0)
    return np.where(has_weight[owner], np.rint(weights * scale[owner]), 1.0).astype(np.int64)
