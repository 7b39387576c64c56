"""DuckDB: one embedded file, a schema per dataset, a table per asset.

A write is one transaction: the rows of the partitions go, the new ones come, and the records in `_partitions` of the
schema say so, with the bounds of each partition and its count. Nothing of it is dagster-duckdb's: that deletes and inserts
in two transactions, by position, and loses a partition when killed in between; and it takes every error for a lock, and
waits for it without saying who holds it (see lock.py).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import dagster as dg
import duckdb
import numpy as np
import pyarrow as pa

from plotsim_core import Plan, UsageError
from plotsim_core.output.duckdb import column_comment_sql, comments_sql, create_table_sql, insert_rows
from plotsim_core.plan.sql import quoted, sql_type, text
from plotsim_core.validation.store import PARTITIONS, StoredData, stored_data, stored_date_keys
from plotsim_pipeline.dagster_home import command
from plotsim_pipeline.stores.columns import column_changes, other_columns, other_length, refusal
from plotsim_pipeline.stores.duckdb_lock import open_database, waiting_connection
from plotsim_pipeline.stores.placement import Placement, missing_error
from plotsim_pipeline.stores.run_log import LOG, SCHEMA, Writing, append, completed_row
from plotsim_pipeline.stores.state_rows import require_state
from plotsim_pipeline.stores.store import Partition, Partitions, Schemas, Store, digest_of, length_of

Logged = TypeVar("Logged")

_TIME_FORMATS = {8: "%Y%m%d", 10: "%Y%m%d%H", 12: "%Y%m%d%H%M"}
"""How many digits a number of time has to its format."""
_BATCH_ROWS = 131_072
"""Rows of a batch that is read."""
_RECORD_COLUMNS = {
    "table_name": "VARCHAR",
    "partition_key": "VARCHAR",
    "row_count": "BIGINT",
    "digest": "VARCHAR",
    "length": "VARCHAR",  # since version 0.5
    "time_column": "VARCHAR",  # since version 0.6, with the bounds of its numbers
    "low": "BIGINT",
    "high": "BIGINT",
}
"""The columns of the partition records: partition i of a table holds the rows with low <= time_column < high."""


class DuckDBStore(Store):
    """A DuckDB file at `path`."""

    kind: ClassVar[str] = "duckdb"
    default_path: ClassVar[str] = "data/plotsim.duckdb"

    @property
    def is_single_writer(self) -> bool:
        return True

    @property
    def folder(self) -> str:
        return str(Path(self.path).parent)

    def write(self, placement: Placement, batches: pa.RecordBatchReader) -> dict[str, int]:
        return self._write(placement, batches, lambda connection: None)[0]

    def write_logged(
        self, placement: Placement, batches: pa.RecordBatchReader, writing: Writing
    ) -> tuple[dict[str, int], pa.Table]:
        return self._write(
            placement, batches, lambda connection: append(connection, completed_row(writing, self.files(placement)))
        )

    def log(self, row: pa.Table) -> None:
        with open_database(self.path) as connection:  # at once or not at all: it is about what has failed
            append(connection, row)

    def run_log(self) -> pa.Table:
        with self._read_connection() as connection:
            if connection is None or not _columns(connection, f"main.{LOG}"):
                return SCHEMA.empty_table()
            table: pa.Table = connection.sql(f"FROM main.{LOG}").to_arrow_table()
            return table

    def _write(
        self, placement: Placement, batches: pa.RecordBatchReader, log: Callable[[duckdb.DuckDBPyConnection], Logged]
    ) -> tuple[dict[str, int], Logged]:
        """Write the rows and the log's row of it in one transaction; return the rows of each key, and what `log` returns."""
        relation = f"{quoted(placement.dataset)}.{quoted(placement.table)}"
        digest = digest_of(batches.schema)
        with self._connection() as connection:
            stored_columns = _columns(connection, relation)  # before the transaction, which an error would end
            connection.execute("BEGIN TRANSACTION")
            try:
                self._prepare(connection, placement, batches.schema, stored_columns)
                rows = self._replace_rows(connection, placement, relation, digest, batches)
                row = log(connection)
                connection.execute("COMMIT")
            except BaseException:
                connection.execute("ROLLBACK")
                raise
        return rows, row

    def _prepare(
        self, connection: duckdb.DuckDBPyConnection, placement: Placement, schema: pa.Schema, stored_columns: dict[str, str]
    ) -> None:
        """Make the schema, the records and the table if they are not there; add new columns to it, and refuse other changes.
        `stored_columns` are the columns that the table has."""
        dataset = quoted(placement.dataset)
        if Path(self.path).stem.lower() == placement.dataset.lower():
            raise dg.Failure(
                f"{self.path}: a DuckDB file must not be named like a dataset in it, for "
                f"{placement.full_name} would mean two things to DuckDB. Give the file another name.",
                allow_retries=False,
            )
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {dataset}")
        records = f"{dataset}.{PARTITIONS}"
        columns = ", ".join(f"{name} {type_}" for name, type_ in _RECORD_COLUMNS.items())
        connection.execute(f"CREATE TABLE IF NOT EXISTS {records} ({columns})")
        for name in _RECORD_COLUMNS.keys() - _columns(connection, records):  # files of older versions lack some
            connection.execute(f"ALTER TABLE {records} ADD COLUMN {name} {_RECORD_COLUMNS[name]}")
        relation = f"{dataset}.{quoted(placement.table)}"
        changes = column_changes(stored_columns, _sql_types(schema))
        if stored_columns and placement.time is None and not changes.only_added:  # a state is replaced as a whole
            connection.execute(f"DROP TABLE {relation}")
            stored_columns = {}
        if not stored_columns:
            for statement in [create_table_sql(relation, schema), *comments_sql(relation, schema)]:
                connection.execute(statement)
            connection.execute(
                f"DELETE FROM {records} WHERE table_name = ?", [placement.table]
            )  # somebody dropped the table
            return
        reason = None
        if placement.time is not None:
            stored_records = _tables_of(_records(connection, placement.dataset))
            reason = _obstacle(stored_records.get(placement.table), schema, stored_columns)
        if reason is not None:
            raise refusal(placement.dataset, placement.table, self.path, reason)
        for name in changes.added:  # null in the partitions that are stored
            connection.execute(f"ALTER TABLE {relation} ADD COLUMN {quoted(name)} {_sql_types(schema)[name]}")
            for statement in column_comment_sql(relation, schema.field(name)):
                connection.execute(statement)

    def _replace_rows(
        self,
        connection: duckdb.DuckDBPyConnection,
        placement: Placement,
        relation: str,
        digest: str,
        batches: pa.RecordBatchReader,
    ) -> dict[str, int]:
        records = f"{quoted(placement.dataset)}.{PARTITIONS}"
        partitions = placement.partitions
        if partitions is None:
            stored_state = _stored_state(connection, placement)
            if stored_state is not None and stored_state[0] > placement.as_of and stored_state[1].digest == digest:
                return {stored_state[0]: stored_state[1].rows}
            if placement.since is None:
                connection.execute(f"DELETE FROM {relation}")
                rows = {placement.as_of: insert_rows(connection, relation, batches)}
            else:
                is_same = stored_state is not None and stored_state[1].digest == digest
                require_state(placement, stored_state[0] if stored_state is not None and is_same else None)
                rows = {placement.as_of: _replace_changed_rows(connection, placement, relation, batches)}
            connection.execute(f"DELETE FROM {records} WHERE table_name = ?", [placement.table])
        else:
            low, high = partitions.bounds[0], partitions.bounds[-1]
            time = _time_number(partitions.time, _is_temporal(batches.schema, partitions.time), partitions.time_format)
            connection.execute(f"DELETE FROM {relation} WHERE {time} >= ? AND {time} < ?", [low, high])
            connection.execute(
                f"DELETE FROM {records} WHERE table_name = ? AND list_contains(?, partition_key)",
                [placement.table, list(placement.keys)],
            )
            insert_rows(connection, relation, batches)
            counts: dict[str, Any] = connection.execute(
                f"SELECT {time} AS time, count(*) AS n FROM {relation} WHERE {time} >= ? AND {time} < ? GROUP BY 1",
                [low, high],
            ).fetchnumpy()
            rows = partitions.row_counts(np.asarray(counts["time"]), np.asarray(counts["n"]))
        connection.register("partition records", _new_records(placement, rows, digest, length_of(batches.schema)))
        connection.execute(f'INSERT INTO {records} BY NAME SELECT * FROM "partition records"')
        return rows

    def state_moment(self, placement: Placement, schema: pa.Schema) -> str | None:
        relation = f"{quoted(placement.dataset)}.{quoted(placement.table)}"
        with self._read_connection() as connection:
            if connection is None or _columns(connection, relation) != _sql_types(schema):
                return None
            state = _stored_state(connection, placement)
        return state[0] if state is not None and state[1].digest == digest_of(schema) else None

    def stream(self, placement: Placement) -> pa.RecordBatchReader:
        """As of every store. The file is held from the first batch until the last, or until the reader is thrown away."""
        if not Path(self.path).exists():
            raise missing_error(placement)
        relation = f"{quoted(placement.dataset)}.{quoted(placement.table)}"
        with self._connection() as connection:
            if not _columns(connection, relation):
                raise missing_error(placement)
            schema = connection.sql(f"FROM {relation} LIMIT 0").to_arrow_table().schema
            if missing := _missing_keys(connection, placement):
                raise missing_error(placement, missing)
        order = ", ".join(quoted(name) for name in placement.sorting) or "ALL"
        query = f"SELECT * FROM {relation} WHERE {_condition(placement, schema)} ORDER BY {order}"
        return pa.RecordBatchReader.from_batches(schema, self._batches(query))

    def _batches(self, query: str) -> Iterator[pa.RecordBatch]:
        with self._connection() as connection:
            yield from connection.sql(query).to_arrow_reader(_BATCH_ROWS)

    def uri(self, placement: Placement) -> str:
        return self.path

    def records(self, dataset: str) -> Partitions:
        with self._read_connection() as connection:
            return _by_table(_records(connection, dataset)) if connection is not None else {}

    def digests(self, dataset: str) -> dict[str, set[str]]:
        relation = f"{quoted(dataset)}.{PARTITIONS}"
        with self._read_connection() as connection:
            if connection is None or not _columns(connection, relation):
                return {}
            sql = f"SELECT table_name, list(DISTINCT digest) FROM {relation} GROUP BY table_name"
            return {table: set(digests) for table, digests in connection.execute(sql).fetchall()}

    def intact_partitions(self, dataset: str) -> Partitions:
        with self._read_connection() as connection:
            if connection is None:
                return {}
            records = _records(connection, dataset)
            parts = [_intact_records(connection, dataset, table) for table in _tables_of(records).values()]
            return _by_table(pa.concat_tables(parts)) if parts else {}

    def version(self, dataset: str) -> str:
        files = [Path(self.path), Path(f"{self.path}.wal")]
        return " ".join(f"{status.st_size} {status.st_mtime_ns}" for f in files if f.exists() and (status := f.stat()))

    def obstacles(self, dataset: str, schemas: Schemas) -> dict[str, str]:
        with self._read_connection() as connection:
            if connection is None:
                return {}
            records = _tables_of(_records(connection, dataset))
            reasons: dict[str, str | None] = {}
            for table, (time, schema) in schemas.items():
                stored_columns = _columns(connection, f"{quoted(dataset)}.{quoted(table)}") if time is not None else {}
                reasons[table] = _obstacle(records.get(table), schema, stored_columns) if stored_columns else None
            return {table: reason for table, reason in reasons.items() if reason is not None}

    def drop(self, dataset: str, table: str) -> None:
        with self._connection() as connection:
            connection.execute("BEGIN TRANSACTION")
            connection.execute(f"DROP TABLE IF EXISTS {quoted(dataset)}.{quoted(table)}")
            connection.execute(f"DELETE FROM {quoted(dataset)}.{PARTITIONS} WHERE table_name = ?", [table])
            connection.execute("COMMIT")

    @contextmanager
    def open_tables(self, plan: Plan, first: int, stop: int) -> Iterator[StoredData]:
        with self._connection() as connection:
            table_names = _tables(connection, plan.name)
            relations = {t.name: f"{quoted(plan.name)}.{quoted(t.name)}" for t in plan.tables if t.name in table_names}
            records = _records(connection, plan.name)
            names: list[Any] = records["table_name"].to_pylist()
            keys: list[Any] = records["partition_key"].to_pylist()
            entries = zip(names, keys, strict=True)
            yield stored_data(plan, connection, relations, first, stop, stored_date_keys(plan, entries))

    def query(self, sql: str, datasets: Sequence[str]) -> str:
        if not Path(self.path).exists():
            raise UsageError(f"{self.path} is not there yet: materialise a dataset first ({command('run', 'saas')})")
        with waiting_connection(self.path, read_only=True) as connection:
            return str(connection.sql(sql))

    @contextmanager
    def _read_connection(self) -> Iterator[duckdb.DuckDBPyConnection | None]:
        """Give a read-only connection to the file; None if there is no file, since reading creates none."""
        if not Path(self.path).exists():
            yield None
            return
        with waiting_connection(self.path, read_only=True) as connection:
            yield connection

    @contextmanager
    def _connection(self) -> Iterator[duckdb.DuckDBPyConnection]:
        Path(self.path).parent.mkdir(parents=True, exist_ok=True)
        with waiting_connection(self.path) as connection:
            yield connection


def _tables(connection: duckdb.DuckDBPyConnection, dataset: str) -> set[str]:
    rows = connection.execute(
        "SELECT table_name FROM duckdb_tables() WHERE database_name = current_database() AND schema_name = ?", [dataset]
    ).fetchall()
    return {name for (name,) in rows}


def _columns(connection: duckdb.DuckDBPyConnection, relation: str) -> dict[str, str]:
    """Return name and type of a table's columns; none if there is no table. DESCRIBE does not scan the catalogue."""
    try:
        return dict(connection.execute(f"SELECT column_name, column_type FROM (DESCRIBE {relation})").fetchall())
    except duckdb.CatalogException:
        return {}


def _sql_types(schema: pa.Schema) -> dict[str, str]:
    return {field.name: sql_type(field.type) for field in schema}


def _obstacle(records: pa.Table | None, schema: pa.Schema, stored_columns: Mapping[str, str]) -> str | None:
    """Return why a stored table cannot take partitions of `schema`; None if it can. `stored_columns` are its columns,
    `records` its partition records, if it has any."""
    changes = column_changes(stored_columns, _sql_types(schema))
    if not changes.only_added:
        return other_columns(changes)
    lengths = records["length"].unique().to_pylist() if records is not None else []
    length = next((length for length in lengths if (length or "") != length_of(schema)), None)
    return other_length(length, length_of(schema)) if length is not None else None


def _new_records(placement: Placement, rows: Mapping[str, int], digest: str, length: str) -> pa.Table:
    """Return the partition records of a write, a row for each key."""
    is_timed = placement.time is not None
    return pa.table(
        {
            "table_name": [placement.table] * len(rows),
            "partition_key": list(rows),
            "row_count": list(rows.values()),
            "digest": [digest] * len(rows),
            "length": [length] * len(rows),
            "time_column": pa.array([placement.time] * len(rows), pa.string()),
            "low": pa.array(placement.bounds[:-1] if is_timed else [None] * len(rows), pa.int64()),
            "high": pa.array(placement.bounds[1:] if is_timed else [None] * len(rows), pa.int64()),
        }
    )


def _records(connection: duckdb.DuckDBPyConnection, dataset: str) -> pa.Table:
    """Return the partition records of a dataset, with the columns of `_RECORD_COLUMNS`, in the order of tables and keys."""
    relation = f"{quoted(dataset)}.{PARTITIONS}"
    stored_columns = _columns(connection, relation)
    columns = (name if name in stored_columns else f"NULL::{type_} AS {name}" for name, type_ in _RECORD_COLUMNS.items())
    source = relation if stored_columns else f"(SELECT {', '.join(f'NULL AS {name}' for name in _RECORD_COLUMNS)} LIMIT 0)"
    records: pa.Table = connection.sql(f"SELECT {', '.join(columns)} FROM {source} ORDER BY 1, 2").to_arrow_table()
    return records


def _tables_of(records: pa.Table) -> dict[str, pa.Table]:
    """Return the partition records of each table, slices of all of them. No Arrow array is made for it, nor given to NumPy:
    with the first one Arrow imports pandas if that is installed, which takes longer than a look at a store."""
    names: list[Any] = records["table_name"].to_pylist()
    tables, begin = {}, 0
    for name, group in groupby(names):
        length = sum(1 for _ in group)
        tables[str(name)] = records.slice(begin, length)
        begin += length
    return tables


def _replace_changed_rows(
    connection: duckdb.DuckDBPyConnection, placement: Placement, relation: str, batches: pa.RecordBatchReader
) -> int:
    """Put rows in place of those with the same keys; return how many rows the table then has."""
    connection.register("incoming rows", batches)
    connection.execute('CREATE OR REPLACE TEMP TABLE "changed rows" AS FROM "incoming rows"')
    same_key = " AND ".join(f"stored.{quoted(name)} = changed.{quoted(name)}" for name in placement.key)
    connection.execute(f'DELETE FROM {relation} AS stored USING "changed rows" AS changed WHERE {same_key}')
    connection.execute(f'INSERT INTO {relation} BY NAME FROM "changed rows"')
    ((rows,),) = connection.execute(f"SELECT count(*) FROM {relation}").fetchall()
    return int(rows)


def _stored_state(connection: duckdb.DuckDBPyConnection, placement: Placement) -> tuple[str, Partition] | None:
    """Return moment and partition of a state that is stored as its record says; None for none."""
    records = _tables_of(_records(connection, placement.dataset)).get(placement.table)
    partitions = _by_table(_intact_records(connection, placement.dataset, records)) if records is not None else {}
    return next(iter(partitions.get(placement.table, {}).items()), None)


def _intact_records(connection: duckdb.DuckDBPyConnection, dataset: str, records: pa.Table) -> pa.Table:
    """Return the intact records of one table: those whose row count is the recorded one, by a single GROUP BY."""
    relation, time = f"{quoted(dataset)}.{quoted(records['table_name'][0].as_py())}", records["time_column"][0].as_py()
    recorded_counts, low, high = (np.array(records[name].to_pylist()) for name in ("row_count", "low", "high"))
    try:
        # a state, or a table with a partition of a version that did not record bounds: counted as a whole
        if records["low"].null_count:
            ((rows,),) = connection.execute(f"SELECT count(*) FROM {relation}").fetchall()
            return records if rows == recorded_counts.sum() else records.slice(0, 0)
        type_ = _columns(connection, relation).get(time, "")
        time_format = _TIME_FORMATS[len(str(int(low.max())))]
        number = _time_number(time, type_.startswith(("DATE", "TIMESTAMP")), time_format)
        counts = connection.execute(f"SELECT {number} AS time, count(*) AS n FROM {relation} GROUP BY 1").fetchnumpy()
    except (duckdb.CatalogException, duckdb.BinderException):  # no such table, or no such column
        return records.slice(0, 0)
    times = np.ma.filled(counts["time"], -1)  # rows without a time are in no partition
    order = np.argsort(low)
    partition = order[np.maximum(np.searchsorted(low[order], times, side="right") - 1, 0)]
    in_partition = (low[partition] <= times) & (times < high[partition])
    row_counts = np.bincount(partition[in_partition], weights=np.asarray(counts["n"])[in_partition], minlength=len(records))
    is_intact = row_counts.astype(np.int64) == recorded_counts
    return records if is_intact.all() else records.filter(pa.array(is_intact))


def _by_table(records: pa.Table) -> Partitions:
    partitions: Partitions = {}
    columns = (records[name].to_pylist() for name in ("table_name", "partition_key", "row_count", "digest"))
    for table, key, rows, digest in zip(*columns, strict=True):
        partitions.setdefault(table, {})[key] = Partition(rows, digest)
    return partitions


def _time_number(time: str, is_temporal: bool, time_format: str) -> str:
    """Return the SQL of the time column as numbers, in the unit of the bounds."""
    return f"strftime({quoted(time)}, {text(time_format)})::BIGINT" if is_temporal else quoted(time)


def _is_temporal(schema: pa.Schema, name: str) -> bool:
    return bool(pa.types.is_temporal(schema.field(name).type))


def _condition(placement: Placement, schema: pa.Schema) -> str:
    """Return the SQL condition of rows in the requested partitions."""
    if placement.time is None or not placement.bounds:
        return "TRUE"
    time = _time_number(placement.time, _is_temporal(schema, placement.time), placement.time_format)
    in_range = f"{time} >= {placement.bounds[0]} AND {time} < {placement.bounds[-1]}"
    return " AND ".join([in_range, *(f"NOT ({time} >= {begin} AND {time} < {end})" for begin, end in placement.gaps)])


def _missing_keys(connection: duckdb.DuckDBPyConnection, placement: Placement) -> list[str]:
    """Return the requested partitions that are not made; none for a table without partition records."""
    if placement.time is None or not placement.keys:
        return []
    records = _tables_of(_records(connection, placement.dataset)).get(placement.table)
    if records is None:
        return []
    return sorted(
        set(placement.keys).difference(_intact_records(connection, placement.dataset, records)["partition_key"].to_pylist())
    )
