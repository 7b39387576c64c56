"""The date dimension (`per: period`): one row per period."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

import numpy as np

from plotsim_core.columns.primary_key import key_column
from plotsim_core.columns.rows import Rows
from plotsim_core.config.scope import Scope
from plotsim_core.config.star_schema import DATE_DIMENSION
from plotsim_core.config.tables import KindWords, Table
from plotsim_core.engine.block import Block
from plotsim_core.engine.slice import Slice
from plotsim_core.errors import Problem
from plotsim_core.numerics.random import words
from plotsim_core.plan.plan import Population, TablePlan
from plotsim_core.tables.kind import Kind, add_kind


class DateDimension(Table):
    """One row per period of the window.

    `per`: that its rows are periods.
    """

    per: Literal["period"]


def key_name(table: Table) -> str:
    """Return the name of a table's own key column."""
    column = key_column(table)
    assert column is not None
    return column.name


def needs_key(table: Table, scope: Scope) -> Iterable[Problem]:
    """Yield a problem if a table that others refer to has no key."""
    if key_column(table) is None:
        yield Problem("columns", f"{table.name} has no column of type id, so its rows have no key")


def _check(table: DateDimension, scope: Scope) -> Iterable[Problem]:
    yield from needs_key(table, scope)
    if table.name != DATE_DIMENSION:
        yield Problem("name", f"the date dimension is called {DATE_DIMENSION}, found {table.name}")
    dates = [declared.name for declared in scope.tables.values() if declared.kind == "date"]
    if dates and table.name != dates[0]:
        yield Problem("per", f"there is a date dimension already, {dates[0]}")


def _cut(population: Population, slice_: Slice) -> Iterator[Slice]:
    yield Slice(slice_.first, slice_.stop, 0, 1)


def _rows(table: TablePlan, block: Block) -> Rows:
    return Rows(block=block, address=words(block.periods), period=block.periods)


add_kind(
    "date",
    KindWords(
        section="dimensions",
        recognise=lambda raw, unit: raw.get("per") == "period",
        model=DateDimension,
        knows=frozenset({"period", "calendar", "key"}),
        key=lambda table, dataset: (key_name(table),),
        describe=lambda table, dataset: f"Dates of the window, one row per {dataset.window.grain.name}.",
        check=_check,
        time=key_name,
    ),
    Kind(_cut, _rows, lambda table, sample: np.ones(len(sample.periods)), state=False),
)
