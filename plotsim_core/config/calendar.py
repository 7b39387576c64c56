"""The calendar (fiscal year, weekend, holidays) and the rhythm in which things happen on it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from plotsim_core.config.day_rules import DAY_NAMES, Day, is_never, year_days
from plotsim_core.config.holidays import UnknownCountry, country_days, known_years
from plotsim_core.config.model import Flag, Part, member
from plotsim_core.errors import Problem, ProblemError, value_text
from plotsim_core.families import did_you_mean
from plotsim_core.numerics.rhythm import HOURS, WEEKDAYS

DayName = Annotated[str, BeforeValidator(lambda value: value.lower() if isinstance(value, str) else value)]
Weight = Annotated[float, Field(ge=0, le=1000, strict=True)]


class Holidays(Part):
    """Either the public holidays of a `country` (a code like US, or US-CA with a `subdivision`), or one day with a `name`
    and a `date`."""

    country: str | None = None
    """The code of a country whose public holidays they are."""
    subdivision: str | None = None
    """The code of a part of it."""
    language: str | None = None
    """Of the names of a country's holidays."""
    observed: Flag = True
    """Also the day on which one is made up for that falls on a weekend."""
    name: Annotated[str, Field(min_length=1)] | None = None
    """What a day of one's own is called."""
    date: Day | None = None
    """When it is, in one year (2024-11-29) or in every (12-24, 4th thursday of november, easter + 1)."""

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        if isinstance(value, str) and value[:1].isdigit():
            hint = f"write {{ name: {value}, date: {value} }}; a text alone is the code of a country: US"
            raise ProblemError(Problem("", f"expected a country, or a day with its name, found {value_text(value)}", hint))
        if isinstance(value, str):
            country, dash, subdivision = value.partition("-")
            return {"country": country, "subdivision": subdivision} if dash else {"country": country}
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Holidays:
        problems = list(self._problems())
        if problems:
            raise ProblemError(*problems)
        return self

    def _problems(self) -> Iterator[Problem]:
        if self.country is None:
            yield from (Problem(n, "is missing") for n in ("name", "date") if getattr(self, n) is None)
            for name in ("subdivision", "language", "observed"):
                if name in self.model_fields_set:
                    yield Problem(name, "has no effect without `country`")
            if self.date is not None and is_never(self.date):
                yield Problem("date", f"there is no day {self.date}")
            return
        for name in ("name", "date"):
            if name in self.model_fields_set:
                yield Problem(name, "does not go with `country`", "give it an entry of its own in the list")
        try:
            known_years(self.country, self.subdivision, self.language)
        except UnknownCountry as unknown:
            code = f"{self.country}-{unknown.name}" if unknown.wanted == "subdivision" else unknown.name
            message = f"no holidays are known of the {unknown.wanted} '{code}'"
            yield Problem(unknown.wanted, message, did_you_mean(unknown.name, unknown.known_names))

    def of_year(self, year: int) -> dict[int, str]:
        """Return the days of a year, counted from 1970-01-01, and what each is called."""
        if self.country is not None:
            return country_days(self.country, self.subdivision, self.language, self.observed, year)
        assert self.date is not None and self.name is not None
        return dict.fromkeys(year_days(self.date, year), self.name)


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value]


class FiscalWeeks(Part):
    """Fiscal years of whole weeks, 52 or 53 of them, in quarters of 13 weeks and months of 4 or 5: fiscal years, quarters
    and months of dates are then those of their weeks. A 53rd week belongs to the last month."""

    pattern: Literal["4-4-5", "4-5-4", "5-4-4"]
    """How many weeks the months of a quarter have."""
    begin: DayName = "monday"
    """The weekday that weeks begin on, and so years."""
    starts: Literal["nearest", "last"] = "nearest"
    """Whether a year begins on the weekday `nearest` to the first day of its month, or on the `last` one until then."""

    @field_validator("begin")
    @classmethod
    def _check_day(cls, value: str) -> str:
        if value not in DAY_NAMES:
            raise ProblemError(Problem("", f"no day is called '{value}'", did_you_mean(value, list(DAY_NAMES))))
        return value

    @property
    def month_lengths(self) -> tuple[int, ...]:
        """The weeks of the three months of a quarter."""
        return tuple(int(length) for length in self.pattern.split("-"))

    @property
    def weekday(self) -> int:
        """The weekday that weeks begin on, 0 for Monday."""
        return list(DAY_NAMES).index(self.begin)


class Calendar(Part):
    """What days are: `fiscal_year_starts` is the month that the fiscal year begins with, which is named after the calendar
    year it ends in (or `start`s in); `weekend` are the days off in a week, `holidays` those in a year."""

    fiscal_year_starts: Annotated[int, Field(ge=1, le=12, strict=True)] = 1
    """The month that it begins with."""
    fiscal_year_named: Literal["end", "start"] = "end"
    """By the calendar year of its end or of its start."""
    fiscal_weeks: FiscalWeeks | None = None
    """Fiscal years of whole weeks, instead of months."""
    weekend: Annotated[tuple[DayName, ...], Field(max_length=6), BeforeValidator(_as_list)] = ("saturday", "sunday")
    """The days off in a week."""
    holidays: Annotated[tuple[Holidays, ...], BeforeValidator(_as_list)] = ()
    """Those in a year: a country's, days of one's own, or a list of both."""

    @field_validator("weekend")
    @classmethod
    def _check_weekend(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for index, name in enumerate(value):
            if name not in DAY_NAMES:
                raise ProblemError(Problem(f"[{index}]", f"no day is called '{name}'", did_you_mean(name, list(DAY_NAMES))))
            if name in value[:index]:
                raise ProblemError(Problem(f"[{index}]", f"'{name}' stands twice"))
        return value

    @model_validator(mode="after")
    def _check_naming(self) -> Calendar:
        if "fiscal_year_named" in self.model_fields_set and self.fiscal_year_starts == 1:
            message = "has no effect: a fiscal year from January is the calendar year"
            raise ProblemError(Problem("fiscal_year_named", message, "give `fiscal_year_starts`, 2 to 12"))
        return self

    @property
    def days_off(self) -> tuple[bool, ...]:
        """Whether each weekday, Monday first, is one of the weekend."""
        return tuple(name in self.weekend for name in DAY_NAMES)


class Rhythm(Part):
    """How much happens on which weekday and at which hour, and the factor on holidays.

    `weekdays` is a word or seven weights from Monday, `hours` a word or 24 weights from midnight. Weights are relative to
    each other: over a week without holidays things happen as often as they would without a rhythm.
    """

    weekdays: str | tuple[Weight, ...] | None = None
    """A word, or seven weights from Monday."""
    hours: str | tuple[Weight, ...] | None = None
    """A word, or 24 weights from midnight."""
    holidays: Annotated[float, Field(ge=0, le=100, strict=True)] | None = None
    """How much happens on one, as a share of another such day."""

    @field_validator("weekdays", "hours", mode="before")
    @classmethod
    def _weights(cls, value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, str):
            member(WEEKDAYS if info.field_name == "weekdays" else HOURS, value)
            return value
        if not isinstance(value, list | tuple):
            raise ValueError(f"expected a word or a list of weights, found {value_text(value)}")
        invalid = [weight for weight in value if type(weight) not in (int, float)]
        if invalid:
            raise ValueError(f"expected weights, numbers from 0, found {value_text(invalid[0])}")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Rhythm:
        problems = []
        for name, value, count in (("weekdays", self.weekdays, 7), ("hours", self.hours, 24)):
            if isinstance(value, tuple) and len(value) != count:
                problems.append(Problem(name, f"expected {count} weights, found {len(value)}"))
            elif isinstance(value, tuple) and sum(value) <= 0:
                problems.append(Problem(name, "expected at least one weight above 0"))
        if not self.model_fields_set:
            problems.append(Problem("", "says nothing", "give `weekdays`, `hours` or `holidays`"))
        if problems:
            raise ProblemError(*problems)
        return self

    def over(self, other: Rhythm | None) -> Rhythm:
        """Return this rhythm, with what it leaves open from another one."""
        if other is None:
            return self
        changes = {name: getattr(self, name) for name in self.model_fields_set}
        return other.model_copy(update=changes)

    def weekday_weights(self, calendar: Calendar) -> tuple[float, ...]:
        """Return the weights of the weekdays, Monday first."""
        if isinstance(self.weekdays, tuple):
            return self.weekdays
        work_weight, off_weight = WEEKDAYS[self.weekdays or "even"]
        return tuple(off_weight if day_off else work_weight for day_off in calendar.days_off)

    @property
    def hour_weights(self) -> tuple[float, ...]:
        """The weights of the hours, from midnight."""
        return self.hours if isinstance(self.hours, tuple) else HOURS[self.hours or "even"]
