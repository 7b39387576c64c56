"""Delta Lake: a table per asset at `<path>/<dataset>/<table>`, on a disk or an object store; needs the extra `delta`.

A write puts a Parquet file per partition beside the table and then makes them the table's in one commit, which also takes
out the files they replace. Two writers of one table commit one after the other: the second looks again and commits anew.
Which partitions are held is read from the table itself: the column `_partition` has the key of each file's partition, and
the file's name the digest of what it was made from. Older versions stay readable until somebody vacuums.
"""

import json
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import groupby
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import uuid4

import dagster as dg
import duckdb
import fsspec
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.fs as pa_fs

from plotsim_core import Plan, UsageError
from plotsim_core.output.parquet import write_parquet
from plotsim_core.plan.sql import quoted
from plotsim_core.validation.store import Store as Stored
from plotsim_core.validation.store import held_periods
from plotsim_pipeline.stores.files import access, is_local, located, own_filesystem, prepared, protocols, written
from plotsim_pipeline.stores.log import LOG
from plotsim_pipeline.stores.store import Placement, Store, digest_of, length_of, of_another_length, split

if TYPE_CHECKING:
    from deltalake import DeltaTable

KEY = "_partition"
"""The column that stands in the table's log, not in its files: the key of a partition, the moment of a state."""
_LENGTH = "plotsim.partition"
_WRITER = "plotsim"
"""Whose commits must not pass each other by."""
_TRIES = 60


class DeltaStore(Store):
    """Delta tables under `path`, which may be local or s3://bucket/folder."""

    kind: ClassVar[str] = "delta"

    def write(self, where: Placement, batches: pa.RecordBatchReader) -> dict[str, int]:
        delta = _library()
        filesystem, root = located(self.path)
        folder, schema = f"{root}/{where.dataset}/{where.table}", batches.schema
        table = self._table(filesystem, where, schema)
        if where.time is None and (kept := _kept(table, where, schema)) is not None:
            return kept
        prepared(filesystem, folder)
        added: list[Any] = []
        rows = dict.fromkeys(where.keys if where.time is not None else [where.as_of], 0)
        try:
            for key, pieces in _partitions(where, batches):
                file = f"{key.replace(':', '').replace(' ', 'T')}.{digest_of(schema)}.{uuid4().hex}.parquet"
                with written(filesystem, f"{folder}/{file}") as sink:
                    rows[key] = write_parquet(sink, schema, pieces, where.encoding)
                added.append(_action(filesystem, folder, file, key, rows[key]))
        except BaseException:
            _remove(filesystem, folder, added)
            raise
        for attempt in range(_TRIES):
            if where.time is None and (kept := _kept(table, where, schema)) is not None:
                _remove(filesystem, folder, added)
                return kept
            try:
                _commit(table, schema, where, added)
                return rows
            except delta.exceptions.CommitFailedError:  # another writer was there first
                if attempt == _TRIES - 1:
                    raise  # the files stay until a vacuum, as after any commit of which nobody knows whether it is there
                time.sleep(random.uniform(0, 0.02 * min(attempt + 1, 20)))
                table = self._table(filesystem, where, schema)
        raise AssertionError  # the last attempt returns or raises

    def _table(self, filesystem: fsspec.AbstractFileSystem, where: Placement, schema: pa.Schema) -> "DeltaTable":
        """Return a table as it is now, made if it is not there; refuse one with other columns or lengths of partitions."""
        delta = _library()
        place, options = f"{self.path.rstrip('/')}/{where.dataset}/{where.table}", _options(filesystem)
        if KEY in schema.names:
            raise dg.Failure(
                f"{where.dataset}.{where.table} has a column {KEY}, which a Delta table has by itself: rename it"
            )
        wanted = delta.Schema.from_arrow(schema.append(pa.field(KEY, pa.string())))
        if not delta.DeltaTable.is_deltatable(place, options):
            says = (schema.metadata or {}).get(b"description", b"").decode()
            with suppress(delta.exceptions.DeltaError):  # another writer makes it
                delta.DeltaTable.create(
                    place,
                    wanted,
                    partition_by=[KEY],
                    name=f"{where.dataset}.{where.table}",
                    description=says,
                    configuration={_LENGTH: length_of(schema)},
                    storage_options=options,
                    raise_if_key_not_exists=False,
                )
        table = delta.DeltaTable(place, storage_options=options)
        there = {(field.name, str(field.type)) for field in table.schema().fields}
        other = there ^ {(field.name, str(field.type)) for field in wanted.fields}
        if other:
            raise dg.Failure(
                f"{where.dataset}.{where.table} in {self.path} has other columns than its config asks for "
                f"({', '.join(sorted({name for name, _ in other}))}). "
                f"Delete it and materialise its partitions again: {place}"
            )
        length = table.metadata().configuration.get(_LENGTH, "")
        if where.time is not None and length != length_of(schema):
            raise of_another_length(where, length, length_of(schema), f"delete {place}")
        return table

    def read(self, where: Placement) -> pa.Table:
        filesystem, root = located(self.path)
        table = _opened(self.uri(where), filesystem)
        there = {} if table is None else _held(table)
        keys = where.keys if where.time is not None and where.keys else sorted(there)
        missing = [key for key in keys if key not in there]
        if table is None or missing or not keys:
            raise FileNotFoundError(
                f"{where.dataset}.{where.table}: {', '.join(missing[:3]) or 'nothing'} is not materialised"
            )
        rows = _rows(table, filesystem, f"{root}/{where.dataset}/{where.table}")
        order = [(name, "ascending") for name in (KEY, *where.order)]
        return rows.to_table(filter=ds.field(KEY).isin(list(keys))).sort_by(order).drop_columns([KEY])

    def uri(self, where: Placement) -> str:
        return f"{self.path.rstrip('/')}/{where.dataset}/{where.table}"

    def held(self, dataset: str) -> dict[str, dict[str, tuple[int, str]]]:
        return {name: kept for name, table in self._tables(dataset) if (kept := _held(table))}

    @contextmanager
    def opened(self, plan: Plan, first: int, stop: int) -> Iterator[Stored]:
        filesystem, root = located(self.path)
        names = {table.name for table in plan.tables}
        with duckdb.connect() as connection:
            relations: dict[str, str] = {}
            entries: list[tuple[str, str]] = []
            for name, table in self._tables(plan.name):
                held = _held(table)
                if name in names and held:
                    relations[name] = _view(connection, _rows(table, filesystem, f"{root}/{plan.name}/{name}"), quoted(name))
                    entries += [(name, key) for key in held]
            yield Stored(plan, connection, relations, first, stop, held_periods(plan, entries))

    def query(self, sql: str, datasets: Sequence[str]) -> str:
        filesystem, root = located(self.path)
        with duckdb.connect() as connection:
            connection.register(LOG, self.logged())
            for dataset in datasets:
                connection.execute(f"CREATE SCHEMA {quoted(dataset)}")
                for name, table in self._tables(dataset):
                    rows = _rows(table, filesystem, f"{root}/{dataset}/{name}")
                    _view(connection, rows, f"{quoted(dataset)}.{quoted(name)}")
            return str(connection.sql(sql))

    def _tables(self, dataset: str) -> list[tuple[str, "DeltaTable"]]:
        """Return the tables of a dataset as they are now, by name."""
        filesystem, root = located(self.path)
        filesystem.invalidate_cache()
        _library()
        found = []
        with suppress(FileNotFoundError):
            for folder in sorted(filesystem.ls(f"{root}/{dataset}", detail=False)):
                name = folder.rstrip("/").rpartition("/")[2]
                table = _opened(f"{self.path.rstrip('/')}/{dataset}/{name}", filesystem)
                if table is not None:
                    found.append((name, table))
        return found


def _library() -> Any:
    try:
        import deltalake
        import deltalake.exceptions
    except ImportError:
        raise UsageError("Delta tables need the library deltalake: pip install 'plotsim-pipeline[delta]'") from None
    return deltalake


def _opened(place: str, filesystem: fsspec.AbstractFileSystem) -> "DeltaTable | None":
    """Return a table as it is now, None if there is none."""
    delta, options = _library(), _options(filesystem)
    if not delta.DeltaTable.is_deltatable(place, options):
        return None
    table: DeltaTable = delta.DeltaTable(place, storage_options=options)
    return table


def _options(filesystem: fsspec.AbstractFileSystem) -> dict[str, str] | None:
    """Return for deltalake what fsspec was told of an object store; what the environment says in AWS_... it reads itself."""
    if is_local(filesystem):
        return None
    if protocols(filesystem)[0] != "s3":
        raise UsageError(f"a Delta store lies on a disk or on s3://, not on {protocols(filesystem)[0]}://")
    told = access(filesystem)
    said = {
        "AWS_ENDPOINT_URL": told.endpoint,
        "AWS_ACCESS_KEY_ID": told.key,
        "AWS_SECRET_ACCESS_KEY": told.secret,
        "AWS_SESSION_TOKEN": told.token,
        "AWS_REGION": told.region,
        "AWS_ALLOW_HTTP": "true" if str(told.endpoint).startswith("http://") else None,
    }
    return {"max_retries": "3", "retry_timeout": "30s"} | {name: str(value) for name, value in said.items() if value}


def _partitions(where: Placement, batches: pa.RecordBatchReader) -> Iterator[tuple[str, Iterator[pa.RecordBatch]]]:
    """Yield each key and its rows; keys without rows last."""
    if where.time is None:
        yield where.as_of, iter(batches)
        return
    seen = set()
    for place, pieces in groupby(split(where, batches), key=lambda piece: piece[0]):
        seen.add(where.keys[place])
        yield where.keys[place], (rows for _, rows in pieces)
    for key in where.keys:
        if key not in seen:
            yield key, iter(())


def _action(filesystem: fsspec.AbstractFileSystem, folder: str, file: str, key: str, rows: int) -> Any:
    """Return the log's entry of a file: its partition, and its rows. It tells the bounds of no column: deltalake's data sets
    take a column whose bounds are not told, beside one whose bounds are, for one that holds nothing."""
    from deltalake.transaction import AddAction

    size = filesystem.size(f"{folder}/{file}")
    return AddAction(file, size, {KEY: key}, int(time.time() * 1000), True, json.dumps({"numRecords": rows}))


def _remove(filesystem: fsspec.AbstractFileSystem, folder: str, added: list[Any]) -> None:
    """Remove files that no commit has made the table's."""
    for action in added:
        with suppress(OSError):
            filesystem.rm(f"{folder}/{action.path}")


def _commit(table: "DeltaTable", schema: pa.Schema, where: Placement, added: list[Any]) -> None:
    """Make files the table's, in the place of those of the same partitions, unless another writer was there since."""
    from deltalake import CommitProperties, Transaction

    of = None if where.time is None else [(KEY, "in", list(where.keys))]
    turn = (table.transaction_version(_WRITER) or 0) + 1
    told = {"plotsim_digest": digest_of(schema), "plotsim_partitions": [*where.keys[:1], *where.keys[1:][-1:]]}
    table.create_write_transaction(
        added,
        "overwrite",
        table.schema(),
        [KEY],
        of,
        commit_properties=CommitProperties(
            custom_metadata=told, max_commit_retries=0, app_transactions=[Transaction(_WRITER, turn)]
        ),
    )


def _held(table: "DeltaTable") -> dict[str, tuple[int, str]]:
    """Return partition key to (rows, digest): of the one file that a partition is, or of several after a compaction, which
    takes the digest away."""
    found: dict[str, tuple[int, str]] = {}
    for entry in pa.table(table.get_add_actions(flatten=True)).to_pylist():
        key, parts = entry[f"partition.{KEY}"], entry["path"].split(".")
        digest = parts[-3] if len(parts) >= 4 else ""
        rows, other = found.get(key, (0, digest))
        found[key] = (rows + (entry["num_records"] or 0), digest if digest == other else "")
    return dict(sorted(found.items()))


def _kept(table: "DeltaTable", where: Placement, schema: pa.Schema) -> dict[str, int] | None:
    """Return the stored state that stays: one as of a later moment, made from the same config."""
    for moment, (rows, digest) in _held(table).items():
        if moment > where.as_of and digest == digest_of(schema):
            return {moment: rows}
    return None


def _rows(table: "DeltaTable", filesystem: fsspec.AbstractFileSystem, folder: str) -> ds.Dataset:
    """Return the rows of a table, which lies on a disk or on S3."""
    own = own_filesystem(filesystem)
    assert own is not None
    return table.to_pyarrow_dataset(filesystem=pa_fs.SubTreeFileSystem(folder, own))


def _view(connection: duckdb.DuckDBPyConnection, rows: ds.Dataset, name: str) -> str:
    """Make a view of a table's rows, without the column that only the log has; return its name."""
    source = name.replace('"', "") + " in delta"
    connection.register(source, rows)
    connection.execute(f"CREATE VIEW {name} AS SELECT * EXCLUDE ({quoted(KEY)}) FROM {quoted(source)}")
    return name
