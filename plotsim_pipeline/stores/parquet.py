"""Parquet on any fsspec path, a file per partition: where it lies says the layout, by default
`<path>/<dataset>/<table>/<partition>.parquet` and a state as `state.parquet`.

A file is seen when it is whole, so a partition is either the old one or the new one, never half. The rows of a partition
are the same bytes whether it was written alone or in a range. A layout other than the default is written down in
`<path>/_layouts/<dataset>`, so that whoever reads finds the files, and nobody writes a dataset in two layouts.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import ClassVar

import dagster as dg
import duckdb
import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

from plotsim_core import Plan
from plotsim_core.config.layout import BY_TABLE, folder_of, partition_file, partition_of, state_file
from plotsim_core.output.format import Batches
from plotsim_core.output.parquet import Encoding, write_parquet
from plotsim_core.output.partitions import write_partitions
from plotsim_core.plan.sql import quoted, text
from plotsim_core.validation.store import StoredData, stored_data, stored_date_keys
from plotsim_pipeline.stores.columns import column_changes, other_columns, other_length, refusal
from plotsim_pipeline.stores.filesystem import (
    FileVersion,
    arrow_filesystem_of,
    exclusive_folder,
    file_versions,
    filesystem_of,
    is_local,
    prepare_folder,
    replacing_file,
)
from plotsim_pipeline.stores.index import (
    AS_OF,
    INDEX,
    ROWS,
    FileRecord,
    add_to_index,
    arrow_types,
    file_records,
    footer,
    record_of,
)
from plotsim_pipeline.stores.placement import Placement, missing_error
from plotsim_pipeline.stores.run_log import LOG
from plotsim_pipeline.stores.state_rows import merged_state, require_state
from plotsim_pipeline.stores.store import Partition, Partitions, Schemas, Store, digest_of, length_of

_LAYOUTS = "_layouts"
_MAX_READERS = 16
"""Footers of an object store that are read at the same time."""

Files = dict[str, dict[str | None, tuple[str, FileVersion]]]
"""Table to partition key (None for a state) to the file that holds it, and which version of it."""


class ParquetStore(Store):
    """Parquet files under `path`, which may be local or any URL that fsspec knows (s3://bucket/folder, memory://x)."""

    kind: ClassVar[str] = "parquet"
    default_path: ClassVar[str] = "data/parquet"

    def write(self, placement: Placement, batches: pa.RecordBatchReader) -> dict[str, int]:
        filesystem, root = filesystem_of(self.path)
        self._settle_layout(filesystem, root, placement)
        partitions, schema = placement.partitions, batches.schema
        if partitions is None:
            return self._write_state(filesystem, root, placement, batches)
        reasons = self.obstacles(placement.dataset, {placement.table: (placement.time, schema)})
        if placement.table in reasons:
            raise refusal(placement.dataset, placement.table, self.path, reasons[placement.table])
        files = {
            key: f"{root}/{partition_file(placement.layout, placement.dataset, placement.table, key)}"
            for key in placement.keys
        }
        for folder in sorted({file.rpartition("/")[0] for file in files.values()}):
            prepare_folder(filesystem, root, folder)
        records: dict[str, FileRecord] = {}

        def write_partition(key: str, partition_schema: pa.Schema, rows: Batches) -> int:
            count = _write(filesystem, files[key], partition_schema, rows, placement.encoding)
            records[files[key]] = record_of(partition_schema, count)
            return count

        row_counts = write_partitions(partitions, schema, batches, write_partition)
        stored = _stored_files(filesystem, root, placement.dataset, placement.layout, placement.table).get(
            placement.table, {}
        )
        add_to_index(filesystem, _index(root, placement.dataset, placement.table), dict(stored.values()), records)
        return row_counts

    def _write_state(
        self, filesystem: fsspec.AbstractFileSystem, root: str, placement: Placement, batches: pa.RecordBatchReader
    ) -> dict[str, int]:
        file = f"{root}/{state_file(placement.layout, placement.dataset, placement.table)}"
        folder = file.rpartition("/")[0]
        prepare_folder(filesystem, root, folder)
        with exclusive_folder(filesystem, folder):  # or another run could write a later state between the look and the write
            if filesystem.exists(file):
                stored_record = footer(filesystem, file)
                is_later = stored_record is not None and stored_record.is_complete and stored_record.as_of > placement.as_of
                if stored_record is not None and is_later and stored_record.digest == digest_of(batches.schema):
                    return {stored_record.as_of: stored_record.rows}
            if placement.since is not None:
                require_state(placement, self.state_moment(placement, batches.schema))
                batches = merged_state(self.stream(placement), batches, placement.key)
            schema = batches.schema.with_metadata({**(batches.schema.metadata or {}), AS_OF: placement.as_of})
            return {placement.as_of: _write(filesystem, file, schema, batches, placement.encoding)}

    def _settle_layout(self, filesystem: fsspec.AbstractFileSystem, root: str, placement: Placement) -> None:
        """Record the layout of a dataset, if it is new. Raises Failure if files are stored in another layout."""
        stored_layout = _layout(filesystem, root, placement.dataset)
        if stored_layout == placement.layout:
            return
        if _stored_files(filesystem, root, placement.dataset, stored_layout):
            location = "/".join(filter(None, (self.path.rstrip("/"), folder_of(stored_layout, placement.dataset))))
            raise dg.Failure(
                f"{placement.dataset} lies in {self.path} as {stored_layout}, and `output.layout` now asks for "
                f"{placement.layout}. Write the old layout down again, or take its files away and materialise it anew: "
                f"they are in {location}"
            )
        prepare_folder(filesystem, root, f"{root}/{_LAYOUTS}")
        with replacing_file(filesystem, f"{root}/{_LAYOUTS}/{placement.dataset}") as sink:
            sink.write(placement.layout.encode())

    def state_moment(self, placement: Placement, schema: pa.Schema) -> str | None:
        filesystem, root = filesystem_of(self.path)
        file = f"{root}/{state_file(placement.layout, placement.dataset, placement.table)}"
        record = footer(filesystem, file) if filesystem.exists(file) else None
        return record.as_of if record is not None and record.is_complete and record.digest == digest_of(schema) else None

    def stream(self, placement: Placement) -> pa.RecordBatchReader:
        filesystem, root = filesystem_of(self.path)
        if placement.time is None:
            files = {"": f"{root}/{state_file(placement.layout, placement.dataset, placement.table)}"}
        elif placement.keys:
            files = {
                key: f"{root}/{partition_file(placement.layout, placement.dataset, placement.table, key)}"
                for key in placement.keys
            }
        else:
            table_files = _stored_files(filesystem, root, placement.dataset, placement.layout, placement.table).get(
                placement.table, {}
            )
            files = {key or "": file for key, (file, _) in table_files.items()}
        missing = [key for key, file in files.items() if not filesystem.exists(file)]
        if missing or not files:
            raise missing_error(placement, missing)
        paths = list(files.values())
        schema = pa.unify_schemas(_schemas(filesystem, paths))
        return pa.RecordBatchReader.from_batches(schema, _batches(filesystem, [] if placement.is_empty else paths, schema))

    def uri(self, placement: Placement) -> str:
        folder = folder_of(placement.layout, placement.dataset, placement.table)
        return "/".join(filter(None, (self.path.rstrip("/"), folder)))

    def files(self, placement: Placement) -> list[str]:
        if placement.time is None:
            names = [state_file(placement.layout, placement.dataset, placement.table)]
        else:
            names = [partition_file(placement.layout, placement.dataset, placement.table, key) for key in placement.keys]
        return [f"{self.path.rstrip('/')}/{name}" for name in names]

    def has_partitions(self, placement: Placement) -> bool:
        filesystem, _ = filesystem_of(self.path)
        files = self.files(placement)
        return any(filesystem.exists(file) for file in {files[0], files[-1]})

    def records(self, dataset: str) -> Partitions:
        filesystem, root = filesystem_of(self.path)
        files = _stored_files(filesystem, root, dataset, _layout(filesystem, root, dataset))
        return {
            table: _partitions(filesystem, root, dataset, table, table_files) for table, table_files in sorted(files.items())
        }

    def intact_partitions(self, dataset: str) -> Partitions:
        """Return the partitions whose files are there with as many rows as their writer put into them: a file is its own
        record."""
        return self.records(dataset)

    def version(self, dataset: str) -> str:
        filesystem, root = filesystem_of(self.path)
        files = sorted(
            file_versions(filesystem, f"{root}/{folder_of(_layout(filesystem, root, dataset), dataset)}".rstrip("/")).items()
        )
        return hashlib.sha256(repr(files).encode()).hexdigest() if files else ""

    def obstacles(self, dataset: str, schemas: Schemas) -> dict[str, str]:
        filesystem, root = filesystem_of(self.path)
        layout, only_table = _layout(filesystem, root, dataset), next(iter(schemas)) if len(schemas) == 1 else None
        stored_files = _stored_files(filesystem, root, dataset, layout, only_table)
        reasons: dict[str, str | None] = {}
        for table, (time, schema) in schemas.items():
            table_files = stored_files.get(table, {}) if time is not None else {}
            records = _file_records(filesystem, root, dataset, table, table_files) if table_files else {}
            variants = sorted({(record.columns, record.length) for record in records.values()})
            reasons[table] = next(filter(None, (_obstacle(*variant, schema) for variant in variants)), None)
        return {table: reason for table, reason in reasons.items() if reason is not None}

    def drop(self, dataset: str, table: str) -> None:
        filesystem, root = filesystem_of(self.path)
        layout = _layout(filesystem, root, dataset)
        for file, _ in _stored_files(filesystem, root, dataset, layout, table).get(table, {}).values():
            filesystem.rm_file(file)

    @contextmanager
    def open_tables(self, plan: Plan, first: int, stop: int) -> Iterator[StoredData]:
        filesystem, root = filesystem_of(self.path)
        whole_files = _whole_files(filesystem, root, plan.name)
        with duckdb.connect() as connection:
            relations = {}
            for table in (table.name for table in plan.tables if table.name in whole_files):
                _view(connection, filesystem, quoted(table), whole_files[table].values())
                relations[table] = quoted(table)
            entries = ((table, key) for table in relations for key in whole_files[table] if key is not None)
            yield stored_data(plan, connection, relations, first, stop, stored_date_keys(plan, entries))

    def query(self, sql: str, datasets: Sequence[str]) -> str:
        filesystem, root = filesystem_of(self.path)
        with duckdb.connect() as connection:
            connection.register(LOG, self.run_log())
            for dataset in datasets:
                connection.execute(f"CREATE SCHEMA {quoted(dataset)}")
                for table, table_files in _whole_files(filesystem, root, dataset).items():
                    _view(connection, filesystem, f"{quoted(dataset)}.{quoted(table)}", table_files.values())
            return str(connection.sql(sql))


def _write(
    filesystem: fsspec.AbstractFileSystem,
    file: str,
    schema: pa.Schema,
    batches: Batches,
    encoding: Encoding,
) -> int:
    with replacing_file(filesystem, file) as sink:
        return write_parquet(sink, schema, batches, encoding, row_count_key=ROWS)


def _obstacle(columns: str, length: str, schema: pa.Schema) -> str | None:
    """Return why files of some columns (JSON of name to type) and of partitions of some length stand in the way of others
    with a schema; None where they do not."""
    changes = column_changes(json.loads(columns), arrow_types(schema))
    if not changes.only_added:
        return other_columns(changes)
    return other_length(length, length_of(schema)) if length != length_of(schema) else None


def _schemas(filesystem: fsspec.AbstractFileSystem, files: Sequence[str]) -> list[pa.Schema]:
    """Return the columns of each file."""

    def schema(file: str) -> pa.Schema:
        with filesystem.open(file, "rb") as source:
            return pq.read_schema(source)

    with ThreadPoolExecutor(1 if is_local(filesystem) else _MAX_READERS) as readers:
        return list(readers.map(schema, files))


def _batches(filesystem: fsspec.AbstractFileSystem, files: Sequence[str], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Yield the rows of files one after the other; a column that a file has not is null."""
    for file in files:
        with filesystem.open(file, "rb") as source:
            for batch in pq.ParquetFile(source).iter_batches():
                columns = [
                    batch.column(field.name).cast(field.type)
                    if field.name in batch.schema.names
                    else pa.nulls(len(batch), field.type)
                    for field in schema
                ]
                yield pa.RecordBatch.from_arrays(columns, schema=schema)


def _layout(filesystem: fsspec.AbstractFileSystem, root: str, dataset: str) -> str:
    """Return the layout that a dataset is stored in."""
    try:
        with filesystem.open(f"{root}/{_LAYOUTS}/{dataset}", "rb") as source:
            layout: str = source.read().decode()
    except (FileNotFoundError, NotADirectoryError):
        return BY_TABLE
    return layout


def _stored_files(
    filesystem: fsspec.AbstractFileSystem, root: str, dataset: str, layout: str, table: str | None = None
) -> Files:
    """Return the files of a dataset, or of one of its tables, in a layout, sorted by key."""
    files: Files = {}
    for file, version in sorted(
        file_versions(filesystem, f"{root}/{folder_of(layout, dataset, table)}".rstrip("/")).items()
    ):
        table_key = partition_of(layout, dataset, file.removeprefix(f"{root}/"))
        if table_key is not None and table in (None, table_key[0]):
            files.setdefault(table_key[0], {})[table_key[1]] = (file, version)
    return {name: dict(sorted(table_files.items(), key=lambda item: item[0] or "")) for name, table_files in files.items()}


def _index(root: str, dataset: str, table: str) -> str:
    return f"{root}/{INDEX}/{dataset}/{table}"


def _file_records(
    filesystem: fsspec.AbstractFileSystem,
    root: str,
    dataset: str,
    table: str,
    table_files: Mapping[str | None, tuple[str, FileVersion]],
) -> dict[str | None, FileRecord]:
    """Return the records of a table's complete files, by partition key."""
    records = file_records(filesystem, _index(root, dataset, table), dict(table_files.values()))
    return {key: records[file] for key, (file, _) in table_files.items() if file in records and records[file].is_complete}


def _partitions(
    filesystem: fsspec.AbstractFileSystem,
    root: str,
    dataset: str,
    table: str,
    table_files: Mapping[str | None, tuple[str, FileVersion]],
) -> dict[str, Partition]:
    records = _file_records(filesystem, root, dataset, table, table_files)
    return {r.as_of if key is None else key: Partition(r.rows, r.digest) for key, r in records.items()}


def _whole_files(
    filesystem: fsspec.AbstractFileSystem, root: str, dataset: str
) -> dict[str, dict[str | None, tuple[str, FileRecord]]]:
    """Return the complete files of a dataset and their records, by table and partition key. Unreadable files are left
    out."""
    files = _stored_files(filesystem, root, dataset, _layout(filesystem, root, dataset))
    whole_files = {}
    for table, table_files in files.items():
        records = _file_records(filesystem, root, dataset, table, table_files)
        if records:
            whole_files[table] = {key: (table_files[key][0], record) for key, record in records.items()}
    return whole_files


def _view(
    connection: duckdb.DuckDBPyConnection,
    filesystem: fsspec.AbstractFileSystem,
    name: str,
    records: Iterable[tuple[str, FileRecord]],
) -> None:
    """Make a view of all rows of some files. Folders such as partition_month=3 add no columns."""
    columns_of = {file: record.columns for file, record in records}
    files = list(columns_of)
    sample_files = list({columns: file for file, columns in columns_of.items()}.values())
    has_variants = len(sample_files) > 1
    if is_local(filesystem):
        union = ", union_by_name = true" if has_variants else ""
        source = f"read_parquet([{', '.join(text(file) for file in files)}], hive_partitioning = false{union})"
    else:  # read by pyarrow: DuckDB would want an extension
        import pyarrow.dataset as ds  # it imports pandas, which is slow

        source = quoted(f"files of {name}".replace('"', ""))
        schemas = _schemas(filesystem, sample_files) if has_variants else []
        columns = pa.unify_schemas(schemas, promote_options="permissive") if has_variants else None
        arrow_filesystem = arrow_filesystem_of(filesystem)
        rows = ds.dataset(files, columns, format="parquet", filesystem=arrow_filesystem or filesystem, partitioning=None)
        connection.register(f"files of {name}".replace('"', ""), rows if arrow_filesystem is not None else rows.to_table())
    connection.execute(f"CREATE VIEW {name} AS FROM {source}")
