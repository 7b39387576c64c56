"""`timestamp`: when an event happened, as it is recorded; the beginning of the period for other rows. With `after: previous`
and a `wait` rows that belong to one row come one after the other (`waits.py`)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field

from plotsim_core.arrow import ArrowArray
from plotsim_core.columns.clocks import NAIVE, shown_in_dataset, shown_in_places, typed, zone_called
from plotsim_core.columns.dependencies import table_with
from plotsim_core.columns.formula_dates import as_moments
from plotsim_core.columns.formula_inputs import row_inputs
from plotsim_core.columns.formula_problems import may_have_nulls
from plotsim_core.columns.formula_steps import draw_steps
from plotsim_core.columns.row_relations import parent_of
from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import ColumnSource, add_source, fill
from plotsim_core.columns.waits import check_waits, wait_problems, waits_until
from plotsim_core.columns.zone_problems import check_place, place_problems
from plotsim_core.config.column_source import Clock, Origin
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.formula import FormulaError, names
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, Table, row_noun
from plotsim_core.config.words import phrase
from plotsim_core.engine.noised import recorded_offsets
from plotsim_core.engine.steps import Step
from plotsim_core.errors import Problem
from plotsim_core.numerics.random import key
from plotsim_core.plan.plan import ColumnPlan, TablePlan

TYPE = NAIVE


def moments(table: TablePlan, rows: Rows) -> NDArray[np.datetime64]:
    """Return the recorded moments of rows of a table, in UTC: the true moments with temporal jitter, or the starts of the
    periods of rows without moments. A detail row has the moment of its parent row."""
    population = rows.block.population
    if len(rows.moment) != len(rows):
        return population.grain.instants(rows.period)
    if population.dataset.noise.temporal_jitter == 0:
        return rows.moment
    if rows.parent is not None:
        return moments(population.table(parent_of(table) or ""), rows.parent)[rows.owner]
    starts, stops = (population.grain.instants(rows.period + offset).astype(np.int64) for offset in (0, 1))
    elapsed = rows.moment.astype("datetime64[us]").astype(np.int64) - starts
    stream = key(population.seed, "temporal jitter", table.stream)
    result = starts + recorded_offsets(population.dataset.noise, stream, rows.address, elapsed, stops - starts)
    return result.astype("datetime64[us]")


@add_source
class Timestamp(ColumnSource):
    """When an event happened, as it is recorded; the beginning of the period for other rows. With `after: previous` rows
    that belong to one row come one after the other, each a `wait` after the one before."""

    word = "timestamp"
    example = "timestamp"
    needs = frozenset({"period"})
    in_structs = True

    after: Literal["previous"] | None = None
    """What a moment comes after: that of the row before, among those that belong to the same row; of the first of them that
    of the row that they belong to."""
    wait: Annotated[str, Field(min_length=1)] | None = None
    """How long after it, a formula that gives a span of time, drawn for each row: `minutes(exponential(3))`. One below 0 is
    none."""
    zone: Annotated[str, Field(min_length=1)] | None = None
    """Whose clocks show the moment; those of the dataset unless it is written. A time zone (`utc`, `Europe/Berlin`): the
    column is typed with it, and says which moment it is wherever it is read. A column of the row that names one: the time of
    its place, without a zone."""

    @property
    def is_moment(self) -> bool:
        return self.after is None

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
        yield from check_waits(self.after, self.wait, column, table, scope)
        if self._place is not None:
            yield from check_place(self._place, column, table, scope)

    def problems(self, table: Table, dataset: Dataset) -> Iterable[Problem]:
        if self.wait is not None:
            yield from wait_problems(self.wait, table, dataset)
        if self._place is not None:
            yield from place_problems(self._place, table, dataset)

    def describe(self, column: Column, table: Table, dataset: Dataset) -> str:
        clocks = f" (time of its {phrase(self._place)})" if self._place else f" ({self._zone})" if self._zone else ""
        if self.wait is not None:
            return f"Moment of the {row_noun(table)}{clocks}, {self.wait} after the one before."
        if table.comes_with_units:
            return f"Start of the {dataset.grain.noun} in which the {phrase(dataset.unit)} arrived{clocks}."
        return f"Moment of the {row_noun(table)}{clocks}."

    def is_nullable(self, column: Column, dataset: Dataset) -> bool:
        if self._place is not None:
            return True
        return self.wait is not None and may_have_nulls(self.wait, table_with(self, dataset), dataset)

    def reads(self, table: Table) -> Iterable[Origin]:
        if self._place is not None:
            yield table.name, self._place
        try:
            yield from ((table.name, name) for name in (names(self.wait) if self.wait else ()))
        except FormulaError:
            return  # reported at the formula

    def fill(self, column: ColumnPlan, table: TablePlan, rows: Rows) -> ArrowArray:
        instants = self._instants(column, table, rows)
        if self._zone is not None:
            return typed(instants, self._zone)
        if self._place is not None:
            return shown_in_places(instants, fill(table.column(self._place), table, rows))
        return shown_in_dataset(instants, rows.block.population.grain)

    def _instants(self, column: ColumnPlan, table: TablePlan, rows: Rows) -> ArrowArray:
        """Return the moments in UTC."""
        if self.wait is None:
            return pa.array(moments(table, rows), TYPE)
        begins = moments(table, rows).astype("datetime64[us]").astype(np.int64)
        return as_moments(begins + waits_until(self.wait, column, table, rows))

    def row_steps(self, column: ColumnPlan, table: TablePlan, row: Rows) -> list[Step]:
        return [*self._wait_steps(column, table, row), *self._zone_steps(column, table, row)]

    def _zone_steps(self, column: ColumnPlan, table: TablePlan, row: Rows) -> list[Step]:
        zone = self._zone or row.block.population.grain.zone
        if self._place is not None:
            zone = fill(table.column(self._place), table, row)[0].as_py()
        elif zone is None:
            return []
        moment = str(self._instants(column, table, row)[0].as_py())
        return [Step("moment", moment, f"in UTC, which clocks of {zone} show")]

    def _wait_steps(self, column: ColumnPlan, table: TablePlan, row: Rows) -> list[Step]:
        if self.wait is None:
            return []
        seconds = float(waits_until(self.wait, column, table, row)[0]) / 1e6
        return [
            Step(
                "after",
                str(row.block.population.grain.local(moments(table, row))[0]),
                f"the moment of the row of {parent_of(table)} that it belongs to",
            ),
            *draw_steps(self.wait, row_inputs(self.wait, column, table, row)),
            Step("waits", seconds, "seconds of its own wait and those of the rows before it"),
        ]
