"""What the files of a Parquet store hold: read from their footers once, and then from an index beside them.

A file says by itself how many rows its writer put into it and what they were made from, so the index is a copy, which saves
opening thousands of files. It is Parquet too, but not named so, since it holds no rows of a table. An entry holds as long as
the size and the time of its file do. Whoever looks writes the index anew where files have come, changed or gone; where it
cannot be written or is lost, the files are read again.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

from plotsim_core.plan.plan import DIGEST, PARTITION
from plotsim_pipeline.stores.filesystem import FileVersion, is_local, prepare_folder, replacing_file

INDEX = "_index"
ROWS, AS_OF = "plotsim_rows", "plotsim_as_of"
"""What the footer of a file says of itself: the rows that its writer put into it, and the moment that a state is as of."""
_MAX_READERS = 16
"""Footers of an object store that are read at the same time."""
_COLUMNS: Mapping[str, pa.DataType] = {
    "file": pa.string(),
    "size": pa.int64(),
    "stamp": pa.string(),
    "rows": pa.int64(),
    "whole": pa.bool_(),
    "digest": pa.dictionary(pa.int32(), pa.string()),
    "length": pa.dictionary(pa.int32(), pa.string()),
    "as_of": pa.string(),
    "columns": pa.dictionary(pa.int32(), pa.string()),
}
_SCHEMA = pa.schema(_COLUMNS)


@dataclass(frozen=True)
class FileRecord:
    """What a file holds: its rows, and whether they are as many as its writer put into it (`is_complete`); the digest and
    the length of partitions that it was made with, a state's moment (empty for a partition), its columns as name to type."""

    rows: int
    is_complete: bool
    digest: str
    length: str
    as_of: str
    columns: str


def arrow_types(schema: pa.Schema) -> dict[str, str]:
    """Return the columns of a schema as name to type, however texts are encoded or addressed in a file."""
    types = {field.name: field.type for field in schema}
    plain = {name: str(t.value_type if pa.types.is_dictionary(t) else t) for name, t in types.items()}
    return {name: type_.removeprefix("large_") for name, type_ in plain.items()}


def record_of(schema: pa.Schema, rows: int) -> FileRecord:
    """Return the record of a file that holds so many rows of a schema."""
    return _file_record(schema, _texts(schema.metadata), rows, is_whole=True)


def file_records(
    filesystem: fsspec.AbstractFileSystem, index: str, versions: Mapping[str, FileVersion]
) -> dict[str, FileRecord]:
    """Return what Parquet files hold, by path; those that cannot be read are left out.

    `versions` has the files to look at; `index` is where the index of just these files lies.
    """
    entries = _read(filesystem, index)
    records = {file: record for file, (version, record) in entries.items() if versions.get(file) == version}
    unread_files = [file for file in versions if file not in records]
    if unread_files:
        with ThreadPoolExecutor(1 if is_local(filesystem) else _MAX_READERS) as readers:
            footers = zip(unread_files, readers.map(lambda file: footer(filesystem, file), unread_files), strict=True)
            records |= {file: record for file, record in footers if record is not None}
    if unread_files or len(entries) != len(records):
        with contextlib.suppress(Exception):  # a store that only may be read is looked at without
            _write(filesystem, index, {file: (versions[file], record) for file, record in records.items()})
    return records


def add_to_index(
    filesystem: fsspec.AbstractFileSystem, index: str, versions: Mapping[str, FileVersion], records: Mapping[str, FileRecord]
) -> None:
    """Put files that were just written into an index, so that nobody has to open them; `versions` has all files that it is
    of."""
    entries = {file: entry for file, entry in _read(filesystem, index).items() if versions.get(file) == entry[0]}
    new_entries = {file: (versions[file], record) for file, record in records.items() if file in versions}
    with contextlib.suppress(Exception):  # an index that is not there is made by whoever looks
        _write(filesystem, index, entries | new_entries)


def footer(filesystem: fsspec.AbstractFileSystem, file: str) -> FileRecord | None:
    """Return what the footer of a file says it holds; None for one that cannot be read."""
    try:
        with filesystem.open(file, "rb") as source:
            metadata = pq.read_metadata(source)
        schema = metadata.schema.to_arrow_schema()
    except (OSError, pa.ArrowInvalid):  # gone since, cut off, or no Parquet
        return None
    texts = {**_texts(schema.metadata), **_texts(metadata.metadata)}
    is_whole = DIGEST not in texts or texts.get(ROWS) == str(metadata.num_rows)  # others copy the digest, and not the rows
    return _file_record(schema, texts, metadata.num_rows, is_whole)


def _texts(metadata: Mapping[bytes, bytes] | None) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in (metadata or {}).items() if name != b"ARROW:schema"}


def _file_record(schema: pa.Schema, texts: Mapping[str, str], rows: int, is_whole: bool) -> FileRecord:
    columns = json.dumps(arrow_types(schema))
    return FileRecord(rows, is_whole, texts.get(DIGEST, ""), texts.get(PARTITION, ""), texts.get(AS_OF, ""), columns)


def _read(filesystem: fsspec.AbstractFileSystem, index: str) -> dict[str, tuple[FileVersion, FileRecord]]:
    try:
        with filesystem.open(index, "rb") as source:
            table = pq.read_table(source)
        if not table.schema.equals(_SCHEMA):
            return {}
    except (OSError, pa.ArrowInvalid):
        return {}
    columns = (column.to_pylist() for column in table.columns)
    rows = zip(*columns, strict=True)
    return {file: (FileVersion(size, stamp), FileRecord(*record_fields)) for file, size, stamp, *record_fields in rows}


def _write(filesystem: fsspec.AbstractFileSystem, index: str, entries: Mapping[str, tuple[FileVersion, FileRecord]]) -> None:
    rows: Iterable[tuple[object, ...]] = (
        (file, *version, r.rows, r.is_complete, r.digest, r.length, r.as_of, r.columns)
        for file, (version, r) in entries.items()
    )
    columns = list(zip(*rows, strict=True)) or [()] * len(_SCHEMA)
    arrays = [pa.array(values, field.type) for values, field in zip(columns, _SCHEMA, strict=True)]
    prepare_folder(filesystem, index.partition(f"/{INDEX}/")[0], index.rpartition("/")[0])
    with replacing_file(filesystem, index) as sink:
        pq.write_table(pa.table(arrays, schema=_SCHEMA), sink, compression="zstd")
