"""Files that are written aside and renamed into place, and what writers that were killed have left of them."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO
from uuid import uuid4

try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None  # type: ignore[assignment] # it is there where this is checked

_SUFFIX = ".tmp"
_YOUNG, _OLD = 60.0, 3600.0
"""Seconds since its last write after which a file that no writer locks is left over, and one whose lock cannot be seen."""


@contextmanager
def atomic_file(path: Path) -> Iterator[IO[bytes]]:
    """Give a file to write that takes the place of `path` when it is whole; after an error `path` is what it was.

    While it is written its writer holds a lock on it, which ends with the writer, however that ends.
    """
    temporary = path.with_name(f".{path.name}.{uuid4().hex}{_SUFFIX}")
    try:
        with open(temporary, "wb") as sink:
            _lock(sink.fileno())
            yield sink
        os.replace(temporary, path)
    except BaseException:
        with suppress(FileNotFoundError):
            temporary.unlink()
        raise


@contextmanager
def staging_folder(directory: Path, prefix: str) -> Iterator[Path]:
    """Give a new folder in a directory, which is gone in the end; locked like a file that is written aside."""
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=directory))
    descriptor = os.open(folder, os.O_RDONLY) if fcntl is not None else None
    try:
        if descriptor is not None:
            _lock(descriptor)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if descriptor is not None:
            os.close(descriptor)


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Wait until no other process or thread is alone in a folder, and be it. The lock ends with its holder, however that
    ends; a file system without locks gives none."""
    descriptor = _locked_folder(folder) if fcntl is not None else None
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _locked_folder(folder: Path) -> int:
    """Return the descriptor of a locked folder. If another folder has taken its place meanwhile, lock that one."""
    while True:
        descriptor = os.open(folder, os.O_RDONLY)
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.path.samestat(os.fstat(descriptor), os.stat(folder)):
            return descriptor
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    """Mark an open file or folder as being written by this process, where the system can."""
    if fcntl is not None:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def clear_orphans(folder: Path, prefix: str = ".", suffix: str = _SUFFIX, *, locked: bool = False) -> list[Path]:
    """Remove what writers that are dead have left in a folder; return what it was. A live writer's files stay. `locked` says
    that no writer makes one now without its lock."""
    removed: list[Path] = []
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(prefix) and entry.name.endswith(suffix) and _is_orphan(Path(entry.path), locked):
                path = Path(entry.path)
                with suppress(OSError):  # another may clear as well
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
                    removed.append(path)
    return removed


def _is_orphan(path: Path, locked: bool) -> bool:
    """Return whether a file (or folder) has no living writer."""
    try:
        age = time.time() - path.stat().st_mtime
        if fcntl is None or (age < _YOUNG and not locked):  # its writer may not have come to lock it
            return age > _OLD
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return age > _OLD
    else:
        return True
    finally:
        os.close(descriptor)
