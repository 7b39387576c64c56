"""Waiting for a DuckDB file: one process can have it open to write, and nobody else may have it open meanwhile."""

import os
import random
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from threading import Lock
from uuid import uuid4

import dagster as dg
import duckdb

from plotsim_core import UsageError

PATIENCE_VARIABLE = "PLOTSIM_LOCK_SECONDS"
CONNECTION_CONFIG: dict[str, str | bool | int | float | list[str]] = {"custom_user_agent": "dagster"}
"""What dagster-duckdb connects with, which waits without saying for whom: connections of one process have to agree."""
_WAIT_SECONDS = 120.0
_FIRST_DELAY, _MAX_DELAY = 0.05, 1.0
"""Seconds between two tries, at first and in the end."""
_MESSAGE_SECONDS = 5.0
"""Seconds after which the log says who is waited for, and how long again and again."""
_HOLDER_PATTERN = re.compile(r"lock is held in (?P<program>.+?) \(PID (?P<pid>\d+)\)")
_OPENING = Lock()
"""Threads open files one after the other: who opens one that another is just opening finds DuckDB without what reads
Arrow."""


_patience: ContextVar[float | None] = ContextVar("patience", default=None)


@contextmanager
def wait_limit(seconds: float) -> Iterator[None]:
    """Wait at most so long for a file inside: whoever asks for a sensor or a schedule is asked for an answer in a minute."""
    token = _patience.set(seconds)
    try:
        yield
    finally:
        _patience.reset(token)


@contextmanager
def waiting_connection(path: str, read_only: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a connection to a DuckDB file, and wait while another process holds it: `PLOTSIM_LOCK_SECONDS`, by default 120.

    Raises Failure that names the holder after that time.
    """
    timeout, start, message_time, delay = _timeout(), time.monotonic(), _MESSAGE_SECONDS, _FIRST_DELAY
    while True:
        try:
            connection = open_database(path, read_only)
        except duckdb.IOException as error:
            holder = _holder(error)
            waiting_time = time.monotonic() - start
            if holder is None:
                raise
            if waiting_time >= timeout:
                raise dg.Failure(
                    f"{path} is held by {holder}, and DuckDB lets one process write at a time. It was waited for "
                    f"{waiting_time:.0f} seconds; what is stored is untouched. Close it there (a notebook or a shell "
                    f"that has the file open holds it) and run again, or wait longer: {PATIENCE_VARIABLE}=600.",
                    allow_retries=False,
                ) from None
            if waiting_time >= message_time:
                dg.get_dagster_logger("plotsim").info("waiting for %s: it is held by %s", path, holder)
                message_time = waiting_time + _MESSAGE_SECONDS
        else:
            break
        time.sleep(delay * random.uniform(0.5, 1.5))  # so that those who wait do not come at the same moments
        delay = min(1.5 * delay, _MAX_DELAY)
    with connection:
        yield connection


def open_database(path: str, read_only: bool = False) -> duckdb.DuckDBPyConnection:
    """Return a connection to a DuckDB file, which is made if there is none. Raises duckdb.IOException where another process
    holds it."""
    if not read_only and not os.path.exists(path):
        _create(path)
    with _OPENING:
        try:
            return duckdb.connect(path, read_only=read_only, config=CONNECTION_CONFIG)
        except duckdb.ConnectionException:  # this process has the file open to write, and connections of one process agree
            return duckdb.connect(path, config=CONNECTION_CONFIG)


def _create(path: str) -> None:
    """Make a file with an empty database, whole at once.

    DuckDB empties a new file before it locks it: of two processes that open it first, one destroys what the other wrote.
    """
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{uuid4().hex}.tmp")
    try:
        duckdb.connect(str(temporary), config=CONNECTION_CONFIG).close()
        with suppress(OSError):  # another process was first, or a file system without links: DuckDB makes it there
            os.link(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _holder(error: duckdb.IOException) -> str | None:
    """Return the process that holds a file, by DuckDB's error; None for another error."""
    match = _HOLDER_PATTERN.search(str(error))
    if match is not None:
        return f"process {match['pid']} ({match['program']})"
    return "another process" if "Could not set lock" in str(error) else None


def _timeout() -> float:
    """Return the time limit of waiting for a file, in seconds."""
    context_limit = _patience.get()
    setting = os.environ.get(PATIENCE_VARIABLE, "")
    try:
        limit = float(setting) if setting else _WAIT_SECONDS
    except ValueError:
        raise UsageError(f"{PATIENCE_VARIABLE}={setting}: expected a number of seconds") from None
    return limit if context_limit is None else min(context_limit, limit)
