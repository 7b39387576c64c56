"""Parquet: zstd, row groups of one size whatever the blocks were, so that the same rows are the same bytes. With
`partition_by`, a table that has the column is a folder of folders, one per value."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from plotsim_core.output.format import FORMATS, Batches, Format, rechunked
from plotsim_core.output.partitions import partitioned_by, write_partitions
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
    column, place = partitioned_by(plan, table), directory / _file(plan, table)
    if column is None:
        write_parquet(place, plan.schema(table), batches)
    else:
        write_partitions(plan.schema(table), column, batches, place, ROW_GROUP)
        if not place.exists():  # an empty table is a file that says which columns it has
            write_parquet(directory / f"{table.name}.parquet", plan.schema(table), [])


def _file(plan: Plan, table: TablePlan) -> str:
    return table.name if partitioned_by(plan, table) else f"{table.name}.parquet"


FORMATS.add("parquet", Format(_write, _file))
