"""Periods of minutes: each unit has a row at each step of the clock, made alone as in the whole, and dated to the minute."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from plotsim_core import Plan, from_mapping, generate_tables, write_tables
from plotsim_core.validation.report import check_directory
from tests.marks import slow_but

FORMATS = ("csv", "jsonl", "parquet", "duckdb")


def sensors(**changes: Any) -> Plan:
    """Twenty devices for a week, read every five minutes."""
    raw: dict[str, Any] = {
        "about": "Sensors",
        "unit": "device",
        "window": {"start": "2024-02-26", "end": "2024-03-03", "every": "5 minutes"},
        "metrics": [
            {"name": "temperature", "type": "index", "polarity": "positive", "range": [-20, 60], "persistence": 0.9},
            {"name": "hits", "type": "count", "polarity": "positive", "mean": [4, 6]},
        ],
        "segments": [{"name": "all", "count": 20, "archetype": "flat"}],
        "dimensions": [
            {"name": "dim_device", "per": "unit", "columns": [{"name": "device_id", "type": "id"}]},
            {
                "name": "dim_date",
                "per": "period",
                "columns": [
                    {"name": "date_key", "type": "id"},
                    {"name": "clock", "type": "calendar.time"},
                    {"name": "day_name", "type": "calendar.day_name"},
                ],
            },
        ],
        "facts": [
            {
                "name": "fct_reading",
                "columns": [
                    {"name": "date_key", "type": "ref.dim_date"},
                    {"name": "device_id", "type": "ref.dim_device"},
                    {"name": "read_at", "type": "timestamp"},
                    {"name": "temperature", "type": "metric.temperature"},
                    {"name": "hits", "type": "metric.hits"},
                ],
            }
        ],
        "events": [
            {
                "name": "evt_hit",
                "trigger": "proportional",
                "driver": "hits",
                "scale": 0.1,
                "columns": [
                    {"name": "hit_id", "type": "id"},
                    {"name": "date_key", "type": "ref.dim_date"},
                    {"name": "device_id", "type": "ref.dim_device"},
                    {"name": "hit_at", "type": "timestamp"},
                ],
            }
        ],
    }
    return from_mapping({**raw, **changes}, name="sensors")


def test_each_device_has_a_reading_every_300_seconds() -> None:
    """288 a day, the leap day and the turn of the month in between."""
    rows = generate_tables(sensors(), tables=["fct_reading"])["fct_reading"]
    moments = pd.date_range("2024-02-26", periods=7 * 288, freq="5min")
    for _, readings in rows.groupby("device_id"):
        assert (readings["read_at"].to_numpy() == moments.to_numpy()).all()
    assert (rows.groupby(["device_id", rows["read_at"].dt.date]).size() == 288).all()


def test_dates_say_the_minute() -> None:
    """The key is the start of the period to the minute; parts of it are those of pandas."""
    dates = generate_tables(sensors(), tables=["dim_date"])["dim_date"]
    moments = pd.Series(pd.date_range("2024-02-26", periods=7 * 288, freq="5min"))
    assert dates["date_key"].tolist() == moments.dt.strftime("%Y%m%d%H%M").astype(int).tolist()
    assert dates["clock"].tolist() == moments.dt.strftime("%H:%M").tolist()
    assert dates["hour"].tolist() == moments.dt.hour.tolist() and dates["minute"].tolist() == moments.dt.minute.tolist()
    assert dates["day_name"].tolist() == moments.dt.day_name().tolist()
    assert dates["date"].tolist() == moments.dt.date.tolist()


def test_events_lie_in_their_five_minutes() -> None:
    events = generate_tables(sensors(), tables=["evt_hit"])["evt_hit"]
    starts = pd.to_datetime(events["date_key"].astype(str), format="%Y%m%d%H%M")
    offset = events["hit_at"] - starts
    assert len(events) > 1000 and (offset >= pd.Timedelta(0)).all() and (offset < pd.Timedelta(minutes=5)).all()


@pytest.mark.parametrize(("first", "count"), [("2024-02-29", 288), ("2024-02-29T23:55", 1), ("2024-02-29T11:05", 20)])
def test_some_minutes_alone_are_those_of_the_whole(first: str, count: int) -> None:
    plan = sensors()
    start = plan.grain.read(first)
    periods = f"{plan.grain.label(start)}..{plan.grain.label(start + count - 1)}"
    keys = set(plan.grain.keys(np.arange(start, start + count)).tolist())
    whole, part = (generate_tables(plan, periods=text) for text in (None, periods))
    for name in ("fct_reading", "evt_hit", "dim_date"):
        expected = whole[name][whole[name]["date_key"].isin(keys)].reset_index(drop=True)
        pd.testing.assert_frame_equal(part[name].reset_index(drop=True), expected)


def test_the_rhythm_moves_counts_by_the_hour() -> None:
    """Hits of closed hours are none, those of others in proportion to their weights: means of 12 x 7 x 20 Poisson counts."""
    weights = [*[0] * 8, *[1] * 8, *[3] * 4, *[0] * 4]
    plan = sensors(rhythm={"hours": weights})
    events = generate_tables(plan, tables=["evt_hit"])["evt_hit"]
    counts = events.groupby(events["hit_at"].dt.hour).size().reindex(range(24), fill_value=0).to_numpy()
    share = np.array(weights) / sum(weights)
    expected = len(events) * share
    assert (counts[share == 0] == 0).all() and counts.sum() > 5000
    assert (np.abs(counts - expected)[share > 0] < 5 * np.sqrt(expected[share > 0])).all()


def test_minutes_begin_where_they_do_whatever_the_window() -> None:
    """A window that begins later has the same rows in common."""
    late = sensors(window={"start": "2024-02-28", "end": "2024-03-03", "every": "5 minutes", "span": 2016})
    early = sensors(window={"start": "2024-02-28", "end": "2024-02-29", "every": "5 minutes", "span": 2016})
    later, earlier = (generate_tables(plan, tables=["fct_reading"])["fct_reading"] for plan in (late, early))
    pd.testing.assert_frame_equal(later.head(len(earlier)), earlier)


@pytest.mark.parametrize("format_", slow_but(FORMATS, "parquet"))
def test_the_report_finds_nothing_wrong(format_: str, tmp_path: Path) -> None:
    plan = sensors(
        window={"start": "2024-02-26", "end": "2024-02-29", "every": "5 minutes"},
        rhythm={"hours": "daytime", "weekdays": "workdays"},
    )
    assert plan.stop is not None
    write_tables(plan, tmp_path / "out", format=format_)
    report = check_directory(plan, tmp_path / "out", format_, plan.first, plan.stop)
    assert not report.failed, report.text()
