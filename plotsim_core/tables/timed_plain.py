"""Plain tables whose rows have moments: exactly so many in each span of the window, numbered in the order of time.

How many rows a period has, and when each happens, follows from their number alone (`numerics/exact_rows.py`), so that any
period is made alone and a table of billions takes no more memory than one of a million. Within a span, rows follow the
seasons of the dataset and the rhythm of the table.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from plotsim_core.columns.foreign_key import reference_of
from plotsim_core.columns.kept_rows import kept_rows
from plotsim_core.columns.row_kind import Targets
from plotsim_core.columns.rows import Rows
from plotsim_core.config.calendar import Rhythm
from plotsim_core.config.calendar_days import period_factors
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.effects import season_strengths
from plotsim_core.config.filtered import FilteredTable
from plotsim_core.config.model import PlainRows
from plotsim_core.config.output import Event
from plotsim_core.config.scope import Scope
from plotsim_core.config.table_kind import Knowledge, Section
from plotsim_core.config.table_shape import MOMENT, Shape, Spelling, spelled
from plotsim_core.config.tables import row_noun
from plotsim_core.config.words import capitalised, plural
from plotsim_core.engine.block import Block
from plotsim_core.engine.effects import occasion_factors, table_occasions
from plotsim_core.engine.rhythm import SMALLEST_FACTOR, days_of, rhythm_of
from plotsim_core.engine.slice import CHUNK, Slice, by_row
from plotsim_core.errors import Problem
from plotsim_core.numerics.arrays import Floats, Integers
from plotsim_core.numerics.calendar import Moments
from plotsim_core.numerics.clock_changes import clock_changes
from plotsim_core.numerics.exact_rows import ExactRows, whole_weights
from plotsim_core.numerics.random import words
from plotsim_core.numerics.rhythm import place_shares
from plotsim_core.plan.plan import ColumnPlan, Population, TablePlan
from plotsim_core.tables.drawn_rows import Reach, drawn_targets, lineage
from plotsim_core.tables.estimate_sample import Sample
from plotsim_core.tables.kind import Cut, TableKind, add_kind, needs_key, numbers_in_period
from plotsim_core.tables.plain_child import OfPlainRows, chunk_of, rows_per_root
from plotsim_core.tables.timestamps import MICROSECONDS

_DAY = 86_400.0
"""Seconds."""


@add_kind
class TimedRows(TableKind, FilteredTable, Event):
    """Exactly `rows` rows in each span of the window, each with a moment: the calls of a year. They are numbered in the
    order of time, and are of no unit."""

    kind: ClassVar[str] = "plain"
    form: ClassVar[str] = "rows in time"
    section: ClassVar[Section] = "tables"
    knows: ClassVar[frozenset[Knowledge]] = frozenset({"period", "event", "key", "number"})
    is_sampled: ClassVar[bool] = False
    has_unit_rows: ClassVar[bool] = False
    has_rhythm: ClassVar[bool] = True
    is_timed: ClassVar[bool] = True

    rows: PlainRows
    """How many there are in each span."""
    rhythm: Rhythm | None = None
    """Weekdays and hours of its own; what it leaves open is the dataset's."""
    growth: Annotated[float, Field(gt=-1, le=1000, strict=True)] = 0.0
    """How many more rows there are at the end of a span than at its beginning, as a share of these: 1 is twice as many."""

    @classmethod
    def of_shape(cls, shape: Shape) -> Spelling | None:
        if shape.per or shape.root != MOMENT:
            return None
        return spelled(shape, **({"rows": shape.raw["rows"]} if "rows" in shape.raw else {}))

    @property
    def rows_per_span(self) -> int:
        return self.rows

    @property
    def row_rhythm(self) -> Rhythm | None:
        return self.rhythm

    def describe(self, dataset: Dataset) -> str:
        return f"{capitalised(plural(row_noun(self)))}, exactly {self.rows:,} in each span of the window."

    def check(self, scope: Scope) -> Iterable[Problem]:
        yield from needs_key(self)

    def cuts(self, population: Population, table: TablePlan) -> tuple[Cut, ...]:
        return ("periods",)

    def cut(self, population: Population, slice_: Slice) -> Iterator[Slice]:
        return cut_by_number(exact_rows(population, self.name), slice_, CHUNK)

    def rows_in(self, table: TablePlan, block: Block) -> Rows:
        first, stop = block.slice.rows or exact_rows(block.population, table.stream).range_of(
            block.slice.first, block.slice.stop
        )
        return kept_rows(table, _rows(table, block, range(first, stop)))

    def numbered_rows(self, table: TablePlan, block: Block, numbers: Integers) -> Rows:
        return _rows(table, block, numbers)

    def targets(self, column: ColumnPlan, table: TablePlan, rows: Rows, parent: TablePlan) -> Targets:
        """Return any rows that came before, each as likely. Rows of this table refer to lower numbers."""
        if parent.name != table.stream:
            return drawn_targets(column, table, rows, parent, _earlier(column, table, rows, parent))
        roots = reference_of(column).root_count
        stops = np.where(rows.ordinal < roots, 0, rows.ordinal)
        return drawn_targets(column, table, rows, parent, Reach(np.zeros_like(stops), stops))

    def rows_between(self, population: Population, first: int, stop: int) -> float | None:
        start, end = exact_rows(population, self.name).range_of(first, stop)
        return None if self.filter is not None else float(end - start)

    def declared_rows(self, table: TablePlan, population: Population, periods: Integers) -> Integers | None:
        return None if self.filter is not None else exact_rows(population, table.stream).counts(periods)

    def expect(self, table: TablePlan, sample: Sample) -> Floats:
        return exact_rows(sample.population, table.stream).counts(sample.periods).astype(np.float64)

    def ranks(self, table: TablePlan, rows: Rows) -> Integers:
        return rows.ordinal - exact_rows(rows.block.population, table.stream).before(rows.period)


@add_kind
class TimedChildren(OfPlainRows):
    """Rows per row of a plain table whose rows have moments, or of what belongs to one: the notes of a call. Their moment is
    that of the row they belong to.

    A row is told by its column of type id, or by the key of the row that it belongs to and its `sequence` in that.
    """

    form: ClassVar[str] = "children of rows in time"
    root: ClassVar[tuple[str, ...]] = MOMENT
    knows: ClassVar[frozenset[Knowledge]] = frozenset({"period", "event", "key", "number"})
    is_timed: ClassVar[bool] = True

    def cuts(self, population: Population, table: TablePlan) -> tuple[Cut, ...]:
        return ("periods",)

    def cut(self, population: Population, slice_: Slice) -> Iterator[Slice]:
        return cut_by_number(self._root_rows(population), slice_, chunk_of(population, self.name))

    def rows_between(self, population: Population, first: int, stop: int) -> float | None:
        is_filtered = any(step.spec.filter is not None for step in lineage(population, population.table(self.name)))
        start, end = self._root_rows(population).range_of(first, stop)
        return None if is_filtered else (end - start) * rows_per_root(population, self.name)

    def expect(self, table: TablePlan, sample: Sample) -> Floats:
        counts = self._root_rows(sample.population).counts(sample.periods)
        return counts.astype(np.float64) * rows_per_root(sample.population, self.name)

    def ranks(self, table: TablePlan, rows: Rows) -> Integers:
        block = rows.block
        ranks = numbers_in_period(rows)
        if block.slice.rows is None or not len(rows):
            return ranks
        first, _ = self._root_rows(block.population).range_of(block.slice.first, block.slice.stop)
        earlier_slice = replace(block.slice, rows=(first, block.slice.rows[0]))
        pieces = by_row(earlier_slice, 0, chunk_of(block.population, self.name))
        earlier = (
            self.rows_in(table, Block(block.population, replace(piece, first=earlier_slice.first))) for piece in pieces
        )
        count = sum(int(np.sum(part.period == block.slice.first)) for part in earlier)
        return ranks + np.where(rows.period == block.slice.first, count, 0)

    def targets(self, column: ColumnPlan, table: TablePlan, rows: Rows, parent: TablePlan) -> Targets:
        """Return any rows that came before, each as likely."""
        return drawn_targets(column, table, rows, parent, _earlier(column, table, rows, parent))

    def _root_rows(self, population: Population) -> ExactRows:
        return exact_rows(population, lineage(population, population.table(self.name))[0].stream)


def _earlier(column: ColumnPlan, table: TablePlan, rows: Rows, parent: TablePlan) -> Reach:
    """Return the plain rows with moments that come before rows: by the end of their period, and where they have moments
    before these. Rows that come with a unit have its first period."""
    block, within = rows.block, reference_of(column).within
    periods = block.units.arrival[rows.unit] if table.spec.comes_with_units else rows.period
    root_rows = exact_rows(block.population, lineage(block.population, parent)[0].stream)
    stops = root_rows.before(periods + 1)
    starts = np.zeros_like(stops) if within is None else root_rows.before(periods - within)
    return Reach(starts, stops, rows.moment if len(rows.moment) == len(rows) else None)


@lru_cache(maxsize=64)
def exact_rows(population: Population, name: str) -> ExactRows:
    """Return how the rows of a table lie in time."""
    spec = population.table(name).spec
    assert isinstance(spec, TimedRows)
    rhythm, growth = spec.rhythm, spec.growth

    def weights(periods: Integers) -> Integers:
        share = ((periods - population.first) % population.span + 0.5) / population.span
        effects = occasion_factors(population, table_occasions(population, name), periods)
        effect = 1.0 if effects is None else effects[:, 0]
        return whole_weights(_period_weights(population, rhythm, periods) * (1.0 + growth * share) * effect)

    return ExactRows(population.seed, f"rows of {name}", spec.rows, population.first, population.span, weights)


def cut_by_number(rows: ExactRows, slice_: Slice, chunk: int) -> Iterator[Slice]:
    """Cut the rows of a slice into runs of `chunk` by their numbers, each with the periods that it touches, of no unit."""
    firsts = rows.before(np.arange(slice_.first, slice_.stop + 1, dtype=np.int64))
    for start in range(int(firsts[0]), int(firsts[-1]), chunk):
        stop = min(start + chunk, int(firsts[-1]))
        first, last = (np.searchsorted(firsts, (start, stop - 1), side="right") - 1 + slice_.first).tolist()
        yield Slice(first, last + 1, 0, 0, (start, stop))


def _rows(table: TablePlan, block: Block, numbers: Integers | range) -> Rows:
    periods, shares = exact_rows(block.population, table.stream).periods_and_shares(numbers)
    numbers = np.asarray(numbers, dtype=np.int64)
    moment = _moments(block.population, table.spec.row_rhythm, periods, shares)
    return Rows(block=block, address=words(numbers), period=periods, ordinal=numbers, moment=moment)


def _moments(population: Population, declared: Rhythm | None, periods: Integers, shares: Floats) -> Moments:
    """Return when rows happen, by the share of what happens in their periods that lies before them."""
    if not len(periods):
        return np.empty(0, dtype="datetime64[us]")
    first = int(periods.min())
    all_periods = np.arange(first, int(periods.max()) + 1, dtype=np.int64)
    index = periods - first
    lengths = (population.grain.seconds(all_periods) * MICROSECONDS)[index]
    rhythm = rhythm_of(population, declared)
    if rhythm is None or population.grain.is_part_of_day:
        offsets = (lengths * shares).astype(np.int64)
    else:
        days, changes = days_of(population, rhythm, all_periods), clock_changes(population.grain, all_periods)
        offsets = place_shares(rhythm, days, index, shares, lengths, changes)
    starts = population.grain.instants(all_periods)[index]
    moments: Moments = starts + offsets.astype("timedelta64[us]")
    return moments


def _period_weights(population: Population, declared: Rhythm | None, periods: Integers) -> Floats:
    """Return how much happens in each period: by its length, its days and hours, and its season."""
    rhythm = rhythm_of(population, declared)
    if population.grain.is_within_day:
        calendar, grain = population.dataset.calendar, population.grain
        weights = np.ones(len(periods)) if rhythm is None else period_factors(calendar, grain, rhythm, periods)
    elif rhythm is None:
        starts, stops = (population.grain.civil_starts(periods + offset) for offset in (0, 1))
        weights = (stops - starts).astype(np.int64) / _DAY  # whole days, whenever clocks are changed
    else:
        weights = days_of(population, rhythm, periods).sum(axis=1)
    strengths = season_strengths(population.dataset.seasonality, population.grain, periods)
    return weights * np.maximum(1.0 + strengths, SMALLEST_FACTOR)
