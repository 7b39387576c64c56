"""Reading untrusted files: unreadable ones raise UsageError with one sentence, and no code in them is executed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa

from plotsim_core.errors import UsageError
from plotsim_core.plan.sql import text

_DATA_ERRORS = (duckdb.Error, pa.ArrowException, sqlite3.Error, UnicodeError, OSError)
"""Errors of damaged or foreign files."""
_QUERY_ERRORS = (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException)
"""Errors of wrong queries, whatever the file."""
_INSERTS = frozenset({sqlite3.SQLITE_INSERT, sqlite3.SQLITE_READ, sqlite3.SQLITE_SELECT, sqlite3.SQLITE_TRANSACTION})


@contextmanager
def reading(path: Path, subject: str) -> Iterator[None]:
    """Raise UsageError where the file at `path` cannot be read as `subject`, such as a DuckDB database."""
    try:
        str(path.absolute()).encode()
        yield
    except _QUERY_ERRORS:
        raise
    except UnicodeEncodeError:
        raise UsageError(f"{path} cannot be read as {subject}: its name is not UTF-8") from None
    except _DATA_ERRORS as error:
        lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
        message = error.strerror if isinstance(error, OSError) and error.strerror else lines[0]
        raise UsageError(f"{path} cannot be read as {subject}: {message}") from None


def attach(connection: duckdb.DuckDBPyConnection, file: Path) -> None:
    """Attach a DuckDB file as `written`, read-only, and cut the connection off from other files and the network. Raises
    UsageError if the file is no DuckDB database."""
    with reading(file, "a DuckDB database"):
        connection.execute(f"ATTACH {text(str(file))} AS written (READ_ONLY, TYPE duckdb)")
    connection.execute("SET enable_external_access = false")


def insert_only(connection: sqlite3.Connection) -> None:
    """Restrict a connection to inserts and reads: no file is attached, no setting changed."""
    connection.set_authorizer(lambda action, *_: sqlite3.SQLITE_OK if action in _INSERTS else sqlite3.SQLITE_DENY)
