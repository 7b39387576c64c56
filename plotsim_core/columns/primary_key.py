"""`id`: the surrogate key of a row, computed from the row's identity, not from a counter.

A unit's key is a prefix and the unit's code (`COM-8T2J6Q0XKV`); its children's add their number, its facts' the date key,
its events' the date key and their number within the period. Detail rows add their number to the key of their
parent row. Rows of a listed table are numbered in the order of the list.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, model_validator

from plotsim_core.arrow import ArrowArray, joined
from plotsim_core.columns.rows import Rows, gathered
from plotsim_core.columns.source import ColumnSource, add_source
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.model import MOST_ROWS, pattern, storable
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, Table, row_noun
from plotsim_core.errors import Problem, ProblemError, value_text
from plotsim_core.numerics.arrays import Integers
from plotsim_core.plan.plan import ColumnPlan, Population, TablePlan

WIDTH = 3
"""Least number of digits of a number within a key; longer numbers are not cut."""


def _key(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(f"expected a text or a whole number, found {value_text(value)}")
    return storable(value)


Key = Annotated[str | int, BeforeValidator(_key)]
"""Given key of a listed row."""


@add_source
class SurrogateKey(ColumnSource):
    """`prefix` stands before each key; by default the first three letters of the table's name. `values` are the keys of a
    listed table's rows, in their order, where it has its own."""

    word = "id"
    example = "id"
    needs = frozenset({"key"})
    is_key = True
    is_breakable = False
    is_drifting = False
    in_wide_tables = False

    prefix: Annotated[str, Field(pattern=pattern(r"^[A-Za-z0-9]{1,12}$", "1 to 12 letters and digits"))] | None = None
    """What stands before each key."""
    values: Annotated[tuple[Key, ...], Field(min_length=1, max_length=MOST_ROWS)] | None = None
    """The keys of a listed table's rows, in their order, where it has its own."""

    @model_validator(mode="after")
    def _check_keys(self) -> SurrogateKey:
        if self.values is None:
            return self
        problems = [Problem("prefix", "has no effect: the keys are given")] if self.prefix is not None else []
        if len(set(map(type, self.values))) > 1:
            problems.append(Problem("values", "expected texts or whole numbers, found both", "write numbers in quotes"))
        first_rows = {value: row for row, value in reversed([*enumerate(self.values)])}
        duplicate = next((value for row, value in enumerate(self.values) if row > first_rows[value]), None)
        if duplicate is not None:
            problems.append(Problem("values", f"two rows have the key {value_text(duplicate)}"))
        if "" in self.values:
            problems.append(Problem("values", "a key is empty"))
        if problems:
            raise ProblemError(*problems)
        return self

    def arrow_type(self, column: Column, dataset: Dataset) -> pa.DataType:
        has_date_keys = any(
            key_column(other) is column for other in dataset.dimensions if other.is_date_dimension or other.is_time_dimension
        )
        return pa.int64() if has_date_keys or isinstance((self.values or ("",))[0], int) else pa.string()

    def check(self, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
        if key_column(table) is not column:
            yield Problem("type", f"{table.name} has more than one id column")
        if self.values is not None and not table.is_listed:
            yield Problem("values", f"has no place here: rows of {table.name} are not listed")
        if self.prefix is not None and (table.is_date_dimension or table.is_time_dimension):
            noun = "date dimension" if table.is_date_dimension else "dimension of times"
            yield Problem("prefix", f"has no effect: the key of a {noun} is a number")

    def describe(self, column: Column, table: Table, dataset: Dataset) -> str:
        if table.is_time_dimension:
            return "Key of the time of day, as a number HHMM."
        if table.is_date_dimension:
            grain = dataset.window.grain.name
            return f"Key of the {grain}, its start as a number {'YYYYMMDDHH' if grain == 'hour' else 'YYYYMMDD'}."
        uniqueness = "the same in all of its versions" if table.history is not None else "one for each row"
        return f"Key of the {row_noun(table)}, {uniqueness}."

    def stored_bytes(self, type_: pa.DataType) -> float | None:
        return 4.0 if type_ == pa.string() else None

    def pinned(self, table: Table) -> SurrogateKey:
        return self.model_copy(update={"prefix": prefix(table)})

    @property
    def row_count(self) -> int:
        return len(self.values or ())

    def row_values(self) -> list[Any] | None:
        return None if self.values is None else list(self.values)

    def row_texts(self) -> list[str]:
        return list(map(str, self.values or ()))

    def fill(self, column: ColumnPlan, table: TablePlan, rows: Rows) -> ArrowArray:
        if table.spec.is_time_dimension:
            clock_keys: ArrowArray = pa.array(rows.ordinal // 60 * 100 + rows.ordinal % 60)
            return clock_keys
        if self.values is not None:
            return gathered(list(self.values), rows.ordinal, column.type)
        if column.type == pa.int64():
            return pa.array(date_keys(rows.block.population, rows.period))
        return key_text(prefix(table.spec), *_parts(rows))


def key_column(table: Table) -> Column | None:
    """Return the column that holds a table's own key."""
    return next((column for column in table.columns if column.source.is_key), None)


def prefix(table: Table) -> str:
    """Return what a table's keys begin with."""
    column = key_column(table)
    if column is not None and isinstance(column.source, SurrogateKey) and column.source.prefix:
        return column.source.prefix
    return table.name.partition("_")[2].replace("_", "")[:3].upper() or table.name[:3].upper()


def key_text(prefix: str, *parts: ArrowArray | NDArray[Any]) -> ArrowArray:
    """Return `prefix-part-part ...` for each row, numbers padded with zeros to `WIDTH` digits."""
    texts = [part if isinstance(part, pa.Array) else _padded(part) for part in parts]
    return joined(pa.scalar(prefix), *texts, between="-")


def _padded(numbers: Integers) -> ArrowArray:
    texts = [f"{number:0{WIDTH}d}" for number in range(int(numbers.max(initial=0)) + 1)]
    return pa.array(texts, pa.string()).take(numbers)


def unit_codes(rows: Rows) -> ArrowArray:
    """Return the code of each row's unit."""
    codes: ArrowArray = pa.array(rows.block.codes).take(rows.unit)
    return codes


def date_keys(population: Population, periods: Integers) -> Integers:
    """Return the date key of each row's period."""
    if len(periods) == 0:
        return periods
    first = int(periods.min())
    return population.grain.keys(np.arange(first, int(periods.max()) + 1))[periods - first]


def _parts(rows: Rows) -> list[ArrowArray | NDArray[Any]]:
    """Return the parts of each row's key: those of its parent row, or its unit and date; then its number."""
    parts: list[ArrowArray | NDArray[Any]] = []
    if rows.parent is not None:
        parts = [
            key_part.take(rows.owner) if isinstance(key_part, pa.Array) else key_part[rows.owner]
            for key_part in _parts(rows.parent)
        ]
    else:
        has_unit, has_period = len(rows.unit) == len(rows), len(rows.period) == len(rows)
        if has_unit:
            parts.append(unit_codes(rows))
        if len(rows.cell) == len(rows) or (has_period and not has_unit):
            parts.append(pc.cast(pa.array(date_keys(rows.block.population, rows.period)), pa.string()))
    if len(rows.ordinal) == len(rows):
        parts.append(rows.ordinal + 1)
    return parts
