"""A fact with `parent_table`: rows that belong to rows of another fact or event, `children_per_row` to each.

Unit, period and moment are those of the row they belong to, and so is what they refer to where both have a column of one
name and type. The key of the row that they belong to comes by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator

from plotsim_core.columns.earlier_rows import ancestors, is_row
from plotsim_core.columns.primary_key import key_column
from plotsim_core.columns.row_relations import row_counts_of, rows_of
from plotsim_core.columns.sequence import place_column
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.model import Name, number_or_pair
from plotsim_core.config.read_columns import column
from plotsim_core.config.row_counts import Between, between
from plotsim_core.config.scope import Scope
from plotsim_core.config.table_kind import Knowledge
from plotsim_core.config.table_shape import CELL
from plotsim_core.config.tables import Column
from plotsim_core.engine.slice import Slice, full_slice
from plotsim_core.errors import Problem
from plotsim_core.families import did_you_mean
from plotsim_core.numerics.arrays import Floats
from plotsim_core.plan.plan import Population, TablePlan
from plotsim_core.tables.cell_rows import cut_crowded
from plotsim_core.tables.estimate_sample import Sample
from plotsim_core.tables.fact import AnyFact
from plotsim_core.tables.kind import add_kind, table_kind
from plotsim_core.tables.rows_of_rows import RowsOfRows, RowsPerRow
from plotsim_core.tables.timestamps import check_event

_MOST = 10_000
_SAMPLED = 256
"""Units that tell how many rows belong to a row of the parent table, where a column says it."""


class RowChildren(RowsPerRow, AnyFact):
    """Rows that belong to rows of a table whose rows happen."""

    knows: ClassVar[frozenset[Knowledge]] = frozenset({"unit", "period", "cell", "metrics", "event", "key", "number"})
    has_keyed_rows: ClassVar[bool] = True
    has_rows_each_period: ClassVar[bool] = True

    def check(self, scope: Scope) -> Iterable[Problem]:
        yield from super().check(scope)
        name = self.parent_name
        parents = [other for other in scope.tables if is_row(other, scope) and other != self.name]
        parent = scope.tables[name].table if name in scope.tables else None
        if name not in scope.tables:
            yield Problem("per", f"no fact or event is named '{name}'", did_you_mean(name, parents))
        elif not is_row(name, scope):
            yield Problem("per", f"{name} is a dimension; rows belong to those of a fact or event")
        elif name == self.name or self.name in ancestors(self, scope):
            yield Problem("per", f"rows of {self.name} would belong to rows of {self.name}")
        elif parent is not None and "crowd" in parent.knows:
            yield Problem("per", f"rows of {name} are of no {scope.unit}")

    def cut(self, population: Population, slice_: Slice) -> Iterator[Slice]:
        return cut_crowded(population, slice_)

    def expect(self, table: TablePlan, sample: Sample) -> Floats:
        parent = sample.population.table(self.parent_name)
        return table_kind(parent).expect(parent, sample) * self._mean_rows(sample.population)

    def _mean_rows(self, population: Population) -> float:
        """Return how many rows belong to a row of the parent table: where a column says it, in the first period that has
        any, of some units."""
        if not self.row_count.read_columns:
            return self.row_count.mean
        parent, table = population.table(self.parent_name), population.table(self.name)
        for period in range(population.first, population.first + population.span):
            units = min(_SAMPLED, full_slice(population, period, period + 1).unit_stop)
            rows = rows_of(population, parent.name, Slice(period, period + 1, 0, units))
            if len(rows):
                return float(row_counts_of(table, rows).mean())
        return self.row_count.mean


@add_kind
class ChildRows(RowsOfRows, RowChildren):
    """Rows per row of a table whose rows happen: the lines of an order. Their moment is that of the row they belong to.

    A row is told by its column of type id, or by the key of the row that it belongs to and its `sequence` in that.
    """

    form: ClassVar[str] = "children of rows"
    root: ClassVar[tuple[str, ...]] = CELL


@add_kind
class DetailFact(RowChildren):
    """`children_per_row` rows, a number or [low, high], for each row of `parent_table`. It is a short way to say `per` and
    `rows`."""

    form: ClassVar[str] = "detail"
    written: ClassVar[Mapping[str, str]] = {"per": "parent_table", "rows": "children_per_row"}

    parent_table: Name
    """The fact or event whose rows these belong to."""
    children_per_row: Annotated[int | tuple[int, int], BeforeValidator(number_or_pair(_MOST))] = (1, 3)
    """How many rows belong to each, a number or [low, high]."""

    @classmethod
    def recognise(cls, raw: Mapping[str, Any], unit: str) -> bool:
        return "parent_table" in raw

    @property
    def row_count(self) -> Between:
        return between(self.children_per_row)

    @property
    def parent_name(self) -> str:
        return self.parent_table

    def leading_columns(self, dataset: Dataset) -> tuple[Column, ...]:
        """Return the columns of the key of the row each belongs to, if that has a key and no column does yet."""
        parent = next(other for other in dataset.all_tables if other.name == self.parent_table)
        key, place = key_column(parent), place_column(parent)
        if key is not None:
            return () if self.references_to(parent.name) else (column(key.name, f"ref.{parent.name}"),)
        if place is None:
            return ()
        columns = {other.name: other for other in (*parent.leading_columns(dataset), *parent.columns)}
        above = [columns[name] for name in parent.key_columns(dataset) if name != place.name]
        return (
            *(column(other.name, other.type) for other in above),
            column(place.name, f"lookup.{parent.name}.{place.name}"),
        )

    def check(self, scope: Scope) -> Iterable[Problem]:
        yield from check_event(self, scope)
        yield from super().check(scope)
