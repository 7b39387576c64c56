"""Windows as partitions: one partitions definition per dataset, shared by all its assets."""

from collections.abc import Sequence
from datetime import UTC, datetime

import dagster as dg
import numpy as np

from plotsim_core import Plan

_CRON = {
    "hour": "0 * * * *",
    "day": "0 0 * * *",
    "week": "0 0 * * 1",
    "month": "0 0 1 * *",
    "quarter": "0 0 1 */3 *",
}
_FORMAT = {"hour": "%Y-%m-%d-%H:%M"}
_DAY = "%Y-%m-%d"
_STEP = 500
"""How many periods ahead of today a closed window's definition reaches are rounded up to: it stays the same over reloads."""


def partitions_for(plan: Plan) -> dg.TimeWindowPartitionsDefinition:
    """Return one partition per period of the plan's window; a key is the first moment of its period.

    A closed window has all its partitions whatever today is. An open one has those that are over.
    """
    form = _FORMAT.get(plan.grain.name, _DAY)
    return dg.TimeWindowPartitionsDefinition(
        start=_moment(plan, plan.first).strftime(form),
        end=_moment(plan, plan.stop).strftime(form) if plan.stop is not None else None,
        fmt=form,
        cron_schedule=_CRON[plan.grain.name],
        end_offset=_ahead(plan) if plan.stop is not None else 0,
    )


def periods_of(plan: Plan, partitions: dg.TimeWindowPartitionsDefinition, keys: Sequence[str]) -> tuple[int, int]:
    """Return (first, stop) of the periods that a range of partition keys covers."""
    first = partitions.time_window_for_partition_key(keys[0]).start
    stop = partitions.time_window_for_partition_key(keys[-1]).end
    low, high = (plan.grain.read(moment.strftime("%Y-%m-%dT%H")) for moment in (first, stop))
    return low, high


def key_of(plan: Plan, period: int) -> str:
    """Return the partition key of a period."""
    return _moment(plan, period).strftime(_FORMAT.get(plan.grain.name, _DAY))


def period_of(plan: Plan, key: str) -> int:
    """Return the period of a partition key."""
    moment = datetime.strptime(key, _FORMAT.get(plan.grain.name, _DAY))
    return plan.grain.read(moment.strftime("%Y-%m-%dT%H"))


def _moment(plan: Plan, period: int) -> datetime:
    moment: datetime = plan.grain.starts(np.array([period]))[0].item()
    return moment


def _ahead(plan: Plan) -> int:
    """Return how many periods the window reaches beyond today, rounded up; Dagster shows none of the future by itself."""
    assert plan.stop is not None
    today = plan.grain.read(datetime.now(UTC).strftime("%Y-%m-%d"))
    return max(0, -(-(plan.stop - today) // _STEP) * _STEP)
