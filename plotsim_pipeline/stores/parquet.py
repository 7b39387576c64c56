"""Parquet on any fsspec path: `<path>/<dataset>/<table>/<partition>.parquet`, a state as `state.parquet`.

A file is written aside and renamed into place, so a partition is either the old one or the new one, never half. The
rows of a partition are the same bytes whether it was written alone or in a range.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from uuid import uuid4

import duckdb
import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

from plotsim_core import Plan
from plotsim_core.output.parquet import write_parquet
from plotsim_core.plan.sql import quoted, text
from plotsim_core.validation.store import Store as Stored
from plotsim_core.validation.store import held_periods
from plotsim_pipeline.stores.store import Placement, Store, digest_of, split

_STATE = "state"
_AS_OF = b"plotsim_as_of"


class ParquetStore(Store):
    """Parquet files under `path`, which may be local or any URL that fsspec knows (s3://bucket/folder, memory://x)."""

    def write(self, where: Placement, batches: pa.RecordBatchReader) -> dict[str, int]:
        folder = self._folder(where.dataset, where.table)
        self._filesystem().makedirs(folder, exist_ok=True)
        if where.time is None:
            return self._write_state(where, folder, batches)
        rows = dict.fromkeys(where.keys, 0)
        schema = batches.schema
        for place, pieces in groupby(split(where, batches), key=lambda piece: piece[0]):
            key = where.keys[place]
            rows[key] = self._write_file(f"{folder}/{_file(key)}", schema, (rows for _, rows in pieces))
        for key in (key for key, count in rows.items() if count == 0):
            self._write_file(f"{folder}/{_file(key)}", schema, ())
        return rows

    def _write_state(self, where: Placement, folder: str, batches: pa.RecordBatchReader) -> dict[str, int]:
        file = f"{folder}/{_file(_STATE)}"
        if self._filesystem().exists(file):
            with self._filesystem().open(file, "rb") as stored:
                kept = pq.read_metadata(stored)
            later = (kept.schema.to_arrow_schema().metadata or {}).get(_AS_OF, b"").decode() > where.as_of
            if later and digest_of(kept.schema.to_arrow_schema()) == digest_of(batches.schema):
                return {_STATE: kept.num_rows}
        schema = batches.schema.with_metadata({**(batches.schema.metadata or {}), _AS_OF: where.as_of})
        return {_STATE: self._write_file(file, schema, batches)}

    def _write_file(self, file: str, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> int:
        filesystem = self._filesystem()
        folder, _, name = file.rpartition("/")
        aside = f"{folder}/.{name}.{uuid4().hex}.tmp"
        try:
            with filesystem.open(aside, "wb") as sink:
                rows = write_parquet(sink, schema, batches)
            filesystem.mv(aside, file)
        except BaseException:
            if filesystem.exists(aside):
                filesystem.rm(aside)
            raise
        return rows

    def read(self, where: Placement) -> pa.Table:
        folder = self._folder(where.dataset, where.table)
        names = where.keys if where.time is not None and where.keys else self._names(folder)
        missing = [name for name in names if not self._filesystem().exists(f"{folder}/{_file(name)}")]
        if missing or not names:
            raise FileNotFoundError(
                f"{where.dataset}.{where.table}: {', '.join(missing[:3]) or 'nothing'} is not materialised"
            )
        tables = []
        for name in names:
            with self._filesystem().open(f"{folder}/{_file(name)}", "rb") as source:
                tables.append(pq.read_table(source))
        return pa.concat_tables(tables)

    def uri(self, where: Placement) -> str:
        return f"{self.path.rstrip('/')}/{where.dataset}/{where.table}"

    def held(self, dataset: str) -> dict[str, dict[str, tuple[int, str]]]:
        root = self._folder(dataset, "")
        found: dict[str, dict[str, tuple[int, str]]] = {}
        for file in sorted(self._filesystem().glob(f"{root}*/*.parquet")):
            *_, table, name = file.split("/")
            with self._filesystem().open(file, "rb") as stored:
                kept = pq.read_metadata(stored)
            schema = kept.schema.to_arrow_schema()
            key = (schema.metadata or {}).get(_AS_OF, b"").decode() or _key(name)
            found.setdefault(table, {})[key] = (kept.num_rows, digest_of(schema))
        return found

    @contextmanager
    def opened(self, plan: Plan, first: int, stop: int) -> Iterator[Stored]:
        with self._reading() as (connection, relation):
            there = {table.name: self._folder(plan.name, table.name) for table in plan.tables}
            names = {name: self._names(folder) for name, folder in there.items()}
            relations = {name: relation(there[name]) for name, found in names.items() if found}
            entries = ((name, key) for name, found in names.items() for key in found)
            yield Stored(plan, connection, relations, first, stop, held_periods(plan, entries))

    def query(self, sql: str, datasets: Sequence[str]) -> str:
        with self._reading() as (connection, relation):
            for dataset in datasets:
                connection.execute(f"CREATE SCHEMA {quoted(dataset)}")
                for table in self.held(dataset):
                    rows = relation(self._folder(dataset, table))
                    connection.execute(f"CREATE VIEW {quoted(dataset)}.{quoted(table)} AS FROM {rows}")
            return str(connection.sql(sql))

    @contextmanager
    def _reading(self) -> Iterator[tuple[duckdb.DuckDBPyConnection, Callable[[str], str]]]:
        """Give a connection that can read the files, and the SQL for all files of a folder."""
        filesystem = self._filesystem()
        local = "file" in _protocols(filesystem)
        prefix = "" if local else f"{_protocols(filesystem)[0]}://"
        with duckdb.connect() as connection:
            if not local:
                connection.register_filesystem(filesystem)
            yield connection, lambda folder: f"read_parquet({text(f'{prefix}{folder}/*.parquet')})"

    def _filesystem(self) -> fsspec.AbstractFileSystem:
        filesystem: fsspec.AbstractFileSystem = fsspec.core.url_to_fs(self.path)[0]
        return filesystem

    def _folder(self, dataset: str, table: str) -> str:
        root: str = fsspec.core.url_to_fs(self.path)[1]
        return f"{root.rstrip('/')}/{dataset}/{table}"

    def _names(self, folder: str) -> list[str]:
        return sorted(_key(file.rpartition("/")[2]) for file in self._filesystem().glob(f"{folder}/*.parquet"))


def _file(key: str) -> str:
    """A partition key as a file name: the colon of an hour has no place in one."""
    return f"{key.replace(':', '')}.parquet"


def _key(file: str) -> str:
    name = file.removesuffix(".parquet")
    return f"{name[:-2]}:{name[-2:]}" if name.count("-") == 3 else name


def _protocols(filesystem: fsspec.AbstractFileSystem) -> tuple[str, ...]:
    return (filesystem.protocol,) if isinstance(filesystem.protocol, str) else tuple(filesystem.protocol)
