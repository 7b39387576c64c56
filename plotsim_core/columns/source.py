"""Column sources: classes whose instances are the options of a column and fill it, for any rows."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from plotsim_core.arrow import ArrowArray, taken
from plotsim_core.columns.conversions import converted
from plotsim_core.columns.decimals import as_decimals
from plotsim_core.columns.formula_values import formula_value, inputs_of
from plotsim_core.columns.rows import Rows
from plotsim_core.config.column_source import SOURCES, DeclaredSource
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.formula import names, parse_formula
from plotsim_core.config.tables import Column, Nulls
from plotsim_core.engine.block import Block
from plotsim_core.engine.steps import Step
from plotsim_core.errors import SchemaError, UsageError
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

    def row_steps(self, column: ColumnPlan, table: TablePlan, row: Rows) -> list[Step]:
        """Return how the value of one row follows from its other columns and its draws; empty if nothing is to be said."""
        return []


Source = TypeVar("Source", bound=type[ColumnSource])


def add_source(source: Source) -> Source:
    """Register a source under its `word`, as a decorator of the class. Raises ValueError if the word is taken."""
    SOURCES.add(source.word, source)
    return source


def fill(column: ColumnPlan, table: TablePlan, rows: Rows) -> ArrowArray:
    """Return the values of a column in rows of its table, with its nulls."""
    return rows.cached(("column", table.name, column.name), lambda: _with_nulls(column, table, rows))


def null_mask(column: ColumnPlan, table: TablePlan, rows: Rows) -> NDArray[np.bool_] | None:
    """Return in which rows the config makes a column null; None for a column whose `nulls` it does not declare. They are
    drawn at the rows' addresses in a stream of their own, so they move no other value."""
    if column.spec.nulls is None:
        return None
    return rows.cached(("nulls", table.name, column.name), lambda: _nulls(column, table, rows))


def _nulls(column: ColumnPlan, table: TablePlan, rows: Rows) -> NDArray[np.bool_]:
    nulls = column.spec.nulls or Nulls()
    is_null = np.ones(len(rows), dtype=np.bool_)
    if nulls.rate is not None:
        is_null &= rows.uniforms(table, column, "nulls") < nulls.rate
    if nulls.where is not None:

        def read(other: ColumnPlan, table: TablePlan, rows: Rows) -> ArrowArray:
            return (_before_nulls if other.name == column.name else fill)(other, table, rows)

        is_null &= is_true(nulls.where, table, rows, read)
    return is_null


def is_true(
    formula: str, table: TablePlan, rows: Rows, read: Callable[[ColumnPlan, TablePlan, Rows], ArrowArray]
) -> NDArray[np.bool_]:
    """Return in which rows a formula over columns of a table is true, of which `read` gives the values; null is not true."""
    columns = {name: table.column(name) for name in names(formula)}
    values = {name: read(other, table, rows) for name, other in columns.items()}
    decimals = {name: other.decimal_places for name, other in columns.items()}
    inputs = inputs_of(values, decimals, len(rows), rows.block.population.dataset.calendar)
    with np.errstate(all="ignore"):
        truths: NDArray[np.bool_] = formula_value(parse_formula(formula), inputs) == 1.0
    return truths


def _with_nulls(column: ColumnPlan, table: TablePlan, rows: Rows) -> ArrowArray:
    values, is_null = _before_nulls(column, table, rows), null_mask(column, table, rows)
    return values if is_null is None else taken(values, np.arange(len(rows), dtype=np.int64), is_null)


def _before_nulls(column: ColumnPlan, table: TablePlan, rows: Rows) -> ArrowArray:
    """Return the values of a column without the nulls that the config asks for."""
    if column.spec.nulls is None:
        return _values(column, table, rows)
    return rows.cached(("before nulls", table.name, column.name), lambda: _values(column, table, rows))


def _values(column: ColumnPlan, table: TablePlan, rows: Rows) -> ArrowArray:
    decimals, source = column.spec.decimals, column.spec.source
    if not isinstance(source, ColumnSource):
        raise TypeError(f"{table.name}.{column.name} is made by its table, not by a column source")
    try:
        if column.spec.as_type is not None:
            dataset = rows.block.population.dataset
            own_type = source.arrow_type(column.spec, dataset)
            own_values = _filled(source, replace(column, type=own_type), table, rows)
            return converted(own_values, column.type, source.listed_texts(dataset), source.text_decimals(dataset))
        if decimals is None:
            return _filled(source, column, table, rows)
        return as_decimals(_filled(source, replace(column, type=pa.float64()), table, rows), decimals)
    except OverflowError:
        if not isinstance(column.type, pa.Decimal128Type):
            raise
        limit = f"{column.type.precision} digits, its {column.type.scale} decimals included"
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
