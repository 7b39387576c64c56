"""`trajectory`: the position, from 0 to 1, of the row's unit on its curve in the row's period."""

from __future__ import annotations

import pyarrow as pa

from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import Source, add_source
from plotsim_core.config.tables import NoOptions, SourceWords
from plotsim_core.config.words import phrase
from plotsim_core.plan.plan import ColumnPlan, TablePlan

DECIMALS = 6


def _fill(column: ColumnPlan, table: TablePlan, rows: Rows) -> pa.Array:
    return pa.array(rows.block.positions().ravel()[rows.cell].round(DECIMALS))


add_source(
    "trajectory",
    SourceWords(
        options=NoOptions,
        arrow=lambda options, column, dataset: pa.float64(),
        example="trajectory",
        needs=frozenset({"cell"}),
        describe=lambda options, column, table, dataset: (
            f"Position of the {phrase(dataset.unit)} on its curve, from 0 to 1."
        ),
    ),
    Source(_fill),
)
