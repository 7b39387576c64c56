"""Table plans: the columns that a kind adds, types, keys, references."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace

from plotsim_core.config.dataset import Dataset
from plotsim_core.config.read_tables import column
from plotsim_core.config.tables import (
    KIND_WORDS,
    SOURCE_WORDS,
    Column,
    Table,
    column_decimals,
    column_places,
    column_type,
    may_be_null,
)
from plotsim_core.config.words import begun, phrase
from plotsim_core.families import Family
from plotsim_core.plan.plan import ColumnPlan, TablePlan

DERIVED: Family[Callable[[Dataset, tuple[TablePlan, ...]], Iterable[TablePlan]]] = Family("derived table")
"""Tables that follow from others: each member gives them from the dataset and the plans of the tables it declares."""

FOLLOWING: Family[Callable[[Table, TablePlan, Dataset], TablePlan]] = Family("table that shows a dimension")
"""Kinds of declared tables whose columns are those of a dimension: each member gives the plan of a table from that of the
dimension."""


def table_plans(dataset: Dataset) -> tuple[TablePlan, ...]:
    """Return the plans of all tables: those of the config in its order, then those that follow from them."""
    made: dict[str, TablePlan] = {}
    for table in dataset.tables:
        kind = kind_of(table)
        of = KIND_WORDS[kind].of(table)
        made[table.name] = table_plan(table, dataset) if of is None else FOLLOWING[kind](table, made[of], dataset)
    declared = tuple(made.values())
    tables = declared + tuple(table for _, derive in DERIVED.items() for table in derive(dataset, declared))
    shared = _shared(table.description for table in tables)
    return tuple(_told_apart(table, table.description in shared) for table in tables)


def _shared(texts: Iterable[str]) -> set[str]:
    """Return the texts that are there more than once."""
    return {text for text, count in Counter(texts).items() if count > 1}


def _told_apart(table: TablePlan, shared: bool) -> TablePlan:
    """Return a table whose columns have descriptions of their own, and where its own is `shared` that names the table. What
    the config says stays."""
    same = _shared(column.description for column in table.columns)
    columns = tuple(
        replace(column, description=_named(column.name, column.description))
        if column.description in same and column.spec.description is None
        else column
        for column in table.columns
    )
    says = _named(table.name, table.description) if shared and table.spec.description is None else table.description
    return replace(table, columns=columns, description=says)


def _named(name: str, says: str) -> str:
    return f"{begun(phrase(name))}: {says[:1].lower()}{says[1:]}"


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
        columns=tuple(column_plan(column, table, dataset) for column in columns),
        key=kind.key(table, dataset),
        time=kind.time(table),
        references=references,
        description=table.description or kind.describe(table, dataset),
    )


def date_column(name: str, says: str, table: Table, dataset: Dataset) -> tuple[ColumnPlan, tuple[str, str, str]]:
    """Return a column of date keys of a table, and as (column, table, key) that it refers to the date dimension."""
    dates = next(table for table in dataset.dimensions if getattr(table, "per", None) == "period")
    planned = column_plan(column(name, f"ref.{dates.name}", description=says), table, dataset)
    return planned, (name, *(SOURCE_WORDS["ref"].refers(planned.spec.source, dataset) or ("", "")))


def column_plan(column: Column, table: Table, dataset: Dataset) -> ColumnPlan:
    """Return the plan of a column of a table: its type and what follows from its words."""
    words = SOURCE_WORDS[column.word]
    return ColumnPlan(
        spec=column,
        type=column_type(column, dataset),
        nullable=may_be_null(column, dataset),
        description=column.description or words.describe(column.source, column, table, dataset),
        decimals=column_decimals(column, dataset),
        places=column_places(column, dataset),
    )
