"""A fact of whole periods (`per: period`): one row per period in which there are units; its metrics are over all of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, Literal

import numpy as np

from plotsim_core.columns.population import table_totals
from plotsim_core.columns.rows import Rows
from plotsim_core.config.absent_words import Absence, one_for_each
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.scope import Scope
from plotsim_core.config.star_schema import DATE_DIMENSION
from plotsim_core.config.table_kind import Knowledge
from plotsim_core.config.table_shape import PERIOD, Shape, Spelling, spelled
from plotsim_core.engine.block import Block
from plotsim_core.engine.slice import Slice
from plotsim_core.errors import Problem
from plotsim_core.numerics.arrays import Floats
from plotsim_core.numerics.random import words
from plotsim_core.plan.plan import Population, TablePlan
from plotsim_core.tables.estimate_sample import Sample
from plotsim_core.tables.fact import AnyFact, reference_to
from plotsim_core.tables.kind import add_kind


@add_kind
class PeriodFact(AnyFact):
    """One row per period."""

    kind: ClassVar[str] = "period"
    older: ClassVar[frozenset[str]] = frozenset({"per"})
    knows: ClassVar[frozenset[Knowledge]] = frozenset({"period", "metrics", "crowd", "key"})
    is_sampled: ClassVar[bool] = False
    has_unit_rows: ClassVar[bool] = False
    absent: ClassVar[Mapping[str, Absence]] = one_for_each("period with units", "leave it out")

    per: Literal["period"]
    """That its rows are periods."""

    @classmethod
    def recognise(cls, raw: Mapping[str, Any], unit: str) -> bool:
        return raw.get("per") == "period" and not {"row_count_driver", "parent_table"} & raw.keys()

    @classmethod
    def of_shape(cls, shape: Shape) -> Spelling | None:
        return spelled(shape, per="period") if shape.per == (PERIOD,) and not shape.is_dates else None

    def key_columns(self, dataset: Dataset) -> tuple[str, ...]:
        return (reference_to(dataset.date_dimension, self),)

    def describe(self, dataset: Dataset) -> str:
        return f"{self.measured_metrics()} over all {dataset.plural}, one row per {dataset.grain.noun}."

    def check(self, scope: Scope) -> Iterable[Problem]:
        yield from super().check(scope)
        if not self.references_to(DATE_DIMENSION):
            yield Problem("columns", f"{self.name} has rows per period, so it needs a column of type ref.{DATE_DIMENSION}")

    def cut(self, population: Population, slice_: Slice) -> Iterator[Slice]:
        """Yield all periods at once: a row is of all units, whatever the units of the slice."""
        yield Slice(slice_.first, slice_.stop, 0, 1)

    def rows_in(self, table: TablePlan, block: Block) -> Rows:
        if len(block.periods) == 0:
            return Rows(block=block, address=words(block.periods), period=block.periods)
        period = block.periods[table_totals(table, block).units > 0]
        return Rows(block=block, address=words(period), period=period)

    def expect(self, table: TablePlan, sample: Sample) -> Floats:
        return np.minimum(sample.total(sample.is_present), 1.0)
