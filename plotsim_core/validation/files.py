"""The files of a run as relations: Parquet (files or Hive partitions), CSV, JSON lines and SQL dumps."""

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

from plotsim_core.arrow import ArrowArray
from plotsim_core.config.layout import folder_of, partition_of, template
from plotsim_core.config.output import FORMULA
from plotsim_core.config.tables import is_number
from plotsim_core.errors import UsageError
from plotsim_core.plan.plan import ColumnPlan, Plan, TablePlan
from plotsim_core.plan.sql import quoted, sql_type, text
from plotsim_core.run_files import SQL_FILE
from plotsim_core.validation.untrusted_files import insert_only, reading

_QUOTE = "'"
_FORMAT_NAMES = {"parquet": "Parquet", "csv": "CSV", "jsonl": "JSON lines"}


def formats_of(plan: Plan, directory: Path) -> list[str]:
    """Return the file formats of the tables of a plan in a directory."""
    formats = [format for format in _FORMAT_NAMES if any(_table_path(directory, table, format) for table in plan.tables)]
    return [*formats, *(["sql"] if (directory / SQL_FILE).is_file() else [])]


def file_relations(plan: Plan, connection: duckdb.DuckDBPyConnection, directory: Path, format: str) -> dict[str, str]:
    """Register the tables of a plan in a directory with a connection; return their relations by name."""
    if format == "sql":
        with reading(directory / SQL_FILE, "a dump"):
            return _dump_relations(plan, connection, directory / SQL_FILE)
    relations: dict[str, str] = {}
    for table in plan.tables:
        path = _table_path(directory, table, format)
        if path is None:
            continue
        relations[table.name] = quoted(table.name)
        with reading(path, _FORMAT_NAMES[format]):
            if format == "parquet":
                source = f"read_parquet({text(str(path))})" if path.is_file() else _folder_source(table, path)
                connection.execute(f"CREATE VIEW {quoted(table.name)} AS FROM {source}")
            else:
                _load_table(
                    connection,
                    table,
                    _csv_source(path, plan.dataset.output.csv_null) if format == "csv" else _json_source(path),
                )
            if format == "csv" and plan.dataset.output.escape_formulas:
                _unescape(connection, table)
    return relations


def partition_files(plan: Plan, path: Path) -> dict[str, dict[str | None, Path]]:
    """Return the files of partitions by table and partition key (None for a table without time), in the layout of the
    config, below the directory of the dataset or the one above it; empty if there are none."""
    layout = template(plan.dataset.output.layout, plan.partition)
    roots = [(path, "")]
    if layout.startswith("{dataset}/"):
        roots.append((path, f"{plan.name}/"))
    for root, prefix in roots:
        files: dict[str, dict[str | None, Path]] = {}
        for file in sorted((root if prefix else root / folder_of(layout, plan.name)).rglob("*.parquet")):
            partition = partition_of(layout, plan.name, prefix + file.relative_to(root).as_posix())
            if partition is not None:
                files.setdefault(partition[0], {})[partition[1]] = file
        tables = {table.name: files[table.name] for table in plan.tables if table.name in files}
        if tables:
            return tables
    return {}


def partition_relations(
    connection: duckdb.DuckDBPyConnection, folders: Mapping[str, Mapping[str | None, Path]]
) -> dict[str, str]:
    """Register tables stored as files of partitions with a connection; return their relations by name."""
    for name, files in folders.items():
        paths = [file for _, file in sorted(files.items(), key=lambda entry: entry[0] or "")]
        path_list = ", ".join(text(str(file)) for file in paths)
        with reading(paths[0].parent, "Parquet"):
            end_columns = [pq.read_schema(file).names for file in (paths[0], paths[-1])]
            columns_differ = end_columns[0] != end_columns[1]  # a column since or until a period is at one end only
            # folders such as partition_month=3 are no columns
            source = (
                f"read_parquet([{path_list}], hive_partitioning = false{', union_by_name = true' if columns_differ else ''})"
            )
            connection.execute(f"CREATE VIEW {quoted(name)} AS FROM {source}")
    return {name: quoted(name) for name in folders}


def _table_path(directory: Path, table: TablePlan, format: str) -> Path | None:
    """Return the file of a table, or its folder of Hive partitions; None if neither exists."""
    file, folder = directory / f"{table.name}.{format}", directory / table.name
    if file.is_file():
        return file
    return folder if format == "parquet" and any(folder.glob("*=*/*.parquet")) else None


def _folder_source(table: TablePlan, folder: Path) -> str:
    """Return the relation of a table in Hive partitions, with the columns in their declared order."""
    partition_name = next(folder.glob("*=*")).name.partition("=")[0]
    column = next((column for column in table.columns if column.name == partition_name), None)
    types = f", hive_types = {{{quoted(partition_name)}: {sql_type(column.type)}}}" if column is not None else ""
    names = ", ".join(quoted(column.name) for column in table.columns)
    source = f"read_parquet({text(f'{folder}/*/*.parquet')}, hive_partitioning = true{types})"
    return f"(SELECT {names} FROM {source})" if column is not None else source


def _csv_source(file: Path, null: str) -> str:
    form = "delim = ',', quote = '\"', escape = '\"', header = true, allow_quoted_nulls = false"
    return f"read_csv({text(str(file))}, {form}, nullstr = {text(null)}"


def _json_source(file: Path) -> str:
    return f"read_json({text(str(file))}, format = 'newline_delimited', timestampformat = '%Y-%m-%dT%H:%M:%S.%f'"


def _load_table(connection: duckdb.DuckDBPyConnection, table: TablePlan, source: str) -> None:
    """Load a file into a table with the declared columns, or with the columns that DuckDB detects where these do not fit.
    `source` is the call that reads the file, without its closing parenthesis."""
    declared = ", ".join(f"{text(column.name)}: {text(_storage_type(column))}" for column in table.columns)
    try:
        _create_table(connection, table, f"FROM {source}, columns = {{{declared}}})")
    except duckdb.Error:
        connection.execute(f"CREATE TABLE {quoted(table.name)} AS FROM {source})")


def _unescape(connection: duckdb.DuckDBPyConnection, table: TablePlan) -> None:
    """Remove the leading ' from texts that are escaped against formula injection."""
    relation = quoted(table.name)
    text_columns = connection.sql(f"SELECT column_name FROM (DESCRIBE {relation}) WHERE column_type = 'VARCHAR'").fetchall()
    for name in (quoted(name) for (name,) in text_columns):
        condition = f"starts_with({name}, {text(_QUOTE)}) AND regexp_matches({name}, {text(FORMULA)})"
        connection.execute(f"UPDATE {relation} SET {name} = substr({name}, 2) WHERE {condition}")


def _storage_type(column: ColumnPlan) -> str:
    return "JSON" if pa.types.is_nested(column.type) else sql_type(column.type)


def _create_table(connection: duckdb.DuckDBPyConnection, table: TablePlan, query: str) -> None:
    """Create a table from a query whose nested columns are JSON."""
    nested = [column for column in table.columns if pa.types.is_nested(column.type)]
    casts = ", ".join(f"CAST({quoted(c.name)} AS {sql_type(c.type)}) AS {quoted(c.name)}" for c in nested)
    connection.execute(f"CREATE TABLE {quoted(table.name)} AS SELECT *{f' REPLACE ({casts})' if casts else ''} {query}")


def _dump_relations(plan: Plan, connection: duckdb.DuckDBPyConnection, dump: Path) -> dict[str, str]:
    """Register the tables of a dump with a connection; return their relations by name. SQLite executes the inserts, much
    faster than DuckDB: they are the same in every dialect but for quotes and backslashes of MySQL."""
    head, _, rest = dump.read_bytes().decode().partition("\n-- rows\n")
    inserts, end, _ = rest.rpartition("-- keys\n")
    if not end:
        raise UsageError(f"{dump} is cut off: no `-- keys` follows the rows")
    if "`" in head:  # MySQL
        inserts = re.sub(r"^INSERT INTO `.*` VALUES$", lambda line: line[0].replace("`", '"'), inserts, flags=re.MULTILINE)
        inserts = inserts.replace("\\\\", "\\")
    connection.execute("SET TimeZone = 'UTC'")  # that of moments in dialects whose literals have no zone
    tables = [t for t in plan.tables if re.search(f'^CREATE TABLE ["`]{re.escape(t.name)}["`]', head, flags=re.MULTILINE)]
    with closing(sqlite3.connect(":memory:")) as database:
        for table in tables:
            database.execute(
                f"CREATE TABLE {quoted(table.name)} ({', '.join(quoted(column.name) for column in table.columns)})"
            )
        insert_only(database)
        database.executescript(inserts)
        for table in tables:
            rows = database.execute(f"SELECT * FROM {quoted(table.name)}").fetchall()
            columns = list(zip(*rows, strict=True)) or [()] * len(table.columns)
            arrays = [_value_array(column.type, values) for column, values in zip(table.columns, columns, strict=True)]
            arrow_table = pa.table(dict(zip([column.name for column in table.columns], arrays, strict=True)))
            connection.register(f"{table.name} as read", arrow_table)
            casts = ", ".join(f"CAST({quoted(c.name)} AS {_storage_type(c)}) AS {quoted(c.name)}" for c in table.columns)
            _create_table(connection, table, f"FROM (SELECT {casts} FROM {quoted(f'{table.name} as read')})")
    return {table.name: quoted(table.name) for table in tables}


def _value_array(type_: pa.DataType, values: tuple[Any, ...]) -> ArrowArray:
    """Return an array of the values read by SQLite: numbers for a numeric column, otherwise texts."""
    if pa.types.is_boolean(type_):
        type_ = pa.int64()
    if pa.types.is_decimal(type_):
        type_ = pa.float64()
    return pa.array(values, type_ if is_number(type_) else pa.string())
