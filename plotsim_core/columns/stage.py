"""`stage`: the stage of the lifecycle that the stored values of the tracked metric put a row in."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from plotsim_core.arrow import ArrowArray, taken
from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import ColumnSource, add_source
from plotsim_core.config.column_source import STORED_VALUES, Origin
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.effects import may_be_null
from plotsim_core.config.read_columns import column
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, Table
from plotsim_core.config.words import enumeration, phrase
from plotsim_core.engine.lifecycle import NONE, stages
from plotsim_core.errors import Problem
from plotsim_core.plan.plan import ColumnPlan, TablePlan


def stage_column(table: Table, dataset: Dataset) -> tuple[Column, ...]:
    """Return the column that the first fact with the tracked metric gets, if there is a lifecycle."""
    facts = [other for other in dataset.all_tables if other.may_get_stage]
    if dataset.lifecycle is None or any(c.source.is_stage for fact in facts for c in fact.columns):
        return ()
    fact_names = (
        fact.name
        for fact in facts
        if "unit" in fact.knows
        and (
            any(shown.source.stored_metric == dataset.lifecycle.track for shown in fact.columns)
            or dataset.lifecycle.track in fact.listed_metrics
        )
    )
    first_name = next(fact_names, None)
    return (column("stage", "stage"),) if table.name == first_name else ()


@add_source
class Stage(ColumnSource):
    """`stage`: the stage of the lifecycle that the stored values of the tracked metric put a row in."""

    word = "stage"
    example = "stage"
    needs = frozenset({"cell"})
    is_stage = True

    def arrow_type(self, column: Column, dataset: Dataset) -> pa.DataType:
        return pa.string()

    def check(self, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
        if scope.lifecycle is None:
            yield Problem("type", "there is no `lifecycle` that a stage could be read from")

    def describe(self, column: Column, table: Table, dataset: Dataset) -> str:
        lifecycle = dataset.lifecycle
        assert lifecycle is not None  # checked
        names = enumeration(stage.name for stage in lifecycle.stages)
        return f"Stage of the lifecycle that {phrase(lifecycle.track)} puts the {phrase(dataset.unit)} in: {names}."

    def is_nullable(self, column: Column, dataset: Dataset) -> bool:
        """A missing value puts a row in no stage, unless units keep theirs."""
        lifecycle = dataset.lifecycle
        if lifecycle is None or lifecycle.enforce_order:
            return False
        return any(may_be_null(dataset, metric) for metric in dataset.metrics if metric.name == lifecycle.track)

    def listed_texts(self, dataset: Dataset) -> list[str]:
        return [stage.name for stage in dataset.lifecycle.stages] if dataset.lifecycle is not None else []

    def stage_origin(self, dataset: Dataset) -> Origin | None:
        return None if dataset.lifecycle is None else (STORED_VALUES, dataset.lifecycle.track)

    def fill(self, column: ColumnPlan, table: TablePlan, rows: Rows) -> ArrowArray:
        population = rows.block.population
        lifecycle = population.dataset.lifecycle
        assert lifecycle is not None
        indexes = stages(rows.block, lifecycle).ravel()[rows.cell]
        names = pa.array([stage.name for stage in lifecycle.stages])
        return taken(names, indexes, indexes == NONE)
