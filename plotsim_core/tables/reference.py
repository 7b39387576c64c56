"""A reference dimension (`reference: true`): a listed few rows that nothing changes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from plotsim_core.columns.foreign_key import reference_of
from plotsim_core.columns.matching import matching_rows
from plotsim_core.columns.popularity import popular_rows
from plotsim_core.columns.row_kind import Targets
from plotsim_core.columns.rows import Rows
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.files import File
from plotsim_core.config.model import Count
from plotsim_core.config.scope import Scope
from plotsim_core.config.table_kind import Knowledge, Section
from plotsim_core.config.tables import Column, row_noun
from plotsim_core.config.words import capitalised, plural
from plotsim_core.engine.block import Block
from plotsim_core.engine.slice import Slice
from plotsim_core.errors import Problem
from plotsim_core.numerics.arrays import Floats
from plotsim_core.numerics.random import words
from plotsim_core.plan.plan import ColumnPlan, Population, TablePlan
from plotsim_core.tables.estimate_sample import Sample
from plotsim_core.tables.kind import Cut, TableKind, add_kind, needs_key


@add_kind
class ReferenceDimension(TableKind):
    """As many rows as its lists of values have, or `count` if that is more: then the lists are gone through again. A list of
    one value is that of every row."""

    kind: ClassVar[str] = "reference"
    section: ClassVar[Section] = "dimensions"
    knows: ClassVar[frozenset[Knowledge]] = frozenset({"key", "number", "list"})
    is_listed: ClassVar[bool] = True
    is_state: ClassVar[bool] = True
    is_sampled: ClassVar[bool] = False
    has_unit_rows: ClassVar[bool] = False
    popularity: ClassVar[tuple[str, ...]] = ("weights", "distribution", "exponent")

    reference: Literal[True] = True
    """That its rows are listed."""
    rows: File | None = None
    """The file that lists them."""
    count: Annotated[Count, Field(le=1_000_000)] | None = None
    """As many rows as its lists of values have, or `count` if that is more: then the lists are gone through again."""
    columns: tuple[Column, ...] = ()
    """In their order."""

    @property
    def lists(self) -> dict[str, int]:
        """How many values the lists of columns have."""
        columns = sorted(self.columns, key=lambda column: column.source.is_key)
        return {column.name: column.source.row_count for column in columns if column.source.row_count}

    @property
    def length(self) -> int:
        """How many rows there are."""
        return max([self.count or 1, *self.lists.values()])

    @classmethod
    def recognise(cls, raw: Mapping[str, Any], unit: str) -> bool:
        return bool(raw.get("reference")) or isinstance(raw.get("rows"), Mapping)

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
        yield Slice(slice_.stop - 1, slice_.stop, 0, 1)

    def rows_in(self, table: TablePlan, block: Block) -> Rows:
        ordinal = np.arange(self.length, dtype=np.int64)
        return Rows(block=block, address=words(ordinal), ordinal=ordinal)

    def targets(self, column: ColumnPlan, table: TablePlan, rows: Rows, parent: TablePlan) -> Targets:
        """Return any rows, or with `matching` rows that have the value of a column of the row's unit."""
        options = reference_of(column)
        parent_rows = self.rows_in(parent, rows.block)
        if options.matching is None:
            return Targets(parent, parent_rows, popular_rows(options, self, rows.uniforms(table, column)))
        return Targets(parent, parent_rows, matching_rows(options.matching, column, table, rows, self))

    def expect(self, table: TablePlan, sample: Sample) -> Floats:
        return np.full(len(sample.periods), float(self.length))
