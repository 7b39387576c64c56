"""The check of levels: their values stay between the periods in which they follow their metric."""

from __future__ import annotations

import math
from collections.abc import Iterator

from plotsim_core.columns.level import Level
from plotsim_core.plan.plan import ColumnPlan, Population, TablePlan
from plotsim_core.plan.sql import quoted
from plotsim_core.validation.check import CHECKS, NO_TABLES, Check, Finding, unjudged
from plotsim_core.validation.row_counts import unit_column
from plotsim_core.validation.store import StoredData

_DEVIATIONS = 5.0
"""Standard deviations by which there may be more changes by chance than are expected."""


def _levels(population: Population, table: TablePlan) -> list[ColumnPlan]:
    """Return the levels of a table that has a row of each unit in each period."""
    is_cell_table = "cell" in table.spec.knows and table.time is not None and unit_column(population, table) is not None
    has_levels = is_cell_table and not table.shown_table and table.spec.parent_name is None
    return [c for c in table.columns if isinstance(c.spec.source, Level) and c.spec.nulls is None] if has_levels else []


def _level_tables(population: Population, table: TablePlan) -> frozenset[str] | None:
    return NO_TABLES if _levels(population, table) else None


def _findings(store: StoredData, table: TablePlan) -> Iterator[Finding]:
    unit = unit_column(store.population, table)
    for column in _levels(store.population, table):
        source, subject = column.spec.source, f"{table.name}.{column.name}"
        assert isinstance(source, Level)
        order = f"OVER (PARTITION BY {quoted(unit or '')} ORDER BY {quoted(table.time or '')})"
        value = quoted(column.name)
        sql = (
            f"SELECT count(DISTINCT u), count(*), count(*) FILTER (WHERE v <> w) FROM (SELECT {quoted(unit or '')} AS u, "
            f"{value} AS v, lag({value}) {order} AS w FROM {store.relation(table)})"
        )
        ((units, rows, changes),) = store.connection.sql(sql).fetchall()
        periods = store.stop - store.first
        chances = (source.rate or 0.0) * units * periods
        expected = units * (periods // source.every + 1) + chances
        allowed = expected + _DEVIATIONS * math.sqrt(chances)
        numbers = {"changes": float(changes), "allowed": allowed, "units": float(units), "rows": float(rows)}
        if not rows or expected >= rows:
            yield unjudged(subject, "too few periods in a row", numbers)
        else:
            message = f"{changes:,} changes of {units:,} units, {allowed:,.0f} at most expected"
            yield Finding(subject, changes <= allowed, message, numbers)


CHECKS.add(
    "levels_stay",
    Check("values", "Values that last change as often as declared, and stay in between.", False, _findings, _level_tables),
)
