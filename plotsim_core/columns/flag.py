"""`flag`: true for every row of an event that happened."""

from __future__ import annotations

import pyarrow as pa

from plotsim_core.columns.source import Source, add_source
from plotsim_core.config.tables import NoOptions, SourceWords

add_source(
    "flag",
    SourceWords(
        options=NoOptions,
        arrow=lambda options, column, dataset: pa.bool_(),
        example="flag",
        needs=frozenset({"event"}),
        describe=lambda options, column, table, dataset: "Sign that the event happened: true in every row.",
    ),
    Source(lambda column, table, rows: pa.repeat(pa.scalar(True), len(rows))),
)
