"""A reference dimension (`reference: true`): a listed few rows that nothing changes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from plotsim_core.columns.choice import listed
from plotsim_core.columns.rows import Rows
from plotsim_core.config.model import Count
from plotsim_core.config.tables import KindWords, Table, row_noun
from plotsim_core.config.words import begun, plural
from plotsim_core.engine.block import Block
from plotsim_core.engine.slice import Slice
from plotsim_core.numerics.random import Floats, words
from plotsim_core.plan.plan import Plan, TablePlan
from plotsim_core.tables.date import key_name, needs_key
from plotsim_core.tables.kind import Kind, add_kind
from plotsim_core.tables.sample import Sample


class ReferenceDimension(Table):
    """As many rows as its longest list of static values has, or `count` if that is more; shorter lists repeat.

    `reference`: that its rows are listed.
    """

    reference: Literal[True]
    count: Annotated[Count, Field(le=1_000_000)] = 1

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return max([self.count, *(len(listed(column)) for column in self.sourced("static"))])


def _cut(plan: Plan, slice_: Slice) -> Iterator[Slice]:
    yield Slice(slice_.stop - 1, slice_.stop, 0, 1)


def _rows(table: TablePlan, block: Block) -> Rows:
    assert isinstance(table.spec, ReferenceDimension)
    ordinal = np.arange(table.spec.rows, dtype=np.int64)
    return Rows(block=block, address=words(ordinal), ordinal=ordinal)


def _expect(table: TablePlan, sample: Sample) -> Floats:
    assert isinstance(table.spec, ReferenceDimension)
    return np.full(len(sample.periods), float(table.spec.rows))


add_kind(
    "reference",
    KindWords(
        section="dimensions",
        recognise=lambda raw, unit: bool(raw.get("reference")),
        model=ReferenceDimension,
        knows=frozenset({"key", "number", "list"}),
        key=lambda table, dataset: (key_name(table),),
        describe=lambda table, dataset: f"{begun(plural(row_noun(table)))}, a list of {table.rows} that nothing changes.",
        check=needs_key,
    ),
    Kind(_cut, _rows, _expect, state=True),
)
