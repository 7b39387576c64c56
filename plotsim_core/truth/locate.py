"""Finding what people point at: a period by its date, a unit by its key, a row by the key it has in its table."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from plotsim_core.arrow import ArrowArray
from plotsim_core.columns.primary_key import key_column, prefix
from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import fill
from plotsim_core.engine.block import block
from plotsim_core.engine.cohorts import units_by
from plotsim_core.engine.lifetimes import NEVER, ends
from plotsim_core.engine.roster import codes, select
from plotsim_core.engine.slice import CHUNK, Slice, full_slice
from plotsim_core.errors import UsageError
from plotsim_core.families import did_you_mean
from plotsim_core.plan.plan import ColumnPlan, Population, TablePlan
from plotsim_core.tables.kind import table_kind

_ALIKE = 7
"""How many of a code's ten digits must agree for it to be taken for a misspelling of another."""


@dataclass(frozen=True, eq=False)
class Row:
    """One row of a table: `position` among `rows`; `unit` is its unit's place in the roster (None: it has none)."""

    table: TablePlan
    rows: Rows
    position: int
    period: int
    unit: int | None

    def value(self, column: ColumnPlan) -> pa.Scalar[Any]:
        """Return the row's value of a column, made as the table makes it."""
        scalar: pa.Scalar[Any] = fill(column, self.table, self.rows)[self.position]
        return scalar


def find_period(population: Population, text: str) -> int:
    """Return the number of a period given as its label, a date in it, or its date key (`20230301`).

    Raises UsageError for anything else and for a period outside the window.
    """
    digits = re.fullmatch(r"(\d{4})(\d{2})(\d{2})(\d{2})?", text)
    iso_text = "-".join(digits.groups()[:3]) + (f"T{digits[4]}" if digits[4] else "") if digits else text
    try:
        period = population.grain.read(iso_text)
    except ValueError:
        label = population.grain.label(population.first)
        raise UsageError(f"cannot read the period {text!r}; write it like {label}") from None
    full_slice(population, period, period + 1)
    return period


def find_column(table: TablePlan, name: str) -> ColumnPlan:
    """Return a column of a table by name. Raises UsageError for an unknown one."""
    for column in table.columns:
        if column.name == name:
            return column
    hint = did_you_mean(name, [column.name for column in table.columns])
    raise UsageError(f"{table.name} has no column named {name!r}; {hint}")


def find_unit(population: Population, key: str, stop: int) -> int:
    """Return the place in the roster of the unit whose code is in `key`, of those who arrive before the period `stop`.

    Raises UsageError if there is none.

    Codes are made for all units until it is found: a second per few million units.
    """
    parts = key.split("-")
    code = parts[1] if len(parts) > 1 else ""
    best_code, best_agreement = "", -1
    count = units_by(population, stop)
    for start in range(0, count, CHUNK):
        unit_codes = codes(population, select(population, start, min(start + CHUNK, count)))
        matches = np.flatnonzero(unit_codes == code)
        if len(matches):
            return start + int(matches[0])
        width = unit_codes.dtype.itemsize // np.dtype("U1").itemsize
        digits = np.array(list(code.ljust(width)[:width]))
        agreement = (unit_codes.view("U1").reshape(len(unit_codes), width) == digits).sum(axis=1)
        if agreement.max() > best_agreement:
            best_code, best_agreement = str(unit_codes[agreement.argmax()]), int(agreement.max())
    key_start = prefix(population.dimension.spec)
    example = "-".join([parts[0], best_code, *parts[2:]]) if best_agreement >= _ALIKE else f"{key_start}-{best_code}"
    hint = f"did you mean {example!r}?" if best_agreement >= _ALIKE else f"keys look like {example!r}"
    raise UsageError(f"no {population.unit} has the key {key!r}; {hint}")


def find_row(population: Population, table: TablePlan, key: str, period: int) -> Row:
    """Return the row of a table that has `key` in a period: a unit's key for a fact, the row's own for other tables; of
    a unit with a history, the version that is valid. Raises UsageError if there is none."""
    column = _key_column(table)
    unit = find_unit(population, key, population.stop or period + 1) if table.spec.has_unit_rows else None
    first = unit if unit is not None else 0
    part = next(iter(table_kind(table).cut(population, Slice(period, period + 1, first, first + 1))))
    rows = table_kind(table).rows_in(table, block(population, part))
    keys = pc.cast(fill(column, table, rows), pa.string())
    positions = np.flatnonzero(np.array(keys.to_pylist(), dtype=object) == key)
    if len(positions) == 0:
        meant_key = _meant_key(population, table, column, key)
        reason = _absence_reason(population, unit, period, keys, "" if meant_key else key)
        raise UsageError(f"{table.name} has no row {key!r} in {population.grain.label(period)}; {meant_key}{reason}")
    return Row(table, rows, int(positions[-1]), period, unit)


def _key_column(table: TablePlan) -> ColumnPlan:
    column = key_column(table.spec)
    return find_column(table, column.name if column is not None else table.key[0])


def _meant_key(population: Population, table: TablePlan, column: ColumnPlan, key: str) -> str:
    """Return which key leads to a row of a table, where `key` looks like that of another table; empty where it does not."""
    own_table = table if column.spec.source.is_key else population.dimension
    start = key.partition("-")[0]
    if start == prefix(own_table.spec):
        return ""
    others = (other for other in population.tables if other is not own_table and key_column(other.spec) is not None)
    owner = next((other for other in others if prefix(other.spec) == start), None)
    return (
        "" if owner is None else f"that is a key of {owner.name}, and a row of {table.name} is asked for by {column.name}; "
    )


def _absence_reason(population: Population, unit: int | None, period: int, keys: ArrowArray, key: str) -> str:
    if unit is not None:
        cell = block(population, Slice(period, period + 1, unit, unit + 1))
        arrival, last = int(cell.units.arrival[0]), int(ends(cell)[0])
        if period < arrival:
            return f"its {population.unit} arrives in {population.grain.label(arrival)}"
        if last != NEVER and period > last:
            return f"its {population.unit} left in {population.grain.label(last)}"
    known_keys: list[Any] = keys.to_pylist()
    return did_you_mean(key, known_keys) if len(keys) else "there is none of this key"
