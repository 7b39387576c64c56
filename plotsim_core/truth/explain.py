"""Explain: how one value of one table came to be, recomputed for its cell alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from plotsim_core.columns.primary_key import unit_keys
from plotsim_core.columns.source import ColumnSource, fill, null_mask
from plotsim_core.config.quality import DELIVERED
from plotsim_core.engine.block import Block, block
from plotsim_core.engine.slice import Slice
from plotsim_core.engine.steps import Step, unit_steps
from plotsim_core.plan.plan import ColumnPlan, Plan, TablePlan
from plotsim_core.tables.build import find_table
from plotsim_core.tables.delivery import deliveries
from plotsim_core.tables.issues import ROW, break_rows
from plotsim_core.tables.rank import with_ranks
from plotsim_core.truth.locate import Row, find_column, find_period, find_row


@dataclass(frozen=True)
class Explanation:
    """The value of one cell, as it stands in the table (None: it is missing), and the steps that led to it. Without a window
    `period` is empty."""

    table: str
    key: str
    period: str
    column: str
    value: Any
    steps: tuple[Step, ...]

    def text(self) -> str:
        """Return it for people: a line per step."""
        time_text = f" in {self.period}" if self.period else ""
        head = f"{self.table}.{self.column} of {self.key}{time_text}: {_value_text(self.value)}"
        names = ["  " * step.depth + step.name for step in self.steps]
        values = [_value_text(step.value) for step in self.steps]
        columns = max(map(len, names)), max(map(len, values))
        lines = [
            f"  {name:<{columns[0]}}  {value:<{columns[1]}}  {step.description}".rstrip()
            for name, value, step in zip(names, values, self.steps, strict=True)
        ]
        return "\n".join([head, "", *lines])


def explain(plan: Plan, table: str, key: str, period: str, column: str) -> Explanation:
    """Return how a value came to be.

    `key` is the unit's key in a fact or a stage, the row's own key in any other table; `period` a label, a date or a date
    key, or empty where there is no window. A state (a dimension) is explained as of that period. Raises UsageError for what
    does not exist.
    """
    stored_table = find_table(plan, table)
    column_plan = find_column(stored_table, column)
    clean_table, population = stored_table.clean, plan.population_of(stored_table)
    period_number = find_period(population, period)
    row = find_row(population, clean_table, key, period_number)
    source = column_plan.spec.source
    steps: list[Step] = []
    if row.unit is not None:
        cell = block(population, Slice(period_number, period_number + 1, row.unit, row.unit + 1))
        steps = unit_steps(cell, _unit_key(cell))
        steps += source.steps(cell) if isinstance(source, ColumnSource) else []
    steps += _row_steps(row, column_plan) + _null_steps(row, column_plan)
    stored_value, changes = (
        broken_steps(stored_table, clean_table, row, column) if stored_table.issues else (row.value(column_plan).as_py(), [])
    )
    steps, value = [*steps, *changes], stored_value
    description = column_plan.description or f"a column of type {column_plan.spec.type}"
    return Explanation(
        stored_table.name,
        key,
        plan.grain.label(period_number),
        column,
        value,
        (*steps, Step("value", value, f"as stored: {description}")),
    )


def _row_steps(row: Row, column: ColumnPlan) -> list[Step]:
    """Return how a value follows from the other columns of its row and from what is drawn at its address."""
    source = column.spec.source
    return (
        source.row_steps(column, row.table, row.rows.take(np.array([row.position])))
        if isinstance(source, ColumnSource)
        else []
    )


def _null_steps(row: Row, column: ColumnPlan) -> list[Step]:
    """Return what the `nulls` of a column make of the value of a row; nothing where they leave it."""
    is_null = null_mask(column, row.table, row.rows)
    if is_null is None or not is_null[row.position]:
        return []
    return [Step("nulls", None, "null, as the `nulls` of the column say")]


def broken_steps(table: TablePlan, clean: TablePlan, row: Row, column: str) -> tuple[object, list[Step]]:
    """Return a value as it is stored with the issues of its table, and what each of them did to it or to its row. Of a row
    that is delivered more than once, it is that of the last delivery."""
    rows, positions, delivered_rows = with_ranks(clean, row.rows), np.array([row.position]), None
    if table.time == DELIVERED:
        delivered_rows = deliveries(table, rows)
        rows, positions = rows.take(delivered_rows.row), np.flatnonzero(delivered_rows.row == row.position)
    values = {c.name: fill(c, clean, rows) for c in clean.columns}
    broken = break_rows(table, rows, values, delivered_rows)
    steps: list[Step] = []
    for change in broken.changes:
        for index in np.flatnonzero(np.isin(change.rows, positions)).tolist():
            if change.column in (column, ROW) or change.action == "dropped":
                message = (
                    f"broken on purpose: {change.issue}, entry {change.number} of `quality`; the row is {change.action}"
                )
                message = message.replace("the row is changed", "the value is changed").replace("held_back", "held back")
                if delivered_rows is not None:
                    message += f" in {broken.columns[DELIVERED][int(change.rows[index])]}"
                steps.append(Step("quality", change.stored_texts[index].as_py(), message))
    value = broken.columns[column][int(positions[-1])].as_py()
    clean_steps = (
        [Step("value", values[column][int(positions[-1])].as_py(), "as it would be")] if steps and column in values else []
    )
    return value, [*clean_steps, *dict.fromkeys(steps)]


def _unit_key(block: Block) -> str:
    return str(unit_keys(block)[0])


def _value_text(value: Any) -> str:
    if value is None:
        return "missing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return repr(value) if len(repr(value)) <= 10 else f"{value:.6g}"
    return str(value)
