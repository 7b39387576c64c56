"""Parquet in folders, one per value of a column: `<table>/<column>=<value>/part-0.parquet`, as Hive and what reads it write
them. The column itself stands in the folders' names only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from plotsim_core.arrow import schema_of
from plotsim_core.config.check_output import partition_column
from plotsim_core.config.output import Compression
from plotsim_core.errors import UsageError
from plotsim_core.output.format import Batches, rechunked
from plotsim_core.plan.plan import Plan, TablePlan

NULL_FOLDER = "__HIVE_DEFAULT_PARTITION__"
_MAX_OPEN_FILES = 200
"""Files that are open at a time."""
_MAX_FOLDERS = 100_000
"""Folders of a table."""


def partitioned_by(plan: Plan, table: TablePlan) -> str | None:
    """Return the column whose values a table is put into folders by; None if it is written whole."""
    by = plan.dataset.output.partition_by
    if by is None:
        return None
    targets = {column: (parent, key) for column, parent, key in table.references if parent != table.name}
    return partition_column(by, {column.name: targets.get(column.name) for column in table.columns})


def write_folders(
    schema: pa.Schema, column: str, batches: Batches, directory: Path, rows: int, compression: Compression = "zstd"
) -> None:
    """Write rows into a folder per value of a column below `directory`.

    Rows are taken `rows` at a time, whatever the batches: what a value has of them is a row group. A value's rows go on in
    another file when more files than can be open have been begun. Without rows there is no folder. Raises UsageError for too
    many values.
    """
    file_schema = schema_of((field for field in schema if field.name != column), schema)
    parts: dict[str, int] = {}
    directory.mkdir()
    with ExitStack() as stack:
        writers: dict[str, pq.ParquetWriter] = {}
        for batch in rechunked(batches, schema, rows):
            for folder, value_rows in _split(batch, column):
                if folder not in writers:
                    if len(writers) == _MAX_OPEN_FILES:
                        stack.close()
                        writers.clear()
                    part = parts[folder] = parts.get(folder, -1) + 1
                    if len(parts) > _MAX_FOLDERS:
                        raise UsageError(f"{directory.name} would have more than {_MAX_FOLDERS} folders, one per {column}")
                    file = directory / folder / f"part-{part}.parquet"
                    file.parent.mkdir(exist_ok=True)
                    writers[folder] = stack.enter_context(pq.ParquetWriter(file, file_schema, compression=compression))
                writers[folder].write_batch(value_rows.select(file_schema.names).cast(file_schema))
    if not parts:
        directory.rmdir()


def is_partitioned(folder: Path) -> bool:
    """Return whether a folder holds folders of values and nothing else (nothing at all: there were no rows)."""
    return folder.is_dir() and all(part.is_dir() and "=" in part.name for part in folder.iterdir())


def _split(batch: pa.RecordBatch, column: str) -> Iterator[tuple[str, pa.RecordBatch]]:
    """Yield the name of the folder of each value, in the order of their first rows, and its rows in their order."""
    values = batch[column]
    encoded = values.dictionary_encode(null_encoding="encode")
    codes = encoded.indices.to_numpy(zero_copy_only=False)
    order = np.argsort(codes, kind="stable")
    ends = np.searchsorted(codes[order], np.arange(len(encoded.dictionary) + 1))
    ordered = batch.take(order) if len(encoded.dictionary) > 1 else batch
    for code, value in enumerate(encoded.dictionary.cast(pa.string()).to_pylist()):
        name = NULL_FOLDER if value is None else quote(value, safe=" ")
        yield f"{column}={name}", ordered.slice(int(ends[code]), int(ends[code + 1] - ends[code]))
