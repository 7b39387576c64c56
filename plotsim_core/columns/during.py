"""`during: { from: start_at, to: end_at }` beside a reference to a listed dimension: the row is valid at the time.

A listed row is valid from its `from` on, and before its `to`; where one of these is null it is open on that side. The time
of a row is its moment, or the start of its period. All valid rows are as likely; where none is valid there is none.

The rows that are valid at a time are counted by parts of the list: in a part are as many as began by then, less those that
ended. Parts are halves of halves, each with its edges sorted, so that the row that a draw means is found from the whole list
down.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, Literal

import numpy as np
import pyarrow as pa
from pydantic import BeforeValidator

from plotsim_core.columns.listed import listed_values
from plotsim_core.columns.rows import Rows
from plotsim_core.config.conversions import noun_of
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.model import Name
from plotsim_core.config.tables import Table, column_type
from plotsim_core.errors import Problem, value_text
from plotsim_core.families import did_you_mean
from plotsim_core.numerics.arrays import Floats, Integers
from plotsim_core.plan.plan import Population, TablePlan


def _bounds(value: Any) -> Any:
    if not isinstance(value, dict) or set(value) != {"from", "to"}:
        raise ValueError(f"expected two columns, {{ from: start, to: end }}, found {value_text(value)}")
    return value


During = Annotated[dict[Literal["from", "to"], Name], BeforeValidator(_bounds)]
"""The columns of a listed dimension from which and to which a row of it is valid."""


def check_during(during: During, table: Table, target: Table) -> Iterable[Problem]:
    """Yield the problems of a reference to the rows of a listed dimension that are valid at the time."""
    if "period" not in table.knows:
        yield Problem("during", f"has no place here: a row of {table.name} has no period")
    names = [column.name for column in target.columns]
    for word, name in during.items():
        if name not in names:
            yield Problem(f"during.{word}", f"{target.name} has no column '{name}'", did_you_mean(name, names))


def during_problems(during: During, target: Table, dataset: Dataset) -> Iterable[Problem]:
    """Yield what the columns of a sound target hold that bounds no time."""
    columns = {column.name: column for column in target.columns}
    bounds = {word: columns[name] for word, name in during.items()}
    types = {word: column_type(column, dataset) for word, column in bounds.items()}
    for word, type_ in types.items():
        if not (pa.types.is_date(type_) or pa.types.is_timestamp(type_)):
            message = f"{target.name}.{bounds[word].name} holds {noun_of(type_)}, not a date or a moment"
            yield Problem(f"during.{word}", message, "static values and those of a file may have `value_type: date`")
    starts, stops = (bounds["from"].source.row_values(), bounds["to"].source.row_values())
    if starts and stops and types["from"] == types["to"]:
        pairs = ((starts[row % len(starts)], stops[row % len(stops)]) for row in range(target.length))
        ending = next((pair for pair in pairs if None not in pair and pair[0] > pair[1]), None)
        if ending is not None:
            yield Problem("during", f"a row of {target.name} begins on {ending[0]} and ends on {ending[1]}, before it")


@dataclass(frozen=True, eq=False)
class _Validity:
    """The edges of the times at which listed rows are valid, in order, and the rows by parts of the list: those of level l
    have 2**l rows. Of each level `begins` and `stops` are numbers in order: the part times `width`, plus the place of a
    row's edge in `edges`."""

    edges: Integers
    begins: tuple[Integers, ...]
    stops: tuple[Integers, ...]

    @property
    def width(self) -> int:
        """The number of places of an edge."""
        return len(self.edges) + 1

    def valid_counts(self, level: int, part: Integers, place: Integers) -> Integers:
        """Return how many rows of a part of a level are valid once the edges up to a place (-1: none) have passed."""
        last = part * self.width + place
        begin_counts, stop_counts = (
            np.searchsorted(numbers[level], last, side="right") for numbers in (self.begins, self.stops)
        )
        return (begin_counts - stop_counts).astype(np.int64)


def valid_positions(during: During, parent: TablePlan, rows: Rows, uniforms: Floats) -> Integers:
    """Return the row of a listed dimension that each uniform draws, among those that are valid at the time of the row; -1
    where none is."""
    validity = _validity(rows.block.population, parent.name, during["from"], during["to"])
    place = np.searchsorted(validity.edges, _times(rows), side="right").astype(np.int64) - 1
    part, level = np.zeros(len(rows), dtype=np.int64), len(validity.begins) - 1
    counts = validity.valid_counts(level, part, place)
    number = (uniforms * counts).astype(np.int64)
    while level:
        level -= 1
        left_counts = validity.valid_counts(level, 2 * part, place)
        is_right = number >= left_counts
        number, part = np.where(is_right, number - left_counts, number), 2 * part + is_right
    return np.where(counts > 0, part, -1)


def _times(rows: Rows) -> Integers:
    """Return what clocks show at the moment of each row, or at the start of its period, in microseconds."""
    grain = rows.block.population.grain
    if len(rows.moment) == len(rows):
        return grain.local(rows.moment.astype("datetime64[us]")).astype(np.int64)
    return grain.civil_starts(rows.period).astype("datetime64[us]").astype(np.int64)


@lru_cache(maxsize=8)
def _validity(population: Population, name: str, begin: str, stop: str) -> _Validity:
    """Return when the rows of a listed dimension are valid, between their columns `begin` and `stop`."""
    begins = _column_times(population, name, begin, np.iinfo(np.int64).min)
    stops = np.maximum(_column_times(population, name, stop, np.iinfo(np.int64).max), begins)
    edges = np.unique(np.concatenate([begins, stops]))
    length, index = len(begins), np.arange(len(begins), dtype=np.int64)
    levels = range(max(length - 1, 0).bit_length() + 1)

    def sorted_numbers(times: Integers) -> tuple[Integers, ...]:
        place = np.searchsorted(edges, times).astype(np.int64)
        return tuple(np.sort((index >> level) * (len(edges) + 1) + place) for level in levels)

    return _Validity(edges, sorted_numbers(begins), sorted_numbers(stops))


def _column_times(population: Population, name: str, column_name: str, missing: int) -> Integers:
    """Return the times that a column of a listed dimension holds, in microseconds; `missing` for nulls."""
    times = listed_values(population, name, column_name).cast(pa.timestamp("us"))
    return times.cast(pa.int64()).fill_null(missing).to_numpy().astype(np.int64)
