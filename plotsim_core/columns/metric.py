"""`metric.<name>`, `true.<name>`, `expected.<name>`: a metric for the row's unit and period.

`metric` is the value as stored, with noise; `true` the value before noise; `expected` the mean it was drawn around. In a
fact per period it is over all living units: the mean of a score or index, the sum of an amount or count.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

import numpy as np
import pyarrow as pa

from plotsim_core.arrow import ArrowArray
from plotsim_core.columns.cell_values import cell_values
from plotsim_core.columns.population import MetricSource, aggregate
from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import add_source
from plotsim_core.config.column_source import MEANS, STORED_VALUES, TRUE_VALUES, Origin
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.effects import may_be_null
from plotsim_core.config.metrics import Metric
from plotsim_core.config.model import Name
from plotsim_core.config.read_columns import column
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, Table
from plotsim_core.config.words import capitalised, number_text, phrase
from plotsim_core.engine.block import Block
from plotsim_core.engine.steps import Step, centre_steps, noise_steps, score_steps
from plotsim_core.errors import Problem
from plotsim_core.numerics.arrays import Floats
from plotsim_core.plan.plan import ColumnPlan, Population, TablePlan

_EXPECTED_DECIMALS = 6


def metric_columns(table: Table) -> tuple[Column, ...]:
    """Return the columns that a fact gets for those of its `metrics` that have none."""
    shown_metrics = {shown.source.stored_metric for shown in table.columns}
    names = dict.fromkeys(table.listed_metrics)
    return tuple(column(name, f"metric.{name}") for name in names if name not in shown_metrics)


def metric_named(name: Name, dataset: Dataset) -> Metric:
    """Return the metric of that name."""
    return next(metric for metric in dataset.metrics if metric.name == name)


def label(metric: Metric) -> str:
    """Return the name of a metric at the beginning of a sentence."""
    return capitalised(metric.label or phrase(metric.name))


def money_decimals(metric: Metric) -> int | None:
    """Return the fixed number of decimals of an amount of money; None for other metrics."""
    return metric.decimals if metric.type == "amount" else None


class _LayerOfMetric(MetricSource):
    """`metric` names the metric."""

    argument = "metric"
    in_cases = True
    needs = frozenset({"metrics"})
    is_measure = True
    has_life_mean = True
    stage: ClassVar[str]
    qualifier: ClassVar[str] = ""
    """What the description adds to the name of the metric."""

    def arrow_type(self, column: Column, dataset: Dataset) -> pa.DataType:
        return pa.int64() if metric_named(self.metric, dataset).decimals is None else pa.float64()

    def check(self, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
        return scope.unknown_metric(self.metric, "type")

    def describe(self, column: Column, table: Table, dataset: Dataset) -> str:
        metric, grain = metric_named(self.metric, dataset), dataset.grain
        subject = f"{label(metric)}{self.qualifier}"
        if "crowd" in table.knows:
            return f"{subject}, the {'sum' if metric.sized else 'mean'} over all {dataset.plural} of the {grain.noun}."
        low, high = (number_text(mean) for mean in (metric.means if metric.polarity == "positive" else metric.means[::-1]))
        text = f"{subject}, on average from {low} to {high} along the trajectory."
        if metric.follows is None:
            return text
        delay = f"{metric.delay} {grain.plural}" if metric.delay != 1 else f"one {grain.noun}"
        return f"{text} It follows {phrase(metric.follows)} by {delay}."

    def text_decimals(self, dataset: Dataset) -> int | None:
        return money_decimals(metric_named(self.metric, dataset))

    def decimal_places(self, dataset: Dataset) -> int | None:
        return metric_named(self.metric, dataset).decimals

    def stage_origin(self, dataset: Dataset) -> Origin:
        return self.stage, self.metric

    @property
    def shown_metric(self) -> str:
        return self.metric

    def fill(self, column: ColumnPlan, table: TablePlan, rows: Rows) -> ArrowArray:
        if len(rows.cell) < len(rows):
            return aggregate(self, column, table, rows)
        values = cell_values(rows, self.layer)
        is_missing = np.isnan(values) if column.nullable else None
        if column.type == pa.int64():
            values = (np.where(is_missing, 0.0, values) if is_missing is not None else values).astype(np.int64)
        return pa.array(values, type=column.type, mask=is_missing)

    def _index(self, population: Population) -> int:
        return population.metric_index(self.metric)


@add_source
class StoredMetric(_LayerOfMetric):
    """`metric` names the metric."""

    word = "metric"
    example = "metric.revenue"
    in_structs = True
    stage = STORED_VALUES

    def is_nullable(self, column: Column, dataset: Dataset) -> bool:
        return may_be_null(dataset, metric_named(self.metric, dataset))

    @property
    def stored_metric(self) -> str:
        return self.metric

    def layer(self, unit_block: Block) -> Floats:
        return unit_block.noised(self._index(unit_block.population))

    def steps(self, cell: Block) -> list[Step]:
        index = self._index(cell.population)
        return centre_steps(cell, index) + score_steps(cell, index) + noise_steps(cell, index)


@add_source
class TrueMetric(_LayerOfMetric):
    """`metric` names the metric."""

    word = "true"
    example = "true.revenue"
    stage = TRUE_VALUES
    qualifier = " before noise"

    def layer(self, unit_block: Block) -> Floats:
        index = self._index(unit_block.population)
        decimals = unit_block.population.metrics[index].spec.decimals
        values = unit_block.correlated(index)
        return values if decimals is None else np.round(values, decimals)

    def steps(self, cell: Block) -> list[Step]:
        index = self._index(cell.population)
        return centre_steps(cell, index) + score_steps(cell, index)


@add_source
class ExpectedMetric(_LayerOfMetric):
    """`metric` names the metric."""

    word = "expected"
    example = "expected.revenue"
    stage = MEANS
    qualifier = ", the mean that values are drawn around"

    def arrow_type(self, column: Column, dataset: Dataset) -> pa.DataType:
        return pa.float64()

    def text_decimals(self, dataset: Dataset) -> int | None:
        return None

    def decimal_places(self, dataset: Dataset) -> int:
        return _EXPECTED_DECIMALS

    def layer(self, unit_block: Block) -> Floats:
        return np.round(unit_block.centres(self._index(unit_block.population)), _EXPECTED_DECIMALS)

    def layer_decimals(self, population: Population) -> int:
        return _EXPECTED_DECIMALS

    def steps(self, cell: Block) -> list[Step]:
        return centre_steps(cell, self._index(cell.population))
