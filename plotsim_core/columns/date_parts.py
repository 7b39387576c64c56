"""`calendar.<part>`: the columns of a date dimension and of a dimension of times of day.

An old spelling is `date`, `int`, `float`, `string` or `bool`: the column's name gives the part of the date or time, the word
its type, a month as a number or a text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from plotsim_core.arrow import ArrowArray, taken
from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import ColumnSource, add_source
from plotsim_core.config.calendar import Calendar
from plotsim_core.config.calendar_days import holiday_places, working
from plotsim_core.config.column_source import SOURCES, USUAL_SOURCES, with_options
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.model import Name
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, Table
from plotsim_core.errors import Problem
from plotsim_core.families import Family, UnknownMember
from plotsim_core.numerics.arrays import Integers
from plotsim_core.numerics.calendar import GRAINS, Moments, date_keys, iso_year_week
from plotsim_core.numerics.fiscal_weeks import month_of_week, years_and_weeks
from plotsim_core.plan.plan import ColumnPlan, Population, TablePlan

_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
_DAY, _HOUR, _HALF_HOUR = 1440, 60, 30
"""Minutes."""
_DAY_PARTS = ["night", "morning", "afternoon", "evening"]

Value = Callable[[Population, Integers, Moments], Any]
"""Values of a part, from (population, periods, period starts); of a time of day, from (population, minutes since midnight,
unused)."""


@dataclass(frozen=True)
class DatePart:
    """A part of a date. `forms` maps each type that its column may have, the usual one first, to its values.

    `within` is the longest span over which it is constant. `longest` is the length in minutes of the longest period that it
    is said of, None for all; `is_nullable` marks a part that some dates lack, `is_fiscal` one of the fiscal year.
    """

    forms: dict[str, Value]
    description: str
    within: str = ""
    longest: int | None = None
    is_nullable: bool = False
    is_fiscal: bool = False


def _number_forms(part: Value) -> dict[str, Value]:
    return {"int": part, "float": part, "string": lambda *args: pc.cast(pa.array(part(*args)), pa.string())}


def _truth_forms(part: Value) -> dict[str, Value]:
    def integers(*args: Any) -> Integers:
        return np.asarray(part(*args)).astype(np.int64)

    return {
        "bool": part,
        "int": integers,
        "float": integers,
        "string": lambda *args: pc.cast(pa.array(part(*args)), pa.string()),
    }


def _names_at(names: list[str], indexes: Value) -> Value:
    return lambda *args: pa.array(names).take(indexes(*args))


def _year(population: Population, periods: Integers, starts: Moments) -> Integers:
    return starts.astype("datetime64[Y]").astype(np.int64) + 1970


def _month(population: Population, periods: Integers, starts: Moments) -> Integers:
    return starts.astype("datetime64[M]").astype(np.int64) % 12 + 1


def _weekday(population: Population, periods: Integers, starts: Moments) -> Integers:
    """0 for Monday."""
    return (_days(starts) + 3) % 7


def _days(starts: Moments) -> Integers:
    return starts.astype("datetime64[D]").astype(np.int64)


def _day_of_month(population: Population, periods: Integers, starts: Moments) -> Integers:
    days, months = starts.astype("datetime64[D]"), starts.astype("datetime64[M]")
    number: Integers = (days - months.astype("datetime64[D]")).astype(np.int64) + 1
    return number


def _fiscal_year(population: Population, periods: Integers, starts: Moments) -> Integers:
    calendar = population.dataset.calendar
    by_end_year = calendar.fiscal_year_starts > 1 and calendar.fiscal_year_named == "end"
    if calendar.fiscal_weeks is not None:
        return _fiscal_weeks(calendar, starts)[0] + by_end_year
    is_started = _month(population, periods, starts) >= calendar.fiscal_year_starts
    return _year(population, periods, starts) + is_started - (0 if by_end_year else 1)


def _fiscal_month(population: Population, periods: Integers, starts: Moments) -> Integers:
    calendar = population.dataset.calendar
    if calendar.fiscal_weeks is not None:
        return month_of_week(_fiscal_weeks(calendar, starts)[1], calendar.fiscal_weeks.month_lengths)
    return (_month(population, periods, starts) - calendar.fiscal_year_starts) % 12 + 1


def _fiscal_week(population: Population, periods: Integers, starts: Moments) -> Integers:
    return _fiscal_weeks(population.dataset.calendar, starts)[1]


def _fiscal_weeks(calendar: Calendar, starts: Moments) -> tuple[Integers, Integers]:
    """Return the year in whose month the fiscal year of each day begins, and the number of its week."""
    weeks = calendar.fiscal_weeks
    assert weeks is not None  # checked
    return years_and_weeks(_days(starts), calendar.fiscal_year_starts, weeks.weekday, weeks.starts == "nearest")


def _is_holiday(population: Population, periods: Integers, starts: Moments) -> Any:
    return holiday_places(population.dataset.calendar, _days(starts))[1] >= 0


def _holiday_name(population: Population, periods: Integers, starts: Moments) -> ArrowArray:
    names, indexes = holiday_places(population.dataset.calendar, _days(starts))
    return taken(pa.array(names, pa.string()), indexes, indexes < 0)


def _is_working_day(population: Population, periods: Integers, starts: Moments) -> Any:
    return working(population.dataset.calendar, _days(starts))


def _day_count(is_counted: Callable[[Population, Integers], Any]) -> Value:
    """Return the part that counts the days of a period for which `is_counted(population, days)` is true."""

    def value(population: Population, periods: Integers, starts: Moments) -> Integers:
        first_day = _days(starts)
        stop_day = np.maximum(_days(population.grain.civil_starts(periods + 1)), first_day + 1)
        days = first_day[:, None] + np.arange(int((stop_day - first_day).max(initial=1)))[None, :]
        counts: Integers = np.count_nonzero(is_counted(population, days) & (days < stop_day[:, None]), axis=1)
        return counts.astype(np.int64)

    return value


DATE_PARTS: Family[DatePart] = Family("part of a date")
for _name, _part in {
    "date": DatePart(
        {
            "date": lambda population, periods, starts: starts.astype("datetime64[D]"),
            "string": lambda population, periods, starts: [str(day) for day in starts.astype("datetime64[D]")],
            "int": lambda population, periods, starts: date_keys(starts),
        },
        "Calendar day",
        "day",
    ),
    "year": DatePart(_number_forms(_year), "Calendar year", "year"),
    "quarter": DatePart(
        _number_forms(lambda *args: (_month(*args) - 1) // 3 + 1), "Quarter of the calendar year, 1 to 4", "quarter"
    ),
    "month": DatePart(_number_forms(_month), "Month of the year, 1 to 12", "month"),
    "month_name": DatePart(
        {"string": _names_at(_MONTHS, lambda *args: _month(*args) - 1)}, "Name of the month in English", "month"
    ),
    "week": DatePart(
        _number_forms(lambda population, periods, starts: iso_year_week(starts)[1]), "ISO week of the year, 1 to 53", "week"
    ),
    "hour": DatePart(
        _number_forms(lambda population, periods, starts: starts.astype("datetime64[h]").astype(np.int64) % 24),
        "Hour of the day, 0 to 23",
        "hour",
    ),
    "minute": DatePart(
        _number_forms(lambda population, periods, starts: starts.astype("datetime64[m]").astype(np.int64) % 60),
        "Minute of the hour, 0 to 59",
        "minute",
        longest=_HALF_HOUR,
    ),
    "time": DatePart(
        {"string": lambda population, periods, starts: [str(time)[11:] for time in starts.astype("datetime64[m]")]},
        "Time of day as HH:MM",
        "minute",
        longest=_HOUR,
    ),
    "day_of_week": DatePart(
        {**_number_forms(lambda *args: _weekday(*args) + 1), "string": _names_at(_DAYS, _weekday)},
        "Day of the week, 1 or Monday to 7 or Sunday",
        "day",
    ),
    "day_name": DatePart({"string": _names_at(_DAYS, _weekday)}, "Name of the weekday in English", "day"),
    "day_of_month": DatePart(_number_forms(_day_of_month), "Day of the month, 1 to 31", "day"),
    "is_weekend": DatePart(
        _truth_forms(lambda population, *args: np.array(population.dataset.calendar.days_off)[_weekday(population, *args)]),
        "Sign that the day is one of the weekend",
        "day",
    ),
    "is_holiday": DatePart(_truth_forms(_is_holiday), "Sign that the day is a holiday of the calendar", longest=_DAY),
    "holiday_name": DatePart(
        {"string": _holiday_name}, "Name of the holiday, null on other days", longest=_DAY, is_nullable=True
    ),
    "is_working_day": DatePart(
        _truth_forms(_is_working_day), "Sign that the day is neither of the weekend nor a holiday", longest=_DAY
    ),
    "working_days": DatePart(
        _number_forms(_day_count(lambda population, days: working(population.dataset.calendar, days))),
        "Number of days in the {grain} that are neither of the weekend nor holidays",
    ),
    "holidays": DatePart(
        _number_forms(_day_count(lambda population, days: holiday_places(population.dataset.calendar, days)[1] >= 0)),
        "Number of holidays in the {grain}",
    ),
    "fiscal_year": DatePart(
        _number_forms(_fiscal_year), "Fiscal year, named after the calendar year that it {named} in", "month", is_fiscal=True
    ),
    "fiscal_quarter": DatePart(
        _number_forms(lambda *args: (_fiscal_month(*args) - 1) // 3 + 1),
        "Quarter of the fiscal year, 1 to 4",
        "month",
        is_fiscal=True,
    ),
    "fiscal_month": DatePart(_number_forms(_fiscal_month), "Month of the fiscal year, 1 to 12", "month", is_fiscal=True),
    "fiscal_week": DatePart(_number_forms(_fiscal_week), "Week of the fiscal year, 1 to 53", "week", is_fiscal=True),
    "period_label": DatePart(
        {"string": lambda population, periods, starts: population.grain.labels(starts)}, "The {grain} as people write it"
    ),
    "period_index": DatePart(
        _number_forms(lambda population, periods, starts: periods - population.first),
        "Number of the {grain}, counted from 0 at the start of the window",
    ),
}.items():
    DATE_PARTS.add(_name, _part)

TIME_PARTS: Family[DatePart] = Family("part of a time of day")
for _name, _part in {
    "time": DatePart(
        {"string": lambda population, minutes, _: [f"{m // 60:02d}:{m % 60:02d}" for m in minutes.tolist()]},
        "Time of day as HH:MM",
    ),
    "hour": DatePart(_number_forms(lambda population, minutes, _: minutes // 60), "Hour of the day, 0 to 23"),
    "minute": DatePart(_number_forms(lambda population, minutes, _: minutes % 60), "Minute of the hour, 0 to 59"),
    "minute_of_day": DatePart(_number_forms(lambda population, minutes, _: minutes), "Number of minutes since midnight"),
    "hour_12": DatePart(
        _number_forms(lambda population, minutes, _: (minutes // 60 + 11) % 12 + 1), "Hour on a clock of twelve, 1 to 12"
    ),
    "am_pm": DatePart(
        {"string": _names_at(["am", "pm"], lambda population, minutes, _: minutes // 720)}, "Half of the day, am or pm"
    ),
    "day_part": DatePart(
        {"string": _names_at(_DAY_PARTS, lambda population, minutes, _: minutes // 360)},
        "Part of the day by six hours: night, morning, afternoon or evening",
    ),
    "is_office_hours": DatePart(
        _truth_forms(lambda population, minutes, _: (minutes >= 9 * 60) & (minutes < 17 * 60)),
        "Sign that it is between 9:00 and 17:00",
    ),
}.items():
    TIME_PARTS.add(_name, _part)


def _parts(table: Table) -> Family[DatePart]:
    return TIME_PARTS if table.is_time_dimension else DATE_PARTS


_TYPES: dict[str, pa.DataType] = {
    "date": pa.date32(),
    "int": pa.int64(),
    "float": pa.float64(),
    "string": pa.string(),
    "bool": pa.bool_(),
}
"""Type word to the type of values."""


_CONVERSIONS = {
    ("int", "float"): "number",
    ("int", "string"): "text",
    ("bool", "int"): "integer",
    ("bool", "string"): "text",
    ("date", "string"): "text",
}
"""The usual type of a part and another one to the word of `as` that makes one of the other."""
_NAMED = ("day_of_week",)
"""Parts that are numbers, and as texts are names."""


class _PartOfDate(ColumnSource):
    """Column of a date dimension or of a dimension of times; its name says which part it is, its word the type."""

    needs = frozenset({"calendar"})
    instead = USUAL_SOURCES

    def date_part(self, column: Column) -> str:
        return column.name

    def form(self, column: Column) -> str:
        """Return the word for the type of a column."""
        return self.word

    @classmethod
    def todays_words(cls, column: Mapping[str, Any], is_listed: bool) -> Mapping[str, Any]:
        """The type says which part it is, and `as` how that is stored, where it is not as usual."""
        part, name = _known_part(column["name"]), column["name"]
        if part is None or "." in column["type"]:
            return column
        usual = next(iter(part.forms))
        if cls is SOURCES[usual]:
            return {**column, "type": f"calendar.{name}"}
        conversion = None if name in _NAMED else _CONVERSIONS.get((usual, cls.word))
        if conversion is None or {"as", "decimals"} & column.keys():
            return column
        return with_options(column, f"calendar.{name}", **{"as": conversion})

    def arrow_type(self, column: Column, dataset: Dataset) -> pa.DataType:
        return _TYPES[self.form(column)]

    def check(self, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
        place, name = self.place, self.date_part(column)
        try:
            part = _parts(table)[name]
        except UnknownMember as error:
            noun = "dimension of times" if _parts(table) is TIME_PARTS else "date dimension"
            reason = f"; in a {noun} the name says it" if place == "name" else f" in a {noun}"
            yield Problem(place, f"{error.message}{reason}", error.hint)
            return
        if self.form(column) not in part.forms:
            yield Problem("type", f"{name} is of type {' or '.join(part.forms)}, found {self.word}")
        grain = scope.window.grain if scope.window is not None else GRAINS["day"]
        if part.longest is not None and (grain.minutes is None or grain.minutes > part.longest):
            is_of_days = part.longest == _DAY
            span, hint = ("a day", "`holidays` and `working_days` count them") if is_of_days else ("a time", "leave it out")
            yield Problem(place, f"{name} is said of {span}, and the dates are those of {grain.plural}", hint)
        calendar = scope.calendar
        if name == "fiscal_week" and calendar is not None and calendar.fiscal_weeks is None:
            hint = "give `calendar: { fiscal_weeks: { pattern: 4-4-5 } }`; `week` is that of the calendar year"
            yield Problem(place, "a fiscal year has no weeks: it is one of months", hint)
        if name in ("is_holiday", "holiday_name", "holidays") and calendar is not None and not calendar.holidays:
            yield Problem(place, "no day is a holiday", "give `calendar: { holidays: US }`, or a list of them")

    place: ClassVar[str] = "name"
    """The key of a column that says which part it is."""

    def describe(self, column: Column, table: Table, dataset: Dataset) -> str:
        part, grain = _parts(table)[self.date_part(column)], dataset.grain
        text = part.description.format(
            grain=grain.noun, named="ends" if dataset.calendar.fiscal_year_named == "end" else "begins"
        )
        if not part.within:
            return f"{text}."
        within = "week" if part.is_fiscal and dataset.calendar.fiscal_weeks is not None else part.within
        is_constant = within in (grain.name, *grain.coarser)
        return f"{text}." if is_constant else f"{text}, at the start of the {grain.noun}."

    def is_nullable(self, column: Column, dataset: Dataset) -> bool:
        name = self.date_part(column)
        return name in DATE_PARTS and DATE_PARTS[name].is_nullable

    def fill(self, column: ColumnPlan, table: TablePlan, rows: Rows) -> ArrowArray:
        population = rows.block.population
        name, form = self.date_part(column.spec), self.form(column.spec)
        if table.spec.is_time_dimension:
            minutes = rows.ordinal
            values = TIME_PARTS[name].forms[form](population, minutes, minutes.astype("timedelta64[m]"))
        else:
            values = DATE_PARTS[name].forms[form](population, rows.period, population.grain.civil_starts(rows.period))
        return values.cast(column.type) if isinstance(values, pa.Array) else pa.array(values).cast(column.type)


def _known_part(name: object) -> DatePart | None:
    """Return the part of a date or of a time of day of a name; None if there is none. `hour`, `minute` and
    `time` are the same of both."""
    return next((parts[str(name)] for parts in (DATE_PARTS, TIME_PARTS) if str(name) in parts), None)


@add_source
class CalendarPart(_PartOfDate):
    """`part` of a date, or of a time of day."""

    word = "calendar"
    argument = "part"
    example = "calendar.month_name"
    place = "type"

    part: Name
    """Which part it is."""

    def date_part(self, column: Column) -> str:
        return self.part

    def form(self, column: Column) -> str:
        part = _known_part(self.part)
        return "string" if part is None else next(iter(part.forms))


@add_source
class DateOfPeriod(_PartOfDate):
    """A day. The name of the column says which part of the date it is."""

    word = "date"
    example = "date"
    is_old_spelling = True


@add_source
class IntegerPart(_PartOfDate):
    """A whole number. The name of the column says which part of the date or of the time of day it is."""

    word = "int"
    example = "int"
    is_old_spelling = True


@add_source
class NumberPart(_PartOfDate):
    """A number, as a double. The name of the column says which part of the date or of the time of day it is."""

    word = "float"
    example = "float"
    is_old_spelling = True


@add_source
class TextPart(_PartOfDate):
    """A text. The name of the column says which part of the date or of the time of day it is."""

    word = "string"
    example = "string"
    is_old_spelling = True


@add_source
class FlagPart(_PartOfDate):
    """True or false. The name of the column says which sign of the date or of the time of day it is."""

    word = "bool"
    example = "bool"
    is_old_spelling = True
