"""The rows that a table kind decided on, as a source sees them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from plotsim_core.engine.block import Block
from plotsim_core.numerics.random import Floats, Words, choose, key, uniforms
from plotsim_core.plan.plan import ColumnPlan, TablePlan

Integers = NDArray[np.int64]
Kept = TypeVar("Kept")

CURRENT = np.iinfo(np.int64).min
"""What stands for the beginning of the next version where there is none; every other number can be a period's."""


def _empty() -> Integers:
    """What stands for something that the rows of a kind do not know."""
    return np.empty(0, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows as parallel arrays; what a kind's rows do not know is empty.

    `address` is each row's own; `unit` the place of its unit in the block; `period` a period number; `cell` the place in
    the block's flattened (periods, units) arrays; `ordinal` the number among its siblings; `moment` a time
    (datetime64[us]); `since` and `until` the periods a version begins and the next begins (`CURRENT`: none has begun);
    `band` the band a version is in; `parent` the rows that these belong to and
    `owner` the place in them of each row's own; `rank` the number of a row among those that it is counted together with, in
    tables with issues (tables/rank.py); `targets` the (rows, places) that columns of these names refer to.
    """

    block: Block
    address: Words
    unit: Integers = field(default_factory=_empty)
    period: Integers = field(default_factory=_empty)
    cell: Integers = field(default_factory=_empty)
    ordinal: Integers = field(default_factory=_empty)
    moment: NDArray[Any] = field(default_factory=_empty)
    since: Integers = field(default_factory=_empty)
    until: Integers = field(default_factory=_empty)
    band: Integers = field(default_factory=_empty)
    parent: Rows | None = None
    owner: Integers = field(default_factory=_empty)
    rank: Integers = field(default_factory=_empty)
    targets: Mapping[str, tuple[Rows, Integers]] = field(default_factory=dict)
    _kept: dict[Hashable, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.address)

    def kept(self, name: Hashable, compute: Callable[[], Kept]) -> Kept:
        """Return what `make()` gives, made once for `what` while the rows live."""
        if name not in self._kept:
            self._kept[name] = compute()
        value: Kept = self._kept[name]
        return value

    def taken(self, positions: Integers | NDArray[np.bool_]) -> Rows:
        """Return the rows at `places`."""
        field_names = [f.name for f in fields(self) if f.name not in ("block", "parent", "targets", "_kept")]
        arrays = {name: getattr(self, name)[positions] for name in field_names if len(getattr(self, name))}
        targets = {name: (rows, target_positions[positions]) for name, (rows, target_positions) in self.targets.items()}
        return replace(self, **arrays, targets=targets, _kept={})

    def uniforms(self, table: TablePlan, column: ColumnPlan, *parts: str) -> Floats:
        """Return a uniform for each row, of the stream that belongs to this column."""
        return uniforms(self.stream(table, column, *parts), self.address)

    def choose(self, table: TablePlan, column: ColumnPlan, count: Integers | int, *parts: str) -> Integers:
        """Return an integer in [0, count) for each row, of the stream that belongs to this column."""
        return choose(self.stream(table, column, *parts), self.address, count)

    def stream(self, table: TablePlan, column: ColumnPlan, *parts: str | int) -> np.uint64:
        """Return the key of this column's stream."""
        return key(self.block.plan.seed, "column", table.stream, column.name, *parts)


def picked(values: list[Any] | NDArray[Any] | pa.Array, indexes: Integers, type_: pa.DataType) -> pa.Array:
    """Return `values[places]` as an Arrow array: what few distinct values become when they are spread over rows."""
    if pa.types.is_floating(type_) and isinstance(values, list):  # Arrow takes no whole number that a double rounds
        values = [None if value is None else float(value) for value in values]
    return pa.array(values, type=type_).take(pa.array(indexes))


def numbered(counts: Integers) -> tuple[Integers, Integers]:
    """Return (owner, number) of `counts[owner]` siblings each, in order."""
    owners = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
    starts = np.cumsum(counts) - counts
    return owners, np.arange(len(owners), dtype=np.int64) - starts[owners]
