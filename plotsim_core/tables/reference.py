"""A reference dimension (`reference: true`): a listed few rows that nothing changes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar, Literal

import numpy as np

from plotsim_core.columns.listed_targets import listed_positions
from plotsim_core.columns.row_kind import Targets
from plotsim_core.columns.rows import Rows
from plotsim_core.config.absent_words import MOMENT_OF_UNITS, Absence
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.files import File
from plotsim_core.config.model import PlainRows
from plotsim_core.config.row_count import ROW_COUNTS
from plotsim_core.config.scope import Scope
from plotsim_core.config.table_kind import Knowledge, Section
from plotsim_core.config.table_shape import Shape, Spelling, spelled
from plotsim_core.config.tables import Column, row_noun
from plotsim_core.config.words import capitalised, plural
from plotsim_core.config.written_tables import shows_dimension
from plotsim_core.engine.block import Block
from plotsim_core.engine.slice import CHUNK, Slice, by_row, narrowed
from plotsim_core.errors import Problem
from plotsim_core.numerics.arrays import Floats, Integers
from plotsim_core.numerics.random import words
from plotsim_core.plan.plan import ColumnPlan, Population, TablePlan
from plotsim_core.tables.estimate_sample import Sample
from plotsim_core.tables.kind import Cut, TableKind, add_kind, needs_key

_WHOLE = 100_000
"""Rows of a list that are all made where others refer to it; of a longer one only those that are referred to."""
_NUMBERED = Absence(
    "has no place here: rows of a plain table without moments are numbered without gaps",
    "write fewer `rows`, or keep some of the rows that are per it, by their `where`",
)
_TIMELESS = Absence(
    "has no effect: rows have no moments", "a column of type timestamp gives them: { name: at, type: timestamp }"
)


@add_kind
class ReferenceDimension(TableKind):
    """As many rows as its lists of values have, or `count` if that is more: then the lists are gone through again. A list of
    one value is that of every row."""

    kind: ClassVar[str] = "plain"
    form: ClassVar[str] = "reference"
    older: ClassVar[frozenset[str]] = frozenset({"reference", "count"})
    section: ClassVar[Section] = "dimensions"
    is_dimension: ClassVar[bool] = True
    knows: ClassVar[frozenset[Knowledge]] = frozenset({"key", "number", "list"})
    is_listed: ClassVar[bool] = True
    is_state: ClassVar[bool] = True
    is_constant: ClassVar[bool] = True
    is_sampled: ClassVar[bool] = False
    has_unit_rows: ClassVar[bool] = False
    absent: ClassVar[Mapping[str, Absence]] = {
        "when": MOMENT_OF_UNITS,
        "where": _NUMBERED,
        **dict.fromkeys(("rhythm", "growth", "log_format", "log_filename"), _TIMELESS),
    }
    popularity: ClassVar[tuple[str, ...]] = ("weights", "distribution", "exponent")

    reference: Literal[True] = True
    """That its rows are listed."""
    rows: File | None = None
    """The file that lists them."""
    count: PlainRows | None = None
    """As many rows as its lists of values have, or `count` if that is more: then the lists are gone through again."""
    columns: tuple[Column, ...] = ()
    """In their order."""

    @property
    def lists(self) -> dict[str, int]:
        """How many values the lists of columns have."""
        columns = sorted(self.columns, key=lambda column: column.source.is_key)
        return {column.name: column.source.row_count for column in columns if column.source.row_count}

    @property
    def row_problem(self) -> Problem | None:
        listed = max(self.lists.values(), default=0)
        if self.count is None and self.rows is None and not listed:
            return Problem("rows", "is missing", "how many rows there are, or lists of values for its columns")
        if self.count is not None and self.count < listed:
            return Problem(
                "rows", f"expected at least {listed}, as many as are listed, found {self.count}", "or leave it out"
            )
        return None

    @property
    def length(self) -> int:
        """How many rows there are."""
        return max([self.count or 1, *self.lists.values()])

    @classmethod
    def recognise(cls, raw: Mapping[str, Any], unit: str) -> bool:
        return bool(raw.get("reference")) or isinstance(raw.get("rows"), Mapping)

    @classmethod
    def of_shape(cls, shape: Shape) -> Spelling | None:
        if shape.per or shape.root or shows_dimension(shape.raw):
            return None
        rows = shape.raw.get("rows")
        if rows is None:
            return spelled(shape, reference=True)
        is_file = isinstance(rows, Mapping) and {*map(type, rows)} == {str} and not rows.keys() & set(ROW_COUNTS)
        spelling = spelled(shape, reference=True, **({"rows": rows} if is_file else {"count": rows}))
        return Spelling(spelling.raw, {"count": "rows"})

    def describe(self, dataset: Dataset) -> str:
        return f"{capitalised(plural(row_noun(self)))}, a list of {self.length} that nothing changes."

    def check(self, scope: Scope) -> Iterable[Problem]:
        if self.rows is not None:
            yield Problem("rows.file", "is beside a config that is a file, and this one is not", "load it from its path")
            return
        hint = "give it one: type id, with `values` where the rows have keys of their own"
        yield from (replace(problem, hint=hint) for problem in needs_key(self))
        keys = {column.name for column in self.columns if column.source.is_key}
        lengths = {
            name: length for name, length in self.lists.items() if length > 1 and (self.count is None or name not in keys)
        }
        if len(set(lengths.values())) > 1:
            message = ", ".join(f"{name} {count}" for name, count in lengths.items())
            yield Problem("columns", f"the lists of {self.name} have different lengths: {message}", "give each row a value")
        for column in self.columns:
            if column.source.is_key and 0 < column.source.row_count < self.length:
                message = f"{self.name} has {self.length} rows, and {column.source.row_count} keys of its own"
                yield Problem("columns", message)

    def notes(self) -> Iterable[Problem]:
        """Yield a count of rows below those that are listed."""
        longest = max(self.lists.values(), default=0)
        if self.count is not None and self.count < longest:
            yield Problem("count", f"{self.count} has no effect: the lists of {self.name} have {longest} values")

    def cuts(self, population: Population, table: TablePlan) -> tuple[Cut, ...]:
        return ("rows",)

    def cut(self, population: Population, slice_: Slice) -> Iterator[Slice]:
        return by_row(slice_, self.length, narrowed(CHUNK, len(self.columns)))

    def row_total(self, population: Population) -> int:
        return self.length

    def declared_rows(self, table: TablePlan, population: Population, periods: Integers) -> Integers | None:
        return None if self.filter is not None else np.full(len(periods), self.length, dtype=np.int64)

    def rows_in(self, table: TablePlan, block: Block) -> Rows:
        first, stop = block.slice.rows or (0, self.length)
        return self.numbered_rows(table, block, np.arange(first, stop, dtype=np.int64))

    def numbered_rows(self, table: TablePlan, block: Block, numbers: Integers) -> Rows:
        return Rows(block=block, address=words(numbers), ordinal=numbers)

    def targets(self, column: ColumnPlan, table: TablePlan, rows: Rows, parent: TablePlan) -> Targets:
        """Return any rows, or those that match or are valid at the time."""
        numbers = listed_positions(column, table, rows, parent)
        if self.length <= _WHOLE:  # then values are made once for each row of the list
            return Targets(parent, self.numbered_rows(parent, rows.block, np.arange(self.length)), numbers)
        drawn_rows = self.numbered_rows(parent, rows.block, np.maximum(numbers, 0))
        return Targets(parent, drawn_rows, np.where(numbers < 0, -1, np.arange(len(numbers))))

    def expect(self, table: TablePlan, sample: Sample) -> Floats:
        return np.full(len(sample.periods), float(self.length))
