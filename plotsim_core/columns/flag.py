"""`flag`: true for every row of an event that happened."""

from __future__ import annotations

import pyarrow as pa

from plotsim_core.arrow import ArrowArray
from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import ColumnSource, add_source
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.tables import Column, Table
from plotsim_core.plan.plan import ColumnPlan, TablePlan


@add_source
class EventFlag(ColumnSource):
    """`flag`: true for every row of an event that happened."""

    word = "flag"
    example = "flag"
    needs = frozenset({"event"})

    def arrow_type(self, column: Column, dataset: Dataset) -> pa.DataType:
        return pa.bool_()

    def describe(self, column: Column, table: Table, dataset: Dataset) -> str:
        return "Sign that the event happened: true in every row."

    def fill(self, column: ColumnPlan, table: TablePlan, rows: Rows) -> ArrowArray:
        return pa.repeat(pa.scalar(True), len(rows))
