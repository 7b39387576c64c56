"""SQL: one dump of all tables, `data.sql`, in one transaction: tables dropped if they are there, made with the types of the
dialect, filled by inserts of many rows, and tied by their keys. Loading it again leaves one copy.

The comments `-- rows` and `-- keys` stand around what fills the tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc

from plotsim_core.arrow import ArrowArray, has_zone, joined, joined_lists, lists
from plotsim_core.columns.decimals import fixed_texts
from plotsim_core.output.dialects import DIALECTS, Dialect
from plotsim_core.output.format import FORMATS, Batches, Format, rechunked
from plotsim_core.output.text_types import plain_batches, plain_schema
from plotsim_core.plan.plan import Plan, TablePlan
from plotsim_core.run_files import SQL_FILE

_CHUNK_ROWS = 1 << 15
_UTC = pa.timestamp("us", "UTC")
_INSERT_ROWS = 250
"""Rows of one insert."""


def _begin(plan: Plan, tables: Sequence[TablePlan], directory: Path) -> None:
    dialect = _dialect(plan)
    lines = [f"-- {key}: {value}" for key, value in plan.origin.items()] + [*dialect.begin]
    lines += [*tables_sql(dialect, tables), "-- rows"]
    with _dump_file(directory) as file:
        file.write("\n".join(lines).encode() + b"\n")


def _end(plan: Plan, tables: Sequence[TablePlan], directory: Path) -> None:
    dialect = _dialect(plan)
    with _dump_file(directory) as file:
        file.write("\n".join(["-- keys", *keys_sql(dialect, tables), *dialect.end]).encode() + b"\n")


def tables_sql(dialect: Dialect, tables: Sequence[TablePlan]) -> list[str]:
    """Return the statements that drop tables where they are there, and make them."""
    drops = [f"DROP TABLE IF EXISTS {dialect.name(table.name)}{dialect.drop};" for table in reversed(_parents_first(tables))]
    return drops + [_create(dialect, table, tables) for table in tables]


def keys_sql(dialect: Dialect, tables: Sequence[TablePlan]) -> list[str]:
    """Return the statements that tie filled tables by their keys, where they were not made with them."""
    return [
        f"ALTER TABLE {dialect.name(table.name)} ADD {key};"
        for table in tables
        if dialect.keys_after
        for key in _foreign_keys(dialect, table, tables)
    ]


def _write(plan: Plan, table: TablePlan, batches: Batches, directory: Path) -> None:
    dialect = _dialect(plan)
    names = ", ".join(dialect.name(column.name) for column in table.columns)
    start = f"INSERT INTO {dialect.name(table.name)} ({names}) VALUES\n"
    with _dump_file(directory) as file:
        for batch in rechunked(plain_batches(table, batches), plain_schema(table), _CHUNK_ROWS):
            inserted_rows = lists([*range(0, batch.num_rows, _INSERT_ROWS), batch.num_rows], _tuples(dialect, batch))
            inserts = joined(start, joined_lists(inserted_rows, ",\n"), ";\n")
            file.write(joined_texts(inserts))


def _dump_file(directory: Path) -> BinaryIO:
    return (directory / SQL_FILE).open("ab")


def joined_texts(texts: ArrowArray) -> pa.Buffer:
    """Return texts one after the other."""
    return joined_lists(lists([0, len(texts)], texts))[0].as_buffer()


def _tuples(dialect: Dialect, batch: pa.RecordBatch) -> ArrowArray:
    """Return the rows of a batch as `(1, 'a', NULL)`."""
    values = [_literals(dialect, column) for column in batch.columns]
    return joined("(", joined(*values, between=", "), ")")


def _literals(dialect: Dialect, column: ArrowArray) -> ArrowArray:
    """Return values as SQL literals."""
    texts: ArrowArray = fixed_texts(column) if pa.types.is_decimal(column.type) else column.cast(pa.string())
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type) or pa.types.is_decimal(column.type)):
        if pa.types.is_boolean(column.type):
            texts = pc.if_else(column, "TRUE", "FALSE")
        elif has_zone(column.type):
            texts = joined("'", column.cast(_UTC).cast(pa.timestamp("us")).cast(pa.string()), dialect.utc, "'")
        else:
            escaped = dialect.escape(texts) if pa.types.is_string(column.type) else texts
            texts = joined("'", escaped, "'")
    return texts.fill_null("NULL")


def _create(dialect: Dialect, table: TablePlan, tables: Sequence[TablePlan]) -> str:
    keys = {*table.key, *(column for column, _, _ in table.references)}
    parts = [
        f"{dialect.name(c.name)} {dialect.type(c, c.name in keys)}{'' if c.nullable else ' NOT NULL'}" for c in table.columns
    ]
    key = _primary_key(table)
    if key:
        parts.append(f"PRIMARY KEY ({', '.join(dialect.name(name) for name in key)})")
    if not dialect.keys_after:
        parts += [f"{key} DEFERRABLE INITIALLY DEFERRED" for key in _foreign_keys(dialect, table, tables)]
    return f"CREATE TABLE {dialect.name(table.name)} (\n  " + ",\n  ".join(parts) + f"\n){dialect.table_options};"


def _primary_key(table: TablePlan) -> tuple[str, ...]:
    """Return the key of a table if no part of it can be null and nothing in it is broken on purpose."""
    nullable = {column.name for column in table.columns if column.nullable}
    return () if table.issues or nullable & set(table.key) else table.key


def _foreign_keys(dialect: Dialect, table: TablePlan, tables: Sequence[TablePlan]) -> list[str]:
    """Return the constraints of the references to tables of the dump whose key is what is referred to. A reference to the
    unit of a dimension with versions is none: there it stands in several rows."""
    keys = {other.name: _primary_key(other) for other in tables}
    return [
        f"FOREIGN KEY ({dialect.name(column)}) REFERENCES {dialect.name(parent)} ({dialect.name(key)})"
        for column, parent, key in table.references
        if keys.get(parent) == (key,) and not table.issues and (table.name, column) != (parent, key)
    ]


def _parents_first(tables: Sequence[TablePlan]) -> list[TablePlan]:
    """Return tables in topological order: parents before children, as far as references have no cycles."""
    remaining, ordered = list(tables), list[TablePlan]()
    while remaining:
        remaining_names = {table.name for table in remaining}
        ready = [
            t for t in remaining if not any(parent in remaining_names and parent != t.name for _, parent, _ in t.references)
        ]
        ordered += ready or remaining
        remaining = [table for table in remaining if table not in ready] if ready else []
    return ordered


def _dialect(plan: Plan) -> Dialect:
    return DIALECTS[plan.dataset.output.sql_dialect]


def _file(plan: Plan, table: TablePlan) -> str:
    return SQL_FILE


FORMATS.add("sql", Format(_write, _file, _begin, _end))
