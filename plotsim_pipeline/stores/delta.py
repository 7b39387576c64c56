"""Delta Lake: a table per asset at `<path>/<dataset>/<table>`, on a disk or an object store; needs the extra `delta`.

A write puts a Parquet file per partition beside the table and then makes them the table's in one commit, which also takes
out the files they replace. Two writers of one table commit one after the other: the second looks again and commits anew.
Which partitions are held is read from the table itself: the column `_partition` has the key of each file's partition, and
the file's name the digest of what it was made from. Older versions stay readable until somebody vacuums.
"""

import hashlib
import json
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import ModuleType
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import unquote
from uuid import uuid4

import dagster as dg
import duckdb
import fsspec
import pyarrow as pa
import pyarrow.fs as pa_fs

from plotsim_core import Plan, UsageError
from plotsim_core.arrow import in_utc
from plotsim_core.output.format import Batches
from plotsim_core.output.parquet import write_parquet
from plotsim_core.output.partitions import write_partitions
from plotsim_core.plan.sql import quoted
from plotsim_core.validation.store import StoredData, stored_data, stored_date_keys
from plotsim_pipeline.stores.columns import column_changes, other_columns, other_length, refusal
from plotsim_pipeline.stores.filesystem import (
    arrow_filesystem_of,
    file_versions,
    filesystem_of,
    is_local,
    prepare_folder,
    protocols,
    replacing_file,
    s3_access,
)
from plotsim_pipeline.stores.placement import Placement, missing_error
from plotsim_pipeline.stores.run_log import LOG
from plotsim_pipeline.stores.state_rows import merged_state, require_state
from plotsim_pipeline.stores.store import Partition, Partitions, Schemas, Store, digest_of, length_of

if TYPE_CHECKING:
    import pyarrow.dataset as ds
    from deltalake import DeltaTable
    from deltalake import Schema as DeltaSchema
    from deltalake.transaction import AddAction

KEY = "_partition"
"""The column that stands in the table's log, not in its files: the key of a partition, the moment of a state."""
_LENGTH = "plotsim.partition"
_WRITER = "plotsim"
"""Whose commits must not pass each other by."""
_MAX_COMMITS = 60


class DeltaStore(Store):
    """Delta tables under `path`, which may be local or s3://bucket/folder."""

    kind: ClassVar[str] = "delta"
    default_path: ClassVar[str] = "data/delta"

    def write(self, placement: Placement, batches: pa.RecordBatchReader) -> dict[str, int]:
        delta = _library()
        filesystem, root = filesystem_of(self.path)
        folder, schema = f"{root}/{placement.dataset}/{placement.table}", batches.schema
        prepare_folder(filesystem, root, folder)
        table = self._table(filesystem, placement, schema)
        if placement.time is None and (kept_rows := _later_state(table, placement, schema)) is not None:
            return kept_rows
        if placement.since is not None:
            require_state(placement, self.state_moment(placement, schema))
            batches = merged_state(self.stream(placement), batches, placement.key)
        add_actions: list[AddAction] = []

        def write_partition(key: str, partition_schema: pa.Schema, rows: Batches) -> int:
            file = f"{key.replace(':', '').replace(' ', 'T')}.{digest_of(schema)}.{uuid4().hex}.parquet"
            with replacing_file(filesystem, f"{folder}/{file}") as sink:
                count = write_parquet(
                    sink, schema, rows, placement.encoding
                )  # a Delta table has all columns in every partition
            add_actions.append(_add_action(filesystem, folder, file, key, count))
            return count

        try:
            if (partitions := placement.partitions) is not None:
                row_counts = write_partitions(partitions, schema, batches, write_partition)
            else:
                row_counts = {placement.as_of: write_partition(placement.as_of, schema, batches)}
        except BaseException:
            _remove(filesystem, folder, add_actions)
            raise
        for attempt in range(_MAX_COMMITS):
            if placement.time is None and (kept_rows := _later_state(table, placement, schema)) is not None:
                _remove(filesystem, folder, add_actions)
                return kept_rows
            try:
                _commit(table, schema, placement, add_actions)
                return row_counts
            except delta.exceptions.CommitFailedError:  # another writer was there first
                if attempt == _MAX_COMMITS - 1 or placement.since is not None:  # and the state may be another
                    raise  # the files stay until a vacuum, as after any commit of which nobody knows whether it is there
                time.sleep(random.uniform(0, 0.02 * min(attempt + 1, 20)))
                table = self._table(filesystem, placement, schema)
        raise AssertionError  # the last attempt returns or raises

    def _table(self, filesystem: fsspec.AbstractFileSystem, placement: Placement, schema: pa.Schema) -> "DeltaTable":
        """Return the Delta table, created if needed. Raises Failure for other columns or another partition length."""
        delta = _library()
        uri, options = f"{self.path.rstrip('/')}/{placement.dataset}/{placement.table}", _storage_options(filesystem)
        if KEY in schema.names:
            raise dg.Failure(f"{placement.full_name} has a column {KEY}, which a Delta table has by itself: rename it")
        delta_schema = _schema(schema)
        if not delta.DeltaTable.is_deltatable(uri, options):
            description = (schema.metadata or {}).get(b"description", b"").decode()
            with suppress(delta.exceptions.DeltaError):  # another writer makes it
                delta.DeltaTable.create(
                    uri,
                    delta_schema,
                    partition_by=[KEY],
                    name=placement.full_name,
                    description=description,
                    configuration={_LENGTH: length_of(schema)},
                    storage_options=options,
                    raise_if_key_not_exists=False,
                )
        table: DeltaTable = delta.DeltaTable(uri, storage_options=options)
        if (reason := _obstacle(table, delta_schema, placement.time, schema)) is not None:
            raise refusal(placement.dataset, placement.table, self.path, reason)
        changes = column_changes(_types(table.schema()), _types(delta_schema))
        if changes.added:  # null in the partitions that are stored
            table.alter.add_columns([field for field in delta_schema.fields if field.name in changes.added])
        return table

    def state_moment(self, placement: Placement, schema: pa.Schema) -> str | None:
        filesystem, _ = filesystem_of(self.path)
        table = _open_table(self.uri(placement), filesystem)
        states = {} if table is None else _recorded_partitions(table)
        return next((moment for moment, state in states.items() if state.digest == digest_of(schema)), None)

    def stream(self, placement: Placement) -> pa.RecordBatchReader:
        filesystem, root = filesystem_of(self.path)
        table = _open_table(self.uri(placement), filesystem)
        entries = {} if table is None else _recorded_partitions(table)
        keys = placement.keys if placement.time is not None and placement.keys else sorted(entries)
        missing = [key for key in keys if key not in entries]
        if table is None or missing or not keys:
            raise missing_error(placement, missing)
        rows = _rows(table, filesystem, f"{root}/{placement.dataset}/{placement.table}")
        schema = rows.schema.remove(rows.schema.get_field_index(KEY))
        return pa.RecordBatchReader.from_batches(
            schema, _batches(rows, schema, [] if placement.is_empty else keys, placement.sorting)
        )

    def uri(self, placement: Placement) -> str:
        return f"{self.path.rstrip('/')}/{placement.dataset}/{placement.table}"

    def records(self, dataset: str) -> Partitions:
        return {name: partitions for name, table in self._tables(dataset) if (partitions := _recorded_partitions(table))}

    def intact_partitions(self, dataset: str) -> Partitions:
        """Return the partitions of which every file that the table's log names is there, as large as it says."""
        filesystem, root = filesystem_of(self.path)
        made_partitions = {}
        for name, table in self._tables(dataset):
            folder = f"{root}/{dataset}/{name}"
            sizes = {file.removeprefix(f"{folder}/"): size for file, (size, _) in file_versions(filesystem, folder).items()}
            if partitions := _recorded_partitions(table, sizes):
                made_partitions[name] = partitions
        return made_partitions

    def version(self, dataset: str) -> str:
        filesystem, root = filesystem_of(self.path)
        files = sorted(file_versions(filesystem, f"{root}/{dataset}").items())
        return hashlib.sha256(repr(files).encode()).hexdigest() if files else ""

    def obstacles(self, dataset: str, schemas: Schemas) -> dict[str, str]:
        stored_tables = dict(self._tables(dataset))
        reasons = {
            name: _obstacle(stored_tables[name], _schema(schema), time, schema)  # a state as well: Delta keeps its columns
            for name, (time, schema) in schemas.items()
            if name in stored_tables
        }
        return {name: reason for name, reason in reasons.items() if reason is not None}

    def drop(self, dataset: str, table: str) -> None:
        filesystem, root = filesystem_of(self.path)
        filesystem.rm(f"{root}/{dataset}/{table}", recursive=True)

    @contextmanager
    def open_tables(self, plan: Plan, first: int, stop: int) -> Iterator[StoredData]:
        filesystem, root = filesystem_of(self.path)
        names = {table.name for table in plan.tables}
        with duckdb.connect() as connection:
            relations: dict[str, str] = {}
            entries: list[tuple[str, str]] = []
            for name, table in self._tables(plan.name):
                partitions = _recorded_partitions(table)
                if name in names and partitions:
                    relations[name] = _view(connection, _rows(table, filesystem, f"{root}/{plan.name}/{name}"), quoted(name))
                    entries += [(name, key) for key in partitions]
            yield stored_data(plan, connection, relations, first, stop, stored_date_keys(plan, entries))

    def query(self, sql: str, datasets: Sequence[str]) -> str:
        filesystem, root = filesystem_of(self.path)
        with duckdb.connect() as connection:
            connection.register(LOG, self.run_log())
            for dataset in datasets:
                connection.execute(f"CREATE SCHEMA {quoted(dataset)}")
                for name, table in self._tables(dataset):
                    rows = _rows(table, filesystem, f"{root}/{dataset}/{name}")
                    _view(connection, rows, f"{quoted(dataset)}.{quoted(name)}")
            return str(connection.sql(sql))

    def _tables(self, dataset: str) -> list[tuple[str, "DeltaTable"]]:
        """Return the tables of a dataset as they are now, by name."""
        filesystem, root = filesystem_of(self.path)
        filesystem.invalidate_cache()
        _library()
        tables = []
        with suppress(FileNotFoundError):
            for folder in sorted(filesystem.ls(f"{root}/{dataset}", detail=False)):
                name = folder.rstrip("/").rpartition("/")[2]
                table = _open_table(f"{self.path.rstrip('/')}/{dataset}/{name}", filesystem)
                if table is not None:
                    tables.append((name, table))
        return tables


def _library() -> ModuleType:
    try:
        import deltalake
        import deltalake.exceptions
    except ImportError:
        raise UsageError("Delta tables need the library deltalake: pip install 'plotsim-pipeline[delta]'") from None
    return deltalake


def _open_table(uri: str, filesystem: fsspec.AbstractFileSystem) -> "DeltaTable | None":
    """Return the current version of a Delta table; None if there is none."""
    delta, options = _library(), _storage_options(filesystem)
    if not delta.DeltaTable.is_deltatable(uri, options):
        return None
    table: DeltaTable = delta.DeltaTable(uri, storage_options=options)
    return table


def _storage_options(filesystem: fsspec.AbstractFileSystem) -> dict[str, str] | None:
    """Return the storage options of deltalake: the settings of fsspec. It reads variables AWS_... by itself."""
    if is_local(filesystem):
        return None
    if protocols(filesystem)[0] != "s3":
        raise UsageError(f"a Delta store lies on a disk or on s3://, not on {protocols(filesystem)[0]}://")
    settings = s3_access(filesystem)
    options = {
        "AWS_ENDPOINT_URL": settings.endpoint,
        "AWS_ACCESS_KEY_ID": settings.key,
        "AWS_SECRET_ACCESS_KEY": settings.secret,
        "AWS_SESSION_TOKEN": settings.token,
        "AWS_REGION": settings.region,
        "AWS_ALLOW_HTTP": "true" if str(settings.endpoint).startswith("http://") else None,
    }
    return {"max_retries": "3", "retry_timeout": "30s"} | {name: str(value) for name, value in options.items() if value}


def _add_action(filesystem: fsspec.AbstractFileSystem, folder: str, file: str, key: str, rows: int) -> "AddAction":
    """Return the log's entry of a file: its partition, and its rows. It tells the bounds of no column: deltalake's data sets
    take a column whose bounds are not told, beside one whose bounds are, for one that holds nothing."""
    from deltalake.transaction import AddAction

    size = filesystem.size(f"{folder}/{file}")
    return AddAction(file, size, {KEY: key}, int(time.time() * 1000), True, json.dumps({"numRecords": rows}))


def _remove(filesystem: fsspec.AbstractFileSystem, folder: str, add_actions: "list[AddAction]") -> None:
    """Remove files that no commit has made the table's."""
    for action in add_actions:
        with suppress(OSError):
            filesystem.rm(f"{folder}/{action.path}")


def _commit(table: "DeltaTable", schema: pa.Schema, placement: Placement, add_actions: "Sequence[AddAction]") -> None:
    """Commit files to the table's log, in place of those of the same partitions. A concurrent commit makes it fail."""
    from deltalake import CommitProperties, Transaction

    partition_filter = None if placement.time is None else [(KEY, "in", list(placement.keys))]
    transaction_number = (table.transaction_version(_WRITER) or 0) + 1
    commit_metadata = {
        "plotsim_digest": digest_of(schema),
        "plotsim_partitions": [*placement.keys[:1], *placement.keys[1:][-1:]],
    }
    table.create_write_transaction(
        [*add_actions],
        "overwrite",
        table.schema(),
        [KEY],
        partition_filter,
        commit_properties=CommitProperties(
            custom_metadata=commit_metadata,
            max_commit_retries=0,
            app_transactions=[Transaction(_WRITER, transaction_number)],
        ),
    )


def _schema(schema: pa.Schema) -> "DeltaSchema":
    """Return the schema of a Delta table for rows with an Arrow schema: moments with a zone are UTC there. Raises Failure
    for times of day, which Delta has not."""
    times = [field.name for field in schema if pa.types.is_time(field.type)]
    if times:
        message = f"Delta has no times of day, and {times[0]} is one: give the column `as: text`, or take another store"
        raise dg.Failure(message, allow_retries=False)
    fields = [field.with_type(in_utc(field.type)) for field in schema]
    delta_schema: DeltaSchema = _library().Schema.from_arrow(pa.schema([*fields, pa.field(KEY, pa.string())]))
    return delta_schema


def _types(schema: "DeltaSchema") -> dict[str, str]:
    return {field.name: str(field.type) for field in schema.fields}


def _obstacle(table: "DeltaTable", delta_schema: "DeltaSchema", time: str | None, schema: pa.Schema) -> str | None:
    """Return why a stored table cannot take rows of `delta_schema`; None if it can."""
    changes = column_changes(_types(table.schema()), _types(delta_schema))
    if not changes.only_added:
        return other_columns(changes)
    length = table.metadata().configuration.get(_LENGTH, "")
    return other_length(length, length_of(schema)) if time is not None and length != length_of(schema) else None


def _recorded_partitions(table: "DeltaTable", sizes: Mapping[str, int] | None = None) -> dict[str, Partition]:
    """Return the partitions that a table's log records. A partition is one file, or several after a compaction, which loses
    the digest. With `sizes` (of the files in the folder), only partitions whose files are all there and complete."""
    partitions: dict[str, Partition] = {}
    lost_keys = set()
    for entry in pa.table(table.get_add_actions(flatten=True)).to_pylist():
        key, path = entry[f"partition.{KEY}"], unquote(entry["path"])
        parts = path.split(".")
        digest = parts[-3] if len(parts) >= 4 else ""
        previous = partitions.get(key, Partition(0, digest))
        partitions[key] = Partition(previous.rows + (entry["num_records"] or 0), digest if digest == previous.digest else "")
        if sizes is not None and sizes.get(path) != entry["size_bytes"]:
            lost_keys.add(key)
    return {key: partition for key, partition in sorted(partitions.items()) if key not in lost_keys}


def _later_state(table: "DeltaTable", placement: Placement, schema: pa.Schema) -> dict[str, int] | None:
    """Return moment and rows of a stored state that stays: as of a later moment, from the same config; None if none."""
    for moment, (rows, digest) in _recorded_partitions(table).items():
        if moment > placement.as_of and digest == digest_of(schema):
            return {moment: rows}
    return None


def _rows(table: "DeltaTable", filesystem: fsspec.AbstractFileSystem, folder: str) -> "ds.Dataset":
    """Return the rows of a table as an Arrow dataset, read from a disk or from S3."""
    arrow_filesystem = arrow_filesystem_of(filesystem)
    assert arrow_filesystem is not None
    return table.to_pyarrow_dataset(filesystem=pa_fs.SubTreeFileSystem(folder, arrow_filesystem))


def _batches(rows: "ds.Dataset", schema: pa.Schema, keys: Sequence[str], order: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Yield the rows of partitions, each in its order: one of them is in memory at a time."""
    import pyarrow.dataset as ds  # it imports pandas, which is slow

    fragments: dict[str, list[ds.Fragment]] = {}
    for fragment in rows.get_fragments(ds.field(KEY).isin(pa.array(keys, pa.string()))):
        fragments.setdefault(ds.get_partition_keys(fragment.partition_expression)[KEY], []).append(fragment)
    for key in keys:
        parts = [fragment.to_table(schema) for fragment in fragments.get(key, [])]
        if parts:
            table = pa.concat_tables(parts)
            yield from (table.sort_by([(name, "ascending") for name in order]) if order else table).to_batches()


def _view(connection: duckdb.DuckDBPyConnection, rows: "ds.Dataset", name: str) -> str:
    """Make a view of a table's rows, without the column that only the log has; return its name."""
    source = name.replace('"', "") + " in delta"
    connection.register(source, rows)
    connection.execute(f"CREATE VIEW {name} AS SELECT * EXCLUDE ({quoted(KEY)}) FROM {quoted(source)}")
    return name
