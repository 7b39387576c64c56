"""`trajectory`: the position, from 0 to 1, of the row's unit on its curve in the row's period."""

from __future__ import annotations

import pyarrow as pa

from plotsim_core.arrow import ArrowArray
from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import ColumnSource, add_source
from plotsim_core.config.column_source import POSITION, Origin
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.tables import Column, Table
from plotsim_core.config.words import phrase
from plotsim_core.engine.block import Block
from plotsim_core.engine.steps import Step, position_steps
from plotsim_core.plan.plan import ColumnPlan, TablePlan

DECIMALS = 6


@add_source
class Position(ColumnSource):
    """`trajectory`: the position, from 0 to 1, of the row's unit on its curve in the row's period."""

    word = "trajectory"
    in_cases = True
    example = "trajectory"
    needs = frozenset({"cell"})
    is_measure = True
    has_life_mean = True

    def arrow_type(self, column: Column, dataset: Dataset) -> pa.DataType:
        return pa.float64()

    def describe(self, column: Column, table: Table, dataset: Dataset) -> str:
        return f"Position of the {phrase(dataset.unit)} on its curve, from 0 to 1."

    def stage_origin(self, dataset: Dataset) -> Origin:
        return POSITION

    def steps(self, cell: Block) -> list[Step]:
        return position_steps(cell)

    def fill(self, column: ColumnPlan, table: TablePlan, rows: Rows) -> ArrowArray:
        return pa.array(rows.block.positions().ravel()[rows.cell].round(DECIMALS))
