"""All bundled datasets load into one code location."""

from __future__ import annotations

from datetime import UTC, datetime

from plotsim_core import list_templates, load_config, template
from plotsim_pipeline.definitions import defs
from plotsim_pipeline.partitions import window_keys


def test_every_dataset_has_its_assets_job_and_schedule() -> None:
    names = set(list_templates())
    specs = {spec.key.to_user_string(): spec for spec in defs.resolve_all_asset_specs()}
    assert names <= {job.name for job in defs.resolve_all_job_defs()}
    growing = [name for name in names if load_config(template(name)).stop is None]
    schedules = {f"{name}_{what}" for name in growing for what in ("increment", "overview")}
    assert schedules == {schedule.name for schedule in defs.schedules or ()}
    assert {key.partition("/")[0] for key in specs} == names


def test_each_has_a_partition_per_period_of_its_window() -> None:
    """One without an end has those that are over."""
    specs = {spec.key.to_user_string(): spec for spec in defs.resolve_all_asset_specs()}
    for name in list_templates():
        plan = load_config(template(name))
        keys = window_keys(plan, datetime.now(UTC))
        for table in plan.tables:
            partitions = specs[f"{name}/{table.name}"].partitions_def
            assert partitions is not None
            assert partitions.get_partition_keys() == keys
