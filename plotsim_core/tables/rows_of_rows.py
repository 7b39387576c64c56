"""Children: rows per row of another table, at any depth. Here is what all their forms say. A form is by what its rows belong
to in the end: plain rows, rows in time, units, rows of cells."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar

from plotsim_core.columns.kept_rows import kept_rows
from plotsim_core.columns.row_relations import rows_in_block, rows_of_parents
from plotsim_core.columns.rows import Rows
from plotsim_core.config.column_source import Origin
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.filtered import FilteredTable
from plotsim_core.config.model import Name
from plotsim_core.config.row_count import RowCount, WrittenRowCount
from plotsim_core.config.scope import Scope
from plotsim_core.config.table_kind import Section
from plotsim_core.config.table_shape import Shape, Spelling, spelled
from plotsim_core.config.tables import row_noun
from plotsim_core.config.words import capitalised, plural
from plotsim_core.engine.block import Block
from plotsim_core.errors import Problem
from plotsim_core.plan.plan import TablePlan
from plotsim_core.tables.kind import TableKind, needs_number, sibling_key

CHILDREN = "children"
"""Name of the kind."""


class RowsPerRow(TableKind):
    """Rows that belong to the rows of a table, as many of each as `row_count` says, in whatever words."""

    kind: ClassVar[str] = CHILDREN

    @property
    def row_count(self) -> RowCount:
        raise NotImplementedError(f"{type(self).__name__} has no number of rows")

    @property
    def parent_name(self) -> str:
        raise NotImplementedError(f"{type(self).__name__} has no parent table")

    def describe(self, dataset: Dataset) -> str:
        return f"{capitalised(plural(row_noun(self)))}, {self.row_count.describe()} for each row of {self.parent_name}."

    def check(self, scope: Scope) -> Iterable[Problem]:
        yield from super().check(scope)
        yield from self.row_count.check(self, scope)

    def rows_in(self, table: TablePlan, block: Block) -> Rows:
        return kept_rows(table, rows_of_parents(table, rows_in_block(block.population.table(self.parent_name), block)))


class RowsOfRows(RowsPerRow, FilteredTable):
    """Some rows for each row of another table: the lines of an order, the stages of a job, the tasks of a stage.

    A row is told by its column of type id, or by the key of the row that it belongs to and its `sequence` in that.
    """

    section: ClassVar[Section] = "tables"
    root: ClassVar[tuple[str, ...]]
    """What the table counts as that they belong to in the end (`Shape.root`)."""

    per: Name
    """The table whose rows these belong to."""
    rows: WrittenRowCount
    """How many belong to each."""

    @classmethod
    def of_shape(cls, shape: Shape) -> Spelling | None:
        is_child = shape.parent is not None and shape.per == (shape.parent,) and shape.root == cls.root
        if not is_child or "when" in shape.raw:
            return None
        return spelled(shape, per=shape.parent, rows=shape.raw.get("rows", 1))

    @property
    def row_count(self) -> RowCount:
        return self.rows

    @property
    def parent_name(self) -> str:
        return self.per

    def row_origins(self) -> Iterator[Origin]:
        yield from super().row_origins()
        yield from ((self.per, name) for name in self.rows.read_columns)

    def key_columns(self, dataset: Dataset) -> tuple[str, ...]:
        return sibling_key(self)

    def check(self, scope: Scope) -> Iterable[Problem]:
        yield from super().check(scope)
        yield from needs_number(self)
