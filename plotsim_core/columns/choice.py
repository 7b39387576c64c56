"""`static.<value>` or `static.<value>,<value>,...`: given values.

In a reference dimension a list is its rows, in order. Anywhere else each row has one of the list.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from plotsim_core.columns.rows import Rows, picked
from plotsim_core.columns.source import Source, add_source
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.model import Part
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, SourceWords, Table
from plotsim_core.errors import Problem, shown
from plotsim_core.plan.plan import ColumnPlan, TablePlan


class Options(Part):
    """`values` are the values, separated by commas."""

    values: str


def listed(column: Column) -> list[str]:
    """Return the values of a static column as they are written."""
    options = column.source
    assert isinstance(options, Options)
    return [value.strip() for value in options.values.split(",")]


def common_type(values: list[Any]) -> pa.DataType:
    """Return the narrowest of integer, float, boolean and text that holds all values."""
    if all(isinstance(value, bool) for value in values):
        return pa.bool_()
    if all(isinstance(value, int) and not isinstance(value, bool) for value in values):
        return pa.int64()
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return pa.float64()
    return pa.string()


def _typed(texts: list[str]) -> list[Any]:
    for read in (int, float):
        try:
            return [read(text) for text in texts]
        except ValueError:
            continue
    return list(texts)


def _arrow(options: Options, column: Column, dataset: Dataset) -> pa.DataType:
    return common_type(_typed(listed(column)))


def _check(options: Options, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
    if not all(listed(column)):
        yield Problem("type", f"an empty value in {shown(options.values)}", "write values between commas: static.low,high")


def _fill(column: ColumnPlan, table: TablePlan, rows: Rows) -> pa.Array:
    values = _typed(listed(column.spec))
    if len(values) == 1:
        return pa.repeat(pa.scalar(values[0], column.type), len(rows))
    places = rows.ordinal % len(values) if table.kind == "reference" else rows.choose(table, column, len(values))
    return picked(values, places, column.type)


add_source(
    "static",
    SourceWords(
        options=Options,
        arrow=_arrow,
        example="static.bronze,silver,gold",
        argument="values",
        check=_check,
        describe=lambda options, dataset: f"Given: {options.values.replace(',', ', ')}.",
    ),
    Source(_fill),
)
