"""`metric.<name>`, `true.<name>`, `expected.<name>`: a metric for the row's unit and period.

`metric` is the value as stored, with noise; `true` the value before noise; `expected` the mean it was drawn around. In a
fact per period it is over all living units: the mean of a score or index, the sum of an amount or count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pyarrow as pa

from plotsim_core.columns.population import LAYERS, aggregate
from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import Source, add_source
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.effects import null_rate
from plotsim_core.config.metrics import Metric
from plotsim_core.config.model import Name, Part
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, SourceWords, Table
from plotsim_core.config.words import capitalised, number_text, phrase
from plotsim_core.engine.block import Block
from plotsim_core.errors import Problem
from plotsim_core.numerics.random import Floats
from plotsim_core.plan.plan import ColumnPlan, TablePlan

_EXPECTED_DECIMALS = 6
_DESCRIPTIONS = {"metric": "", "true": " before noise", "expected": ", the mean that values are drawn around"}


class Options(Part):
    """`metric` names the metric."""

    metric: Name


def metric_columns(table: Table) -> tuple[Column, ...]:
    """Return the columns that a fact gets for those of its `metrics` that have none."""
    existing_types = {column.type for column in table.columns}
    return tuple(
        Column(name=name, type=f"metric.{name}", source=Options(metric=name))
        for name in dict.fromkeys(table.listed_metrics)
        if f"metric.{name}" not in existing_types
    )


def metric_of(options: Options, dataset: Dataset) -> Metric:
    """Return the metric a column holds."""
    return next(metric for metric in dataset.metrics if metric.name == options.metric)


def _arrow(options: Options, column: Column, dataset: Dataset) -> pa.DataType:
    is_integer = metric_of(options, dataset).decimals is None and column.word != "expected"
    return pa.int64() if is_integer else pa.float64()


def _check(options: Options, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
    return scope.unknown_metric(options.metric, "type")


def label(metric: Metric) -> str:
    """Return the name of a metric at the beginning of a sentence."""
    return capitalised(metric.label or phrase(metric.name))


def _describe(options: Options, column: Column, table: Table, dataset: Dataset) -> str:
    metric, grain = metric_of(options, dataset), dataset.window.grain.name
    subject = f"{label(metric)}{_DESCRIPTIONS[column.word]}"
    if "crowd" in table.knows:
        return f"{subject}, the {'sum' if metric.sized else 'mean'} over all {dataset.plural} of the {grain}."
    low, high = (number_text(mean) for mean in (metric.means if metric.polarity == "positive" else metric.means[::-1]))
    text = f"{subject}, on average from {low} to {high} along the trajectory."
    if metric.follows is None:
        return text
    delay = f"{metric.delay} {grain}s" if metric.delay != 1 else f"one {grain}"
    return f"{text} It follows {phrase(metric.follows)} by {delay}."


def money_decimals(metric: Metric) -> int | None:
    """Return the fixed number of decimals of an amount of money; None for other metrics."""
    return metric.decimals if metric.type == "amount" else None


def _stored(block: Block, metric: int) -> Floats:
    return block.noised(metric)


def _true(block: Block, metric: int) -> Floats:
    decimals = block.plan.metrics[metric].spec.decimals
    values = block.correlated(metric)
    return values if decimals is None else np.round(values, decimals)


def _expected(block: Block, metric: int) -> Floats:
    return np.round(block.centres(metric), _EXPECTED_DECIMALS)


def _layer_source(layer: Callable[[Block, int], Floats]) -> Source:
    def fill(column: ColumnPlan, table: TablePlan, rows: Rows) -> pa.Array:
        options = column.spec.source
        assert isinstance(options, Options)
        if len(rows.cell) < len(rows):
            return aggregate(column, table, rows)
        values = layer(rows.block, rows.block.plan.metric_index(options.metric)).ravel()[rows.cell]
        is_missing = np.isnan(values) if column.nullable else None
        if column.type == pa.int64():
            values = (np.where(is_missing, 0.0, values) if is_missing is not None else values).astype(np.int64)
        return pa.array(values, type=column.type, mask=is_missing)

    return Source(fill)


for _word, _layer in (("metric", _stored), ("true", _true), ("expected", _expected)):
    add_source(
        _word,
        SourceWords(
            options=Options,
            arrow=_arrow,
            example=f"{_word}.revenue",
            argument="metric",
            needs=frozenset({"metrics"}),
            check=_check,
            nullable=lambda options, dataset, word=_word: (  # type: ignore[misc]
                word == "metric" and null_rate(dataset, metric_of(options, dataset)) > 0
            ),
            describe=_describe,
            decimals=lambda options, dataset, word=_word: (  # type: ignore[misc]
                None if word == "expected" else money_decimals(metric_of(options, dataset))
            ),
            places=lambda options, dataset, word=_word: (  # type: ignore[misc]
                _EXPECTED_DECIMALS if word == "expected" else metric_of(options, dataset).decimals
            ),
        ),
        _layer_source(_layer),
    )
    LAYERS.add(_word, _layer)
