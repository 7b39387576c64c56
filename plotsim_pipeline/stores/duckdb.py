"""DuckDB: one embedded file, a schema per dataset, a table per asset.

A write is one transaction: the rows of the partitions go, the new ones come, and the ledger `_partitions` of the schema
says so. Nothing of it is dagster-duckdb's: that deletes and inserts in two transactions, by position, and loses a partition
when killed in between; and it takes every error for a lock, and waits for it without saying who holds it (see lock.py).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import numpy as np
import pyarrow as pa

from plotsim_core import Plan, UsageError
from plotsim_core.plan.sql import quoted, sql_type, text
from plotsim_core.validation.store import PARTITIONS, held_periods
from plotsim_core.validation.store import Store as Stored
from plotsim_pipeline.home import command
from plotsim_pipeline.stores.lock import AGENT, connected
from plotsim_pipeline.stores.log import LOG, SCHEMA, Writing, append, completed
from plotsim_pipeline.stores.store import Placement, Store, digest_of, length_of, of_another_length

_LEDGER_COLUMNS = "table_name VARCHAR, partition_key VARCHAR, row_count BIGINT, digest VARCHAR, length VARCHAR"


class DuckDBStore(Store):
    """A DuckDB file at `path`."""

    @property
    def one_writer(self) -> bool:
        return True

    @property
    def folder(self) -> str:
        return str(Path(self.path).parent)

    def write(self, where: Placement, batches: pa.RecordBatchReader) -> dict[str, int]:
        return self._write(where, batches, None)[0]

    def write_logged(
        self, where: Placement, batches: pa.RecordBatchReader, writing: Writing
    ) -> tuple[dict[str, int], pa.Table]:
        return self._write(where, batches, writing)

    def log(self, row: pa.Table) -> None:
        with duckdb.connect(self.path, config=AGENT) as connection:  # at once or not at all: it is about what has failed
            append(connection, row)

    def logged(self) -> pa.Table:
        if not Path(self.path).exists():
            return SCHEMA.empty_table()
        with self._connected() as connection:
            there = _columns(connection, f"main.{LOG}")
            return connection.sql(f"FROM main.{LOG}").to_arrow_table() if there else SCHEMA.empty_table()

    def _write(
        self, where: Placement, batches: pa.RecordBatchReader, writing: Writing | None
    ) -> tuple[dict[str, int], pa.Table | None]:
        place = f"{quoted(where.dataset)}.{quoted(where.table)}"
        digest = digest_of(batches.schema)
        with self._connected() as connection:
            there = _columns(connection, place)  # before the transaction, which an error would end
            connection.execute("BEGIN TRANSACTION")
            try:
                self._prepare(connection, where, batches.schema, there)
                rows = self._replace(connection, where, place, digest, batches)
                row = None if writing is None else append(connection, completed(writing, self.files(where)))
                connection.execute("COMMIT")
            except BaseException:
                connection.execute("ROLLBACK")
                raise
        return rows, row

    def _prepare(
        self, connection: duckdb.DuckDBPyConnection, where: Placement, schema: pa.Schema, there: list[tuple[str, str]]
    ) -> None:
        """Make the schema, the ledger and the table if they are not there; refuse a table with other columns."""
        dataset = quoted(where.dataset)
        if Path(self.path).stem.lower() == where.dataset.lower():
            raise dg.Failure(
                f"{self.path}: a DuckDB file must not be named like a dataset in it, for {where.dataset}.{where.table} "
                "would mean two things to DuckDB. Give the file another name.",
                allow_retries=False,
            )
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {dataset}")
        ledger = f"{dataset}.{PARTITIONS}"
        connection.execute(f"CREATE TABLE IF NOT EXISTS {ledger} ({_LEDGER_COLUMNS})")
        connection.execute(f"ALTER TABLE {ledger} ADD COLUMN IF NOT EXISTS length VARCHAR")  # files of version 0.4 have none
        wanted = [(field.name, sql_type(field.type)) for field in schema]
        if not there:
            self._create(connection, where, schema)
            connection.execute(f"DELETE FROM {ledger} WHERE table_name = ?", [where.table])  # somebody dropped the table
        elif there != wanted:
            raise dg.Failure(
                f"{where.dataset}.{where.table} in {self.path} has other columns than its config asks for "
                f"({', '.join(name for name, _ in set(there) ^ set(wanted))}). "
                f"Drop it and materialise its partitions again: DROP TABLE {where.dataset}.{where.table}"
            )
        elif where.time is not None:
            lengths = f"SELECT DISTINCT coalesce(length, '') FROM {ledger} WHERE table_name = ?"
            for (stored,) in connection.execute(lengths, [where.table]).fetchall():
                if stored != length_of(schema):
                    remedy = f"DROP TABLE {where.dataset}.{where.table}"
                    raise of_another_length(where, stored, length_of(schema), remedy)

    def _create(self, connection: duckdb.DuckDBPyConnection, where: Placement, schema: pa.Schema) -> None:
        place = f"{quoted(where.dataset)}.{quoted(where.table)}"
        columns = [f"{quoted(f.name)} {sql_type(f.type)}{'' if f.nullable else ' NOT NULL'}" for f in schema]
        connection.execute(f"CREATE TABLE {place} ({', '.join(columns)})")
        says = (schema.metadata or {}).get(b"description", b"").decode()
        if says:
            connection.execute(f"COMMENT ON TABLE {place} IS {text(says)}")
        for field in schema:
            says = (field.metadata or {}).get(b"description", b"").decode()
            if says:
                connection.execute(f"COMMENT ON COLUMN {place}.{quoted(field.name)} IS {text(says)}")

    def _replace(
        self,
        connection: duckdb.DuckDBPyConnection,
        where: Placement,
        place: str,
        digest: str,
        batches: pa.RecordBatchReader,
    ) -> dict[str, int]:
        ledger = f"{quoted(where.dataset)}.{PARTITIONS}"
        if where.time is None:
            kept = self._kept(connection, where, ledger)
            if kept and kept[0] > where.as_of and kept[2] == digest:
                return {kept[0]: kept[1]}
            connection.execute(f"DELETE FROM {place}")
            connection.execute(f"DELETE FROM {ledger} WHERE table_name = ?", [where.table])
            rows = {where.as_of: _insert(connection, place, batches)}
        else:
            low, high = where.bounds[0], where.bounds[-1]
            time = quoted(where.time)
            connection.execute(f"DELETE FROM {place} WHERE {time} >= ? AND {time} < ?", [low, high])
            connection.execute(
                f"DELETE FROM {ledger} WHERE table_name = ? AND list_contains(?, partition_key)",
                [where.table, list(where.keys)],
            )
            _insert(connection, place, batches)
            counted: dict[str, Any] = connection.execute(
                f"SELECT {time} AS time, count(*) AS n FROM {place} WHERE {time} >= ? AND {time} < ? GROUP BY 1",
                [low, high],
            ).fetchnumpy()
            rows = where.tally(np.asarray(counted["time"]), np.asarray(counted["n"]))
        entries = pa.table(
            {
                "table_name": [where.table] * len(rows),
                "partition_key": list(rows),
                "row_count": list(rows.values()),
                "digest": [digest] * len(rows),
                "length": [length_of(batches.schema)] * len(rows),
            }
        )
        connection.register("ledger entries", entries)
        connection.execute(f'INSERT INTO {ledger} BY NAME SELECT * FROM "ledger entries"')
        return rows

    @staticmethod
    def _kept(connection: duckdb.DuckDBPyConnection, where: Placement, ledger: str) -> tuple[str, int, str] | None:
        found = connection.execute(
            f"SELECT partition_key, row_count, digest FROM {ledger} WHERE table_name = ?", [where.table]
        ).fetchall()
        return found[0] if found else None

    def read(self, where: Placement) -> pa.Table:
        place = f"{quoted(where.dataset)}.{quoted(where.table)}"
        order = ", ".join(quoted(name) for name in where.order) or "ALL"
        condition = ""
        if where.time is not None and where.bounds:
            time = quoted(where.time)
            condition = f"WHERE {time} >= {where.bounds[0]} AND {time} < {where.bounds[-1]}"
        with self._connected() as connection:
            return connection.sql(f"SELECT * FROM {place} {condition} ORDER BY {order}").to_arrow_table()

    def uri(self, where: Placement) -> str:
        return self.path

    def held(self, dataset: str) -> dict[str, dict[str, tuple[int, str]]]:
        if not Path(self.path).exists():
            return {}
        with self._connected() as connection:
            if not _tables(connection, dataset):
                return {}
            entries = connection.execute(
                f"SELECT table_name, partition_key, row_count, digest FROM {quoted(dataset)}.{PARTITIONS} ORDER BY ALL"
            ).fetchall()
        found: dict[str, dict[str, tuple[int, str]]] = {}
        for table, key, rows, digest in entries:
            found.setdefault(table, {})[key] = (rows, digest)
        return found

    @contextmanager
    def opened(self, plan: Plan, first: int, stop: int) -> Iterator[Stored]:
        with self._connected() as connection:
            there = _tables(connection, plan.name)
            relations = {t.name: f"{quoted(plan.name)}.{quoted(t.name)}" for t in plan.tables if t.name in there}
            ledger = f"{quoted(plan.name)}.{PARTITIONS}"
            entries = connection.execute(f"SELECT table_name, partition_key FROM {ledger}").fetchall() if there else []
            yield Stored(plan, connection, relations, first, stop, held_periods(plan, entries))

    def query(self, sql: str, datasets: Sequence[str]) -> str:
        if not Path(self.path).exists():
            raise UsageError(f"{self.path} is not there yet: materialise a dataset first ({command('run', 'saas')})")
        with connected(self.path, read_only=True) as connection:
            return str(connection.sql(sql))

    @contextmanager
    def _connected(self) -> Iterator[duckdb.DuckDBPyConnection]:
        Path(self.path).parent.mkdir(parents=True, exist_ok=True)
        with connected(self.path) as connection:
            yield connection


def _tables(connection: duckdb.DuckDBPyConnection, dataset: str) -> set[str]:
    found = connection.execute(
        "SELECT table_name FROM duckdb_tables() WHERE database_name = current_database() AND schema_name = ?", [dataset]
    ).fetchall()
    return {name for (name,) in found}


def _columns(connection: duckdb.DuckDBPyConnection, place: str) -> list[tuple[str, str]]:
    """Return name and type of a table's columns, none if it is not there. The catalogue's own tables would be read whole."""
    try:
        return connection.execute(f"SELECT column_name, column_type FROM (DESCRIBE {place})").fetchall()
    except duckdb.CatalogException:
        return []


def _insert(connection: duckdb.DuckDBPyConnection, place: str, batches: pa.RecordBatchReader) -> int:
    connection.register("incoming rows", batches)
    ((rows,),) = connection.execute(f'INSERT INTO {place} BY NAME SELECT * FROM "incoming rows"').fetchall()
    return int(rows)
