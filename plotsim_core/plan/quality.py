"""What `quality` does to the plans of tables: types that change, columns that come, nulls that may be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa

from plotsim_core.config.quality import ARRIVAL, LEDGER, Issue, drifted
from plotsim_core.config.tables import Column, NoOptions
from plotsim_core.plan.plan import ColumnPlan, Plan, TablePlan

Numbered = tuple[int, Issue]
"""An issue with its number, from 1."""


def with_quality(plan: Plan) -> Plan:
    """Return a plan whose tables are as they are stored, with its issues; `clean` is the plan without them."""
    if not plan.dataset.quality:
        return plan
    issues = tuple(enumerate(plan.dataset.quality, 1))
    others = tuple(replace(other, own=_stored(other.own, issues)) for other in plan.others)
    return replace(plan, own=_stored(plan.own, issues), others=others, clean=plan)


def _stored(tables: Sequence[TablePlan], issues: Sequence[Numbered]) -> tuple[TablePlan, ...]:
    return tuple(stored(table, issues) for table in tables)


def stored(table: TablePlan, issues: Sequence[Numbered]) -> TablePlan:
    """Return the plan of a table as it is stored with issues: those of the table whose rows it shows, in columns it has."""
    names = {column.name for column in table.columns}
    own = tuple(
        (number, issue)
        for number, issue in issues
        if issue.table == table.stream and (issue.column is None or issue.column in names)
    )
    if not own:
        return table
    columns = {column.name: column for column in table.columns}
    for _, issue in own:
        if issue.issue == "late_arrival":
            says = "When a row that came late arrived (a date key); null for a row that came in time."
            columns[ARRIVAL] = added(ARRIVAL, pa.int64(), says)
        elif issue.column is not None and issue.issue != "orphaned_keys":
            columns |= _broken(columns, issue)
    return replace(table, columns=tuple(columns.values()), issues=own)


def _broken(columns: dict[str, ColumnPlan], issue: Issue) -> dict[str, ColumnPlan]:
    name = issue.column or ""
    column = columns[name]
    if issue.issue == "type_mismatch":
        says = f"{column.description} Text, since some are of another type ({LEDGER})."
        return {name: replace(column, type=pa.string(), description=says, decimals=None)}
    if issue.issue == "null_injection":
        return {name: replace(column, nullable=True, description=f"{column.description} Some were lost ({LEDGER}).")}
    new = drifted(name)
    says = f"{column.description} Some are in {new} ({LEDGER})."
    later = added(new, column.type, f"What {name} became: {column.description}")
    return {name: replace(column, nullable=True, description=says), new: later}


def added(name: str, type_: pa.DataType, says: str) -> ColumnPlan:
    """Return a column that an issue adds; no source fills it."""
    return ColumnPlan(Column(name=name, type="quality", source=NoOptions()), type_, True, says)
