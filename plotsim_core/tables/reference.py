"""A reference dimension (`reference: true`): a listed few rows that nothing changes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from plotsim_core.columns.rows import Rows
from plotsim_core.config.files import File
from plotsim_core.config.model import Count
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, KindWords, Table, row_noun
from plotsim_core.config.words import capitalised, plural
from plotsim_core.engine.block import Block
from plotsim_core.engine.slice import Slice
from plotsim_core.errors import Problem
from plotsim_core.numerics.random import Floats, words
from plotsim_core.plan.plan import Plan, TablePlan
from plotsim_core.tables.date import key_name, needs_key
from plotsim_core.tables.estimate_sample import Sample
from plotsim_core.tables.kind import Kind, add_kind


class ReferenceDimension(Table):
    """As many rows as its lists of values have, or `count` if that is more: then the lists are gone through again. A list of
    one value is that of every row.

    `reference`: that its rows are listed. `rows`: the file that lists them.
    """

    reference: Literal[True] = True
    rows: File | None = None
    count: Annotated[Count, Field(le=1_000_000)] | None = None
    columns: tuple[Column, ...] = ()

    @property
    def lists(self) -> dict[str, int]:
        """How many values the lists of columns have."""
        columns = sorted(self.columns, key=lambda column: column.source.is_key)
        return {column.name: column.source.row_count for column in columns if column.source.row_count}

    @property
    def length(self) -> int:
        """How many rows there are."""
        return max([self.count or 1, *self.lists.values()])


def _check(table: ReferenceDimension, scope: Scope) -> Iterable[Problem]:
    if table.rows is not None:
        yield Problem("rows.file", "is beside a config that is a file, and this one is not", "load it from its path")
        return
    hint = "give it one: type id, with `values` where the rows have keys of their own"
    yield from (replace(problem, hint=hint) for problem in needs_key(table, scope))
    keys = {column.name for column in table.columns if column.source.is_key}
    lengths = {
        name: length for name, length in table.lists.items() if length > 1 and (table.count is None or name not in keys)
    }
    if len(set(lengths.values())) > 1:
        message = ", ".join(f"{name} {count}" for name, count in lengths.items())
        yield Problem("columns", f"the lists of {table.name} have different lengths: {message}", "give each row a value")
    for column in table.columns:
        if column.source.is_key and 0 < column.source.row_count < table.length:
            message = f"{table.name} has {table.length} rows, and {column.source.row_count} keys of its own"
            yield Problem("columns", message)


def _cut(plan: Plan, slice_: Slice) -> Iterator[Slice]:
    yield Slice(slice_.stop - 1, slice_.stop, 0, 1)


def _rows(table: TablePlan, block: Block) -> Rows:
    assert isinstance(table.spec, ReferenceDimension)
    ordinal = np.arange(table.spec.length, dtype=np.int64)
    return Rows(block=block, address=words(ordinal), ordinal=ordinal)


def _expect(table: TablePlan, sample: Sample) -> Floats:
    assert isinstance(table.spec, ReferenceDimension)
    return np.full(len(sample.periods), float(table.spec.length))


add_kind(
    "reference",
    KindWords(
        section="dimensions",
        recognise=lambda raw, unit: bool(raw.get("reference")) or isinstance(raw.get("rows"), Mapping),
        model=ReferenceDimension,
        knows=frozenset({"key", "number", "list"}),
        key=lambda table, dataset: (key_name(table),),
        describe=lambda table, dataset: (
            f"{capitalised(plural(row_noun(table)))}, a list of {table.length} that nothing changes."
        ),
        check=_check,
    ),
    Kind(_cut, _rows, _expect, state=True),
)
