"""PostgreSQL: a schema per dataset, filled by COPY in one transaction: what was there before, or all that is new.

Tables have the types and keys of the SQL dump, descriptions as comments, and beside them `_origin`, a row that says what
they were made from. Passwords are never told: an address is shown without who connects.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast
from urllib.parse import unquote, urlsplit

import pyarrow as pa
import pyarrow.compute as pc

from plotsim_core.arrow import ArrowArray, joined
from plotsim_core.errors import UsageError
from plotsim_core.output.dialects import DIALECTS
from plotsim_core.output.duckdb import comments_sql
from plotsim_core.output.format import Batches, Format, rechunked
from plotsim_core.output.sql import joined_texts, keys_sql, tables_sql
from plotsim_core.output.text_types import plain_batches, plain_schema
from plotsim_core.plan.plan import Plan, TablePlan
from plotsim_core.plan.sql import quoted, text
from plotsim_core.run_files import ORIGIN_TABLE

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor

SCHEMES = ("postgres://", "postgresql://")
_CHUNK_ROWS = 1 << 15
_DIALECT = DIALECTS["postgresql"]
_CONNECT_SECONDS = 10
"""How long a server may take to answer, where the address does not say (`connect_timeout`)."""


def is_address(format: str) -> bool:
    """Return whether a format is the address of a server."""
    return format.startswith(SCHEMES)


def shown_address(url: str) -> str:
    """Return an address as it may be printed: host and database, and not who connects. Raises UsageError for none."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        parts, host, port = None, "", None
    if parts is None or parts.netloc.count("@") > 1 or "=" in parts.path:
        hint = "in a password write %40 for @, %2F for /, %3A for : and %25 for %"
        raise UsageError(f"cannot read the address of the server: expected postgres://user@host:5432/database; {hint}")
    return f"postgres://{host}{'' if port is None else f':{port}'}{parts.path}"


@contextmanager
def loading(url: str) -> Iterator[Format]:
    """Give the format that loads tables into the server at an address. What it loads is there when the context ends, and
    nothing of it after an error. Raises UsageError for a server that cannot be reached, or refuses."""
    with _connected(url) as connection, connection.cursor() as cursor:

        def begin(plan: Plan, tables: Sequence[TablePlan], directory: Path) -> None:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"plotsim {plan.name}"])
            cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(plan.name)}")
            cursor.execute(f"SET LOCAL search_path TO {quoted(plan.name)}")
            _refuse_foreign_tables(cursor, plan, tables, shown_address(url))
            comments = [statement for table in tables for statement in comments_sql(quoted(table.name), table.schema)]
            for statement in [*tables_sql(_DIALECT, tables), *comments]:
                cursor.execute(statement)
            cursor.execute(f"DROP TABLE IF EXISTS {ORIGIN_TABLE}")
            origin = ", ".join(f"{text(value)} AS {quoted(name)}" for name, value in plan.origin.items())
            cursor.execute(f"CREATE TABLE {ORIGIN_TABLE} AS SELECT {origin}")

        def write(plan: Plan, table: TablePlan, batches: Batches, directory: Path) -> None:
            names = ", ".join(quoted(column.name) for column in table.columns)
            stream = _Stream(_rows(table, batches))
            try:
                cursor.copy_expert(f"COPY {quoted(table.name)} ({names}) FROM STDIN", cast("IO[bytes]", stream))
            finally:
                if stream.error is not None:  # it was made here, and the server only heard that there is no more
                    raise stream.error

        def end(plan: Plan, tables: Sequence[TablePlan], directory: Path) -> None:
            for statement in keys_sql(_DIALECT, tables):
                cursor.execute(statement)

        yield Format(write, lambda plan, table: table.name, begin, end)
        connection.commit()


def origin_at(url: str, dataset: str) -> Mapping[str, str]:
    """Return what a dataset in a server says it was made from; empty where it says nothing."""
    with _connected(url) as connection, connection.cursor() as cursor:
        if not _tables_in(cursor, dataset) & {ORIGIN_TABLE}:
            return {}
        cursor.execute(f"SELECT * FROM {quoted(dataset)}.{ORIGIN_TABLE}")
        return dict(zip([column.name for column in cursor.description or ()], cursor.fetchone() or (), strict=True))


def fetch(url: str, plan: Plan, folder: Path) -> None:
    """Copy the tables of a plan from a server into a folder, as CSV files without options."""
    with _connected(url) as connection, connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        stored_names = _tables_in(cursor, plan.name)
        for table in (table for table in plan.tables if table.name in stored_names):
            with (folder / f"{table.name}.csv").open("wb") as file:
                relation = f"{quoted(plan.name)}.{quoted(table.name)}"
                cursor.copy_expert(f"COPY {relation} TO STDOUT (FORMAT csv, HEADER)", file)


@contextmanager
def _connected(url: str) -> Iterator[Connection]:
    """Give a connection, which is rolled back and closed in the end. Raises UsageError for what the server says, too."""
    address = shown_address(url)
    try:
        import psycopg2
    except ImportError:
        raise UsageError(f"{address} cannot be opened: pip install 'plotsim-core[postgres]'") from None
    wait: dict[str, Any] = {} if "connect_timeout" in url else {"connect_timeout": _CONNECT_SECONDS}
    try:
        connection = psycopg2.connect(url, **wait)
    except psycopg2.ProgrammingError:  # of the address itself, which it would quote
        raise UsageError(f"{address} cannot be opened: the rest of the address cannot be read") from None
    except psycopg2.Error as error:
        raise UsageError(f"{address} cannot be opened: {_said(error, url)}") from None
    try:
        connection.set_client_encoding("UTF8")
        yield connection
    except psycopg2.Error as error:
        raise UsageError(f"{address} refuses: {_said(error, url)}") from None
    finally:
        connection.close()


def _said(error: Exception, url: str) -> str:
    """Return what a server says in its first line, without the password of an address."""
    message = next(iter(str(error).strip().splitlines()), type(error).__name__)
    secret = urlsplit(url).password or ""
    passwords = re.findall(r"[?&](?:ssl)?password=([^&]*)", url)
    for word in {secret, *passwords, unquote(secret), *map(unquote, passwords)} - {""}:
        message = message.replace(word, "***")
    return message


def _tables_in(cursor: Cursor, dataset: str) -> set[str]:
    cursor.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = %s", [dataset])
    return {name for (name,) in cursor.fetchall()}


def _refuse_foreign_tables(cursor: Cursor, plan: Plan, tables: Sequence[TablePlan], address: str) -> None:
    """Raise UsageError for tables that no run has made: a schema filled by a run has the table `_origin`."""
    stored_names = _tables_in(cursor, plan.name)
    foreign_names = sorted(stored_names & {table.name for table in tables}) if ORIGIN_TABLE not in stored_names else []
    if foreign_names:
        raise UsageError(
            f"{address} has a table {plan.name}.{foreign_names[0]} that no run has made: "
            "drop it, or give the config another name"
        )


def _rows(table: TablePlan, batches: Batches) -> Iterator[bytes]:
    """Yield rows as lines of COPY: columns with tabs between them, nulls as \\N."""
    for batch in rechunked(plain_batches(table, batches), plain_schema(table), _CHUNK_ROWS):
        lines = joined(*(_field(column) for column in batch.columns), between="\t")
        yield bytes(joined_texts(joined(lines, "\n")))


def _field(column: ArrowArray) -> ArrowArray:
    texts = column.cast(pa.string())
    if pa.types.is_string(column.type) or pa.types.is_dictionary(column.type):
        for character, escape in (("\\", "\\\\"), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
            texts = pc.replace_substring(texts, character, escape)
    return texts.fill_null("\\N")


class _Stream:
    """Pieces of bytes as a file of which only `read` is used; `error` is what stopped them."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._buffer = memoryview(b"")
        self.error: BaseException | None = None

    def read(self, size: int) -> bytes:
        """Return at most so many bytes, none at the end."""
        if not self._buffer:
            try:
                self._buffer = memoryview(next(self._pieces, b""))
            except BaseException as error:
                self.error = error
                raise
        part, self._buffer = self._buffer[:size], self._buffer[size:]
        return bytes(part)
