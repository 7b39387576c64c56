"""`sequence` with `start` and `step`: the place of a row among its siblings, as a number.

Siblings are the rows of a list, the children of a unit, the rows of a unit in one period in the order of time, the rows that
belong to one row. Units have no such place: it would move when a segment grows (`id` with `start` numbers them).
"""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from plotsim_core.arrow import ArrowArray
from plotsim_core.columns.key_numbers import most_rows
from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import ColumnSource, add_source
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.model import MOST_NUMBERED, Whole
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, Table
from plotsim_core.config.words import capitalised, phrase
from plotsim_core.errors import Problem
from plotsim_core.plan.plan import ColumnPlan, TablePlan

_SIBLINGS = 2**31
"""There are never so many rows that belong together, where nothing bounds them."""


@add_source
class Sequence(ColumnSource):
    """The row's place among its siblings: those of the list, of its unit, or of the row it belongs to; where a metric says
    how many there are, those of its unit in its period, in the order of time. `start` is the first number, `step` what is
    added from one row to the next."""

    word = "sequence"
    example = "sequence"
    instead = "units and single rows have no siblings; `id` with `start` gives every row a number"
    needs = frozenset({"number"})
    numbers_rows = True

    start: Whole = 1
    """The first number."""
    step: Whole = 1
    """What is added from one row to the next."""

    @property
    def number_step(self) -> int:
        return self.step

    def arrow_type(self, column: Column, dataset: Dataset) -> pa.DataType:
        return pa.int64()

    def check(self, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
        if self.step == 0:
            yield Problem("step", "0 has no effect: every row would have the first number", "write static.<number>")
        last = self.start + self.step * (_most_siblings(table) - 1)
        if not -(2**63) <= last < 2**63:
            yield Problem("start", f"the last number, {last:,}, is beyond 64 bits", "begin with a smaller number")

    def describe(self, column: Column, table: Table, dataset: Dataset) -> str:
        return f"{capitalised(phrase(column.name))}, counted from {self.start} in steps of {self.step}."

    def is_unique(self, table: Table) -> bool:
        return table.is_listed

    def fill(self, column: ColumnPlan, table: TablePlan, rows: Rows) -> ArrowArray:
        return pa.array(self.start + self.step * rows.ordinal)


def place_column(table: Table) -> Column | None:
    """Return the column that tells a row of a table from its siblings."""
    return next((column for column in table.columns if column.source.numbers_rows), None)


def _most_siblings(table: Table) -> int:
    """Return how many siblings a row of a table has at most, itself included."""
    if table.is_listed:
        return max(1, table.length)
    if table.rows_per_span:
        return MOST_NUMBERED
    return most_rows(table) or _SIBLINGS
