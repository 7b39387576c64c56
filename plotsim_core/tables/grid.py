"""Grids: a row for each combination of the rows of several tables, in every period or once: stock by store, product and day.

The parts of a grid are plain tables, and for a grid of units, first, the units or their children. A row is told by what it
combines. It is addressed by the addresses of its parts, each folded with the name of its table, so that a row of a part that
is added moves no other.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from plotsim_core.columns.kept_rows import kept_rows
from plotsim_core.columns.row_relations import child_counts
from plotsim_core.columns.rows import Rows, sibling_numbers
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.filtered import FilteredTable
from plotsim_core.config.model import MOST_NUMBERED, Name
from plotsim_core.config.scope import Scope
from plotsim_core.config.table_kind import Knowledge, Section
from plotsim_core.config.table_shape import PERIOD, UNIT, Shape, Spelling, spelled
from plotsim_core.config.words import enumeration
from plotsim_core.engine.block import Block
from plotsim_core.engine.slice import CHUNK, Slice, blocks, by_row
from plotsim_core.errors import Problem, value_text
from plotsim_core.numerics.arrays import Floats, Integers
from plotsim_core.numerics.random import Words, fold, key, words
from plotsim_core.plan.plan import Population, TablePlan
from plotsim_core.tables.cell_rows import live_cells
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


def combined(table: TablePlan, block: Block, names: tuple[str, ...], numbers: Integers) -> tuple[Words, dict[str, Rows]]:
    """Return the addresses of combinations of plain tables by their `numbers`, and the row of each table, by its name."""
    population = block.population
    address = np.zeros(len(numbers), dtype=np.uint64)
    parts: dict[str, Rows] = {}
    rest = numbers
    for name in reversed(names):
        part = population.table(name)
        rest, number = np.divmod(rest, part.spec.length)
        parts[name] = table_kind(part).numbered_rows(part, block, number)
        address = fold(fold(address, np.array([key(0, "grid", name)])), parts[name].address)
    return address, parts


def _targets(table: TablePlan, parts: dict[str, Rows]) -> dict[str, tuple[Rows, Integers]]:
    """Return the rows that the references of a grid to its parts lead to, by column."""
    columns = {column.spec.source.target_name: column.name for column in table.columns if column.name in table.key}
    return {columns[name]: (rows, np.arange(len(rows), dtype=np.int64)) for name, rows in parts.items() if name in columns}


class _PlainGrid(_Grid):
    """Combinations of rows of plain tables."""

    has_unit_rows: ClassVar[bool] = False

    def combined_rows(self, table: TablePlan, block: Block) -> Rows:
        """Return the combinations of a block, each once."""
        first, stop = block.slice.rows or (0, self.combinations(block.population))
        numbers = np.arange(first, stop, dtype=np.int64)
        address, parts = combined(table, block, self.plain_parts, numbers)
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
        return f"A row for each combination of {enumeration(self.per)} in each {dataset.grain.name}."

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
    """A row for each combination of a unit, or of one of its children, with rows of plain tables, in each period in which
    the unit is there: each contract in each month, each customer with each channel in each week."""

    form: ClassVar[str] = "grid of units"
    knows: ClassVar[frozenset[Knowledge]] = frozenset({"unit", "period", "cell", "metrics"})
    has_rows_each_period: ClassVar[bool] = True

    @classmethod
    def of_shape(cls, shape: Shape) -> Spelling | None:
        parts = dict(zip(shape.per[:-1], shape.part_roots, strict=False))
        of_units = [name for name, root in parts.items() if root == (UNIT,)]
        plain_parts = [name for name, root in parts.items() if root == ()]
        is_whole = len(of_units) == 1 and len(plain_parts) == len(parts) - 1
        if not (shape.is_grid and PERIOD in shape.per and is_whole and shape.has_one_row_each):
            return None
        return spelled(shape, per=(*of_units, *plain_parts))

    def describe(self, dataset: Dataset) -> str:
        first = dataset.plural if self.per[0] == UNIT else self.per[0]
        nouns = enumeration([first, *self.per[1:]])
        return f"A row for each of {nouns} in each {dataset.grain.name} in which the {dataset.unit} is there."

    @property
    def plain_parts(self) -> tuple[str, ...]:
        return self.per[1:]

    def cut(self, population: Population, slice_: Slice) -> Iterator[Slice]:
        return blocks(population, slice_, max(1, CHUNK // self._most_per_cell(population)))

    def _most_per_cell(self, population: Population) -> int:
        children = 1 if self.per[0] == UNIT else population.table(self.per[0]).spec.per_unit[1]
        return max(1, children * self.combinations(population))

    def rows_in(self, table: TablePlan, block: Block) -> Rows:
        population, cells = block.population, live_cells(block)
        parts: dict[str, Rows] = {}
        owner, address = np.arange(len(cells), dtype=np.int64), cells.address
        if self.per[0] != UNIT:
            child = population.table(self.per[0])
            counts = child_counts(population, child.spec, block.units)[cells.unit]
            owner, number = sibling_numbers(counts)
            address = fold(cells.address[owner], words(number))
            unit = cells.unit[owner]
            unit_address = fold(block.units.address[unit], words(number))
            parts[child.name] = Rows(
                block=block, address=unit_address, unit=unit, period=block.units.arrival[unit], ordinal=number
            )
        count = self.combinations(population)
        member = np.repeat(np.arange(len(owner), dtype=np.int64), count)
        number = np.tile(np.arange(count, dtype=np.int64), len(owner))
        plain_address, plain_parts = combined(table, block, self.plain_parts, number)
        is_plain = bool(self.plain_parts)
        parts = {name: rows.take(member) for name, rows in parts.items()}
        cell = owner[member]
        rows = Rows(
            block=block,
            address=fold(address[member], plain_address) if is_plain else address,
            unit=cells.unit[cell],
            period=cells.period[cell],
            cell=cells.cell[cell],
            ordinal=number,
            targets=_targets(table, {**parts, **plain_parts}),
        )
        return kept_rows(table, rows)

    def expect(self, table: TablePlan, sample: Sample) -> Floats:
        population, count = sample.population, self.combinations(sample.population)
        if self.per[0] == UNIT:
            return count * sample.total(sample.is_present)
        child = population.table(self.per[0]).spec
        return count * sample.total(lambda units: sample.is_present(units) * child_counts(population, child, units))
