"""`date`, `int`, `string`, `bool`: the columns of a date dimension. The column's name says which part of the date it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from plotsim_core.columns.rows import Integers, Rows
from plotsim_core.columns.source import Source, add_source
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, NoOptions, SourceWords, Table
from plotsim_core.errors import Problem
from plotsim_core.families import Family, UnknownMember
from plotsim_core.numerics.calendar import Moments, iso_year_week
from plotsim_core.plan.plan import ColumnPlan, Plan, TablePlan

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


@dataclass(frozen=True)
class DatePart:
    """One part of a date: the column type it goes under, and its value from (plan, periods, their starts)."""

    word: str
    value: Callable[[Plan, Integers, Moments], Any]


def _year(starts: Moments) -> Integers:
    return starts.astype("datetime64[Y]").astype(np.int64) + 1970


def _month(starts: Moments) -> Integers:
    return starts.astype("datetime64[M]").astype(np.int64) % 12 + 1


def _weekday(starts: Moments) -> Integers:
    """0 for Monday."""
    return (starts.astype("datetime64[D]").astype(np.int64) + 3) % 7


def _day_of_month(starts: Moments) -> Integers:
    return (starts.astype("datetime64[D]") - starts.astype("datetime64[M]").astype("datetime64[D]")).astype(np.int64) + 1


DATE_PARTS: Family[DatePart] = Family("part of a date")
for _name, _part in {
    "date": DatePart("date", lambda plan, periods, starts: starts.astype("datetime64[D]")),
    "year": DatePart("int", lambda plan, periods, starts: _year(starts)),
    "quarter": DatePart("int", lambda plan, periods, starts: (_month(starts) - 1) // 3 + 1),
    "month": DatePart("int", lambda plan, periods, starts: _month(starts)),
    "month_name": DatePart("string", lambda plan, periods, starts: [_MONTHS[m - 1] for m in _month(starts).tolist()]),
    "week": DatePart("int", lambda plan, periods, starts: iso_year_week(starts)[1]),
    "hour": DatePart("int", lambda plan, periods, starts: starts.astype("datetime64[h]").astype(np.int64) % 24),
    "day_of_week": DatePart("int", lambda plan, periods, starts: _weekday(starts) + 1),
    "day_name": DatePart("string", lambda plan, periods, starts: [_DAYS[d] for d in _weekday(starts).tolist()]),
    "day_of_month": DatePart("int", lambda plan, periods, starts: _day_of_month(starts)),
    "is_weekend": DatePart("bool", lambda plan, periods, starts: _weekday(starts) >= 5),
    "period_label": DatePart("string", lambda plan, periods, starts: plan.grain.labels(starts)),
    "period_index": DatePart("int", lambda plan, periods, starts: periods - plan.first),
}.items():
    DATE_PARTS.add(_name, _part)

_TYPES = {"date": pa.date32(), "int": pa.int64(), "string": pa.string(), "bool": pa.bool_()}


def _check(options: NoOptions, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
    try:
        part = DATE_PARTS[column.name]
    except UnknownMember as unknown:
        yield Problem("name", f"{unknown.message}; in a date dimension the name says it", unknown.hint)
        return
    if part.word != column.word:
        yield Problem("type", f"{column.name} is of type {part.word}, found {column.word}")


def _fill(column: ColumnPlan, table: TablePlan, rows: Rows) -> pa.Array:
    plan = rows.block.plan
    return pa.array(DATE_PARTS[column.name].value(plan, rows.period, plan.grain.starts(rows.period)), column.type)


for _word, _type in _TYPES.items():
    add_source(
        _word,
        SourceWords(
            options=NoOptions,
            arrow=lambda options, column, dataset: _TYPES[column.word],
            example=_word,
            needs=frozenset({"calendar"}),
            check=_check,
            describe=lambda options, dataset: "Part of the date.",
        ),
        Source(_fill),
    )
