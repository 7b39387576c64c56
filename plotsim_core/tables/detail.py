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
from plotsim_core.columns.row_relations import rows_of, rows_of_parents
from plotsim_core.columns.rows import Rows
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.model import Name, number_or_pair
from plotsim_core.config.read_tables import column
from plotsim_core.config.scope import Scope
from plotsim_core.config.table_kind import Knowledge
from plotsim_core.config.tables import Column, row_noun
from plotsim_core.config.words import capitalised, plural, range_text
from plotsim_core.engine.block import Block
from plotsim_core.engine.slice import Slice
from plotsim_core.errors import Problem
from plotsim_core.families import did_you_mean
from plotsim_core.numerics.arrays import Floats
from plotsim_core.plan.plan import Population, TablePlan
from plotsim_core.tables.estimate_sample import Sample
from plotsim_core.tables.fact import AnyFact
from plotsim_core.tables.kind import add_kind, table_kind
from plotsim_core.tables.proportional import cut_crowded
from plotsim_core.tables.timestamps import check_event

_MOST = 10_000


@add_kind
class DetailFact(AnyFact):
    """`children_per_row` rows, a number or [low, high], for each row of `parent_table`."""

    kind: ClassVar[str] = "detail"
    knows: ClassVar[frozenset[Knowledge]] = frozenset({"unit", "period", "cell", "metrics", "event", "key"})
    has_keyed_rows: ClassVar[bool] = True
    has_rows_each_period: ClassVar[bool] = True

    parent_table: Name
    """The fact or event whose rows these belong to."""
    children_per_row: Annotated[int | tuple[int, int], BeforeValidator(number_or_pair(_MOST))] = (1, 3)
    """How many rows belong to each, a number or [low, high]."""

    @property
    def per_row(self) -> tuple[int, int]:
        """The least and the most rows per row of the parent table."""
        return self.children_per_row if isinstance(self.children_per_row, tuple) else (self.children_per_row,) * 2

    @classmethod
    def recognise(cls, raw: Mapping[str, Any], unit: str) -> bool:
        return "parent_table" in raw

    @property
    def parent_name(self) -> str:
        return self.parent_table

    def leading_columns(self, dataset: Dataset) -> tuple[Column, ...]:
        """Return the column that names the row each belongs to, if that has a key and no column does yet."""
        key = key_column(next(other for other in dataset.tables if other.name == self.parent_table))
        if key is None or self.references_to(self.parent_table):
            return ()
        return (column(key.name, f"ref.{self.parent_table}"),)

    def describe(self, dataset: Dataset) -> str:
        noun = capitalised(plural(row_noun(self)))
        return f"{noun}, {range_text(self.per_row)} for each row of {self.parent_table}."

    def check(self, scope: Scope) -> Iterable[Problem]:
        yield from check_event(self, scope)
        yield from super().check(scope)
        name = self.parent_table
        parents = [other for other in scope.tables if is_row(other, scope) and other != self.name]
        parent = scope.tables[name].table if name in scope.tables else None
        if name not in scope.tables:
            yield Problem("parent_table", f"no fact or event is named '{name}'", did_you_mean(name, parents))
        elif not is_row(name, scope):
            yield Problem("parent_table", f"{name} is a dimension; rows belong to those of a fact or event")
        elif name == self.name or self.name in ancestors(self, scope):
            yield Problem("parent_table", f"rows of {self.name} would belong to rows of {self.name}")
        elif parent is not None and "crowd" in parent.knows:
            yield Problem("parent_table", f"rows of {name} are of no {scope.unit}")

    def cut(self, population: Population, slice_: Slice) -> Iterator[Slice]:
        return cut_crowded(population, slice_)

    def rows_in(self, table: TablePlan, block: Block) -> Rows:
        return rows_of_parents(table, rows_of(block.population, self.parent_table, block.slice))

    def expect(self, table: TablePlan, sample: Sample) -> Floats:
        parent = sample.population.table(self.parent_table)
        return table_kind(parent).expect(parent, sample) * (sum(self.per_row) / 2)
