"""Explain: how one value of one table came to be, recomputed for its cell alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from plotsim_core.columns.identity import prefix
from plotsim_core.columns.metric import Options as MetricOptions
from plotsim_core.columns.scd import Options as History
from plotsim_core.columns.source import fill
from plotsim_core.config.quality import DELIVERED
from plotsim_core.config.tables import Column
from plotsim_core.engine.block import Block, block
from plotsim_core.engine.life import ends
from plotsim_core.engine.slice import Slice
from plotsim_core.plan.plan import Plan, TablePlan
from plotsim_core.tables.build import find_table, owner
from plotsim_core.tables.delivery import deliveries
from plotsim_core.tables.quality import ROW, break_rows
from plotsim_core.tables.rank import ranked
from plotsim_core.truth.find import Row, find_column, find_period, find_row
from plotsim_core.truth.steps import (
    Step,
    centre_steps,
    history_steps,
    noise_steps,
    position_steps,
    score_steps,
    unit_steps,
)


@dataclass(frozen=True)
class Explanation:
    """The value of one cell, as it stands in the table (None: it is missing), and the steps that led to it."""

    table: str
    key: str
    period: str
    column: str
    value: Any
    steps: tuple[Step, ...]

    def text(self) -> str:
        """Return it for people: a line per step."""
        head = f"{self.table}.{self.column} of {self.key} in {self.period}: {_shown(self.value)}"
        names = ["  " * step.depth + step.name for step in self.steps]
        values = [_shown(step.value) for step in self.steps]
        columns = max(map(len, names)), max(map(len, values))
        lines = [
            f"  {name:<{columns[0]}}  {value:<{columns[1]}}  {step.says}".rstrip()
            for name, value, step in zip(names, values, self.steps, strict=True)
        ]
        return "\n".join([head, "", *lines])


def explain(plan: Plan, table: str, key: str, period: str, column: str) -> Explanation:
    """Return how a value came to be.

    `key` is the unit's key in a fact or a stage, the row's own key in any other table; `period` a label, a date or a
    date key. A state (a dimension) is explained as of that period. Raises UsageError for what does not exist.
    """
    found = find_table(plan, table)
    described = find_column(found, column)
    plan = plan.clean or plan
    clean = find_table(plan, table)
    plan = owner(plan, table)
    number = find_period(plan, period)
    row = find_row(plan, clean, key, number)
    steps: list[Step] = []
    if row.unit is not None:
        cell = block(plan, Slice(number, number + 1, row.unit, row.unit + 1))
        steps = unit_steps(cell, _unit_key(plan, cell))
        steps += STEPS.get(described.spec.word, _no_steps)(cell, described.spec)
    stored, changes = broken_steps(found, clean, row, column) if found.issues else (row.value(described).as_py(), [])
    steps, value = [*steps, *changes], stored
    says = described.description or f"a column of type {described.spec.type}"
    return Explanation(
        found.name, key, plan.grain.label(number), column, value, (*steps, Step("value", value, f"as stored: {says}"))
    )


def broken_steps(table: TablePlan, clean: TablePlan, row: Row, column: str) -> tuple[object, list[Step]]:
    """Return a value as it is stored with the issues of its table, and what each of them did to it or to its row. Of a row
    that is delivered more than once, it is that of the last delivery."""
    rows, mine, found = ranked(clean, row.rows), np.array([row.place]), None
    if table.time == DELIVERED:
        found = deliveries(table, rows)
        rows, mine = rows.taken(found.place), np.flatnonzero(found.place == row.place)
    made = {c.name: fill(c, clean, rows) for c in clean.columns}
    broken = break_rows(table, rows, made, found)
    steps: list[Step] = []
    for change in broken.changes:
        for place in np.flatnonzero(np.isin(change.rows, mine)).tolist():
            if change.column in (column, ROW) or change.action == "dropped":
                says = f"broken on purpose: {change.issue}, entry {change.number} of `quality`; the row is {change.action}"
                says = says.replace("the row is changed", "the value is changed").replace("held_back", "held back")
                if found is not None:
                    says += f" in {broken.columns[DELIVERED][int(change.rows[place])]}"
                steps.append(Step("quality", change.stored[place].as_py(), says))
    value = broken.columns[column][int(mine[-1])].as_py()
    clean_steps = [Step("value", made[column][int(mine[-1])].as_py(), "as it would be")] if steps and column in made else []
    return value, [*clean_steps, *dict.fromkeys(steps)]


def _expected(block: Block, column: Column) -> list[Step]:
    return centre_steps(block, _metric(block, column))


def _true(block: Block, column: Column) -> list[Step]:
    return _expected(block, column) + score_steps(block, _metric(block, column))


def _stored(block: Block, column: Column) -> list[Step]:
    return _true(block, column) + noise_steps(block, _metric(block, column))


def _metric(block: Block, column: Column) -> int:
    assert isinstance(column.source, MetricOptions)
    return block.plan.metric_index(column.source.metric)


def _trajectory(block: Block, column: Column) -> list[Step]:
    return position_steps(block)


def _history(cell: Block, column: Column) -> list[Step]:
    """A history stands still when its unit has left, so it is explained as of the unit's last period at the latest."""
    assert isinstance(column.source, History)
    last, first = int(ends(cell)[0]), cell.slice.unit_first
    known = block(cell.plan, Slice(last, last + 1, first, first + 1)) if last < cell.slice.first else cell
    return history_steps(known, column.source)


def _no_steps(block: Block, column: Column) -> list[Step]:
    return []


STEPS: dict[str, Callable[[Block, Column], list[Step]]] = {
    "metric": _stored,
    "true": _true,
    "expected": _expected,
    "trajectory": _trajectory,
    "scd": _history,
}
"""Word of a column to the steps that lead to its value; other words are explained by what they are."""


def _unit_key(plan: Plan, block: Block) -> str:
    dimension = next(table for table in plan.own if table.kind == "unit")
    return f"{prefix(dimension.spec)}-{block.codes[0]}"


def _shown(value: Any) -> str:
    if value is None:
        return "missing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return repr(value) if len(repr(value)) <= 10 else f"{value:.6g}"
    return str(value)
