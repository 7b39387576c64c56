"""Metrics over all units that are there, and `units`: how many there are. For rows that are of a period and no unit.

Sums are exact: values are added as integers, in units of their last decimal, so a sum does not depend on order or blocks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa

from plotsim_core.columns.rows import Integers, Rows
from plotsim_core.columns.source import Source, add_source
from plotsim_core.config.tables import NoOptions, SourceWords
from plotsim_core.engine.block import Block, block
from plotsim_core.engine.lifetimes import alive
from plotsim_core.engine.slice import blocks, full_slice
from plotsim_core.families import Family
from plotsim_core.numerics.random import Floats
from plotsim_core.plan.plan import ColumnPlan, Population, TablePlan

LAYERS: Family[Callable[[Block, int], Floats]] = Family("layer of a metric")
"""Values in a block, shape (periods, units), by the word of a metric's column; the columns register them here."""
_EXPECTED_DECIMALS = 6
_HALF = 32
"""Bits of the low half: the halves of numbers are added apart, so that no sum of 2**31 numbers overflows."""


@dataclass(frozen=True, eq=False)
class Totals:
    """Totals by period: `units` is the number of living units, `sums` has for each (word, metric) the sum of its values, in
    units of their last decimal, and the number of values that are not missing."""

    units: Integers
    sums: dict[tuple[str, int], tuple[list[int], Integers]]


def decimals_of(population: Population, word: str, metric: int) -> int:
    """Return the number of decimals of a metric's column."""
    return _EXPECTED_DECIMALS if word == "expected" else population.metrics[metric].spec.decimals or 0


@lru_cache(maxsize=4)
def population_totals(population: Population, layer_keys: tuple[tuple[str, int], ...], first: int, stop: int) -> Totals:
    """Return the totals over all units in the periods `first` to `stop`, for layers (word, metric)."""
    unit_counts = np.zeros(stop - first, dtype=np.int64)
    low_sums, high_sums, value_counts = (np.zeros((len(layer_keys), stop - first), dtype=np.int64) for _ in range(3))
    for block_slice in blocks(population, full_slice(population, first, stop)):
        unit_block = block(population, block_slice)
        is_alive = alive(unit_block)
        periods = slice(block_slice.first - first, block_slice.stop - first)
        unit_counts[periods] += is_alive.sum(axis=1)
        for index, (word, metric) in enumerate(layer_keys):
            values = LAYERS[word](unit_block, metric)
            has_value = is_alive & ~np.isnan(values)
            numbers = np.rint(np.where(has_value, values, 0.0) * 10.0 ** decimals_of(population, word, metric)).astype(
                np.int64
            )
            low_sums[index, periods] += (numbers & ((1 << _HALF) - 1)).sum(axis=1)
            high_sums[index, periods] += (numbers >> _HALF).sum(axis=1)
            value_counts[index, periods] += has_value.sum(axis=1)
    sums = [
        [(a << _HALF) + b for a, b in zip(*halves, strict=True)]
        for halves in zip(high_sums.tolist(), low_sums.tolist(), strict=True)
    ]
    return Totals(unit_counts, {layer_key: (sums[index], value_counts[index]) for index, layer_key in enumerate(layer_keys)})


def table_totals(table: TablePlan, unit_block: Block) -> Totals:
    """Return the totals over all units that the columns of a table need, in the periods of a block."""
    population = unit_block.population
    layer_keys = [
        (column.spec.word, population.metric_index(column.spec.type.partition(".")[2]))
        for column in table.columns
        if column.spec.word in LAYERS
    ]
    return population_totals(population, tuple(dict.fromkeys(layer_keys)), unit_block.slice.first, unit_block.slice.stop)


def aggregate(column: ColumnPlan, table: TablePlan, rows: Rows) -> pa.Array:
    """Return the mean of a score or index, the sum of an amount or count, over the living units of each row's period
    that have a value; null where none has."""
    unit_block, word = rows.block, column.spec.word
    metric = unit_block.population.metric_index(column.spec.type.partition(".")[2])
    spec, decimals = unit_block.population.metrics[metric].spec, decimals_of(unit_block.population, word, metric)
    sums, value_counts = table_totals(table, unit_block).sums[word, metric]
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


def _units(column: ColumnPlan, table: TablePlan, rows: Rows) -> pa.Array:
    return pa.array(table_totals(table, rows.block).units[rows.period - rows.block.slice.first])


add_source(
    "units",
    SourceWords(
        options=NoOptions,
        arrow=lambda options, column, dataset: pa.int64(),
        example="units",
        needs=frozenset({"crowd"}),
        describe=lambda options, column, table, dataset: (
            f"Number of {dataset.plural} that are there in the {dataset.window.grain.name}."
        ),
    ),
    Source(_units),
)
