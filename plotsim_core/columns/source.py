"""Column sources: functions that fill one column of any rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pyarrow as pa

from plotsim_core.columns.decimals import as_decimals
from plotsim_core.columns.rows import Rows
from plotsim_core.config.tables import SOURCE_WORDS, SourceWords
from plotsim_core.errors import UsageError
from plotsim_core.families import Family
from plotsim_core.numerics.decimals import PRECISION
from plotsim_core.plan.plan import ColumnPlan, TablePlan


@dataclass(frozen=True)
class Source:
    """`fill(column, table, rows)` gives an Arrow array of the column's type, one value per row."""

    fill: Callable[[ColumnPlan, TablePlan, Rows], pa.Array]


SOURCES: Family[Source] = Family("column type")


def fill(column: ColumnPlan, table: TablePlan, rows: Rows) -> pa.Array:
    """Return the values of a column in rows of its table."""
    return rows.cached(("column", table.name, column.name), lambda: _values(column, table, rows))


def _values(column: ColumnPlan, table: TablePlan, rows: Rows) -> pa.Array:
    decimals, source = column.spec.decimals, SOURCES[column.spec.word]
    try:
        if decimals is None:
            return source.fill(column, table, rows)
        return as_decimals(source.fill(replace(column, type=pa.float64()), table, rows), decimals)
    except OverflowError:
        if decimals is None and not pa.types.is_decimal(column.type):
            raise
        scale = column.type.scale if decimals is None else decimals
        limit = f"{PRECISION} digits, its {scale} decimals included"
        raise UsageError(f"{table.name}.{column.name} has values of more than {limit}: give it fewer `decimals`") from None


def add_source(word: str, words: SourceWords, source: Source) -> None:
    """Register a source under `word`: its part of the language and its fill function."""
    SOURCE_WORDS.add(word, words)
    SOURCES.add(word, source)
