"""Rules of days name the days that other libraries find: Easter, the nth weekday of a month, its last day."""

from __future__ import annotations

import calendar
from datetime import date

import pandas as pd
import pytest
from dateutil import easter as other_easter

from plotsim_core.config.calendar import Calendar
from plotsim_core.config.day_rules import DAY_NAMES, EPOCH, easter, is_never, year_days

YEARS = range(1990, 2041)


def days(text: str, year: int) -> list[date]:
    """Return the days of a year that a text names, as dates."""
    return [date.fromordinal(day + EPOCH) for day in year_days(text, year)]


def test_easter_is_that_of_dateutil() -> None:
    assert [easter(year) + EPOCH for year in range(1583, 4000)] == [
        other_easter.easter(year).toordinal() for year in range(1583, 4000)
    ]


@pytest.mark.parametrize("place", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("name", DAY_NAMES)
def test_the_nth_weekday_is_that_of_pandas(name: str, place: int) -> None:
    word = {1: "1st", 2: "2nd", 3: "3rd"}.get(place, f"{place}th")
    for year in YEARS:
        all_days = pd.Series(pd.date_range(f"{year}-01-01", f"{year}-12-31"))
        named_days = all_days[all_days.dt.day_name() == name.capitalize()]
        expected = named_days.groupby(named_days.dt.month).nth(place - 1)
        assert days(f"{word} {name} of every month", year) == list(expected.dt.date)


def test_the_last_weekday_and_the_last_day_are_those_of_pandas() -> None:
    for year in YEARS:
        monday = pd.offsets.LastWeekOfMonth(weekday=0).rollforward(pd.Timestamp(year, 5, 1)).date()
        assert days("last monday of may", year) == [monday]
        assert days("last day of february", year) == [date(year, 2, calendar.monthrange(year, 2)[1])]


def test_a_shift_leads_into_another_year() -> None:
    assert days("1st day of january - 3", 2024) == [date(2024, 12, 29)]
    assert days("last day of december + 1", 2024) == [date(2024, 1, 1)]
    assert days("4th thursday of november + 1", 2024) == [date(2024, 11, 29)]


def test_days_that_no_year_has_are_known() -> None:
    texts = ["02-29", "02-30", "2023-02-29", "31st day of april", "5th friday of may"]
    assert [text for text in texts if is_never(text)] == ["02-30", "2023-02-29", "31st day of april"]


def test_holidays_are_named_by_rules_too() -> None:
    values = {"holidays": [{"name": "Thanksgiving", "date": "4th Thursday of November"}, {"name": "Cinco", "date": "05-05"}]}
    (thanksgiving, cinco) = Calendar.model_validate(values).holidays
    assert list(thanksgiving.of_year(2023)) == [date(2023, 11, 23).toordinal() - EPOCH]
    assert list(cinco.of_year(2023)) == [date(2023, 5, 5).toordinal() - EPOCH]
