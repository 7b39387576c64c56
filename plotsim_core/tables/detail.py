"""A fact with `parent_table`: rows that belong to rows of another fact or event, `children_per_row` to each.

Unit, period and moment are those of the row they belong to, and so is what they refer to where both have a column of one
name and type. The key of the row that they belong to comes by itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from pydantic import BeforeValidator

from plotsim_core.columns.earlier_rows import ancestors, is_row
from plotsim_core.columns.foreign_key import Reference
from plotsim_core.columns.primary_key import key_column
from plotsim_core.columns.row_relations import rows_of, rows_of_parents
from plotsim_core.columns.rows import Rows
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.model import Name
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, KindWords, Table, row_noun
from plotsim_core.config.words import capitalised, plural, range_text
from plotsim_core.engine.block import Block
from plotsim_core.errors import Problem, value_text
from plotsim_core.families import did_you_mean
from plotsim_core.numerics.random import Floats
from plotsim_core.plan.plan import TablePlan
from plotsim_core.tables.date import key_name
from plotsim_core.tables.estimate_sample import Sample
from plotsim_core.tables.fact import AnyFact, added_columns, check_metrics, date_column
from plotsim_core.tables.kind import KINDS, Kind, add_kind
from plotsim_core.tables.proportional import cut_crowded
from plotsim_core.tables.timestamps import check_event

_MOST = 10_000


def _number_or_pair(value: object) -> object:
    pair = [value, value] if isinstance(value, int) and not isinstance(value, bool) else value
    is_pair = isinstance(pair, list | tuple) and len(pair) == 2 and all(type(end) is int for end in pair)
    if not is_pair or not 0 <= pair[0] <= pair[1] <= _MOST or pair[1] == 0:  # type: ignore[index]
        raise ValueError(f"expected a whole number or [low, high], from 1 to {_MOST}, found {value_text(value)}")
    return value


class DetailFact(AnyFact):
    """`children_per_row` rows, a number or [low, high], for each row of `parent_table`."""

    parent_table: Name
    children_per_row: Annotated[int | tuple[int, int], BeforeValidator(_number_or_pair)] = (1, 3)

    @property
    def per_row(self) -> tuple[int, int]:
        """The least and the most rows per row of the parent table."""
        return self.children_per_row if isinstance(self.children_per_row, tuple) else (self.children_per_row,) * 2


def _check(table: DetailFact, scope: Scope) -> Iterable[Problem]:
    yield from check_event(table, scope)
    yield from check_metrics(table, scope)
    name = table.parent_table
    parents = [other for other in scope.tables if is_row(other, scope) and other != table.name]
    if name not in scope.tables:
        yield Problem("parent_table", f"no fact or event is named '{name}'", did_you_mean(name, parents))
    elif not is_row(name, scope):
        yield Problem("parent_table", f"{name} is a dimension; rows belong to those of a fact or event")
    elif name == table.name or table.name in ancestors(table, scope):
        yield Problem("parent_table", f"rows of {table.name} would belong to rows of {table.name}")
    elif getattr(scope.tables[name].table, "per", None):
        yield Problem("parent_table", f"rows of {name} are of no {scope.unit}")


def _parent_key(table: Table, dataset: Dataset) -> tuple[Column, ...]:
    """Return the column that names the row each belongs to, if that has a key and no column does yet."""
    name = getattr(table, "parent_table", "")
    key = key_column(next(other for other in dataset.tables if other.name == name))
    if key is None or table.references_to(name):
        return ()
    return (Column(name=key.name, type=f"ref.{name}", source=Reference(table=name)),)


def _rows(table: TablePlan, block: Block) -> Rows:
    assert isinstance(table.spec, DetailFact)
    return rows_of_parents(table, rows_of(block.plan, table.spec.parent_table, block.slice))


def _expect(table: TablePlan, sample: Sample) -> Floats:
    assert isinstance(table.spec, DetailFact)
    parent = sample.plan.table(table.spec.parent_table)
    return KINDS[parent.kind].expect(parent, sample) * (sum(table.spec.per_row) / 2)


add_kind(
    "detail",
    KindWords(
        section="facts",
        recognise=lambda raw, unit: "parent_table" in raw,
        model=DetailFact,
        knows=frozenset({"unit", "period", "cell", "metrics", "event", "key"}),
        key=lambda table, dataset: (key_name(table),),
        describe=lambda table, dataset: (
            f"{capitalised(plural(row_noun(table)))}, {range_text(table.per_row)} for each row of {table.parent_table}."
        ),
        check=_check,
        time=date_column,
        leading=_parent_key,
        added=added_columns,
    ),
    Kind(cut_crowded, _rows, _expect, state=False, sampled=True),
)
