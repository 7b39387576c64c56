"""`segment.<fact>`: a fact of the segment of the row's unit: its `name`, the `count` of its units, or the arm of its
`treatment` that the unit is in (null where the segment has none)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import pyarrow as pa

from plotsim_core.arrow import ArrowArray
from plotsim_core.columns.rows import Rows, gathered
from plotsim_core.columns.source import ColumnSource, add_source
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, Table
from plotsim_core.config.words import phrase
from plotsim_core.engine.block import Block
from plotsim_core.errors import Problem
from plotsim_core.plan.plan import ColumnPlan, TablePlan

_DESCRIPTIONS = {
    "name": "Name of the {unit}'s segment.",
    "count": "Number of units in the {unit}'s segment.",
    "treatment": "Arm of the experiment that the {unit} is in, null outside it.",
}


@add_source
class SegmentFact(ColumnSource):
    """`fact` is name, count or treatment."""

    word = "segment"
    in_cases = True
    example = "segment.name"
    in_texts = True
    argument = "fact"
    needs = frozenset({"unit"})
    in_structs = True

    fact: Literal["name", "count", "treatment"]
    """Name, count or treatment."""

    def arrow_type(self, column: Column, dataset: Dataset) -> pa.DataType:
        return pa.int64() if self.fact == "count" else pa.string()

    def check(self, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
        if self.fact == "treatment" and scope.segments and all(segment.treatment is None for segment in scope.segments):
            yield Problem("type", "no segment has a `treatment` whose arms it could tell")

    def describe(self, column: Column, table: Table, dataset: Dataset) -> str:
        return _DESCRIPTIONS[self.fact].format(unit=phrase(dataset.unit))

    def is_nullable(self, column: Column, dataset: Dataset) -> bool:
        return self.fact == "treatment" and any(segment.treatment is None for segment in dataset.segments)

    def possible_values(self, table: Table, scope: Scope) -> list[str] | None:
        if self.fact == "name":
            return [segment.name for segment in scope.segments]
        arms = [segment.treatment for segment in scope.segments if segment.treatment is not None]
        labels = [label for arm in arms for label in (arm.control_label, arm.treatment_label)]
        return list(dict.fromkeys(labels)) if self.fact == "treatment" else None

    def listed_texts(self, dataset: Dataset) -> list[str]:
        return [segment.name for segment in dataset.segments] if self.fact == "name" else []

    def fill(self, column: ColumnPlan, table: TablePlan, rows: Rows) -> ArrowArray:
        segments = rows.block.population.segments
        if self.fact == "treatment":
            return arms(rows.block).take(rows.unit).cast(column.type)
        values = [segment.spec.name if self.fact == "name" else segment.count for segment in segments]
        return gathered(values, rows.block.units.segment[rows.unit], column.type)


def arms(block: Block) -> ArrowArray:
    """Return the arm of each unit of a block, null where its segment has no experiment."""
    treatments = [segment.spec.treatment for segment in block.population.segments]
    labels = [
        label
        for treatment in treatments
        for label in ((treatment.control_label, treatment.treatment_label) if treatment else (None, None))
    ]
    return pa.array(labels, pa.string()).take(2 * block.units.segment + block.units.treated)
