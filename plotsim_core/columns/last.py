"""`last.<table>.<column>`: the value of a column in the last of the rows that belong to a row: how far a session came, when
it ended. Without such rows it is null.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import numpy as np
import pyarrow as pa
from pydantic import Field

from plotsim_core.arrow import ArrowArray, taken
from plotsim_core.columns.dependencies import circle_of, column_in, decimal_places_in, decimals_in, names_in, type_in
from plotsim_core.columns.lookup import PATH
from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import ColumnSource, add_source, fill
from plotsim_core.columns.total import check_detail_table, detail_rows_of
from plotsim_core.config.column_source import Origin
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, Table
from plotsim_core.config.words import capitalised, phrase
from plotsim_core.errors import Problem
from plotsim_core.families import did_you_mean
from plotsim_core.plan.plan import ColumnPlan, TablePlan


@add_source
class Last(ColumnSource):
    """`of` is the detail table and its column, in whatever table it belongs to but that of the units."""

    word = "last"
    example = "last.funnel.step"
    argument = "of"

    of: Annotated[str, Field(pattern=PATH)]
    """The detail table and its column."""

    @property
    def table(self) -> str:
        """The detail table."""
        return self.of.partition(".")[0]

    @property
    def column(self) -> str:
        """The column that is read in the last row."""
        return self.of.partition(".")[2]

    def arrow_type(self, column: Column, dataset: Dataset) -> pa.DataType:
        return type_in(self.table, self.column, dataset)

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

    def describe(self, column: Column, table: Table, dataset: Dataset) -> str:
        return f"{capitalised(phrase(self.column))} of the last row of {self.table} that belongs to the row."

    def is_nullable(self, column: Column, dataset: Dataset) -> bool:
        return True

    def text_decimals(self, dataset: Dataset) -> int | None:
        return decimals_in(self.table, self.column, dataset)

    def decimal_places(self, dataset: Dataset) -> int | None:
        return decimal_places_in(self.table, self.column, dataset)

    def listed_texts(self, dataset: Dataset) -> list[str]:
        column, kind = column_in(self.table, self.column, dataset)
        return column.source.listed_texts(kind)

    def reads(self, table: Table) -> Iterable[Origin]:
        yield self.table, self.column

    @property
    def last_path(self) -> tuple[str, str]:
        return self.table, self.column

    def fill(self, column: ColumnPlan, table: TablePlan, rows: Rows) -> ArrowArray:
        detail_table, detail_rows = detail_rows_of(self.table, rows)
        counts = np.bincount(detail_rows.owner, minlength=len(rows)).astype(np.int64)
        has_rows = counts > 0
        last_rows = detail_rows.take(np.cumsum(counts)[has_rows] - 1)
        values = fill(detail_table.column(self.column), detail_table, last_rows)
        return taken(values, np.cumsum(has_rows) - 1, ~has_rows)
