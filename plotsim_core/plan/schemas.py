"""Table plans: the columns that a kind adds, types, keys, references."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace

import pyarrow as pa

from plotsim_core.config.dataset import Dataset
from plotsim_core.config.read_columns import column
from plotsim_core.config.tables import (
    Column,
    Table,
    column_decimal_places,
    column_decimals,
    column_type,
    may_be_null,
)
from plotsim_core.config.words import capitalised, phrase
from plotsim_core.families import Family
from plotsim_core.plan.plan import ColumnPlan, TablePlan

DERIVED: Family[Callable[[Dataset, tuple[TablePlan, ...]], Iterable[TablePlan]]] = Family("derived table")
"""Derived tables: each member gives their plans from the dataset and the plans of its declared tables. Members are the kinds
that no section declares, by their `derive`, and the views that show the rows of declared tables."""


class DimensionView(Table):
    """A kind of declared tables whose columns are those of a dimension (`dimension_name`)."""

    def plan(self, dimension: TablePlan, dataset: Dataset) -> TablePlan:
        """Return the plan of the table, from that of the dimension."""
        raise NotImplementedError


def table_plans(dataset: Dataset) -> tuple[TablePlan, ...]:
    """Return the plans of all tables: those of the config in its order, then those that follow from them."""
    plans: dict[str, TablePlan] = {}
    for table in dataset.all_tables:
        plans[table.name] = (
            table.plan(plans[table.dimension_name or ""], dataset)
            if isinstance(table, DimensionView)
            else table_plan(table, dataset)
        )
    declared_plans = tuple(plans.values())
    tables = declared_plans + tuple(table for _, derive in DERIVED.items() for table in derive(dataset, declared_plans))
    shared_texts = _shared_texts(table.description for table in tables)
    return tuple(_with_distinct_descriptions(table, table.description in shared_texts) for table in tables)


def _shared_texts(texts: Iterable[str]) -> set[str]:
    """Return the texts that occur more than once."""
    return {text for text, count in Counter(texts).items() if count > 1}


def _with_distinct_descriptions(table: TablePlan, is_shared: bool) -> TablePlan:
    """Return a table with the name before each description that two columns share, and before its own if that `is_shared`.
    Descriptions of the config stay."""
    shared_texts = _shared_texts(column.description for column in table.columns)
    columns = tuple(
        replace(column, description=_with_name(column.name, column.description))
        if column.description in shared_texts and column.spec.description is None
        else column
        for column in table.columns
    )
    description = (
        _with_name(table.name, table.description) if is_shared and table.spec.description is None else table.description
    )
    return replace(table, columns=columns, description=description)


def _with_name(name: str, description: str) -> str:
    return f"{capitalised(phrase(name))}: {description[:1].lower()}{description[1:]}"


def table_plan(table: Table, dataset: Dataset, complete: bool = True) -> TablePlan:
    """Return the plan of one table; with `complete`, the columns that its kind adds are there too."""
    columns = table.all_columns(dataset) if complete else (*table.leading_columns(dataset), *table.ordered_columns)
    stored = [column for column in columns if not column.hidden]
    references = tuple((column.name, *target) for column in stored if (target := column.source.target(dataset)) is not None)
    return TablePlan(
        spec=table,
        columns=tuple(column_plan(column, table, dataset) for column in stored),
        hidden=tuple(column_plan(column, table, dataset) for column in columns if column.hidden),
        key=table.key_columns(dataset),
        time=table.time_column(),
        references=references,
        description=table.description or table.describe(dataset),
    )


def date_column(name: str, description: str, table: Table, dataset: Dataset) -> tuple[ColumnPlan, tuple[str, str, str]]:
    """Return a column of date keys of a table, and as (column, table, key) that it refers to the date dimension."""
    plan = column_plan(column(name, f"ref.{dataset.date_dimension.name}", description=description), table, dataset)
    return plan, (name, *(plan.spec.source.target(dataset) or ("", "")))


def column_plan(column: Column, table: Table, dataset: Dataset) -> ColumnPlan:
    """Return the plan of a column of a table: its type and the rest that follows from its source."""
    type_ = column_type(column, dataset)
    return ColumnPlan(
        spec=column,
        type=type_,
        nullable=may_be_null(column, dataset),
        description=column.description or column.source.describe(column, table, dataset),
        decimals=column_decimals(column, dataset),
        decimal_places=column_decimal_places(column, dataset),
        values=tuple(column.source.listed_texts(dataset)) if pa.types.is_dictionary(type_) else (),
    )
