"""Rows of cells: as many for each unit and period as a number of rows says (`row_counts.py`), with moments in the period.

Rows of one unit and period are in the order of time, and numbered in it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from functools import partial
from typing import ClassVar

import numpy as np
from scipy.special import ndtri

from plotsim_core.columns.kept_rows import kept_rows
from plotsim_core.columns.row_relations import counts_by_value, values_of_units
from plotsim_core.columns.row_targets import rows_with_targets
from plotsim_core.columns.rows import Rows, sibling_numbers
from plotsim_core.config.calendar import Rhythm
from plotsim_core.config.column_source import Origin
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.filtered import FilteredTable
from plotsim_core.config.output import Event
from plotsim_core.config.row_count import Level, RowCount, WrittenRowCount
from plotsim_core.config.scope import Scope
from plotsim_core.config.table_kind import Knowledge, Section
from plotsim_core.config.table_shape import CELL, Shape, Spelling, spelled
from plotsim_core.config.tables import Column, row_noun
from plotsim_core.config.words import capitalised, phrase, plural
from plotsim_core.engine.block import Block
from plotsim_core.engine.effects import row_effects
from plotsim_core.engine.lifetimes import recording
from plotsim_core.engine.metrics import centres, shifted_positions
from plotsim_core.engine.rhythm import event_factors
from plotsim_core.engine.roster import Units
from plotsim_core.engine.slice import CHUNK, RUN, Slice, blocks
from plotsim_core.errors import Problem
from plotsim_core.numerics.arrays import Floats, Integers
from plotsim_core.numerics.groups import sorted_within
from plotsim_core.numerics.random import fold, key, uniforms, words
from plotsim_core.plan.plan import Population, TablePlan
from plotsim_core.tables.estimate_sample import Sample
from plotsim_core.tables.fact import rows_of_cells, version_column
from plotsim_core.tables.kind import TableKind, add_kind, needs_number, sibling_key
from plotsim_core.tables.timestamps import available_lengths, check_event, moments, offsets_within

_CROWD = 8
"""How many rows a cell is taken to have at most when blocks are cut."""
_LEVELS = 15
"""How many quantiles stand for a distribution where its mean says too little."""


class CellRows(TableKind):
    """A kind of table with rows of cells, as many of each as its `row_count` says."""

    kind: ClassVar[str] = "rows of cells"
    knows: ClassVar[frozenset[Knowledge]] = frozenset({"unit", "period", "cell", "metrics", "event", "key", "number"})
    row_stage: ClassVar[str | None] = "correlated_metrics"
    is_driven: ClassVar[bool] = True
    has_moments: ClassVar[bool] = True
    has_keyed_rows: ClassVar[bool] = True
    has_rows_each_period: ClassVar[bool] = True

    @property
    def row_count(self) -> RowCount:
        raise NotImplementedError(f"{type(self).__name__} has no number of rows")

    @property
    def row_driver(self) -> tuple[str, float] | None:
        metric = self.row_count.driver
        return None if metric is None or self.row_count.deciding is not None else (metric, self.row_count.mean)

    def describe(self, dataset: Dataset) -> str:
        return f"{capitalised(plural(row_noun(self)))} of each {phrase(dataset.unit)}, {self.row_count.describe()}."

    def check(self, scope: Scope) -> Iterable[Problem]:
        yield from check_event(self, scope)
        yield from self.row_count.check(self, scope)

    def cut(self, population: Population, slice_: Slice) -> Iterator[Slice]:
        return cut_crowded(population, slice_)

    def row_factors(self, population: Population, units: Units, periods: Integers) -> Floats | None:
        metric = self.row_count.driver
        if not self.has_rhythm:
            return None
        plan = None if metric is None else population.metrics[population.metric_index(metric)]
        rhythm = event_factors(population, self.row_rhythm, plan, periods)
        effects = row_effects(population, self.name, units, periods)
        if rhythm is None:
            return effects
        return rhythm[:, None] if effects is None else rhythm[:, None] * effects

    def row_counts(self, table: TablePlan, block: Block) -> Integers:
        """Return how many rows each cell of a block has, shape (periods, units)."""
        cells = recording_cells(block)
        counts = np.zeros(block.shape, dtype=np.int64)
        counts.ravel()[cells.cell] = self._counts(table, cells)
        return counts

    def _counts(self, table: TablePlan, cells: Rows) -> Integers:
        population, units = cells.block.population, cells.block.units
        factors = self.row_factors(population, units, cells.block.periods)
        cell_factors = None if factors is None else np.broadcast_to(factors, cells.block.shape).ravel()[cells.cell]
        level = _level(cells, self.row_count.driver)

        def drawn(count: RowCount, chosen: Integers | slice) -> Integers:
            some_level = None if level is None else level.take(chosen)
            some_factors = None if cell_factors is None else cell_factors[chosen]
            return count.drawn(population.seed, table.stream, cells.address[chosen], some_level, some_factors)

        name = self.row_count.deciding
        values = partial(values_of_units, population, name or "", units)
        return counts_by_value(self.row_count, lambda: values().take(cells.unit), drawn, len(cells))

    def rows_in(self, table: TablePlan, block: Block) -> Rows:
        cells = recording_cells(block)
        return kept_rows(table, timed_rows(table, cells, self._counts(table, cells)))

    def expect(self, table: TablePlan, sample: Sample) -> Floats:
        metric = self.row_count.driver

        def expected_rows(units: Units) -> Floats:
            factors = self.row_factors(sample.population, units, sample.periods)
            is_present = sample.is_present(units).astype(np.float64)
            means = is_present if metric is None else expected_levels(metric, sample, units)
            return means if factors is None else means * factors

        return self.row_count.mean * sample.total(expected_rows)


@add_kind
class CellTable(CellRows, FilteredTable, Event):
    """Some rows per unit and period, each with a moment in the period: the orders of a customer.

    A row is told by its column of type id, or by its unit, its period and its `sequence` in that, in the order of time.
    """

    section: ClassVar[Section] = "tables"

    rows: WrittenRowCount
    """How many each unit has in a period."""
    rhythm: Rhythm | None = None
    """Weekdays and hours of its own; what it leaves open is the dataset's."""

    @classmethod
    def of_shape(cls, shape: Shape) -> Spelling | None:
        is_counted = shape.per == CELL and not shape.has_one_row_each
        return spelled(shape, rows=shape.raw.get("rows", 1)) if is_counted else None

    @property
    def row_count(self) -> RowCount:
        return self.rows

    @property
    def row_rhythm(self) -> Rhythm | None:
        return self.rhythm

    @property
    def has_rhythm(self) -> bool:  # type: ignore[override] # of a kind it is the same for all its tables
        """Whether a rhythm moves how many rows there are: those that are drawn around a mean."""
        return self.rows.is_drawn

    def row_origins(self) -> Iterator[Origin]:
        yield from super().row_origins()
        if self.rows.deciding is not None:
            unit_tables = {c.source.target_name for c in self.columns if c.name in self.parent_keys} - {None}
            yield from ((str(table), self.rows.deciding) for table in unit_tables)

    def key_columns(self, dataset: Dataset) -> tuple[str, ...]:
        return sibling_key(self)

    def added_columns(self, dataset: Dataset) -> tuple[Column, ...]:
        return version_column(self, dataset)

    def check(self, scope: Scope) -> Iterable[Problem]:
        yield from needs_number(self)
        yield from self.rows.check(self, scope)


def _level(cells: Rows, driver: str | None) -> Level | None:
    """Return the true values of the metric that a number of rows follows, in some cells; None where it follows none."""
    if driver is None:
        return None
    population = cells.block.population
    metric_index = population.metric_index(driver)
    spec = population.metrics[metric_index].spec
    return Level(cells.block.correlated(metric_index).ravel()[cells.cell], spec.means[1], spec.decimals or 0)


def recording_cells(block: Block) -> Rows:
    """Return a row for each unit and period in which the unit is there and not silent."""
    return rows_of_cells(block, recording(block))


def timed_rows(table: TablePlan, cells: Rows, counts: Integers) -> Rows:
    """Return the rows of a table that happen, `counts` of each of some cells, in the order of time."""
    block = cells.block
    owner, number = sibling_numbers(counts)
    cell, address = cells.cell[owner], fold(cells.address[owner], words(number))
    share = uniforms(key(block.population.seed, "moment", table.stream), address)
    share = sorted_within(share, counts)
    period = cell // len(block.units)
    rows = Rows(
        block=block,
        address=address,
        unit=cells.unit[owner],
        period=cells.period[owner],
        cell=cell,
        ordinal=number,
        moment=moments(block, period, offsets_within(block, table, cell, share, available_lengths(block).ravel()[cell])),
    )
    return rows_with_targets(table, rows)


def expected_levels(driver: str, sample: Sample, units: Units) -> Floats:
    """Return what is expected of a metric without what is below zero, 0 for units that are not there, shape (periods,
    units)."""
    population, metric_index = sample.population, sample.population.metric_index(driver)
    metric = population.metrics[metric_index]
    all_periods = np.arange(sample.periods[0], sample.periods[-1] + 1)
    read_positions = shifted_positions(population, metric_index, units, all_periods)[sample.periods - all_periods[0]]
    centre = centres(population, metric, units, sample.periods, read_positions)
    if not metric.spec.positive:  # there are no rows where the metric is negative, whatever its mean
        scores = ndtri((np.arange(_LEVELS) + 0.5) / _LEVELS)
        centre = np.mean([np.maximum(metric.quantiles.lookup(centre, score), 0.0) for score in scores], axis=0)
    levels: Floats = sample.is_present(units) * centre
    return levels


def cut_crowded(population: Population, slice_: Slice) -> Iterator[Slice]:
    """Cut a slice so that a block has about as many rows as the blocks of other tables have cells, or fewer.

    Rows that refer to what came before need that as well, for each block anew: where rows are few, blocks are long.
    """
    crowd = max(1, math.ceil(max(_crowd(population, table) for table in population.unit_tables)))
    return blocks(population, slice_, max(1, CHUNK // min(_CROWD, crowd)), max(1, RUN // crowd))


def _crowd(population: Population, table: TablePlan) -> float:
    """Return about how many rows of a table a cell has where it has most."""
    parent, driver = table.spec.parent_name, table.spec.row_driver
    if parent is not None:
        return _crowd(population, population.table(parent)) * float(table.spec.per_row[1])
    if driver is None:
        return 1.0
    metric, scale = driver
    return float(max(population.metrics[population.metric_index(metric)].spec.means) * scale)
