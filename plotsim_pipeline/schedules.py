"""The jobs of a dataset, and its schedules: the increment that catches up, and the overview of all that is stored."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

import dagster as dg

from plotsim_core import Plan
from plotsim_pipeline.assets import LAYER, STAGE, WHOLE
from plotsim_pipeline.home import command
from plotsim_pipeline.partitions import keys_between, latest_complete
from plotsim_pipeline.report import VALIDATION_REPORT

_INCREMENT_CRON = {
    "hour": "10 * * * *",
    "day": "30 2 * * *",
    "week": "30 2 * * 1",
    "month": "30 2 1 * *",
    "quarter": "30 2 1 */3 *",
    "year": "30 2 1 1 *",
}
_OVERVIEW_CRON = {**_INCREMENT_CRON, "hour": "30 4 * * 1", "day": "30 4 * * 1"}
_KEY = "dagster/partition"
_RANGE = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
_UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
_DEAD = timedelta(days=1)
"""A run that has been in progress for so long was killed, and nobody could say so."""


def automation(plan: Plan, cron: str | None = None, running: bool = False) -> dg.Definitions:
    """Return a dataset's jobs and schedules, which are off until somebody switches them on; the increment if not `running`.

    The job named after the dataset makes its tables, the report, overview and manifest; `<dataset>_increment` the tables and
    the report; `<dataset>_overview` what is told of all that is stored. The stages are assets off their path. The
    increment's schedule runs shortly after the end of a partition, or as `cron` says (in UTC).
    """
    made = dg.AssetSelection.groups(plan.name) - dg.AssetSelection.tag(LAYER, STAGE)  # as a text it would be parsed
    whole = made & dg.AssetSelection.tag(LAYER, WHOLE)
    # one process whatever the project around them says: a step takes milliseconds, a process of its own seconds
    job = partial(dg.define_asset_job, executor_def=dg.in_process_executor)
    says = f"Tables, report and overview of {plan.name}: {plan.dataset.about}."
    everything = job(plan.name, selection=made, description=says)
    increment = job(f"{plan.name}_increment", selection=made - whole, description=f"Tables and report of {plan.name}.")
    says = f"What is told of all that is stored of {plan.name}."
    overview = job(f"{plan.name}_overview", selection=whole, description=says)

    @dg.schedule(
        name=increment.name,
        job=increment,
        cron_schedule=cron or _INCREMENT_CRON[plan.partition.name],
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING if running else dg.DefaultScheduleStatus.STOPPED,
        description=f"The latest complete {plan.partition.name} of {plan.name}, and what is missing before it.",
    )
    def _increment(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest] | dg.SkipReason:
        return requests(plan, context.instance, context.scheduled_execution_time)

    told = dg.ScheduleDefinition(
        name=overview.name,
        job=overview,
        cron_schedule=_OVERVIEW_CRON[plan.partition.name],
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description=f"Pictures, score and answer key of all that is stored of {plan.name}.",
    )
    return dg.Definitions(jobs=[everything, increment, overview], schedules=[_increment, told])


def requests(plan: Plan, instance: dg.DagsterInstance, now: datetime) -> list[dg.RunRequest] | dg.SkipReason:
    """Return the runs that make what is missing of a dataset at a moment, one for each range of partitions without a gap.

    Missing is what lies between the first partition that was made of any table, or the latest complete one if none was,
    and the latest complete one, unless every table and the report have it or a run that makes it is in progress.
    """
    stop = latest_complete(plan, now) + 1
    over = plan.stop is not None and stop > plan.stop
    keys = keys_between(plan, plan.first, stop if plan.stop is None else min(stop, plan.stop))
    if not keys:
        return dg.SkipReason(f"the window of {plan.name} begins with {plan.grain.label(plan.first)}")
    names = [*(table.name for table in plan.tables), VALIDATION_REPORT]
    made = [instance.get_materialized_partitions(dg.AssetKey([plan.name, name])) & set(keys) for name in names]
    begun = min(set().union(*made), default=None)
    if begun is None and over:
        return dg.SkipReason(f"the window of {plan.name} is over, and nothing was made of it: {command('run', plan.name)}")
    wanted = keys[keys.index(begun) :] if begun is not None else keys[-1:]
    running = in_progress(plan, instance, keys)
    everywhere = set(wanted).intersection(*made)
    missing = [key in everywhere or key in running for key in wanted]
    found = [_request(part, now) for part in _gaps(wanted, missing)]
    return found or dg.SkipReason(f"{plan.name} is made, or being made, from {wanted[0]} to {wanted[-1]}")


def in_progress(plan: Plan, instance: dg.DagsterInstance, keys: Sequence[str]) -> set[str]:
    """Return which of the partitions `keys` a run makes now: of a job of the dataset, of assets of it or of a backfill."""
    found: set[str] = set()
    recent = datetime.now(UTC) - _DEAD
    for record in instance.get_run_records(dg.RunsFilter(statuses=_UNFINISHED, updated_after=recent)):
        run = record.dagster_run
        ours = any(asset.path[0] == plan.name for asset in run.asset_selection or ())
        if not ours and run.job_name not in (plan.name, f"{plan.name}_increment"):
            continue
        first, last = (run.tags.get(tag) or run.tags.get(_KEY) for tag in _RANGE)
        if first is not None and last is not None:
            found.update(key for key in keys if first <= key <= last)
    return found


def _gaps(keys: Iterable[str], there: Iterable[bool]) -> Iterator[list[str]]:
    """Yield the longest ranges of keys that are not there."""
    part: list[str] = []
    for key, is_there in zip(keys, there, strict=True):
        if not is_there:
            part.append(key)
        elif part:
            yield part
            part = []
    if part:
        yield part


def _request(keys: Sequence[str], now: datetime) -> dg.RunRequest:
    """Return the run of a range. Its run key holds the moment as well, so that what failed is asked for again."""
    name = f"{keys[0]}...{keys[-1]} at {now.astimezone(UTC):%Y-%m-%d %H:%M}"
    if len(keys) == 1:
        return dg.RunRequest(run_key=name, partition_key=keys[0])
    return dg.RunRequest(run_key=name, tags=dict(zip(_RANGE, (keys[0], keys[-1]), strict=True)))
