"""Stored data as the checks see it: relations of a DuckDB connection, wherever the rows lie."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import numpy as np
import pyarrow as pa

from plotsim_core.config.quality import DELIVERED, LEDGER
from plotsim_core.errors import UsageError
from plotsim_core.numerics.calendar import Grain
from plotsim_core.plan.plan import Plan, TablePlan
from plotsim_core.plan.sql import quoted, sql_type
from plotsim_core.tables.restore import restored_sql, told_sql
from plotsim_core.validation.files import file_relations, formats_of, partition_files, partition_relations
from plotsim_core.validation.foreign import attach, reading

Kept = TypeVar("Kept")

PARTITIONS = "_partitions"
"""The table of a DuckDB store in which it is written down which partitions it holds."""


@dataclass(frozen=True, eq=False)
class Store:
    """The tables to judge: `relations` maps the name of each stored table to an SQL relation of `connection`; only the
    periods `first` to `stop` (exclusive) are judged.

    What is broken on purpose is judged as it would be without: `plan` is the plan of the clean tables and relations are
    restored by the ledger; `written` is the plan of what is stored. `held` has the date keys of the periods that are stored
    of each table, with rows or without; None where nobody wrote that down. `asked` are the tables that were to be stored,
    None for all: others are not missed."""

    plan: Plan
    connection: duckdb.DuckDBPyConnection
    relations: Mapping[str, str]
    first: int
    stop: int
    held: Mapping[str, frozenset[int]] | None = None
    asked: frozenset[str] | None = None
    _kept: dict[str, Any] = field(default_factory=dict)
    _given: Plan | None = None

    def __post_init__(self) -> None:
        if self._given is None:
            object.__setattr__(self, "_given", self.plan)
            object.__setattr__(self, "plan", self.plan.clean or self.plan)

    @property
    def written(self) -> Plan:
        """The plan of the tables as they are stored."""
        return self._given or self.plan

    def misses(self, name: str) -> bool:
        """Return whether a table is not there that should be."""
        return name not in self.relations and (self.asked is None or name in self.asked)

    @property
    def ledger(self) -> str | None:
        """The relation of what is broken on purpose; None where it is not there, or not whole."""
        table = next((table for table in self.written.own if table.kind == LEDGER), None)
        there = self.columns(LEDGER) if table is not None and LEDGER in self.relations else {}
        whole = table is not None and all(column.name in there for column in table.columns)
        return self.relations[LEDGER] if whole else None

    def kept(self, what: str, make: Callable[[], Kept]) -> Kept:
        """Return what `make()` gives, made once for `what` while the store is open."""
        if what not in self._kept:
            self._kept[what] = make()
        found: Kept = self._kept[what]
        return found

    @property
    def tables(self) -> list[TablePlan]:
        """The plans of the tables of this kind of unit that are there."""
        return [table for table in self.plan.own if table.name in self.relations]

    @property
    def kinds(self) -> list[Store]:
        """The same store for each kind of unit, judged by its own plan."""
        return [self, *(replace(self, plan=other, _kept={}) for other in self.plan.others)]

    def columns(self, name: str) -> dict[str, str]:
        """Return the columns that a table is stored with, and their SQL types."""
        sql = f"SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM {self.relations[name]})"
        return self.kept(f"columns {name}", lambda: dict(self.connection.sql(sql).fetchall()))

    def place(self, table: TablePlan) -> str:
        """Return an SQL relation with all rows of a table: its declared columns as their declared types, null where one
        is not there or cannot be read so."""
        there = self.columns(table.name)
        stored = self.written.table(table.name)
        if stored.issues and self.ledger is not None:
            clean = (self.written.clean or self.written).table(table.name)
            told = self.told(table)
            return restored_sql(stored, clean, self.relations[table.name], told, there)
        wanted = {column.name: sql_type(column.type) for column in table.columns}
        if all(there.get(name) == type_ for name, type_ in wanted.items()):
            return self.relations[table.name]
        read = [
            f"{f'TRY_CAST({quoted(name)} AS {type_})' if name in there else f'NULL::{type_}'} AS {quoted(name)}"
            for name, type_ in wanted.items()
        ]
        return f"(SELECT {', '.join(read)} FROM {self.relations[table.name]})"

    def told(self, table: TablePlan) -> str:
        """Return a relation with what the ledger tells of a table, see `told_sql`; read once."""

        def read() -> str:
            name = f"told {table.name}"
            stored, clean = self.written.table(table.name), (self.written.clean or self.written).table(table.name)
            self.connection.register(name, self.arrow(told_sql(self.plan, stored, clean, self.ledger or "")))
            return quoted(name)

        return self.kept(f"told {table.name}", read)

    def relation(self, table: TablePlan) -> str:
        """Return an SQL relation with the rows of a table in the periods that are judged."""
        if table.time is None:
            return self.place(table)
        low, high = self.key_range
        return f"(SELECT * FROM {self.place(table)} WHERE {quoted(table.time)} BETWEEN {low} AND {high})"

    @property
    def key_range(self) -> tuple[int, int]:
        """The first and the last date key of the periods that are judged."""
        low, high = self.plan.grain.keys(np.array([self.first, self.stop - 1], dtype=np.int64)).tolist()
        return low, high

    def held_of(self, table: TablePlan) -> frozenset[int]:
        """Return the date keys of the periods that are stored of a table: by its rows, where it is not written down, which
        are then from the first period with any to the last."""
        if self.held is not None:
            return self.held.get(table.name, frozenset())
        stored = self.written.table(table.name)
        time, rows = table.time, self.place(table)
        if stored.time == DELIVERED and DELIVERED in self.columns(table.name):  # its partitions go by it
            time, rows = DELIVERED, self.relations[table.name]
        sql = f"SELECT min({quoted(time or '')}), max({quoted(time or '')}) FROM {rows}"
        low, high = self.connection.sql(sql).fetchall()[0]
        ends = [_period(self.plan.grain, key) for key in (low, high) if key is not None]
        if not ends or ends[0] is None or ends[1] is None:
            return frozenset()
        return frozenset(self.plan.grain.keys(np.arange(ends[0], ends[1] + 1, dtype=np.int64)).tolist())

    def arrow(self, sql: str) -> pa.Table:
        """Return the result of a query."""
        return self.connection.sql(sql).to_arrow_table()


def held_periods(plan: Plan, partitions: Iterable[tuple[str, str]]) -> dict[str, frozenset[int]]:
    """Return the date keys of the periods that are stored of each table, from (table, partition key) such as 2024-03-01 or
    2024-03-01-1300; of tables that are a state, none."""
    found: dict[str, set[int]] = {table.name: set() for table in plan.tables if table.time is not None}
    keys: dict[str, list[int]] = {}
    for name, key in partitions:
        if name in found:
            if key not in keys:
                keys[key] = _keys_in(plan, key)
            found[name].update(keys[key])
    return {name: frozenset(there) for name, there in found.items()}


def _keys_in(plan: Plan, key: str) -> list[int]:
    """Return the date keys of the periods of a partition."""
    digits = re.sub(r"\D", "", key)
    if plan.partition is plan.grain:  # a period each, whose date key the partition's key spells
        return [int(digits[:10] if plan.grain.name == "hour" else digits[:8])]
    day = f"{digits[:4]}-{digits[4:6]}-{digits[6:8]}"
    begin = np.array([np.datetime64(f"{day}T{digits[8:10]}" if len(digits) > 8 else day, "s")])
    place = plan.partition.holding(begin)
    low, high = (plan.grain.holding(plan.partition.starts(place + more))[0] for more in (0, 1))
    return [int(key) for key in plan.grain.keys(np.arange(low, high, dtype=np.int64))]


@contextmanager
def directory_store(
    plan: Plan, directory: Path, format: str, first: int, stop: int, asked: frozenset[str] | None = None
) -> Iterator[Store]:
    """Give the store of a directory that a run wrote, of all tables or those `asked` for. Tables whose files are missing are
    not in it."""
    with duckdb.connect() as connection:
        if format == "duckdb":
            file = directory / f"{plan.name}.duckdb"
            relations = _database_relations(plan, connection, file) if file.exists() else {}
        elif format == "parquet" and (folders := partition_files(plan, directory)):
            relations = partition_relations(connection, folders)
        else:
            relations = file_relations(plan, connection, directory, format)
        yield Store(plan, connection, relations, first, stop, asked=asked)


@contextmanager
def tables_store(plan: Plan, tables: Mapping[str, pa.Table], first: int, stop: int) -> Iterator[Store]:
    """Give the store of Arrow tables by their names, in memory."""
    with duckdb.connect() as connection:
        for name, table in tables.items():
            connection.register(name, table)
        relations = {name: quoted(name) for name in tables}
        yield Store(plan, connection, relations, first, stop, asked=frozenset(tables))


@contextmanager
def find_store(plan: Plan, path: Path, first: int | None = None, stop: int | None = None) -> Iterator[Store]:
    """Give the store of what lies at `path`, by default of all periods that are stored of it.

    `path` is a DuckDB file (a run's, or that of the Dagster side, with a schema named after the dataset) or a directory:
    with a run's files of one format, or with Parquet files per partition in the layout of the config. Raises UsageError
    where nothing of the dataset is found, or the same in two formats.
    """
    with duckdb.connect() as connection, reading(path, f"tables of {plan.name}"):
        found, held = _found(plan, connection, path), _held(plan, connection, path)
        span = _stored_periods(plan, connection, found)
        yield Store(plan, connection, found, span[0] if first is None else first, span[1] if stop is None else stop, held)


def _found(plan: Plan, connection: duckdb.DuckDBPyConnection, path: Path) -> dict[str, str]:
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
    database = path / f"{plan.name}.duckdb"
    forms = formats_of(plan, path)
    folders = partition_files(plan, path)
    kinds = [*([database.name] if database.exists() else []), *forms, *(["folders of parquet"] if folders else [])]
    if len(kinds) > 1:
        raise UsageError(f"{path} has {plan.name} more than once ({', '.join(kinds)}): expected one of them in a directory")
    if database.exists():
        return _database_relations(plan, connection, database)
    if forms:
        return file_relations(plan, connection, path, forms[0])
    if folders:
        return partition_relations(connection, folders)
    if any((path / plan.name / name / "_delta_log").is_dir() for name in names):
        raise UsageError(f"{path} has Delta tables, which are judged where they are made: see the asset validation_report")
    raise UsageError(
        f"{path} has nothing of {plan.name}: expected {database.name}, or files such as {names[0]}.parquet or {names[0]}.csv"
    )


def _held(plan: Plan, connection: duckdb.DuckDBPyConnection, path: Path) -> Mapping[str, frozenset[int]] | None:
    """Return which periods are stored of each table, of a store of partitions; None for a run's files."""
    if path.is_file():
        sql = "SELECT 1 FROM duckdb_tables() WHERE database_name = 'written' AND schema_name = ? AND table_name = ?"
        if not connection.execute(sql, [plan.name, PARTITIONS]).fetchall():
            return None
        entries = connection.sql(
            f"SELECT table_name, partition_key FROM written.{quoted(plan.name)}.{PARTITIONS}"
        ).fetchall()
    else:
        folders = partition_files(plan, path)
        if not folders:
            return None
        entries = [(name, key) for name, files in folders.items() for key in files if key is not None]
    return held_periods(plan, entries)


def _database_relations(plan: Plan, connection: duckdb.DuckDBPyConnection, file: Path) -> dict[str, str]:
    """Return the tables of a DuckDB file: those in the schema named after the dataset if there are any, or in `main`."""
    attach(connection, file)
    listed = connection.sql("SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = 'written'").fetchall()
    names = {table.name for table in plan.tables}
    for schema in (plan.name, "main"):
        there = [name for owner, name in listed if owner == schema and name in names]
        if there:
            return {name: f"written.{quoted(schema)}.{quoted(name)}" for name in there}
    return {}


def _stored_periods(plan: Plan, connection: duckdb.DuckDBPyConnection, relations: Mapping[str, str]) -> tuple[int, int]:
    """Return (first, stop) of the periods inside the window that are stored of any table; the window's if none is."""
    there = []
    for table in (table for table in plan.tables if table.time is not None and table.name in relations):
        time = f"TRY_CAST({quoted(table.time or '')} AS BIGINT)"
        try:
            ends = connection.sql(f"SELECT min({time}), max({time}) FROM {relations[table.name]}").fetchall()[0]
        except duckdb.BinderException:  # the column is not there, which a check says
            continue
        there += [period for end in ends if end is not None and (period := _period(plan.grain, end)) is not None]
    stop = plan.stop if plan.stop is not None else max([*there, plan.first]) + 1
    inside = [period for period in there if plan.first <= period < stop]
    return (min(inside), max(inside) + 1) if inside else (plan.first, stop)


def _period(grain: Grain, key: int) -> int | None:
    """Return the period of a date key, None if it is none."""
    digits = str(key)
    day = f"{digits[:4]}-{digits[4:6]}-{digits[6:8]}"
    try:
        return grain.read(f"{day}T{digits[8:]}" if len(digits) == 10 else day)
    except ValueError:
        return None


__all__ = ["Store", "directory_store", "find_store", "tables_store"]
