"""The files of a run as relations: Parquet, whole or in folders of values, CSV, JSON lines and SQL dumps."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from plotsim_core.config.layout import folder_of, template, told_by
from plotsim_core.config.output import FORMULA
from plotsim_core.config.tables import is_number
from plotsim_core.errors import UsageError
from plotsim_core.plan.plan import ColumnPlan, Plan, TablePlan
from plotsim_core.plan.sql import quoted, sql_type, text
from plotsim_core.validation.foreign import insert_only, reading

DUMP = "data.sql"
_QUOTE = "'"
_NOUNS = {"parquet": "Parquet", "csv": "CSV", "jsonl": "JSON lines"}


def formats_of(plan: Plan, directory: Path) -> list[str]:
    """Return the file formats that a directory has tables of a plan in."""
    found = [format for format in _NOUNS if any(_lies(directory, table, format) for table in plan.tables)]
    return [*found, *(["sql"] if (directory / DUMP).is_file() else [])]


def file_relations(plan: Plan, connection: duckdb.DuckDBPyConnection, directory: Path, format: str) -> dict[str, str]:
    """Make the tables of a plan that lie in a directory known to a connection; return their relations by name."""
    if format == "sql":
        with reading(directory / DUMP, "a dump"):
            return _dump_relations(plan, connection, directory / DUMP)
    relations: dict[str, str] = {}
    for table in plan.tables:
        lies = _lies(directory, table, format)
        if lies is None:
            continue
        relations[table.name] = quoted(table.name)
        with reading(lies, _NOUNS[format]):
            if format == "parquet":
                source = f"read_parquet({text(str(lies))})" if lies.is_file() else _folders(table, lies)
                connection.execute(f"CREATE VIEW {quoted(table.name)} AS FROM {source}")
            else:
                _read(connection, table, _csv(lies, plan.dataset.output.csv_null) if format == "csv" else _json(lies))
            if format == "csv" and plan.dataset.output.escape_formulas:
                _unescape(connection, table)
    return relations


def partition_files(plan: Plan, path: Path) -> dict[str, dict[str | None, Path]]:
    """Return the files of partitions below a directory, or below the one that a store is in, by table and partition key
    (None for a state), as the layout of the config has them; nothing if there are none."""
    layout = template(plan.dataset.output.layout, plan.partition)
    roots = [(path, "")]
    if layout.startswith("{dataset}/"):
        roots.append((path, f"{plan.name}/"))
    for root, before in roots:
        found: dict[str, dict[str | None, Path]] = {}
        for file in sorted((root if before else root / folder_of(layout, plan.name)).rglob("*.parquet")):
            told = told_by(layout, plan.name, before + file.relative_to(root).as_posix())
            if told is not None:
                found.setdefault(told[0], {})[told[1]] = file
        there = {table.name: found[table.name] for table in plan.tables if table.name in found}
        if there:
            return there
    return {}


def partition_relations(
    connection: duckdb.DuckDBPyConnection, folders: Mapping[str, Mapping[str | None, Path]]
) -> dict[str, str]:
    """Make tables known to a connection that are files of partitions; return their relations by name."""
    for name, files in folders.items():
        every = [file for _, file in sorted(files.items(), key=lambda one: one[0] or "")]
        listed = ", ".join(text(str(file)) for file in every)
        with reading(every[0].parent, "Parquet"):
            ends = [pq.read_schema(file).names for file in (every[0], every[-1])]
            moved = ends[0] != ends[1]  # what comes or goes is there at one end
            # folders such as partition_month=3 add no columns
            source = f"read_parquet([{listed}], hive_partitioning = false{', union_by_name = true' if moved else ''})"
            connection.execute(f"CREATE VIEW {quoted(name)} AS FROM {source}")
    return {name: quoted(name) for name in folders}


def _lies(directory: Path, table: TablePlan, format: str) -> Path | None:
    """Return the file of a table, or its folder of folders; None if neither is there."""
    file, folder = directory / f"{table.name}.{format}", directory / table.name
    if file.is_file():
        return file
    return folder if format == "parquet" and any(folder.glob("*=*/*.parquet")) else None


def _folders(table: TablePlan, folder: Path) -> str:
    """Return the relation of a table in folders of values, with the columns in their declared order."""
    by = next(folder.glob("*=*")).name.partition("=")[0]
    column = next((column for column in table.columns if column.name == by), None)
    types = f", hive_types = {{{quoted(by)}: {sql_type(column.type)}}}" if column is not None else ""
    names = ", ".join(quoted(column.name) for column in table.columns)
    source = f"read_parquet({text(f'{folder}/*/*.parquet')}, hive_partitioning = true{types})"
    return f"(SELECT {names} FROM {source})" if column is not None else source


def _csv(file: Path, null: str) -> str:
    form = "delim = ',', quote = '\"', escape = '\"', header = true, allow_quoted_nulls = false"
    return f"read_csv({text(str(file))}, {form}, nullstr = {text(null)}"


def _json(file: Path) -> str:
    return f"read_json({text(str(file))}, format = 'newline_delimited', timestampformat = '%Y-%m-%dT%H:%M:%S.%f'"


def _read(connection: duckdb.DuckDBPyConnection, table: TablePlan, source: str) -> None:
    """Read a file once: with the declared columns where it has them, otherwise with those that are found. `source` is the
    call that reads it, left open."""
    declared = ", ".join(f"{text(column.name)}: {text(_stored(column))}" for column in table.columns)
    try:
        _create(connection, table, f"FROM {source}, columns = {{{declared}}})")
    except duckdb.Error:
        connection.execute(f"CREATE TABLE {quoted(table.name)} AS FROM {source})")


def _unescape(connection: duckdb.DuckDBPyConnection, table: TablePlan) -> None:
    """Take the ' from before each text that begins as a formula does."""
    place = quoted(table.name)
    stored = connection.sql(f"SELECT column_name FROM (DESCRIBE {place}) WHERE column_type = 'VARCHAR'").fetchall()
    for name in (quoted(name) for (name,) in stored):
        hit = f"starts_with({name}, {text(_QUOTE)}) AND regexp_matches({name}, {text(FORMULA)})"
        connection.execute(f"UPDATE {place} SET {name} = substr({name}, 2) WHERE {hit}")


def _stored(column: ColumnPlan) -> str:
    return "JSON" if pa.types.is_nested(column.type) else sql_type(column.type)


def _create(connection: duckdb.DuckDBPyConnection, table: TablePlan, query: str) -> None:
    """Make a table of what a query gives, whose nested columns are JSON."""
    nested = [column for column in table.columns if pa.types.is_nested(column.type)]
    casts = ", ".join(f"CAST({quoted(c.name)} AS {sql_type(c.type)}) AS {quoted(c.name)}" for c in nested)
    connection.execute(f"CREATE TABLE {quoted(table.name)} AS SELECT *{f' REPLACE ({casts})' if casts else ''} {query}")


def _dump_relations(plan: Plan, connection: duckdb.DuckDBPyConnection, dump: Path) -> dict[str, str]:
    """Make the tables of a dump known to a connection. SQLite reads its inserts: they are the same in every dialect but for
    quotes and backslashes of MySQL, and it reads them much faster than DuckDB does."""
    head, _, rest = dump.read_bytes().decode().partition("\n-- rows\n")
    inserts, end, _ = rest.rpartition("-- keys\n")
    if not end:
        raise UsageError(f"{dump} is cut off: no `-- keys` follows the rows")
    if "`" in head:  # MySQL
        inserts = re.sub(r"^INSERT INTO `.*` VALUES$", lambda line: line[0].replace("`", '"'), inserts, flags=re.MULTILINE)
        inserts = inserts.replace("\\\\", "\\")
    there = [t for t in plan.tables if re.search(f'^CREATE TABLE ["`]{re.escape(t.name)}["`]', head, flags=re.MULTILINE)]
    with closing(sqlite3.connect(":memory:")) as read:
        for table in there:
            read.execute(f"CREATE TABLE {quoted(table.name)} ({', '.join(quoted(column.name) for column in table.columns)})")
        insert_only(read)
        read.executescript(inserts)
        for table in there:
            rows = read.execute(f"SELECT * FROM {quoted(table.name)}").fetchall()
            columns = list(zip(*rows, strict=True)) or [()] * len(table.columns)
            arrays = [_read_values(column.type, values) for column, values in zip(table.columns, columns, strict=True)]
            found = pa.table(dict(zip([column.name for column in table.columns], arrays, strict=True)))
            connection.register(f"{table.name} as read", found)
            casts = ", ".join(f"CAST({quoted(c.name)} AS {_stored(c)}) AS {quoted(c.name)}" for c in table.columns)
            _create(connection, table, f"FROM (SELECT {casts} FROM {quoted(f'{table.name} as read')})")
    return {table.name: quoted(table.name) for table in there}


def _read_values(type_: pa.DataType, values: tuple[Any, ...]) -> pa.Array:
    """Return what SQLite read, as numbers where a column has them, otherwise as texts."""
    if pa.types.is_boolean(type_):
        type_ = pa.int64()
    if pa.types.is_decimal(type_):
        type_ = pa.float64()
    return pa.array(values, type_ if is_number(type_) else pa.string())
