"""The stages of the engine as tables: facts whose columns are what a stage knows of each unit in each period."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from plotsim_core.columns.rows import Rows
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.read_columns import column
from plotsim_core.config.tables import Column
from plotsim_core.config.words import phrase
from plotsim_core.engine.block import Block
from plotsim_core.engine.lifetimes import alive
from plotsim_core.families import Family
from plotsim_core.plan.plan import Plan, Population, TablePlan
from plotsim_core.plan.schemas import table_plan
from plotsim_core.tables.fact import Fact, rows_of_cells
from plotsim_core.tables.kind import key_name


def _trajectories(dataset: Dataset) -> list[Column]:
    return [column("segment", "segment.name"), column("trajectory", "trajectory")]


def _metrics(word: str) -> Callable[[Dataset], list[Column]]:
    return lambda dataset: [column(metric.name, f"{word}.{metric.name}") for metric in dataset.metrics]


STAGES: Family[tuple[str, Callable[[Dataset], list[Column]]]] = Family("stage")
"""Name of a stage to (what it is, for a {unit} and {grain}, its columns beside unit and date), in the order of the data."""
STAGES.add("trajectories", ("Position of each {unit} on its curve, one row per {unit} and {grain}.", _trajectories))
STAGES.add("metrics", ("Mean that each metric of each {unit} is drawn around, by {grain}.", _metrics("expected")))
STAGES.add(
    "correlated_metrics",
    ("True value of each metric of each {unit}, before noise, by {grain}.", _metrics("true")),
)
STAGES.add("noised_metrics", ("Value of each metric of each {unit} as it is stored, by {grain}.", _metrics("metric")))


class StageRows(Fact):
    """What a stage knows of each unit in each period, of those too in which the unit is silent."""

    def rows_in(self, table: TablePlan, block: Block) -> Rows:
        return rows_of_cells(block, alive(block))


def stage_names(plan: Plan) -> list[str]:
    """Return the names of all stages: those of further kinds of unit begin with the unit (`store_trajectories`). Where there
    are no units there are none."""
    others = plan.populations[1:]
    return [*(STAGES if plan.kinds else ()), *(f"{other.unit}_{name}" for other in others for name in STAGES)]


def stage_of(plan: Plan, name: str) -> tuple[Population, str] | None:
    """Return the population that a stage is of, and what the stage is called among its own; None for what is no stage."""
    if name in STAGES and plan.population.has_units:
        return plan.population, name
    others = plan.populations[1:]
    matches = ((other, name.removeprefix(f"{other.unit}_")) for other in others if name.startswith(f"{other.unit}_"))
    return next(((other, stage) for other, stage in matches if stage in STAGES), None)


def stage_table(plan: Plan, name: str) -> TablePlan:
    """Return the table plan of a stage. Raises UnknownMember for an unknown one."""
    population, stage = stage_of(plan, name) or (plan.population, name)
    description, columns = STAGES[stage]
    dimensions = (population.dataset.date_dimension, population.dimension.spec)
    references = [column(key_name(dimension), f"ref.{dimension.name}") for dimension in dimensions]
    description = description.format(unit=phrase(population.unit), grain=population.grain.noun)
    spec = StageRows(name=name, columns=tuple(references + columns(population.dataset)), description=description)
    return replace(table_plan(spec, population.dataset, complete=False), population=population.unit)
