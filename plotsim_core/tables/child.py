"""A dimension of the unit's children (`per: unit` with a reference to the unit's dimension): a company's users, say.

Children arrive with their unit. `count` is how many each unit has, a number or [low, high].
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

import numpy as np
from pydantic import BeforeValidator

from plotsim_core.columns.foreign_key import child_counts
from plotsim_core.columns.rows import Rows, sibling_numbers
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import KindWords, Table, row_noun
from plotsim_core.config.words import capitalised, phrase, plural, range_text
from plotsim_core.engine.block import Block
from plotsim_core.engine.slice import Slice, by_unit
from plotsim_core.errors import Problem, value_text
from plotsim_core.numerics.random import Floats, fold, words
from plotsim_core.plan.plan import Plan, TablePlan
from plotsim_core.tables.date import key_name, needs_key
from plotsim_core.tables.estimate_sample import Sample
from plotsim_core.tables.kind import Kind, add_kind
from plotsim_core.tables.unit import refers_to_a_dimension

_MOST = 100_000


def _number_or_pair(value: object) -> object:
    pair = [value, value] if isinstance(value, int) and not isinstance(value, bool) else value
    is_pair = isinstance(pair, list | tuple) and len(pair) == 2 and all(type(end) is int for end in pair)
    if not is_pair or not 0 <= pair[0] <= pair[1] <= _MOST or pair[1] == 0:  # type: ignore[index]
        raise ValueError(f"expected a whole number or [low, high], from 1 to {_MOST}, found {value_text(value)}")
    return value


class ChildDimension(Table):
    """Some rows per unit.

    `per`: that its rows belong to units, as it is unless a dimension says otherwise. `count`: how many each unit has, a
    number or [low, high].
    """

    per: Literal["unit"] = "unit"
    count: Annotated[int | tuple[int, int], BeforeValidator(_number_or_pair)] = 1

    @property
    def per_unit(self) -> tuple[int, int]:
        """The least and the most rows per unit."""
        return self.count if isinstance(self.count, tuple) else (self.count, self.count)


def _check(table: ChildDimension, scope: Scope) -> Iterable[Problem]:
    yield from needs_key(table, scope)
    unit = scope.dimension("unit")
    is_single = table.per_unit == (1, 1) and not refers_to_a_dimension(table.model_dump())
    if unit is not None and not is_single and not table.references_to(unit.name):
        yield Problem("columns", f"{table.name} has rows per {scope.unit}, so it needs a column of type ref.{unit.name}")
    if table.per_unit[0] == 0 and any(
        declared.table.references_to(table.name) for declared in scope.tables.values() if declared.table is not None
    ):
        message = f"{value_text(table.per_unit)} leaves units without rows, but other tables refer to them"
        yield Problem("count", message, "begin at 1")


def _cut(plan: Plan, slice_: Slice) -> Iterator[Slice]:
    return by_unit(Slice(slice_.stop - 1, slice_.stop, slice_.unit_first, slice_.unit_stop))


def _rows(table: TablePlan, block: Block) -> Rows:
    arrived = np.flatnonzero(block.units.arrival < block.slice.stop)
    owner, ordinal = sibling_numbers(child_counts(block.plan, table.spec, block.units.address[arrived]))
    unit = arrived[owner]
    return Rows(
        block=block,
        address=fold(block.units.address[unit], words(ordinal)),
        unit=unit,
        period=block.units.arrival[unit],
        ordinal=ordinal,
    )


def _expect(table: TablePlan, sample: Sample) -> Floats:
    return sample.total(lambda units: sample.arrived(units) * child_counts(sample.plan, table.spec, units.address))


def _describe(table: ChildDimension, dataset: Dataset) -> str:
    return f"{capitalised(plural(row_noun(table)))}, {range_text(table.per_unit)} for each {phrase(dataset.unit)}."


add_kind(
    "child",
    KindWords(
        section="dimensions",
        recognise=lambda raw, unit: (
            raw.get("per") == "unit" and not raw.get("reference") and ("count" in raw or refers_to_a_dimension(raw))
        ),
        model=ChildDimension,
        knows=frozenset({"unit", "period", "key", "number"}),
        key=lambda table, dataset: (key_name(table),),
        describe=_describe,
        check=_check,
    ),
    Kind(_cut, _rows, _expect, state=True),
)
