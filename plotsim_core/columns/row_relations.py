"""Relations between rows of tables: parent rows, detail rows, and earlier rows of the same unit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from plotsim_core.arrow import ArrowArray
from plotsim_core.columns.row_kind import row_kind
from plotsim_core.columns.rows import Rows, sibling_numbers
from plotsim_core.columns.source import fill
from plotsim_core.columns.step_chances import chances_of
from plotsim_core.config.row_count import MOST, Level, RowCount
from plotsim_core.config.tables import Table
from plotsim_core.engine.block import Block, block
from plotsim_core.engine.memory import Recent
from plotsim_core.engine.roster import Units, take
from plotsim_core.engine.slice import Slice
from plotsim_core.errors import UsageError
from plotsim_core.numerics.arrays import Integers
from plotsim_core.numerics.groups import stable_order
from plotsim_core.numerics.random import fold, key, words
from plotsim_core.plan.plan import ColumnPlan, Population, TablePlan

_DECIMALS = 9
"""Decimals that count of a column that says how many rows there are."""
_PLAIN = key(0, "plain row")
"""What the addresses of plain rows are folded into, for those that belong to them: a bare number folded with a number would
be the same the other way round."""


def _size(rows: Rows) -> int:
    """Return how many values rows keep in memory, of one column or of one stage of their block."""
    periods, units = rows.block.shape
    return len(rows) + periods * units


_ROWS: Recent[Rows] = Recent(least=4, most=32, limit=1 << 17, size=_size)
"""The last rows of this process."""
_FEW = 1 << 16
"""Cells of a slice whose rows are few enough to be kept."""
_FEW_UNITS = 0.5
"""Earlier rows of all units are made where more than this share of them have rows that refer to some."""


def rows_of(population: Population, name: str, slice_: Slice) -> Rows:
    """Return the rows of a table in a slice, as targets of references; the last results are kept."""
    return _kept_rows(population, population.table(name), slice_)


def rows_in_block(table: TablePlan, block: Block) -> Rows:
    """Return the rows of a table in a block; those of a slice are kept."""
    if block.has_chosen_units:
        return row_kind(table).rows_in(table, block)
    return _kept_rows(block.population, table, block.slice)


def rows_in_slice(population: Population, table: TablePlan, slice_: Slice) -> Rows:
    """Return the rows of a table or a stage in a slice, to be stored. Where its cells are few they are kept, for who else
    asks for them."""
    periods, units = block(population, slice_).shape
    return (_kept_rows if 0 < periods * units <= _FEW else _new_rows)(population, table, slice_)


def _kept_rows(population: Population, table: TablePlan, slice_: Slice) -> Rows:
    return _ROWS.value((population, table.name, slice_), lambda: _new_rows(population, table, slice_))


def _new_rows(population: Population, table: TablePlan, slice_: Slice) -> Rows:
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
    candidates = (
        [other for other in population.table(name).all_columns if other.spec.type == column.spec.type] if name else []
    )
    namesake = next((other for other in candidates if other.name == column.name), None)
    target_name = column.spec.source.target_name
    if namesake is None and candidates and target_name is not None:
        return candidates[0] if population.table(target_name).spec.has_keyed_rows else None
    return namesake


def rows_of_parents(table: TablePlan, parent: Rows) -> Rows:
    """Return the detail rows of rows of the parent table, in the order of these."""
    return child_rows(parent, *sibling_numbers(row_counts_of(table, parent)))


def row_counts_of(table: TablePlan, parent: Rows) -> Integers:
    """Return how many rows of a table belong to each of some rows of its parent table."""
    population, count = parent.block.population, table.spec.row_count
    if count is not None and count.total is not None:
        return _dealt(count, table, parent)
    if count is None:
        return np.ones(len(parent), dtype=np.int64)
    parent_table = population.table(parent_of(table) or "")

    def counts(count: RowCount, positions: Integers | None) -> Integers:
        rows = parent if positions is None else parent.take(positions)
        if count.step_names:
            return count.reached(population.seed, table.stream, rows.address, chances_of(count, parent_table, rows))
        level = None
        if count.driver is not None:
            level = _level(parent_table, count.driver, rows)
        return counts_by_value(
            count,
            lambda: fill(parent_table.column(count.deciding or ""), parent_table, rows),
            lambda some, chosen: some.drawn(
                population.seed, table.stream, rows.address[chosen], None if level is None else level.take(chosen)
            ),
            len(rows),
        )

    return _by_segment(count, population, lambda: parent.block.units.segment[parent.unit], counts)


def child_counts(population: Population, table: Table, units: Units) -> Integers:
    """Return the number of rows of each unit in a dimension of units or of their children."""
    count = table.row_count
    if count is None:
        return np.ones(len(units), dtype=np.int64)

    def counts(count: RowCount, positions: Integers | None) -> Integers:
        chosen_units = units if positions is None else take(units, positions)
        if count.step_names:
            unit_rows = rows_of_units(population, chosen_units)
            columns = chances_of(count, population.dimension, unit_rows) if count.chance_columns else {}
            return count.reached(population.seed, table.name, chosen_units.address, columns)
        level = None if count.driver is None else _level_of_units(population, count.driver, chosen_units)
        return counts_by_value(
            count,
            lambda: values_of_units(population, count.deciding or "", chosen_units),
            lambda some, chosen: some.drawn(
                population.seed, table.name, chosen_units.address[chosen], None if level is None else level.take(chosen)
            ),
            len(chosen_units),
        )

    return _by_segment(count, population, lambda: units.segment, counts)


def counts_by_value(
    count: RowCount,
    values: Callable[[], ArrowArray],
    drawn: Callable[[RowCount, Integers | slice], Integers],
    length: int,
) -> Integers:
    """Return how many rows each of `length` parents has, by the value of the column that decides, where one does; `drawn`
    gives the numbers of some parents."""
    if count.deciding is None:
        return drawn(count, slice(None))
    keys = count.case_keys
    index = pc.index_in(pc.cast(values(), pa.string()), pa.array(keys, pa.string())).fill_null(len(keys))
    places = index.to_numpy(zero_copy_only=False)
    numbers = np.zeros(length, dtype=np.int64)
    for place, key_ in enumerate((*keys, None)):
        case, positions = count.of_value(key_), np.flatnonzero(places == place)
        if case is not None:
            numbers[positions] = drawn(case, positions)
    return numbers


def values_of_units(population: Population, name: str, units: Units) -> ArrowArray:
    """Return what a column of the table of units says of each of some units."""
    return fill(population.dimension.column(name), population.dimension, rows_of_units(population, units))


def rows_of_units(population: Population, units: Units) -> Rows:
    """Return a row for each of some units."""
    block = Block(population, Slice(population.first, population.first + 1, 0, len(units)), units)
    places = np.arange(len(units), dtype=np.int64)
    return Rows(block=block, address=units.address, unit=places, period=units.arrival)


def _by_segment(
    count: RowCount,
    population: Population,
    segments: Callable[[], Integers],
    counts: Callable[[RowCount, Integers | None], Integers],
) -> Integers:
    """Return how many rows each parent has, by the number of its segment where these differ; `counts` gives those of some
    parents, None for all."""
    of_segments = [count.of_segment(segment.spec.name) for segment in population.segments]
    if all(other is count for other in of_segments):
        return counts(count, None)
    segment_of = segments()
    numbers = np.zeros(len(segment_of), dtype=np.int64)
    for segment, segment_count in enumerate(of_segments):
        positions = np.flatnonzero(segment_of == segment)
        numbers[positions] = counts(segment_count, positions)
    return numbers


def _level_of_units(population: Population, name: str, units: Units) -> Level:
    """Return what a column of the units says of how many rows belong to each."""
    return _level(population.dimension, name, rows_of_units(population, units))


def _dealt(count: RowCount, table: TablePlan, parent: Rows) -> Integers:
    """Return how many of the rows that there are in all belong to each of some plain rows, in each span of the window."""
    population = parent.block.population
    spec = population.table(parent_of(table) or "").spec
    parent_count = spec.rows_per_span or spec.length
    spans, numbers = np.divmod(parent.ordinal, parent_count)
    counts = np.zeros(len(parent), dtype=np.int64)
    for span in np.unique(spans).tolist():
        is_in_span = spans == span
        stream = f"{table.stream} in span {span}" if span else table.stream
        counts[is_in_span] = count.dealt(population.seed, stream, numbers[is_in_span], parent_count)
    return counts


def _level(table: TablePlan, name: str, rows: Rows) -> Level:
    """Return what a column says of how many rows belong to each of some rows; none where it is null."""
    numbers = fill(table.column(name), table, rows).cast(pa.float64()).fill_null(0.0).to_numpy(zero_copy_only=False)
    if len(numbers) and numbers.max() > MOST:
        raise UsageError(f"{table.name}.{name} is {numbers.max():g}, and at most {MOST:,} rows belong to one")
    return Level(numbers, None, _DECIMALS)


def child_rows(parent: Rows, owner: Integers, numbers: Integers) -> Rows:
    """Return the rows with these numbers, each among those that belong to its own row (`owner`) of `parent`."""
    is_plain = parent.parent is None and not len(parent.unit)
    base = fold(np.array([_PLAIN]), parent.address) if is_plain else parent.address
    unit, period, cell, moment = (
        values[owner] if len(values) else values for values in (parent.unit, parent.period, parent.cell, parent.moment)
    )
    return Rows(
        block=parent.block,
        address=fold(base[owner], words(numbers)),
        unit=unit,
        period=period,
        cell=cell,
        ordinal=numbers,
        moment=moment,
        parent=parent,
        owner=owner,
    )


def earlier_rows(rows: Rows, name: str, within: int) -> tuple[Rows, Integers, Integers, Integers]:
    """Return the earlier rows of each row's unit, in its period and the `within` periods before it.

    Gives (candidates, order, starts, counts): rows of the table `name`, and for each row the positions
    `order[start : start + count]` of its candidates, in the order of time.
    """
    population, block_slice = rows.block.population, rows.block.slice
    search_slice = replace(block_slice, first=max(population.first, block_slice.first - within), rows=None)
    candidates = _rows_of_units(rows, name, search_slice)
    places = candidates.block.units.place[candidates.unit]
    order = _order_by_place(places, candidates.moment)
    places, moments = places[order], candidates.moment[order]
    period_starts = population.grain.instants(np.arange(block_slice.first - within, block_slice.stop))
    row_places = rows.block.units.place[rows.unit]
    starts = _count_before(places, moments, row_places, period_starts[rows.period - block_slice.first])
    return candidates, order, starts, _count_before(places, moments, row_places, rows.moment) - starts


def _rows_of_units(rows: Rows, name: str, search_slice: Slice) -> Rows:
    """Return the rows of a table in a slice, of the units of some rows at least: of these alone where they are few."""
    population, units = rows.block.population, rows.block.units
    chosen = np.unique(rows.unit) if len(rows) else np.zeros(1, dtype=np.int64)
    if len(chosen) > _FEW_UNITS * len(units) and not rows.block.has_chosen_units:
        return rows_of(population, name, search_slice)
    return rows_in_block(population.table(name), Block(population, search_slice, take(units, chosen)))


def _order_by_place(places: Integers, moments: NDArray[Any]) -> Integers:
    """Return the order of rows by place, then moment. Rows of a slice are in the order of periods, so those of one unit
    usually follow each other in time as they are."""
    order = stable_order(places)
    is_same = np.diff(places[order]) == 0
    is_later = np.diff(moments[order]) >= np.timedelta64(0)
    return order if np.all(is_later[is_same]) else np.lexsort((moments, places))


def _count_before(places: Integers, moments: NDArray[Any], row_places: Integers, row_moments: NDArray[Any]) -> Integers:
    """Return the number of sorted (place, moment) before each row's (place, moment); equal moments are not before."""
    low, high = (np.searchsorted(places, row_places, side).astype(np.int64) for side in ("left", "right"))
    while np.any(is_open := low < high):
        middle = (low + high) // 2
        is_before = is_open & (moments[np.minimum(middle, len(moments) - 1)] < row_moments)
        low, high = np.where(is_before, middle + 1, low), np.where(is_open & ~is_before, middle, high)
    return low
