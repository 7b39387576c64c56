"""What a formula reads in rows of a table: the values of its columns, and its draws at the addresses of the rows."""

from __future__ import annotations

from plotsim_core.columns.formula_values import Inputs, inputs_of
from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import fill
from plotsim_core.config.formula import draws_of, names
from plotsim_core.plan.plan import ColumnPlan, TablePlan


def row_inputs(formula: str, column: ColumnPlan, table: TablePlan, rows: Rows) -> Inputs:
    """Return what rows have of the columns that a formula of a column reads, and its draws in them."""
    columns = {name: table.column(name) for name in names(formula)}
    values = {name: fill(other, table, rows) for name, other in columns.items()}
    decimals = {name: other.decimal_places for name, other in columns.items()}
    places = draws_of(formula)
    return inputs_of(
        values,
        decimals,
        len(rows),
        rows.block.population.dataset.calendar,
        lambda node: rows.uniforms(table, column, "draw", str(places[id(node)])),
    )
