"""A fact with `row_count_driver`: for each unit and period as many rows as `row_count_scale` times a metric's true value.

The number is exact where the product is whole, and rounded up or down by chance, right on average, where it is not. Rows of
one unit and period have moments, are in their order, and numbered in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from plotsim_core.columns.rows import Rows
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.model import Name
from plotsim_core.config.scope import Scope
from plotsim_core.config.table_kind import Knowledge
from plotsim_core.config.tables import row_noun
from plotsim_core.config.words import capitalised, phrase, plural
from plotsim_core.engine.block import Block
from plotsim_core.engine.lifetimes import alive
from plotsim_core.engine.slice import Slice
from plotsim_core.errors import Problem
from plotsim_core.numerics.arrays import Floats, Integers
from plotsim_core.numerics.random import key, uniforms
from plotsim_core.plan.plan import Population, TablePlan
from plotsim_core.tables.estimate_sample import Sample
from plotsim_core.tables.fact import AnyFact
from plotsim_core.tables.kind import add_kind
from plotsim_core.tables.proportional import check_driver, cut_crowded, expected_total, timed_rows
from plotsim_core.tables.timestamps import check_event

_DIGITS = 9
"""Decimals of a product that count: 1.1 x 10 is 11, whatever the last bit says."""


@add_kind
class VariableFact(AnyFact):
    """`row_count_scale` rows per unit of the metric `row_count_driver`."""

    kind: ClassVar[str] = "variable"
    knows: ClassVar[frozenset[Knowledge]] = frozenset({"unit", "period", "cell", "metrics", "event", "key"})
    row_stage: ClassVar[str | None] = "correlated_metrics"
    is_driven: ClassVar[bool] = True
    has_moments: ClassVar[bool] = True
    has_keyed_rows: ClassVar[bool] = True
    has_rows_each_period: ClassVar[bool] = True

    row_count_driver: Name
    """The metric that the number of rows follows."""
    row_count_scale: Annotated[float, Field(gt=0, le=100, strict=True)] = 1.0
    """How many rows there are per unit of the metric."""

    @classmethod
    def recognise(cls, raw: Mapping[str, Any], unit: str) -> bool:
        return "row_count_driver" in raw and "parent_table" not in raw

    @property
    def row_driver(self) -> tuple[str, float]:
        return self.row_count_driver, self.row_count_scale

    def describe(self, dataset: Dataset) -> str:
        return (
            f"{capitalised(plural(row_noun(self)))} of each {phrase(dataset.unit)}, in proportion to "
            f"{phrase(self.row_count_driver)} ({self.row_count_scale:g} for each on average)."
        )

    def check(self, scope: Scope) -> Iterable[Problem]:
        yield from check_event(self, scope)
        yield from super().check(scope)
        yield from check_driver(self.row_count_driver, "row_count_driver", self.row_count_scale, "row_count_scale", scope)

    def cut(self, population: Population, slice_: Slice) -> Iterator[Slice]:
        return cut_crowded(population, slice_)

    def row_counts(self, table: TablePlan, block: Block) -> Integers:
        """Return how many rows each cell of a block has, shape (periods, units)."""
        metric = block.population.metric_index(self.row_count_driver)
        true_values = np.round(block.correlated(metric), block.population.metrics[metric].spec.decimals or 0)
        row_means = np.round(np.maximum(true_values, 0.0) * self.row_count_scale, _DIGITS)
        counts = np.floor(row_means + uniforms(key(block.population.seed, "rows", table.stream), block.address))
        return np.where(alive(block), counts, 0.0).astype(np.int64)

    def rows_in(self, table: TablePlan, block: Block) -> Rows:
        return timed_rows(table, block, self.row_counts(table, block))

    def expect(self, table: TablePlan, sample: Sample) -> Floats:
        return self.row_count_scale * expected_total(self.row_count_driver, sample)
