"""Rows per row of a plain table, or of what belongs to one: the stages of a job, the tasks of a stage.

They are as timeless as their parents, and are cut by the rows of the plain table that they belong to in the end, so that a
part of them is made from a part of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import ClassVar

import numpy as np

from plotsim_core.columns.earlier_rows import ancestors
from plotsim_core.columns.primary_key import key_column
from plotsim_core.columns.row_kind import Targets
from plotsim_core.columns.row_relations import row_counts_of, rows_of_parents
from plotsim_core.columns.rows import Rows
from plotsim_core.config.scope import Scope
from plotsim_core.config.table_kind import Knowledge
from plotsim_core.engine.block import Block
from plotsim_core.engine.slice import CHUNK, Slice, by_row
from plotsim_core.errors import Problem, value_text
from plotsim_core.numerics.arrays import Floats, Integers
from plotsim_core.plan.plan import ColumnPlan, Population, TablePlan
from plotsim_core.tables.drawn_rows import Reach, drawn_targets, lineage
from plotsim_core.tables.estimate_sample import Sample
from plotsim_core.tables.kind import Cut, add_kind, table_kind
from plotsim_core.tables.rows_of_rows import RowsOfRows

_SAMPLED = 256
"""Plain rows that tell how many rows belong to each, where a column says it."""


class OfPlainRows(RowsOfRows):
    """Rows per row of a plain table, with moments or without, or of what belongs to one: they are of no unit."""

    is_sampled: ClassVar[bool] = False
    has_unit_rows: ClassVar[bool] = False

    def check(self, scope: Scope) -> Iterable[Problem]:
        yield from super().check(scope)
        yield from self._check_references(scope)

    def _check_references(self, scope: Scope) -> Iterable[Problem]:
        """Yield why others cannot refer to its rows, if they do."""
        tables = [declared.table for declared in scope.tables.values() if declared.table is not None]
        if not any(table.references_to(self.name) and self.name not in ancestors(table, scope) for table in tables):
            return
        least, most = self.rows.bounds
        if key_column(self) is None:
            yield Problem("columns", f"{self.name} has no column of type id, and other tables refer to its rows")
        if most is None:
            yield Problem("rows", "has no bound, and other tables refer to its rows", "add between: [1, 20]")
        elif least == 0:
            message = f"{value_text((least, most))} leaves rows of {self.per} without any, but other tables refer to them"
            yield Problem("rows", message, "begin at 1")

    def notes(self) -> Iterable[Problem]:
        if self.rows.total is not None:
            yield Problem("rows.exact", f"more rows of {self.per}, or another number in all, give each another part")


@add_kind
class PlainChildren(OfPlainRows):
    """Rows per row of a plain table, or of what belongs to one: the stages of a job, the tasks of a stage.

    A row is told by its column of type id, or by the key of the row that it belongs to and its `sequence` in that.
    """

    form: ClassVar[str] = "children of plain rows"
    root: ClassVar[tuple[str, ...]] = ()
    is_dimension: ClassVar[bool] = True
    knows: ClassVar[frozenset[Knowledge]] = frozenset({"key", "number"})
    is_state: ClassVar[bool] = True
    is_constant: ClassVar[bool] = True

    def cuts(self, population: Population, table: TablePlan) -> tuple[Cut, ...]:
        return ("rows",)

    def cut(self, population: Population, slice_: Slice) -> Iterator[Slice]:
        return by_row(slice_, self.row_total(population), chunk_of(population, self.name))

    def row_total(self, population: Population) -> int:
        return table_kind(population.table(self.per)).row_total(population)

    def targets(self, column: ColumnPlan, table: TablePlan, rows: Rows, parent: TablePlan) -> Targets:
        """Return any rows, each as likely."""
        total = self.row_total(rows.block.population)
        reach = Reach(np.zeros(len(rows), dtype=np.int64), np.full(len(rows), total, dtype=np.int64))
        return drawn_targets(column, table, rows, parent, reach)

    def expect(self, table: TablePlan, sample: Sample) -> Floats:
        total = self.row_total(sample.population) * rows_per_root(sample.population, self.name)
        return np.full(len(sample.periods), float(total))

    def declared_rows(self, table: TablePlan, population: Population, periods: Integers) -> Integers | None:
        """Return the number in all where the config gives it, or where each row of the plain table has as many."""
        steps = lineage(population, table)
        bounds = [step.spec.row_count.bounds for step in steps if step.spec.row_count is not None]
        if any(step.spec.filter is not None for step in steps):
            return None
        total = None if self.row_count is None else self.row_count.total
        if total is None and all(least == most for least, most in bounds):
            total = self.row_total(population) * math.prod(least for least, _ in bounds)
        return None if total is None else np.full(len(periods), total, dtype=np.int64)


def chunk_of(population: Population, name: str) -> int:
    """Return how many rows of the plain table a block of a table that belongs to it is made of."""
    return max(1, CHUNK // math.ceil(max(1.0, rows_per_root(population, name))))


def rows_per_root(population: Population, name: str) -> float:
    """Return how many rows of a table belong on average to a row of the plain table that it belongs to in the end."""
    spec = population.table(name).spec
    if spec.parent_name is None:
        return 1.0
    count = spec.row_count
    if count is not None and count.total is not None:
        parent = population.table(spec.parent_name).spec
        return count.total / (parent.rows_per_span or parent.length)
    mean = 1.0 if count is None else count.mean
    if count is not None and count.read_columns:
        mean = _sampled_mean(population, name)
    return rows_per_root(population, spec.parent_name) * mean


@lru_cache(maxsize=64)
def _sampled_mean(population: Population, name: str) -> float:
    """Return how many rows of a table belong to a row of its parent on average, as the first of the plain rows say."""
    root, *path, table = lineage(population, population.table(name))
    span = Slice(population.first, population.first + population.span, 0, 0)
    numbers = np.arange(min(_SAMPLED, root.spec.rows_per_span or root.spec.length), dtype=np.int64)
    rows = table_kind(root).numbered_rows(root, Block(population, span), numbers)
    for step in path:
        rows = rows_of_parents(step, rows)
    return float(row_counts_of(table, rows).mean()) if len(rows) else 1.0
