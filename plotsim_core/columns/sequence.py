"""`sequence` with `start` and `step`: numbers that rise from row to row of a listed dimension, or from child to child of a
unit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import pyarrow as pa
from pydantic import Field

from plotsim_core.arrow import ArrowArray
from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import ColumnSource, add_source
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, Table
from plotsim_core.config.words import capitalised, phrase
from plotsim_core.errors import Problem
from plotsim_core.plan.plan import ColumnPlan, TablePlan

_Whole = Annotated[int, Field(ge=-1_000_000_000, le=1_000_000_000, strict=True)]


@add_source
class Sequence(ColumnSource):
    """`start` is the first number, `step` what is added from one row to the next."""

    word = "sequence"
    example = "sequence"
    needs = frozenset({"number"})

    start: _Whole = 1
    """The first number."""
    step: _Whole = 1
    """What is added from one row to the next."""

    def arrow_type(self, column: Column, dataset: Dataset) -> pa.DataType:
        return pa.int64()

    def check(self, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
        if self.step == 0:
            yield Problem("step", "0 has no effect: every row would have the first number", "write static.<number>")

    def describe(self, column: Column, table: Table, dataset: Dataset) -> str:
        return f"{capitalised(phrase(column.name))}, counted from {self.start} in steps of {self.step}."

    def fill(self, column: ColumnPlan, table: TablePlan, rows: Rows) -> ArrowArray:
        return pa.array(self.start + self.step * rows.ordinal)
