"""Parquet on any fsspec path, a file per partition: where it lies says the layout, by default
`<path>/<dataset>/<table>/<partition>.parquet` and a state as `state.parquet`.

A file is seen when it is whole, so a partition is either the old one or the new one, never half. The rows of a partition
are the same bytes whether it was written alone or in a range. A layout other than the default is written down in
`<path>/_layouts/<dataset>`, so that whoever reads finds the files, and nobody writes a dataset in two layouts.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import groupby
from typing import ClassVar

import dagster as dg
import duckdb
import fsspec
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from plotsim_core import Plan
from plotsim_core.config.layout import BY_TABLE, folder_of, partition_file, state_file, told_by
from plotsim_core.output.parquet import Encoding, columns_between, write_parquet
from plotsim_core.plan.sql import quoted, text
from plotsim_core.validation.store import Store as Stored
from plotsim_core.validation.store import held_periods
from plotsim_pipeline.stores.files import alone_in, is_local, located, own_filesystem, prepared, readable, written
from plotsim_pipeline.stores.log import LOG
from plotsim_pipeline.stores.store import Placement, Store, digest_of, length_of, of_another_length, split

_AS_OF = b"plotsim_as_of"
_LAYOUTS = "_layouts"
_AT_ONCE = 16
"""Footers that are read at the same time."""

Files = dict[str, dict[str | None, str]]
"""Table to partition key (None for a state) to the file that holds it."""


class ParquetStore(Store):
    """Parquet files under `path`, which may be local or any URL that fsspec knows (s3://bucket/folder, memory://x)."""

    kind: ClassVar[str] = "parquet"

    def write(self, where: Placement, batches: pa.RecordBatchReader) -> dict[str, int]:
        filesystem, root = located(self.path)
        self._settle(filesystem, root, where)
        if where.time is None:
            return self._write_state(filesystem, root, where, batches)
        schema = batches.schema
        self._refuse_other_length(filesystem, root, where, schema)
        files = {key: f"{root}/{partition_file(where.layout, where.dataset, where.table, key)}" for key in where.keys}
        for folder in sorted({file.rpartition("/")[0] for file in files.values()}):
            prepared(filesystem, folder)
        rows = dict.fromkeys(where.keys, 0)
        for place, pieces in groupby(split(where, batches), key=lambda piece: piece[0]):
            key = where.keys[place]
            own = columns_between(schema, where.bounds[place], where.bounds[place + 1])
            rows[key] = _write(filesystem, files[key], own, (rows for _, rows in pieces), where.encoding)
        for place, key in enumerate(where.keys):
            if rows[key] == 0:
                _write(
                    filesystem,
                    files[key],
                    columns_between(schema, where.bounds[place], where.bounds[place + 1]),
                    (),
                    where.encoding,
                )
        return rows

    def _write_state(
        self, filesystem: fsspec.AbstractFileSystem, root: str, where: Placement, batches: pa.RecordBatchReader
    ) -> dict[str, int]:
        file = f"{root}/{state_file(where.layout, where.dataset, where.table)}"
        folder = file.rpartition("/")[0]
        prepared(filesystem, folder)
        with alone_in(filesystem, folder):  # or another run could write a later state between the look and the write
            if filesystem.exists(file):
                with filesystem.open(file, "rb") as stored:
                    kept = pq.read_metadata(stored)
                moment = (kept.schema.to_arrow_schema().metadata or {}).get(_AS_OF, b"").decode()
                if moment > where.as_of and digest_of(kept.schema.to_arrow_schema()) == digest_of(batches.schema):
                    return {moment: kept.num_rows}
            schema = batches.schema.with_metadata({**(batches.schema.metadata or {}), _AS_OF: where.as_of})
            return {where.as_of: _write(filesystem, file, schema, batches, where.encoding)}

    def _settle(self, filesystem: fsspec.AbstractFileSystem, root: str, where: Placement) -> None:
        """Write down the layout of a dataset, if that is not what stands there; refuse it where files lie in another."""
        stored = _layout(filesystem, root, where.dataset)
        if stored == where.layout:
            return
        if any(_files(filesystem, root, where.dataset, stored).values()):
            place = "/".join(filter(None, (self.path.rstrip("/"), folder_of(stored, where.dataset))))
            raise dg.Failure(
                f"{where.dataset} lies in {self.path} as {stored}, and `output.layout` now asks for {where.layout}. "
                f"Write the old layout down again, or take its files away and materialise it anew: they are in {place}"
            )
        prepared(filesystem, f"{root}/{_LAYOUTS}")
        with written(filesystem, f"{root}/{_LAYOUTS}/{where.dataset}") as sink:
            sink.write(where.layout.encode())

    def _refuse_other_length(
        self, filesystem: fsspec.AbstractFileSystem, root: str, where: Placement, schema: pa.Schema
    ) -> None:
        file = _first(filesystem, root, where)
        if file is None:
            return
        with filesystem.open(file, "rb") as stored:  # all that is there has one length
            length = length_of(pq.read_schema(stored))
        if length != length_of(schema):
            raise of_another_length(where, length, length_of(schema), f"delete {self.uri(where)}")

    def read(self, where: Placement) -> pa.Table:
        filesystem, root = located(self.path)
        if where.time is None:
            files = {"": f"{root}/{state_file(where.layout, where.dataset, where.table)}"}
        elif where.keys:
            files = {key: f"{root}/{partition_file(where.layout, where.dataset, where.table, key)}" for key in where.keys}
        else:
            there = _files(filesystem, root, where.dataset, where.layout, where.table).get(where.table, {})
            files = {key or "": file for key, file in sorted(there.items(), key=lambda one: one[0] or "")}
        missing = [key for key, file in files.items() if not filesystem.exists(file)]
        if missing or not files:
            raise FileNotFoundError(
                f"{where.dataset}.{where.table}: {', '.join(missing[:3]) or 'nothing'} is not materialised"
            )
        tables = []
        for file in files.values():
            with filesystem.open(file, "rb") as source:
                tables.append(pq.read_table(source))
        return pa.concat_tables(tables, promote_options="default")

    def uri(self, where: Placement) -> str:
        folder = folder_of(where.layout, where.dataset, where.table)
        return "/".join(filter(None, (self.path.rstrip("/"), folder)))

    def files(self, where: Placement) -> list[str]:
        if where.time is None:
            names = [state_file(where.layout, where.dataset, where.table)]
        else:
            names = [partition_file(where.layout, where.dataset, where.table, key) for key in where.keys]
        return [f"{self.path.rstrip('/')}/{name}" for name in names]

    def has(self, where: Placement) -> bool:
        filesystem, _ = located(self.path)
        files = self.files(where)
        return any(filesystem.exists(file) for file in {files[0], files[-1]})

    def held(self, dataset: str) -> dict[str, dict[str, tuple[int, str]]]:
        filesystem, root = located(self.path)
        files = _files(filesystem, root, dataset, _layout(filesystem, root, dataset))

        def told(one: tuple[str, str | None, str]) -> tuple[str, str, int, str]:
            table, key, file = one
            with filesystem.open(file, "rb") as stored:
                kept = pq.read_metadata(stored)
            schema = kept.schema.to_arrow_schema()
            as_of = (schema.metadata or {}).get(_AS_OF, b"").decode()
            return table, as_of if key is None else key, kept.num_rows, digest_of(schema)

        every = [(table, key, file) for table, there in sorted(files.items()) for key, file in there.items()]
        found: dict[str, dict[str, tuple[int, str]]] = {}
        with ThreadPoolExecutor(1 if is_local(filesystem) else _AT_ONCE) as readers:
            for table, key, rows, digest in readers.map(told, every):
                found.setdefault(table, {})[key] = (rows, digest)
        return {table: dict(sorted(kept.items())) for table, kept in found.items()}

    @contextmanager
    def opened(self, plan: Plan, first: int, stop: int) -> Iterator[Stored]:
        filesystem, root = located(self.path)
        files = _files(filesystem, root, plan.name, _layout(filesystem, root, plan.name))
        with duckdb.connect() as connection:
            relations = {}
            for table in (table.name for table in plan.tables if table.name in files):
                _view(connection, filesystem, quoted(table), files[table].values())
                relations[table] = quoted(table)
            entries = ((table, key) for table in relations for key in files[table] if key is not None)
            yield Stored(plan, connection, relations, first, stop, held_periods(plan, entries))

    def query(self, sql: str, datasets: Sequence[str]) -> str:
        filesystem, root = located(self.path)
        with duckdb.connect() as connection:
            connection.register(LOG, self.logged())
            for dataset in datasets:
                connection.execute(f"CREATE SCHEMA {quoted(dataset)}")
                for table, there in _files(filesystem, root, dataset, _layout(filesystem, root, dataset)).items():
                    _view(connection, filesystem, f"{quoted(dataset)}.{quoted(table)}", there.values())
            return str(connection.sql(sql))


def _write(
    filesystem: fsspec.AbstractFileSystem, file: str, schema: pa.Schema, batches: Iterable[pa.RecordBatch], how: Encoding
) -> int:
    with written(filesystem, file) as sink:
        return write_parquet(sink, schema, batches, how)


def _layout(filesystem: fsspec.AbstractFileSystem, root: str, dataset: str) -> str:
    """Return the layout that a dataset is stored in."""
    try:
        with filesystem.open(f"{root}/{_LAYOUTS}/{dataset}", "rb") as source:
            layout: str = source.read().decode()
    except (FileNotFoundError, NotADirectoryError):
        return BY_TABLE
    return layout


def _files(filesystem: fsspec.AbstractFileSystem, root: str, dataset: str, layout: str, table: str | None = None) -> Files:
    """Return where everything of a dataset lies that is stored in a layout, or of one of its tables."""
    filesystem.invalidate_cache()  # another process may have written
    found: Files = {}
    for file in sorted(filesystem.find(f"{root}/{folder_of(layout, dataset, table)}".rstrip("/"))):
        told = told_by(layout, dataset, file.removeprefix(f"{root}/"))
        if told is not None and table in (None, told[0]):
            found.setdefault(told[0], {})[told[1]] = file
    return {name: dict(sorted(there.items(), key=lambda one: one[0] or "")) for name, there in found.items()}


def _first(filesystem: fsspec.AbstractFileSystem, root: str, where: Placement) -> str | None:
    """Return the file of any partition of a table, None if there is none."""
    for folder, _, names in filesystem.walk(f"{root}/{folder_of(where.layout, where.dataset, where.table)}".rstrip("/")):
        for name in names:
            told = told_by(where.layout, where.dataset, f"{folder}/{name}".removeprefix(f"{root}/"))
            if told is not None and told[0] == where.table and told[1] is not None:
                return f"{folder}/{name}"
    return None


def _view(
    connection: duckdb.DuckDBPyConnection, filesystem: fsspec.AbstractFileSystem, name: str, files: Iterable[str]
) -> None:
    """Make a view of all rows of some files. Folders such as month=03 add no columns: they are in the files."""
    files = list(files)
    ends = []
    for file in (files[0], files[-1]):
        with filesystem.open(file, "rb") as stored:
            ends.append(pq.read_schema(stored))
    moved = ends[0].names != ends[1].names  # whatever comes or goes is there at one end
    if is_local(filesystem):
        union = ", union_by_name = true" if moved else ""
        source = f"read_parquet([{', '.join(text(file) for file in files)}], hive_partitioning = false{union})"
    else:  # read by pyarrow: DuckDB would want an extension
        source = quoted(f"files of {name}".replace('"', ""))
        columns = pa.unify_schemas(ends, promote_options="permissive") if moved else None
        through = own_filesystem(filesystem) or filesystem
        there = ds.dataset(files, columns, format="parquet", filesystem=through, partitioning=None)
        connection.register(f"files of {name}".replace('"', ""), readable(there, filesystem))
    connection.execute(f"CREATE VIEW {name} AS FROM {source}")
