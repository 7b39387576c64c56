"""Silent stretches: units that make no rows for some periods and then go on, wherever rows of units in periods are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from plotsim_core import Plan, UsageError, explain, from_mapping, generate_tables, write_tables
from plotsim_core.cli import main
from plotsim_core.engine.block import Block
from plotsim_core.engine.lifetimes import recording
from plotsim_core.engine.roster import select
from plotsim_core.engine.silence import silent_cells
from plotsim_core.engine.slice import Slice, full_slice
from plotsim_core.numerics.random import fold, key, uniforms, words
from plotsim_core.validation.report import check_directory

RATE, LENGTH = 0.01, [2, 20]


def devices(silence: Any = {"rate": RATE, "length": LENGTH}, **changes: Any) -> Plan:  # noqa: B006 (never changed)
    """A hundred devices, of which some are silent at times, for four days of 15 minutes."""
    keys = [{"name": "date_key", "type": "ref.dim_date"}, {"name": "device_id", "type": "ref.dim_device"}]
    raw: dict[str, Any] = {
        "about": "Sensors",
        "unit": "device",
        "window": {"start": "2024-01-01", "end": "2024-01-04", "every": "15 minutes"},
        "metrics": [
            {"name": "temperature", "type": "index", "polarity": "positive", "range": [-20, 60], "persistence": 0.9},
            {"name": "hits", "type": "count", "polarity": "positive", "mean": [1, 3]},
        ],
        "segments": [
            {"name": "outdoor", "count": 60, "archetype": "growth", **({"silence": silence} if silence else {})},
            {"name": "wired", "count": 40, "archetype": "flat"},
        ],
        "dimensions": [
            {"name": "dim_device", "per": "unit", "columns": [{"name": "device_id", "type": "id"}]},
            {"name": "dim_port", "reference": True, "columns": [{"name": "port_id", "type": "id", "values": ["a", "b"]}]},
        ],
        "facts": [
            {
                "name": "fct_reading",
                "columns": [
                    *keys,
                    {"name": "read_at", "type": "timestamp"},
                    {"name": "temperature", "type": "metric.temperature"},
                    {"name": "hits", "type": "metric.hits"},
                    {"name": "before", "type": "lag.temperature"},
                ],
            },
            {
                "name": "fct_total",
                "per": "period",
                "columns": [keys[0], {"name": "hits", "type": "metric.hits"}, {"name": "devices", "type": "units"}],
            },
        ],
        "events": [
            {
                "name": "evt_hit",
                "trigger": "proportional",
                "driver": "hits",
                "columns": [{"name": "hit_id", "type": "id"}, *keys, {"name": "hit_at", "type": "timestamp"}],
            },
            {
                "name": "evt_hot",
                "trigger": "threshold",
                "metric": "temperature",
                "above": 30,
                "for": 2,
                "refire": True,
                "columns": [{"name": "hot_id", "type": "id"}, *keys],
            },
        ],
    }
    return from_mapping({**raw, **changes}, name="sensors")


def cells(frame: pd.DataFrame) -> set[tuple[str, int]]:
    return set(zip(frame["device_id"], frame["date_key"], strict=True))


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    return generate_tables(devices())


@pytest.fixture(scope="module")
def whole_tables() -> dict[str, pd.DataFrame]:
    """The same without silence."""
    return generate_tables(devices(silence=None))


def test_silence_is_what_its_draws_say() -> None:
    """Unit by unit and period by period: a cell is silent if a stretch that began before, or begins in it, reaches it."""
    plan = devices()
    population, units = plan.population, select(plan.population, 0, 60)
    first, stop = plan.first + 30, plan.first + 130
    begin, length = (key(population.seed, name) for name in ("silence", "length of silence"))
    for place in range(0, 60, 7):
        expected = set()
        for period in range(first - LENGTH[1], stop):
            address = fold(units.address[place : place + 1], words(np.array([period])))
            if uniforms(begin, address)[0] < RATE:
                last = period + LENGTH[0] + int(uniforms(length, address)[0] * (LENGTH[1] - LENGTH[0] + 1))
                expected |= set(range(period, last))
        actual = first + np.flatnonzero(silent_cells(population, units, first, stop)[:, place])
        assert set(actual.tolist()) == {period for period in expected if first <= period < stop}


def test_units_are_silent_for_the_share_that_is_told(tables: dict[str, pd.DataFrame]) -> None:
    """Of 384 x 60 cells; stretches of a unit are independent, so that the share of units has the error of its mean."""
    plan = devices()
    spec = plan.population.segments[0].spec.silence
    assert spec is not None
    is_silent = silent_cells(plan.population, select(plan.population, 0, 60), plan.first, plan.stop or 0)
    shares = is_silent.mean(axis=0)
    assert abs(shares.mean() - spec.share) < 4 * shares.std() / np.sqrt(len(shares))
    mean_length = sum(LENGTH) / 2
    assert spec.share < RATE * mean_length < 1.2 * spec.share  # less than that, as stretches overlap
    assert not silent_cells(plan.population, select(plan.population, 60, 100), plan.first, plan.stop or 0).any()


def test_rows_of_a_stretch_are_missing_and_no_others(
    tables: dict[str, pd.DataFrame], whole_tables: dict[str, pd.DataFrame]
) -> None:
    """Facts and events: the rows that are left are those that there would be, but for what an earlier row has to say."""
    silent_keys = cells(whole_tables["fct_reading"]) - cells(tables["fct_reading"])
    assert len(silent_keys) > 1000
    for name in ("fct_reading", "evt_hit"):
        whole = whole_tables[name]
        is_silent = [cell in silent_keys for cell in zip(whole["device_id"], whole["date_key"], strict=True)]
        expected = whole[~np.array(is_silent)].reset_index(drop=True).drop(columns="before", errors="ignore")
        pd.testing.assert_frame_equal(tables[name].drop(columns="before", errors="ignore"), expected, check_dtype=False)
    assert not cells(tables["evt_hot"]) & silent_keys
    pd.testing.assert_frame_equal(tables["dim_device"], whole_tables["dim_device"])


def test_gaps_are_as_long_as_stretches(tables: dict[str, pd.DataFrame]) -> None:
    """No gap is shorter than the shortest stretch; silence is of single devices; those of other segments have none."""
    readings = tables["fct_reading"]
    steps = readings.groupby("device_id")["read_at"].diff().dropna() / pd.Timedelta(minutes=15)
    gaps = steps[steps > 1] - 1
    assert len(gaps) > 100 and gaps.min() >= LENGTH[0] and LENGTH[1] / 2 < gaps.max()
    assert readings["temperature"].notna().all()
    rows = readings.groupby("device_id").size()
    assert (rows == 384).sum() >= 40 and 30 < (rows < 384).sum() <= 60


def test_a_lag_is_null_after_a_gap_and_a_run_is_broken_by_it(tables: dict[str, pd.DataFrame]) -> None:
    """What a row says of the row before, and a threshold of several periods, is what the stored rows say."""
    for _, readings in tables["fct_reading"].groupby("device_id"):
        is_next = (readings["read_at"].diff() == pd.Timedelta(minutes=15)).to_numpy()
        before, values = readings["before"].to_numpy(dtype=float), readings["temperature"].to_numpy(dtype=float)
        assert (np.isnan(before) == ~is_next).all()
        assert (before[1:][is_next[1:]] == values[:-1][is_next[1:]]).all()
    hot = cells(tables["evt_hot"])
    readings = tables["fct_reading"].copy()
    same_run = readings.groupby("device_id")["read_at"].diff() == pd.Timedelta(minutes=15)
    above = readings["temperature"] > 30
    count = above.groupby([readings["device_id"], (~(above & same_run)).groupby(readings["device_id"]).cumsum()]).cumsum()
    fired = readings[above & (count == 2)]
    assert len(fired) > 50 and cells(fired) == hot


def test_totals_are_those_of_the_rows(tables: dict[str, pd.DataFrame]) -> None:
    """A total over all units adds up what is stored; the units that are there are counted, silent or not."""
    sums = tables["fct_reading"].groupby("date_key")["hits"].sum()
    assert tables["fct_total"]["hits"].tolist() == sums.tolist()
    assert (tables["fct_total"]["devices"] == 100).all()


@pytest.mark.parametrize("unit_count", [1, 7, 100])
@pytest.mark.parametrize("period_count", [1, 5, 96])
def test_some_cells_alone_are_those_of_the_whole(unit_count: int, period_count: int) -> None:
    plan = devices()
    whole = recording(Block(plan.population, full_slice(plan.population, plan.first, plan.stop)))
    first = plan.first + 41
    part = recording(Block(plan.population, Slice(first, first + period_count, 0, unit_count)))
    assert np.array_equal(part, whole[41 : 41 + period_count, :unit_count])


def test_rows_of_cells_and_grids_are_silent_too() -> None:
    """Rows of a grid that combines a kind of unit with another are missing where either is silent."""
    silence = {"rate": 0.05, "length": [1, 4]}
    metrics = [{"name": "hits", "type": "count", "polarity": "positive", "mean": [2, 4]}]
    gateways = {
        "unit": "gateway",
        "metrics": [{"name": "load", "type": "score", "polarity": "positive"}],
        "segments": [{"name": "old", "count": 4, "archetype": "flat", "silence": silence}],
        "tables": [{"name": "gateways", "per": "gateway", "columns": {"gateway_id": "id"}}],
    }
    raw: dict[str, Any] = {
        "about": "Links",
        "unit": "device",
        "window": {"start": "2024-01-01", "end": "2024-02-29", "every": "day"},
        "metrics": metrics,
        "segments": [{"name": "outdoor", "count": 12, "archetype": "flat", "silence": silence}],
        "units": [gateways],
        "tables": [
            {"name": "devices", "per": "device", "columns": {"device_id": "id"}},
            {
                "name": "signals",
                "per": ["device", "gateway", "period"],
                "columns": {"device_id": "ref.devices", "gateway_id": "ref.gateways", "date_key": "ref.dim_date"},
            },
            {
                "name": "calls",
                "per": ["device", "period"],
                "rows": 2,
                "columns": {"call_id": "id", "device_id": "ref.devices", "date_key": "ref.dim_date"},
            },
        ],
    }
    plan = from_mapping(raw, name="links")
    frames = generate_tables(plan)
    present = {}
    for population, name in zip(plan.populations, ("device", "gateway"), strict=True):
        mask = recording(Block(population, full_slice(population, plan.first, plan.stop)))
        ids = frames[f"{name}s"][f"{name}_id"].tolist()
        dates = plan.grain.keys(np.arange(plan.first, plan.stop or 0)).tolist()
        present[name] = {(ids[unit], dates[period]) for period, unit in zip(*np.nonzero(mask), strict=True)}
        assert 0.7 < mask.mean() < 0.98
    expected = {(d, g, date) for d, date in present["device"] for g, other in present["gateway"] if date == other}
    signals = frames["signals"]
    assert set(zip(signals["device_id"], signals["gateway_id"], signals["date_key"], strict=True)) == expected
    calls = frames["calls"]
    assert cells(calls) == present["device"] and (calls.groupby(["device_id", "date_key"]).size() == 2).all()


def test_the_report_knows_silence_and_nothing_else(tmp_path: Path) -> None:
    """It passes; a row less or one more in a period fails it."""
    plan = devices()
    assert plan.stop is not None
    write_tables(plan, tmp_path, format="parquet")
    report = check_directory(plan, tmp_path, "parquet", plan.first, plan.stop)
    assert not report.failed, report.text()
    file = tmp_path / "fct_reading.parquet"
    rows = pq.read_table(file)
    for broken, check in ((rows.slice(1), "rows_as_expected"), (with_a_silent_row(rows), "periods_complete")):
        pq.write_table(broken, file)
        failed = check_directory(plan, tmp_path, "parquet", plan.first, plan.stop)
        assert any(
            line.split()[:2] in (["FAIL", f"{check}:"], ["warn", f"{check}:"]) for line in failed.text().splitlines()
        ), failed.text()


def with_a_silent_row(rows: Any) -> Any:
    """Return rows with one more in the first period that lacks one: that of a device in the period before."""
    frame = rows.to_pandas()
    counts = frame.groupby("date_key").size()
    date = next(date for date in counts.index[1:] if counts[date] < 100)
    previous = counts.index[counts.index.get_loc(date) - 1]
    lacking = set(frame[frame["date_key"] == previous]["device_id"]) - set(frame[frame["date_key"] == date]["device_id"])
    row = frame[(frame["date_key"] == previous) & (frame["device_id"] == min(lacking))].assign(date_key=date)
    position = frame.index[frame["date_key"] == date][0]
    frame = pd.concat([frame.iloc[:position], row, frame.iloc[position:]])
    return rows.from_pandas(frame, schema=rows.schema, preserve_index=False)


def test_silence_is_told(tables: dict[str, pd.DataFrame], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`explain` of a missing row, the answers about each unit, the manifest and `info`."""
    plan = devices()
    readings = tables["fct_reading"]
    device = readings.groupby("device_id").size().idxmin()
    stored = set(readings[readings["device_id"] == device]["date_key"])
    dates = plan.grain.keys(np.arange(plan.first, plan.stop or 0)).tolist()
    silent_date = next(date for date in dates if date not in stored)
    with pytest.raises(UsageError, match="its device is silent then"):
        explain(plan, "fct_reading", device, str(silent_date), "temperature")
    shown = explain(plan, "noised_metrics", device, str(silent_date), "temperature")
    assert shown.value is None and {step.name: step.value for step in shown.steps}["missing"] is True
    write_tables(plan, tmp_path / "out")
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))
    (unit,) = (unit for unit in manifest["kinds"][0]["units"] if unit["key"] == device)
    changes = {change["since"]: change["value"] for change in unit["silence"]}
    state, expected = "", {}
    for date in dates:
        now = "recording" if date in stored else "silent"
        expected |= {date: now} if now != state else {}
        state = now
    assert changes == expected
    main(["info", str(tmp_path / "out" / "config.yaml")], standalone_mode=False)
    assert "silent in 10.5% of their periods of 15 minutes" in " ".join(capsys.readouterr().out.split())
