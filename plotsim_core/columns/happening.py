"""Filter of rows by their references: a row without an earlier row to refer to does not happen."""

from __future__ import annotations

import numpy as np

from plotsim_core.columns.reference import Options, Referred, referred
from plotsim_core.columns.rows import Rows
from plotsim_core.columns.sibling import EVERY_ROW, MOVING
from plotsim_core.plan.plan import ColumnPlan, Plan, TablePlan


def looks_back(column: ColumnPlan, plan: Plan) -> bool:
    """Return whether a column refers to rows of a fact or an event."""
    options = column.spec.source
    return isinstance(options, Options) and plan.table(options.table).kind in EVERY_ROW


def happening(table: TablePlan, rows: Rows) -> Rows:
    """Return the rows of a table whose references all have a target, in their order."""
    columns = [column for column in table.columns if looks_back(column, rows.block.plan)]
    if table.kind not in MOVING or not columns:
        return rows
    targets = [referred(column, table, rows) for column in columns]
    has_targets = np.all([target.places >= 0 for target in targets], axis=0)
    result = rows.taken(has_targets)
    for column, target in zip(columns, targets, strict=True):
        remaining = Referred(target.table, target.rows, target.places[has_targets])
        result.kept(("referred", table.name, column.name), lambda remaining=remaining: remaining)  # type: ignore[misc]
    return result
