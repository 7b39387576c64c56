"""A table kind of somebody else: milestones of units. Who uses it makes it known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from plotsim_core.columns.rows import Rows
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.table_kind import Knowledge, Section
from plotsim_core.engine.block import Block
from plotsim_core.engine.lifetimes import alive
from plotsim_core.plan.plan import TablePlan
from plotsim_core.tables.kind import TableKind


class Milestone(TableKind):
    """A row for each unit again and again."""

    kind: ClassVar[str] = "milestone"
    section: ClassVar[Section] = "facts"
    knows: ClassVar[frozenset[Knowledge]] = frozenset({"unit", "period", "cell", "metrics", "key"})
    after: int
    """After how many periods of its life."""

    @classmethod
    def recognise(cls, raw: Mapping[str, Any], unit: str) -> bool:
        return "after" in raw

    def describe(self, dataset: Dataset) -> str:
        return f"Milestones of each {dataset.unit}, every {self.after} periods of its life."

    def rows_in(self, table: TablePlan, block: Block) -> Rows:
        age = block.periods[:, None] - block.units.arrival[None, :]
        cell = np.flatnonzero((alive(block) & (age > 0) & (age % self.after == 0)).ravel())
        period, unit = np.divmod(cell, len(block.units))
        address = block.address.ravel()[cell]
        return Rows(block=block, address=address, unit=unit, period=block.periods[period], cell=cell)
