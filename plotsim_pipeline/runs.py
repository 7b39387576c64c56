"""Runs of a dataset: which partitions they make, and whose they are in the UI."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import dagster as dg

try:  # the timeline shows a run by its origin, which only runs that are launched get by themselves
    from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteRepositoryOrigin
except ImportError:  # a Dagster with other private names: runs are there, but not on the timeline
    RemoteRepositoryOrigin = None  # type: ignore[assignment,misc] # it is there in the version that is checked

from plotsim_core import Plan
from plotsim_core.output.partitions import keys_between
from plotsim_pipeline.partitions import RANGE, periods_in

PARTITION = "dagster/partition"
"""The tag of a run that makes one partition."""
_UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
_DEAD = timedelta(days=1)
"""A run that has been in progress for so long was killed, and nobody could say so."""
LOCATION, REPOSITORY = "plotsim_pipeline", "__repository__"
"""This package's code location, by the name that workspace.yaml and deploy/ give it."""
PARAMETERS_TAG = "plotsim/parameters"
"""The tag with the parameters of a run that `plotsim materialize` made, as JSON."""
REPOSITORY_TAG = ".dagster/repository"
"""The tag by which the UI looks for the runs of a code location."""


def give_origin(instance: dg.DagsterInstance, run_id: str) -> None:
    """Write down that a run, which was executed and not launched, is one of this package's code location."""
    run = instance.get_run_by_id(run_id)
    if run is not None and RemoteRepositoryOrigin is not None:
        origin = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin(LOCATION), REPOSITORY)
        instance.run_storage.replace_job_origin(run, origin.get_job_origin(run.job_name))


def in_progress(plan: Plan, instance: dg.DagsterInstance, keys: Sequence[str]) -> set[str]:
    """Return which of the partitions `keys` a run makes now: of a job of the dataset, of assets of it or of a backfill."""
    busy_keys: set[str] = set()
    oldest_update = datetime.now(UTC) - _DEAD
    for record in instance.get_run_records(dg.RunsFilter(statuses=_UNFINISHED, updated_after=oldest_update)):
        run = record.dagster_run
        is_ours = any(asset.path[0] == plan.name for asset in run.asset_selection or ())
        if not is_ours and run.job_name not in (plan.name, f"{plan.name}_increment"):
            continue
        first, last = (run.tags.get(tag) or run.tags.get(PARTITION) for tag in RANGE)
        if not plan.has_window:
            busy_keys.update(keys)
        elif first is not None and last is not None:
            busy_keys.update(key for key in keys if first <= key <= last)
    return busy_keys


def run_keys(run: dg.DagsterRun, plan: Plan) -> list[str] | None:
    """Return the partitions that a run makes, by its tags; None for a run without partitions."""
    first, last = (run.tags.get(tag) or run.tags.get(PARTITION) for tag in RANGE)
    if first is None or last is None:
        return None
    return keys_between(plan, periods_in(plan, first)[0], periods_in(plan, last)[1])
