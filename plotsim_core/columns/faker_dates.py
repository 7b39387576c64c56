"""Days and years before the window: the ranges that Faker counts back from today, counted back from the window's start.

The same config so gives the same rows on any day. Days are uniform over their range.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from plotsim_core.arrow import ArrowArray
from plotsim_core.errors import Problem, value_text
from plotsim_core.families import did_you_mean
from plotsim_core.numerics.arrays import Floats

Range = tuple[int, int]
"""The first and the last day, counted from 1970-01-01."""

_YEAR = 365.2425
_UNITS = {"y": _YEAR, "M": _YEAR / 12, "w": 7.0, "d": 1.0}
_OFFSET = re.compile(r"^([+-]?\d{1,4})([yMwd])$")
_YEARS_BACK = 10
_OLDEST = 115


def _day(value: Any, start: int) -> int:
    """Return the day that a text like 2020-01-31, -30y, +2w or today means. Raises ValueError for any other."""
    text = str(value)
    if text in ("today", "now"):
        return start
    match = _OFFSET.match(text)
    if match:
        return start + round(int(match[1]) * _UNITS[match[2]])
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        return int(np.datetime64(text, "D").astype(np.int64))
    raise ValueError(f"expected a day like 2020-01-31, or one from the window's start like -30y, found {value_text(value)}")


def _integer(value: Any, limit: int) -> int:
    if type(value) is not int or not 0 <= value <= limit:
        raise ValueError(f"expected a whole number from 0 to {limit}, found {value_text(value)}")
    return value


def _since_1970(start: int, arguments: Mapping[str, Any]) -> Range:
    return min(0, start - round(50 * _YEAR)), start


def _between(start: int, arguments: Mapping[str, Any]) -> Range:
    return _day(arguments.get("start_date", "-30y"), start), _day(arguments.get("end_date", "today"), start)


def _birth(start: int, arguments: Mapping[str, Any]) -> Range:
    youngest, oldest = _integer(arguments.get("minimum_age", 0), 1000), _integer(arguments.get("maximum_age", _OLDEST), 1000)
    return start - round((oldest + 1) * _YEAR) + 1, start - round(youngest * _YEAR)


def _decade(start: int, arguments: Mapping[str, Any]) -> Range:
    year = int(np.datetime64(start, "D").astype("datetime64[Y]").astype(np.int64)) + 1970
    return int(np.datetime64(f"{year - year % 10:04d}-01-01", "D").astype(np.int64)), start


def _years(start: int, arguments: Mapping[str, Any]) -> Range:
    """Years rather than days."""
    year = int(np.datetime64(start, "D").astype("datetime64[Y]").astype(np.int64)) + 1970
    return _integer(arguments.get("minimum", year - _YEARS_BACK), 9999), _integer(arguments.get("maximum", year), 9999)


@dataclass(frozen=True)
class Past:
    """A provider: the type of its values, the range that it draws from, and the arguments that it knows."""

    type: pa.DataType
    range: Callable[[int, Mapping[str, Any]], Range]
    arguments: tuple[str, ...] = ()


PAST: dict[str, Past] = {
    "date": Past(pa.date32(), _since_1970),
    "date_between": Past(pa.date32(), _between, ("start_date", "end_date")),
    "date_of_birth": Past(pa.date32(), _birth, ("minimum_age", "maximum_age")),
    "date_this_decade": Past(pa.date32(), _decade),
    "date_time": Past(pa.timestamp("us"), _since_1970),
    "iso8601": Past(pa.string(), _since_1970),
    "unix_time": Past(pa.int64(), _since_1970),
    "year": Past(pa.int64(), _years, ("minimum", "maximum")),
}
"""Providers that are counted back from the window's start."""


def check_past(name: str, arguments: Mapping[str, Any], start: int) -> Iterable[Problem]:
    """Yield the problems of the arguments of a provider; `start` is the window's first day."""
    parameters = PAST[name].arguments
    for argument in arguments:
        if argument not in parameters:
            hint = did_you_mean(argument, list(parameters)) if parameters else ""
            yield Problem("", f"faker.{name} has no argument '{argument}'", hint)
            return
    try:
        low, high = PAST[name].range(start, arguments)
    except ValueError as error:
        yield Problem("", f"faker.{name}: {error}")
        return
    if low > high:
        yield Problem("", f"faker.{name}: the range ends before it begins")


def past_values(name: str, arguments: Mapping[str, Any], start: int, uniforms: Floats, day_uniforms: Floats) -> ArrowArray:
    """Return a value for each of the uniforms; `day_uniforms` set the time of day."""
    low, high = PAST[name].range(start, arguments)
    numbers = low + (uniforms * (high - low + 1)).astype(np.int64)
    type_ = PAST[name].type
    if name == "year":
        return pa.array(numbers)
    if type_ == pa.date32():
        return pa.array(numbers.astype("datetime64[D]"), type_)
    seconds = numbers * 86_400 + (day_uniforms * 86_400).astype(np.int64)
    if type_ == pa.int64():
        return pa.array(seconds)
    if type_ == pa.string():
        texts: ArrowArray = pc.replace_substring(pc.cast(pa.array(seconds.astype("datetime64[s]")), type_), " ", "T")
        return texts
    return pa.array(seconds.astype("datetime64[s]").astype("datetime64[us]"), type_)
