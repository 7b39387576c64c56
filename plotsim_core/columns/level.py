"""`level.<metric>` with `every: N`: a value that lasts. It is the mean of the metric at the unit's arrival, and is read anew
at each anniversary, every N periods; with `rate` at others too. In between it stays: a contract, a salary, a price.

Which periods read the metric follows from the arrival of a unit and, with `rate`, from a uniform at the address of the
period, in a stream of the metric and N: columns of several tables with these options say the same. A value needs the N - 1
periods before its own, no value before it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Annotated

import numpy as np
import pyarrow as pa
from pydantic import Field

from plotsim_core.arrow import ArrowArray
from plotsim_core.columns.as_of import layer_values, state_periods
from plotsim_core.columns.metric import label, metric_named, money_decimals
from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import ColumnSource, add_source
from plotsim_core.config.column_source import MEANS, Origin
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.model import Name
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, Table
from plotsim_core.config.words import phrase
from plotsim_core.engine.block import Block
from plotsim_core.engine.roster import take
from plotsim_core.engine.slice import CHUNK
from plotsim_core.engine.steps import Step
from plotsim_core.errors import Problem
from plotsim_core.numerics.arrays import Floats, Integers
from plotsim_core.numerics.random import key, uniforms
from plotsim_core.plan.plan import ColumnPlan, TablePlan


@add_source
class Level(ColumnSource):
    """`metric` names the metric, whose mean is read at the arrival of a unit and at each change."""

    word = "level"
    in_cases = True
    example = "level.revenue"
    argument = "metric"
    needs = frozenset({"unit"})
    is_measure = True

    metric: Name
    """The metric."""
    every: Annotated[int, Field(ge=1, le=1000, strict=True)]
    """How many periods lie between two anniversaries, at which the value follows the metric."""
    rate: Annotated[float, Field(gt=0, lt=1, strict=True)] | None = None
    """The chance that it does so in any other period of the unit."""

    def arrow_type(self, column: Column, dataset: Dataset) -> pa.DataType:
        return pa.int64() if metric_named(self.metric, dataset).decimals is None else pa.float64()

    def check(self, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
        yield from scope.unknown_metric(self.metric, "type")
        if self.every == 1 and self.rate is not None:
            yield Problem("rate", "has no effect: the value follows the metric in each period", "leave it out")

    def describe(self, column: Column, table: Table, dataset: Dataset) -> str:
        grain, subject = dataset.grain, label(metric_named(self.metric, dataset))
        distance = f"{self.every} {grain.plural}" if self.every > 1 else grain.noun
        chance = "" if self.rate is None else f", and now and then in between (in {self.rate:g} of them)"
        return f"{subject} as of the arrival of the {phrase(dataset.unit)}; follows it every {distance}{chance}."

    @property
    def changes_over_time(self) -> bool:
        return True

    def text_decimals(self, dataset: Dataset) -> int | None:
        return money_decimals(metric_named(self.metric, dataset))

    def decimal_places(self, dataset: Dataset) -> int | None:
        return metric_named(self.metric, dataset).decimals

    def stage_origin(self, dataset: Dataset) -> Origin:
        return MEANS, self.metric

    def fill(self, column: ColumnPlan, table: TablePlan, rows: Rows) -> ArrowArray:
        values = layer_values(rows, lambda block: self._layer(block))
        return pa.array(values.astype(np.int64) if column.type == pa.int64() else values, column.type)

    def row_steps(self, column: ColumnPlan, table: TablePlan, row: Rows) -> list[Step]:
        grain = row.block.population.grain
        places = layer_values(row, lambda block: self._last_steps(self._earlier(block)).astype(np.float64))
        period = row.block.slice.first if len(row.cell) == len(row) else int(state_periods(row)[0])
        read = grain.label(int(places[0]))
        since = "its arrival" if places[0] == row.block.units.arrival[row.unit[0]] else "the last change"
        distance = period - int(places[0])
        noun = grain.noun if distance == 1 else grain.plural
        return [
            Step("read", read, f"the {grain.noun} of {since}, {distance} {noun} before"),
            Step("level", self.fill(column, table, row)[0].as_py(), f"the mean of {self.metric} then"),
        ]

    def _earlier(self, block: Block) -> Block:
        """Return a block with all the periods before it that its values may have been read in."""
        return Block(block.population, replace(block.slice, first=block.slice.first - self.every + 1), block.units)

    def _last_steps(self, earlier: Block) -> Integers:
        """Return the period in which the value of each cell was read, shape (periods, units), of a block with the periods
        before it; before the arrival of a unit that of the cell."""
        periods = earlier.periods[:, None]
        ages = periods - earlier.units.arrival[None, :]
        is_step = (ages < 0) | (ages % self.every == 0)
        if self.rate is not None:
            stream = key(earlier.population.seed, "level", self.metric, self.every)
            is_step |= uniforms(stream, earlier.address) < self.rate
        steps: Integers = np.maximum.accumulate(np.where(is_step, periods, periods[0] - 1), axis=0)[self.every - 1 :]
        return steps

    def _layer(self, block: Block) -> Floats:
        """Return the value of each cell, made of some units after others: there may be many periods before."""
        result = np.empty(block.shape)
        index = block.population.metric_index(self.metric)
        width = max(1, CHUNK // (len(block.periods) + self.every - 1))
        digits = block.population.metrics[index].spec.decimals or 0
        for start in range(0, len(block.units), width):
            units = take(block.units, np.arange(start, min(start + width, len(block.units)), dtype=np.int64))
            earlier = self._earlier(Block(block.population, block.slice, units))
            places = self._last_steps(earlier) - earlier.slice.first
            result[:, start : start + width] = np.take_along_axis(earlier.centres(index), places, axis=0)
        return np.round(result, digits)
