"""The job of a dataset, and the schedule of its increments."""

from datetime import datetime

import dagster as dg

from plotsim_core import Plan
from plotsim_pipeline.assets import LAYER, STAGE
from plotsim_pipeline.partitions import key_of

_CRON = {
    "hour": "10 * * * *",
    "day": "30 2 * * *",
    "week": "30 2 * * 1",
    "month": "30 2 1 * *",
    "quarter": "30 2 1 */3 *",
}


def automation(plan: Plan) -> dg.Definitions:
    """Return a dataset's job and schedule.

    The job makes its tables and report; the stages are assets off its path. The schedule makes the latest complete
    period, shortly after its end; it is off until somebody switches it on.
    """
    job = dg.define_asset_job(
        plan.name,
        selection=dg.AssetSelection.groups(plan.name) - dg.AssetSelection.tag(LAYER, STAGE),  # as a text it would be parsed
        description=f"Tables and report of {plan.name}: {plan.dataset.about}.",
    )

    @dg.schedule(
        name=f"{plan.name}_increment",
        job=job,
        cron_schedule=_CRON[plan.grain.name],
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description=f"The latest complete {plan.grain.name} of {plan.name}.",
    )
    def _increment(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        period = latest_complete(plan, context.scheduled_execution_time)
        if period < plan.first:
            return dg.SkipReason(f"the window of {plan.name} begins with {plan.grain.label(plan.first)}")
        if plan.stop is not None and period >= plan.stop:
            return dg.SkipReason(f"the window of {plan.name} ended with {plan.grain.label(plan.stop - 1)}")
        key = key_of(plan, period)
        return dg.RunRequest(run_key=key, partition_key=key)

    return dg.Definitions(jobs=[job], schedules=[_increment])


def latest_complete(plan: Plan, now: datetime) -> int:
    """Return the number of the last period that was over at `now`."""
    return plan.grain.read(now.strftime("%Y-%m-%dT%H")) - 1
