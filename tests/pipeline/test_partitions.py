"""Windows become partitions: all of them, aligned, whatever today is."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from plotsim_core import Plan, UsageError, create, from_mapping
from plotsim_core.config.read import read
from plotsim_core.output.partitions import keys_between
from plotsim_core.validation.store import stored_date_keys
from plotsim_pipeline.assets.report_files import stored_periods
from plotsim_pipeline.partitions import (
    backfill_policy,
    key_of,
    latest_complete,
    partitions_for,
    periods_between,
    periods_in,
    window_keys,
)
from plotsim_pipeline.stores import STORES
from tests.marks import slow_but
from tests.pipeline.support import CONFIGS, content, keys_of, materialise, store_at

METRICS = [{"name": "use", "type": "score", "polarity": "positive"}]
SEGMENTS = [{"name": "all", "count": 3, "archetype": "growth"}]


def plan_with(**window: object) -> Plan:
    return create(about="x", unit="thing", window=window, metrics=METRICS, segments=SEGMENTS)


@pytest.mark.parametrize(
    ("window", "first", "last", "count"),
    [
        ({"start": "2024-01-01", "end": "2024-01-14", "every": "hour", "partition": "day"}, "2024-01-01", "2024-01-14", 14),
        ({"start": "2024-01-01", "end": "2024-01-14", "every": "hour", "partition": "week"}, "2024-01-01", "2024-01-08", 2),
        ({"start": "2024-01", "end": "2033-12", "every": "day", "partition": "month"}, "2024-01-01", "2033-12-01", 120),
        ({"start": "2090-01", "end": "2090-12", "every": "day", "partition": "quarter"}, "2090-01-01", "2090-10-01", 4),
        ({"start": "2020-01", "end": "2029-12", "every": "month", "partition": "year"}, "2020-01-01", "2029-01-01", 10),
        ({"start": "2020-01", "end": "2029-12", "every": "quarter", "partition": "year"}, "2020-01-01", "2029-01-01", 10),
        ({"start": "2024-01-01", "end": "2024-01-02", "every": "hour"}, "2024-01-01-00:00", "2024-01-02-23:00", 48),
        (
            {"start": "2024-01-01", "end": "2024-01-02", "every": "5 minutes"},
            "2024-01-01-00:00",
            "2024-01-02-23:55",
            576,
        ),
        (
            {"start": "2024-01-01", "end": "2024-01-02", "every": "minute", "partition": "hour"},
            "2024-01-01-00:00",
            "2024-01-02-23:00",
            48,
        ),
        ({"start": "2024-02", "end": "2024-02", "every": "day"}, "2024-02-01", "2024-02-29", 29),
        ({"start": "2024-01", "end": "2024-03", "every": "weekly"}, "2024-01-01", "2024-03-25", 13),
        ({"start": "2023-01", "end": "2024-12", "every": "monthly"}, "2023-01-01", "2024-12-01", 24),
        ({"start": "2023-01", "end": "2024-12", "every": "quarter"}, "2023-01-01", "2024-10-01", 8),
        ({"start": "2090-01", "end": "2090-12", "every": "day"}, "2090-01-01", "2090-12-31", 365),
    ],
)
def test_a_closed_window_has_all_its_partitions(window: dict[str, str], first: str, last: str, count: int) -> None:
    """Minutes, hours, days, ISO weeks, months and quarters, or several of them, past or future: none is trimmed."""
    plan = plan_with(**window)
    partitions = partitions_for(plan)
    keys = partitions.get_partition_keys()
    assert (keys[0], keys[-1], len(keys)) == (first, last, count)
    assert plan.stop is not None
    assert keys == list(dict.fromkeys(key_of(plan, period) for period in range(plan.first, plan.stop)))
    assert keys == keys_between(plan, plan.first, plan.stop) == window_keys(plan, datetime(2000, 1, 1, tzinfo=UTC))
    assert periods_between(plan, keys) == (plan.first, plan.stop)
    parts = [periods_between(plan, [key]) for key in keys]
    assert parts == [periods_in(plan, key) for key in keys]
    assert [period for first, stop in parts for period in range(first, stop)] == list(range(plan.first, plan.stop))


def test_an_open_window_has_the_periods_that_are_over() -> None:
    """Without an end, the last partition is yesterday's."""
    plan = plan_with(start="2025-01-01", every="day", span=365)
    keys = partitions_for(plan).get_partition_keys(current_time=datetime(2025, 3, 2, 5, tzinfo=UTC))
    assert (keys[0], keys[-1]) == ("2025-01-01", "2025-03-01")


@pytest.mark.parametrize(("partition", "last"), [(None, "2025-03-01"), ("week", "2025-02-17"), ("month", "2025-02-01")])
def test_an_open_window_grows_by_whole_partitions(partition: str | None, last: str) -> None:
    """On 2 March the last is 1 March, the week that ended in February, February."""
    plan = plan_with(start="2024-01-01", every="day", span=365, partition=partition)
    now = datetime(2025, 3, 2, 5, tzinfo=UTC) if partition != "week" else datetime(2025, 2, 24, tzinfo=UTC)
    keys = partitions_for(plan).get_partition_keys(current_time=now)
    assert keys[-1] == last
    assert keys == window_keys(plan, now) == keys_between(plan, plan.first, latest_complete(plan, now) + 1)


def saas(**window: Any) -> Plan:
    """Eighteen months of saas, or as the window says."""
    raw = read(CONFIGS / "saas.yaml")
    raw["segments"] = [{**segment, "count": 4} for segment in raw["segments"]]
    return from_mapping({**raw, "window": {"start": "2023-01", "end": "2024-12", "every": "month", **window}}, name="saas")


@pytest.mark.slow
@pytest.mark.parametrize("kind", [pytest.param(k, marks=[] if k == "duckdb" else pytest.mark.long) for k in STORES])
def test_the_rows_are_the_same_whatever_the_partitions(kind: str, tmp_path: Path) -> None:
    """Months, quarters in two ranges and from the last to the first, years: the same rows are stored, and all periods are
    known as stored."""
    names = ["dim_company", "fct_revenue", "evt_login", "evt_churn"]
    stored = []
    for length, cuts in ((None, [slice(None)]), ("quarter", [slice(3, None), slice(0, 3)]), ("year", [slice(None)])):
        plan, store = saas(partition=length), store_at(kind, tmp_path / str(length))
        keys = keys_of(plan)
        for cut in cuts:
            assert materialise(plan, store, keys[cut], only=names).success
        values = {table: set(partitions) for table, partitions in store.intact_partitions("saas").items()}
        assert values["fct_revenue"] == values["evt_churn"] == set(keys)
        assert stored_periods(plan, store) == (plan.first, plan.stop)
        with store.open_tables(plan, plan.first, plan.stop or 0) as opened:
            assert opened.stored_keys is not None and len(opened.stored_keys["fct_revenue"]) == 24
        stored.append(content(plan, store))
    assert set(stored[0]) == set(names)
    assert stored[0] == stored[1] == stored[2]


@pytest.mark.long
def test_the_report_is_the_same_whatever_the_partitions(tmp_path: Path) -> None:
    """Every period is judged once, and what is wrong of it is the same."""
    values = set()
    for length in (None, "quarter", "year"):
        plan, store = saas(partition=length), store_at("duckdb", tmp_path / str(length))
        keys, names = keys_of(plan), [*(table.name for table in plan.tables), "validation_report"]
        for part in (keys[len(keys) // 2 :], keys[: len(keys) // 2]):
            assert materialise(plan, store, part, only=names).success
        values.add(store.query("SELECT count(DISTINCT date_key), sum(faults) FROM saas.validation_report", ["saas"]))
    assert len(values) == 1


@pytest.mark.parametrize("kind", slow_but(STORES, "duckdb"))
@pytest.mark.parametrize(
    ("first", "then"),
    [
        pytest.param(None, "quarter", marks=pytest.mark.slow),
        pytest.param("quarter", None, marks=pytest.mark.slow),
        ("quarter", "year"),
    ],
)
def test_partitions_of_two_lengths_do_not_mix(kind: str, first: str | None, then: str | None, tmp_path: Path) -> None:
    """The key of a quarter is that of its first month: a table with the one refuses the other, and keeps what it has."""
    plan, store = saas(partition=first), store_at(kind, tmp_path)
    materialise(plan, store, keys_of(plan)[:2], only=["fct_revenue"])
    before = content(plan, store)
    other = saas(partition=then)
    with pytest.raises(dg.Failure, match=r"`window\.partition`"):
        materialise(other, store, keys_of(other)[:1], only=["fct_revenue"])
    assert content(plan, store) == before


def test_the_periods_of_a_partition_are_stored_periods() -> None:
    """A partition that is stored is all its periods, by their date keys."""
    plan = plan_with(start="2024-01", end="2024-12", every="day", partition="month")
    (stored,) = (
        stored_date_key
        for name, stored_date_key in stored_date_keys(plan, [("fct_use", "2024-02-01")]).items()
        if name == "fct_use"
    )
    assert sorted(stored) == list(range(20240201, 20240230))
    minutes = plan_with(start="2024-01-01", end="2024-01-02", every="20 minutes", partition="hour")
    assert sorted(stored_date_keys(minutes, [("fct_use", "2024-01-02-07:00")])["fct_use"]) == [
        202401020700,
        202401020720,
        202401020740,
    ]
    alone = plan_with(start="2024-01-01", end="2024-01-02", every="20 minutes")
    assert stored_date_keys(alone, [("fct_use", "2024-01-02-07:20")])["fct_use"] == {202401020720}
    hours = plan_with(start="2024-01-01", end="2024-01-02", every="hour", partition="day")
    assert sorted(stored_date_keys(hours, [("fct_use", "2024-01-02")])["fct_use"]) == list(range(2024010200, 2024010224))


def test_a_range_is_one_run_unless_the_environment_says_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    assert backfill_policy() == dg.BackfillPolicy.single_run()
    monkeypatch.setenv("PLOTSIM_BACKFILL", "1")
    assert backfill_policy() == dg.BackfillPolicy.multi_run(1)
    for wrong in ("0", "partition", "-1"):
        monkeypatch.setenv("PLOTSIM_BACKFILL", wrong)
        with pytest.raises(UsageError, match="PLOTSIM_BACKFILL"):
            backfill_policy()
