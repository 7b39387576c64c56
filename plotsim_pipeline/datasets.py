"""Datasets: which configs there are, and one config as Dagster definitions."""

import os
from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from plotsim_core import ConfigError, Plan, Problem, UsageError, load_config
from plotsim_core.api import TEMPLATES
from plotsim_pipeline.assets import stage_assets, table_assets
from plotsim_pipeline.manifest import manifest_assets
from plotsim_pipeline.partitions import partitions_for
from plotsim_pipeline.report import report_assets
from plotsim_pipeline.schedules import automation

CONFIGS_VARIABLE = "PLOTSIM_CONFIGS"
BUNDLED = TEMPLATES


def load_datasets() -> list[Plan]:
    """Return the plans of all configs: the bundled ones and those in the directories that `PLOTSIM_CONFIGS` names.

    Raises ConfigError that names every problem of every config.
    """
    plans: dict[str, Plan] = {}
    problems: list[Problem] = []
    for file in _files():
        try:
            plan = load_config(file)
        except ConfigError as error:
            problems += [Problem(f"{file}: {p.path}", p.message, p.hint) for p in error.problems]
            continue
        if plan.name in plans:
            problems.append(Problem(str(file), f"there is already a dataset named {plan.name}"))
        plans.setdefault(plan.name, plan)
    if problems:
        raise ConfigError(problems, "configs")
    return list(plans.values())


def _files() -> Iterator[Path]:
    extra = [Path(name) for name in os.environ.get(CONFIGS_VARIABLE, "").split(os.pathsep) if name]
    for directory in (BUNDLED, *extra):
        if not directory.is_dir():
            raise UsageError(f"{CONFIGS_VARIABLE}: {directory} is not a directory")
        yield from sorted(file for pattern in ("*.yaml", "*.yml") for file in directory.glob(pattern))


def dataset_definitions(plan: Plan) -> dg.Definitions:
    """Return the assets, checks, job and schedule of one dataset."""
    partitions = partitions_for(plan)
    made = [*stage_assets(plan, partitions), *table_assets(plan, partitions)]
    assets = [*made, *report_assets(plan, partitions), *manifest_assets(plan)]
    return dg.Definitions.merge(dg.Definitions(assets=assets), automation(plan))
