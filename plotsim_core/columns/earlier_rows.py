"""References to earlier rows of the same unit: a return to its order.

Rows of facts and events that have a moment refer to earlier rows of the same unit, in their own period or the `within`
periods before it, all equally likely. A row without one does not happen; the others keep their numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from plotsim_core.columns.primary_key import key_column, lacks_key
from plotsim_core.columns.row_relations import earlier_rows
from plotsim_core.columns.rows import Rows
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, Table
from plotsim_core.errors import Problem
from plotsim_core.numerics.arrays import Integers
from plotsim_core.plan.plan import ColumnPlan, TablePlan

WITHIN = 3
"""Default number of periods that a reference looks back."""
WAY_OUT = "plain rows, units and their children can refer to rows of their own table"
"""What can be done where rows of a table cannot refer to each other."""


def earlier_targets(column: ColumnPlan, table: TablePlan, rows: Rows, parent: TablePlan) -> tuple[Rows, Integers]:
    """Return rows of `parent`, and the position in them of an earlier row for each row; -1 where there is none."""
    candidates, order, starts, counts = earlier_rows(rows, parent.name, column.spec.source.look_back or 0)
    indexes = starts + rows.choose(table, column, counts)
    return candidates, np.where(counts > 0, order[np.minimum(indexes, len(order) - 1)] if len(order) else -1, -1)


def is_row(name: str, scope: Scope) -> bool:
    """Return whether a table's rows are facts or events, not members of a dimension."""
    declared = scope.tables.get(name)
    return declared is not None and not declared.is_dimension and not declared.path.startswith("bridges")


def ancestors(table: Table, scope: Scope) -> list[str]:
    """Return the names of the ancestor tables of a detail table, its parent first."""
    names: list[str] = []
    current: Table | None = table
    while current is not None and (name := current.parent_name) is not None and name not in names:
        names.append(name)
        declared = scope.tables.get(name)
        current = declared.table if declared is not None else None
    return names


def check_row_reference(target: str, within: int | None, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
    """Yield the problems of a reference to a row of a fact or an event."""
    declared = scope.tables[target]
    if declared.table is None:
        return
    if declared.table is table:
        yield Problem("type", f"{table.name} refers to itself", WAY_OUT)
    elif not declared.table.has_unit_rows and target not in ancestors(table, scope):
        message = f"rows of {target} are of no {scope.unit_word}, and earlier rows are those of the same {scope.unit_word}"
        yield Problem("type", message, f"let a table per {target} say what belongs to its rows")
    elif key_column(declared.table) is None:
        yield lacks_key(target)
    elif target in ancestors(table, scope):
        if within is not None:
            yield Problem("within", f"has no effect: a row of {table.name} belongs to its row of {target}")
    elif table.parent_name is not None:
        if not _in_ancestors(column, table, scope):
            message = f"a row of {table.name} refers to what its row of {table.parent_name} refers to"
            yield Problem("type", f"{message}, which is nothing in {target}", "give the parent table this column")
        elif within is not None:
            yield Problem("within", "has no effect: the parent table says it")
    elif not table.is_driven:
        message = f"rows of {table.name} do not depend on anything before them, so they cannot refer to {target}"
        yield Problem("type", message, "a fact with row_count_driver or a proportional event can")
    elif not _has_moments(declared.table, scope):
        yield Problem("type", f"rows of {target} have no moment that something could come after")
    elif table.name in _dependencies(target, scope):
        yield Problem("type", f"{target} depends on {table.name} itself, so its rows cannot come before")


def _in_ancestors(column: Column, table: Table, scope: Scope) -> bool:
    names = ancestors(table, scope)
    tables = [scope.tables[name].table for name in names if name in scope.tables]
    return any(other.type == column.type for parent in tables if parent is not None for other in parent.columns)


def _has_moments(table: Table, scope: Scope) -> bool:
    """Return whether rows have moments: of their own, or those of the rows that they belong to."""
    ancestor = scope.tables.get(ancestors(table, scope)[-1]) if table.parent_name is not None else scope.tables[table.name]
    return ancestor is not None and ancestor.kind is not None and ancestor.kind.has_moments


def _dependencies(name: str, scope: Scope) -> set[str]:
    """Return the tables that the rows of a table depend on, as parents or targets, directly or through others."""
    names: dict[str, None] = {}
    pending = [name]
    while pending:
        declared = scope.tables.get(pending.pop())
        if declared is None or declared.table is None:
            continue
        for other in _direct_dependencies(declared.table, scope):
            if other not in names:
                names[other] = None
                pending.append(other)
    return set(names)


def _direct_dependencies(table: Table, scope: Scope) -> Iterator[str]:
    yield from ancestors(table, scope)[:1]
    names = (column.source.target_name for column in table.columns)
    yield from (name for name in names if name is not None and is_row(name, scope))
