"""A dataset as a component of one's own Dagster project: `dg scaffold defs plotsim_pipeline.DatasetComponent my_shop`."""

import shutil
from pathlib import Path
from typing import Annotated, Any, Literal

import dagster as dg
from pydantic import Field

from plotsim_core import ConfigError, load_config, template
from plotsim_core.config.dataset import dataset_name
from plotsim_pipeline.assets.invalid_config import broken_definitions
from plotsim_pipeline.assets.tables import Needs
from plotsim_pipeline.datasets import dataset_definitions
from plotsim_pipeline.sensors.alerts import alert_sensors
from plotsim_pipeline.sensors.reconcile import reconcile_sensor
from plotsim_pipeline.stores import downstream_resources, store_of

STARTER = "minimal"
"""The bundled config that a new component begins with."""


class Scaffolder(dg.Scaffolder[Any]):
    """Writes `defs.yaml`, and a config to change beside it."""

    def scaffold(self, request: dg.ScaffoldRequest[Any]) -> None:
        name = dataset_name(request.target_path.name)
        config = request.target_path / f"{name}.yaml"
        if not config.exists():
            shutil.copyfile(template(STARTER), config)
        dg.scaffold_component(
            request,
            {
                "config": config.name,
                "store": {"kind": "duckdb", "path": "data/plotsim.duckdb"},
                "schedule": {"enabled": False},
                "executor": "in_process",
            },
        )


class StoreModel(dg.Model, dg.Resolvable):
    kind: Annotated[str, Field(description="Which store: duckdb, or any other that PLOTSIM_STORE knows.")] = "duckdb"
    path: Annotated[str, Field(description="Where it lies: a path from the project's root, or a URL.")]


class ScheduleModel(dg.Model, dg.Resolvable):
    enabled: Annotated[bool, Field(description="Whether the schedule runs from the start; it is in the UI anyway.")] = False
    cron: Annotated[
        str | None, Field(description="When, by the dataset's clocks; by default shortly after the end of each partition.")
    ] = None


@dg.scaffold_with(Scaffolder)
class DatasetComponent(dg.Component, dg.Model, dg.Resolvable):
    """A dataset of plotsim: its stages, tables, report, overview and manifest as assets, its jobs and its schedules.

    The dataset is named after its config file; its assets are `<dataset>/<table>`, and each dataset keeps its store to
    itself, so any number of them live in one project.
    """

    config: Annotated[str, Field(description="The config: a path from the folder of this component.")]
    store: Annotated[StoreModel, Field(description="Where the rows are kept.")]
    schedule: Annotated[ScheduleModel, Field(description="When the next partition is made.")] = ScheduleModel()
    executor: Annotated[
        Literal["in_process", "project"],
        Field(description="in_process: one process makes all steps of a run of this project. project: as the project says."),
    ] = "project"

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        # Dagster merges definitions that name the same executor, and refuses two that differ
        executor = dg.Definitions(executor=dg.in_process_executor if self.executor == "in_process" else None)
        file = context.path / self.config
        try:
            plan = load_config(file)
        except ConfigError as error:
            return dg.Definitions.merge(broken_definitions(dataset_name(file.stem), error), executor)
        if plan.stop is not None and (self.schedule.enabled or self.schedule.cron is not None):
            reason = "the window has an end" if plan.has_window else "there is no window"
            raise dg.DagsterInvalidDefinitionError(
                f"{file}: `schedule` has no effect: {reason}, so {plan.name} has no next partition. "
                "Leave `schedule` away in defs.yaml, or give the config a window without an end"
            )
        path = self.store.path if "://" in self.store.path else str(Path(context.project_root) / self.store.path)
        store = store_of(self.store.kind, path)
        needs = Needs(
            store=f"{plan.name}_store",
            store_kind=store.kind,
            locate=lambda: store,
            pool=f"plotsim_{dataset_name(Path(path).stem)}" if store.is_single_writer else None,
        )
        definitions = dataset_definitions(plan, needs, self.schedule.cron, self.schedule.enabled)
        resources = {needs.store: store, **downstream_resources(store, f"{plan.name}_duckdb")}
        sensors = [reconcile_sensor([plan], needs.store, f"{plan.name}_reconcile"), *alert_sensors(plan.name, definitions)]
        return dg.Definitions.merge(definitions, dg.Definitions(resources=resources, sensors=sensors), executor)
