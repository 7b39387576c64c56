"""A dump loads into a real SQLite and a real PostgreSQL, and says there what the tables say; MySQL's is read by sqlglot."""

from __future__ import annotations

import csv
import io
import json
import re
import sqlite3
import subprocess
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import sqlglot
from sqlglot import exp

from plotsim_core import Plan, from_mapping, write_tables
from plotsim_core.run_files import SQL_FILE
from tests.output.support import RAW, plan_with, rows


def dump(plan: Plan, directory: Path, **how: Any) -> str:
    write_tables(plan, directory, format="sql", **how)
    return (directory / SQL_FILE).read_text(encoding="utf-8")


def keys(plan: Plan) -> set[tuple[str, str, str, str]]:
    """Return the references that a dump can hold: those to a key of one column."""
    values = {table.name: table.key for table in plan.tables}
    every = {(t.name, *reference) for t in plan.tables for reference in t.references}
    return {(t, c, parent, key) for t, c, parent, key in every if values[parent] == (key,) and (t, c) != (parent, key)}


def test_sqlite_loads_it_with_foreign_keys_enforced(tmp_path: Path) -> None:
    """All rows as they are; every reference is declared and resolves; loading it again leaves one copy."""
    plan = plan_with("sql", sql_dialect="sqlite", denormalized=True)
    text = dump(plan, tmp_path)
    connection = sqlite3.connect(":memory:")
    connection.execute("PRAGMA foreign_keys = ON")
    for _ in range(2):
        connection.executescript(text)
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    values = set()
    for table in plan.tables:
        names = ", ".join(f'"{column.name}"' for column in table.columns)
        stored = connection.execute(f'SELECT {names} FROM "{table.name}"').fetchall()
        assert [tuple(map(sqlite_value, row.values())) for row in rows(plan, table.name).to_pylist()] == stored, table.name
        foreign = connection.execute(f'PRAGMA foreign_key_list("{table.name}")').fetchall()
        values |= {(table.name, row[3], row[2], row[4]) for row in foreign}
        primary = connection.execute(f'PRAGMA table_info("{table.name}")').fetchall()
        assert {row[1] for row in primary if row[5]} == set(table.key)
        types = {row[1]: row[2] for row in primary}
        assert all(types[c.name] == "NUMERIC(18, 2)" for c in table.columns if c.decimals == 2)
        assert all(types[c.name] == "DATE" for c in table.columns if c.type == pa.date32())
    assert values == keys(plan)


def sqlite_value(value: Any) -> Any:
    """Return what SQLite, which has no dates and no nested values, stores of a value."""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S.%f")
    if isinstance(value, dict | list):
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return value.isoformat() if isinstance(value, date) else int(value) if isinstance(value, bool) else value


def psql(server: Any, *arguments: str, text: str = "") -> str:
    """Return what the client says to a script."""
    import pgserver

    client = Path(pgserver.__file__).parent / "pginstall" / "bin" / "psql"
    command = [str(client), server.get_uri(), "-v", "ON_ERROR_STOP=1", "-X", "-q", *arguments]
    done = subprocess.run(command, input=text.encode(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def asked(server: Any, sql: str) -> list[dict[str, str]]:
    """Return the rows of a query; a null is the text <null>."""
    actual = psql(server, "--csv", "-P", "null=<null>", text=f"SET timezone = 'UTC';\n{sql};\n")
    return list(csv.DictReader(io.StringIO(actual)))


def postgres_value(type_: pa.DataType, text: str) -> Any:
    """Return the value of a column's type that the client writes as a text."""
    if text == "<null>":
        return None
    if pa.types.is_nested(type_):
        return json.loads(text)
    if type_ == pa.timestamp("us"):
        return datetime.fromisoformat(text)
    readers: dict[pa.DataType, Any] = {
        pa.int64(): int,
        pa.float64(): float,
        pa.bool_(): lambda word: word == "t",
        pa.date32(): date.fromisoformat,
    }
    return readers.get(type_, str)(text)


@pytest.mark.slow
def test_postgresql_loads_it_with_all_keys(postgres: Any, tmp_path: Path) -> None:
    """All rows as they are, of the right types; every key is declared; loading it again leaves one copy."""
    plan = plan_with("sql", sql_dialect="postgresql", denormalized=True)
    text = dump(plan, tmp_path)
    for _ in range(2):
        psql(postgres, text=text)
    for table in plan.tables:
        stored = asked(postgres, f'SELECT * FROM "{table.name}"')
        types = {column.name: column.type for column in table.columns}
        read = [{name: postgres_value(types[name], value) for name, value in row.items()} for row in stored]
        expected = rows(plan, table.name).to_pylist()
        assert sorted(read, key=repr) == sorted(expected, key=repr), table.name  # a page that has room takes a later row
        columns = asked(
            postgres,
            "SELECT column_name, data_type, numeric_scale FROM information_schema.columns "
            f"WHERE table_schema = 'public' AND table_name = '{table.name}' ORDER BY ordinal_position",
        )
        assert [row["column_name"] for row in columns] == list(types)
        for row, column in zip(columns, table.columns, strict=True):
            assert (row["data_type"] == "numeric") == (column.decimals is not None)
            assert column.decimals is None or row["numeric_scale"] == "2"
            assert (row["data_type"] == "date") == (column.type == pa.date32())
            assert (row["data_type"] == "jsonb") == pa.types.is_nested(column.type)
    foreign = asked(
        postgres,
        "SELECT r.relname AS child, a.attname AS col, f.relname AS parent, b.attname AS key FROM pg_constraint c "
        "JOIN pg_class r ON r.oid = c.conrelid JOIN pg_class f ON f.oid = c.confrelid "
        "JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1] "
        "JOIN pg_attribute b ON b.attrelid = c.confrelid AND b.attnum = c.confkey[1] "
        "WHERE c.contype = 'f' AND c.connamespace = 'public'::regnamespace",
    )
    assert {tuple(row.values()) for row in foreign} == keys(plan)


def test_money_is_exact_in_postgresql(postgres: Any, tmp_path: Path) -> None:
    plan = plan_with("sql")
    psql(postgres, text=dump(plan, tmp_path))
    (answer,) = asked(postgres, "SELECT sum(sales) AS total FROM fct_month")
    expected = sum(Decimal(f"{value:.2f}") for value in rows(plan, "fct_month")["sales"].to_pylist() if value is not None)
    assert Decimal(answer["total"]) == expected


def test_part_of_a_dump_replaces_tables_that_others_refer_to(postgres: Any, tmp_path: Path) -> None:
    """A dump of one dimension loads over a whole one."""
    psql(postgres, text=dump(plan_with("sql"), tmp_path / "whole"))
    psql(postgres, text=dump(plan_with("sql"), tmp_path / "part", tables=["select"]))
    (answer,) = asked(postgres, 'SELECT count(*) AS n FROM "select"')
    assert answer["n"] == "3"


def test_a_dump_that_fails_leaves_what_was_there(postgres: Any, tmp_path: Path) -> None:
    """It is one transaction."""
    text = dump(plan_with("sql"), tmp_path)
    psql(postgres, text=text)
    broken = text.replace("\n-- keys\n", "\nINSERT INTO \"select\" VALUES ('SEL-001', 1);\n-- keys\n")
    with pytest.raises(AssertionError, match="duplicate key"):
        psql(postgres, text=broken)
    (answer,) = asked(postgres, "SELECT count(*) AS n FROM fct_month")
    assert int(answer["n"]) == rows(plan_with("sql"), "fct_month").num_rows


@pytest.mark.slow
def test_mysql_understands_every_statement(tmp_path: Path) -> None:
    """Read by sqlglot as MySQL: keys, types, and every value of every insert."""
    plan = plan_with("sql", sql_dialect="mysql")
    statements = sqlglot.parse(dump(plan, tmp_path), read="mysql")
    created = {s.find(exp.Table).name: s for s in statements if isinstance(s, exp.Create)}  # type: ignore[union-attr]
    assert set(created) == {table.name for table in plan.tables}
    stored: dict[str, list[list[Any]]] = {name: [] for name in created}
    for insert in (s for s in statements if isinstance(s, exp.Insert)):
        name = insert.find(exp.Table).name  # type: ignore[union-attr]
        stored[name] += [[mysql_value(v) for v in row.expressions] for row in insert.find(exp.Values).expressions]  # type: ignore[union-attr]
    for table in plan.tables:
        types = {d.name: d.args["kind"].sql("mysql") for d in created[table.name].find_all(exp.ColumnDef)}
        assert list(types) == [column.name for column in table.columns]
        assert all(types[name] == "VARCHAR(255)" for name in table.key if name != "date_key")
        made_rows = rows(plan, table.name).to_pylist()
        assert stored[table.name] == [[sqlite_value(v) for v in row.values()] for row in made_rows]
    assert not re.search("[^\\\\](\\\\\\\\)*\\\\[^\\\\']", dump(plan, tmp_path)), "a lone backslash would be an escape"


def mysql_value(actual: exp.Expression) -> Any:
    if isinstance(actual, exp.Null):
        return None
    if isinstance(actual, exp.Boolean):
        return int(actual.this)
    if actual.is_string:
        return actual.this
    return float(actual.sql()) if "." in actual.sql() or "e" in actual.sql() else int(actual.sql())


@pytest.mark.slow
@pytest.mark.parametrize("dialect", ["postgresql", "mysql", "sqlite"])
def test_what_is_broken_on_purpose_has_no_keys(dialect: str, tmp_path: Path) -> None:
    """Rows that are there twice and references that find nothing would not load with them."""
    broken = [{"table": "fct_month", "issue": "duplicate_rows", "rate": 0.2}]
    plan = from_mapping({**RAW, "quality": broken, "output": {"format": "sql", "sql_dialect": dialect}}, name="shops")
    text = dump(plan, tmp_path)
    (create,) = re.findall(r"CREATE TABLE [\"`]fct_month[\"`] \((.*?)\n\)", text, re.DOTALL)
    assert "PRIMARY KEY" not in create and "FOREIGN KEY" not in create
    assert not re.search(r"ALTER TABLE [\"`]fct_month[\"`]", text)
    if dialect == "sqlite":
        connection = sqlite3.connect(":memory:")
        connection.executescript(text)
        (count,) = connection.execute("SELECT count(*) FROM fct_month").fetchone()
        assert count > rows(plan_with("sql"), "fct_month").num_rows
