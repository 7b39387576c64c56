"""Parquet: zstd, row groups of one size whatever the blocks were, so that the same rows are the same bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from plotsim_core.output.format import FORMATS, Batches, Format, rechunked
from plotsim_core.plan.plan import Plan, TablePlan

ROW_GROUP = 1 << 18


def write_parquet(sink: Any, schema: pa.Schema, batches: Batches) -> int:
    """Write batches to a path or an open file; return the rows written."""
    rows = 0
    with pq.ParquetWriter(sink, schema, compression="zstd") as writer:
        for batch in rechunked(batches, schema, ROW_GROUP):
            writer.write_batch(batch.cast(schema), row_group_size=ROW_GROUP)
            rows += batch.num_rows
    return rows


def _write(plan: Plan, table: TablePlan, batches: Batches, directory: Path) -> None:
    write_parquet(directory / _file(plan, table), plan.schema(table), batches)


def _file(plan: Plan, table: TablePlan) -> str:
    return f"{table.name}.parquet"


FORMATS.add("parquet", Format(_write, _file))
