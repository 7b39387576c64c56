"""Table plans: the columns that a kind adds, types, keys, references."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from plotsim_core.config.dataset import Dataset
from plotsim_core.config.tables import KIND_WORDS, SOURCE_WORDS, Column, Table
from plotsim_core.families import Family
from plotsim_core.plan.plan import ColumnPlan, TablePlan

DERIVED: Family[Callable[[Dataset, tuple[TablePlan, ...]], Iterable[TablePlan]]] = Family("derived table")
"""Tables that follow from others: each member gives them from the dataset and the plans of the tables it declares."""


def table_plans(dataset: Dataset) -> tuple[TablePlan, ...]:
    """Return the plans of all tables: those of the config in its order, then those that follow from them."""
    declared = tuple(table_plan(table, dataset) for table in dataset.tables)
    return declared + tuple(table for _, derive in DERIVED.items() for table in derive(dataset, declared))


def kind_of(table: Table) -> str:
    """Return the name of a table's kind."""
    return next(name for name, words in KIND_WORDS.items() if type(table) is words.model)


def table_plan(table: Table, dataset: Dataset, complete: bool = True) -> TablePlan:
    """Return the plan of one table; with `complete`, the columns that come by themselves are added."""
    name = kind_of(table)
    kind = KIND_WORDS[name]
    columns = (*kind.leading(table, dataset), *table.columns, *(kind.added(table, dataset) if complete else ()))
    references = tuple(
        (column.name, *target)
        for column in columns
        if (target := SOURCE_WORDS[column.word].refers(column.source, dataset)) is not None
    )
    return TablePlan(
        spec=table,
        kind=name,
        columns=tuple(_column_plan(column, dataset) for column in columns),
        key=kind.key(table, dataset),
        time=kind.time(table),
        references=references,
        description=table.description or kind.describe(table, dataset),
    )


def _column_plan(column: Column, dataset: Dataset) -> ColumnPlan:
    words = SOURCE_WORDS[column.word]
    return ColumnPlan(
        spec=column,
        type=words.arrow(column.source, column, dataset),
        nullable=words.nullable(column.source, dataset) or words.sometimes(column, dataset),
        description=column.description or words.describe(column.source, dataset),
        decimals=words.decimals(column.source, dataset),
    )
