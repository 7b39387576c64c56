"""`segment.<fact>`: what is known of the segment of the row's unit: its `name`, or the `count` of its units."""

from __future__ import annotations

from typing import Literal

import pyarrow as pa

from plotsim_core.columns.rows import Rows, picked
from plotsim_core.columns.source import Source, add_source
from plotsim_core.config.model import Part
from plotsim_core.config.tables import SourceWords
from plotsim_core.plan.plan import ColumnPlan, TablePlan


class Options(Part):
    """`fact` is name or count."""

    fact: Literal["name", "count"]


def _fill(column: ColumnPlan, table: TablePlan, rows: Rows) -> pa.Array:
    options = column.spec.source
    assert isinstance(options, Options)
    segments = rows.block.plan.segments
    values = [segment.spec.name if options.fact == "name" else segment.count for segment in segments]
    return picked(values, rows.block.units.segment[rows.unit], column.type)


add_source(
    "segment",
    SourceWords(
        options=Options,
        arrow=lambda options, column, dataset: pa.string() if options.fact == "name" else pa.int64(),
        example="segment.name",
        argument="fact",
        needs=frozenset({"unit"}),
        describe=lambda options, dataset: f"The {options.fact} of the segment.",
    ),
    Source(_fill),
)
