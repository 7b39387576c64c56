"""A proportional event: as many rows per unit and period as a Poisson draw around `scale` times a metric's true value.

Rows of one unit and period are in the order of time, and numbered in it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field
from scipy.special import ndtri

from plotsim_core.columns.row_targets import rows_with_targets
from plotsim_core.columns.rows import Rows, sibling_numbers
from plotsim_core.config.calendar import Rhythm
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.model import Name
from plotsim_core.config.output import Event
from plotsim_core.config.scope import Scope
from plotsim_core.config.table_kind import Knowledge, Section
from plotsim_core.config.tables import Column, row_noun
from plotsim_core.config.words import capitalised, phrase, plural
from plotsim_core.engine.block import Block
from plotsim_core.engine.lifetimes import alive
from plotsim_core.engine.metrics import centres, shifted_positions
from plotsim_core.engine.rhythm import event_factors
from plotsim_core.engine.roster import Units
from plotsim_core.engine.slice import CHUNK, Slice, blocks
from plotsim_core.errors import Problem, value_text
from plotsim_core.numerics.arrays import Floats, Integers
from plotsim_core.numerics.quantiles import quantile_table
from plotsim_core.numerics.random import fold, key, normals, uniforms, words
from plotsim_core.plan.plan import Population, TablePlan
from plotsim_core.tables.estimate_sample import Sample
from plotsim_core.tables.fact import version_column
from plotsim_core.tables.kind import TableKind, add_kind
from plotsim_core.tables.timestamps import available_lengths, check_event, moments, offsets_within

_CROWD = 8
"""How many rows a cell is taken to have at most when blocks are cut."""
_LEVELS = 15
"""How many quantiles stand for a distribution where its mean says too little."""


_MOST = 1_000_000


@add_kind
class ProportionalEvent(TableKind, Event):
    """`scale` rows per unit of the metric `driver`, on average."""

    kind: ClassVar[str] = "proportional"
    section: ClassVar[Section] = "events"
    knows: ClassVar[frozenset[Knowledge]] = frozenset({"unit", "period", "cell", "metrics", "event", "key"})
    row_stage: ClassVar[str | None] = "correlated_metrics"
    is_driven: ClassVar[bool] = True
    has_rhythm: ClassVar[bool] = True
    has_moments: ClassVar[bool] = True
    has_keyed_rows: ClassVar[bool] = True
    has_rows_each_period: ClassVar[bool] = True

    trigger: Literal["proportional"]
    """What makes it happen."""
    driver: Name
    """The metric that the number of rows follows."""
    scale: Annotated[float, Field(gt=0, le=100, strict=True)] = 1.0
    """How many rows there are per unit of the driver, on average."""
    rhythm: Rhythm | None = None
    """Weekdays and hours of its own; what it leaves open is the dataset's."""

    @classmethod
    def recognise(cls, raw: Mapping[str, Any], unit: str) -> bool:
        return raw.get("trigger") == "proportional"

    @property
    def row_driver(self) -> tuple[str, float]:
        return self.driver, self.scale

    @property
    def row_rhythm(self) -> Rhythm | None:
        return self.rhythm

    def added_columns(self, dataset: Dataset) -> tuple[Column, ...]:
        return version_column(self, dataset)

    def describe(self, dataset: Dataset) -> str:
        return (
            f"{capitalised(plural(row_noun(self)))} of each {phrase(dataset.unit)}, in proportion to "
            f"{phrase(self.driver)} ({self.scale:g} for each on average)."
        )

    def check(self, scope: Scope) -> Iterable[Problem]:
        yield from check_event(self, scope)
        yield from check_driver(self.driver, "driver", self.scale, "scale", scope)

    def cut(self, population: Population, slice_: Slice) -> Iterator[Slice]:
        return cut_crowded(population, slice_)

    def row_counts(self, table: TablePlan, block: Block) -> Integers:
        """Return how many rows each cell of a block has, shape (periods, units)."""
        metric = block.population.metric_index(self.driver)
        usual_mean = block.population.metrics[metric].spec.means[1] * self.scale
        poisson = quantile_table("poisson", (), None, (max(usual_mean, 1e-3), max(usual_mean, 1e-3)))
        mean = np.maximum(block.correlated(metric), 0.0) * self.scale
        factors = self.row_factors(block.population, block.periods)
        mean = mean if factors is None else mean * factors[:, None]
        counts = poisson.lookup(mean, normals(key(block.population.seed, "events", table.stream), block.address))
        return np.where(alive(block) & (mean > 0), counts, 0.0).astype(np.int64)

    def row_factors(self, population: Population, periods: Integers) -> Floats | None:
        return event_factors(population, self.rhythm, population.metrics[population.metric_index(self.driver)], periods)

    def rows_in(self, table: TablePlan, block: Block) -> Rows:
        return timed_rows(table, block, self.row_counts(table, block))

    def expect(self, table: TablePlan, sample: Sample) -> Floats:
        factors = self.row_factors(sample.population, sample.periods)
        return self.scale * expected_total(self.driver, sample) * (1.0 if factors is None else factors)


def check_driver(driver: str, path: str, scale: float, scale_path: str, scope: Scope) -> Iterable[Problem]:
    """Yield a problem if no metric is named `driver`, or if it calls for too many rows."""
    yield from scope.unknown_metric(driver, path)
    metric = scope.metrics.get(driver)
    if metric is not None and metric.means[1] * scale > _MOST:
        message = f"found about {value_text(round(metric.means[1] * scale))} at position 1"
        yield Problem(scale_path, f"expected at most {_MOST} rows per {scope.unit} and period, {message}", "make it smaller")


def timed_rows(table: TablePlan, block: Block, counts: Integers) -> Rows:
    """Return the rows of a table that happen, of the `counts` (periods, units) of each cell, in the order of time."""
    cell, number = sibling_numbers(counts.ravel())
    address = fold(block.address.ravel()[cell], words(number))
    share = uniforms(key(block.population.seed, "moment", table.stream), address)
    share = share[np.lexsort((share, cell))]
    period, unit = np.divmod(cell, len(block.units))
    rows = Rows(
        block=block,
        address=address,
        unit=unit,
        period=block.periods[period],
        cell=cell,
        ordinal=number,
        moment=moments(block, period, offsets_within(block, table, cell, share, available_lengths(block).ravel()[cell])),
    )
    return rows_with_targets(table, rows)


def expected_total(driver: str, sample: Sample) -> Floats:
    """Return what a metric adds up to over all units that have arrived, without what is below zero, shape (periods,)."""
    population, metric_index = sample.population, sample.population.metric_index(driver)
    metric = population.metrics[metric_index]
    scores = ndtri((np.arange(_LEVELS) + 0.5) / _LEVELS)

    def rows(units: Units) -> Floats:
        all_periods = np.arange(sample.periods[0], sample.periods[-1] + 1)
        read_positions = shifted_positions(population, metric_index, units, all_periods)[sample.periods - all_periods[0]]
        centre = centres(population, metric, units, sample.periods, read_positions)
        if not metric.spec.positive:  # there are no rows where the metric is negative, whatever its mean
            centre = np.mean([np.maximum(metric.quantiles.lookup(centre, score), 0.0) for score in scores], axis=0)
        return sample.is_present(units) * centre

    return sample.total(rows)


def cut_crowded(population: Population, slice_: Slice) -> Iterator[Slice]:
    """Cut a slice so that a block has about as many rows as the blocks of other tables have cells, or fewer.

    Rows that refer to what came before need that as well, for each block anew: where rows are few, blocks are long.
    """
    crowd = max(_crowd(population, table) for table in population.unit_tables)
    return blocks(population, slice_, CHUNK // min(_CROWD, max(1, math.ceil(crowd))))


def _crowd(population: Population, table: TablePlan) -> float:
    """Return about how many rows of a table a cell has where it has most."""
    parent, driver = table.spec.parent_name, table.spec.row_driver
    if parent is not None:
        return _crowd(population, population.table(parent)) * float(table.spec.per_row[1])
    if driver is None:
        return 1.0
    metric, scale = driver
    return float(max(population.metrics[population.metric_index(metric)].spec.means) * scale)
