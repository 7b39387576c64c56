"""Metrics over all units that are there, and `units`: how many there are. For rows that are of a period and no unit.

Sums are exact: values are added as integers, in units of their last decimal, so a sum does not depend on order or blocks.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa

from plotsim_core.arrow import ArrowArray
from plotsim_core.columns.primary_key import key_column
from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import ColumnSource, add_source
from plotsim_core.config.column_source import POSITION, Origin
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.model import Name
from plotsim_core.config.tables import Column, Table
from plotsim_core.engine.block import Block, block
from plotsim_core.engine.lifetimes import alive
from plotsim_core.engine.slice import blocks, full_slice
from plotsim_core.numerics.arrays import Floats, Integers
from plotsim_core.plan.plan import ColumnPlan, Population, TablePlan

_HALF = 32
"""Bits of the low half: the halves of numbers are added apart, so that no sum of 2**31 numbers overflows."""


class MetricSource(ColumnSource):
    """A source that shows values of a metric, and adds them up."""

    metric: Name
    """The metric whose values these are."""

    @abstractmethod
    def layer(self, unit_block: Block) -> Floats:
        """Return the values in a block, shape (periods, units)."""

    def layer_decimals(self, population: Population) -> int:
        """Return how many decimals values have at most."""
        return population.metrics[population.metric_index(self.metric)].spec.decimals or 0


@dataclass(frozen=True, eq=False)
class Totals:
    """Totals by period: `units` is the number of living units, `sums` has for each source the sum of its values, in
    units of their last decimal, and the number of values that are not missing."""

    units: Integers
    sums: dict[MetricSource, tuple[list[int], Integers]]


@lru_cache(maxsize=4)
def population_totals(population: Population, sources: tuple[MetricSource, ...], first: int, stop: int) -> Totals:
    """Return the totals over all units in the periods `first` to `stop`, of the values that `sources` have."""
    unit_counts = np.zeros(stop - first, dtype=np.int64)
    low_sums, high_sums, value_counts = (np.zeros((len(sources), stop - first), dtype=np.int64) for _ in range(3))
    for block_slice in blocks(population, full_slice(population, first, stop)):
        unit_block = block(population, block_slice)
        is_alive = alive(unit_block)
        periods = slice(block_slice.first - first, block_slice.stop - first)
        unit_counts[periods] += is_alive.sum(axis=1)
        for index, source in enumerate(sources):
            values = source.layer(unit_block)
            has_value = is_alive & ~np.isnan(values)
            numbers = np.rint(np.where(has_value, values, 0.0) * 10.0 ** source.layer_decimals(population)).astype(np.int64)
            low_sums[index, periods] += (numbers & ((1 << _HALF) - 1)).sum(axis=1)
            high_sums[index, periods] += (numbers >> _HALF).sum(axis=1)
            value_counts[index, periods] += has_value.sum(axis=1)
    sums = [
        [(a << _HALF) + b for a, b in zip(*halves, strict=True)]
        for halves in zip(high_sums.tolist(), low_sums.tolist(), strict=True)
    ]
    return Totals(unit_counts, {source: (sums[index], value_counts[index]) for index, source in enumerate(sources)})


def table_totals(table: TablePlan, unit_block: Block) -> Totals:
    """Return the totals over all units that the columns of a table need, in the periods of a block."""
    sources = [column.spec.source for column in table.all_columns if isinstance(column.spec.source, MetricSource)]
    block_slice = unit_block.slice
    return population_totals(unit_block.population, tuple(dict.fromkeys(sources)), block_slice.first, block_slice.stop)


def aggregate(source: MetricSource, column: ColumnPlan, table: TablePlan, rows: Rows) -> ArrowArray:
    """Return the mean of a score or index, the sum of an amount or count, over the living units of each row's period
    that have a value; null where none has."""
    unit_block, population = rows.block, rows.block.population
    spec, decimals = population.metrics[population.metric_index(source.metric)].spec, source.layer_decimals(population)
    sums, value_counts = table_totals(table, unit_block).sums[source]
    positions = (rows.period - unit_block.slice.first).tolist()
    if spec.sized:
        totals = [sums[position] if value_counts[position] else None for position in positions]
        values = [
            None if value is None else value if column.type == pa.int64() else value / 10**decimals for value in totals
        ]
        return pa.array(values, column.type)
    counts = value_counts.tolist()
    means = [round(sums[index] / (counts[index] * 10**decimals), decimals) if counts[index] else None for index in positions]
    return pa.array(means, column.type)


@add_source
class UnitCount(ColumnSource):
    """`units`: how many units there are in the period of the row."""

    word = "units"
    example = "units"
    needs = frozenset({"crowd"})
    is_measure = True

    def arrow_type(self, column: Column, dataset: Dataset) -> pa.DataType:
        return pa.int64()

    def describe(self, column: Column, table: Table, dataset: Dataset) -> str:
        return f"Number of {dataset.plural} that are there in the {dataset.grain.noun}."

    def stage_origin(self, dataset: Dataset) -> Origin | None:
        key = key_column(dataset.unit_dimension)
        return None if key is None else (POSITION[0], key.name)

    def fill(self, column: ColumnPlan, table: TablePlan, rows: Rows) -> ArrowArray:
        return pa.array(table_totals(table, rows.block).units[rows.period - rows.block.slice.first])
