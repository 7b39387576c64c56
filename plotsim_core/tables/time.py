"""A dimension of times of day (`per: time`): one row per minute, or per hour; events refer to that of their moment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, Literal

import numpy as np

from plotsim_core.columns.recorded_moments import moments
from plotsim_core.columns.row_kind import Targets
from plotsim_core.columns.rows import Rows
from plotsim_core.config.absent_words import Absence, one_for_each
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.scope import Scope
from plotsim_core.config.star_schema import TIME_DIMENSION
from plotsim_core.config.table_kind import Knowledge, Section
from plotsim_core.config.table_shape import TIME, Shape, Spelling, spelled
from plotsim_core.engine.block import Block
from plotsim_core.engine.slice import Slice, by_row
from plotsim_core.errors import Problem
from plotsim_core.numerics.arrays import Floats, Integers
from plotsim_core.numerics.random import words
from plotsim_core.plan.plan import ColumnPlan, Population, TablePlan
from plotsim_core.tables.estimate_sample import Sample
from plotsim_core.tables.kind import Cut, TableKind, add_kind, needs_key

_MINUTES = {"minute": 1, "hour": 60}
NAME = TIME_DIMENSION


@add_kind
class TimeDimension(TableKind):
    """The times of a day, `every` minute or hour of it; its key is a number, HHMM."""

    kind: ClassVar[str] = "time"
    older: ClassVar[frozenset[str]] = frozenset({"per"})
    section: ClassVar[Section] = "dimensions"
    is_dimension: ClassVar[bool] = True
    knows: ClassVar[frozenset[Knowledge]] = frozenset({"calendar", "key"})
    is_time_dimension: ClassVar[bool] = True
    is_state: ClassVar[bool] = True
    is_constant: ClassVar[bool] = True
    is_sampled: ClassVar[bool] = False
    has_unit_rows: ClassVar[bool] = False
    absent: ClassVar[Mapping[str, Absence]] = one_for_each(
        "time of a day", "keep some of the rows that refer to it, by their `where`"
    )

    per: Literal["time"]
    """That its rows are times of day."""
    every: Literal["minute", "hour"] = "minute"
    """The times of a day, `every` minute or hour of it."""

    @classmethod
    def recognise(cls, raw: Mapping[str, Any], unit: str) -> bool:
        return raw.get("per") == "time"

    @classmethod
    def of_shape(cls, shape: Shape) -> Spelling | None:
        return spelled(shape, per="time") if shape.per == (TIME,) else None

    def describe(self, dataset: Dataset) -> str:
        return f"Times of a day, one row per {self.every}."

    def check(self, scope: Scope) -> Iterable[Problem]:
        yield from needs_key(self)
        if self.name != NAME:
            yield Problem("name", f"the dimension of times is called {NAME}, found {self.name}")
        if self.every == "hour":
            for number, column in enumerate(self.columns):
                if column.name == "minute":
                    yield Problem(f"columns[{number}].name", "is 0 in every row: they are hours")

    def cuts(self, population: Population, table: TablePlan) -> tuple[Cut, ...]:
        return ("rows",)

    def cut(self, population: Population, slice_: Slice) -> Iterator[Slice]:
        return by_row(slice_, self.row_total(population))

    def row_total(self, population: Population) -> int:
        return 24 * 60 // _MINUTES[self.every]

    def declared_rows(self, table: TablePlan, population: Population, periods: Integers) -> Integers | None:
        return np.full(len(periods), self.row_total(population), dtype=np.int64)

    def rows_in(self, table: TablePlan, block: Block) -> Rows:
        return self._all_rows(block).take(np.arange(*block.slice.rows or (0, self.row_total(block.population))))

    def _all_rows(self, block: Block) -> Rows:
        minutes = np.arange(0, 24 * 60, _MINUTES[self.every], dtype=np.int64)
        return Rows(block=block, address=words(minutes), ordinal=minutes)

    def targets(self, column: ColumnPlan, table: TablePlan, rows: Rows, parent: TablePlan) -> Targets:
        """Return the times of the rows' moments; of a row without one, the time at which its period begins."""
        row_moments = rows.block.population.grain.local(moments(table, rows))
        seconds = (row_moments - row_moments.astype("datetime64[D]")).astype("timedelta64[s]").astype(np.int64)
        return Targets(parent, self._all_rows(rows.block), seconds // (60 * _MINUTES[self.every]))

    def expect(self, table: TablePlan, sample: Sample) -> Floats:
        return np.full(len(sample.periods), 24.0 * 60 / _MINUTES[self.every])
