"""Days of a year by name: a date, a day of every year, or a rule such as `4th friday of november` or `easter + 1`.

Days are counted from 1970-01-01. Which days of a year a text names depends on nothing but the year.
"""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import date
from functools import lru_cache
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from plotsim_core.config.model import pattern

EPOCH = date(1970, 1, 1).toordinal()
DAY_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_PLACE = r"1st|2nd|3rd|[4-9]th|1\dth|20th|21st|22nd|23rd|2[4-9]th|30th|31st|last"
_WEEKDAY_PLACE = "1st|2nd|3rd|4th|5th|last"
_OF = f" of ({'|'.join(_MONTHS)}|every month)"
_RULE = f"(easter|({_WEEKDAY_PLACE}) ({'|'.join(DAY_NAMES)}){_OF}|({_PLACE}) day{_OF})( ?[+-] ?[0-9]{{1,2}})?"
_DATE = r"((1[6-9]|2\d)\d\d-)?(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
_SHIFT = re.compile(r" ?([+-]) ?([0-9]{1,2})$")


def _day_text(value: Any) -> Any:
    if type(value) is date:
        return value.isoformat()
    return " ".join(value.lower().split()) if isinstance(value, str) else value


Day = Annotated[
    str,
    BeforeValidator(_day_text),
    Field(
        pattern=pattern(
            f"^({_DATE}|{_RULE})$",
            "a day: 2024-11-29, 12-24 of every year, 4th friday of november, last day of every month or easter + 1",
        )
    ),
]
"""A day, or days of every year."""


def is_date(text: str) -> bool:
    """Return whether a text names a single date rather than days of every year."""
    return re.fullmatch(r"\d{4}-\d\d-\d\d", text) is not None


def is_never(text: str) -> bool:
    """Return whether a text names no day of any year: 2023-02-29, 02-30, 31st day of april."""
    if is_date(text):
        return not year_days(text, int(text[:4]))
    return not any(year_days(text, year) for year in range(2000, 2028))  # all weekdays of all dates


@lru_cache(maxsize=4096)
def year_days(text: str, year: int) -> tuple[int, ...]:
    """Return the days of a year that a text names, in order."""
    if re.fullmatch(_DATE, text):
        *years, month, day = map(int, text.split("-"))
        return tuple(_existing(year, month, day)) if years in ([], [year]) else ()
    shift = _SHIFT.search(text)
    if shift is None:
        return tuple(_unshifted(text, year))
    distance, rule = int(shift[1] + shift[2]), text[: shift.start()]
    days = (day + distance for near in (year - 1, year, year + 1) for day in _unshifted(rule, near))
    first, stop = (date(edge, 1, 1).toordinal() - EPOCH for edge in (year, year + 1))
    return tuple(day for day in days if first <= day < stop)


def _unshifted(rule: str, year: int) -> list[int]:
    if rule == "easter":
        return [easter(year)]
    place, noun, _, month_name = rule.split(" ", 3)
    months = range(1, 13) if month_name == "every month" else [_MONTHS.index(month_name) + 1]
    number = None if place == "last" else int(re.sub(r"\D", "", place))
    return [day for month in months for day in _of_month(year, month, noun, number)]


def _of_month(year: int, month: int, noun: str, number: int | None) -> list[int]:
    """Return the `number`th day (None: the last) of a name in a month; empty where there are not so many."""
    length = monthrange(year, month)[1]
    if noun == "day":
        return _existing(year, month, number or length)
    weekday = DAY_NAMES.index(noun)
    if number is None:
        return _existing(year, month, length - (date(year, month, length).weekday() - weekday) % 7)
    return _existing(year, month, 1 + (weekday - date(year, month, 1).weekday()) % 7 + 7 * (number - 1))


def _existing(year: int, month: int, day: int) -> list[int]:
    return [date(year, month, day).toordinal() - EPOCH] if day <= monthrange(year, month)[1] else []


def easter(year: int) -> int:
    """Return Easter Sunday of the Gregorian calendar (Meeus, Jones and Butcher's rule, without tables)."""
    golden = year % 19
    century, in_century = divmod(year, 100)
    leap_centuries, rest = divmod(century, 4)
    moon = (19 * golden + century - leap_centuries - (century - (century + 8) // 25 + 1) // 3 + 15) % 30
    leap_years, odd_years = divmod(in_century, 4)
    to_sunday = (32 + 2 * rest + 2 * leap_years - moon - odd_years) % 7
    late = (golden + 11 * moon + 22 * to_sunday) // 451
    month, day = divmod(moon + to_sunday - 7 * late + 114, 31)
    return date(year, month, day + 1).toordinal() - EPOCH
