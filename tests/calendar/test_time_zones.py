"""Windows and columns with a time zone: periods are local days, of 23 and 25 hours where clocks are changed, and a typed
column says which moment is meant."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy.stats import chi2

from plotsim_core import ConfigError, explain, from_mapping, generate_tables, validate
from plotsim_core.numerics.calendar import grain_named
from plotsim_core.numerics.clock_changes import clock_changes
from plotsim_core.numerics.rhythm import DAY, HOUR, place_shares, rhythm

NEW_YORK = "America/New_York"
SPRING, AUTUMN = "2024-03-10", "2024-11-03"
HOURS = [0, 2, 2, 1, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0]
_CHANCE = 1e-5


def shops(**changes: Any) -> dict[str, Any]:
    """Shops in New York from before clocks are put forward to after they are set back, with many visits a day."""
    event = {"name": "evt_visit", "trigger": "proportional", "driver": "visits"}
    event["columns"] = [
        {"name": "visit_id", "type": "id"},
        {"name": "date_key", "type": "ref.dim_date"},
        {"name": "shop_id", "type": "ref.dim_shop"},
        {"name": "time_key", "type": "ref.dim_time"},
        {"name": "zone", "type": "lookup.dim_shop.zone"},
        {"name": "at", "type": "timestamp"},
        {"name": "at_utc", "type": "timestamp", "zone": "utc"},
        {"name": "at_berlin", "type": "timestamp", "zone": "Europe/Berlin"},
        {"name": "at_place", "type": "timestamp", "zone": "zone"},
    ]
    zone = {"name": "zone", "type": "choice", "values": ["Asia/Kolkata", "Australia/Lord_Howe"]}
    return {
        "about": "Shops",
        "unit": "shop",
        "window": {"start": "2024-03-01", "end": "2024-11-30", "every": "day", "timezone": NEW_YORK},
        "rhythm": {"hours": HOURS},
        "metrics": [{"name": "visits", "type": "count", "polarity": "positive", "mean": [60, 90]}],
        "segments": [{"name": "all", "count": 20, "archetype": "growth"}],
        "dimensions": [
            {"name": "dim_shop", "per": "unit", "columns": [{"name": "shop_id", "type": "id"}, zone]},
            {"name": "dim_time", "per": "time", "columns": [{"name": "time_key", "type": "id"}]},
        ],
        "events": [event],
        **changes,
    }


def visits(raw: dict[str, Any]) -> pd.DataFrame:
    return generate_tables(from_mapping(raw, name="shops"))["evt_visit"]


@pytest.fixture(scope="module")
def new_york() -> pd.DataFrame:
    return visits(shops())


@pytest.mark.parametrize(
    "zone", [NEW_YORK, "Europe/Berlin", "Australia/Lord_Howe", "Asia/Beirut", "Atlantic/Azores", "America/Sao_Paulo", "UTC"]
)
def test_a_local_day_has_the_hours_that_its_zone_gives_it(zone: str) -> None:
    """Against Python's own zones, over years in which midnight itself is left out or comes twice."""
    grain = grain_named("day", zone)
    days = [date(2016, 1, 1) + timedelta(number) for number in range(3 * 366)]
    starts = [datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).astimezone(UTC) for day in days]
    periods = grain.holding(np.array(days, dtype="datetime64[s]"))
    assert grain.instants(periods).tolist() == [start.replace(tzinfo=None) for start in starts]
    lengths = [(after - before) // timedelta(seconds=1) for before, after in pairwise(starts)]
    assert grain.seconds(periods)[:-1].tolist() == lengths
    inside = grain.instants(periods)[:-1] + (np.array(lengths) * 600_000).astype("timedelta64[us]")
    assert np.array_equal(grain.holding(grain.local(inside)), periods[:-1])


def test_a_grain_travels_with_its_zone() -> None:
    grain = grain_named("month", NEW_YORK)
    assert pickle.loads(pickle.dumps(grain)) is grain and grain != grain_named("month")


def test_days_of_new_york_have_23_and_25_hours_in_the_dataset() -> None:
    plan = from_mapping(shops(), name="shops")
    periods = np.arange(plan.first, plan.stop)
    hours = dict(zip(map(plan.grain.label, periods.tolist()), plan.grain.seconds(periods) / 3600, strict=True))
    assert {label: count for label, count in hours.items() if count != 24} == {SPRING: 23, AUTUMN: 25}


def test_each_column_shows_the_same_moment(new_york: pd.DataFrame) -> None:
    """Against pandas, which has the zones from another place."""
    assert str(new_york["at_utc"].dt.tz) == "UTC" and str(new_york["at_berlin"].dt.tz) == "Europe/Berlin"
    local = new_york["at_utc"].dt.tz_convert(NEW_YORK)
    assert (local.dt.tz_localize(None) == new_york["at"]).all()
    assert (new_york["at_berlin"] == new_york["at_utc"]).all()
    assert (local.dt.strftime("%Y%m%d").astype(int) == new_york["date_key"]).all()
    assert (local.dt.hour * 100 + local.dt.minute == new_york["time_key"]).all()
    for zone, rows in new_york.groupby("zone"):
        assert (rows["at_utc"].dt.tz_convert(str(zone)).dt.tz_localize(None) == rows["at_place"]).all()


def test_no_moment_is_shown_that_clocks_leave_out_and_those_shown_twice_are_two(new_york: pd.DataFrame) -> None:
    spring, autumn = (new_york[new_york["at"].dt.strftime("%Y-%m-%d") == day] for day in (SPRING, AUTUMN))
    assert len(spring) > 1000 and 2 not in set(spring["at"].dt.hour) and {1, 3} < set(spring["at"].dt.hour)
    in_doubled = autumn[autumn["at"].dt.hour == 1]
    hours = in_doubled["at_utc"].dt.hour.value_counts()
    assert set(hours.index) == {5, 6} and hours.min() > 100
    in_order = autumn.sort_values(["shop_id", "visit_id"])
    assert in_order.groupby("shop_id")["at_utc"].apply(lambda moments: moments.is_monotonic_increasing).all()
    assert not in_order.groupby("shop_id")["at"].apply(lambda moments: moments.is_monotonic_increasing).all()


@pytest.mark.parametrize("day", ["2024-06-05", SPRING, AUTUMN])
def test_real_hours_have_the_weight_of_what_clocks_show(new_york: pd.DataFrame, day: str) -> None:
    rows = new_york[new_york["at"].dt.strftime("%Y-%m-%d") == day]
    real_hours = pd.date_range(day, periods=30, freq="h", tz=NEW_YORK)
    real_hours = real_hours[real_hours.strftime("%Y-%m-%d") == day]
    weights = np.array([HOURS[hour.hour] for hour in real_hours], dtype=float)
    expected = pd.Series(weights / weights.sum() * len(rows), index=real_hours.tz_convert("UTC"))
    counts = rows["at_utc"].dt.floor("h").value_counts().reindex(expected.index, fill_value=0)
    assert counts.sum() == len(rows) and (counts[expected == 0] == 0).all()
    some = expected > 0
    statistic = float(((counts[some] - expected[some]) ** 2 / expected[some]).sum())
    assert statistic < chi2.isf(_CHANCE, int(some.sum()) - 1)


@pytest.mark.parametrize(("every", "zone"), [("month", NEW_YORK), ("quarter", "Africa/Casablanca"), ("week", "Asia/Beirut")])
def test_a_share_falls_where_the_weight_of_real_time_before_it_is_that_share(every: str, zone: str) -> None:
    """Against the weights of real quarters of an hour, added up: also with several changes in a period, and at midnight."""
    drawn = np.random.default_rng(3)
    grain, shape = grain_named(every, zone), rhythm((1.0,) * 7, tuple(drawn.uniform(0.1, 2, 24)), 1.0)
    first = int(grain.holding(np.array(["2024-01-03"], dtype="datetime64[s]"))[0])
    periods = np.arange(first, first + {"month": 12, "quarter": 4, "week": 20}[every])
    edges = grain.civil_starts(np.append(periods, periods[-1] + 1)).astype("datetime64[D]").astype(np.int64)
    days = np.where(np.arange(92) < np.diff(edges)[:, None], drawn.uniform(0.2, 2, (len(periods), 92)), 0.0)
    changes = clock_changes(grain, periods)
    assert changes is not None
    shares = np.sort(drawn.uniform(0, 1, 200))
    for index, period in enumerate(periods):
        start, stop = grain.instants(np.array([period, period + 1]))
        quarters = np.arange(start, stop, np.timedelta64(15, "m"))
        shown = pd.DatetimeIndex(quarters).tz_localize("UTC").tz_convert(zone)
        day = (shown.tz_localize(None).to_numpy().astype("datetime64[D]").astype(np.int64) - edges[index]).astype(int)
        weights = days[index, day] * np.array(shape.hours)[shown.hour]
        sums = np.append(0.0, np.cumsum(weights)) / weights.sum()
        expected = np.interp(shares, sums, np.arange(len(sums)) * HOUR / 4)
        length = np.full(200, (stop - start).astype(np.int64))
        actual = place_shares(shape, days, np.full(200, index), shares, length, changes)
        assert np.abs(actual - expected).max() < 1000  # microseconds, of sums in another order
        half = place_shares(shape, days, np.full(200, index), shares, length // 2, changes)
        is_before = np.interp(half / HOUR * 4, np.arange(len(sums)), sums)
        assert np.abs(is_before - shares * np.interp(length[0] / 2 / HOUR * 4, np.arange(len(sums)), sums)).max() < 1e-9
        assert (half < length // 2).all() and (np.diff(actual) >= 0).all()


def test_real_hours_of_changes() -> None:
    changes = clock_changes(grain_named("month", "Australia/Lord_Howe"), np.array([650, 651, 657]))  # 2024-03, -04, -10
    assert changes is not None
    hours = changes.real_hours(31)
    assert hours[0].min() == hours[0].max() == 1.0
    assert hours[1, 6, 1] == 1.5 and hours[2, 5, 2] == 0.5  # clocks are changed by half an hour there
    assert hours[1:].sum() == 2 * 31 * 24 and (hours[1:] != 1).sum() == 2


def test_a_zone_moves_moments_in_periods_in_which_clocks_are_changed_and_nothing_else() -> None:
    with_zone, without = shops(), shops()
    del without["window"]["timezone"]
    for raw in (with_zone, without):
        raw["tables"] = [
            {"name": "calls", "rows": 4000, "columns": {"call_id": "id", "at": "timestamp", "size": "range.1,9"}}
        ]
        raw["tables"][0]["columns"]["size"] = {"type": "range", "range": [1, 9]}
    plans = [from_mapping(raw, name="shops") for raw in (with_zone, without)]
    all_zoned, all_plain = (generate_tables(plan) for plan in plans)
    for name in ("dim_shop", "dim_date", "evt_visit", "calls"):
        zoned, plain = all_zoned[name], all_plain[name]
        same = [column for column in plain if not column.startswith("at") and column != "time_key"]
        assert zoned[same].equals(plain[same]), name
        if "at" in plain:
            is_changed = plain["at"].dt.strftime("%Y-%m-%d").isin([SPRING, AUTUMN])
            assert zoned["at"][~is_changed].equals(plain["at"][~is_changed]) and is_changed.any()
            assert not zoned["at"][is_changed].equals(plain["at"][is_changed])


@pytest.mark.parametrize("every", ["week", "month", "quarter"])
@pytest.mark.parametrize("jitter", [0.0, 0.2])
def test_whole_data_passes_all_checks_in_longer_periods(every: str, jitter: float) -> None:
    window = {"start": "2024-01-01", "end": "2024-12-29" if every == "week" else "2024-12-31", "every": every}
    raw = shops(window={**window, "timezone": NEW_YORK}, noise={"temporal_jitter": jitter})
    plan = from_mapping(raw, name="shops")
    report = validate(plan, generate_tables(plan))
    assert not report.failed and not report.warned
    judged = [name for name, finding in report.findings if finding.passed]
    assert judged.count("moments_in_period") == 3 and judged.count("rhythm_as_declared") == 2


def faults(raw: dict[str, Any], rows: Callable[[pd.DataFrame], pd.DataFrame]) -> set[tuple[str, str]]:
    """Return the checks and subjects that fail when visits are changed, of checks of time."""
    plan = from_mapping(raw, name="shops")
    tables = generate_tables(plan)
    report = validate(plan, {**tables, "evt_visit": rows(tables["evt_visit"])})
    names = ("moments_in_period", "rhythm_as_declared")
    return {(name, finding.subject) for name, finding in report.findings if name in names and not finding.passed}


def test_checks_judge_typed_columns_as_moments() -> None:
    """An hour more is outside the period in both clocks, and three hours within a day are out of order and rhythm."""
    raw = shops()
    columns = raw["events"][0]["columns"]
    raw["events"][0]["columns"] = [column for column in columns if column["name"] not in ("at", "at_place")]
    assert faults(raw, lambda rows: rows) == set()
    late = faults(raw, lambda rows: rows.assign(at_utc=rows["at_utc"] + pd.Timedelta("12h")))
    assert ("moments_in_period", "evt_visit.at_utc") in late and ("moments_in_period", "evt_visit.at_berlin") not in late
    assert ("rhythm_as_declared", "evt_visit by hour") in late

    def swapped(rows: pd.DataFrame) -> pd.DataFrame:
        return rows.assign(at_berlin=rows.groupby(["shop_id", "date_key"])["at_berlin"].transform(lambda at: at[::-1].array))

    assert faults(raw, swapped) == {("moments_in_period", "evt_visit.at_berlin")}


def test_checks_judge_what_clocks_show_by_the_day_of_the_dataset() -> None:
    """Moments in UTC in place of local ones are of another day in the evening, but the clocks' own disorder is none."""
    raw = shops(rhythm={"hours": "even"}, window={"start": AUTUMN, "end": AUTUMN, "every": "day", "timezone": NEW_YORK})
    assert faults(raw, lambda rows: rows) == set()
    naive = faults(raw, lambda rows: rows.assign(at=rows["at_utc"].dt.tz_localize(None)))
    assert ("moments_in_period", "evt_visit.at") in naive


def test_an_unknown_zone_of_a_row_gives_null() -> None:
    raw = shops()
    raw["dimensions"][0]["columns"][1] = {"name": "zone", "type": "faker.city"}
    rows = visits(raw)
    assert rows["at_place"].isna().all() and rows["at_utc"].notna().all()


def test_minutes_keep_a_zone_whose_clocks_are_never_changed() -> None:
    window = {"start": "2024-03-01", "end": "2024-03-02", "every": "30 minutes", "timezone": "Asia/Kolkata"}
    raw = shops(window=window)
    del raw["rhythm"]
    rows = visits(raw)
    local = rows["at_utc"].dt.tz_convert("Asia/Kolkata")
    assert (local.dt.floor("30min").dt.strftime("%Y%m%d%H%M").astype(int) == rows["date_key"]).all()
    with pytest.raises(ConfigError, match="hours would come twice or never"):
        from_mapping(
            shops(window={"start": "2024-03-10", "end": "2024-03-10", "every": "hour", "timezone": NEW_YORK}), name="shops"
        )


def test_formulas_read_a_typed_column_in_utc() -> None:
    raw = shops()
    raw["events"][0]["columns"] += [
        {"name": "hour_utc", "type": "= hour(at_berlin)"},
        {"name": "hour", "type": "= hour(at)"},
        {"name": "hour_there", "type": "= hour(local(at_utc, zone))"},
    ]
    rows = visits(raw)
    assert (rows["hour_utc"] == rows["at_utc"].dt.hour).all() and (rows["hour"] == rows["at"].dt.hour).all()
    assert (rows["hour_there"] == rows["at_place"].dt.hour).all()


def test_a_typed_column_needs_no_zone_of_the_window() -> None:
    raw = shops()
    del raw["window"]["timezone"]
    rows = visits(raw)
    assert (rows["at_utc"].dt.tz_localize(None) == rows["at"]).all()
    assert (rows["at_berlin"].dt.tz_convert("UTC") == rows["at_utc"]).all()
    column = from_mapping(raw, name="shops").table("evt_visit").column("at_berlin")
    assert column.type == pa.timestamp("us", "Europe/Berlin") and DAY == 24 * HOUR


def test_explain_tells_the_moment_and_whose_clocks_show_it() -> None:
    plan = from_mapping(shops(), name="shops")
    row = generate_tables(plan)["evt_visit"].iloc[7]
    for column, zone in (("at", NEW_YORK), ("at_berlin", "Europe/Berlin"), ("at_place", row["zone"])):
        steps = explain(plan, "evt_visit", row["visit_id"], str(row["date_key"]), column).steps
        (step,) = [step for step in steps if step.name == "moment"]
        assert step.value == str(row["at_utc"].tz_localize(None)), column
        assert step.description == f"in UTC, which clocks of {zone} show"
