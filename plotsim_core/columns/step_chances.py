"""The chances of the steps of a funnel, of the rows that take them."""

from __future__ import annotations

from plotsim_core.columns.formula_values import formula_input
from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import fill
from plotsim_core.config.row_count import RowCount
from plotsim_core.numerics.arrays import Floats
from plotsim_core.plan.plan import TablePlan


def chances_of(count: RowCount, table: TablePlan, rows: Rows) -> dict[str, Floats]:
    """Return what rows of a table have in the columns that say shares of steps; NaN for null."""
    return {name: formula_input(fill(table.column(name), table, rows)) for name in count.chance_columns}
