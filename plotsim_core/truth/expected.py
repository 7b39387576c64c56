"""What a warehouse must hold when it has taken in everything up to and including a period."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa

from plotsim_core.engine.slice import Slice, all_units_in, blocks, full_slice
from plotsim_core.plan.plan import Plan, TablePlan
from plotsim_core.tables.batch import batch_of
from plotsim_core.tables.build import find_table
from plotsim_core.tables.dimension_state import columns_of, key_of, shown_dimension, state_rows
from plotsim_core.tables.slices import TableSlice, make


def expected_rows(plan: Plan, table: str, period: int) -> tuple[TablePlan, pa.Table]:
    """Return what a warehouse holds of a table at the end of a period, and the plan of a table with these columns.

    Of a dimension or another state, its rows as of then: of a history, the versions that have begun, with the ends that are
    known. Of a fact, an event or a snapshot, all rows that have been delivered. Of a change log, the rows that are there
    when it is applied from the beginning. Raises UsageError for an unknown table, and for a period outside the window.
    """
    table_plan = find_table(plan, table)
    full_slice(plan.population, plan.first, period + 1)
    if table_plan.spec.cadence == "change log":
        return _applied_log(plan, table_plan, full_slice(plan.population_of(table_plan), plan.first, period + 1))
    return table_plan, make(plan, TableSlice(table, plan.first, period + 1)).read_all()


def _applied_log(plan: Plan, log: TablePlan, slice_: Slice) -> tuple[TablePlan, pa.Table]:
    population = plan.population_of(log)
    if population is not plan.population:
        slice_ = all_units_in(population, slice_)
    dimension, units = shown_dimension(population, log, slice_)
    state_table = replace(dimension, columns=columns_of(dimension), key=(key_of(dimension).name,))
    last_slice = Slice(slice_.stop - 1, slice_.stop, units.unit_first, units.unit_stop)
    rows = (batch_of(state_table, state_rows(population, dimension, part)[1]) for part in blocks(population, last_slice))
    return state_table, pa.Table.from_batches(rows, state_table.schema)
