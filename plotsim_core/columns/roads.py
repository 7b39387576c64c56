"""The roads from a row to the row that it refers to, in the order in which they are tried: the first that leads anywhere is
taken.

| road | taken by | leads to |
| --- | --- | --- |
| `linked_targets` | rows that were made of their targets, as links of a bridge | these |
| `ancestor_targets` | detail rows, to a table above them | the row they belong to |
| `inherited_targets` | detail rows whose parent has the same reference | what their parent row refers to |
| `own_targets` | references of units and their children to their own table | a row before it |
| `foreign_targets` | references to units of another population, or their children | one that is there at the time |
| `kind_targets` | all others | what the kind of the target table says (`RowKind.targets`) |

Of a kind: a date is that of the row's period, a time that of its moment, a unit its own, a child one of its unit's, a listed
row is drawn or matched, and a row of a fact or an event is an earlier one of the same unit. A target is recomputed, never
looked up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from plotsim_core.columns.any_child import any_child
from plotsim_core.columns.row_kind import Targets, row_kind
from plotsim_core.columns.row_relations import ancestor_rows, inherited_column, parent_of
from plotsim_core.columns.rows import Rows, rows_of_all_units
from plotsim_core.columns.self_reference import self_targets
from plotsim_core.columns.source import null_mask
from plotsim_core.engine.foreign_units import drawn_units
from plotsim_core.plan.plan import ColumnPlan, TablePlan

Road = Callable[[ColumnPlan, TablePlan, Rows, TablePlan], Targets | None]
"""Function of (column, table, rows, target table) that gives None where it leads nowhere."""


def linked_targets(column: ColumnPlan, table: TablePlan, rows: Rows, parent: TablePlan) -> Targets | None:
    """Return the targets that rows bring with them."""
    return Targets(parent, *rows.targets[column.name]) if column.name in rows.targets else None


def ancestor_targets(column: ColumnPlan, table: TablePlan, rows: Rows, parent: TablePlan) -> Targets | None:
    """Return the rows that detail rows belong to, at any remove."""
    ancestor = ancestor_rows(table, rows, parent.name)
    return None if ancestor is None else Targets(parent, *ancestor)


def inherited_targets(column: ColumnPlan, table: TablePlan, rows: Rows, parent: TablePlan) -> Targets | None:
    """Return the targets of the parent rows of detail rows, by the reference of the parent table that is the same."""
    population = rows.block.population
    parent_column = inherited_column(column, table, population)
    if parent_column is None or rows.parent is None:
        return None
    targets = targets_of(parent_column, population.table(parent_of(table) or ""), rows.parent)
    return Targets(targets.table, targets.rows, targets.positions[rows.owner])


def own_targets(column: ColumnPlan, table: TablePlan, rows: Rows, parent: TablePlan) -> Targets | None:
    """Return rows before them, of units and their children that refer to their own table."""
    if parent.name != table.stream or not parent.spec.is_of_units:
        return None
    return self_targets(column, table, rows, parent, column.spec.source.root_count or 0)


def foreign_targets(column: ColumnPlan, table: TablePlan, rows: Rows, parent: TablePlan) -> Targets | None:
    """Return units of another population, or what comes with them: for each row one that is there in its period, units in
    proportion to size."""
    other = rows.block.population.population_of(parent)
    if other is rows.block.population:
        return None
    if not parent.spec.is_unit_dimension:
        return any_child(column, table, rows, parent, "any")
    streams = partial(rows.stream, table, column)
    parent_rows = rows_of_all_units(other, rows.block.slice.stop)
    return Targets(parent, parent_rows, drawn_units(other, rows.period, streams, rows.address))


def kind_targets(column: ColumnPlan, table: TablePlan, rows: Rows, parent: TablePlan) -> Targets:
    """Return the targets that the kind of the target table gives."""
    return row_kind(parent).targets(column, table, rows, parent)


ROADS: tuple[Road, ...] = (linked_targets, ancestor_targets, inherited_targets, own_targets, foreign_targets, kind_targets)


def targets_of(column: ColumnPlan, table: TablePlan, rows: Rows) -> Targets:
    """Return the targets of rows by a `ref` column; none for rows in which the config makes it null."""
    targets, is_null = targets_before_nulls(column, table, rows), null_mask(column, table, rows)
    return targets if is_null is None else replace(targets, positions=np.where(is_null, -1, targets.positions))


def targets_before_nulls(column: ColumnPlan, table: TablePlan, rows: Rows) -> Targets:
    """Return the targets of rows by a `ref` column without the nulls that the config asks for."""
    return rows.cached(("referred", table.name, column.name), partial(_followed, column, table, rows))


def _followed(column: ColumnPlan, table: TablePlan, rows: Rows) -> Targets:
    """Return the targets at the end of the first road that leads anywhere."""
    parent = rows.block.population.table(column.spec.source.target_name or "")
    roads = (road(column, table, rows, parent) for road in ROADS)
    return next(targets for targets in roads if targets is not None)
