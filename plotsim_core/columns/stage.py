"""`stage`: the stage of the lifecycle that the stored value of the tracked metric puts a row in."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import Source, add_source
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.effects import null_rate
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, NoOptions, SourceWords, Table
from plotsim_core.errors import Problem
from plotsim_core.plan.plan import ColumnPlan, TablePlan


def stage_column(table: Table, dataset: Dataset) -> tuple[Column, ...]:
    """Return the column that the first fact holding the tracked metric gets by itself, if there is a lifecycle."""
    if dataset.lifecycle is None or any(fact.sourced("stage") for fact in dataset.facts):
        return ()
    tracked = f"metric.{dataset.lifecycle.track}"
    first = next((fact.name for fact in dataset.facts if any(c.type == tracked for c in fact.columns)), None)
    return (Column(name="stage", type="stage", source=NoOptions()),) if table.name == first else ()


def _check(options: NoOptions, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
    if scope.lifecycle is None:
        yield Problem("type", "there is no `lifecycle` that a stage could be read from")


def _fill(column: ColumnPlan, table: TablePlan, rows: Rows) -> pa.Array:
    plan = rows.block.plan
    lifecycle = plan.dataset.lifecycle
    assert lifecycle is not None
    place = plan.metric_index(lifecycle.track)
    low, high = plan.metrics[place].spec.bounds or plan.metrics[place].spec.means
    values = rows.block.noised(place).ravel()[rows.cell]
    missing = np.isnan(values)
    shares = np.where(missing, 0.0, (values - low) / (high - low))
    reached = np.searchsorted(np.array([stage.threshold for stage in lifecycle.stages]), shares, side="right") - 1
    names = pa.array([stage.name for stage in lifecycle.stages])
    return names.take(pa.array(np.maximum(reached, 0), mask=missing))


add_source(
    "stage",
    SourceWords(
        options=NoOptions,
        arrow=lambda options, column, dataset: pa.string(),
        example="stage",
        needs=frozenset({"cell"}),
        check=_check,
        nullable=lambda options, dataset: any(
            null_rate(dataset, metric) > 0
            for metric in dataset.metrics
            if dataset.lifecycle and metric.name == dataset.lifecycle.track
        ),
        describe=lambda options, dataset: "Stage of the lifecycle.",
    ),
    Source(_fill),
)
