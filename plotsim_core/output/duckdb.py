"""DuckDB: one database file with a table each, described by comments, and one that says what they were made from."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa

from plotsim_core.output.format import FORMATS, Batches, Format
from plotsim_core.plan.plan import Plan, TablePlan
from plotsim_core.plan.sql import quoted, sql_type, text

ORIGIN = "_origin"
"""The table of one row that says what the others were made from."""


def columns_sql(table: TablePlan) -> str:
    """Return the column definitions of a table. Keys are checked after the fact, not enforced: enforcing costs four times
    the time."""
    return ", ".join(f"{quoted(c.name)} {sql_type(c.type)}{'' if c.nullable else ' NOT NULL'}" for c in table.columns)


def comment_sql(table: TablePlan, place: str) -> list[str]:
    """Return the statements that describe a table and its columns."""
    comments = [f"COMMENT ON TABLE {place} IS {text(table.description)}"] if table.description else []
    described_columns = [column for column in table.columns if column.comment]
    return comments + [f"COMMENT ON COLUMN {place}.{quoted(c.name)} IS {text(c.comment)}" for c in described_columns]


def _write(plan: Plan, table: TablePlan, batches: Batches, directory: Path) -> None:
    with duckdb.connect(directory / _file(plan, table)) as connection:
        relation = quoted(table.name)
        connection.execute(f"CREATE TABLE {relation} ({columns_sql(table)})")
        connection.register("incoming rows", pa.RecordBatchReader.from_batches(table.schema, batches))
        connection.execute(f'INSERT INTO {relation} BY NAME SELECT * FROM "incoming rows"')
        for statement in comment_sql(table, relation):
            connection.execute(statement)
        origin = ", ".join(f"{text(value)} AS {quoted(name)}" for name, value in plan.origin.items())
        connection.execute(f"CREATE OR REPLACE TABLE {ORIGIN} AS SELECT {origin}")


def _file(plan: Plan, table: TablePlan) -> str:
    return f"{plan.name}.duckdb"


FORMATS.add("duckdb", Format(_write, _file))
