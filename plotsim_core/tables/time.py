"""A dimension of times of day (`per: time`): one row per minute, or per hour; events refer to that of their moment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

import numpy as np

from plotsim_core.columns.foreign_key import RESOLVERS, Targets
from plotsim_core.columns.rows import Rows
from plotsim_core.columns.timestamp import moments
from plotsim_core.config.scope import Scope
from plotsim_core.config.star_schema import TIME_DIMENSION
from plotsim_core.config.tables import KindWords, Table
from plotsim_core.engine.block import Block
from plotsim_core.engine.slice import Slice
from plotsim_core.errors import Problem
from plotsim_core.numerics.random import Floats, words
from plotsim_core.plan.plan import ColumnPlan, Plan, TablePlan
from plotsim_core.tables.date import key_name, needs_key
from plotsim_core.tables.estimate_sample import Sample
from plotsim_core.tables.kind import Kind, add_kind

_MINUTES = {"minute": 1, "hour": 60}
NAME = TIME_DIMENSION


class TimeDimension(Table):
    """The times of a day, `every` minute or hour of it; its key is a number, HHMM.

    `per`: that its rows are times of day.
    """

    per: Literal["time"]
    every: Literal["minute", "hour"] = "minute"


def _check(table: TimeDimension, scope: Scope) -> Iterable[Problem]:
    yield from needs_key(table, scope)
    if table.name != NAME:
        yield Problem("name", f"the dimension of times is called {NAME}, found {table.name}")
    if table.every == "hour":
        for number, column in enumerate(table.columns):
            if column.name == "minute":
                yield Problem(f"columns[{number}].name", "is 0 in every row: they are hours")


def _cut(plan: Plan, slice_: Slice) -> Iterator[Slice]:
    yield Slice(slice_.stop - 1, slice_.stop, 0, 1)


def _times(table: TablePlan, block: Block) -> Rows:
    assert isinstance(table.spec, TimeDimension)
    minutes = np.arange(0, 24 * 60, _MINUTES[table.spec.every], dtype=np.int64)
    return Rows(block=block, address=words(minutes), ordinal=minutes)


def _expect(table: TablePlan, sample: Sample) -> Floats:
    assert isinstance(table.spec, TimeDimension)
    return np.full(len(sample.periods), 24.0 * 60 / _MINUTES[table.spec.every])


def _to_time(column: ColumnPlan, table: TablePlan, rows: Rows, parent: TablePlan) -> Targets:
    """To the time of a row's moment; of a row without one, to that at which its period begins."""
    assert isinstance(parent.spec, TimeDimension)
    row_moments = moments(table, rows)
    seconds = (row_moments - row_moments.astype("datetime64[D]")).astype("timedelta64[s]").astype(np.int64)
    return Targets(parent, _times(parent, rows.block), seconds // (60 * _MINUTES[parent.spec.every]))


RESOLVERS.add("time", _to_time)

add_kind(
    "time",
    KindWords(
        section="dimensions",
        recognise=lambda raw, unit: raw.get("per") == "time",
        model=TimeDimension,
        knows=frozenset({"calendar", "key"}),
        key=lambda table, dataset: (key_name(table),),
        describe=lambda table, dataset: f"Times of a day, one row per {table.every}.",
        check=_check,
    ),
    Kind(_cut, _times, _expect, state=True),
)
