"""A dimension of the unit's children (`per: unit` with a reference to the unit's dimension): a company's users, say.

Children arrive with their unit. `count` is how many each unit has, a number or [low, high].
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import BeforeValidator

from plotsim_core.columns.foreign_key import child_counts, reference_of
from plotsim_core.columns.popularity import popular_indexes
from plotsim_core.columns.row_kind import Targets
from plotsim_core.columns.rows import Rows, sibling_numbers
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.model import number_or_pair
from plotsim_core.config.scope import Scope
from plotsim_core.config.table_kind import Knowledge, Section
from plotsim_core.config.tables import row_noun
from plotsim_core.config.words import capitalised, phrase, plural, range_text
from plotsim_core.engine.block import Block
from plotsim_core.errors import Problem, value_text
from plotsim_core.numerics.arrays import Floats
from plotsim_core.numerics.random import fold, words
from plotsim_core.plan.plan import ColumnPlan, TablePlan
from plotsim_core.tables.estimate_sample import Sample
from plotsim_core.tables.kind import TableKind, add_kind, needs_key
from plotsim_core.tables.unit import refers_to_a_dimension

_MOST = 100_000


@add_kind
class ChildDimension(TableKind):
    """Some rows per unit."""

    kind: ClassVar[str] = "child"
    section: ClassVar[Section] = "dimensions"
    knows: ClassVar[frozenset[Knowledge]] = frozenset({"unit", "period", "key", "number"})
    is_of_units: ClassVar[bool] = True
    is_state: ClassVar[bool] = True
    is_sampled: ClassVar[bool] = False
    popularity: ClassVar[tuple[str, ...]] = ("distribution", "exponent")

    per: Literal["unit"] = "unit"
    """That its rows belong to units, as it is unless a dimension says otherwise."""
    count: Annotated[int | tuple[int, int], BeforeValidator(number_or_pair(_MOST))] = 1
    """How many each unit has, a number or [low, high]."""

    @property
    def per_unit(self) -> tuple[int, int]:
        """The least and the most rows per unit."""
        return self.count if isinstance(self.count, tuple) else (self.count, self.count)

    @classmethod
    def recognise(cls, raw: Mapping[str, Any], unit: str) -> bool:
        return raw.get("per") == "unit" and not raw.get("reference") and ("count" in raw or refers_to_a_dimension(raw))

    def describe(self, dataset: Dataset) -> str:
        return f"{capitalised(plural(row_noun(self)))}, {range_text(self.per_unit)} for each {phrase(dataset.unit)}."

    def check(self, scope: Scope) -> Iterable[Problem]:
        yield from needs_key(self)
        unit = scope.unit_dimension
        is_single = self.per_unit == (1, 1) and not refers_to_a_dimension(self.model_dump())
        if unit is not None and not is_single and not self.references_to(unit.name):
            yield Problem("columns", f"{self.name} has rows per {scope.unit}, so it needs a column of type ref.{unit.name}")
        if self.per_unit[0] == 0 and any(
            declared.table.references_to(self.name) for declared in scope.tables.values() if declared.table is not None
        ):
            message = f"{value_text(self.per_unit)} leaves units without rows, but other tables refer to them"
            yield Problem("count", message, "begin at 1")

    def rows_in(self, table: TablePlan, block: Block) -> Rows:
        arrived = np.flatnonzero(block.units.arrival < block.slice.stop)
        owner, ordinal = sibling_numbers(child_counts(block.population, self, block.units.address[arrived]))
        unit = arrived[owner]
        return Rows(
            block=block,
            address=fold(block.units.address[unit], words(ordinal)),
            unit=unit,
            period=block.units.arrival[unit],
            ordinal=ordinal,
        )

    def targets(self, column: ColumnPlan, table: TablePlan, rows: Rows, parent: TablePlan) -> Targets:
        """Return one of the children of each row's unit."""
        block, options = rows.block, reference_of(column)
        counts = child_counts(block.population, self, block.units.address)[rows.unit]
        numbers = popular_indexes(options, counts, rows.uniforms(table, column))
        child_rows = Rows(
            block=block,
            address=fold(block.units.address[rows.unit], words(numbers)),
            unit=rows.unit,
            period=block.units.arrival[rows.unit],
            ordinal=numbers,
        )
        return Targets(parent, child_rows, np.arange(len(rows), dtype=np.int64))

    def expect(self, table: TablePlan, sample: Sample) -> Floats:
        return sample.total(lambda units: sample.has_arrived(units) * child_counts(sample.population, self, units.address))
