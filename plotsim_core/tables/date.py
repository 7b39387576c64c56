"""The date dimension (`per: period`): one row per period."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, Literal

import numpy as np

from plotsim_core.columns.row_kind import Targets
from plotsim_core.columns.rows import Rows
from plotsim_core.config.absent_words import Absence, one_for_each
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.scope import Scope
from plotsim_core.config.star_schema import DATE_DIMENSION
from plotsim_core.config.table_kind import Knowledge, Section
from plotsim_core.config.table_shape import Shape, Spelling, spelled
from plotsim_core.engine.block import Block
from plotsim_core.engine.slice import Slice
from plotsim_core.errors import Problem
from plotsim_core.numerics.arrays import Floats
from plotsim_core.numerics.random import words
from plotsim_core.plan.plan import ColumnPlan, Population, TablePlan
from plotsim_core.tables.estimate_sample import Sample
from plotsim_core.tables.kind import TableKind, add_kind, key_name, needs_key


@add_kind
class DateDimension(TableKind):
    """One row per period of the window."""

    kind: ClassVar[str] = "date"
    older: ClassVar[frozenset[str]] = frozenset({"per"})
    section: ClassVar[Section] = "dimensions"
    is_dimension: ClassVar[bool] = True
    config_key: ClassVar[str] = "window"
    knows: ClassVar[frozenset[Knowledge]] = frozenset({"period", "calendar", "key"})
    is_date_dimension: ClassVar[bool] = True
    is_sampled: ClassVar[bool] = False
    has_unit_rows: ClassVar[bool] = False
    absent: ClassVar[Mapping[str, Absence]] = one_for_each(
        "period", "keep some of the rows that refer to it, by their `where`"
    )

    per: Literal["period"]
    """That its rows are periods."""

    @classmethod
    def recognise(cls, raw: Mapping[str, Any], unit: str) -> bool:
        return raw.get("per") == "period"

    @classmethod
    def of_shape(cls, shape: Shape) -> Spelling | None:
        return spelled(shape, per="period") if shape.is_dates else None

    def time_column(self) -> str:
        return key_name(self)

    def describe(self, dataset: Dataset) -> str:
        return f"Dates of the window, one row per {dataset.grain.noun}."

    def check(self, scope: Scope) -> Iterable[Problem]:
        yield from needs_key(self)
        if self.name != DATE_DIMENSION:
            hint = "what all units together did in a period is a table without a key"
            yield Problem("name", f"the date dimension is called {DATE_DIMENSION}, found {self.name}", hint)
            return
        dates = [name for name, declared in scope.tables.items() if declared.kind and declared.kind.is_date_dimension]
        if dates and self.name != dates[0]:
            yield Problem("per", f"there is a date dimension already, {dates[0]}")

    def cut(self, population: Population, slice_: Slice) -> Iterator[Slice]:
        yield Slice(slice_.first, slice_.stop, 0, 0)

    def rows_in(self, table: TablePlan, block: Block) -> Rows:
        return Rows(block=block, address=words(block.periods), period=block.periods)

    def targets(self, column: ColumnPlan, table: TablePlan, rows: Rows, parent: TablePlan) -> Targets:
        """Return the periods of the rows."""
        first = int(rows.period.min(initial=np.iinfo(np.int64).max)) if len(rows) else 0
        periods = np.arange(first, int(rows.period.max()) + 1 if len(rows) else 0)
        return Targets(parent, Rows(block=rows.block, address=words(periods), period=periods), rows.period - first)

    def expect(self, table: TablePlan, sample: Sample) -> Floats:
        return np.ones(len(sample.periods))
