"""A snapshot (`snapshot_of`): a whole dimension as it stands at the end of a period, again every day, week, month or
quarter, or once. Units that have not arrived or have left are not in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from plotsim_core.config.dataset import Dataset
from plotsim_core.config.model import Name
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import KindWords, Table
from plotsim_core.engine.slice import Slice, blocks
from plotsim_core.errors import Problem
from plotsim_core.numerics.calendar import GRAINS
from plotsim_core.numerics.random import Floats
from plotsim_core.plan.plan import Plan, Population, TablePlan
from plotsim_core.plan.schemas import DIMENSION_VIEWS, date_column
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
from plotsim_core.tables.kind import add_kind, derived_kind

DATE = "snapshot_date_key"
"""The column that says at the end of which period the rows stand so."""
_KINDS = ("unit", "child", "reference")


class Snapshot(Table):
    """A whole dimension as it stands, again and again; its columns are those of the dimension.

    `snapshot_of`: the dimension. `every`: at the end of each hour, day, week, month or quarter, or `once`, at the end of the
    window's first period; by default at the end of every period. `columns`: none, they come by themselves.
    """

    snapshot_of: Name
    every: Literal["hour", "day", "week", "month", "quarter", "once"] | None = None
    columns: NoColumns = ()


def is_snapshot_due(population: Population, interval: str | None, periods: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return at the end of which periods a snapshot is taken: the last to begin in each stretch of that length."""
    if interval == "once":
        return periods == population.first
    if interval is None or interval == population.grain.name:
        return np.ones(len(periods), dtype=np.bool_)
    holding_period = GRAINS[interval].holding
    starts, following = population.grain.starts(periods), population.grain.starts(periods + 1)
    return np.asarray(holding_period(starts) != holding_period(following))


def _check(table: Snapshot, scope: Scope) -> Iterable[Problem]:
    yield from check_dimension("snapshot_of", table.snapshot_of, _KINDS, lambda columns, key: {DATE} & {*columns}, scope)
    if scope.window is None or table.every is None or table.every == "once":
        return
    names = list(GRAINS)
    grain = scope.window.grain.name
    if names.index(table.every) < names.index(grain):
        grains = ", ".join(names[names.index(grain) :])
        yield Problem("every", f"a period is a {grain}, and nothing is known of a {table.every} in it", f"{grains} or once")


def _plan(table: Table, dimension: TablePlan, dataset: Dataset) -> TablePlan:
    assert isinstance(table, Snapshot)
    date, reference = date_column(DATE, "Period at whose end the row stood so.", table, dataset)
    columns, key = (date, *columns_of(dimension)), key_of(dimension).name
    return TablePlan(
        spec=table.model_copy(update={"columns": tuple(column.spec for column in columns)}),
        kind="snapshot",
        columns=columns,
        key=(DATE, key),
        time=DATE,
        references=(
            reference,
            (key, dimension.name, key),
            *(other for other in dimension.references if any(column.name == other[0] for column in columns)),
        ),
        description=table.description or f"{dimension.name} as it stands at the end of {_often(table, dataset)}.",
        of=dimension.name,
    )


def _often(table: Snapshot, dataset: Dataset) -> str:
    grain = dataset.window.grain.name
    return f"the first {grain}" if table.every == "once" else f"each {table.every or grain}"


def _batches(plan: Plan, table: TablePlan, slice_: Slice) -> Iterator[pa.RecordBatch]:
    population = plan.population_of(table)
    dimension, slice_ = shown_dimension(population, table, slice_)
    assert isinstance(table.spec, Snapshot)
    periods = slice_.periods[is_snapshot_due(population, table.spec.every, slice_.periods)]
    for run in np.split(periods, np.flatnonzero(np.diff(periods) != 1) + 1):
        if len(run):
            for part in blocks(population, Slice(int(run[0]), int(run[-1]) + 1, slice_.unit_first, slice_.unit_stop)):
                period_index, columns = state_rows(population, dimension, part)
                dates = pa.array(population.grain.keys(part.periods)[period_index])
                yield batch_of(table, [dates, *columns])


def _expect(table: TablePlan, sample: Sample) -> Floats:
    assert isinstance(table.spec, Snapshot)
    all_periods = np.arange(sample.periods[0], sample.periods[-1] + 1)
    is_due = is_snapshot_due(sample.population, table.spec.every, all_periods)
    share = is_due[sample.periods - all_periods[0]] if len(all_periods) == len(sample.periods) else is_due.mean()
    return expected_members(sample.population.table(table.of), sample) * share


add_kind(
    "snapshot",
    KindWords(
        section="facts",
        recognise=lambda raw, unit: "snapshot_of" in raw,
        model=Snapshot,
        knows=frozenset(),
        key=lambda table, dataset: (DATE,),
        describe=lambda table, dataset: f"{table.snapshot_of} as it stands.",
        check=_check,
        time=lambda table: DATE,
        of=lambda table: table.snapshot_of,
    ),
    derived_kind(_batches, _expect, state=False),
)
DIMENSION_VIEWS.add("snapshot", _plan)
