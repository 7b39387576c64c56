"""Stored data as the checks see it: relations of a DuckDB connection, wherever the rows lie."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import numpy as np
import pyarrow as pa

from plotsim_core.errors import UsageError
from plotsim_core.numerics.calendar import Grain
from plotsim_core.plan.plan import Plan, TablePlan

Kept = TypeVar("Kept")

TYPES = {
    pa.string(): "VARCHAR",
    pa.int64(): "BIGINT",
    pa.float64(): "DOUBLE",
    pa.bool_(): "BOOLEAN",
    pa.date32(): "DATE",
    pa.timestamp("us"): "TIMESTAMP",
}
"""The SQL type of each type of column."""


def quoted(name: str) -> str:
    """Return a name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """Return a text as an SQL literal."""
    return "'" + value.replace("'", "''") + "'"


@dataclass(frozen=True, eq=False)
class Store:
    """The tables to judge: `relations` maps the name of each stored table to an SQL relation of `connection`; only the
    periods `first` to `stop` (exclusive) are judged."""

    plan: Plan
    connection: duckdb.DuckDBPyConnection
    relations: Mapping[str, str]
    first: int
    stop: int
    _kept: dict[str, Any] = field(default_factory=dict)

    def kept(self, what: str, make: Callable[[], Kept]) -> Kept:
        """Return what `make()` gives, made once for `what` while the store is open."""
        if what not in self._kept:
            self._kept[what] = make()
        found: Kept = self._kept[what]
        return found

    @property
    def tables(self) -> list[TablePlan]:
        """The plans of the tables that are there."""
        return [table for table in self.plan.tables if table.name in self.relations]

    def columns(self, name: str) -> dict[str, str]:
        """Return the columns that a table is stored with, and their SQL types."""
        sql = f"SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM {self.relations[name]})"
        return self.kept(f"columns {name}", lambda: dict(self.connection.sql(sql).fetchall()))

    def place(self, table: TablePlan) -> str:
        """Return an SQL relation with all rows of a table: its declared columns as their declared types, null where one
        is not there or cannot be read so."""
        there = self.columns(table.name)
        wanted = {column.name: TYPES[column.type] for column in table.columns}
        if all(there.get(name) == type_ for name, type_ in wanted.items()):
            return self.relations[table.name]
        read = [
            f"{f'TRY_CAST({quoted(name)} AS {type_})' if name in there else f'NULL::{type_}'} AS {quoted(name)}"
            for name, type_ in wanted.items()
        ]
        return f"(SELECT {', '.join(read)} FROM {self.relations[table.name]})"

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

    def arrow(self, sql: str) -> pa.Table:
        """Return the result of a query."""
        return self.connection.sql(sql).to_arrow_table()


@contextmanager
def directory_store(plan: Plan, directory: Path, format: str, first: int, stop: int) -> Iterator[Store]:
    """Give the store of a directory that a run wrote. Tables whose files are missing are not in it."""
    with duckdb.connect() as connection:
        if format == "duckdb":
            file = directory / f"{plan.name}.duckdb"
            relations = _database_relations(plan, connection, file) if file.exists() else {}
        else:
            relations = _file_relations(plan, connection, directory, format)
        yield Store(plan, connection, relations, first, stop)


@contextmanager
def find_store(plan: Plan, path: Path, first: int | None = None, stop: int | None = None) -> Iterator[Store]:
    """Give the store of what lies at `path`, by default of all periods that are stored of it.

    `path` is a DuckDB file (a run's, or that of the Dagster side, with a schema named after the dataset) or a directory:
    with a run's Parquet, CSV or DuckDB files, or with a folder of Parquet files per table, in it or in a folder named
    after the dataset. Raises UsageError where nothing of the dataset is found, or the same in two formats.
    """
    with duckdb.connect() as connection:
        found = _found(plan, connection, path)
        span = _stored_periods(plan, connection, found)
        yield Store(plan, connection, found, span[0] if first is None else first, span[1] if stop is None else stop)


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
    forms = [form for form in ("parquet", "csv") if any((path / f"{name}.{form}").exists() for name in names)]
    folders = next((root for root in (path / plan.name, path) if any([*root.glob(f"{n}/*.parquet")] for n in names)), None)
    kinds = [*([database.name] if database.exists() else []), *forms, *(["folders of parquet"] if folders else [])]
    if len(kinds) > 1:
        raise UsageError(f"{path} has {plan.name} more than once ({', '.join(kinds)}): expected one of them in a directory")
    if database.exists():
        return _database_relations(plan, connection, database)
    if forms:
        return _file_relations(plan, connection, path, forms[0])
    if folders is not None:
        there = [name for name in names if any(folders.glob(f"{name}/*.parquet"))]
        return {name: f"read_parquet({text(f'{folders}/{name}/*.parquet')})" for name in there}
    raise UsageError(
        f"{path} has nothing of {plan.name}: expected {database.name}, or files such as {names[0]}.parquet or {names[0]}.csv"
    )


def _database_relations(plan: Plan, connection: duckdb.DuckDBPyConnection, file: Path) -> dict[str, str]:
    """Return the tables of a DuckDB file: those in the schema named after the dataset if there are any, or in `main`."""
    try:
        connection.execute(f"ATTACH {text(str(file))} AS written (READ_ONLY)")
    except duckdb.Error as error:
        raise UsageError(f"{file} cannot be read as a DuckDB database: {str(error).splitlines()[0]}") from None
    listed = connection.sql("SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = 'written'").fetchall()
    names = {table.name for table in plan.tables}
    for schema in (plan.name, "main"):
        there = [name for owner, name in listed if owner == schema and name in names]
        if there:
            return {name: f"written.{quoted(schema)}.{quoted(name)}" for name in there}
    return {}


def _file_relations(plan: Plan, connection: duckdb.DuckDBPyConnection, directory: Path, format: str) -> dict[str, str]:
    relations: dict[str, str] = {}
    for table in plan.tables:
        file = directory / f"{table.name}.{format}"
        if file.exists():
            relations[table.name] = quoted(table.name)
            if format == "csv":
                _read_csv(connection, table, file)
            else:
                connection.execute(f"CREATE VIEW {quoted(table.name)} AS FROM read_parquet({text(str(file))})")
    return relations


def _read_csv(connection: duckdb.DuckDBPyConnection, table: TablePlan, file: Path) -> None:
    """Read a file once: with the declared columns where it has them, otherwise with those that are found."""
    declared = ", ".join(f"{text(column.name)}: {text(TYPES[column.type])}" for column in table.columns)
    options = f"{text(str(file))}, header = true"
    try:
        connection.execute(f"CREATE TABLE {quoted(table.name)} AS FROM read_csv({options}, columns = {{{declared}}})")
    except duckdb.Error:
        connection.execute(f"CREATE TABLE {quoted(table.name)} AS FROM read_csv({options})")


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


__all__ = ["Store", "directory_store", "find_store"]
