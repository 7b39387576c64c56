"""The schedule of a dataset asks for its latest complete period, and for nothing outside its window."""

from __future__ import annotations

from datetime import UTC, datetime

import dagster as dg
import pytest

from plotsim_pipeline.schedules import automation
from tests.pipeline.support import plan_of


def schedule_of(name: str) -> dg.ScheduleDefinition:
    (schedule,) = automation(plan_of(name)).schedules or ()
    assert isinstance(schedule, dg.ScheduleDefinition)
    return schedule


def tick(name: str, moment: datetime) -> dg.RunRequest | dg.SkipReason:
    schedule = schedule_of(name)
    with dg.build_schedule_context(scheduled_execution_time=moment) as context:
        found = schedule(context)
    assert isinstance(found, dg.RunRequest | dg.SkipReason)
    return found


@pytest.mark.parametrize(
    ("name", "moment", "key"),
    [
        ("saas", datetime(2024, 3, 1, 2, 30, tzinfo=UTC), "2024-02-01"),
        ("saas", datetime(2025, 1, 1, 2, 30, tzinfo=UTC), "2024-12-01"),
        ("delivery", datetime(2024, 3, 1, 2, 30, tzinfo=UTC), "2024-02-29"),
    ],
)
def test_the_latest_complete_period(name: str, moment: datetime, key: str) -> None:
    """A tick makes the month or day that ended last."""
    request = tick(name, moment)
    assert isinstance(request, dg.RunRequest)
    assert (request.partition_key, request.run_key) == (key, key)


@pytest.mark.parametrize("moment", [datetime(2022, 5, 1, 3, tzinfo=UTC), datetime(2025, 3, 1, 3, tzinfo=UTC)])
def test_nothing_outside_the_window(moment: datetime) -> None:
    """Before the window and after it, a tick says why it does nothing."""
    assert isinstance(tick("saas", moment), dg.SkipReason)


def test_off_until_switched_on() -> None:
    """A schedule does not run until somebody switches it on."""
    assert schedule_of("saas").default_status == dg.DefaultScheduleStatus.STOPPED
