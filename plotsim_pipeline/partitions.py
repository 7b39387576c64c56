"""Windows as partitions: one partitions definition per dataset, shared by all its assets. A partition is a period, or
several (`window.partition`). Days are those of UTC, or of `window.timezone`: so are keys and cron lines. A dataset without a
window has none: its tables are states that are made whole, and WHOLE stands where others have the key of a partition."""

import os
from bisect import bisect_right
from collections.abc import Collection, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import dagster as dg
import numpy as np

from plotsim_core import Plan, UsageError
from plotsim_core.numerics.calendar import Grain
from plotsim_core.output.partitions import WHOLE, key_format, keys_between

BACKFILL_VARIABLE = "PLOTSIM_BACKFILL"
RANGE = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
"""The tags of a run that say from which partition to which it goes."""
_CRON = {
    "hour": "0 * * * *",
    "day": "0 0 * * *",
    "week": "0 0 * * 1",
    "month": "0 0 1 * *",
    "quarter": "0 0 1 */3 *",
    "year": "0 0 1 1 *",
}
_AHEAD_STEP = 500
"""The partitions that a closed window has ahead of today are rounded up to so many: the definition stays over reloads."""


def _cron(partition: Grain) -> str:
    """Return the cron line of the moments at which partitions of some length begin."""
    return f"*/{partition.minutes} * * * *" if partition.is_part_of_hour else _CRON[partition.name]


def partitions_for(plan: Plan) -> dg.TimeWindowPartitionsDefinition | None:
    """Return the partitions of the plan's window; a key is the first moment of its partition. None without a window.

    A closed window has all its partitions whatever today is. An open one has those that are over.
    """
    if not plan.has_window:
        return None
    form = key_format(plan.partition)
    return dg.TimeWindowPartitionsDefinition(
        start=_start_of(plan.grain, plan.first).strftime(form),
        end=_start_of(plan.grain, plan.stop).strftime(form) if plan.stop is not None else None,
        fmt=form,
        timezone=zone_of(plan),
        cron_schedule=_cron(plan.partition),
        end_offset=_partitions_ahead(plan) if plan.stop is not None else 0,
    )


def backfill_policy() -> dg.BackfillPolicy:
    """Return how backfills are cut into runs: one run for a range, or one for each `PLOTSIM_BACKFILL` partitions.

    Raises UsageError for anything but a whole number of at least 1.
    """
    limit = os.environ.get(BACKFILL_VARIABLE, "").strip()
    if not limit:
        return dg.BackfillPolicy.single_run()
    if not limit.isdecimal() or int(limit) < 1:
        raise UsageError(f"{BACKFILL_VARIABLE}={limit}: expected how many partitions a run makes at most, 1 or more")
    return dg.BackfillPolicy.multi_run(int(limit))


def periods_in(plan: Plan, key: str) -> tuple[int, int]:
    """Return (first, stop) of the periods of one partition."""
    if not plan.has_window:
        return plan.first, plan.first + 1
    partition = _period_at(plan.partition, datetime.strptime(key, key_format(plan.partition)))
    first, stop = (_period_at(plan.grain, _start_of(plan.partition, edge)) for edge in (partition, partition + 1))
    return first, stop


def periods_between(plan: Plan, keys: Sequence[str]) -> tuple[int, int]:
    """Return (first, stop) of the periods that a range of partition keys covers."""
    return periods_in(plan, keys[0])[0], periods_in(plan, keys[-1])[1]


def key_of(plan: Plan, period: int) -> str:
    """Return the key of the partition that holds a period."""
    if not plan.has_window:
        return WHOLE
    partition = _period_at(plan.partition, _start_of(plan.grain, period))
    return _start_of(plan.partition, partition).strftime(key_format(plan.partition))


def end_of(plan: Plan, key: str) -> str:
    """Return the moment at which a partition ends, as stores write it down of states."""
    return WHOLE if not plan.has_window else moment_of(plan, periods_in(plan, key)[1])


def moment_of(plan: Plan, period: int) -> str:
    """Return the moment at which a period begins, as stores write it down of states."""
    return f"{_start_of(plan.grain, period):%Y-%m-%d %H:%M:%S}"


def keys_until(plan: Plan, keys: Sequence[str], moment: str) -> Sequence[str]:
    """Return those of some partitions in their order that end by a moment: what a state as of it stands for."""
    return keys[: bisect_right(keys, moment, key=lambda key: end_of(plan, key))]


def keys_made(plan: Plan, keys: Sequence[str], stored: Collection[str], is_state: bool) -> list[str]:
    """Return which of some partitions in their order a table has, of which `stored` is in the store: keys of partitions, or
    the moment of a state."""
    if is_state:
        return [key for moment in stored for key in keys_until(plan, keys, moment)]
    return [key for key in keys if key in stored]


def partition_of(plan: Plan, date_key: int) -> str | None:
    """Return the key of the partition that holds the period of a date key; None for a number that is no date."""
    try:
        return key_of(plan, plan.grain.period_of_key(date_key))
    except ValueError:
        return None


def latest_complete(plan: Plan, now: datetime) -> int:
    """Return the number of the last period of the last partition that was over at `now`, a moment with a time zone."""
    current_partition = _period_at(plan.partition, now.astimezone(ZoneInfo(zone_of(plan))))
    return _period_at(plan.grain, _start_of(plan.partition, current_partition)) - 1


def window_keys(plan: Plan, now: datetime) -> list[str]:
    """Return the keys of the whole window, or of what is over of it at `now` if it is open; WHOLE alone without a window."""
    return keys_between(plan, plan.first, plan.stop if plan.stop is not None else latest_complete(plan, now) + 1)


def zone_of(plan: Plan) -> str:
    """Return the time zone whose days the periods of a dataset are."""
    return plan.grain.zone or "UTC"


def _period_at(grain: Grain, moment: datetime) -> int:
    return int(grain.holding(np.array([moment.replace(tzinfo=None)], dtype="datetime64[s]"))[0])


def _start_of(grain: Grain, period: int) -> datetime:
    moment: datetime = grain.civil_starts(np.array([period]))[0].item()
    return moment


def _partitions_ahead(plan: Plan) -> int:
    """Return the number of partitions after today, rounded up to `_AHEAD_STEP`; by default Dagster shows no future
    partitions."""
    assert plan.stop is not None
    last = _period_at(plan.partition, _start_of(plan.grain, plan.stop - 1))
    today = datetime.now(ZoneInfo(zone_of(plan)))
    return max(0, -(-(last + 1 - _period_at(plan.partition, today)) // _AHEAD_STEP) * _AHEAD_STEP)
