"""`id`: the surrogate key of a row, computed from the row's identity, not from a counter.

A unit's key is a prefix and the unit's code (`COM-8T2J6Q0XKV`); its children's add their number, its facts' the date key,
its events' the date key and their number within the period. Detail rows add their number to the key of their
parent row. Rows of a listed table are numbered in the order of the list.

With `start` keys are whole numbers (`key_numbers.py`); `format` writes such a number in a text, `pattern` turns it into a
text of a form, in no order: a keyed permutation of all texts of the form, so that no two are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from plotsim_core.arrow import ArrowArray, joined
from plotsim_core.columns.identifier_patterns import Pattern, pattern_texts
from plotsim_core.columns.key_format import KeyFormat, read_format
from plotsim_core.columns.key_numbers import EXACT, NumberedKey, most_rows, numbers_of, room_of
from plotsim_core.columns.key_pattern import read_pattern
from plotsim_core.columns.key_problems import number_problems
from plotsim_core.columns.rows import Rows, gathered
from plotsim_core.columns.source import add_source, fill
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.model import MOST_ROWS, storable
from plotsim_core.config.model import pattern as expression
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, Table, row_noun
from plotsim_core.engine.block import Block
from plotsim_core.errors import Problem, ProblemError, value_text
from plotsim_core.numerics.arrays import Integers
from plotsim_core.numerics.permutation import shuffled
from plotsim_core.numerics.random import words
from plotsim_core.plan.plan import ColumnPlan, Population, TablePlan

WIDTH = 3
"""Least number of digits of a number within a key; longer numbers are not cut."""


def _key(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(f"expected a text or a whole number, found {value_text(value)}")
    return storable(value)


Key = Annotated[str | int, BeforeValidator(_key)]
"""Given key of a listed row."""


def _spelt(read: Callable[[str], object]) -> Callable[[str], str]:
    """Return a validator of a text that `read` can read."""

    def checked(text: str) -> str:
        read(text)
        return text

    return checked


@add_source
class SurrogateKey(NumberedKey):
    """A text: `prefix` (by default the first three letters of the table's name) and what tells the row apart. With `start` a
    whole number; with `format` a text with a number in it; with `pattern` a text of that form. `values` are the keys of a
    listed table's rows, in their order, where it has its own.
    """

    word = "id"
    example = "id"
    needs = frozenset({"key"})
    is_breakable = False
    is_drifting = False
    in_wide_tables = False

    prefix: Annotated[str, Field(pattern=expression(r"^[A-Za-z0-9]{1,12}$", "1 to 12 letters and digits"))] | None = None
    """What stands before each key."""
    values: Annotated[tuple[Key, ...], Field(min_length=1, max_length=MOST_ROWS)] | None = None
    """The keys of a listed table's rows, in their order, where it has its own."""
    format: Annotated[str, AfterValidator(_spelt(read_format))] | None = None
    """The form of keys that write a number: `{n}` is the number, `{n:04}` has zeros before it, `{parent}` is the key of the
    row that the row belongs to."""
    pattern: Annotated[str, AfterValidator(_spelt(read_pattern))] | None = None
    """The form of keys in no order: signs, classes like `[A-Z0-9]` and counts like `{6}`."""

    @model_validator(mode="after")
    def _check_options(self) -> SurrogateKey:
        forms = {"values": "the keys are given", "pattern": "the pattern says it", "format": "the format says it"}
        form = next((name for name in forms if name in self.model_fields_set), None)
        numbered_names = ("start", "units", "most", "dense")
        idle_names = {
            "values": ("prefix", "pattern", "format", *numbered_names),
            "pattern": ("prefix", "format", "start"),
            "format": ("prefix",),
        }
        if form is not None:
            reason = forms[form]
            names = idle_names[form]
        elif self.start is not None:
            names, reason = ("prefix",), "keys are whole numbers"
        else:
            names, reason = numbered_names, "keys are no numbers; with `start` they are"
        problems = [Problem(name, f"has no effect: {reason}") for name in names if name in self.model_fields_set]
        if self.format is not None and self.start is not None and self.start < 0:
            problems.append(Problem("start", f"expected at least 0 in a text, found {self.start}"))
        if problems:
            raise ProblemError(*problems)
        return self

    @model_validator(mode="after")
    def _check_keys(self) -> SurrogateKey:
        if self.values is None:
            return self
        problems = []
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
            key_column(other) is column
            for other in dataset.all_dimensions
            if other.is_date_dimension or other.is_time_dimension
        )
        is_number = self.key_format is None and self.key_pattern is None and self.start is not None
        return pa.int64() if has_date_keys or is_number or isinstance((self.values or ("",))[0], int) else pa.string()

    def check(self, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
        if key_column(table) is not column:
            yield Problem("type", f"{table.name} has more than one id column")
        if self.values is not None and not table.is_listed:
            yield Problem("values", f"has no place here: rows of {table.name} are not listed")
        if table.is_date_dimension or table.is_time_dimension:
            noun = "date dimension" if table.is_date_dimension else "dimension of times"
            for name in ("prefix", "start", "format", "pattern"):
                if name in self.model_fields_set:
                    yield Problem(name, f"has no effect: the key of a {noun} is a number")

    def problems(self, table: Table, dataset: Dataset) -> Iterable[Problem]:
        if table.is_date_dimension or table.is_time_dimension:
            return
        if self.is_numbered:
            yield from number_problems(self, table, dataset)
        elif self.key_format is not None:
            yield from self._parent_problems(self.key_format, table, dataset)

    def _parent_problems(self, form: KeyFormat, table: Table, dataset: Dataset) -> Iterable[Problem]:
        """Yield why keys cannot be written after those of parent rows."""
        parent = parent_table(table, dataset)
        if parent is None:
            message = f"rows of {table.name} are not numbered within a row that has a key"
            yield Problem("format", message, "those of a unit's children are, and those with `parent_table`")
        elif key_column(parent) is None:
            yield Problem("format", f"the rows of {parent.name} have no key of their own", "give them a column of type id")
        elif form.is_ambiguous(self.first_number + (most_rows(table) or MOST_ROWS) - 1):
            message = f"rows of two rows of {parent.name} may have one key: nothing parts it from the number"
            yield Problem("format", message, "write {parent}-{n}, or give the number enough digits")
        for name in ("units", "most", "dense"):
            if name in self.model_fields_set:
                yield Problem(name, "has no effect: the number is that within the row it belongs to")

    def describe(self, column: Column, table: Table, dataset: Dataset) -> str:
        if table.is_time_dimension:
            return "Key of the time of day, as a number HHMM."
        if table.is_date_dimension:
            digits = "YYYYMMDDHHMM"[: dataset.grain.key_length]
            return f"Key of the {dataset.grain.noun}, its start as a number {digits}."
        uniqueness = "the same in all of its versions" if table.history is not None else "one for each row"
        return f"Key of the {row_noun(table)}, {uniqueness}."

    def stored_bytes(self, type_: pa.DataType) -> float | None:
        return 4.0 if type_ == pa.string() else None

    def key_range(self, table: Table, dataset: Dataset) -> tuple[int, int] | None:
        if self.start is None or self.format is not None:
            return None
        return self.start, self.start + room_of(table, self, dataset).total - 1

    def pinned(self, table: Table) -> SurrogateKey:
        return self.model_copy(update={"prefix": prefix(table)})

    @property
    def row_count(self) -> int:
        return len(self.values or ())

    def row_values(self) -> list[Any] | None:
        return None if self.values is None else list(self.values)

    def row_texts(self) -> list[str]:
        return list(map(str, self.values or ()))

    @property
    def key_format(self) -> KeyFormat | None:
        """The form of keys that write a number."""
        return None if self.format is None else read_format(self.format)

    @property
    def key_pattern(self) -> Pattern | None:
        """The form of keys in no order."""
        return None if self.pattern is None else read_pattern(self.pattern)

    @property
    def is_numbered(self) -> bool:
        form = self.key_format
        return self.pattern is not None or (self.start is not None if form is None else not form.has_parent)

    @property
    def is_key(self) -> bool:
        return True

    @property
    def has_rising_keys(self) -> bool:
        form = self.key_format
        if form is not None:
            return not (form.has_parent or form.after or form.before[-1:].isdigit())
        return self.pattern is None and self.values is None

    @property
    def has_codes(self) -> bool:
        """Whether keys of rows of units begin with the unit's code, after the prefix."""
        return self.values is None and self.start is None and self.format is None and self.pattern is None

    @property
    def word_of_number(self) -> str:
        return next((name for name in ("pattern", "format") if name in self.model_fields_set), "start")

    @property
    def first_number(self) -> int:
        return super().first_number if self.pattern is None else 0

    @property
    def limit(self) -> int:
        return EXACT if self.word_of_number == "start" else 2**62

    @property
    def capacity(self) -> int | None:
        form = self.key_pattern
        return None if form is None else form.count

    @property
    def usual_room(self) -> int | None:
        form = self.key_format
        return self.capacity if form is None or form.width == 0 else 10**form.width - self.first_number

    def fill(self, column: ColumnPlan, table: TablePlan, rows: Rows) -> ArrowArray:
        if table.spec.is_time_dimension:
            clock_keys: ArrowArray = pa.array(rows.ordinal // 60 * 100 + rows.ordinal % 60)
            return clock_keys
        if self.values is not None:
            return gathered(list(self.values), rows.ordinal, column.type)
        form = self.key_format
        if form is not None and form.has_parent:
            return form.texts(self.first_number + rows.ordinal, _parent_keys(table, rows))
        if self.is_numbered:
            return self._numbered(column, table, numbers_of(table, rows), rows)
        if column.type == pa.int64():
            return pa.array(date_keys(rows.block.population, rows.period))
        return key_text(prefix(table.spec), *_parts(rows))

    def _numbered(self, column: ColumnPlan, table: TablePlan, numbers: Integers, rows: Rows) -> ArrowArray:
        """Return the keys that are made of numbers."""
        if self.key_pattern is not None:
            stream = np.array([rows.stream(table, column, "order")])
            text_numbers = shuffled(numbers, self.key_pattern.count, stream)
            return pattern_texts([self.key_pattern], text_numbers, rows.stream(table, column, "more"), words(numbers))
        if self.key_format is not None:
            return self.key_format.texts(self.first_number + numbers, None)
        return pa.array(self.first_number + numbers)


def key_column(table: Table) -> Column | None:
    """Return the column that holds a table's own key."""
    return next((column for column in table.columns if column.source.is_key), None)


def lacks_key(name: str) -> Problem:
    """Return the problem of a reference to a table whose rows have no key."""
    message = f"the rows of {name} have no key of their own that could be referred to"
    return Problem("type", message, "give them a column of type id")


def prefix(table: Table) -> str:
    """Return what a table's keys begin with."""
    column = key_column(table)
    if column is not None and isinstance(column.source, SurrogateKey) and column.source.prefix:
        return column.source.prefix
    return table.name.partition("_")[2].replace("_", "")[:3].upper() or table.name[:3].upper()


def listed_keys(table: Table) -> list[str]:
    """Return the keys of the rows of a listed table, as texts; empty where only the seed tells them."""
    column = key_column(table)
    source = None if column is None else column.source
    if not isinstance(source, SurrogateKey):
        return []
    numbers = range(source.first_number, source.first_number + table.length)
    if source.key_format is not None:
        return [source.key_format.text(number) for number in numbers]
    if source.is_numbered:
        return [] if source.key_pattern is not None else list(map(str, numbers))
    return source.row_texts() or [f"{prefix(table)}-{number:0{WIDTH}d}" for number in range(1, table.length + 1)]


def parent_table(table: Table, dataset: Dataset) -> Table | None:
    """Return the table of the rows that the rows of a table are numbered within: of other rows, or of units."""
    if table.is_of_units and not table.is_unit_dimension:
        return dataset.unit_dimension
    return next((other for other in dataset.all_tables if other.name == table.parent_name), None)


def unit_keys(block: Block) -> ArrowArray:
    """Return the key of each unit of a block, as the dimension of the units has it."""
    dimension, units = block.population.dimension, block.units
    column = next(column for column in dimension.columns if column.spec.source.is_key)
    rows = Rows(block=block, address=units.address, unit=np.arange(len(units), dtype=np.int64), period=units.arrival)
    return block.cached("unit keys", lambda: fill(column, dimension, rows))


def _parent_keys(table: TablePlan, rows: Rows) -> ArrowArray:
    """Return the key of the row, or of the unit, that each row belongs to."""
    name = table.spec.parent_name
    if rows.parent is None or name is None:
        return unit_keys(rows.block).take(rows.unit)
    parent = rows.block.population.table(name)
    column = next(column for column in parent.columns if column.spec.source.is_key)
    return fill(column, parent, rows.parent).take(rows.owner)


def key_text(prefix: str, *parts: ArrowArray | NDArray[Any]) -> ArrowArray:
    """Return `prefix-part-part ...` for each row, numbers padded with zeros to `WIDTH` digits."""
    texts = [part if isinstance(part, pa.Array) else _padded(part) for part in parts]
    return joined(pa.scalar(prefix), *texts, between="-")


def _padded(numbers: Integers) -> ArrowArray:
    if int(numbers.max(initial=0)) > len(numbers):  # of few numbers among many no list of all is made
        padded: ArrowArray = pc.utf8_lpad(pc.cast(pa.array(numbers), pa.string()), WIDTH, "0")
        return padded
    texts = [f"{number:0{WIDTH}d}" for number in range(int(numbers.max(initial=0)) + 1)]
    return pa.array(texts, pa.string()).take(numbers)


def unit_codes(rows: Rows) -> ArrowArray:
    """Return the code of each row's unit."""
    codes: ArrowArray = rows.block.cached("code texts", lambda: pa.array(rows.block.codes)).take(rows.unit)
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
        is_numbered = len(rows.ordinal) == len(rows)
        if len(rows.cell) == len(rows) or (has_period and not has_unit and not is_numbered):
            parts.append(pc.cast(pa.array(date_keys(rows.block.population, rows.period)), pa.string()))
    if len(rows.ordinal) == len(rows):
        parts.append(rows.ordinal + 1)
    return parts
