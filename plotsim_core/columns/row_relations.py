"""Relations between rows of tables: parent rows, detail rows, and earlier rows of the same unit."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plotsim_core.columns.row_kind import row_kind
from plotsim_core.columns.rows import Rows, sibling_numbers
from plotsim_core.engine.block import block
from plotsim_core.engine.slice import Slice
from plotsim_core.numerics.arrays import Integers
from plotsim_core.numerics.random import choose, fold, key, words
from plotsim_core.plan.plan import ColumnPlan, Population, TablePlan


@lru_cache(maxsize=4)
def rows_of(population: Population, name: str, slice_: Slice) -> Rows:
    """Return the rows of a table in a slice, as targets of references; the last results are cached."""
    table = population.table(name)
    return row_kind(table).rows_in(table, block(population, slice_))


def parent_of(table: TablePlan) -> str | None:
    """Return the name of a detail table's parent table; None for other tables."""
    return table.spec.parent_name


def ancestor_rows(table: TablePlan, rows: Rows, name: str) -> tuple[Rows, Integers] | None:
    """Return the ancestor rows of rows in the table `name`, and the position of each row's ancestor. None if the table is
    no ancestor."""
    positions = np.arange(len(rows), dtype=np.int64)
    current = table
    while rows.parent is not None and (parent_name := parent_of(current)) is not None:
        positions, rows = rows.owner[positions], rows.parent
        if parent_name == name:
            return rows, positions
        current = rows.block.population.table(parent_name)
    return None


def inherited_column(column: ColumnPlan, table: TablePlan, population: Population) -> ColumnPlan | None:
    """Return the column of the parent table that a reference is copied from: the one of the same name and type; for a
    reference to a fact or an event, one of the same type."""
    name = parent_of(table)
    candidates = [other for other in population.table(name).columns if other.spec.type == column.spec.type] if name else []
    namesake = next((other for other in candidates if other.name == column.name), None)
    target_name = column.spec.source.target_name
    if namesake is None and candidates and target_name is not None:
        target_table = population.table(target_name)
        return candidates[0] if target_table.time is not None and not target_table.spec.is_date_dimension else None
    return namesake


def rows_of_parents(table: TablePlan, parent: Rows) -> Rows:
    """Return the detail rows of rows of the parent table, in the order of these."""
    low, high = table.spec.per_row
    counts = low + choose(key(parent.block.population.seed, "children", table.stream), parent.address, high - low + 1)
    owner, numbers = sibling_numbers(counts)
    return Rows(
        block=parent.block,
        address=fold(parent.address[owner], words(numbers)),
        unit=parent.unit[owner],
        period=parent.period[owner],
        cell=parent.cell[owner],
        ordinal=numbers,
        moment=parent.moment[owner] if len(parent.moment) else parent.moment,
        parent=parent,
        owner=owner,
    )


def earlier_rows(rows: Rows, name: str, within: int) -> tuple[Rows, Integers, Integers, Integers]:
    """Return the earlier rows of each row's unit, in its period and the `within` periods before it.

    Gives (candidates, order, starts, counts): rows of the table `name`, and for each row the positions
    `order[start : start + count]` of its candidates, in the order of time.
    """
    population, block_slice = rows.block.population, rows.block.slice
    search_slice = Slice(
        max(population.first, block_slice.first - within), block_slice.stop, block_slice.unit_first, block_slice.unit_stop
    )
    candidates = rows_of(population, name, search_slice)
    order = np.lexsort((candidates.moment, candidates.unit))
    units, moments = candidates.unit[order], candidates.moment[order]
    period_starts = population.grain.starts(np.arange(block_slice.first - within, block_slice.stop)).astype("datetime64[us]")
    starts = _count_before(units, moments, rows.unit, period_starts[rows.period - block_slice.first])
    return candidates, order, starts, _count_before(units, moments, rows.unit, rows.moment) - starts


def _count_before(units: Integers, moments: NDArray[Any], row_units: Integers, row_moments: NDArray[Any]) -> Integers:
    """Return the number of sorted (unit, moment) before each row's (unit, moment); equal moments are not before."""
    order = np.lexsort(
        (
            np.repeat([1, 0], [len(units), len(row_units)]),
            np.concatenate([moments, row_moments]),
            np.concatenate([units, row_units]),
        )
    )
    is_query = order >= len(units)
    counts = np.cumsum(~is_query)
    result = np.empty(len(row_units), dtype=np.int64)
    result[order[is_query] - len(units)] = counts[is_query]
    return result
