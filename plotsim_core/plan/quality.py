"""Plans of tables with `quality` issues: changed types, added columns, columns that may have nulls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from plotsim_core.config.quality import ARRIVAL, DELIVERED, LEDGER, Issue, drift_column
from plotsim_core.config.tables import is_number
from plotsim_core.plan.plan import ColumnPlan, Population, TablePlan, made_column

Numbered = tuple[int, Issue]
"""An issue with its number, from 1."""


def first_period(population: Population, issue: Issue) -> int:
    """Return the first period of an issue."""
    if issue.since is not None:
        return population.grain.read(issue.since)
    if issue.issue == "schema_drift" and issue.period is not None:
        return population.first + issue.period
    return population.first + (population.span // 2 if issue.mode == "rename" else 0)


def stored_table(population: Population, table: TablePlan, issues: Sequence[Numbered]) -> TablePlan:
    """Return the plan of a table as stored, with the issues of the table whose rows it shows, in columns it has."""
    names = {column.name for column in table.columns}
    table_issues = tuple(
        (number, issue)
        for number, issue in issues
        if issue.table == table.stream and (issue.column is None or issue.column in names)
    )
    if not table_issues:
        return table
    columns = {column.name: column for column in table.columns}
    for _, issue in table_issues:
        if issue.issue == "late_arrival":
            description = "Date key of the period in which a row that came late arrived; null for a row that came in time."
            columns[ARRIVAL] = issue_column(ARRIVAL, pa.int64(), description)
        elif issue.column is not None and issue.issue != "orphaned_keys":
            columns |= _broken_columns(population, columns, issue)
    if not any(issue.delivers for _, issue in table_issues):
        return replace(table, columns=tuple(columns.values()), issues=table_issues, without_issues=table)
    description = "Date key of the period in which the row was delivered."
    columns[DELIVERED] = replace(issue_column(DELIVERED, pa.int64(), description), nullable=False)
    date = next(reference for reference in table.references if reference[0] == table.time)
    return replace(
        table,
        columns=tuple(columns.values()),
        key=(*table.key, DELIVERED),
        time=DELIVERED,
        references=(*table.references, (DELIVERED, *date[1:])),
        issues=table_issues,
        without_issues=table,
    )


def _broken_columns(population: Population, columns: dict[str, ColumnPlan], issue: Issue) -> dict[str, ColumnPlan]:
    name = issue.column or ""
    column = columns[name]
    if issue.issue == "type_mismatch":
        description = f"{column.description} Text, since some are of another type ({LEDGER})."
        return {name: replace(column, type=pa.string(), description=description, decimals=None)}
    if issue.issue == "restatement":
        description = f"{column.description} What is delivered first may be provisional ({LEDGER})."
        is_numeric = is_number(column.type) or pa.types.is_boolean(column.type)
        return {name: replace(column, nullable=column.nullable or not is_numeric, description=description)}
    if issue.issue == "null_injection":
        return {name: replace(column, nullable=True, description=f"{column.description} Some were lost ({LEDGER}).")}
    new_name = drift_column(name)
    description = f"{column.description} Some are in {new_name} ({LEDGER})."
    old_column = replace(column, nullable=True, description=description)
    new_column = issue_column(new_name, column.type, f"Later name of {name}: {column.description}")
    if issue.mode == "rename":
        (date,) = population.grain.keys(np.array([first_period(population, issue)], dtype=np.int64)).tolist()
        old_column, new_column = replace(old_column, stop_date_key=date), replace(new_column, first_date_key=date)
    return {name: old_column, new_name: new_column}


def issue_column(name: str, type_: pa.DataType, description: str) -> ColumnPlan:
    """Return a column that an issue adds; no source fills it."""
    return made_column(name, type_, description, word="quality", nullable=True)
