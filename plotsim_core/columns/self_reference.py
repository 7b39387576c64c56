"""References of a table to itself, which make trees: `manager_id: { type: ref.dim_employee, roots: 3 }`.

A plain row refers to one with a lower number, a unit to one that arrived before it and is there at the time, a unit's child
to another of this unit with a lower number. The first `roots` rows (of each unit's children) refer to none. Units may leave:
who referred to one that has left refers to another from then on, or to none where none is left. So a unit's reference is a
state, as of the row's time.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import numpy as np

from plotsim_core.columns.as_of import state_periods
from plotsim_core.columns.earlier_rows import WAY_OUT
from plotsim_core.columns.row_kind import Targets
from plotsim_core.columns.rows import Rows
from plotsim_core.config.tables import Table
from plotsim_core.engine.earlier_units import earlier_units
from plotsim_core.engine.foreign_units import all_units
from plotsim_core.errors import Problem
from plotsim_core.numerics.arrays import Integers
from plotsim_core.numerics.random import fold, words
from plotsim_core.plan.plan import ColumnPlan, TablePlan

ROOTS = 1
"""Default number of rows that refer to none."""


def check_self_reference(roots: int, table: Table) -> Iterable[Problem]:
    """Yield the problems of a reference of a table to itself."""
    if not table.is_dense and not table.is_of_units:
        yield Problem("type", f"{table.name} refers to itself", WAY_OUT)
        return
    row_count = table.length or table.rows_per_span or table.per_unit[1]
    if not table.is_unit_dimension and roots >= row_count:
        rows = f"{row_count} row{'s' if row_count > 1 else ''}{'' if table.is_dense else ' for each unit'}"
        message = f"no row would refer to another: {table.name} has {rows}, and the first {roots} refer to none"
        yield Problem("roots" if roots > ROOTS else "type", message)


def lower_numbers(column: ColumnPlan, table: TablePlan, rows: Rows, roots: int) -> Integers:
    """Return a number below that of each row; -1 for the first `roots`."""
    return np.where(rows.ordinal < roots, -1, rows.choose(table, column, rows.ordinal))


def self_targets(column: ColumnPlan, table: TablePlan, rows: Rows, parent: TablePlan, roots: int) -> Targets:
    """Return the rows of their own table that units or their children refer to."""
    if parent.spec.is_unit_dimension:
        return _unit_targets(column, table, rows, parent, roots)
    numbers = lower_numbers(column, table, rows, roots)
    block, ordinal = rows.block, np.maximum(numbers, 0)
    siblings = Rows(
        block=block,
        address=fold(block.units.address[rows.unit], words(ordinal)),
        unit=rows.unit,
        period=block.units.arrival[rows.unit],
        ordinal=ordinal,
    )
    return Targets(parent, siblings, np.where(numbers < 0, -1, np.arange(len(rows), dtype=np.int64)))


def _unit_targets(column: ColumnPlan, table: TablePlan, rows: Rows, parent: TablePlan, roots: int) -> Targets:
    block = rows.block
    places = earlier_units(
        block.population,
        block.slice.stop,
        block.units.place[rows.unit],
        _periods(rows),
        roots,
        partial(rows.stream, table, column),
    )
    unit, positions = np.unique(places, return_inverse=True)
    if len(unit) and unit[0] < 0:
        unit, positions = unit[1:], positions - 1
    everyone = all_units(block.population, block.slice.stop)
    units = everyone.units
    return Targets(
        parent, Rows(block=everyone, address=units.address[unit], unit=unit, period=units.arrival[unit]), positions
    )


def _periods(rows: Rows) -> Integers:
    """Return the period of which each row's reference is: its own, or that of its state."""
    if len(rows.cell) == len(rows):
        return rows.block.periods[rows.cell // len(rows.block.units)]
    return state_periods(rows)
