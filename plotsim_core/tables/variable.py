"""A fact with `row_count_driver`: for each unit and period as many rows as `row_count_scale` times a metric's true value.

The number is exact where the product is whole, and rounded up or down by chance, right on average, where it is not. Rows of
one unit and period have moments, are in their order, and numbered in it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import numpy as np
from pydantic import Field

from plotsim_core.columns.rows import Integers, Rows
from plotsim_core.config.model import Name
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import KindWords, row_noun
from plotsim_core.config.words import capitalised, phrase, plural
from plotsim_core.engine.block import Block
from plotsim_core.engine.lifetimes import alive
from plotsim_core.errors import Problem
from plotsim_core.numerics.random import Floats, key, uniforms
from plotsim_core.plan.plan import TablePlan
from plotsim_core.tables.date import key_name
from plotsim_core.tables.estimate_sample import Sample
from plotsim_core.tables.fact import AnyFact, added_columns, check_metrics, date_column
from plotsim_core.tables.kind import Kind, add_kind
from plotsim_core.tables.proportional import check_driver, cut_crowded, expected_total, timed_rows
from plotsim_core.tables.timestamps import check_event

_DIGITS = 9
"""Decimals of a product that count: 1.1 x 10 is 11, whatever the last bit says."""


class VariableFact(AnyFact):
    """`row_count_scale` rows per unit of the metric `row_count_driver`."""

    row_count_driver: Name
    row_count_scale: Annotated[float, Field(gt=0, le=100, strict=True)] = 1.0


def row_counts(table: TablePlan, block: Block) -> Integers:
    """Return how many rows each cell of a block has, shape (periods, units)."""
    spec = table.spec
    assert isinstance(spec, VariableFact)
    metric = block.population.metric_index(spec.row_count_driver)
    true_values = np.round(block.correlated(metric), block.population.metrics[metric].spec.decimals or 0)
    row_means = np.round(np.maximum(true_values, 0.0) * spec.row_count_scale, _DIGITS)
    counts = np.floor(row_means + uniforms(key(block.population.seed, "rows", table.stream), block.address))
    return np.where(alive(block), counts, 0.0).astype(np.int64)


def _rows(table: TablePlan, block: Block) -> Rows:
    return timed_rows(table, block, row_counts(table, block))


def _expect(table: TablePlan, sample: Sample) -> Floats:
    spec = table.spec
    assert isinstance(spec, VariableFact)
    return spec.row_count_scale * expected_total(spec.row_count_driver, sample)


def _check(table: VariableFact, scope: Scope) -> Iterable[Problem]:
    yield from check_event(table, scope)
    yield from check_metrics(table, scope)
    yield from check_driver(table.row_count_driver, "row_count_driver", table.row_count_scale, "row_count_scale", scope)


add_kind(
    "variable",
    KindWords(
        section="facts",
        recognise=lambda raw, unit: "row_count_driver" in raw and "parent_table" not in raw,
        model=VariableFact,
        knows=frozenset({"unit", "period", "cell", "metrics", "event", "key"}),
        key=lambda table, dataset: (key_name(table),),
        describe=lambda table, dataset: (
            f"{capitalised(plural(row_noun(table)))} of each {phrase(dataset.unit)}, in proportion to "
            f"{phrase(table.row_count_driver)} ({table.row_count_scale:g} for each on average)."
        ),
        check=_check,
        time=date_column,
        added=added_columns,
    ),
    Kind(cut_crowded, _rows, _expect, state=False, sampled=True),
)
