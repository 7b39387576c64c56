"""Finding what people point at: a period by its date, a unit by its key, a row by the key it has in its table."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from plotsim_core.columns.identity import key_column, prefix
from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import fill
from plotsim_core.engine.block import block
from plotsim_core.engine.cohorts import units_by
from plotsim_core.engine.life import NEVER, ends
from plotsim_core.engine.roster import codes, select
from plotsim_core.engine.slice import CHUNK, Slice, whole
from plotsim_core.errors import UsageError
from plotsim_core.families import did_you_mean
from plotsim_core.plan.plan import ColumnPlan, Plan, TablePlan
from plotsim_core.tables.kind import KINDS

_ALIKE = 7
"""How many of a code's ten digits must agree for it to be taken for a misspelling of another."""


@dataclass(frozen=True, eq=False)
class Row:
    """One row of a table: `place` among `rows`; `unit` is its unit's place in the roster (None: it has none)."""

    table: TablePlan
    rows: Rows
    place: int
    period: int
    unit: int | None

    def value(self, column: ColumnPlan) -> pa.Scalar:
        """Return the row's value of a column, made as the table makes it."""
        return fill(column, self.table, self.rows)[self.place]


def find_period(plan: Plan, text: str) -> int:
    """Return the number of a period given as its label, a date in it, or its date key (`20230301`).

    Raises UsageError for anything else and for a period outside the window.
    """
    digits = re.fullmatch(r"(\d{4})(\d{2})(\d{2})(\d{2})?", text)
    spelled = "-".join(digits.groups()[:3]) + (f"T{digits[4]}" if digits[4] else "") if digits else text
    try:
        period = plan.grain.read(spelled)
    except ValueError:
        label = plan.grain.label(plan.first)
        raise UsageError(f"cannot read the period {text!r}; write it like {label}") from None
    whole(plan, period, period + 1)
    return period


def find_column(table: TablePlan, name: str) -> ColumnPlan:
    """Return a column of a table by name. Raises UsageError for an unknown one."""
    for column in table.columns:
        if column.name == name:
            return column
    hint = did_you_mean(name, [column.name for column in table.columns])
    raise UsageError(f"{table.name} has no column named {name!r}; {hint}")


def find_unit(plan: Plan, key: str, stop: int) -> int:
    """Return the place in the roster of the unit whose code is in `key`, of those who arrive before the period `stop`.

    Raises UsageError if there is none.

    Codes are made for all units until it is found: a second per few million units.
    """
    parts = key.split("-")
    wanted = parts[1] if len(parts) > 1 else ""
    best, likeness = "", -1
    count = units_by(plan, stop)
    for start in range(0, count, CHUNK):
        made = codes(plan, select(plan, start, min(start + CHUNK, count)))
        here = np.flatnonzero(made == wanted)
        if len(here):
            return start + int(here[0])
        width = made.dtype.itemsize // np.dtype("U1").itemsize
        digits = np.array(list(wanted.ljust(width)[:width]))
        alike = (made.view("U1").reshape(len(made), width) == digits).sum(axis=1)
        if alike.max() > likeness:
            best, likeness = str(made[alike.argmax()]), int(alike.max())
    like = "-".join([parts[0], best, *parts[2:]]) if likeness >= _ALIKE else f"{_unit_prefix(plan)}-{best}"
    hint = f"did you mean {like!r}?" if likeness >= _ALIKE else f"keys look like {like!r}"
    raise UsageError(f"no {plan.unit} has the key {key!r}; {hint}")


def find_row(plan: Plan, table: TablePlan, key: str, period: int) -> Row:
    """Return the row of a table that has `key` in a period: a unit's key for a fact, the row's own for other tables; of
    a unit with a history, the version that is valid. Raises UsageError if there is none."""
    column = _key_of(table)
    unit = find_unit(plan, key, plan.stop or period + 1) if _belongs_to_units(table) else None
    first = unit if unit is not None else 0
    part = next(iter(KINDS[table.kind].cut(plan, Slice(period, period + 1, first, first + 1))))
    rows = KINDS[table.kind].rows(table, block(plan, part))
    keys = pc.cast(fill(column, table, rows), pa.string())
    places = np.flatnonzero(np.array(keys.to_pylist(), dtype=object) == key)
    if len(places) == 0:
        why = _why(plan, unit, period, keys, key)
        raise UsageError(f"{table.name} has no row {key!r} in {plan.grain.label(period)}; {why}")
    return Row(table, rows, int(places[-1]), period, unit)


def _key_of(table: TablePlan) -> ColumnPlan:
    own = key_column(table.spec)
    return find_column(table, own.name if own is not None else table.key[0])


def _belongs_to_units(table: TablePlan) -> bool:
    made_of_others = KINDS[table.kind].batches is not None  # which their kind answers to
    return not made_of_others and table.kind not in ("date", "time", "reference", "period")


def _unit_prefix(plan: Plan) -> str:
    return next(prefix(table.spec) for table in plan.own if table.kind == "unit")


def _why(plan: Plan, unit: int | None, period: int, keys: pa.Array, key: str) -> str:
    if unit is not None:
        there = block(plan, Slice(period, period + 1, unit, unit + 1))
        arrival, last = int(there.units.arrival[0]), int(ends(there)[0])
        if period < arrival:
            return f"its {plan.unit} arrives in {plan.grain.label(arrival)}"
        if last != NEVER and period > last:
            return f"its {plan.unit} left in {plan.grain.label(last)}"
    return did_you_mean(key, keys.to_pylist()) if len(keys) else "there is none of this key"
