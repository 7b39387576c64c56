"""The parts of dates and of times of day: fiscal years, holidays with their dates, working days."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from plotsim_core import ConfigError, from_mapping, generate_tables
from plotsim_core.config.calendar import Calendar
from plotsim_core.config.calendar_days import holidays_of

BASE: dict[str, Any] = {
    "about": "Shops",
    "unit": "shop",
    "window": {"start": "2023-12-01", "end": "2024-12-31", "every": "day"},
    "metrics": [{"name": "visits", "type": "count", "polarity": "positive"}],
    "segments": [{"name": "small", "count": 2, "archetype": "growth"}],
}
DATE = {"name": "date", "type": "date"}


def dates(columns: dict[str, str], **sections: Any) -> pd.DataFrame:
    """Return the date dimension with these columns (name to type) besides the key and the date."""
    listed = [{"name": "date_key", "type": "id"}, DATE, *({"name": n, "type": t} for n, t in columns.items())]
    unit = {"name": "dim_shop", "per": "unit", "columns": [{"name": "shop_id", "type": "id"}]}
    dimensions = [{"name": "dim_date", "per": "period", "columns": listed}, unit]
    return generate_tables(from_mapping({**BASE, **sections, "dimensions": dimensions}, name="shops"))["dim_date"]


@pytest.mark.parametrize("named", ["end", "start"])
@pytest.mark.parametrize("starts", [2, 4, 7, 10, 12])
def test_the_fiscal_year_begins_in_its_month_and_is_named_after_its_end_or_start(starts: int, named: str) -> None:
    rows = dates(
        {"fiscal_year": "int", "fiscal_quarter": "int", "fiscal_month": "int"},
        calendar={"fiscal_year_starts": starts, "fiscal_year_named": named},
    )
    for row in rows.itertuples():
        start_year = row.date.year if row.date.month >= starts else row.date.year - 1
        months = (row.date.year - start_year) * 12 + row.date.month - starts
        assert row.fiscal_year == start_year + (named == "end")
        assert (row.fiscal_month, row.fiscal_quarter) == (months + 1, months // 3 + 1)


def test_a_fiscal_year_from_january_is_the_calendar_year() -> None:
    rows = dates({"year": "int", "fiscal_year": "int"})
    assert (rows["year"] == rows["fiscal_year"]).all()


@pytest.mark.parametrize("named", ["end", "start"])
@pytest.mark.parametrize("pattern", ["4-4-5", "4-5-4", "5-4-4"])
@pytest.mark.parametrize(
    ("month", "begin", "starts"),
    [(2, "sunday", "nearest"), (2, "sunday", "last"), (7, "monday", "nearest"), (12, "saturday", "last")],
)
def test_fiscal_weeks_are_counted_from_the_day_that_the_year_begins_on(
    month: int, begin: str, starts: str, pattern: str, named: str
) -> None:
    """Against weeks counted one by one, over 13 years: each year has 52 or 53, each month as many as the pattern says."""
    columns = {"fiscal_year": "int", "fiscal_quarter": "int", "fiscal_month": "int", "fiscal_week": "int"}
    weeks = {"pattern": pattern, "begin": begin, "starts": starts}
    rows = dates(
        columns,
        window={"start": "2012-12-20", "end": "2025-12-31", "every": "day"},
        calendar={"fiscal_year_starts": month, "fiscal_year_named": named, "fiscal_weeks": weeks},
    )
    weekday = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday").index(begin)

    def first_day(year: int) -> date:
        near = range(-3, 4) if starts == "nearest" else range(-6, 1)
        (day,) = (d for n in near if (d := date(year, month, 1) + timedelta(n)).weekday() == weekday)
        return day

    expected = []
    for year in range(2010, 2027):
        day, end = first_day(year), first_day(year + 1)
        week_months = [
            n + 1 for n, length in enumerate([int(part) for part in pattern.split("-")] * 4) for _ in range(length)
        ]
        week_months += [12] * ((end - day).days // 7 - 52)
        for week, fiscal_month in enumerate(week_months, start=1):
            for _ in range(7):
                expected.append((day, year + (named == "end"), (fiscal_month + 2) // 3, fiscal_month, week))
                day += timedelta(days=1)
        assert day == end and (end - first_day(year)).days in (364, 371)
    wanted = {day: parts for day, *parts in expected}
    for row in rows.itertuples():
        assert [row.fiscal_year, row.fiscal_quarter, row.fiscal_month, row.fiscal_week] == wanted[row.date], row.date


def test_the_calendar_of_american_retailers() -> None:
    """First days of its years, and the years of 53 weeks, as the National Retail Federation publishes them."""
    weeks = {"pattern": "4-5-4", "begin": "sunday", "starts": "nearest"}
    rows = dates(
        {"fiscal_year": "int", "fiscal_week": "int"},
        window={"start": "2005-01-01", "end": "2025-12-31", "every": "day"},
        calendar={"fiscal_year_starts": 2, "fiscal_year_named": "start", "fiscal_weeks": weeks},
    )
    first_days = rows.groupby("fiscal_year")["date"].min()
    assert {year: str(first_days[year])[:10] for year in (2006, 2012, 2017, 2018, 2019, 2020, 2021, 2022, 2023, 2024)} == {
        2006: "2006-01-29",
        2012: "2012-01-29",
        2017: "2017-01-29",
        2018: "2018-02-04",
        2019: "2019-02-03",
        2020: "2020-02-02",
        2021: "2021-01-31",
        2022: "2022-01-30",
        2023: "2023-01-29",
        2024: "2024-02-04",
    }
    last_weeks = rows.groupby("fiscal_year")["fiscal_week"].max()
    assert [year for year in range(2005, 2025) if last_weeks[year] == 53] == [2006, 2012, 2017, 2023]


def test_holidays_have_their_dates() -> None:
    """The federal holidays of 2024, from the calendar of the U.S. Office of Personnel Management."""
    rows = dates({"is_holiday": "bool", "holiday_name": "string"}, calendar={"holidays": "US"})
    federal = ["01-01", "01-15", "02-19", "05-27", "06-19", "07-04", "09-02", "10-14", "11-11", "11-28", "12-25"]
    matches = rows[rows["is_holiday"] & (rows["date_key"] > 20240000)]
    assert [str(day)[5:10] for day in matches["date"]] == federal
    assert (rows["holiday_name"].notna() == rows["is_holiday"]).all()
    assert rows.set_index("date_key")["holiday_name"][20241128].startswith("Thanksgiving")


def test_days_of_ones_own_are_holidays_and_share_a_day_with_others() -> None:
    values = [{"name": "Sale", "date": "2024-12-25"}, {"name": "Leap", "date": "02-29"}, {"name": "Eve", "date": "12-24"}]
    rows = dates({"holiday_name": "string"}, calendar={"holidays": ["US", *values]}).set_index("date_key")["holiday_name"]
    assert rows[20241225] == "Christmas Day; Sale"
    assert (rows[20240229], rows[20231224], rows[20241224]) == ("Leap", "Eve", "Eve")
    assert "Leap" not in holidays_of(Calendar.model_validate({"holidays": values}), 2023, 2023).values()


def test_what_a_year_holds_does_not_depend_on_the_years_asked_for() -> None:
    calendar = Calendar.model_validate({"holidays": ["US", "DE-BY", "CN"]})
    whole = holidays_of(calendar, 1980, 2030)
    alone = [holidays_of(calendar, year, year) for year in range(1980, 2031)]
    assert whole == {day: name for year in alone for day, name in year.items()}
    assert list(whole) == sorted(whole)


def test_holidays_are_observed_on_another_day_unless_that_is_switched_off() -> None:
    """New Year's Day 2022 was a Saturday, observed on the last day of 2021."""
    last = (date(2021, 12, 31) - date(1970, 1, 1)).days
    for observed in (True, False):
        calendar = Calendar.model_validate({"holidays": {"country": "US", "observed": observed}})
        assert (last in holidays_of(calendar, 2021, 2021)) is observed


def test_working_days_are_those_that_are_no_weekend_and_no_holiday() -> None:
    day = dates({"is_working_day": "bool"}, calendar={"holidays": "US"})
    months = {"start": "2024-01", "end": "2024-12", "every": "month"}
    month = dates({"working_days": "int", "holidays": "int"}, window=months, calendar={"holidays": "US"})
    year = day[day["date_key"] > 20240000]
    assert year.groupby(year["date_key"] // 100)["is_working_day"].sum().tolist() == month["working_days"].tolist()
    assert month["working_days"].tolist()[:2] == [21, 20]  # 23 and 21 weekdays, less New Year, King, Washington
    assert month["holidays"].sum() == 11
    friday = dates({"is_weekend": "bool"}, calendar={"weekend": ["friday"]})
    assert friday[friday["is_weekend"]]["date"].map(lambda d: d.isoweekday()).unique().tolist() == [5]


def test_the_type_says_as_what_a_part_is_told() -> None:
    rows = dates({"month": "string", "year": "float", "day_of_week": "string", "is_weekend": "int"})
    first = rows.iloc[0]
    assert (first["month"], first["year"], first["day_of_week"], first["is_weekend"]) == ("12", 2023.0, "Friday", 0)
    assert rows["year"].dtype == np.float64


def test_a_window_past_the_years_that_holidays_are_known_of_is_refused() -> None:
    with pytest.raises(ConfigError, match="1777 to 2100"):
        dates(
            {"is_holiday": "bool"},
            window={"start": "2100-12-01", "end": "2101-01-31", "every": "day"},
            calendar={"holidays": "US"},
        )


@pytest.mark.parametrize(("every", "rows"), [("minute", 1440), ("hour", 24)])
def test_an_event_refers_to_the_time_of_its_moment(every: str, rows: int) -> None:
    columns = {"time_key": "id", "hour": "int", "time": "string", "hour_12": "int", "am_pm": "string", "day_part": "string"}
    columns["is_office_hours"] = "bool"
    listed = [{"name": name, "type": word} for name, word in columns.items()]
    names = {"visit_id": "id", "date_key": "ref.dim_date", "shop_id": "ref.dim_shop", "time_key": "ref.dim_time"}
    names["at"] = "timestamp"
    tables = {
        "dimensions": [
            {"name": "dim_shop", "per": "unit", "columns": [{"name": "shop_id", "type": "id"}]},
            {"name": "dim_time", "per": "time", "every": every, "columns": listed},
        ],
        "events": [
            {
                "name": "evt_visit",
                "trigger": "proportional",
                "driver": "visits",
                "columns": [{"name": name, "type": word} for name, word in names.items()],
            }
        ],
    }
    data = generate_tables(from_mapping({**BASE, **tables}, name="shops"))
    times, events = data["dim_time"], data["evt_visit"]
    assert len(times) == rows
    assert times["time_key"].is_unique
    minutes = events["at"].dt.minute if every == "minute" else 0
    assert len(events) > 500
    assert (events["time_key"] == events["at"].dt.hour * 100 + minutes).all()
    noon = times[times["time_key"] == 1200].iloc[0]
    assert (noon["time"], noon["hour_12"], noon["am_pm"], noon["day_part"]) == ("12:00", 12, "pm", "afternoon")
    assert times[times["is_office_hours"]]["hour"].unique().tolist() == [*range(9, 17)]


def test_weeks_of_a_window_of_months_are_those_that_begin_in_it() -> None:
    """plotsim 0.7 begins with the week that holds the first day, which begins before the window."""
    rows = dates({"week": "int"}, window=["2023-01", "2023-03", "weekly"])
    assert rows["date"].map(str).tolist() == [str(date(2023, 1, 2) + timedelta(weeks=n)) for n in range(13)]
