"""`matching: {channel_name: channel}` beside a reference to a listed dimension: the target is a row
whose `channel_name` equals the `channel` of the row.

`channel`, the source column, is one of the row's unit (`channel` or `dim_shop.channel`), of a row that it belongs to
(`stays.ward`), or its own: a name alone is the unit's column if that has one of the name, else the row's. `channel_name` is
the target column. Values that the config gives must be listed; others match no row where none has them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field

from plotsim_core.arrow import ArrowArray
from plotsim_core.columns.choice import common_type
from plotsim_core.columns.earlier_rows import ancestors
from plotsim_core.columns.listed import listed_values
from plotsim_core.columns.row_relations import ancestor_rows
from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import fill
from plotsim_core.config.model import pattern
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, Table, changing_sources, matched_origin
from plotsim_core.engine.tiers import bands_of
from plotsim_core.errors import Problem, UsageError
from plotsim_core.families import did_you_mean
from plotsim_core.numerics.arrays import Integers
from plotsim_core.plan.plan import Population, TablePlan

Source = Annotated[
    str,
    Field(
        pattern=pattern(
            r"^([A-Za-z_][A-Za-z0-9_]{0,62}\.)?[A-Za-z_][A-Za-z0-9_]{0,62}$",
            "a column of the row or its unit, or a table and a column: stays.ward",
        )
    ),
]
"""A column, perhaps with its table."""

_MAX_NAMED = 3
"""Number of unlisted values that a message names."""


@dataclass(frozen=True)
class _Match:
    """A target column and a source column that are to be equal, as far as the config says them, each with its table."""

    target: Column
    listed_table: Table
    source: Column
    owner: Table
    scope: Scope

    @property
    def paths(self) -> tuple[str, str]:
        """The target column and the source column, with their tables."""
        return f"{self.listed_table.name}.{self.target.name}", f"{self.owner.name}.{self.source.name}"

    @property
    def values(self) -> list[Any] | None:
        """The values that the source column can have, without null; None where they are not known."""
        values = self.source.source.possible_values(self.owner, self.scope)
        return None if values is None else [value for value in values if value is not None]

    @property
    def listed_values(self) -> list[Any] | None:
        """The value of each listed row; None where they are not known."""
        values = self.target.source.row_values() if self.target.nulls is None else None
        return None if not values else [values[row % len(values)] for row in range(self.listed_table.length)]

    @property
    def smallest_group(self) -> int:
        """The fewest rows that list one value of the source column; 0 where that is not known."""
        values, listed_values = self.values, self.listed_values
        if values is None or listed_values is None:
            return 0
        counts = Counter(_comparable(listed_values, values))
        return min((counts[word] for word in _comparable(values, listed_values)), default=0)


def match_of(matching: Mapping[str, str], table: Table, listed_table: Table, scope: Scope) -> _Match | None:
    """Return what `matching` ties, None where a column of it is not known."""
    if len(matching) != 1:
        return None
    ((target_name, source_name),) = matching.items()
    owner_name, column_name = matched_origin(source_name, table, scope.unit_dimension)
    declared = scope.tables.get(owner_name)
    owner = table if owner_name == table.name else declared.table if declared is not None else None
    source = next((column for column in owner.columns if column.name == column_name), None) if owner is not None else None
    target = next((column for column in listed_table.columns if column.name == target_name), None)
    if source is None or target is None or owner is None:
        return None
    return _Match(target, listed_table, source, owner, scope)


def check_matching(
    matching: Mapping[str, str], column: Column, table: Table, parent: Table, scope: Scope
) -> Iterable[Problem]:
    """Yield the problems of the `matching` of a reference from a table to a `parent`."""
    if len(matching) != 1:
        message = f"ties one column of a plain table to one of the row or its unit; found {len(matching)} columns"
        yield Problem("matching", message)
        return
    ((target_name, source_name),) = matching.items()
    listed_names = [other.name for other in parent.columns]
    if target_name not in listed_names:
        hint = did_you_mean(target_name, listed_names)
        yield Problem("matching", f"{parent.name} has no column '{target_name}'", hint)
        return
    problems = list(_unknown_source(source_name, table, scope))
    yield from problems
    match = match_of(matching, table, parent, scope)
    if problems or match is None:
        return
    yield from _check_rows(column, match, table)
    values, listed_values = match.values, match.listed_values
    if values is not None and listed_values is not None:
        yield from _check_listed(match, values, listed_values)


def _unknown_source(name: str, table: Table, scope: Scope) -> Iterable[Problem]:
    """Yield a problem where a source column is of no table that a row knows a row of."""
    unit = scope.unit_dimension
    owner_name, column_name = matched_origin(name, table, unit)
    unit_names = [column.name for column in unit.columns] if unit is not None else []
    owners = {table.name: [column.name for column in table.columns]}
    for ancestor in ancestors(table, scope):
        if ancestor in scope.tables:
            owners[ancestor] = list(scope.tables[ancestor].columns)
    if unit is not None:
        owners[unit.name] = unit_names
    if owner_name not in owners:
        message = f"a row of {table.name} belongs to no row of {owner_name}"
        yield Problem("matching", message, did_you_mean(owner_name, list(owners)))
    elif column_name not in owners[owner_name] and "." in name:
        hint = did_you_mean(column_name, owners[owner_name])
        yield Problem("matching", f"{owner_name} has no column '{column_name}'", hint)
    elif column_name not in owners[owner_name] and (unit is not None or not scope.unit):
        names = list(dict.fromkeys([*owners[owner_name], *unit_names]))
        subject = f"neither {table.name} nor the {scope.unit} dimension has a"
        if unit is None or table is unit:
            subject = f"{table.name} has no"
        yield Problem("matching", f"{subject} column '{column_name}'", did_you_mean(column_name, names))


def _check_rows(column: Column, match: _Match, table: Table) -> Iterable[Problem]:
    """Yield the problems of matching the source column in rows of this table."""
    scope, unit = match.scope, match.scope.unit_dimension
    is_of_unit = match.owner is unit
    if is_of_unit and changing_sources(match.source, match.owner) and "cell" not in table.knows:
        yield Problem("matching", f"has no place here: it needs rows of a {scope.unit} in a period")
    elif is_of_unit and "unit" not in table.knows:
        yield Problem("matching", f"has no place here: it needs rows of a {scope.unit}")
    elif match.owner is table and _is_circular(column, match.source, table, unit):
        yield Problem("matching", f"{table.name}.{column.name} depends on itself")
    parent = scope.tables.get(table.parent_name or "")
    for parent_column in parent.table.columns if parent is not None and parent.table is not None else ():
        if (parent_column.name, parent_column.type) == (column.name, column.type) and parent_column.source != column.source:
            message = f"has no effect: a row refers to what its row of {parent.name if parent else ''} refers to"
            yield Problem(
                "matching", message, f"give the column another name than {column.name}, or both the same `matching`"
            )


def _check_listed(match: _Match, values: list[Any], listed_values: list[Any]) -> Iterable[Problem]:
    """Yield the values of the source column that the target column does not list; a null matches no row."""
    target_path, source_path = match.paths
    listed_words = set(_comparable(listed_values, values))
    texts = dict(zip(_comparable(values, listed_values), map(str, values), strict=True))
    missing_values = [value for word, value in texts.items() if word not in listed_words]
    if missing_values:
        remainder = f" and {len(missing_values) - _MAX_NAMED} more" if len(missing_values) > _MAX_NAMED else ""
        names = ", ".join(f"'{value}'" for value in missing_values[:_MAX_NAMED])
        message = f"{target_path} does not list {names}{remainder}, which {source_path} can be"
        listed_texts = list(dict.fromkeys(match.target.source.row_texts()))
        yield Problem("matching", message, did_you_mean(missing_values[0], listed_texts))


def _is_circular(column: Column, source_column: Column, table: Table, unit: Table | None) -> bool:
    """Return whether the source column depends on the reference, directly or through other columns of its table."""
    columns = {other.name: other for other in table.columns}
    visited: set[str] = set()
    pending = [source_column]
    while pending:
        current = pending.pop()
        if current.name == column.name:
            return True
        if current.name not in visited:
            visited.add(current.name)
            pending += [columns[name] for name in _inputs(current, table, unit) if name in columns]
    return False


def _inputs(column: Column, table: Table, unit: Table | None) -> Iterable[str]:
    """Yield the columns of its own table that a column is made from: those it reads, the reference that a lookup goes by,
    the source of a reference's `matching`."""
    yield from (name for owner, name in column.reads(table) if owner == table.name)
    path = column.source.lookup_path
    if path is not None:
        references = (other.name for other in table.references_to(path.table) if path.by in (None, other.name))
        yield from list(references)[:1]
    for source_name in column.source.matched_columns.values():
        owner, name = matched_origin(source_name, table, unit)
        if owner == table.name:
            yield name


def _comparable(values: list[Any], others: list[Any]) -> list[Any]:
    """Return values in a form that compares with `others`: numbers if all are numbers, else texts. None stays None."""
    number_types = {pa.int64(), pa.float64()}
    values, others = ([float(v) if isinstance(v, Decimal) else v for v in group] for group in (values, others))
    if all(common_type([value for value in group if value is not None]) in number_types for group in (values, others)):
        return [None if value is None else float(value) for value in values]
    return [None if value is None else str(value).lower() if isinstance(value, bool) else str(value) for value in values]


def matching_rows(matching: Mapping[str, str], table: TablePlan, rows: Rows, parent: TablePlan) -> tuple[Integers, ...]:
    """Return (order, starts, counts): the rows of a listed dimension that each row may refer to are
    `order[start : start + count]`; none where its source column has no value, or one that is not listed."""
    ((target_name, source_name),) = matching.items()
    values, codes = _source_values(source_name, table, rows)
    order, starts, counts = _rows_by_value(rows.block.population, parent.name, target_name, values)
    return order, starts[codes], counts[codes]  # code -1, no value, has the last entry


def _source_values(name: str, table: TablePlan, rows: Rows) -> tuple[list[Any], Integers]:
    """Return (values, codes): the values of the source column, and the index of each row's value (-1: none)."""
    population = rows.block.population
    owner, column_name = matched_origin(name, table.spec, population.dataset.own_unit_dimension)
    if population.has_units and owner == population.dimension.name:
        return _unit_values(column_name, rows)
    if owner == table.name:
        return _coded(column_name, table, rows)
    ancestor = ancestor_rows(table, rows, owner)
    if ancestor is None:
        raise UsageError(f"a row of {table.name} belongs to no row of {owner}")
    ancestors, positions = ancestor
    values, codes = _coded(column_name, population.table(owner), ancestors)
    return values, codes[positions]


def _coded(name: str, table: TablePlan, rows: Rows) -> tuple[list[Any], Integers]:
    """Return (values, codes) of a column of rows of a table: its values, and the index of each row's value (-1: none)."""
    return _encoded(fill(table.column(name), table, rows))


def _encoded(array: ArrowArray) -> tuple[list[Any], Integers]:
    encoded = array.dictionary_encode()
    return encoded.dictionary.to_pylist(), encoded.indices.fill_null(-1).to_numpy().astype(np.int64)


def _unit_values(source_name: str, rows: Rows) -> tuple[list[Any], Integers]:
    """Return (values, codes) of a column of the unit's dimension, as of each row's time where it changes."""
    population, block = rows.block.population, rows.block
    unit = population.dimension
    source_column = unit.column(source_name)
    history = source_column.spec.source.history
    if history is not None:
        metric = population.metric_index(history.tracks)
        bands = bands_of(block, metric, history.at)
        return list(history.tiers), np.asarray(bands, dtype=np.int64).ravel()[rows.cell]
    units = block.units
    if changing_sources(source_column.spec, unit.spec):
        period = units.arrival[rows.unit]
        states = Rows(block=block, address=units.address[rows.unit], unit=rows.unit, period=period, cell=rows.cell)
        if unit.spec.history is not None:
            history_metric = population.metric_index(unit.spec.history.tracks)
            states = replace(states, band=bands_of(block, history_metric, unit.spec.history.at).ravel()[rows.cell])
        return _coded(source_name, unit, states)

    def coded_values() -> tuple[list[Any], Integers]:
        indexes = np.arange(len(units), dtype=np.int64)
        return _coded(source_name, unit, Rows(block=block, address=units.address, unit=indexes, period=units.arrival))

    values, codes = block.cached(("values for life", source_name), coded_values)
    return values, codes[rows.unit]


@lru_cache(maxsize=32)
def _listed_codes(population: Population, name: str, column_name: str) -> tuple[list[Any], Integers]:
    """Return (values, codes) of a column of a listed dimension."""
    return _encoded(listed_values(population, name, column_name))


def _rows_by_value(
    population: Population, name: str, column_name: str, values: list[Any]
) -> tuple[Integers, Integers, NDArray[np.int64]]:
    """Return (order, starts, counts): the rows that list each value are `order[start : start + count]`. A last entry stands
    for no value."""
    listed, codes_of_rows = _listed_codes(population, name, column_name)
    code_of = {word: code for code, word in enumerate(_comparable(values, listed))}
    codes = np.array([*(code_of.get(word, len(code_of)) for word in _comparable(listed, values)), len(code_of)])
    codes = codes.astype(np.int64)[codes_of_rows]
    counts = np.bincount(codes, minlength=len(code_of) + 1)
    starts = np.cumsum(counts) - counts
    starts[-1], counts[-1] = 0, 0
    return np.argsort(codes, kind="stable"), starts, counts
