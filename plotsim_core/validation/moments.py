"""Columns of moments as checks read them: by whose clocks, and as SQL that no time zone of a session changes."""

from __future__ import annotations

from plotsim_core.config.column_source import Clock
from plotsim_core.plan.plan import ColumnPlan, Population, TablePlan
from plotsim_core.plan.sql import quoted


def moment_column(table: TablePlan, *clocks: Clock) -> ColumnPlan | None:
    """Return the first column of a table with the moments of its rows, by the first of some clocks that has one."""
    columns = [column for column in table.columns if column.spec.source.is_moment]
    return next((column for clock in clocks for column in columns if column.spec.source.clock == clock), None)


def ordered_column(population: Population, table: TablePlan) -> ColumnPlan | None:
    """Return the column of a table that says which moment is earlier: clocks that are set back do not."""
    clocks: tuple[Clock, ...] = ("utc", "dataset") if population.grain.zone is None else ("utc",)
    return moment_column(table, *clocks)


def moment_sql(column: ColumnPlan, alias: str = "") -> str:
    """Return the SQL of a moment without a zone: as clocks show it, or in UTC where the type says which moment it is."""
    name = f"{alias}{quoted(column.name)}"
    return f"make_timestamp(epoch_us({name}))" if column.spec.source.clock == "utc" else name
