"""Column sources: classes whose instances are the options of a column and fill it, for any rows."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import TypeVar

import pyarrow as pa

from plotsim_core.arrow import ArrowArray
from plotsim_core.columns.decimals import as_decimals
from plotsim_core.columns.rows import Rows
from plotsim_core.config.column_source import SOURCES, DeclaredSource
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.tables import Column
from plotsim_core.engine.block import Block
from plotsim_core.engine.steps import Step
from plotsim_core.errors import SchemaError, UsageError
from plotsim_core.numerics.decimals import PRECISION
from plotsim_core.plan.plan import ColumnPlan, TablePlan


class ColumnSource(DeclaredSource):
    """A column source: what `DeclaredSource` asks, and its values. A subclass joins the language by `add_source`."""

    @abstractmethod
    def arrow_type(self, column: Column, dataset: Dataset) -> pa.DataType:
        """Return the type of a column's values, before its `decimals`."""

    @abstractmethod
    def fill(self, column: ColumnPlan, table: TablePlan, rows: Rows) -> ArrowArray:
        """Return the values of a column: an array of its type, a value for each row. They follow from the rows' addresses,
        units and periods alone, not from how many rows there are."""

    def steps(self, cell: Block) -> list[Step]:
        """Return how a value follows from the stages, for the block of one unit in one period; empty if it does not."""
        return []


Source = TypeVar("Source", bound=type[ColumnSource])


def add_source(source: Source) -> Source:
    """Register a source under its `word`, as a decorator of the class. Raises ValueError if the word is taken."""
    SOURCES.add(source.word, source)
    return source


def fill(column: ColumnPlan, table: TablePlan, rows: Rows) -> ArrowArray:
    """Return the values of a column in rows of its table."""
    return rows.cached(("column", table.name, column.name), lambda: _values(column, table, rows))


def _values(column: ColumnPlan, table: TablePlan, rows: Rows) -> ArrowArray:
    decimals, source = column.spec.decimals, column.spec.source
    if not isinstance(source, ColumnSource):
        raise TypeError(f"{table.name}.{column.name} is made by its table, not by a column source")
    try:
        if decimals is None:
            return _filled(source, column, table, rows)
        return as_decimals(_filled(source, replace(column, type=pa.float64()), table, rows), decimals)
    except OverflowError:
        scale = column.type.scale if isinstance(column.type, pa.Decimal128Type) else decimals
        if scale is None:
            raise
        limit = f"{PRECISION} digits, its {scale} decimals included"
        raise UsageError(f"{table.name}.{column.name} has values of more than {limit}: give it fewer `decimals`") from None


def _filled(source: ColumnSource, column: ColumnPlan, table: TablePlan, rows: Rows) -> ArrowArray:
    """Return what a source fills a column with. Raises SchemaError, naming the class of the source, if that is no array with
    a value for each row; an exception of its own gets a note that names it."""
    filled_by = f"{table.name}.{column.name} is filled by {type(source).__module__}.{type(source).__qualname__}"
    try:
        values = source.fill(column, table, rows)
    except Exception as error:
        error.add_note(filled_by)
        raise
    if not isinstance(values, pa.Array):
        raise SchemaError(f"{filled_by}, which gave no pyarrow Array but a {type(values).__name__}")
    if len(values) != len(rows):
        raise SchemaError(f"{filled_by}, which gave {len(values)} values for {len(rows)} rows")
    return values
