"""Which rows happen: those that find, before them, what they refer to."""

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
    """Return the rows of a table that happen, in their order."""
    columns = [column for column in table.columns if looks_back(column, rows.block.plan)]
    if table.kind not in MOVING or not columns:
        return rows
    found = [referred(column, table, rows) for column in columns]
    keep = np.all([one.places >= 0 for one in found], axis=0)
    left = rows.taken(keep)
    for column, one in zip(columns, found, strict=True):
        again = Referred(one.table, one.rows, one.places[keep])
        left.kept(("referred", table.name, column.name), lambda again=again: again)  # type: ignore[misc]
    return left
