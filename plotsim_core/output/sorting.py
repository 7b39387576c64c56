"""Rows in the order of some columns, in bounded memory: what does not fit is sorted on disk."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator

import pyarrow as pa

from plotsim_core.output.format import Batches
from plotsim_core.plan.sql import quoted, text

_BATCH_ROWS = 1 << 16


def sorted_batches(batches: Batches, schema: pa.Schema, columns: tuple[str, ...]) -> Iterator[pa.RecordBatch]:
    """Yield the same rows in the order of `columns`: rising, nulls last; rows that are alike in them stay in their order."""
    if not columns:
        yield from batches
        return
    import duckdb  # slow to import, and few need it

    order = ", ".join(f"{quoted(name)} ASC NULLS LAST" for name in columns)
    reader = pa.RecordBatchReader.from_batches(schema, (batch.cast(schema) for batch in batches))
    with tempfile.TemporaryDirectory(prefix="plotsim-") as folder, duckdb.connect() as connection:
        connection.execute(f"SET temp_directory = {text(folder)}")
        connection.register("rows in order of making", reader)
        numbered = 'SELECT *, row_number() OVER () AS "row of all" FROM "rows in order of making"'
        ordered = connection.sql(f'SELECT * EXCLUDE ("row of all") FROM ({numbered}) ORDER BY {order}, "row of all"')
        for batch in ordered.to_arrow_reader(_BATCH_ROWS):
            yield batch.cast(schema)
