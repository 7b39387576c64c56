"""`timestamp`: when an event happened; the beginning of the period for other rows."""

from __future__ import annotations

import pyarrow as pa

from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import Source, add_source
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.tables import Column, NoOptions, SourceWords, Table, row_noun
from plotsim_core.config.words import phrase
from plotsim_core.plan.plan import ColumnPlan, TablePlan

TYPE = pa.timestamp("us")


def _fill(column: ColumnPlan, table: TablePlan, rows: Rows) -> pa.Array:
    if len(rows.moment) == len(rows):
        return pa.array(rows.moment, TYPE)
    return pa.array(rows.block.plan.grain.starts(rows.period).astype("datetime64[us]"), TYPE)


def _describe(options: NoOptions, column: Column, table: Table, dataset: Dataset) -> str:
    if getattr(table, "per", None) == "unit":
        return f"Start of the {dataset.window.grain.name} in which the {phrase(dataset.unit)} arrived."
    return f"Moment of the {row_noun(table)}."


add_source(
    "timestamp",
    SourceWords(
        options=NoOptions,
        arrow=lambda options, column, dataset: TYPE,
        example="timestamp",
        needs=frozenset({"period"}),
        describe=_describe,
    ),
    Source(_fill),
)
