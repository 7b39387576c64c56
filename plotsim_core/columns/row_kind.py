"""The part of a table kind that columns ask for: its rows in a block, and the rows of it that others refer to."""

from __future__ import annotations

from dataclasses import dataclass

from plotsim_core.arrow import ArrowArray, taken
from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import fill
from plotsim_core.config.tables import Table
from plotsim_core.engine.block import Block
from plotsim_core.errors import UsageError
from plotsim_core.numerics.arrays import Integers
from plotsim_core.plan.plan import ColumnPlan, TablePlan


@dataclass(frozen=True, eq=False)
class Targets:
    """Targets of references: `rows` of a `table`, and the position in them of each row's target (-1: none)."""

    table: TablePlan
    rows: Rows
    positions: Integers

    def values(self, column: ColumnPlan) -> ArrowArray:
        """Return a column of the table, one value per row that refers to it."""
        return taken(fill(column, self.table, self.rows), self.positions, self.positions < 0)


class RowKind(Table):
    """A kind of table with rows."""

    def rows_in(self, table: TablePlan, block: Block) -> Rows:
        """Return the rows of a table of this kind in a block. Raises UsageError for a kind that is made of the rows of
        others."""
        raise UsageError(f"{table.name} is made of the rows of other tables: ask for those")

    def rows_of_units(self, table: TablePlan, block: Block, units: Integers) -> Rows:
        """Return the rows that come with some units of a block (indexes in it), in the order of these."""
        raise UsageError(f"rows of {table.name} do not come with units")

    def targets(self, column: ColumnPlan, table: TablePlan, rows: Rows, parent: TablePlan) -> Targets:
        """Return the rows of `parent`, a table of this kind, that the rows of `table` refer to by `column`. Raises
        UsageError for a kind whose rows nothing refers to."""
        raise UsageError(f"rows of {parent.name} cannot be referred to by {table.name}.{column.name}")


def row_kind(table: TablePlan) -> RowKind:
    """Return a table's kind."""
    if not isinstance(table.spec, RowKind):
        raise TypeError(f"{table.name} is of no table kind: {type(table.spec).__name__}")
    return table.spec
