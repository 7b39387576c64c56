"""Filter of rows by their references: a row without an earlier row to refer to does not happen."""

from __future__ import annotations

import numpy as np

from plotsim_core.columns.foreign_key import targets_of
from plotsim_core.columns.row_kind import Targets
from plotsim_core.columns.rows import Rows
from plotsim_core.plan.plan import ColumnPlan, Plan, TablePlan


def is_row_reference(column: ColumnPlan, plan: Plan) -> bool:
    """Return whether a column refers to rows of a fact or an event."""
    name = column.spec.source.target_name
    return name is not None and plan.table(name).spec.has_keyed_rows


def rows_with_targets(table: TablePlan, rows: Rows) -> Rows:
    """Return the rows of a table whose references all have a target, in their order."""
    columns = [column for column in table.columns if is_row_reference(column, rows.block.plan)]
    if not table.spec.is_driven or not columns:
        return rows
    targets = [targets_of(column, table, rows) for column in columns]
    has_targets = np.all([target.places >= 0 for target in targets], axis=0)
    result = rows.taken(has_targets)
    for column, target in zip(columns, targets, strict=True):
        remaining = Targets(target.table, target.rows, target.places[has_targets])
        result.kept(("referred", table.name, column.name), lambda remaining=remaining: remaining)  # type: ignore[misc]
    return result
