"""Rows per row of a table of rows per unit, at any depth: the chips of a customer's cards, the keys of a chip.

They arrive with their unit, as the rows that they belong to do, and are cut by units. A reference goes to one of the rows of
the row's own unit, of which all are made: there are as many as a unit has.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import ClassVar

import numpy as np

from plotsim_core.columns.kept_rows import kept_rows
from plotsim_core.columns.primary_key import key_column
from plotsim_core.columns.row_kind import Targets
from plotsim_core.columns.row_relations import rows_of_parents
from plotsim_core.columns.rows import Rows
from plotsim_core.config.scope import Scope
from plotsim_core.config.table_kind import Knowledge
from plotsim_core.config.table_shape import UNIT
from plotsim_core.engine.block import Block
from plotsim_core.engine.slice import CHUNK, Slice, by_unit
from plotsim_core.errors import Problem
from plotsim_core.numerics.arrays import Floats, Integers
from plotsim_core.plan.plan import ColumnPlan, Population, TablePlan
from plotsim_core.tables.estimate_sample import Sample
from plotsim_core.tables.kind import add_kind, table_kind
from plotsim_core.tables.rows_of_rows import RowsOfRows
from plotsim_core.tables.unit_targets import targets_of_units


@add_kind
class UnitDescendants(RowsOfRows):
    """Rows per row of a table of rows per unit, or of what belongs to one: the chips of a customer's cards. They
    are there as long as their unit is.

    A row is told by its column of type id, or by the key of the row that it belongs to and its `sequence` in that.
    """

    form: ClassVar[str] = "descendants of units"
    root: ClassVar[tuple[str, ...]] = (UNIT,)
    is_dimension: ClassVar[bool] = True
    knows: ClassVar[frozenset[Knowledge]] = frozenset({"unit", "period", "key", "number"})
    comes_with_units: ClassVar[bool] = True
    is_state: ClassVar[bool] = True
    popularity: ClassVar[tuple[str, ...]] = ("distribution", "exponent")

    def check(self, scope: Scope) -> Iterable[Problem]:
        yield from super().check(scope)
        parent = scope.tables[self.per].table
        if parent is None:
            return
        if parent.is_unit_dimension:
            yield Problem("per", f"a row of {self.per} is a {scope.unit}", f"write per: {scope.unit}")
        elif parent.section == "dimensions" and key_column(parent) is None:
            yield Problem("per", f"the rows of {self.per} have no key of their own", "give them a column of type id")

    def rows_of_units(self, table: TablePlan, block: Block, units: Integers) -> Rows:
        parent = block.population.table(self.per)
        return kept_rows(table, rows_of_parents(table, table_kind(parent).rows_of_units(parent, block, units)))

    def targets(self, column: ColumnPlan, table: TablePlan, rows: Rows, parent: TablePlan) -> Targets:
        """Return one of the rows of each row's unit; none where it has none."""
        return targets_of_units(column, table, rows, parent)

    def cut(self, population: Population, slice_: Slice) -> Iterator[Slice]:
        last = Slice(slice_.stop - 1, slice_.stop, slice_.unit_first, slice_.unit_stop)
        return by_unit(last, max(1, CHUNK // math.ceil(max(1.0, _rows_per_unit(population, self.name)))))

    def expect(self, table: TablePlan, sample: Sample) -> Floats:
        parent = sample.population.table(self.per)
        return table_kind(parent).expect(parent, sample) * _mean_count(sample.population, table)


def _rows_per_unit(population: Population, name: str) -> float:
    """Return about how many rows of a table a unit has."""
    table = population.table(name)
    parent = table.spec.parent_name
    return _mean_count(population, table) * (1.0 if parent is None else _rows_per_unit(population, parent))


def _mean_count(population: Population, table: TablePlan) -> float:
    """Return about how many rows of a table belong to each row of its parent, or to each unit."""
    count = table.spec.row_count
    if count is None:
        return 1.0
    return float(np.mean([count.of_segment(segment.spec.name).mean for segment in population.segments]))
