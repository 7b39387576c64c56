"""Whole-number keys: a number for each row, from its period, its unit and its place among its siblings.

| rows | number, counted from `start` |
| --- | --- |
| listed, or exactly so many in each span | place in the list, or in the order of time |
| per period | periods since the window's start |
| per unit | number of the unit |
| per unit and period | (periods since the window's start x `units` + number of the unit) x `most` + place in the period |
| of a unit or of another row | number of that x `most` + place among its siblings |

A unit's number is a keyed permutation of its place in [0, `units`). Each segment has places one after the other, from a
place that its name gives on, and others for those who arrive later. So a number depends on no other segment and on no
count. Where the places of two segments would overlap, the config is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import ColumnSource
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.model import Whole
from plotsim_core.config.tables import Table
from plotsim_core.engine.block import Block
from plotsim_core.errors import UsageError
from plotsim_core.numerics.arrays import Integers
from plotsim_core.numerics.codes import COHORT, LATER
from plotsim_core.numerics.pairing import pair_numbers
from plotsim_core.numerics.permutation import shuffled
from plotsim_core.numerics.random import Words, key
from plotsim_core.plan.plan import Population, TablePlan

EXACT = 2**53
"""The whole numbers below it are exact as doubles, as JSON and spreadsheets read them."""
_UNITS, _UNITS_IN_PERIODS = 10**10, 10**8
"""Usual room for units: in their dimension, and where rows belong to periods too."""
_LARGEST_ROOM = 10**11
_YEARS = 100
"""Years of an open window that there is room for."""


class NumberedKey(ColumnSource):
    """What keys of whole numbers say."""

    start: Whole | None = None
    """The first number; with it, keys are whole numbers."""
    units: Annotated[int, Field(ge=1, le=_LARGEST_ROOM, strict=True)] | None = None
    """Room for units in the numbers: no unit has more than one of so many."""
    most: Annotated[int, Field(ge=1, le=_LARGEST_ROOM, strict=True)] | None = None
    """The most rows that a unit has in a period, or that belong to one row."""
    dense: Literal[True] | None = None
    """That no number is left out, as it is where rows are listed, or are exactly so many."""

    @property
    def is_numbered(self) -> bool:
        """Whether each row has a whole number of the table, from which its key is made."""
        return self.start is not None

    @property
    def word_of_number(self) -> str:
        """The option that asks for numbers."""
        return "start"

    @property
    def first_number(self) -> int:
        """The number of the first row."""
        return 1 if self.start is None else self.start

    @property
    def limit(self) -> int:
        """The number that all keys are below, of rows that are not listed."""
        return EXACT

    @property
    def capacity(self) -> int | None:
        """How many keys there are of its form; None: as many as there are numbers."""
        return None

    @property
    def usual_room(self) -> int | None:
        """How many numbers the form of a key is meant for; None: it does not say."""
        return self.capacity


@dataclass(frozen=True)
class Room:
    """Bounds of the numbers of a table's rows: `periods`, of which each has room for `units`, of which each has room for
    `most` rows; 1 of what rows do not belong to."""

    periods: int
    units: int
    most: int

    @property
    def total(self) -> int:
        """How many numbers there are."""
        return self.periods * self.units * self.most

    def text(self, dataset: Dataset) -> str:
        """Return how many numbers there are in words."""
        nouns = (dataset.grain.plural, dataset.plural, "rows")
        factors = zip((self.periods, self.units, self.most), nouns, strict=True)
        texts = [f"{number:,} {noun}" for number, noun in factors if number > 1]
        return f"{' x '.join(texts)} = {self.total:,}" if len(texts) > 1 else "".join(texts) or "1 row"


def key_numbers(table: Table) -> NumberedKey | None:
    """Return the options of a table's key where its rows have whole numbers."""
    sources = (column.source for column in table.columns if column.source.is_key)
    return next((source for source in sources if isinstance(source, NumberedKey) and source.is_numbered), None)


def room_of(table: Table, options: NumberedKey, dataset: Dataset) -> Room:
    """Return the bounds of the numbers of a table's rows."""
    parent = numbered_parent(table, dataset)
    most = options.most or most_rows(table) or 1
    if parent is not None:
        parent_options = key_numbers(parent)
        above = Room(1, 1, 1) if parent_options is None else room_of(parent, parent_options, dataset)
        return Room(above.periods, above.units, above.most * most)
    if table.is_listed:
        return Room(1, 1, max(1, table.length))
    if table.rows_per_span:
        spans = -(-window_periods(dataset) // dataset.span)
        return Room(1, 1, table.rows_per_span * spans)
    periods = 1 if not _has_periods(table) else window_periods(dataset)
    units = _unit_room(table, options, most, dataset) if table.has_unit_rows else 1
    return Room(periods, units, most)


def most_rows(table: Table) -> int | None:
    """Return the most rows that there are for each of what a table is per; None: there is no bound."""
    return table.per_unit[1] if table.row_count is None else table.row_count.bounds[1]


def window_periods(dataset: Dataset) -> int:
    """Return how many periods there is room for: those of the window, or a hundred years of an open one."""
    if dataset.stop is not None:
        return dataset.stop - dataset.first
    start = dataset.grain.civil_starts(np.array([dataset.first]))[0].astype("datetime64[Y]").astype(np.int64)
    last = np.array([start + _YEARS], dtype="datetime64[Y]").astype("datetime64[s]")
    return int(dataset.grain.holding(last)[0]) + 1 - dataset.first


def numbers_of(table: TablePlan, rows: Rows) -> Integers:
    """Return the number of each row, counted from 0.

    Raises UsageError where a unit has more rows in a period than there is room for.
    """
    population, options = rows.block.population, key_numbers(table.spec)
    if options is None:
        raise TypeError(f"the rows of {table.name} have no numbers")
    most = options.most or most_rows(table.spec) or 1
    parent_name = table.spec.parent_name
    if rows.parent is not None and parent_name is not None:
        numbers = numbers_of(population.table(parent_name), rows.parent)[rows.owner]
    elif table.spec.is_dense:
        return rows.ordinal
    else:
        has_periods = _has_periods(table.spec)
        numbers = rows.period - population.first if has_periods else np.zeros(len(rows), dtype=np.int64)
        if table.spec.has_unit_rows:
            units = room_of(table.spec, options, population.dataset).units
            numbers = numbers * units + unit_numbers(rows.block, units)[rows.unit]
    if not len(rows.ordinal):
        return numbers * most
    greatest = int(rows.ordinal.max(initial=0))
    if greatest >= most:
        raise UsageError(
            f"{table.name} has {greatest + 1} rows of one {population.unit} in a period, and its key has room for {most}: "
            "make `most` larger, which gives all rows other keys"
        )
    return numbers * most + rows.ordinal


def unit_numbers(block: Block, units: int) -> Integers:
    """Return a number in [0, units) for each unit of a block, no two the same."""
    return block.cached(("unit numbers", units), lambda: _unit_numbers(block, units))


def _unit_numbers(block: Block, units: int) -> Integers:
    population, ordinal = block.population, block.units.ordinal
    is_later = ordinal >= LATER
    later = np.maximum(ordinal - LATER, 0)
    place = np.where(is_later, pair_numbers(later // COHORT, later % COHORT), ordinal)
    firsts = np.array(
        [[first_place(s.spec.name, part, units) for s in population.segments] for part in _PARTS], dtype=np.int64
    )
    places = (firsts[is_later.astype(np.int64), block.units.segment] + place) % units
    return shuffled(places, units, _stream(population))


_PARTS = ("start", "later")
"""Parts of a segment, whose units have places one after the other: those there at the start, those who arrive later."""


def _stream(population: Population) -> Words:
    return np.array([key(population.seed, "unit numbers", population.unit)], dtype=np.uint64)


def first_place(segment: str, part: str, units: int) -> int:
    """Return the place of the first unit of a part of a segment."""
    return int(key(0, "unit numbers", segment, part)) % units


def _has_periods(table: Table) -> bool:
    return "cell" in table.knows or "crowd" in table.knows


def numbered_parent(table: Table, dataset: Dataset) -> Table | None:
    """Return the table of the rows that the rows of a table belong to, and are numbered after."""
    return next((other for other in dataset.all_tables if other.name == table.parent_name), None)


def unit_options(table: Table, dataset: Dataset) -> NumberedKey | None:
    """Return the options of the units' own numbers, of a table of their children."""
    return None if table.is_unit_dimension or not table.is_of_units else key_numbers(dataset.unit_dimension)


def _unit_room(table: Table, options: NumberedKey, most: int, dataset: Dataset) -> int:
    """Return the room for units: that of the units' own numbers for their children, or as it is written, or as the form of
    the key has it, or the usual one."""
    options_of_units = unit_options(table, dataset)
    if options_of_units is not None:
        return _unit_room(dataset.unit_dimension, options_of_units, 1, dataset)
    if options.units is not None:
        return options.units
    if _has_periods(table):
        return _UNITS_IN_PERIODS
    return _UNITS if options.usual_room is None else max(1, min(_UNITS, options.usual_room // most))
