"""Windows become partitions: all of them, aligned, whatever today is."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from plotsim_core import Plan, create
from plotsim_pipeline.partitions import key_of, partitions_for, periods_of

METRICS = [{"name": "use", "type": "score", "polarity": "positive"}]
SEGMENTS = [{"name": "all", "count": 3, "archetype": "growth"}]


def plan_with(**window: object) -> Plan:
    return create(about="x", unit="thing", window=window, metrics=METRICS, segments=SEGMENTS)


@pytest.mark.parametrize(
    ("window", "first", "last", "count"),
    [
        ({"start": "2024-01-01", "end": "2024-01-02", "every": "hour"}, "2024-01-01-00:00", "2024-01-02-23:00", 48),
        ({"start": "2024-02", "end": "2024-02", "every": "day"}, "2024-02-01", "2024-02-29", 29),
        ({"start": "2024-01", "end": "2024-03", "every": "weekly"}, "2024-01-01", "2024-03-25", 13),
        ({"start": "2023-01", "end": "2024-12", "every": "monthly"}, "2023-01-01", "2024-12-01", 24),
        ({"start": "2023-01", "end": "2024-12", "every": "quarter"}, "2023-01-01", "2024-10-01", 8),
        ({"start": "2090-01", "end": "2090-12", "every": "day"}, "2090-01-01", "2090-12-31", 365),
    ],
)
def test_a_closed_window_has_all_its_partitions(window: dict[str, str], first: str, last: str, count: int) -> None:
    """Hours, days, ISO weeks, months and quarters, past or future: none is trimmed."""
    plan = plan_with(**window)
    partitions = partitions_for(plan)
    keys = partitions.get_partition_keys()
    assert (keys[0], keys[-1], len(keys)) == (first, last, count)
    assert keys == [key_of(plan, period) for period in range(plan.first, plan.stop or 0)]
    assert periods_of(plan, partitions, keys) == (plan.first, plan.stop)
    assert periods_of(plan, partitions, keys[1:2]) == (plan.first + 1, plan.first + 2)


def test_an_open_window_has_the_periods_that_are_over() -> None:
    """Without an end, the last partition is yesterday's."""
    plan = plan_with(start="2025-01-01", every="day", span=365)
    keys = partitions_for(plan).get_partition_keys(current_time=datetime(2025, 3, 2, 5, tzinfo=UTC))
    assert (keys[0], keys[-1]) == ("2025-01-01", "2025-03-01")
