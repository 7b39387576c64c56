"""A sample of the rows of a table in some periods, each with how many rows it stands for, to tell what holds of all of them.

Of plain rows, and of what belongs to them, rows are taken by their numbers; of others, those of some units of each stratum,
of a state as of the end, else in stretches of time that are spread over the periods.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from plotsim_core.columns.kept_rows import kept_rows
from plotsim_core.columns.row_relations import rows_of_parents
from plotsim_core.columns.rows import Rows
from plotsim_core.engine.block import Block
from plotsim_core.engine.reference_roster import reference_roster
from plotsim_core.engine.slice import Slice
from plotsim_core.engine.strata import strata
from plotsim_core.numerics.arrays import Integers
from plotsim_core.plan.plan import Population, TablePlan
from plotsim_core.tables.drawn_rows import lineage
from plotsim_core.tables.kind import table_kind
from plotsim_core.tables.plain_child import rows_per_root
from plotsim_core.tables.reference import ReferenceDimension
from plotsim_core.tables.timed_plain import exact_rows

_ROWS, _FEWEST = 1 << 14, 64
"""Rows of a sample, about, and the fewest of a part of it that has them."""
_UNITS, _CELLS = 1 << 11, 1 << 18
"""Most units of a segment, and most cells, that are looked at."""
_STRETCHES = 16
"""Stretches of time, where not all of it is looked at."""

WeightedRows = tuple[float, Rows]
"""Rows, and how many rows each of them stands for."""


def reference_population(population: Population, table: TablePlan) -> Population:
    """Return a population in which a sample of a table says the same however many units and plain rows there are, and
    whenever the window ends: with as many units of each segment over a span, and, of a table whose rows are numbered and
    have no moments, a fixed number of these. A table of whole periods speaks of the units that there are."""
    if "crowd" in table.spec.knows:
        return population
    others = tuple(_reference_units(other) for other in population.others)
    root = lineage(population, table)[0]
    is_dealt = any(other.row_count is not None and other.row_count.total for other in population.dataset.all_tables)
    tables = population.tables
    if isinstance(root.spec, ReferenceDimension) and root.spec.count is not None and not is_dealt:
        longest = max(root.spec.lists.values(), default=0)
        spec = root.spec.model_copy(update={"count": max(_ROWS, longest)})
        tables = tuple(replace(other, spec=spec) if other is root else other for other in tables)
    return replace(_reference_units(population), others=others, tables=tables)


def _reference_units(population: Population) -> Population:
    """Return a population with as many units of each segment, over a span."""
    stop = population.stop if population.dataset.window is None else population.first + population.span
    others = tuple(_reference_units(other) for other in population.others)
    return replace(reference_roster(population, _UNITS), stop=stop, others=others)


def sampled_rows(population: Population, table: TablePlan, first: int, stop: int) -> Iterator[WeightedRows]:
    """Yield rows of a table in the periods `first` to `stop`, or of a state as of their end."""
    root = lineage(population, table)[0]
    if root.spec.is_dense:
        yield from _thinned(_plain_rows(population, table, first, stop), _ROWS)
        return
    parts = _unit_slices(population, table, first, stop)
    for weight, slice_ in parts:
        for piece in table_kind(table).cut(population, slice_):
            rows = table_kind(table).rows_in(table, Block(population, piece))
            yield from _thinned(rows, max(_FEWEST, _ROWS // len(parts)), weight)


def _plain_rows(population: Population, table: TablePlan, first: int, stop: int) -> Rows:
    """Return rows of a table that belong to some plain rows in the end, or are these."""
    root, *path = lineage(population, table)
    begin, end = 0, root.spec.length
    if root.spec.rows_per_span:
        begin, end = exact_rows(population, root.stream).range_of(first, stop)
    count = max(_FEWEST, round(_ROWS / max(1.0, rows_per_root(population, table.name))))
    block = Block(population, Slice(first, stop, 0, 0))
    rows = kept_rows(root, table_kind(root).numbered_rows(root, block, begin + _spread(end - begin, count)))
    for step in path:
        rows = kept_rows(step, rows_of_parents(step, rows))
    return rows


def _spread(total: int, count: int) -> Integers:
    """Return at most `count` numbers below `total`, evenly spread."""
    numbers = np.arange(min(total, count), dtype=np.int64)
    return numbers if total <= count else numbers * total // count


def _unit_slices(population: Population, table: TablePlan, first: int, stop: int) -> list[tuple[float, Slice]]:
    """Return slices of some units of each stratum, with how many units each of theirs stands for; a table of no units has
    one of all."""
    if not table.spec.has_unit_rows:
        units = sum(segment.count for segment in population.segments)
        return [(1.0, Slice(first, stop, 0, units))]
    parts = strata(population, first, stop)
    limit = max(1, _UNITS * len(population.segments) // len(parts))
    counts = [min(part.count, limit) for part in parts]
    spans = [(first, stop)] if table.spec.is_state else _stretches(first, stop, sum(counts))
    return [
        (part.count / count, Slice(begin, end, part.first, part.first + count))
        for part, count in zip(parts, counts, strict=True)
        for begin, end in spans
    ]


def _stretches(first: int, stop: int, units: int) -> list[tuple[int, int]]:
    """Return stretches of the periods `first` to `stop` with about `_CELLS` cells in all: one where these are no more."""
    if (stop - first) * units <= _CELLS:
        return [(first, stop)]
    count = min(_STRETCHES, stop - first)
    length = max(1, min(_CELLS // (units * count), (stop - first) // count))
    starts = np.linspace(first, stop - length, count).round().astype(np.int64).tolist()
    return [(start, start + length) for start in starts]


def _thinned(rows: Rows, most: int, weight: float = 1.0) -> Iterator[WeightedRows]:
    """Yield some of some rows, evenly spread: about `most` of them; nothing where there are none."""
    positions = _spread(len(rows), most)
    if len(positions):
        yield weight * len(rows) / len(positions), rows.take(positions)


def clusters_of(rows: Rows) -> Integers:
    """Return a number for each row that is the same for rows of one unit, or of one plain row."""
    if len(rows.unit) == len(rows):
        return rows.block.units.place[rows.unit]
    positions = np.arange(len(rows), dtype=np.int64)
    while rows.parent is not None:
        positions, rows = rows.owner[positions], rows.parent
    return rows.address[positions].view(np.int64)
