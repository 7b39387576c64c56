"""Values of cells for rows: of the block of the rows, or of smaller ones where few of its cells have rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from plotsim_core.columns.rows import Rows
from plotsim_core.engine.block import Block
from plotsim_core.engine.block import block as block_of
from plotsim_core.engine.roster import take
from plotsim_core.engine.slice import CHUNK
from plotsim_core.numerics.arrays import Integers

_FEW_UNITS = 1 / 8
"""A layer is made for the units of some rows alone where these are at most this share of those in their block."""
_FEW_CELLS = CHUNK // 4
"""Cells of a block of a few periods. Larger ones are those of whole runs, in which tables share the layers."""
Layer = TypeVar("Layer", bound=NDArray[Any])


class _Part(NamedTuple):
    """Some of the rows by their positions, the block that they are read of, and where in it the cell of each is."""

    positions: Integers | slice
    block: Block
    cell: Integers


def cell_values(rows: Rows, layer: Callable[[Block], Layer]) -> Layer:
    """Return the value of a `layer`, shape (periods, units), for each of some rows that have cells."""
    parts = rows.cached("parts with cells", lambda: _parts(rows))
    part_values: list[Any] = [layer(part.block).ravel()[part.cell] for part in parts]
    values: Layer = part_values[0]
    if len(parts) > 1:
        values = np.empty(len(rows), dtype=values.dtype)  # type: ignore[assignment] # of the type of its parts
        for part, some_values in zip(parts, part_values, strict=True):
            values[part.positions] = some_values
    return values


def _parts(rows: Rows) -> list[_Part]:
    """Cut rows into those in the periods in which many units have some, and all others, which are of few units. They stay
    together where that would spare less than half of the block's cells, and in the blocks of whole runs."""
    block, whole = rows.block, [_Part(slice(None), rows.block, rows.cell)]
    periods, count = block.shape
    if block.has_chosen_units or not 2 * len(rows) <= periods * count <= _FEW_CELLS or count == 0:
        return whole
    period, unit = np.divmod(rows.cell, count)
    crowded_periods = np.flatnonzero(np.bincount(period, minlength=periods) > _FEW_UNITS * count)
    first, stop = (int(crowded_periods[0]), int(crowded_periods[-1]) + 1) if len(crowded_periods) else (0, 0)
    is_crowded = (period >= first) & (period < stop)
    sparse_positions = np.flatnonzero(~is_crowded)
    sparse_units = np.unique(unit[sparse_positions])
    if 2 * (stop - first) > periods or len(sparse_units) > _FEW_UNITS * count:
        return whole
    parts = []
    if stop > first:
        begin = block.slice.first
        crowded_block = block_of(block.population, replace(block.slice, first=begin + first, stop=begin + stop))
        place = np.searchsorted(crowded_block.units.place, block.units.place[unit[is_crowded]])
        cell = (period[is_crowded] - first) * len(crowded_block.units) + place
        parts.append(_Part(np.flatnonzero(is_crowded), crowded_block, cell))
    if len(sparse_units):
        sparse_block = Block(block.population, block.slice, take(block.units, sparse_units))
        place = np.searchsorted(sparse_units, unit[sparse_positions])
        parts.append(_Part(sparse_positions, sparse_block, period[sparse_positions] * len(sparse_units) + place))
    return parts or whole
