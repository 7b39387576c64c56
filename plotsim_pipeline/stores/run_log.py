"""The run log: one row per table, range of partitions and run, in the store beside the rows it speaks of.

A row is made from what passes by while a table is written: its rows and their hash, the time, the memory, the cores.
"""

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import reduce
from operator import and_
from typing import Any

import duckdb
import fsspec
import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from plotsim_core.output.content import ContentHash
from plotsim_core.output.partitions import WHOLE
from plotsim_core.plan.plan import DIGEST
from plotsim_core.version import VERSION
from plotsim_pipeline.stores.filesystem import filesystem_of, prepare_folder, replacing_file

LOG = "log_synthetic_data_generation"
COMPLETED, KEPT, FAILED, INTERRUPTED = "COMPLETED", "KEPT", "FAILED", "INTERRUPTED"
STATE, CHANGES, INCREMENTAL, SERIES = "state", "changes", "incremental", "series"
"""Modes of generation: a table as of a moment, what has changed of it since another, one partition, a range of them."""
_COMPARED_COLUMNS = ("dataset_id", "table_name", "config_hash", "core_version")
"""What two writes have in common whose partitions have to be the same."""
_MAX_MESSAGE = 2000
"""Characters of a message."""
_TEXTS = pa.list_(pa.string())
_MOMENT = pa.timestamp("us", "UTC")
_COLUMNS: Mapping[str, pa.DataType] = {
    "dataset_id": pa.string(),
    "table_name": pa.string(),
    "generation_date": pa.date32(),
    "first_partition": pa.string(),
    "last_partition": pa.string(),
    "partitions": pa.int64(),
    "generation_mode": pa.string(),
    "status": pa.string(),
    "message": pa.string(),
    "tables_generated": _TEXTS,
    "total_rows": pa.int64(),
    "target_rows": pa.int64(),
    "file_paths": _TEXTS,
    "rows_per_second": pa.float64(),
    "duration_seconds": pa.float64(),
    "peak_memory_gb": pa.float64(),
    "cpu_cores_used": pa.float64(),
    "config_hash": pa.string(),
    "core_version": pa.string(),
    "seed": pa.int64(),
    "scale": pa.float64(),
    "parameters": pa.string(),
    "content_hash": pa.string(),
    "partition_hashes": pa.map_(pa.string(), pa.string()),
    "started_at": _MOMENT,
    "finished_at": _MOMENT,
    "run_id": pa.string(),
}
SCHEMA = pa.schema(_COLUMNS)


@dataclass
class Writing:
    """A write that is under way: what it is, and what has passed by so far.

    `parameters` are what its run makes otherwise than the config says, `target_rows` the rows that it wants the whole
    dataset to have. Of a state, `since` is the moment from which on only changes are written; None where it is written
    whole. `hashes` are those of the partitions that have had rows, `memory` is the most that the process was seen to hold,
    in bytes; `is_taken` tells whether the store wanted the rows. `measures` are columns of numbers, and `sums` of each
    partition what their values add up to and how many there are, in an array of shape (2, measures)."""

    dataset: str
    table: str
    keys: tuple[str, ...]
    is_state: bool
    run_id: str
    schema: pa.Schema
    parameters: Mapping[str, Any] = field(default_factory=dict)
    target_rows: int | None = None
    since: str | None = None
    measures: tuple[str, ...] = ()
    sums: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    hashes: dict[str, ContentHash] = field(default_factory=dict)
    is_taken: bool = False
    rows: int = 0
    memory: int = 0
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    start_clock: float = field(default_factory=time.perf_counter)
    start_cpu: float = field(default_factory=time.process_time)


def measured_batches(
    writing: Writing, batches: pa.RecordBatchReader, split: Callable[[pa.RecordBatch], Iterator[tuple[str, pa.RecordBatch]]]
) -> pa.RecordBatchReader:
    """Return the same batches, counted, added up and hashed as they pass. `split` gives a batch's rows by partition."""
    process = psutil.Process()

    def measured() -> Iterator[pa.RecordBatch]:
        writing.is_taken = True
        for batch in batches:
            lengths: dict[str, int] = {}
            for key, rows in split(batch):
                writing.hashes.setdefault(key, ContentHash(batches.schema)).update(rows)
                lengths[key] = rows.num_rows
            if writing.measures and lengths:
                add_up(writing, batch, lengths)
            writing.rows += batch.num_rows
            yield batch
            writing.memory = max(writing.memory, process.memory_info().rss)

    return pa.RecordBatchReader.from_batches(batches.schema, measured())


def add_up(writing: Writing, batch: pa.RecordBatch, lengths: Mapping[str, int]) -> None:
    """Add the measures of a batch to those that have passed by; `lengths` are its rows by partition, in their order. What is
    null or no number does not count."""
    starts = np.cumsum([0, *lengths.values()])[:-1]
    columns = [batch.column(name).cast(pa.float64()).to_numpy(zero_copy_only=False) for name in writing.measures]
    values = np.array(columns)
    finite = np.isfinite(values)
    parts = np.add.reduceat([np.where(finite, values, 0.0), finite], starts, axis=2)
    for index, key in enumerate(lengths):
        writing.sums[key] = writing.sums.get(key, 0.0) + parts[:, :, index]


def means(writing: Writing, key: str) -> dict[str, float]:
    """Return the mean of each measure of a partition, to six digits; of a measure without values there is none."""
    totals, counts = writing.sums.get(key, np.zeros((2, len(writing.measures))))
    pairs = zip(writing.measures, totals.tolist(), counts.tolist(), strict=True)
    return {name: float(f"{total / count:.6g}") for name, total, count in pairs if count}


def completed_row(writing: Writing, files: Sequence[str]) -> pa.Table:
    """Return the row of the log for rows that are written, or for a state that a later one keeps out."""
    if not writing.is_taken:
        return _row(writing, KEPT, files, "a later state is stored, and stays")
    empty_hash = ContentHash(writing.schema).hexdigest()
    keys = (writing.keys[-1:] or (WHOLE,)) if writing.is_state else writing.keys
    suffix = "" if writing.since is None else f", changes since {writing.since}"
    hashes = {f"{key}{suffix}": writing.hashes[key].hexdigest() if key in writing.hashes else empty_hash for key in keys}
    return _row(writing, COMPLETED, files, None, hashes)


def failed_row(writing: Writing, error: BaseException) -> pa.Table:
    """Return the row of the log for a write that an error or somebody has stopped."""
    cause = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    status = FAILED if isinstance(error, Exception) else INTERRUPTED
    return _row(writing, status, (), f"{type(cause).__name__}: {cause}"[:_MAX_MESSAGE])


def _row(
    writing: Writing, status: str, files: Sequence[str], message: str | None, hashes: Mapping[str, str] | None = None
) -> pa.Table:
    seconds = max(time.perf_counter() - writing.start_clock, 1e-6)
    origin = {key.decode(): value.decode() for key, value in (writing.schema.metadata or {}).items()}
    row = {
        "dataset_id": writing.dataset,
        "table_name": writing.table,
        "generation_date": _generation_date(writing.keys),
        "first_partition": writing.keys[0] if writing.keys else None,
        "last_partition": writing.keys[-1] if writing.keys else None,
        "partitions": len(writing.keys),
        "generation_mode": _mode(writing),
        "status": status,
        "message": message,
        "tables_generated": [writing.table],
        "total_rows": writing.rows,
        "target_rows": writing.target_rows,
        "file_paths": list(files),
        "rows_per_second": writing.rows / seconds,
        "duration_seconds": seconds,
        "peak_memory_gb": max(writing.memory, psutil.Process().memory_info().rss) / 1e9,
        "cpu_cores_used": (time.process_time() - writing.start_cpu) / seconds,
        "config_hash": origin.get(DIGEST),
        "core_version": VERSION,
        "seed": int(origin["plotsim_seed"]) if "plotsim_seed" in origin else None,
        "scale": float(origin["plotsim_scale"]) if "plotsim_scale" in origin else None,
        "parameters": json.dumps(dict(writing.parameters), sort_keys=True),
        "content_hash": _combined_hash(hashes) if hashes else None,
        "partition_hashes": list((hashes or {}).items()),
        "started_at": writing.started_at,
        "finished_at": datetime.now(UTC),
        "run_id": writing.run_id,
    }
    return pa.Table.from_pylist([row], SCHEMA)


def _mode(writing: Writing) -> str:
    if writing.is_state:
        return STATE if writing.since is None else CHANGES
    return INCREMENTAL if len(writing.keys) == 1 else SERIES


def problem_of(row: pa.Table) -> str | None:
    """Return what a row of the log says is wrong with what was written; None if nothing is."""
    return row["message"][0].as_py() if row["status"][0].as_py() == COMPLETED else None


def changed_partitions(connection: duckdb.DuckDBPyConnection, log: str, row: pa.Table) -> list[str]:
    """Return the partitions of a row of the log whose content was another when the same version wrote them last, from the
    same config: what made them is not what it was. `log` is the rows of the log as SQL."""
    connection.register("written row", row)
    join_columns = ", ".join(_COMPARED_COLUMNS)
    rows = connection.execute(
        f"""
        WITH now AS (SELECT {join_columns}, unnest(map_entries(partition_hashes)) AS made FROM "written row"),
        before AS (
            SELECT {join_columns}, finished_at, unnest(map_entries(partition_hashes)) AS made FROM {log} AS log
            WHERE status = '{COMPLETED}'
        )
        SELECT now.made.key FROM now JOIN before USING ({join_columns}) WHERE now.made.key = before.made.key
        GROUP BY now.made.key, now.made.value HAVING arg_max(before.made.value, finished_at) != now.made.value
        ORDER BY ALL
        """
    ).fetchall()
    return [key for (key,) in rows]


def with_note(row: pa.Table, changed_keys: Sequence[str]) -> pa.Table:
    """Return a row of the log that says which partitions have other content than they had."""
    if not changed_keys:
        return row
    message = f"other content than the same config gave before: {', '.join(changed_keys)}"[:_MAX_MESSAGE]
    return row.set_column(row.schema.get_field_index("message"), SCHEMA.field("message"), pa.array([message]))


def append(connection: duckdb.DuckDBPyConnection, row: pa.Table) -> pa.Table:
    """Add a row to the log of a DuckDB file, within the transaction that is open, noted where the same config has given
    other content before; return it. The log is made if it is not there."""
    connection.register("log row", row)
    connection.execute(f'CREATE TABLE IF NOT EXISTS main.{LOG} AS SELECT * FROM "log row" LIMIT 0')
    row = with_note(row, changed_partitions(connection, f"main.{LOG}", row))
    connection.register("log row", row)
    connection.execute(f'INSERT INTO main.{LOG} BY NAME SELECT * FROM "log row"')
    return row


def append_file(path: str, row: pa.Table) -> None:
    """Add a row to the log of a store of files: a file per run and process, so that nobody writes another's."""
    filesystem, root = filesystem_of(path)
    folder, name = f"{root}/{LOG}", f"{row['run_id'][0].as_py() or 'none'}-{os.getpid()}.parquet"
    prepare_folder(filesystem, root, folder)
    if filesystem.exists(f"{folder}/{name}"):
        with filesystem.open(f"{folder}/{name}", "rb") as source:
            row = pa.concat_tables([pq.read_table(source, schema=SCHEMA), row])
    with replacing_file(filesystem, f"{folder}/{name}") as sink:
        pq.write_table(row, sink, compression="zstd")


def read_files(path: str, **only: str | None) -> pa.Table:
    """Return the log of a store of files, or the rows of it that have the given values; a file that is no log is passed
    over."""
    import pyarrow.dataset as ds  # it imports pandas, which is slow

    filesystem, root = filesystem_of(path)
    files = filesystem.glob(f"{root}/{LOG}/*.parquet")
    row_filter = reduce(and_, [ds.field(name) == value for name, value in only.items()]) if only else None
    try:
        return ds.dataset(files, SCHEMA, "parquet", filesystem).to_table(filter=row_filter)
    except pa.ArrowInvalid:
        readable = [file for file in files if _is_parquet(filesystem, file)]
        return ds.dataset(readable, SCHEMA, "parquet", filesystem).to_table(filter=row_filter)


def _is_parquet(filesystem: fsspec.AbstractFileSystem, file: str) -> bool:
    try:
        with filesystem.open(file, "rb") as source:
            pq.read_metadata(source)
    except pa.ArrowInvalid:
        return False
    return True


def compared_row(path: str, row: pa.Table) -> pa.Table:
    """Return a row of the log of a store of files, noted where the same config has given other content before."""
    with duckdb.connect() as connection:
        connection.register("log before", read_files(path, **{name: row[name][0].as_py() for name in _COMPARED_COLUMNS}))
        return with_note(row, changed_partitions(connection, '"log before"', row))


def _combined_hash(hashes: Mapping[str, str]) -> str:
    """Return the combined hash of several partitions; for a single partition, its own hash."""
    if len(hashes) == 1:
        return next(iter(hashes.values()))
    return hashlib.sha256(" ".join(f"{key}={hashes[key]}" for key in sorted(hashes)).encode()).hexdigest()[:32]


def _generation_date(keys: Sequence[str]) -> date | None:
    """Return the first day of the last partition; None if its key is no date."""
    with contextlib.suppress(ValueError, IndexError):
        return date.fromisoformat(keys[-1][:10])
    return None
