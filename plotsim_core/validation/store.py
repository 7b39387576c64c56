"""Stored data as DuckDB relations, whether they come from files, a database or Arrow tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import duckdb
import numpy as np
import pyarrow as pa

from plotsim_core.config.quality import DELIVERED, LEDGER
from plotsim_core.engine.memory import Memory
from plotsim_core.errors import UsageError
from plotsim_core.numerics.calendar import Grain
from plotsim_core.plan.plan import Plan, Population, TablePlan
from plotsim_core.plan.sql import quoted, sql_type
from plotsim_core.run_files import database_file
from plotsim_core.tables.restore import leaves_dates, ledger_sql, restored_sql
from plotsim_core.validation.files import file_relations, formats_of, partition_files, partition_relations
from plotsim_core.validation.untrusted_files import attach, reading

Value = TypeVar("Value")

PARTITIONS = "_partitions"
"""The table of a DuckDB store that lists its partitions."""


@dataclass(frozen=True, eq=False)
class StoredData:
    """The tables to judge: `relations` maps the name of each stored table to an SQL relation of `connection`; only the
    periods `first` to `stop` (exclusive) are judged.

    Tables with injected issues are judged as clean ones: the ledger restores their rows. Tables of one population are judged
    at a time, that of `index` in the plan. `stored_keys` has the date keys of the stored periods of each table, with rows or
    without; None where no record of partitions exists. `requested` are the tables that were to be stored, None for all:
    others are not missed."""

    plan: Plan
    connection: duckdb.DuckDBPyConnection
    relations: Mapping[str, str]
    first: int
    stop: int
    stored_keys: Mapping[str, frozenset[int]] | None = None
    requested: frozenset[str] | None = None
    index: int = 0
    memory: Memory = field(default_factory=Memory)

    @property
    def population(self) -> Population:
        """The population whose tables are judged."""
        return self.plan.populations[self.index]

    def is_missing(self, name: str) -> bool:
        """Return whether a table is not there that should be."""
        return name not in self.relations and (self.requested is None or name in self.requested)

    @property
    def ledger(self) -> str | None:
        """The relation of the ledger of injected issues; None if it is missing or lacks columns."""
        table = next((table for table in self.plan.tables if table.name == LEDGER), None)
        types = self.columns(LEDGER) if table is not None and LEDGER in self.relations else {}
        is_complete = table is not None and all(column.name in types for column in table.columns)
        return self.relations[LEDGER] if is_complete else None

    def cached(self, key: str, compute: Callable[[], Value]) -> Value:
        """Return `compute()`, computed once for a key while the store is open."""
        return self.memory.cached(key, compute)

    @property
    def tables(self) -> list[TablePlan]:
        """The plans of the stored tables of this kind of unit, without issues."""
        tables = self.plan.tables_of(self.population)
        return [table.clean for table in tables if table.name in self.relations]

    @property
    def kinds(self) -> list[StoredData]:
        """The same store for this population, and for each other one."""
        indexes = (index for index in range(len(self.plan.populations)) if index != self.index)
        return [self, *(replace(self, index=index, memory=Memory()) for index in indexes)]

    def columns(self, name: str) -> dict[str, str]:
        """Return the SQL types of the stored columns of a table, by name."""
        sql = f"SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM {self.relations[name]})"
        return self.cached(f"columns {name}", lambda: dict(self.connection.sql(sql).fetchall()))

    def full_relation(self, table: TablePlan) -> str:
        """Return an SQL relation with all rows of a table, restored by the ledger: the declared columns, cast to their
        declared types, null where a column is missing or a value cannot be cast."""
        types = self.columns(table.name)
        stored_table = self.plan.table(table.name)
        if stored_table.issues and self.ledger is not None:
            entries = self.ledger_relation(table)
            return restored_sql(stored_table, stored_table.clean, self.relations[table.name], entries, types)
        declared_types = {column.name: sql_type(column.type) for column in table.columns}
        if all(types.get(name) == type_ for name, type_ in declared_types.items()):
            return self.relations[table.name]
        expressions = [
            f"{f'TRY_CAST({quoted(name)} AS {type_})' if name in types else f'NULL::{type_}'} AS {quoted(name)}"
            for name, type_ in declared_types.items()
        ]
        return f"(SELECT {', '.join(expressions)} FROM {self.relations[table.name]})"

    def ledger_relation(self, table: TablePlan, span: str | None = None) -> str:
        """Return a relation with the ledger entries of a table (see `ledger_sql`), read once; with a `span`, a condition on
        dates, those of rows of such dates."""
        relation_name = f"told {table.name}{'' if span is None else f' {span}'}"

        def register() -> str:
            stored_table, ledger = self.plan.table(table.name), self.ledger or ""
            entries = ledger if span is None else f"(SELECT * FROM {ledger} WHERE date_key {span})"
            self.connection.register(
                relation_name, self.arrow(ledger_sql(self.plan, stored_table, stored_table.clean, entries))
            )
            return quoted(relation_name)

        return self.cached(relation_name, register)

    def relation(self, table: TablePlan, look_back: int = 0) -> str:
        """Return an SQL relation with the rows of a table in the judged periods, and some periods before them."""
        if table.time is None:
            return self.full_relation(table)
        stored_table, types = self.plan.table(table.name), self.columns(table.name)
        if stored_table.issues and self.ledger is not None:
            relation = restored_sql(stored_table, stored_table.clean, *self.stored_rows(table, look_back), types)
        else:
            relation = self.full_relation(table)
        return f"(SELECT * FROM {relation} WHERE {quoted(table.time)} {self._span(look_back)})"

    def stored_rows(self, table: TablePlan, look_back: int = 0) -> tuple[str, str]:
        """Return SQL relations with the rows of a table that is broken on purpose, as they are stored, and with their
        entries in the ledger: of the judged periods, and some before them, where dates are left as they are."""
        time, relation = table.time or "", self.relations[table.name]
        is_dated = self.columns(table.name).get(time) == sql_type(table.column(time).type)
        if not is_dated or not leaves_dates(self.plan.table(table.name), table):
            return relation, self.ledger_relation(table)
        span = self._span(look_back)
        return f"(SELECT * FROM {relation} WHERE {quoted(time)} {span})", self.ledger_relation(table, span)

    def _span(self, look_back: int) -> str:
        """Return the SQL condition of the date keys of the judged periods, and some before them."""
        low, high = self._keys(look_back)
        return f"BETWEEN {low} AND {high}"

    def dated_relation(self, table: TablePlan) -> str:
        """Return an SQL relation with the dates of all rows of a table: of one that is broken on purpose, but not in its
        dates, as it is stored."""
        stored_table = self.plan.table(table.name)
        is_as_stored = leaves_dates(stored_table, table) and table.time in self.columns(table.name)
        return self.relations[table.name] if stored_table.issues and is_as_stored else self.full_relation(table)

    @property
    def key_range(self) -> tuple[int, int]:
        """The first and the last date key of the judged periods."""
        return self._keys(0)

    def _keys(self, look_back: int) -> tuple[int, int]:
        """Return the first and the last date key of the judged periods and some before them."""
        first = max(self.first - look_back, self.population.first)
        low, high = self.plan.grain.keys(np.array([first, self.stop - 1], dtype=np.int64)).tolist()
        return low, high

    def stored_keys_of(self, table: TablePlan) -> frozenset[int]:
        """Return the date keys of the stored periods of a table. Without a record of partitions, these are all periods from
        the first with rows to the last."""
        if self.stored_keys is not None:
            return self.stored_keys.get(table.name, frozenset())
        stored_table = self.plan.table(table.name)
        is_delivered = stored_table.time == DELIVERED and DELIVERED in self.columns(table.name)  # the partition column
        time = DELIVERED if is_delivered else table.time
        relation = self.relations[table.name] if is_delivered else self.dated_relation(table)
        sql = f"SELECT min({quoted(time or '')}), max({quoted(time or '')}) FROM {relation}"
        low, high = self.connection.sql(sql).fetchall()[0]
        periods = [_period_of_key(self.plan.grain, key) for key in (low, high) if key is not None]
        if not periods or periods[0] is None or periods[1] is None:
            return frozenset()
        return frozenset(self.plan.grain.keys(np.arange(periods[0], periods[1] + 1, dtype=np.int64)).tolist())

    def arrow(self, sql: str) -> pa.Table:
        """Return the result of a query."""
        table: pa.Table = self.connection.sql(sql).to_arrow_table()
        return table


def stored_data(
    plan: Plan,
    connection: duckdb.DuckDBPyConnection,
    relations: Mapping[str, str],
    first: int,
    stop: int,
    stored_keys: Mapping[str, frozenset[int]] | None = None,
    requested: frozenset[str] | None = None,
) -> StoredData:
    """Return the tables of a plan to judge, as they are stored; the rest as in StoredData."""
    return StoredData(plan, connection, relations, first, stop, stored_keys, requested)


def stored_date_keys(plan: Plan, partitions: Iterable[tuple[str, str]]) -> dict[str, frozenset[int]]:
    """Return the date keys of the stored periods of each table, from (table, partition key) with keys such as 2024-03-01 or
    2024-03-01-1300. Tables without time are left out."""
    table_keys: dict[str, set[int]] = {table.name: set() for table in plan.tables if table.time is not None}
    partition_keys: dict[str, list[int]] = {}
    for name, key in partitions:
        if name in table_keys:
            if key not in partition_keys:
                partition_keys[key] = _partition_keys(plan, key)
            table_keys[name].update(partition_keys[key])
    return {name: frozenset(date_keys) for name, date_keys in table_keys.items()}


def _partition_keys(plan: Plan, key: str) -> list[int]:
    """Return the date keys of the periods of a partition."""
    digits = re.sub(r"\D", "", key)
    if plan.partition is plan.grain:  # one period per partition, with the digits of its date key
        return [int(digits[: plan.grain.key_length])]
    day = f"{digits[:4]}-{digits[4:6]}-{digits[6:8]}"
    start = np.array([np.datetime64(f"{day}T{digits[8:10]}:{digits[10:12]}" if len(digits) > 8 else day, "s")])
    partition = plan.partition.holding(start)
    low, high = (plan.grain.holding(plan.partition.civil_starts(partition + offset))[0] for offset in (0, 1))
    return [int(key) for key in plan.grain.keys(np.arange(low, high, dtype=np.int64))]


@contextmanager
def directory_store(
    plan: Plan, directory: Path, format: str, first: int, stop: int, requested: frozenset[str] | None = None
) -> Iterator[StoredData]:
    """Yield the store of a directory that a run wrote, of all tables or those `requested`. Tables whose files are
    missing are not in it."""
    with duckdb.connect() as connection:
        if format == "duckdb":
            file = directory / database_file(plan.name)
            relations = _database_relations(plan, connection, file) if file.exists() else {}
        elif format == "parquet" and (folders := partition_files(plan, directory)):
            relations = partition_relations(connection, folders)
        else:
            relations = file_relations(plan, connection, directory, format)
        yield stored_data(plan, connection, relations, first, stop, requested=requested)


@contextmanager
def tables_store(plan: Plan, tables: Mapping[str, pa.Table], first: int, stop: int) -> Iterator[StoredData]:
    """Yield the store of Arrow tables by their names, in memory."""
    with duckdb.connect() as connection:
        for name, table in tables.items():
            connection.register(name, table)
        relations = {name: quoted(name) for name in tables}
        yield stored_data(plan, connection, relations, first, stop, requested=frozenset(tables))


@contextmanager
def find_store(plan: Plan, path: Path, first: int | None = None, stop: int | None = None) -> Iterator[StoredData]:
    """Yield the store of the data at `path`, by default of all its stored periods.

    `path` is a DuckDB file (a run's, or that of the Dagster side, with a schema named after the dataset) or a directory:
    with a run's files of one format, or with Parquet files per partition in the layout of the config. Raises UsageError
    if the path has no table of the dataset, or the dataset in two formats.
    """
    with duckdb.connect() as connection, reading(path, f"tables of {plan.name}"):
        relations, stored_keys = _find_relations(plan, connection, path), _stored_keys(plan, connection, path)
        span = _stored_periods(plan, connection, relations)
        yield stored_data(
            plan, connection, relations, span[0] if first is None else first, span[1] if stop is None else stop, stored_keys
        )


def _find_relations(plan: Plan, connection: duckdb.DuckDBPyConnection, path: Path) -> dict[str, str]:
    """Return the relations of the tables at a path, by name: of a DuckDB file, files of one format, or partitions."""
    names = [table.name for table in plan.tables]
    if path.is_file():
        relations = _database_relations(plan, connection, path)
        if not relations:
            raise UsageError(
                f"{path} has no table of {plan.name}: expected {', '.join(names[:3])} ... in the schema {plan.name} or main"
            )
        return relations
    if not path.is_dir():
        raise UsageError(f"{path} is not there: expected a DuckDB file, or a directory with the tables of {plan.name}")
    database = path / database_file(plan.name)
    formats = formats_of(plan, path)
    folders = partition_files(plan, path)
    sources = [*([database.name] if database.exists() else []), *formats, *(["folders of parquet"] if folders else [])]
    if len(sources) > 1:
        raise UsageError(
            f"{path} has {plan.name} more than once ({', '.join(sources)}): expected one of them in a directory"
        )
    if database.exists():
        return _database_relations(plan, connection, database)
    if formats:
        return file_relations(plan, connection, path, formats[0])
    if folders:
        return partition_relations(connection, folders)
    if any((path / plan.name / name / "_delta_log").is_dir() for name in names):
        raise UsageError(f"{path} has Delta tables, which are judged where they are made: see the asset validation_report")
    raise UsageError(
        f"{path} has nothing of {plan.name}: expected {database.name}, or files such as {names[0]}.parquet or {names[0]}.csv"
    )


def _stored_keys(plan: Plan, connection: duckdb.DuckDBPyConnection, path: Path) -> Mapping[str, frozenset[int]] | None:
    """Return the date keys of the stored periods of each table in a store of partitions; None for the files of a run."""
    if path.is_file():
        sql = "SELECT 1 FROM duckdb_tables() WHERE database_name = 'written' AND schema_name = ? AND table_name = ?"
        if not connection.execute(sql, [plan.name, PARTITIONS]).fetchall():
            return None
        partitions = connection.sql(
            f"SELECT table_name, partition_key FROM written.{quoted(plan.name)}.{PARTITIONS}"
        ).fetchall()
    else:
        folders = partition_files(plan, path)
        if not folders:
            return None
        partitions = [(name, key) for name, files in folders.items() for key in files if key is not None]
    return stored_date_keys(plan, partitions)


def _database_relations(plan: Plan, connection: duckdb.DuckDBPyConnection, file: Path) -> dict[str, str]:
    """Return the relations of the tables of a DuckDB file: in the schema named after the dataset, or else in `main`."""
    attach(connection, file)
    entries = connection.sql(
        "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = 'written'"
    ).fetchall()
    names = {table.name for table in plan.tables}
    for schema in (plan.name, "main"):
        stored_names = [name for entry_schema, name in entries if entry_schema == schema and name in names]
        if stored_names:
            return {name: f"written.{quoted(schema)}.{quoted(name)}" for name in stored_names}
    return {}


def _stored_periods(plan: Plan, connection: duckdb.DuckDBPyConnection, relations: Mapping[str, str]) -> tuple[int, int]:
    """Return (first, stop) of the stored periods of any table inside the window; the window itself if none is stored."""
    periods = []
    for table in (table for table in plan.tables if table.time is not None and table.name in relations):
        time = f"TRY_CAST({quoted(table.time or '')} AS BIGINT)"
        try:
            bounds = connection.sql(f"SELECT min({time}), max({time}) FROM {relations[table.name]}").fetchall()[0]
        except duckdb.BinderException:  # a missing column: the check of columns reports it
            continue
        periods += [period for key in bounds if key is not None and (period := _period_of_key(plan.grain, key)) is not None]
    stop = plan.stop if plan.stop is not None else max([*periods, plan.first]) + 1
    window_periods = [period for period in periods if plan.first <= period < stop]
    return (min(window_periods), max(window_periods) + 1) if window_periods else (plan.first, stop)


def _period_of_key(grain: Grain, key: int) -> int | None:
    """Return the period of a date key; None for an invalid key."""
    try:
        return grain.period_of_key(key)
    except ValueError:
        return None


__all__ = ["StoredData", "directory_store", "find_store", "tables_store"]
