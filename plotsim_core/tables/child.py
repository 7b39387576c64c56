"""A dimension of the unit's children (`per: unit` with a reference to the unit's dimension): a company's users, say.

Children arrive with their unit. `count` is how many each unit has, a number or [low, high].
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from plotsim_core.columns.reference import children
from plotsim_core.columns.rows import Integers, Rows
from plotsim_core.config.model import Count
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import KindWords, Table
from plotsim_core.engine.block import Block
from plotsim_core.engine.slice import Slice, by_unit
from plotsim_core.numerics.random import fold, words
from plotsim_core.plan.plan import Plan, TablePlan
from plotsim_core.tables.date import key_name, needs_key
from plotsim_core.tables.kind import Kind, add_kind
from plotsim_core.tables.unit import refers_to_a_dimension


class ChildDimension(Table):
    """Some rows per unit."""

    per: Literal["unit"]
    count: Count | tuple[Annotated[int, Field(ge=0, strict=True)], Count] = 1

    @model_validator(mode="after")
    def _rising(self) -> ChildDimension:
        if self.per_unit[0] > self.per_unit[1]:
            raise ValueError(f"count: expected low <= high, found {list(self.per_unit)}")
        return self

    @property
    def per_unit(self) -> tuple[int, int]:
        """The least and the most rows per unit."""
        return self.count if isinstance(self.count, tuple) else (self.count, self.count)


def _check(table: ChildDimension, scope: Scope) -> Iterable[str]:
    yield from needs_key(table, scope)
    unit = scope.dimension("unit")
    if unit is not None and not any(column.type == f"ref.{unit.name}" for column in table.columns):
        yield f"{table.name} has rows per {scope.unit}, so it needs a column of type ref.{unit.name}"
    if table.per_unit[0] == 0 and any(
        column.type == f"ref.{table.name}"
        for declared in scope.tables.values()
        if declared.table is not None
        for column in declared.table.columns
    ):
        yield f"count: {list(table.per_unit)} leaves units without rows, which others refer to; begin at 1"


def numbered(counts: Integers) -> tuple[Integers, Integers]:
    """Return (owner, number) of `counts[owner]` siblings each, in order."""
    owner = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
    first = np.cumsum(counts) - counts
    return owner, np.arange(len(owner), dtype=np.int64) - first[owner]


def _cut(plan: Plan, slice_: Slice) -> Iterator[Slice]:
    return by_unit(Slice(slice_.stop - 1, slice_.stop, slice_.unit_first, slice_.unit_stop))


def _rows(table: TablePlan, block: Block) -> Rows:
    there = np.flatnonzero(block.units.arrival < block.slice.stop)
    owner, ordinal = numbered(children(block.plan, table.spec, block.units.address[there]))
    unit = there[owner]
    return Rows(
        block=block,
        address=fold(block.units.address[unit], words(ordinal)),
        unit=unit,
        period=block.units.arrival[unit],
        ordinal=ordinal,
    )


add_kind(
    "child",
    KindWords(
        section="dimensions",
        recognise=lambda raw, unit: (
            raw.get("per", "unit") == "unit" and not raw.get("reference") and ("count" in raw or refers_to_a_dimension(raw))
        ),
        model=ChildDimension,
        knows=frozenset({"unit", "period", "key"}),
        key=lambda table, dataset: (key_name(table),),
        describe=lambda table, dataset: f"Rows that belong to a {dataset.unit}.",
        check=_check,
    ),
    Kind(_cut, _rows, state=True),
)
