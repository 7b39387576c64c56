"""`distinct: true` beside a reference: siblings refer to different rows. Siblings are the rows of one parent row, or those
of a unit in a dimension of children.

Where all targets are as likely, siblings take theirs from an order of the targets that is shuffled for each parent. Where
some are more likely, siblings draw one after the other, and again while one before them has what they drew. Either way a
row's target follows from its parent's address and its own number.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from plotsim_core.columns.choice import weighted_indexes
from plotsim_core.columns.rows import Rows
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, Table
from plotsim_core.errors import Problem
from plotsim_core.numerics.arrays import Floats, Integers
from plotsim_core.numerics.permutation import shuffled
from plotsim_core.numerics.random import Words, fold, uniforms, words

_TRIES = 64
"""Draws of one sibling after which it is drawn from the targets that are left."""
_CELLS = 1 << 20
"""Most numbers in one array."""


def check_distinct(column: Column, table: Table, target: str, target_count: int, scope: Scope) -> Iterable[Problem]:
    """Yield the problems of distinct references of a table, each row to one of at least `target_count`."""
    parent = scope.tables.get(table.parent_name or "")
    parent_columns = parent.table.columns if parent is not None and parent.table is not None else ()
    if any((other.name, other.type) == (column.name, column.type) for other in parent_columns):
        message = f"has no effect: a row refers to what its row of {table.parent_name} refers to"
        yield Problem("distinct", message, f"give the column another name than {column.name}")
        return
    is_child = table.is_of_units and not table.is_unit_dimension
    noun = f"a row of {table.parent_name}" if table.parent_name is not None else "a unit"
    has_siblings = is_child or table.parent_name is not None
    most = table.row_count.bounds[1] if has_siblings and table.row_count is not None else None
    if most is None:
        message = f"rows of {table.name} have no siblings whose number is bounded"
        yield Problem("distinct", f"has no place here: {message}", "rows per row of a table, and children of units, have")
        return
    if most == 1:
        yield Problem("distinct", f"has no effect: {noun} has one row of {table.name}")
    elif most > target_count:
        message = f"{noun} has up to {most} rows of {table.name}, and they can refer to {target_count} rows of {target}"
        yield Problem("distinct", message, "let it have fewer, or list more")


def distinct_positions(rows: Rows, counts: Integers | int, stream: np.uint64) -> Integers:
    """Return for each row an integer in [0, count) that no sibling with the same count has. Siblings are at most `count`."""
    return shuffled(rows.ordinal, counts, _parents(rows)[0] ^ stream)


def distinct_popular(rows: Rows, weights: tuple[float, ...], stream: np.uint64) -> Integers:
    """Return for each row the index of a weight, drawn in proportion to the weights without that of any sibling before it;
    -1 where no weight above zero is left."""
    parent_address, parent = _parents(rows)
    _, first, parent = np.unique(parent, return_index=True, return_inverse=True)
    address = parent_address[first]
    drawn = np.full((len(address), int(rows.ordinal.max(initial=-1)) + 1), -1, dtype=np.int64)
    for number in range(drawn.shape[1]):
        own_address = fold(address, words(np.full(1, number)))
        pending = np.arange(len(address), dtype=np.int64)
        for attempt in range(_TRIES):
            draws = uniforms(stream, fold(own_address[pending], words(np.full(1, attempt))))
            index = weighted_indexes(draws, weights)
            is_new = np.all(drawn[pending, :number] != index[:, None], axis=1)
            drawn[pending[is_new], number] = index[is_new]
            pending = pending[~is_new]
            if not len(pending):
                break
        step = max(1, _CELLS // len(weights))
        for begin in range(0, len(pending), step):
            part = pending[begin : begin + step]
            drawn[part, number] = _first_left(own_address[part], drawn[part, :number], np.array(weights), stream)
    return drawn[parent, rows.ordinal]


def _parents(rows: Rows) -> tuple[Words, Integers]:
    """Return the address and the index of the parent of each row: its parent row, or its unit."""
    if rows.parent is not None:
        return rows.parent.address[rows.owner], rows.owner
    return rows.block.units.address[rows.unit], rows.unit


def _first_left(address: Words, used_indexes: Integers, weights: Floats, stream: np.uint64) -> Integers:
    """Return for each address the index of a weight above zero, drawn in proportion to the weights without `used_indexes`:
    the first to come of exponential waiting times. -1 where there is none."""
    indexes = np.arange(len(weights), dtype=np.int64)
    draws = uniforms(stream, fold(address[:, None], words(_TRIES + indexes)[None, :]))
    with np.errstate(divide="ignore"):
        waits = -np.log(draws) / weights
    np.put_along_axis(waits, used_indexes, np.inf, axis=1)
    first = waits.argmin(axis=1)
    return np.where(np.isfinite(waits[np.arange(len(first)), first]), first, -1)
