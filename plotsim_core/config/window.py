"""The window: from when to when, in periods of which length."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from plotsim_core.config.model import Offset, Part, pattern
from plotsim_core.errors import Problem, ProblemError, value_text
from plotsim_core.families import did_you_mean
from plotsim_core.numerics.calendar import ADVERBS, GRAINS, MINUTES, USUAL_GRAINS, YEAR, Grain, grain_named
from plotsim_core.numerics.zones import transitions, zone_names


def _day_text(value: Any) -> Any:
    """Return a date or a year as text: a mapping made by a program may hold dates, and 2024 alone is a number."""
    return str(value) if type(value) in (date, int) else value


def _existing(text: str) -> str:
    try:
        np.datetime64(text)
    except ValueError:
        raise ProblemError(Problem("", f"there is no day {text}")) from None
    return text


def _period_name(value: Any) -> Any:
    """Return the name of a length of period, of which adverbs are an old spelling."""
    name = ADVERBS.get(value, value) if isinstance(value, str) else value
    if isinstance(name, str) and name not in GRAINS:
        raise ProblemError(Problem("", f"no period is called '{name}'", _period_hint(name)))
    return name


def _period_hint(name: str) -> str:
    """Return the hint for a name that no length of period has."""
    length = re.fullmatch(r"(\d{1,6})\s*m(in(ute)?s?)?", name.strip().lower())
    if length is None:
        return did_you_mean(name, ["5 minutes", *USUAL_GRAINS, *ADVERBS])
    minutes = int(length[1])
    if minutes in MINUTES:
        return f"write '{'minute' if minutes == 1 else f'{minutes} minutes'}'"
    if minutes == 60:
        return "write 'hour'"
    return f"minutes have to divide an hour: {', '.join(map(str, MINUTES))}"


Day = Annotated[
    str,
    BeforeValidator(_day_text),
    Field(
        pattern=pattern(
            r"^(1[6-9]|2\d)\d\d-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?$",
            "a month or day from 1600 to 2999, written like 2024-01 or 2024-01-15",
        )
    ),
    AfterValidator(_existing),
]


def _existing_zone(name: str) -> str:
    if name not in zone_names():
        raise ProblemError(
            Problem("", f"no time zone is named {value_text(name)}", did_you_mean(name, sorted(zone_names())))
        )
    return name


TimeZone = Annotated[str, AfterValidator(_existing_zone)]
_DAY, _MONTH = 86_400, 31 * 86_400
"""Seconds."""
_LAST_RULE = 2100
"""The year up to which the clocks of an open window are looked at."""


class Window(Part):
    """The time a dataset covers. `start` and `end` are dates (`2023-01` or `2023-01-15`) and both belong to it.

    Without `end` the window is open and grows with the calendar; then `span` says in how many periods an archetype
    runs its course. A closed window's span is its length unless it is written.
    """

    short_form: ClassVar[str] = "[start, end, every]"

    start: Day
    """The first day, or month."""
    end: Day | None = None
    """The last one; none for an open window."""
    every: Annotated[str, BeforeValidator(_period_name)] = "month"
    """The length of a period: some minutes that divide an hour (`5 minutes`), hour, day, week, month or quarter."""
    span: Annotated[Offset, Field(ge=1)] | None = None
    """So many periods an archetype takes; the length of the window unless it is written."""
    partition: str | None = None
    """The length of a partition, if several periods are stored and made together: week, month, quarter or year (day,
    for hours; day, hour or more minutes, for minutes); the rows are the same."""
    timezone: TimeZone | None = None
    """The time zone whose days, hours and months the periods are, by its IANA name (`Europe/Berlin`); UTC unless it is
    written."""

    @model_validator(mode="before")
    @classmethod
    def _read_old_spellings(cls, value: Any) -> Any:
        if isinstance(value, list | tuple):
            if not 2 <= len(value) <= 3:
                raise ValueError(f"expected [start, end] or [start, end, every], found {value_text(value)}")
            return dict(zip(("start", "end", "every"), value, strict=False))
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Window:
        problems = list(self._problems())
        if problems:
            raise ProblemError(*problems)
        return self

    def _problems(self) -> Iterator[Problem]:
        if self.end is None and self.span is None:
            yield Problem("span", "is missing", "without an end, it says in how many periods archetypes run their course")
        if self.end is not None and np.datetime64(self.end) < np.datetime64(self.start):
            yield Problem("end", f"{self.end} is before the start, {self.start}")
            return
        if self.stop is not None and self.stop <= self.first:
            yield Problem("end", f"there is no whole {self.grain.noun} from {self.start} to {self.end}")
            return
        partition_problems = list(self._partition_problems())
        yield from partition_problems
        grain = self.grain if partition_problems else self.partitioned
        yield from self._aligned(grain, "start", self.start, np.datetime64(self.start))
        yield from self._zone_problems()
        if self.end is not None:
            yield from self._aligned(grain, "end", self.end, np.datetime64(self.end) + 1)

    def _partition_problems(self) -> Iterator[Problem]:
        """Refuse a partition that does not hold several whole periods."""
        name, longer_names = self.grain.name, self.grain.coarser
        if self.partition is None or self.partition in longer_names:
            return
        if self.partition not in (*GRAINS, YEAR.name):
            suggestion = (
                did_you_mean(self.partition, list(longer_names))
                if longer_names
                else "leave it out: a partition is then a week"
            )
            yield Problem("partition", f"no period is called '{self.partition}'", suggestion)
        elif name == "week":
            hint = "leave it out: a partition is then a week"
            yield Problem("partition", f"a {grain_named(self.partition).noun} does not hold whole weeks", hint)
        else:
            hint = f"leave it out for a partition each {self.grain.noun}; longer are {', '.join(longer_names)}"
            yield Problem(
                "partition",
                f"a {grain_named(self.partition).noun} does not hold several {self.grain.plural}",
                hint,
            )

    def _zone_problems(self) -> Iterator[Problem]:
        """Refuse a zone whose clocks are changed so that periods are cut in two: parts of days, and days that do not come
        once."""
        if self.timezone is None:
            return
        last = self.end or f"{max(_LAST_RULE, int(self.start[:4]))}-12-31"
        first, stop = (np.datetime64(day).astype("datetime64[s]").astype(np.int64) for day in (self.start, last))
        moments, before, after = transitions(self.timezone, int(first) - _DAY, int(stop) + _MONTH)
        shown_before, shown_after = (((moments + offset) // _DAY).astype("datetime64[D]") for offset in (before - 1, after))
        is_broken = (shown_after < shown_before) | (shown_after > shown_before + 1)
        if self.grain.is_part_of_day and len(moments):
            yield Problem(
                "timezone",
                f"clocks of {self.timezone} are changed, on {shown_before[0]} for the first time, so {self.grain.plural} "
                "would come twice or never",
                "leave it out, so that periods are of UTC, and show local time: { type: timestamp, zone: "
                f"{self.timezone} }}, or local(at, '{self.timezone}'); or take days",
            )
        elif np.any(is_broken):
            yield Problem(
                "timezone",
                f"clocks of {self.timezone} are changed on {shown_before[is_broken][0]} so that a day comes twice or never",
                "end the window before it, or begin it after it",
            )

    def _aligned(self, grain: Grain, name: str, text: str, moment: np.datetime64) -> Iterator[Problem]:
        """Refuse a day that cuts a period (or partition) in two. Months and weeks never align, so a window of months holds
        the weeks that begin in it."""
        if self.grain.name == "week" and len(text) == 7:
            return
        edge = moment.astype("datetime64[s]")
        period = grain.holding(np.array([edge]))
        start, next_start = (grain.civil_starts(period + step)[0] for step in (0, 1))
        if start != edge:
            side, offset = ("first", 0) if name == "start" else ("last", 1)
            day_before, day_after = (moment.astype("datetime64[D]") - offset for moment in (start, next_start))
            is_backward = name == "start" or day_before >= np.datetime64(self.start)
            hint = f"the nearest before is {day_before}" if is_backward else f"the nearest after is {day_after}"
            note = ", the length of a partition" if grain is not self.grain else ""
            yield Problem(name, f"{text} is not the {side} day of a {grain.name}{note}", hint)

    @property
    def grain(self) -> Grain:
        """The length of a period."""
        return grain_named(self.every, self.timezone)

    @property
    def partitioned(self) -> Grain:
        """The length of a partition: that of a period unless a longer one is written."""
        return self.grain if self.partition is None else grain_named(self.partition, self.timezone)

    @property
    def first(self) -> int:
        """Number of the first period: the first that begins on or after `start`."""
        start = np.array([np.datetime64(self.start).astype("datetime64[s]")])
        period = self.grain.holding(start)
        return int(period[0]) + int(self.grain.civil_starts(period)[0] < start[0])

    @property
    def stop(self) -> int | None:
        """Number of the period after the last: the first that begins after `end`. None for an open window."""
        if self.end is None:
            return None
        next_day = np.datetime64(self.end) + 1
        return int(self.grain.holding(np.array([next_day.astype("datetime64[s]") - 1]))[0]) + 1

    @property
    def length(self) -> int:
        """The span that archetypes are scaled by, in periods."""
        if self.span is not None:
            return self.span
        assert self.stop is not None
        return self.stop - self.first
