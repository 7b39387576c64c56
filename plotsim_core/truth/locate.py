"""Finding what people point at: a period by its date, a unit by its key, a row by the key it has in its table."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from plotsim_core.columns.primary_key import SurrogateKey, key_column, prefix, unit_keys
from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import fill
from plotsim_core.engine.block import Block, block
from plotsim_core.engine.cohorts import units_by
from plotsim_core.engine.lifetimes import NEVER, ends
from plotsim_core.engine.roster import codes, select
from plotsim_core.engine.silence import may_be_silent, silent
from plotsim_core.engine.slice import CHUNK, Slice, full_slice
from plotsim_core.errors import UsageError
from plotsim_core.families import did_you_mean
from plotsim_core.plan.plan import ColumnPlan, Population, TablePlan
from plotsim_core.tables.kind import table_kind

_KNOWN = 1000
"""Keys that a key which is not there is compared to."""
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

    Without a window the only period has no name: an empty text. Raises UsageError for anything else and for a period outside
    the window.
    """
    if population.dataset.window is None:
        if text:
            raise UsageError(f"{text!r} is no period: the dataset has no window; leave it out")
        return population.first
    grain = population.grain
    try:
        is_key = re.fullmatch(r"\d{8}(\d\d){0,2}", text) is not None
        period = grain.period_of_key(text[: grain.key_length].ljust(grain.key_length, "0")) if is_key else grain.read(text)
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


def find_unit(population: Population, table: TablePlan, key: str, stop: int) -> int:
    """Return the place in the roster of the unit whose code is in a `key` of a table, of those who arrive before the period
    `stop`; or of the unit whose key it is.

    Raises UsageError if there is none.

    Codes are made for all units until it is found: a second per few million units. Where keys have no codes, keys are.
    """
    if not _has_codes(table):
        return _unit_of_key(population, key, units_by(population, stop))
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


def _has_codes(table: TablePlan) -> bool:
    """Return whether the keys of a table have the codes of units in them."""
    column = key_column(table.spec)
    return column is not None and isinstance(column.source, SurrogateKey) and column.source.has_codes


def _unit_of_key(population: Population, key: str, count: int) -> int:
    example = ""
    for start in range(0, count, CHUNK):
        part = Slice(population.first, population.first + 1, start, min(start + CHUNK, count))
        keys = pc.cast(unit_keys(Block(population, part)), pa.string())
        position = pc.index(keys, pa.scalar(key)).as_py()
        if position >= 0:
            return start + int(position)
        example = example or str(keys[0])
    raise UsageError(f"no {population.unit} has the key {key!r}; keys look like {example!r}")


def find_row(population: Population, table: TablePlan, key: str, period: int) -> Row:
    """Return the row of a table that has `key` in a period: a unit's key for a fact, the row's own for other tables; of
    a unit with a history, the version that is valid. Where that tells no single row, as in a grid, the other columns of the
    table's key follow behind commas. Raises UsageError if there is none, or more than one."""
    column = _key_column(table)
    further_names = [name for name in table.key if name not in (column.name, table.time)] if column.name in table.key else []
    key, *further_keys = key.split(",") if further_names else [key]
    names_unit = population.has_units and column.spec.source.target_name == population.dimension.name
    keyed_table = population.dimension if names_unit else table
    if table.spec.has_unit_rows and not (keyed_table.spec.is_unit_dimension or _has_codes(keyed_table)):
        return _row_of_any_unit(population, table, column, [key, *further_keys], further_names, period)
    has_unit = table.spec.has_unit_rows
    unit = find_unit(population, keyed_table, key, population.stop or period + 1) if has_unit else None
    first = unit if unit is not None else 0
    known_keys: list[Any] = []
    for part in table_kind(table).cut(population, Slice(period, period + 1, first, first + 1)):
        rows = table_kind(table).rows_in(table, block(population, part))
        keys = pc.cast(fill(column, table, rows), pa.string())
        positions = np.flatnonzero(pc.equal(keys, pa.scalar(key)).to_numpy(zero_copy_only=False))
        if len(positions):
            position = _only_position(table, rows, positions, further_names, [key, *further_keys])
            return Row(table, rows, position, period, unit)
        known_keys = known_keys or keys.slice(0, _KNOWN).to_pylist()
    meant_key = _meant_key(population, table, column, key)
    reason = _absence_reason(population, unit, period, known_keys, "" if meant_key else key)
    time_text = f" in {population.grain.label(period)}" if population.dataset.window is not None else ""
    raise UsageError(f"{table.name} has no row {key!r}{time_text}; {meant_key}{reason}")


def _only_position(
    table: TablePlan, rows: Rows, positions: NDArray[np.intp], further_names: list[str], key_parts: list[str]
) -> int:
    """Return the position of the one of some rows of a key, the first of `key_parts`, whose further key columns have the
    other parts; of a table without such columns the last. Raises UsageError where that is no single row."""
    if not further_names:
        return int(positions[-1])
    key, *further_keys = key_parts
    chosen = rows.take(positions)
    columns = [pc.cast(fill(table.column(name), table, chosen), pa.string()).to_pylist() for name in further_names]
    row_keys = [",".join([key, *map(str, parts)]) for parts in zip(*columns, strict=True)]
    matches = [index for index, row_key in enumerate(row_keys) if row_key.split(",")[1:] == further_keys]
    if len(row_keys) == 1 and not further_keys:
        return int(positions[0])
    if len(matches) == 1:
        return int(positions[matches[0]])
    message = f"{table.name} has {len(row_keys)} rows of {key!r} there, told apart by {', '.join(further_names)}"
    hint = did_you_mean(",".join(key_parts), row_keys) if further_keys else f"ask for one, such as {row_keys[0]!r}"
    raise UsageError(f"{message}; {hint}")


def _row_of_any_unit(
    population: Population, table: TablePlan, column: ColumnPlan, key_parts: list[str], further_names: list[str], period: int
) -> Row:
    """Return the row of a key that does not tell its unit: the rows of the period are made until it is found."""
    kind, example, key = table_kind(table), "", key_parts[0]
    for part in kind.cut(population, full_slice(population, period, period + 1)):
        rows = kind.rows_in(table, block(population, part))
        keys = pc.cast(fill(column, table, rows), pa.string())
        positions = np.flatnonzero(np.asarray(pc.equal(keys, pa.scalar(key)).fill_null(False)))
        if len(positions):
            position = _only_position(table, rows, positions, further_names, key_parts)
            return Row(table, rows, position, period, int(rows.block.units.place[rows.unit[position]]))
        example = example or (f"; keys look like {str(keys[0])!r}" if len(keys) else "")
    raise UsageError(f"{table.name} has no row {key!r} in {population.grain.label(period)}{example}")


def _key_column(table: TablePlan) -> ColumnPlan:
    column = key_column(table.spec)
    return find_column(table, column.name if column is not None else table.key[0])


def _meant_key(population: Population, table: TablePlan, column: ColumnPlan, key: str) -> str:
    """Return which key leads to a row of a table, where `key` looks like that of another table; empty where it does not."""
    own_table = table if column.spec.source.is_key or not population.has_units else population.dimension
    start = key.partition("-")[0]
    if start == prefix(own_table.spec):
        return ""
    others = (other for other in population.tables if other is not own_table and key_column(other.spec) is not None)
    owner = next((other for other in others if prefix(other.spec) == start), None)
    return (
        "" if owner is None else f"that is a key of {owner.name}, and a row of {table.name} is asked for by {column.name}; "
    )


def _absence_reason(population: Population, unit: int | None, period: int, known_keys: list[Any], key: str) -> str:
    if unit is not None:
        cell = block(population, Slice(period, period + 1, unit, unit + 1))
        arrival, last = int(cell.units.arrival[0]), int(ends(cell)[0])
        if period < arrival:
            return f"its {population.unit} arrives in {population.grain.label(arrival)}"
        if last != NEVER and period > last:
            return f"its {population.unit} left in {population.grain.label(last)}"
        if may_be_silent(population) and silent(cell)[0, 0]:
            return f"its {population.unit} is silent then"
    return did_you_mean(key, known_keys) if known_keys else "there is none of this key"
