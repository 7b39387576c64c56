"""The jobs of a dataset, and its schedules: the increment that catches up, and the overview of all that is stored."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

import dagster as dg

from plotsim_core import Plan
from plotsim_core.numerics.calendar import Grain
from plotsim_core.output.partitions import keys_between
from plotsim_core.tables.stages import stage_names
from plotsim_pipeline.assets.catalogue import LAYER, OVERVIEW_LAYER
from plotsim_pipeline.assets.tables import SHARED_RESOURCES, Needs
from plotsim_pipeline.dagster_home import command
from plotsim_pipeline.partitions import RANGE, keys_made, latest_complete, zone_of
from plotsim_pipeline.runs import in_progress
from plotsim_pipeline.sensors.reconcile import time_columns
from plotsim_pipeline.stores.duckdb_lock import wait_limit
from plotsim_pipeline.stores.store import Store

_INCREMENT_CRON = {
    "hour": "10 * * * *",
    "day": "30 2 * * *",
    "week": "30 2 * * 1",
    "month": "30 2 1 * *",
    "quarter": "30 2 1 */3 *",
    "year": "30 2 1 1 *",
}
"""Length of partitions to when the increment runs, by the clocks of the dataset."""
_WEEKLY = "30 4 * * 1"
_WAIT_SECONDS = 30.0
"""Seconds that a tick waits for a store that is busy; then it fails, and the daemon tries it again."""

_MAX_PAUSE = timedelta(days=366)
"""So long may nobody have looked at automation conditions, and what is missing is still asked for."""


def increment_cron(partition: Grain) -> str:
    """Return when the increment runs by the clocks of the dataset: partitions of minutes are made as they end."""
    return f"*/{partition.minutes} * * * *" if partition.is_part_of_hour else _INCREMENT_CRON[partition.name]


def overview_cron(partition: Grain) -> str:
    """Return when the overview runs by the clocks of the dataset: weekly, or after each partition where that is seldomer."""
    return _WEEKLY if partition.is_within_day else _INCREMENT_CRON[partition.name]


def automation(
    plan: Plan, needs: Needs = SHARED_RESOURCES, cron: str | None = None, running: bool = False
) -> dg.Definitions:
    """Return a dataset's jobs, and the schedules of one whose window is open; they are off until somebody switches them on,
    the increment if not `running`.

    The job named after the dataset makes its tables, the report, overview and manifest; `<dataset>_increment` the tables and
    report, where there are partitions; `<dataset>_overview` what is told of all that is stored. The stages are assets off
    their path. The increment's schedule runs shortly after the end of a partition, or as `cron` says, by
    the clocks of the dataset (UTC unless its window has a time zone).
    """
    dataset_assets = dg.AssetSelection.groups(plan.name)  # the stages have a group of their own
    overview_assets = dataset_assets & dg.AssetSelection.tag(LAYER, OVERVIEW_LAYER)
    # one process whatever the project around them says: a step takes milliseconds, a process of its own seconds
    job = partial(dg.define_asset_job, executor_def=dg.in_process_executor)
    description = f"Tables, report and overview of {plan.name}: {plan.dataset.about}."
    dataset_job = job(plan.name, selection=dataset_assets, description=description)
    increment = job(
        f"{plan.name}_increment",
        selection=dataset_assets - overview_assets,
        description=f"Tables and report of {plan.name}.",
    )
    description = f"What is told of all that is stored of {plan.name}."
    overview = job(f"{plan.name}_overview", selection=overview_assets, description=description)

    if plan.stop is not None:
        return dg.Definitions(jobs=[dataset_job, *([increment] if plan.has_window else []), overview])
    schedules = [_increment_schedule(plan, needs, increment.name, cron, running), _overview_schedule(plan, overview.name)]
    return dg.Definitions(jobs=[dataset_job, increment, overview], schedules=schedules, sensors=[automation_sensor(plan)])


def _increment_schedule(plan: Plan, needs: Needs, job: str, cron: str | None, running: bool) -> dg.ScheduleDefinition:
    """Return the schedule that makes the latest complete partition, and what is missing before it."""

    @dg.schedule(
        name=job,
        job_name=job,
        cron_schedule=cron or increment_cron(plan.partition),
        execution_timezone=zone_of(plan),
        default_status=dg.DefaultScheduleStatus.RUNNING if running else dg.DefaultScheduleStatus.STOPPED,
        description=f"The latest complete {plan.partition.noun} of {plan.name}, and what is missing before it.",
        required_resource_keys={needs.store},
    )
    def _increment(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest] | dg.SkipReason:
        with wait_limit(_WAIT_SECONDS):
            store: Store = getattr(context.resources, needs.store)
            return requests(plan, store, context.instance, context.scheduled_execution_time)

    return _increment


def _overview_schedule(plan: Plan, job: str) -> dg.ScheduleDefinition:
    """Return the schedule that tells of all that is stored."""
    return dg.ScheduleDefinition(
        name=job,
        job_name=job,
        cron_schedule=overview_cron(plan.partition),
        execution_timezone=zone_of(plan),
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description=f"Pictures, score and answer key of all that is stored of {plan.name}.",
    )


def requests(plan: Plan, store: Store, instance: dg.DagsterInstance, now: datetime) -> list[dg.RunRequest] | dg.SkipReason:
    """Return the runs that make what is missing of a dataset at a moment, one for each range of partitions without a gap.

    The store says what is made, as it does for `plotsim status`. Missing is what lies between the first partition that it
    holds of any table, or the latest complete one if it holds none, and the latest complete one, unless every table and the
    report have it or a run that makes it is in progress.
    """
    stop = latest_complete(plan, now) + 1
    is_over = plan.stop is not None and stop > plan.stop
    keys = keys_between(plan, plan.first, stop if plan.stop is None else min(stop, plan.stop))
    if not keys:
        return dg.SkipReason(f"the window of {plan.name} begins with {plan.grain.label(plan.first)}")
    partitions, stages = store.intact_partitions(plan.name), set(stage_names(plan))
    columns = {name: column for name, column in time_columns(plan).items() if name not in stages}
    made_keys = {n: keys_made(plan, keys, partitions.get(n, {}), column is None) for n, column in columns.items()}
    first_key = min(set().union(*(made_keys[name] for name, column in columns.items() if column)), default=None)
    if first_key is None and is_over:
        return dg.SkipReason(f"the window of {plan.name} is over, and nothing was made of it: {command('run', plan.name)}")
    due_keys = keys[keys.index(first_key) :] if first_key is not None else keys[-1:]
    busy_keys = in_progress(plan, instance, keys)
    complete_keys = set(due_keys).intersection(*made_keys.values())
    is_settled = [key in complete_keys or key in busy_keys for key in due_keys]
    runs = [_run_request(key_range, now) for key_range in _missing_ranges(due_keys, is_settled)]
    return runs or dg.SkipReason(f"{plan.name} is made, or being made, from {due_keys[0]} to {due_keys[-1]}")


def with_conditions(
    plan: Plan, assets: Sequence[dg.AssetsDefinition], cron: str | None = None
) -> Sequence[dg.AssetsDefinition]:
    """Return the assets of a dataset with the automation conditions that come nearest to its schedules, if its window is
    open: tables and report are asked for as the increment's schedule does it, overview and manifest as the overview's."""
    if plan.stop is not None:
        return assets

    def with_condition(spec: dg.AssetSpec) -> dg.AssetSpec:
        if spec.group_name != plan.name:
            return spec
        is_overview = spec.tags[LAYER] == OVERVIEW_LAYER
        tick = overview_cron(plan.partition) if is_overview else cron or increment_cron(plan.partition)
        condition = _at(tick, zone_of(plan)) if is_overview else _missing_at(tick, zone_of(plan))
        return spec.replace_attributes(automation_condition=condition)

    return dg.map_asset_specs(with_condition, assets)


def _at(tick: str, zone: str) -> dg.AutomationCondition[dg.AssetKey]:
    return dg.AutomationCondition.cron_tick_passed(tick, zone) & ~dg.AutomationCondition.in_progress()


def _missing_at(tick: str, zone: str) -> dg.AutomationCondition[dg.AssetKey]:
    """Return the condition of partitions that are missing at a tick, of those from the one on that was the latest complete
    one when the sensor first looked. Dagster has no condition for partitions after the first one that was ever made."""
    latest = dg.AutomationCondition.in_latest_time_window()
    completed = dg.AutomationCondition.in_latest_time_window(_MAX_PAUSE).newly_true()
    became_due = latest | (completed & ~dg.AutomationCondition.initial_evaluation())
    return _at(tick, zone) & dg.AutomationCondition.missing() & became_due.since(dg.AutomationCondition.newly_updated())


def automation_sensor(plan: Plan) -> dg.AutomationConditionSensorDefinition:
    """Return the sensor that evaluates the automation conditions of a dataset; it is off until somebody switches it on."""
    return dg.AutomationConditionSensorDefinition(
        f"{plan.name}_automation",
        target=dg.AssetSelection.groups(plan.name),
        default_status=dg.DefaultSensorStatus.STOPPED,
        description=f"Asks for {plan.name} by automation conditions, in place of its schedules: switch on one or the other.",
    )


def _missing_ranges(keys: Iterable[str], present: Iterable[bool]) -> Iterator[list[str]]:
    """Yield the missing keys as contiguous ranges, each as long as possible; `present` is a mask of the keys."""
    key_range: list[str] = []
    for key, is_present in zip(keys, present, strict=True):
        if not is_present:
            key_range.append(key)
        elif key_range:
            yield key_range
            key_range = []
    if key_range:
        yield key_range


def _run_request(keys: Sequence[str], now: datetime) -> dg.RunRequest:
    """Return the run of a range. Its run key holds the moment as well, so that what failed is asked for again."""
    name = f"{keys[0]}...{keys[-1]} at {now.astimezone(UTC):%Y-%m-%d %H:%M}"
    if len(keys) == 1:
        return dg.RunRequest(run_key=name, partition_key=keys[0])
    return dg.RunRequest(run_key=name, tags=dict(zip(RANGE, (keys[0], keys[-1]), strict=True)))
