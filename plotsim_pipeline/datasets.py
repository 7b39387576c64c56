"""Datasets: which configs there are, and one config as Dagster definitions."""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg

from plotsim_core import ConfigError, Plan, UsageError, load_config
from plotsim_core.api import TEMPLATES
from plotsim_core.config.dataset import dataset_name
from plotsim_core.families import did_you_mean
from plotsim_pipeline.assets.invalid_config import broken_definitions
from plotsim_pipeline.assets.manifest import manifest_assets
from plotsim_pipeline.assets.report import report_assets
from plotsim_pipeline.assets.tables import (
    SHARED_RESOURCES,
    Needs,
    common_check_assets,
    resources_of,
    stage_assets,
    table_assets,
)
from plotsim_pipeline.checks.freshness import freshness_of
from plotsim_pipeline.checks.staleness import current_check
from plotsim_pipeline.partitions import partitions_for
from plotsim_pipeline.schedules import automation, with_conditions
from plotsim_pipeline.sensors.alerts import alert_sensors
from plotsim_pipeline.sensors.killed_runs import dead_runs_sensor
from plotsim_pipeline.sensors.reconcile import reconcile_sensor
from plotsim_pipeline.stores import downstream_resources, store_from_environment

CONFIGS_VARIABLE, DATASETS_VARIABLE = "PLOTSIM_CONFIGS", "PLOTSIM_DATASETS"
BUNDLED = TEMPLATES


def known_files() -> dict[str, Path]:
    """Return the config of each dataset by name: the bundled ones and those in the directories that `PLOTSIM_CONFIGS` names.
    Nothing is read.

    Raises UsageError for a directory that is not there, and for two datasets of one name.
    """
    files: dict[str, Path] = {}
    for file in _config_files(BUNDLED, *_config_directories()):
        name = dataset_name(file.stem)
        if name in files:
            raise UsageError(f"{file}: there is already a dataset named {name}, {files[name]}")
        files[name] = file
    return files


def dataset_files() -> dict[str, Path]:
    """Return the configs of the datasets that the code location is asked to load: those that `PLOTSIM_DATASETS` lists;
    without it those in the directories that `PLOTSIM_CONFIGS` names; without both the bundled ones. Nothing is read.

    Raises UsageError as `known_files`, and for a dataset that is not there.
    """
    files = known_files()
    listed_names = [name.strip() for name in os.environ.get(DATASETS_VARIABLE, "").split(",") if name.strip()]
    for name in listed_names:
        if name not in files:
            raise UsageError(f"{DATASETS_VARIABLE}: no dataset is named {name!r}; {did_you_mean(name, list(files))}")
    own_names = [dataset_name(file.stem) for file in _config_files(*_config_directories())]
    return {name: files[name] for name in listed_names or own_names or files}


def load_dataset(name: str) -> Plan:
    """Return the plan of one dataset, loaded by the code location or not. Raises UsageError for an unknown one, ConfigError
    for one that is wrong."""
    files = known_files() | dataset_files()
    if name not in files:
        raise UsageError(f"no dataset is named {name!r}; {did_you_mean(name, list(files))}")
    return load_config(files[name])


def load_datasets() -> tuple[list[Plan], dict[str, ConfigError]]:
    """Return the plans of all datasets, and for each whose config is wrong what is wrong with it."""
    plans: list[Plan] = []
    errors: dict[str, ConfigError] = {}
    for name, file in dataset_files().items():
        try:
            plans.append(load_config(file))
        except ConfigError as error:
            errors[name] = error
    return plans, errors


def _config_directories() -> list[Path]:
    return [Path(name) for name in os.environ.get(CONFIGS_VARIABLE, "").split(os.pathsep) if name]


def _config_files(*directories: Path) -> Iterator[Path]:
    for directory in directories:
        if not directory.is_dir():
            raise UsageError(f"{CONFIGS_VARIABLE}: {directory} is not a directory")
        yield from sorted(file for pattern in ("*.yaml", "*.yml") for file in directory.glob(pattern))


def definitions_of(
    plans: Iterable[Plan],
    broken: Mapping[str, ConfigError] | None = None,
    parameters: Mapping[str, Any] | None = None,
) -> dg.Definitions:
    """Return a code location with the given datasets, those that are `broken` among them, and the store that the environment
    names. One process makes all assets of a run: the work is vectorised, and a process per step would cost seconds.

    `parameters` are the parameters that the plans have already, for the records of a run.
    """
    store, plans = store_from_environment(), list(plans)
    needs = Needs(
        store_kind=store.kind, pool=SHARED_RESOURCES.pool if store.is_single_writer else None, parameters=parameters or {}
    )
    datasets = dg.Definitions.merge(
        *(dataset_definitions(plan, needs) for plan in plans),
        *(broken_definitions(name, error) for name, error in (broken or {}).items()),
    )
    return dg.Definitions.merge(
        datasets,
        dg.Definitions(
            resources={needs.store: store, **downstream_resources(store)},
            executor=dg.in_process_executor,
            sensors=[dead_runs_sensor(), reconcile_sensor(plans, needs.store), *alert_sensors("plotsim", datasets)],
        ),
    )


def dataset_definitions(
    plan: Plan, needs: Needs = SHARED_RESOURCES, cron: str | None = None, running: bool = False
) -> dg.Definitions:
    """Return the assets, checks, jobs and schedules of one dataset, without the store that they need. The increment's
    schedule is at its usual time or as `cron` says, and `running` from the start or not."""
    partitions = partitions_for(plan)
    table_definitions = [*stage_assets(plan, partitions, needs), *table_assets(plan, partitions, needs)]
    assets = [*table_definitions, *report_assets(plan, partitions, needs), *manifest_assets(plan, needs)]
    checks = [current_check(plan, needs), *common_check_assets(plan, needs)]
    definitions = dg.Definitions(
        assets=with_conditions(plan, assets, cron), asset_checks=checks, resources=resources_of(plan, needs)
    )
    return dg.Definitions.merge(definitions, automation(plan, needs, cron, running), freshness_of(plan, needs, cron))
