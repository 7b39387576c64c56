"""`timestamp`: when an event happened; the beginning of the period for other rows."""

from __future__ import annotations

import pyarrow as pa

from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import Source, add_source
from plotsim_core.config.tables import NoOptions, SourceWords
from plotsim_core.plan.plan import ColumnPlan, TablePlan

TYPE = pa.timestamp("us")


def _fill(column: ColumnPlan, table: TablePlan, rows: Rows) -> pa.Array:
    if len(rows.moment) == len(rows):
        return pa.array(rows.moment, TYPE)
    return pa.array(rows.block.plan.grain.starts(rows.period).astype("datetime64[us]"), TYPE)


add_source(
    "timestamp",
    SourceWords(
        options=NoOptions,
        arrow=lambda options, column, dataset: TYPE,
        example="timestamp",
        needs=frozenset({"period"}),
        describe=lambda options, dataset: "When it happened.",
    ),
    Source(_fill),
)
