"""A snapshot (`snapshot_of`): a whole dimension as it stands at the end of a period, again every day, week, month or
quarter, or once. Units that have not arrived or have left are not in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from plotsim_core.config.dataset import Dataset
from plotsim_core.config.model import Name
from plotsim_core.config.scope import Scope
from plotsim_core.config.table_kind import CadenceName, Section
from plotsim_core.config.table_shape import Shape, Spelling
from plotsim_core.engine.slice import Slice, blocks
from plotsim_core.errors import Problem
from plotsim_core.numerics.arrays import Floats
from plotsim_core.numerics.calendar import GRAINS
from plotsim_core.plan.plan import Plan, Population, TablePlan
from plotsim_core.plan.schemas import DimensionView, date_column
from plotsim_core.tables.batch import batch_of
from plotsim_core.tables.dimension_state import (
    NoColumns,
    check_dimension,
    columns_of,
    expected_members,
    key_of,
    shown_dimension,
    state_rows,
)
from plotsim_core.tables.estimate_sample import Sample
from plotsim_core.tables.kind import Cut, DerivedKind, add_kind

DATE = "snapshot_date_key"
"""The column that says at the end of which period the rows stand so."""


@add_kind
class Snapshot(DerivedKind, DimensionView):
    """A whole dimension as it stands, again and again; its columns are those of the dimension."""

    kind: ClassVar[str] = "snapshot"
    section: ClassVar[Section] = "facts"
    cadence: ClassVar[CadenceName] = "snapshot"

    snapshot_of: Name
    """The dimension that it shows."""
    every: Literal["hour", "day", "week", "month", "quarter", "once"] | None = None
    """At the end of each hour, day, week, month or quarter, or `once`, at the end of the window's first period; by
    default at the end of every period."""
    columns: NoColumns = ()
    """None, they come by themselves."""

    @classmethod
    def recognise(cls, raw: Mapping[str, Any], unit: str) -> bool:
        return "snapshot_of" in raw

    @classmethod
    def of_shape(cls, shape: Shape) -> Spelling | None:
        return Spelling(shape.raw, {}) if "snapshot_of" in shape.raw else None

    @property
    def dimension_name(self) -> str:
        return self.snapshot_of

    @property
    def interval(self) -> str | None:
        return self.every

    def key_columns(self, dataset: Dataset) -> tuple[str, ...]:
        return (DATE,)

    def time_column(self) -> str:
        return DATE

    def describe(self, dataset: Dataset) -> str:
        return f"{self.snapshot_of} as it stands at the end of {self._often(dataset)}."

    def _often(self, dataset: Dataset) -> str:
        grain = dataset.grain.noun
        return f"the first {grain}" if self.every == "once" else f"each {self.every or grain}"

    def check(self, scope: Scope) -> Iterable[Problem]:
        yield from check_dimension("snapshot_of", self.snapshot_of, lambda columns, key: {DATE} & {*columns}, scope)
        if scope.window is None or self.every is None or self.every == "once":
            return
        grain, names = scope.window.grain, list(GRAINS)
        if names.index(self.every) < names.index(grain.name):
            hint = f"{', '.join(names[names.index(grain.name) :])} or once"
            yield Problem("every", f"a period is a {grain.noun}, and nothing is known of a {self.every} in it", hint)

    def plan(self, dimension: TablePlan, dataset: Dataset) -> TablePlan:
        date, reference = date_column(DATE, "Period at whose end the row stood so.", self, dataset)
        columns, key = (date, *columns_of(dimension)), key_of(dimension).name
        return TablePlan(
            spec=self.model_copy(update={"columns": tuple(column.spec for column in columns)}),
            columns=columns,
            key=(DATE, key),
            time=DATE,
            references=(
                reference,
                (key, dimension.name, key),
                *(other for other in dimension.references if any(column.name == other[0] for column in columns)),
            ),
            description=self.description or self.describe(dataset),
            shown_table=dimension.name,
        )

    def cuts(self, population: Population, table: TablePlan) -> tuple[Cut, ...]:
        return ("periods", "units") if population.table(table.shown_table).spec.is_of_units else ("periods",)

    def batches(self, plan: Plan, table: TablePlan, slice_: Slice) -> Iterator[pa.RecordBatch]:
        population = plan.population_of(table)
        dimension, slice_ = shown_dimension(population, table, slice_)
        periods = slice_.periods[is_snapshot_due(population, self.every, slice_.periods)]
        for run in np.split(periods, np.flatnonzero(np.diff(periods) != 1) + 1):
            if len(run):
                for part in blocks(population, Slice(int(run[0]), int(run[-1]) + 1, slice_.unit_first, slice_.unit_stop)):
                    period_index, columns = state_rows(population, dimension, part)
                    dates = pa.array(population.grain.keys(part.periods)[period_index])
                    yield batch_of(table, [dates, *columns])

    def expect(self, table: TablePlan, sample: Sample) -> Floats:
        all_periods = np.arange(sample.periods[0], sample.periods[-1] + 1)
        is_due = is_snapshot_due(sample.population, self.every, all_periods)
        share = is_due[sample.periods - all_periods[0]] if len(all_periods) == len(sample.periods) else is_due.mean()
        expected_rows: Floats = expected_members(sample.population.table(table.shown_table), sample) * share
        return expected_rows


def is_snapshot_due(population: Population, interval: str | None, periods: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return at the end of which periods a snapshot is taken: the last to begin in each stretch of that length."""
    if interval == "once":
        is_first: NDArray[np.bool_] = periods == population.first
        return is_first
    if interval is None or interval == population.grain.name:
        return np.ones(len(periods), dtype=np.bool_)
    holding_period = GRAINS[interval].holding
    starts, following = population.grain.civil_starts(periods), population.grain.civil_starts(periods + 1)
    return np.asarray(holding_period(starts) != holding_period(following))
