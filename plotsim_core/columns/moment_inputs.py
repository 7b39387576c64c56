"""Columns of a row that place its moments: dates and moments, as microseconds."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from plotsim_core.columns.dependencies import names_in, nullable_in, type_in
from plotsim_core.columns.formula_dates import day_input, moment_input, moments_of
from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import fill
from plotsim_core.config.conversions import noun_of
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.formula_kinds import kind_of_type
from plotsim_core.config.scope import Scope
from plotsim_core.config.star_schema import DATE_DIMENSION
from plotsim_core.config.tables import Column, Table
from plotsim_core.errors import Problem
from plotsim_core.families import did_you_mean
from plotsim_core.numerics.arrays import Floats, Integers
from plotsim_core.numerics.zones import offsets, offsets_of_local
from plotsim_core.plan.plan import TablePlan


def moment_name_problems(name: str, word: str, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
    """Yield why a name in the field `word` of a column is none of another column of its table."""
    names = names_in(scope.tables[table.name])
    if name == column.name:
        yield Problem(word, f"{table.name}.{name} depends on itself")
    elif name not in names:
        yield Problem(word, f"{table.name} has no column '{name}'", did_you_mean(name, names))


def moment_type_problems(name: str, word: str, table: Table, dataset: Dataset) -> Iterable[Problem]:
    """Yield why a sound column of a table says no moment."""
    type_ = type_in(table.name, name, dataset)
    if any(column.source.clock == "row" for column in table.columns if column.name == name):
        message = f"{table.name}.{name} shows the time of a place, which does not say which moment it is"
        yield Problem(word, message, "name a column with `zone: utc`")
    if kind_of_type(type_) not in ("date", "moment"):
        sources = (column.source for column in table.columns if column.name == name)
        target = next((source.target_name for source in sources), None)
        hint = f"name its date: a column of type lookup.{target}.date" if target == DATE_DIMENSION else ""
        yield Problem(word, f"expected a moment or a date, and {table.name}.{name} is {noun_of(type_)}", hint)


def may_lack_moments(names: Iterable[str], table: Table, dataset: Dataset) -> bool:
    """Return whether one of some columns may be null."""
    return any(nullable_in(table.name, name, dataset) for name in names)


def instants_in(name: str, table: TablePlan, rows: Rows) -> Floats:
    """Return the moments of a column in rows, in microseconds of UTC: of a date that at which the day of the dataset begins,
    NaN for null."""
    values, zone = fill(table.column(name), table, rows), rows.block.population.grain.zone
    if kind_of_type(values.type) == "date":
        return instants_of(moments_of(day_input(values)), zone)
    return moment_input(values) if values.type.tz is not None else instants_of(moment_input(values), zone)


def instants_of(clocks: Floats, zone: str | None) -> Floats:
    """Return the moments in UTC, in microseconds, at which clocks of a zone (None: of UTC) show times; NaN stays."""
    return clocks if zone is None else clocks - _offsets(offsets_of_local, clocks, zone)


def clocks_at(instants: Floats, zone: str | None) -> Floats:
    """Return what clocks of a zone (None: of UTC) show at moments in UTC, in microseconds; NaN stays."""
    return instants if zone is None else instants + _offsets(offsets, instants, zone)


def _offsets(offsets_at: Callable[[str, Integers], Integers], microseconds: Floats, zone: str) -> Floats:
    seconds = np.floor(np.where(np.isnan(microseconds), 0.0, microseconds) / 1e6).astype(np.int64)
    return offsets_at(zone, seconds).astype(np.float64) * 1e6


def moment_text(moments: Floats, zone: str | None) -> str | None:
    """Return the first of some moments in UTC for people, as clocks of a zone show it, to the second; None for NaN."""
    moments = clocks_at(moments[:1], zone)
    return None if np.isnan(moments[0]) else str(np.int64(moments[0]).astype("datetime64[us]").astype("datetime64[s]"))
