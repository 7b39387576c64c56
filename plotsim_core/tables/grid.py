"""Grids: a row for each combination of the rows of several tables, in every period or once: stock by store, product and day.

The parts of a grid are plain tables, and for a grid of units, first, the units or their children, then units of other
kinds. A row is told by what it
combines. It is addressed by the addresses of its parts, each folded with the name of its table, so that a row of a part that
is added moves no other.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from plotsim_core.columns.kept_rows import kept_rows
from plotsim_core.columns.row_relations import child_counts
from plotsim_core.columns.rows import Rows, rows_of_all_units, sibling_numbers
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.filtered import FilteredTable
from plotsim_core.config.model import MOST_NUMBERED, Name
from plotsim_core.config.scope import Scope
from plotsim_core.config.table_kind import Knowledge, Section
from plotsim_core.config.table_shape import FOREIGN, PERIOD, UNIT, Shape, Spelling, spelled
from plotsim_core.config.words import enumeration
from plotsim_core.engine.block import Block
from plotsim_core.engine.foreign_units import periods_of_ends
from plotsim_core.engine.silence import may_be_silent, silent_cells
from plotsim_core.engine.slice import CHUNK, Slice, blocks, by_row
from plotsim_core.errors import Problem, value_text
from plotsim_core.numerics.arrays import Floats, Integers
from plotsim_core.numerics.random import Words, fold, key, words
from plotsim_core.plan.plan import Population, TablePlan
from plotsim_core.tables.cell_rows import recording_cells
from plotsim_core.tables.estimate import remaining_share
from plotsim_core.tables.estimate_sample import Sample
from plotsim_core.tables.kind import Cut, TableKind, add_kind, table_kind

_PARTS = 4
"""The most tables that a grid combines."""


class _Grid(TableKind, FilteredTable):
    """A row for each combination."""

    kind: ClassVar[str] = "grid"
    section: ClassVar[Section] = "tables"
    is_sampled: ClassVar[bool] = False

    per: Annotated[tuple[Name, ...], Field(max_length=_PARTS)]
    """The tables whose rows are combined, the first one changing slowest."""

    def key_columns(self, dataset: Dataset) -> tuple[str, ...]:
        return self.parent_keys

    def describe(self, dataset: Dataset) -> str:
        return f"A row for each combination of {enumeration(self.per)}."

    def check(self, scope: Scope) -> Iterable[Problem]:
        for name in self.per:
            part = scope.tables[name].table if name in scope.tables else None
            if part is not None and part.parent_name is not None:
                message = f"rows of {name} belong to rows of {part.parent_name}, and a grid combines rows of their own"
                yield Problem("per", message, f"combine {part.parent_name}, or let a table per {name} say it")
            elif part is not None and part.filter is not None:
                yield Problem("per", f"{name} keeps some of its rows (`where`), and a grid combines all", "filter the grid")
        plain_tables = [scope.tables[name].table for name in self.plain_parts if name in scope.tables]
        total = math.prod(table.length for table in plain_tables if table is not None)
        if total > MOST_NUMBERED:
            message = f"{enumeration(self.plain_parts)} have {value_text(total)} combinations"
            yield Problem("per", f"expected at most {MOST_NUMBERED:,} of them; {message}")

    @property
    def combines(self) -> tuple[str, ...]:
        return self.per

    @property
    def plain_parts(self) -> tuple[str, ...]:
        """The plain tables whose rows are combined."""
        return self.per

    def combinations(self, population: Population) -> int:
        """Return how many combinations of rows of the plain tables there are."""
        return math.prod(population.table(name).spec.length for name in self.plain_parts)


def combined(block: Block, names: tuple[str, ...], numbers: Integers) -> tuple[Words, dict[str, tuple[Rows, Integers]]]:
    """Return the addresses of combinations of plain tables by their `numbers`, and the row of each table with its positions,
    by its name."""
    population = block.population
    address = np.zeros(len(numbers), dtype=np.uint64)
    places = np.arange(len(numbers), dtype=np.int64)
    parts: dict[str, tuple[Rows, Integers]] = {}
    rest = numbers
    for name in reversed(names):
        part = population.table(name)
        rest, number = np.divmod(rest, part.spec.length)
        rows = table_kind(part).numbered_rows(part, block, number)
        parts[name] = (rows, places)
        address = fold(fold(address, np.array([key(0, "grid", name)])), rows.address)
    return address, parts


def _targets(table: TablePlan, parts: Mapping[str, tuple[Rows, Integers]]) -> dict[str, tuple[Rows, Integers]]:
    """Return what the references of a grid to its parts lead to, by column; `parts` are by table."""
    columns = {column.spec.source.target_name: column.name for column in table.columns if column.name in table.key}
    return {columns[name]: part for name, part in parts.items() if name in columns}


class _PlainGrid(_Grid):
    """Combinations of rows of plain tables."""

    has_unit_rows: ClassVar[bool] = False

    def combined_rows(self, table: TablePlan, block: Block) -> Rows:
        """Return the combinations of a block, each once."""
        first, stop = block.slice.rows or (0, self.combinations(block.population))
        numbers = np.arange(first, stop, dtype=np.int64)
        address, parts = combined(block, self.plain_parts, numbers)
        return Rows(block=block, address=address, ordinal=numbers, targets=_targets(table, parts))

    def ranks(self, table: TablePlan, rows: Rows) -> Integers:
        return rows.ordinal


@add_kind
class Grid(_PlainGrid):
    """A row for each combination of rows of plain tables: which product stands in which store."""

    is_dimension: ClassVar[bool] = True
    is_state: ClassVar[bool] = True
    knows: ClassVar[frozenset[Knowledge]] = frozenset()

    @classmethod
    def of_shape(cls, shape: Shape) -> Spelling | None:
        is_plain = shape.is_grid and PERIOD not in shape.per and all(root == () for root in shape.part_roots)
        return spelled(shape, per=shape.per) if is_plain and shape.has_one_row_each else None

    def rows_in(self, table: TablePlan, block: Block) -> Rows:
        return kept_rows(table, self.combined_rows(table, block))

    def cuts(self, population: Population, table: TablePlan) -> tuple[Cut, ...]:
        return ("rows",)

    def cut(self, population: Population, slice_: Slice) -> Iterator[Slice]:
        return by_row(slice_, self.combinations(population))

    def row_total(self, population: Population) -> int:
        return self.combinations(population)

    def declared_rows(self, table: TablePlan, population: Population, periods: Integers) -> Integers | None:
        return None if self.filter is not None else np.full(len(periods), self.combinations(population), dtype=np.int64)

    def expect(self, table: TablePlan, sample: Sample) -> Floats:
        return np.full(len(sample.periods), float(self.combinations(sample.population)))


@add_kind
class GridInTime(_PlainGrid):
    """A row for each combination of rows of plain tables in each period: what each store has of each product on each day."""

    form: ClassVar[str] = "grid in time"
    knows: ClassVar[frozenset[Knowledge]] = frozenset({"period"})
    has_rows_each_period: ClassVar[bool] = True

    @classmethod
    def of_shape(cls, shape: Shape) -> Spelling | None:
        is_plain = shape.is_grid and PERIOD in shape.per and all(root == () for root in shape.part_roots)
        return spelled(shape, per=shape.per[:-1]) if is_plain and shape.has_one_row_each else None

    def describe(self, dataset: Dataset) -> str:
        return f"A row for each combination of {enumeration(self.per)} in each {dataset.grain.noun}."

    def cuts(self, population: Population, table: TablePlan) -> tuple[Cut, ...]:
        return ("periods",)

    def cut(self, population: Population, slice_: Slice) -> Iterator[Slice]:
        count = self.combinations(population)
        step = max(1, CHUNK // count)
        for first in range(slice_.first, slice_.stop, step):
            period_slice = Slice(first, min(first + step, slice_.stop), 0, 0)
            yield from [period_slice] if step > 1 else by_row(period_slice, count)

    def rows_in(self, table: TablePlan, block: Block) -> Rows:
        rows = self.combined_rows(table, block)
        owner = np.tile(np.arange(len(rows), dtype=np.int64), len(block.periods))
        period = np.repeat(block.periods, len(rows))
        in_period = fold(words(period), np.array([key(0, "grid", PERIOD)]))
        repeated = rows.take(owner)
        return kept_rows(table, replace(repeated, address=fold(repeated.address, in_period), period=period))

    def expect(self, table: TablePlan, sample: Sample) -> Floats:
        return np.full(len(sample.periods), float(self.combinations(sample.population)))


@add_kind
class UnitGrid(_Grid):
    """A row for each combination of a unit, or of one of its children, with units of other kinds and rows of plain tables,
    in each period in which these units are there: each contract in each month, each customer with each channel in each
    week, each store with each supplier on each day."""

    form: ClassVar[str] = "grid of units"
    knows: ClassVar[frozenset[Knowledge]] = frozenset({"unit", "period", "cell", "metrics"})
    has_rows_each_period: ClassVar[bool] = True
    is_sampled: ClassVar[bool] = True

    unwritten: ClassVar[tuple[str, ...]] = (*TableKind.unwritten, "other_units")
    other_units: tuple[Name, ...] = ()
    """The tables of the units of other kinds that are combined."""

    @classmethod
    def of_shape(cls, shape: Shape) -> Spelling | None:
        if not (shape.is_grid and PERIOD in shape.per and shape.has_one_row_each):
            return None
        parts = {root: [name for name, other in shape.parts if other == root] for root in ((UNIT,), FOREIGN, ())}
        is_whole = len(parts[UNIT,]) == 1 and sum(map(len, parts.values())) == len(shape.parts)
        return (
            spelled(shape, per=(*parts[UNIT,], *parts[FOREIGN], *parts[()]), other_units=parts[FOREIGN])
            if is_whole
            else None
        )

    def describe(self, dataset: Dataset) -> str:
        first = dataset.plural if self.per[0] == UNIT else self.per[0]
        nouns = enumeration([first, *self.per[1:]])
        they = "these units are" if self.other_units else f"the {dataset.unit} is"
        return f"A row for each of {nouns} in each {dataset.grain.noun} in which {they} there."

    @property
    def combined_units(self) -> tuple[str, ...]:
        return self.other_units

    @property
    def plain_parts(self) -> tuple[str, ...]:
        return tuple(name for name in self.per[1:] if name not in self.other_units)

    def cut(self, population: Population, slice_: Slice) -> Iterator[Slice]:
        children = 1 if self.per[0] == UNIT else population.table(self.per[0]).spec.per_unit[1]
        others = [len(rows_of_all_units(other, slice_.stop)) for _, other in self._others(population)]
        return blocks(
            population, slice_, max(1, CHUNK // max(1, children * self.combinations(population) * math.prod(others)))
        )

    def rows_in(self, table: TablePlan, block: Block) -> Rows:
        rows = recording_cells(block)
        if self.per[0] != UNIT:
            rows = self._children(rows, block.population.table(self.per[0]))
        for name, other in self._others(block.population):
            rows = _with_units(rows, name, other)
        count = self.combinations(block.population)
        number = np.tile(np.arange(count, dtype=np.int64), len(rows))
        address, plain_parts = combined(block, self.plain_parts, number)
        rows = rows.take(np.repeat(np.arange(len(rows), dtype=np.int64), count))
        return kept_rows(
            table,
            replace(
                rows,
                address=fold(rows.address, address) if plain_parts else rows.address,
                ordinal=number,
                targets=_targets(table, {**rows.targets, **plain_parts}),
            ),
        )

    def _others(self, population: Population) -> list[tuple[str, Population]]:
        """Return the tables of units of other kinds that are combined, each with its population."""
        return [(name, population.population_of(population.table(name))) for name in self.other_units]

    def _children(self, cells: Rows, child: TablePlan) -> Rows:
        """Return the children of the units of some cells, each with itself as its target."""
        units = cells.block.units
        counts = child_counts(cells.block.population, child.spec, units)[cells.unit]
        owner, number = sibling_numbers(counts)
        rows = cells.take(owner)
        child_rows = Rows(
            block=cells.block,
            address=fold(units.address[rows.unit], words(number)),
            unit=rows.unit,
            period=units.arrival[rows.unit],
            ordinal=number,
        )
        targets = {child.name: (child_rows, np.arange(len(rows), dtype=np.int64))}
        return replace(rows, address=fold(rows.address, words(number)), targets=targets)

    def expect(self, table: TablePlan, sample: Sample) -> Floats:
        population = sample.population
        count: Floats = np.full(len(sample.periods), float(self.combinations(population)))
        for _, other in self._others(population):
            other_sample = sample.of(other)
            count = count * other_sample.total(other_sample.is_recording) * remaining_share(other_sample)
        if self.per[0] == UNIT:
            return count * sample.total(sample.is_recording)
        child = population.table(self.per[0]).spec
        return count * sample.total(lambda units: sample.is_recording(units) * child_counts(population, child, units))


def _with_units(rows: Rows, name: str, population: Population) -> Rows:
    """Return rows of cells combined with the units of another kind that are there in their period and not silent, by the
    name of their table."""
    stop = rows.block.slice.stop
    units, last_period = rows_of_all_units(population, stop), periods_of_ends(population, stop)
    periods, period_index = np.unique(rows.period, return_inverse=True)
    is_present = (units.period <= periods[:, None]) & (periods[:, None] <= last_period)
    if may_be_silent(population) and len(periods):
        first = int(periods[0])
        is_present &= ~silent_cells(population, units.block.units, first, int(periods[-1]) + 1)[periods - first]
    places = [np.flatnonzero(row) for row in is_present]
    owner, number = sibling_numbers(np.array([len(present) for present in places], dtype=np.int64)[period_index])
    starts = np.cumsum([0, *(len(present) for present in places)])[:-1]
    place = np.concatenate([*places, np.empty(0, dtype=np.int64)])[starts[period_index[owner]] + number]
    combined_rows = rows.take(owner)
    address = fold(fold(combined_rows.address, np.array([key(0, "grid", name)])), units.address[place])
    return replace(combined_rows, address=address, targets={**combined_rows.targets, name: (units, place)})
