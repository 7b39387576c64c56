"""`matching: {channel_name: channel}` beside a reference to a listed dimension: the target is a row
whose `channel_name` equals the `channel` of the row's unit.

`channel`, the source column, is constant over a unit's life, with values known from the config, or the unit's tier at the
row's time. `channel_name` is the target column.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from plotsim_core.columns.choice import common_type
from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import fill
from plotsim_core.config.column_source import DeclaredSource
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, Table
from plotsim_core.engine.tiers import bands_of
from plotsim_core.errors import Problem
from plotsim_core.families import did_you_mean
from plotsim_core.numerics.arrays import Integers
from plotsim_core.plan.plan import ColumnPlan, TablePlan

_SOURCES = "pool, static, choice, segment.name, a named place, a lookup of listed values, or scd"
_MAX_NAMED = 3
"""Number of unlisted values that a message names."""


def check_matching(
    matching: Mapping[str, str], column: Column, table: Table, parent: Table, scope: Scope
) -> Iterable[Problem]:
    """Yield the problems of the `matching` of a reference from a table to a `parent`."""
    if not parent.is_listed or len(matching) != 1:
        detail = f"found {len(matching)} columns" if parent.is_listed else f"{parent.name} is not a reference dimension"
        yield Problem("matching", f"ties one column of a reference dimension to one of the unit's dimension; {detail}")
        return
    ((target_name, source_name),) = matching.items()
    listed_columns = {other.name: other for other in parent.columns if other.source.row_count and not other.source.is_key}
    if target_name not in listed_columns:
        hint = did_you_mean(target_name, list(listed_columns))
        yield Problem("matching", f"{parent.name} has no static column '{target_name}'", hint)
        return
    unit = scope.unit_dimension
    if unit is None:
        return  # reported elsewhere
    unit_columns = {other.name: other for other in unit.columns}
    if source_name not in unit_columns:
        candidates = [name for name, other in unit_columns.items() if other.source.possible_values(unit, scope) is not None]
        yield Problem(
            "matching", f"the {scope.unit} dimension has no column '{source_name}'", did_you_mean(source_name, candidates)
        )
        return
    yield from _check_rows(column, unit_columns[source_name], table, unit, scope)
    values = unit_columns[source_name].source.possible_values(unit, scope)
    if values is None:
        reason = "changes with time" if unit_columns[source_name].source.changes_over_time else "has no given values"
        yield Problem(
            "matching", f"{unit.name}.{source_name} ({unit_columns[source_name].type}) {reason}", f"it can be {_SOURCES}"
        )
        return
    paths = f"{parent.name}.{target_name}", f"{unit.name}.{source_name}"
    yield from _check_listed(listed_columns[target_name].source, values, *paths)


def _check_rows(column: Column, source_column: Column, table: Table, unit: Table, scope: Scope) -> Iterable[Problem]:
    """Yield the problems of matching the source column in rows of this table."""
    if source_column.source.history is not None and "cell" not in table.knows:
        yield Problem("matching", f"has no place here: it needs rows of a {scope.unit} in a period")
    elif "unit" not in table.knows:
        yield Problem("matching", f"has no place here: it needs rows of a {scope.unit}")
    elif table is unit and _is_circular(column, source_column, unit):
        yield Problem("matching", f"{unit.name}.{column.name} depends on itself")
    parent = scope.tables.get(table.parent_name or "")
    for parent_column in parent.table.columns if parent is not None and parent.table is not None else ():
        if (parent_column.name, parent_column.type) == (column.name, column.type) and parent_column.source != column.source:
            message = f"has no effect: a row refers to what its row of {parent.name if parent else ''} refers to"
            yield Problem(
                "matching", message, f"give the column another name than {column.name}, or both the same `matching`"
            )


def _check_listed(target: DeclaredSource, values: list[Any], target_path: str, source_path: str) -> Iterable[Problem]:
    """Yield the values of the source column that the target column does not list; a null matches no row."""
    values, listed_values = [value for value in values if value is not None], target.row_values() or []
    listed_words = dict.fromkeys(_comparable(listed_values, values))
    texts = dict(zip(_comparable(values, listed_values), map(str, values), strict=True))
    missing_values = [value for word, value in texts.items() if word not in listed_words]
    if missing_values:
        remainder = f" and {len(missing_values) - _MAX_NAMED} more" if len(missing_values) > _MAX_NAMED else ""
        names = ", ".join(f"'{value}'" for value in missing_values[:_MAX_NAMED])
        message = f"{target_path} does not list {names}{remainder}, which {source_path} can be"
        yield Problem("matching", message, did_you_mean(missing_values[0], list(dict.fromkeys(target.row_texts()))))


def _is_circular(column: Column, source_column: Column, unit: Table) -> bool:
    """Return whether the source column is looked up by the reference itself, directly or through others."""
    unit_columns = {other.name: other for other in unit.columns}
    visited: set[str] = set()
    while (path := source_column.source.lookup_path) is not None and source_column.name not in visited:
        visited |= {source_column.name}
        references = (other for other in unit.references_to(path.table) if path.by in (None, other.name))
        reference = next(references, None)
        if reference is None or reference.name == column.name:
            return reference is not None
        source_column = unit_columns.get(next(iter(reference.source.matched_columns.values()), ""), reference)
    return False


def _comparable(values: list[Any], others: list[Any]) -> list[Any]:
    """Return values in a form that compares with `others`: numbers if all are numbers, else texts. None stays None."""
    number_types = {pa.int64(), pa.float64()}
    if all(common_type([value for value in group if value is not None]) in number_types for group in (values, others)):
        return [None if value is None else float(value) for value in values]
    return [None if value is None else str(value).lower() if isinstance(value, bool) else str(value) for value in values]


def matching_rows(matching: Mapping[str, str], column: ColumnPlan, table: TablePlan, rows: Rows, parent: Table) -> Integers:
    """Return the row of a listed dimension that each row refers to, -1 where its unit has no value. Rows that list the same
    value are equally likely."""
    ((target_name, source_name),) = matching.items()
    values, codes = _unit_values(source_name, rows)
    order, starts, counts = _rows_by_value(
        next(other for other in parent.columns if other.name == target_name), values, parent
    )
    choices = counts[codes]  # code -1, no value, has the last entry
    offsets = (
        rows.choose(table, column, choices) if int(choices.max(initial=1)) > 1 else np.zeros(len(codes), dtype=np.int64)
    )
    return np.where(codes < 0, -1, order[starts[codes] + offsets])


def _unit_values(source_name: str, rows: Rows) -> tuple[list[Any], Integers]:
    """Return (values, codes): the values of the source column, and the index of each row's value (-1: none)."""
    population, block = rows.block.population, rows.block
    unit = population.dimension
    source_column = next(other for other in unit.columns if other.name == source_name)
    history = source_column.spec.source.history
    if history is not None:
        metric = population.metric_index(history.tracks)
        bands = bands_of(block, metric, history.at)
        return list(history.tiers), np.asarray(bands, dtype=np.int64).ravel()[rows.cell]

    def coded_values() -> tuple[list[Any], Integers]:
        units = block.units
        indexes = np.arange(len(units), dtype=np.int64)
        unit_rows = Rows(block=block, address=units.address, unit=indexes, period=units.arrival)
        encoded = fill(source_column, unit, unit_rows).dictionary_encode()
        return encoded.dictionary.to_pylist(), encoded.indices.fill_null(-1).to_numpy().astype(np.int64)

    values, codes = block.cached(("values for life", source_name), coded_values)
    return values, codes[rows.unit]


def _rows_by_value(target_column: Column, values: list[Any], parent: Table) -> tuple[Integers, Integers, NDArray[np.int64]]:
    """Return (order, starts, counts): the rows that list each value are `order[start : start + count]`. A last entry stands
    for no value."""
    listed_values = target_column.source.row_values() or []
    code_of = {word: code for code, word in enumerate(_comparable(values, listed_values))}
    codes = np.array([code_of.get(word, len(code_of)) for word in _comparable(listed_values, values)], dtype=np.int64)
    codes = codes[np.arange(parent.length, dtype=np.int64) % len(listed_values)]
    counts = np.bincount(codes, minlength=len(code_of) + 1)
    starts = np.cumsum(counts) - counts
    starts[-1], counts[-1] = 0, 1
    return np.argsort(codes, kind="stable"), starts, counts


__all__ = ["check_matching", "matching_rows"]
