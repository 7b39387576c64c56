"""Time zones and working days in formulas give what Python's own zones, and days counted one by one, give."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import holidays
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from plotsim_core import ConfigError, from_mapping, generate_tables
from plotsim_core.columns.formula_dates import as_dates, as_moments
from plotsim_core.columns.formula_values import formula_value, inputs_of
from plotsim_core.config.calendar import Calendar
from plotsim_core.config.formula import may_be_undefined, parse_formula
from plotsim_core.config.formula_kinds import kind_of

DRAWN = np.random.default_rng(11)
ZONES = [
    "America/New_York",
    "Europe/Berlin",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Africa/Casablanca",
    "America/Caracas",
    "UTC",
]


def moments() -> list[datetime]:
    """Moments of all years from 1890 to 2090, and some around changes of clocks."""
    drawn = [datetime(1890, 1, 1) + timedelta(seconds=int(s)) for s in DRAWN.integers(0, 200 * 365 * 86_400, 3000)]
    changes = (datetime(2024, 3, 10, 7), datetime(2024, 11, 3, 6), datetime(2011, 12, 30, 10), datetime(2024, 3, 31, 1))
    near = [change + timedelta(minutes=int(m)) for change in changes for m in range(-180, 181, 15)]
    return drawn + near + [change + timedelta(microseconds=step) for change in changes for step in (-1, 0, 1)]


EVERYDAY = Calendar()
"""A calendar without holidays."""


def computed(formula: str, columns: dict[str, pa.Array], calendar: Calendar = EVERYDAY) -> list[Any]:
    inputs = inputs_of(columns, {}, len(next(iter(columns.values()))), calendar)
    values = formula_value(parse_formula(formula), inputs)
    kind = kind_of(parse_formula(formula), inputs.kinds)
    if kind in ("date", "moment"):
        return (as_dates if kind == "date" else as_moments)(values).to_pylist()
    return [None if np.isnan(value) else value for value in values]


@pytest.mark.parametrize("zone", ZONES)
def test_local_time_is_what_clocks_show(zone: str) -> None:
    at = moments()
    actual = computed(f"local(at, '{zone}')", {"at": pa.array(at, pa.timestamp("us"))})
    assert actual == [moment.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None) for moment in at]


@pytest.mark.parametrize("zone", ZONES)
def test_utc_is_when_clocks_show_a_time(zone: str) -> None:
    """Of what they show twice the first, of what they leave out what Python has (fold 0)."""
    at = moments()
    actual = computed(f"utc(at, '{zone}')", {"at": pa.array(at, pa.timestamp("us"))})
    assert actual == [moment.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC).replace(tzinfo=None) for moment in at]


def test_zones_of_a_column_are_each_rows_own() -> None:
    """A name that is none, and a null, give null; some rows alone are what they are among all."""
    at = moments()[:400]
    zones = [(*ZONES, "Europe/Atlantis", None)[index % (len(ZONES) + 2)] for index in range(len(at))]
    columns = {"at": pa.array(at, pa.timestamp("us")), "zone": pa.array(zones, pa.string())}
    actual = computed("local(at, zone)", columns)
    for moment, zone, value in zip(at, zones, actual, strict=True):
        is_known = zone in ZONES
        expected = moment.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None) if is_known and zone else None
        assert value == expected
    assert [computed("local(at, zone)", {n: c.slice(i, 1) for n, c in columns.items()})[0] for i in range(60)] == actual[:60]
    assert may_be_undefined(parse_formula("local(at, zone)")) and not may_be_undefined(parse_formula("local(at, 'UTC')"))


def is_working(day: date, calendar: Calendar) -> bool:
    names = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
    return names[day.weekday()] not in calendar.weekend and (not calendar.holidays or day not in DAYS_OFF)


DAYS_OFF = set(holidays.country_holidays("US", years=range(1990, 2060)))
CALENDARS = [
    Calendar(),
    Calendar.model_validate({"holidays": "US"}),
    Calendar.model_validate({"holidays": "US", "weekend": ["friday", "saturday"]}),
]


def days() -> tuple[list[date], list[date], list[int]]:
    first = [date(2000, 1, 1) + timedelta(days=int(number)) for number in DRAWN.integers(0, 15_000, 200)]
    second = [day + timedelta(days=int(number)) for day, number in zip(first, DRAWN.integers(-300, 300, 200), strict=True)]
    return first, second, DRAWN.integers(-60, 60, 200).tolist()


def between(first: date, stop: date) -> Iterator[date]:
    while first < stop:
        yield first
        first += timedelta(days=1)


@pytest.mark.parametrize("calendar", CALENDARS)
def test_working_days_are_counted_as_one_by_one(calendar: Calendar) -> None:
    first, second, _ = days()
    columns = {"a": pa.array(first, pa.date32()), "b": pa.array(second, pa.date32())}
    expected = [
        sum(is_working(day, calendar) for day in between(min(a, b), max(a, b))) * (1 if a <= b else -1)
        for a, b in zip(first, second, strict=True)
    ]
    assert computed("working_days(a, b)", columns, calendar) == expected
    assert computed("working_days(a, moment(b) + hours(7))", columns, calendar) == expected


@pytest.mark.parametrize(
    ("begin", "number"),
    [("2024-03-01", 20_001), ("2024-03-01", -40_000), ("3500-01-01", 5), ("1400-01-01", -5), ("2024-03-09", -1.7)],
)
def test_working_days_know_no_bounds_but_those_of_dates(begin: str, number: float) -> None:
    """As NumPy counts them, which rolls a day off to the day that counting begins with."""
    columns = {"a": pa.array([date.fromisoformat(begin)], pa.date32()), "n": pa.array([float(number)])}
    roll = "backward" if number > 0 else "forward"
    moved = np.busday_offset(begin, int(number), roll=roll)
    assert computed("add_working_days(a, n)", columns) == [moved.astype(object)]
    low, high = sorted([np.datetime64(begin), moved])
    days = {"a": pa.array([low.astype(object)], pa.date32()), "b": pa.array([high.astype(object)], pa.date32())}
    assert computed("working_days(a, b)", days) == [int(np.busday_count(low, high))]


def test_beyond_the_last_date_there_is_none() -> None:
    columns = {"a": pa.array([date(9999, 12, 30)], pa.date32()), "n": pa.array([50.0])}
    assert computed("add_working_days(a, n)", columns) == [None]


@pytest.mark.parametrize("calendar", CALENDARS)
def test_working_days_are_added_one_by_one(calendar: Calendar) -> None:
    first, _, numbers = days()
    columns = {"a": pa.array(first, pa.date32()), "n": pa.array(numbers, pa.int64())}

    def moved(day: date, number: int) -> date:
        for _ in range(abs(number)):
            day += timedelta(days=1 if number > 0 else -1)
            while not is_working(day, calendar):
                day += timedelta(days=1 if number > 0 else -1)
        return day

    actual = computed("add_working_days(a, n)", columns, calendar)
    assert actual == [moved(day, number) for day, number in zip(first, numbers, strict=True)]
    alone = [computed("add_working_days(a, n)", {k: c.slice(i, 1) for k, c in columns.items()}, calendar)[0] for i in (3, 9)]
    assert alone == [actual[3], actual[9]]


def test_nulls_give_null_and_a_week_without_working_days_has_none() -> None:
    columns = {"a": pa.array([None, date(2024, 5, 1)], pa.date32()), "n": pa.array([3, None], pa.int64())}
    assert computed("add_working_days(a, n)", columns) == [None, None]
    assert computed("working_days(a, a)", columns) == [None, 0]
    names = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
    never = Calendar.model_construct(weekend=tuple(names), holidays=())
    columns["n"] = pa.array([3, 3], pa.int64())
    assert computed("add_working_days(a, n)", columns, never) == [None, None]
    assert computed("working_days(a, a + 9)", columns, never) == [None, 0]


def table(columns: dict[str, Any], **sections: Any) -> dict[str, Any]:
    claims = {"name": "claims", "rows": 900, "columns": {"claim_id": "id", "at": "timestamp", **columns}}
    window = {"start": "2024-11-01", "end": "2024-12-31", "every": "day"}
    return {"about": "Claims", "window": window, "tables": [claims], **sections}


@pytest.mark.parametrize("weekend", [["saturday", "sunday"], ["friday", "saturday"]])
def test_the_calendar_of_the_dataset_says_which_days_are_worked(weekend: list[str]) -> None:
    """In a column, in the nulls of another, and in the rows that are kept."""
    columns = {
        "due": "= add_working_days(at, 2)",
        "late": {"type": "range", "range": [1, 9], "nulls": {"where": "working_days(date(at), date(at) + 1) == 0"}},
    }
    raw = table(columns, calendar={"holidays": "US", "weekend": weekend})
    rows = generate_tables(from_mapping(raw, name="claims"))["claims"]
    calendar = Calendar.model_validate({"holidays": "US", "weekend": weekend})
    is_worked = rows["at"].map(lambda moment: is_working(moment.date(), calendar))
    assert (rows["late"].notna() == is_worked).all() and 0 < is_worked.sum() < len(rows)
    gaps = [
        sum(is_working(day, calendar) for day in between(a, b)) for a, b in zip(rows["at"].dt.date, rows["due"], strict=True)
    ]
    assert [gap - worked for gap, worked in zip(gaps, is_worked, strict=True)] == [1] * len(rows)
    assert all(is_working(day, calendar) for day in rows["due"])
    dates = {"name": "dim_date", "per": "period", "columns": {"date_key": "id", "date": "calendar.date"}}
    raw["tables"].append(dates)
    from_mapping(raw, name="claims")
    del raw["tables"][0]["columns"]["due"]
    from_mapping(raw, name="claims")  # the nulls read the calendar
    del raw["tables"][0]["columns"]["late"]
    with pytest.raises(ConfigError, match="nothing shows it"):
        from_mapping(raw, name="claims")


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("local(at, 'Europe/Berlim')", "no time zone is named 'Europe/Berlim'; did you mean 'Europe/Berlin'?"),
        ("utc(at)", "utc takes 2 values"),
        ("local(date(at), 'UTC')", "is given a date, and takes a moment"),
        ("local(at, 2)", "is given a number, and takes a text"),
        ("working_days(at, 3)", "is given a number, and takes a date or a moment"),
        ("add_working_days(at, 'two')", "counts with a text"),
    ],
)
def test_what_does_not_go_together_is_refused(formula: str, message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        from_mapping(table({"x": f"= {formula}"}), name="claims")
    assert message in " ".join(str(raised.value).replace("\n", "; ").replace(";;", ";").split()).replace("; ;", ";")


def test_a_local_day_has_23_24_or_25_hours() -> None:
    """Of hours around both changes of a year in New York, counted by the date that clocks show."""
    columns = {
        "date_key": "id",
        "date": "calendar.date",
        "hour": "calendar.hour",
        "local_at": "= local(moment(date) + hours(hour), 'America/New_York')",
        "local_date": "= date(local_at)",
        "local_hour": "= hour(local_at)",
    }
    for start, end, change, hours in (
        ("2024-03-08", "2024-03-12", date(2024, 3, 10), 23),
        ("2024-11-01", "2024-11-05", date(2024, 11, 3), 25),
    ):
        raw = {
            "about": "Hours",
            "window": {"start": start, "end": end, "every": "hour"},
            "tables": [{"name": "dim_date", "per": "period", "columns": columns}],
        }
        dates = generate_tables(from_mapping(raw, name="hours"))["dim_date"]
        expected = pd.date_range(start, periods=120, freq="h", tz="UTC").tz_convert("America/New_York")
        assert dates["local_hour"].tolist() == expected.hour.tolist()
        counts = dates.groupby("local_date").size()
        assert counts[change] == hours and counts[change - timedelta(1)] == counts[change + timedelta(1)] == 24
