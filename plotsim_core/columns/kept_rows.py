"""Filter of rows by the formula of their table (`where`): a row of which it is not true does not happen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import fill, is_true
from plotsim_core.plan.plan import TablePlan


def is_kept(table: TablePlan, rows: Rows) -> NDArray[np.bool_]:
    """Return which rows of a table it keeps."""
    formula = table.spec.filter
    return np.ones(len(rows), dtype=np.bool_) if formula is None else is_true(formula, table, rows, fill)


def kept_rows(table: TablePlan, rows: Rows) -> Rows:
    """Return the rows of a table that it keeps, with the numbers that they have among all."""
    return rows if table.spec.filter is None else rows.take(is_kept(table, rows))
