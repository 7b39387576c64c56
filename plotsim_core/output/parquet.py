"""Parquet: row groups of one size whatever the blocks were, so that the same rows are the same bytes. With `partition_by`,
a table that has the column is a folder of folders, one per value; with a `layout`, a file per partition of time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from plotsim_core.config.output import Compression
from plotsim_core.engine.slice import narrowed
from plotsim_core.output.format import FORMATS, Batches, Format, rechunked
from plotsim_core.output.parquet_folders import partitioned_by, write_folders
from plotsim_core.output.sorting import sorted_batches
from plotsim_core.plan.plan import Plan, TablePlan

ROW_GROUP = 1 << 18


@dataclass(frozen=True)
class Encoding:
    """How rows become Parquet: by which compression, so many rows in a row group, in the order of which columns."""

    compression: Compression = "zstd"
    row_group_rows: int = ROW_GROUP
    sort_by: tuple[str, ...] = ()


DEFAULT_ENCODING = Encoding()


def encoding_of(plan: Plan, columns: Iterable[str]) -> Encoding:
    """Return the encoding that a config asks for, of a table with some columns: in the order of those that it has."""
    output, available = plan.dataset.output, frozenset(columns)
    is_given = "row_group_rows" in output.model_fields_set
    rows = output.row_group_rows if is_given else narrowed(ROW_GROUP, len(available))
    return Encoding(output.compression, rows, tuple(name for name in output.sort_by if name in available))


def write_parquet(
    sink: Any, schema: pa.Schema, batches: Batches, encoding: Encoding = DEFAULT_ENCODING, row_count_key: str | None = None
) -> int:
    """Write those columns of batches that a schema has to a path or an open file; return the rows written, which the file
    says by itself in the metadata `row_count_key`."""
    rows = 0
    selected = (batch.select(schema.names) for batch in batches)
    ordered = sorted_batches(selected, schema, tuple(name for name in encoding.sort_by if name in schema.names))
    with pq.ParquetWriter(sink, schema, compression=encoding.compression) as writer:
        for batch in rechunked(ordered, schema, encoding.row_group_rows):
            writer.write_batch(batch.cast(schema), row_group_size=encoding.row_group_rows)
            rows += batch.num_rows
        if row_count_key is not None:
            writer.add_key_value_metadata({row_count_key: str(rows)})
    return rows


def _write(plan: Plan, table: TablePlan, batches: Batches, directory: Path) -> None:
    column, path = partitioned_by(plan, table), directory / _file(plan, table)
    encoding = encoding_of(plan, (column.name for column in table.columns))
    if column is None:
        write_parquet(path, plan.schema(table), batches, encoding)
    else:
        ordered = sorted_batches(batches, plan.schema(table), encoding.sort_by)
        write_folders(plan.schema(table), column, ordered, path, encoding.row_group_rows, encoding.compression)
        if not path.exists():  # an empty table is a file that says which columns it has
            write_parquet(directory / f"{table.name}.parquet", plan.schema(table), [], encoding)


def _file(plan: Plan, table: TablePlan) -> str:
    return table.name if partitioned_by(plan, table) else f"{table.name}.parquet"


FORMATS.add("parquet", Format(_write, _file))
