"""DuckDB: one database file with a table each, described by comments, and one that says what they were made from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from plotsim_core.arrow import ArrowField
from plotsim_core.output.format import FORMATS, Batches, Format
from plotsim_core.plan.plan import Plan, TablePlan, comment_of
from plotsim_core.plan.sql import quoted, sql_type, text
from plotsim_core.run_files import ORIGIN_TABLE, database_file

if TYPE_CHECKING:
    import duckdb


MEMORY, COLUMN_MEMORY = 256, 0.5
"""MB that DuckDB holds at most, and more for each column, of which it holds a part while it is filled; by itself it would
take most of what the machine has."""


def create_table_sql(relation: str, schema: pa.Schema) -> str:
    """Return the statement that creates a table for rows of a schema. Keys are checked after the fact, not enforced:
    enforcing costs four times the time."""
    columns = [f"{quoted(f.name)} {sql_type(f.type)}{'' if f.nullable else ' NOT NULL'}" for f in schema]
    return f"CREATE TABLE {relation} ({', '.join(columns)})"


def comments_sql(relation: str, schema: pa.Schema) -> list[str]:
    """Return the statements that describe a table and its columns, as the metadata of its schema do."""
    description = (schema.metadata or {}).get(b"description", b"").decode()
    statements = [f"COMMENT ON TABLE {relation} IS {text(description)}"] if description else []
    return statements + [statement for field in schema for statement in column_comment_sql(relation, field)]


def column_comment_sql(relation: str, field: ArrowField) -> list[str]:
    """Return the statement that describes a column; none for a column without a description."""
    comment = comment_of({name.decode(): value.decode() for name, value in (field.metadata or {}).items()})
    return [f"COMMENT ON COLUMN {relation}.{quoted(field.name)} IS {text(comment)}"] if comment else []


def insert_rows(connection: duckdb.DuckDBPyConnection, relation: str, batches: pa.RecordBatchReader) -> int:
    """Insert rows into a table, column by name; return how many they are."""
    connection.register("incoming rows", batches)
    ((rows,),) = connection.execute(f'INSERT INTO {relation} BY NAME SELECT * FROM "incoming rows"').fetchall()
    return int(rows)


def _write(plan: Plan, table: TablePlan, batches: Batches, directory: Path) -> None:
    import duckdb  # slow to import, and few need it

    limit = round(MEMORY + COLUMN_MEMORY * len(table.columns))
    with duckdb.connect(directory / _file(plan, table), config={"memory_limit": f"{limit}MB"}) as connection:
        relation = quoted(table.name)
        connection.execute(create_table_sql(relation, table.schema))
        insert_rows(connection, relation, pa.RecordBatchReader.from_batches(table.schema, batches))
        for statement in comments_sql(relation, table.schema):
            connection.execute(statement)
        origin = ", ".join(f"{text(value)} AS {quoted(name)}" for name, value in plan.origin.items())
        connection.execute(f"CREATE OR REPLACE TABLE {ORIGIN_TABLE} AS SELECT {origin}")


def _file(plan: Plan, table: TablePlan) -> str:
    return database_file(plan.name)


FORMATS.add("duckdb", Format(_write, _file))
