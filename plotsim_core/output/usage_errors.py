"""What a disk refuses, in a sentence."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from plotsim_core.errors import UsageError

_NUMBERS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EIO)
_DISK = tuple(os.strerror(number) for number in _NUMBERS)


@contextmanager
def usage_errors(doing: str) -> Iterator[None]:
    """Raise UsageError, which begins with `doing`, for what the operating system refuses: no space, no right, no such place,
    a name that cannot be."""
    try:
        yield
    except UnicodeEncodeError:
        raise UsageError(f"{doing}: its name is not UTF-8") from None
    except OSError as error:
        raise UsageError(f"{doing}: {os.strerror(error.errno) if error.errno else _first_line(error)}") from None
    except Exception as error:  # databases and JSON lines are written by DuckDB, which has the system's words somewhere
        import duckdb

        if not isinstance(error, duckdb.Error):
            raise
        message = next((words for words in _DISK if words in str(error)), None)
        if message is None and not isinstance(error, duckdb.IOException):
            raise
        raise UsageError(f"{doing}: {message or _first_line(error)}") from None


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
