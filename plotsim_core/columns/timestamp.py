"""`timestamp`: when an event happened, as it is recorded; the beginning of the period for other rows; or a moment that other
ones place: a wait after one (`waits.py`), or in a span (`moments_between.py`)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import pyarrow as pa
from pydantic import Field

from plotsim_core.arrow import ArrowArray
from plotsim_core.columns.clocks import NAIVE, shown_in_dataset, shown_in_places, typed, zone_called
from plotsim_core.columns.dependencies import table_with
from plotsim_core.columns.formula_dates import as_moments
from plotsim_core.columns.moments_between import Between
from plotsim_core.columns.recorded_moments import moments
from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import ColumnSource, add_source, fill
from plotsim_core.columns.waits import PREVIOUS, Waits
from plotsim_core.columns.zone_problems import check_place, place_problems
from plotsim_core.config.column_source import Clock, Origin
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.model import Name
from plotsim_core.config.scope import Scope
from plotsim_core.config.table_kind import Knowledge
from plotsim_core.config.tables import Column, Table, row_noun
from plotsim_core.config.words import phrase
from plotsim_core.engine.steps import Step
from plotsim_core.errors import Problem
from plotsim_core.plan.plan import ColumnPlan, TablePlan

TYPE = NAIVE


@add_source
class Timestamp(ColumnSource):
    """When an event happened, as it is recorded; the beginning of the period for other rows. With `after` and `wait` a
    moment that comes a while after another one, with `between` one in a span."""

    word = "timestamp"
    example = "timestamp"
    in_structs = True

    after: Name | None = None
    """What a moment comes after: that of a column of the row, a moment or a date; or `previous`, the row before among those
    that belong to the same row, and for the first of them the row that they belong to."""
    wait: Annotated[str, Field(min_length=1)] | None = None
    """How long after it: `3 days`, `2 working days`, or a formula of a span of time that is drawn for each row,
    `minutes(exponential(3))`; also one of a number before its unit, `2 + poisson(3) working days`. One below 0 is none."""
    between: tuple[Name, Name] | None = None
    """Two columns of the row, moments or dates, between which a moment lies. Those of rows that belong to one row are in the
    order of these."""

    zone: Annotated[str, Field(min_length=1)] | None = None
    """Whose clocks show the moment; those of the dataset unless it is written. A time zone (`utc`, `Europe/Berlin`): the
    column is typed with it, and says which moment it is wherever it is read. A column of the row that names one: the time of
    its place, without a zone."""

    @property
    def _placing(self) -> Waits | Between | None:
        if self.between is not None:
            return Between(*self.between)
        return None if self.after is None or self.wait is None else Waits(self.after, self.wait)

    @property
    def needed(self) -> frozenset[Knowledge]:
        return frozenset() if self.between is not None or self.after not in (None, PREVIOUS) else frozenset({"period"})

    @property
    def is_moment(self) -> bool:
        return self._placing is None

    @property
    def value_bounds(self) -> tuple[str | None, str | None]:
        return (None, None) if self._placing is None else self._placing.bounds

    @property
    def formula_texts(self) -> tuple[str, ...]:
        return () if self.after is None or self.wait is None else Waits(self.after, self.wait).formula_texts

    @property
    def clock(self) -> Clock:
        return "dataset" if self.zone is None else "utc" if self._zone is not None else "row"

    @property
    def _zone(self) -> str | None:
        """The zone that the column is typed with."""
        return None if self.zone is None else zone_called(self.zone)

    @property
    def _place(self) -> str | None:
        """The column that names the zone of each row."""
        return self.zone if self.clock == "row" else None

    def arrow_type(self, column: Column, dataset: Dataset) -> pa.DataType:
        return TYPE if self._zone is None else pa.timestamp("us", self._zone)

    def check(self, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
        if self._place is not None:
            yield from check_place(self._place, column, table, scope)
        if self.between is not None and (word := "after" if self.after else "wait" if self.wait else ""):
            yield Problem("between", f"says where moments lie, and so does `{word}`", "write one of them")
        elif self.after is not None and self.wait is None:
            yield Problem("wait", "is missing: how long after it", "wait: minutes(exponential(3))")
        elif self.wait is not None and self.after is None:
            yield Problem("wait", "has no effect without `after`", "after: previous, or after: COLUMN")
        elif self._placing is not None:
            yield from self._placing.check(column, table, scope)

    def problems(self, table: Table, dataset: Dataset) -> Iterable[Problem]:
        if self._placing is not None:
            yield from self._placing.problems(table, dataset)
        if self._place is not None:
            yield from place_problems(self._place, table, dataset)

    def describe(self, column: Column, table: Table, dataset: Dataset) -> str:
        clocks = f" (time of its {phrase(self._place)})" if self._place else f" ({self._zone})" if self._zone else ""
        if self._placing is not None:
            return f"Moment of the {row_noun(table)}{clocks}, {self._placing.statement}."
        if table.comes_with_units:
            return f"Start of the {dataset.grain.noun} in which the {phrase(dataset.unit)} arrived{clocks}."
        return f"Moment of the {row_noun(table)}{clocks}."

    def is_nullable(self, column: Column, dataset: Dataset) -> bool:
        if self._place is not None:
            return True
        return self._placing is not None and self._placing.may_have_nulls(table_with(self, dataset), dataset)

    def reads(self, table: Table) -> Iterable[Origin]:
        if self._place is not None:
            yield table.name, self._place
        yield from () if self._placing is None else ((table.name, name) for name in self._placing.inputs)

    def fill(self, column: ColumnPlan, table: TablePlan, rows: Rows) -> ArrowArray:
        instants = self._instants(column, table, rows)
        if self._zone is not None:
            return typed(instants, self._zone)
        if self._place is not None:
            return shown_in_places(instants, fill(table.column(self._place), table, rows))
        return shown_in_dataset(instants, rows.block.population.grain)

    def _instants(self, column: ColumnPlan, table: TablePlan, rows: Rows) -> ArrowArray:
        """Return the moments in UTC."""
        if self._placing is None:
            return pa.array(moments(table, rows), TYPE)
        return as_moments(self._placing.moments(column, table, rows))

    def row_steps(self, column: ColumnPlan, table: TablePlan, row: Rows) -> list[Step]:
        placing_steps = [] if self._placing is None else self._placing.row_steps(column, table, row)
        return [*placing_steps, *self._zone_steps(column, table, row)]

    def _zone_steps(self, column: ColumnPlan, table: TablePlan, row: Rows) -> list[Step]:
        zone = self._zone or row.block.population.grain.zone
        if self._place is not None:
            zone = fill(table.column(self._place), table, row)[0].as_py()
        elif zone is None:
            return []
        moment = str(self._instants(column, table, row)[0].as_py())
        return [Step("moment", moment, f"in UTC, which clocks of {zone} show")]
