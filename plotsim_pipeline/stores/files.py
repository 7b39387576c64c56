"""Files on any path that fsspec knows, each whole or not there."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import IO, Any
from uuid import uuid4

import fsspec
from fsspec.implementations.local import LocalFileSystem

from plotsim_core import UsageError
from plotsim_core.output.aside import alone, clear_orphans, written_aside

_EXTRAS = {"s3": "s3", "s3a": "s3"}
"""Protocols whose library is an extra of this package."""
_OBJECT_STORES = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oss", "oci", "cos", "obs"}


def located(path: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """Return the file system of a path or URL, and the path in it. Raises UsageError where its library is not installed."""
    try:
        filesystem, root = fsspec.core.url_to_fs(path)
    except ImportError as error:
        extra = _EXTRAS.get(path.partition("://")[0])
        hint = f"pip install 'plotsim-pipeline[{extra}]'" if extra else str(error)
        raise UsageError(f"{path} cannot be opened: {hint}") from None
    except ValueError as error:
        raise UsageError(f"{path} cannot be opened: {error}") from None
    return filesystem, root.rstrip("/")


def is_local(filesystem: fsspec.AbstractFileSystem) -> bool:
    """Return whether a file system is the machine's own, where a rename is atomic."""
    return isinstance(filesystem, LocalFileSystem)


@contextmanager
def written(filesystem: fsspec.AbstractFileSystem, file: str) -> Iterator[IO[bytes] | Any]:
    """Give a file to write that takes the place of an older one when it is whole, and never if an error comes before.

    A file is written aside and renamed. An object store shows an object when its upload is completed, and a rename there
    would be a copy: so there the object itself is uploaded, and the upload given up on an error.
    """
    if is_local(filesystem):
        with written_aside(Path(file)) as sink:
            yield sink
        return
    direct = not _OBJECT_STORES.isdisjoint(protocols(filesystem))
    folder, _, name = file.rpartition("/")
    place = file if direct else f"{folder}/.{name}.{uuid4().hex}.tmp"
    sink = filesystem.open(place, "wb")
    try:
        yield sink
        sink.close()
    except BaseException:
        if direct:
            sink.closed = True  # closing it would complete the upload of what there is
        with suppress(Exception):  # the error is what matters
            if direct:
                sink.discard()
            else:
                sink.close()
                filesystem.rm(place)
        raise
    if not direct:
        filesystem.mv(place, file)


def prepared(filesystem: fsspec.AbstractFileSystem, folder: str) -> None:
    """Make a folder, and clear what killed writers have left in it. Object stores have no folders."""
    if is_local(filesystem):
        Path(folder).mkdir(parents=True, exist_ok=True)
        clear_orphans(Path(folder))
    elif _OBJECT_STORES.isdisjoint(protocols(filesystem)):
        filesystem.makedirs(folder, exist_ok=True)


def alone_in(filesystem: fsspec.AbstractFileSystem, folder: str) -> AbstractContextManager[None]:
    """Wait for other writers of a folder that is there, where the file system has locks: object stores have none."""
    return alone(Path(folder)) if is_local(filesystem) else nullcontext()


def protocols(filesystem: fsspec.AbstractFileSystem) -> tuple[str, ...]:
    """Return what the URLs of a file system may begin with."""
    return (filesystem.protocol,) if isinstance(filesystem.protocol, str) else tuple(filesystem.protocol)
