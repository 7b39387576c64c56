"""Dagster's partitions of a window with a time zone are its local days, and every store keeps which moment a typed column
says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from plotsim_core import Plan, batches, from_mapping
from plotsim_core.output.partitions import keys_between
from plotsim_pipeline.checks.freshness import freshness
from plotsim_pipeline.partitions import latest_complete, partitions_for, periods_in
from plotsim_pipeline.schedules import automation
from tests.pipeline.support import KINDS, assert_equals_the_batch, keys_of, materialise, store_at


def shops(**window: Any) -> Plan:
    """A few shops in New York around the change of clocks in autumn."""
    columns = [
        {"name": "visit_id", "type": "id"},
        {"name": "date_key", "type": "ref.dim_date"},
        {"name": "shop_id", "type": "ref.dim_shop"},
        {"name": "at", "type": "timestamp"},
        {"name": "at_utc", "type": "timestamp", "zone": "utc"},
        {"name": "at_berlin", "type": "timestamp", "zone": "Europe/Berlin"},
    ]
    usual = {"start": "2024-11-02", "end": "2024-11-05", "every": "day", "timezone": "America/New_York"}
    raw = {
        "about": "Shops",
        "unit": "shop",
        "window": {**usual, **window},
        "metrics": [{"name": "visits", "type": "count", "polarity": "positive", "mean": [20, 60]}],
        "segments": [{"name": "all", "count": 5, "archetype": "growth"}],
        "dimensions": [{"name": "dim_shop", "per": "unit", "columns": [{"name": "shop_id", "type": "id"}]}],
        "events": [{"name": "evt_visit", "trigger": "proportional", "driver": "visits", "columns": columns}],
    }
    return from_mapping(raw, name="shops")


@pytest.mark.parametrize(
    ("zone", "start", "hours"),
    [
        ("America/New_York", "2024-11-02", [24, 25, 24, 24]),
        ("America/New_York", "2024-03-09", [24, 23, 24, 24]),
        ("Asia/Beirut", "2024-03-30", [24, 23, 24, 24]),  # clocks are put forward at midnight
        ("Asia/Kolkata", "2024-03-09", [24, 24, 24, 24]),
    ],
)
def test_partitions_are_local_days_as_the_generator_has_them(zone: str, start: str, hours: list[int]) -> None:
    end = f"{datetime.fromisoformat(start) + timedelta(days=3):%Y-%m-%d}"
    plan = shops(start=start, end=end, timezone=zone)
    partitions = partitions_for(plan)
    assert partitions is not None
    keys = keys_of(plan)
    assert list(partitions.get_partition_keys()) == keys and keys[0] == start
    for key, length in zip(keys, hours, strict=True):
        window = partitions.time_window_for_partition_key(key)
        first, stop = periods_in(plan, key)
        edges = [edge.astimezone(UTC).replace(tzinfo=None) for edge in (window.start, window.end)]
        assert edges == [plan.grain.instants(np.array([period]))[0].item() for period in (first, stop)]
        assert edges[1] - edges[0] == timedelta(hours=length)


def test_without_a_zone_partitions_are_as_they_were() -> None:
    partitions = partitions_for(shops(timezone=None))
    assert partitions is not None and partitions.timezone == "UTC"


@pytest.mark.parametrize(("now", "last"), [("2024-11-04T04:59", "2024-11-02"), ("2024-11-04T05:00", "2024-11-03")])
def test_a_day_is_over_when_its_clocks_say_so(now: str, last: str) -> None:
    """On 3 November clocks are set back, so midnight of New York is 05:00 of UTC."""
    plan = shops(end=None, span=30)
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)
    assert plan.grain.label(latest_complete(plan, moment)) == last
    partitions = partitions_for(plan)
    assert partitions is not None
    keys = partitions.get_partition_keys(current_time=moment)
    assert keys == keys_between(plan, plan.first, latest_complete(plan, moment) + 1) and keys[-1] == last


def test_schedules_and_freshness_go_by_the_clocks_of_the_dataset(tmp_path: Path) -> None:
    plan = shops(end=None, span=30)
    schedules = list(automation(plan).schedules or ())
    assert schedules and {schedule.execution_timezone for schedule in schedules} == {"America/New_York"}
    store = store_at("duckdb", tmp_path)
    materialise(plan, store, ["2024-11-02"])
    for now, due in (("2024-11-04T09:29", "2024-11-02"), ("2024-11-04T09:31", "2024-11-03")):  # 02:30 and two hours
        state = freshness(plan, store, datetime.fromisoformat(now).replace(tzinfo=UTC))
        assert state is not None and state.key == due


@pytest.mark.parametrize("kind", KINDS)
def test_a_store_keeps_which_moment_it_is(kind: str, tmp_path: Path) -> None:
    """The day with 25 hours is made alone, after the others."""
    plan, store = shops(), store_at(kind, tmp_path)
    keys = keys_of(plan)
    for key_range in (keys[2:], keys[:1], keys[1:2]):
        assert materialise(plan, store, key_range).success
    assert plan.stop is not None
    assert_equals_the_batch(plan, store, plan.stop)
    batch = pa.Table.from_batches(batches(plan, "evt_visit")[1], plan.table("evt_visit").schema).sort_by("visit_id")
    with store.open_tables(plan, plan.first, plan.stop) as stored:
        relation = stored.relation(plan.table("evt_visit"))
        sql = (
            f'SELECT epoch_us("at"), epoch_us(at_utc), epoch_us(at_berlin), typeof(at_utc) FROM {relation} ORDER BY visit_id'
        )
        rows = stored.connection.sql(sql).fetchall()
    expected = zip(*(batch[name].cast(pa.int64()).to_pylist() for name in ("at", "at_utc", "at_berlin")), strict=True)
    assert [row[:3] for row in rows] == list(expected)
    assert {row[3] for row in rows} == {"TIMESTAMP WITH TIME ZONE"}
