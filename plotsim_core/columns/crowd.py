"""Metrics over all units that are there, and `units`: how many there are. For rows that are of a period and no unit.

Sums are exact: values are whole numbers of their last decimal, added as integers, so no order or block shows in them.
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
from plotsim_core.engine.life import alive
from plotsim_core.engine.slice import blocks, whole
from plotsim_core.families import Family
from plotsim_core.numerics.random import Floats
from plotsim_core.plan.plan import ColumnPlan, Plan, TablePlan

LAYERS: Family[Callable[[Block, int], Floats]] = Family("layer of a metric")
"""Word of a metric's column to its values in a block, shape (periods, units); the columns make themselves known here."""
_EXPECTED_DECIMALS = 6
_HALF = 32
"""Numbers are added in two halves, so that no sum of 2**31 of them overflows."""


@dataclass(frozen=True, eq=False)
class Crowd:
    """By period: how many units are there; and for each (word, metric) the sum of its values in units of its last decimal,
    and how many are not missing."""

    units: Integers
    sums: dict[tuple[str, int], tuple[list[int], Integers]]


def decimals_of(plan: Plan, word: str, metric: int) -> int:
    """Return with how many decimals the values of a metric's column come."""
    return _EXPECTED_DECIMALS if word == "expected" else plan.metrics[metric].spec.decimals or 0


@lru_cache(maxsize=4)
def crowd(plan: Plan, wanted: tuple[tuple[str, int], ...], first: int, stop: int) -> Crowd:
    """Return what all units add up to in the periods `first` to `stop`."""
    there = np.zeros(stop - first, dtype=np.int64)
    low, high, present = (np.zeros((len(wanted), stop - first), dtype=np.int64) for _ in range(3))
    for part in blocks(plan, whole(plan, first, stop)):
        here = block(plan, part)
        living = alive(here)
        periods = slice(part.first - first, part.stop - first)
        there[periods] += living.sum(axis=1)
        for place, (word, metric) in enumerate(wanted):
            values = LAYERS[word](here, metric)
            known = living & ~np.isnan(values)
            number = np.rint(np.where(known, values, 0.0) * 10.0 ** decimals_of(plan, word, metric)).astype(np.int64)
            low[place, periods] += (number & ((1 << _HALF) - 1)).sum(axis=1)
            high[place, periods] += (number >> _HALF).sum(axis=1)
            present[place, periods] += known.sum(axis=1)
    sums = [[(a << _HALF) + b for a, b in zip(*both, strict=True)] for both in zip(high.tolist(), low.tolist(), strict=True)]
    return Crowd(there, {name: (sums[place], present[place]) for place, name in enumerate(wanted)})


def crowd_of(table: TablePlan, here: Block) -> Crowd:
    """Return what the columns of a table need to know of all units, in the periods of a block."""
    plan = here.plan
    named = [(c.spec.word, plan.metric_index(c.spec.type.partition(".")[2])) for c in table.columns if c.spec.word in LAYERS]
    return crowd(plan, tuple(dict.fromkeys(named)), here.slice.first, here.slice.stop)


def over_units(column: ColumnPlan, table: TablePlan, rows: Rows) -> pa.Array:
    """Return the mean of a score or index, the sum of an amount or count, over the units that are there in each row's
    period and have a value; null where none has."""
    here, word = rows.block, column.spec.word
    metric = here.plan.metric_index(column.spec.type.partition(".")[2])
    spec, decimals = here.plan.metrics[metric].spec, decimals_of(here.plan, word, metric)
    sums, present = crowd_of(table, here).sums[word, metric]
    places = (rows.period - here.slice.first).tolist()
    if spec.sized:
        whole = [sums[place] if present[place] else None for place in places]
        made = [None if value is None else value if column.type == pa.int64() else value / 10**decimals for value in whole]
        return pa.array(made, column.type)
    counts = present.tolist()
    means = [round(sums[p] / (counts[p] * 10**decimals), decimals) if counts[p] else None for p in places]
    return pa.array(means, column.type)


def _units(column: ColumnPlan, table: TablePlan, rows: Rows) -> pa.Array:
    return pa.array(crowd_of(table, rows.block).units[rows.period - rows.block.slice.first])


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
