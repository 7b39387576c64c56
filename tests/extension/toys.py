"""Column sources of somebody else: throws of dice, and tips on top of a metric."""

from __future__ import annotations

from typing import Annotated

import pyarrow as pa
from pydantic import Field

from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import ColumnSource, add_source
from plotsim_core.config.column_source import STORED_VALUES, Origin
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.model import Name
from plotsim_core.config.tables import Column
from plotsim_core.plan.plan import ColumnPlan, TablePlan


@add_source
class Dice(ColumnSource):
    """A throw of a die with so many `sides`."""

    word, argument, example = "dice", "sides", "dice.6"
    sides: Annotated[int, Field(ge=2, le=100)]

    def arrow_type(self, column: Column, dataset: Dataset) -> pa.DataType:
        return pa.int64()

    def fill(self, column: ColumnPlan, table: TablePlan, rows: Rows) -> pa.Array:
        return pa.array(1 + rows.choose(table, column, self.sides))


@add_source
class Tip(ColumnSource):
    """`metric` is the metric of which a part, up to a fifth, is the tip."""

    word, argument, example, needs = "tip", "metric", "tip.revenue", frozenset({"cell"})
    metric: Name

    def arrow_type(self, column: Column, dataset: Dataset) -> pa.DataType:
        return pa.float64()

    def stage_origin(self, dataset: Dataset) -> Origin:
        return STORED_VALUES, self.metric

    def fill(self, column: ColumnPlan, table: TablePlan, rows: Rows) -> pa.Array:
        values = rows.block.noised(rows.block.population.metric_index(self.metric)).ravel()[rows.cell]
        return pa.array((0.2 * values * rows.uniforms(table, column)).round(2))
