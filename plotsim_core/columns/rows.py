"""Rows of a table, as column sources read them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from plotsim_core.arrow import ArrowArray
from plotsim_core.engine.block import Block
from plotsim_core.engine.foreign_units import all_units
from plotsim_core.engine.memory import Memory
from plotsim_core.numerics.arrays import Floats, Integers
from plotsim_core.numerics.random import Words, choose, key, uniforms
from plotsim_core.plan.plan import ColumnPlan, Population, TablePlan

Value = TypeVar("Value")

CURRENT = np.iinfo(np.int64).min
"""Sentinel for the period of the next version where there is none; any other number can be a period."""


def _empty() -> Integers:
    """Return the empty array of a field that a kind of rows lacks."""
    return np.empty(0, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows as parallel arrays; a field that a kind of rows lacks is empty.

    `address` is the random address of a row; `unit` the index of its unit in the block; `period` a period number; `cell` the
    index in the block's flattened (periods, units) arrays; `ordinal` the number among siblings; `moment` a time in
    UTC (datetime64[us]); `version_first` the first period of a version and `version_stop` that of the next one (`CURRENT`:
    there is none); `band` the band of a version; `parent` the parent rows of detail rows, and `owner` the position of each
    row's parent; `rank` the number of a row in its group, in tables with issues (tables/rank.py); `targets` the (rows,
    positions) that columns refer to, by name; `memory` what was computed of these rows.
    """

    block: Block
    address: Words
    unit: Integers = field(default_factory=_empty)
    period: Integers = field(default_factory=_empty)
    cell: Integers = field(default_factory=_empty)
    ordinal: Integers = field(default_factory=_empty)
    moment: NDArray[Any] = field(default_factory=_empty)
    version_first: Integers = field(default_factory=_empty)
    version_stop: Integers = field(default_factory=_empty)
    band: Integers = field(default_factory=_empty)
    parent: Rows | None = None
    owner: Integers = field(default_factory=_empty)
    rank: Integers = field(default_factory=_empty)
    targets: Mapping[str, tuple[Rows, Integers]] = field(default_factory=dict)
    memory: Memory = field(default_factory=Memory)

    def __len__(self) -> int:
        return len(self.address)

    def cached(self, key: Hashable, compute: Callable[[], Value]) -> Value:
        """Return `compute()`, computed once for a key while the rows live."""
        return self.memory.cached(key, compute)

    def take(self, positions: Integers | NDArray[np.bool_]) -> Rows:
        """Return the rows at `positions`, or of a mask."""
        field_names = [f.name for f in fields(self) if f.name not in ("block", "parent", "targets", "memory")]
        arrays = {name: getattr(self, name)[positions] for name in field_names if len(getattr(self, name))}
        targets = {name: (rows, target_positions[positions]) for name, (rows, target_positions) in self.targets.items()}
        return replace(self, **arrays, targets=targets, memory=Memory())

    def uniforms(self, table: TablePlan, column: ColumnPlan, *parts: str) -> Floats:
        """Return a uniform for each row, of the stream that belongs to this column."""
        return uniforms(self.stream(table, column, *parts), self.address)

    def choose(self, table: TablePlan, column: ColumnPlan, count: Integers | int, *parts: str) -> Integers:
        """Return an integer in [0, count) for each row, of the stream that belongs to this column."""
        return choose(self.stream(table, column, *parts), self.address, count)

    def stream(self, table: TablePlan, column: ColumnPlan, *parts: str | int) -> np.uint64:
        """Return the key of this column's stream."""
        return key(self.block.population.seed, "column", table.stream, column.name, *parts)


def gathered(values: list[Any] | NDArray[Any] | ArrowArray, indexes: Integers, type_: pa.DataType) -> ArrowArray:
    """Return `values[indexes]` as an Arrow array: few values spread over many rows."""
    if pa.types.is_floating(type_) and isinstance(values, list):  # Arrow takes no whole number that a double rounds
        values = [None if value is None else float(value) for value in values]
    return pa.array(values, type=type_).take(indexes)


def rows_of_all_units(population: Population, stop: int) -> Rows:
    """Return a row for each unit that may arrive before the period `stop`, in the order of the roster."""
    block = all_units(population, stop)
    units = block.units
    return Rows(block=block, address=units.address, unit=np.arange(len(units), dtype=np.int64), period=units.arrival)


def sibling_numbers(counts: Integers) -> tuple[Integers, Integers]:
    """Return (owners, numbers) of siblings in order: each owner as often as its count, with the number among siblings."""
    owners = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
    starts = np.cumsum(counts) - counts
    return owners, np.arange(len(owners), dtype=np.int64) - starts[owners]
