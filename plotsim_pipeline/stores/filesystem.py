"""Files on any path that fsspec knows, each whole or not there."""

import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple, cast
from uuid import uuid4

import fsspec
import pyarrow.fs as pa_fs
from fsspec.implementations.local import LocalFileSystem

from plotsim_core import UsageError
from plotsim_core.output.atomic import atomic_file, clear_orphans, folder_lock

if TYPE_CHECKING:
    from s3fs import S3FileSystem

_EXTRAS = {"s3": "s3", "s3a": "s3"}
"""Protocols whose library is an extra of this package."""
_OBJECT_STORES = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oss", "oci", "cos", "obs"}


def filesystem_of(path: str) -> tuple[fsspec.AbstractFileSystem, str]:
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
def replacing_file(filesystem: fsspec.AbstractFileSystem, file: str) -> Iterator[IO[bytes]]:
    """Give a file to write that takes the place of an older one when it is whole, and never if an error comes before.

    A file is written aside and renamed. An object store shows an object when its upload is completed, and a rename there
    would be a copy: so there the object itself is uploaded, and the upload given up on an error.
    """
    if is_local(filesystem):
        with atomic_file(Path(file)) as sink:
            yield sink
        return
    is_object_store = not _OBJECT_STORES.isdisjoint(protocols(filesystem))
    folder, _, name = file.rpartition("/")
    target = file if is_object_store else f"{folder}/.{name}.{uuid4().hex}.tmp"
    sink = filesystem.open(target, "wb")
    try:
        yield sink
        sink.close()
    except BaseException:
        if is_object_store:
            sink.closed = True  # closing it would complete the upload of what there is
        with suppress(Exception):  # the error is what matters
            if is_object_store:
                sink.discard()
            else:
                sink.close()
                filesystem.rm(target)
        raise
    if not is_object_store:
        filesystem.mv(target, file)


class FileVersion(NamedTuple):
    """What tells one version of a file from another without reading it: its size, and its time or the tag of an object."""

    size: int
    stamp: str


def file_versions(filesystem: fsspec.AbstractFileSystem, folder: str) -> dict[str, FileVersion]:
    """Return the files below a folder, by path. A folder that is not there has none."""
    if is_local(filesystem):
        return dict(_local_files(folder))
    filesystem.invalidate_cache()  # another process may have written
    details = filesystem.find(folder, detail=True)
    return {file: FileVersion(info["size"], _stamp(info)) for file, info in details.items()}


def _local_files(folder: str) -> Iterator[tuple[str, FileVersion]]:
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _local_files(entry.path)
            elif entry.is_file():
                with suppress(FileNotFoundError):  # renamed meanwhile
                    status = entry.stat()
                    yield entry.path, FileVersion(status.st_size, str(status.st_mtime_ns))


def _stamp(info: Mapping[str, Any]) -> str:
    names = ("ETag", "etag", "mtime", "LastModified", "last_modified", "created")
    return str(next((info[name] for name in names if name in info), ""))


def prepare_folder(filesystem: fsspec.AbstractFileSystem, root: str, folder: str) -> None:
    """Make a folder below a root, and clear what killed writers have left in it. Object stores have no folders.

    Raises UsageError where it lies behind a symbolic link: what is written below the root stays there.
    """
    if is_local(filesystem):
        for parent in (Path(folder), *Path(folder).parents):
            if parent == Path(root):
                break
            if parent.is_symlink():
                raise UsageError(
                    f"cannot write into {folder}: {parent} is a symbolic link, and nothing is written through one"
                )
        Path(folder).mkdir(parents=True, exist_ok=True)
        clear_orphans(Path(folder))
    elif _OBJECT_STORES.isdisjoint(protocols(filesystem)):
        filesystem.makedirs(folder, exist_ok=True)


def exclusive_folder(filesystem: fsspec.AbstractFileSystem, folder: str) -> AbstractContextManager[None]:
    """Wait for other writers of a folder that is there, where the file system has locks: object stores have none."""
    return folder_lock(Path(folder)) if is_local(filesystem) else nullcontext()


def protocols(filesystem: fsspec.AbstractFileSystem) -> tuple[str, ...]:
    """Return what the URLs of a file system may begin with."""
    return (filesystem.protocol,) if isinstance(filesystem.protocol, str) else tuple(filesystem.protocol)


@dataclass(frozen=True)
class Access:
    """How an object store of the S3 protocol is reached: what fsspec was told, or the environment says; None is neither."""

    endpoint: str | None
    key: str | None
    secret: str | None
    token: str | None
    region: str | None


def s3_access(filesystem: fsspec.AbstractFileSystem) -> Access:
    """Return how a file system of s3fs reaches its store."""
    s3 = cast("S3FileSystem", filesystem)
    client: Mapping[str, Any] = s3.client_kwargs or {}
    environment_endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    endpoint = s3.endpoint_url or client.get("endpoint_url") or environment_endpoint
    return Access(endpoint, s3.key, s3.secret, s3.token, client.get("region_name"))


def arrow_filesystem_of(filesystem: fsspec.AbstractFileSystem) -> pa_fs.FileSystem | None:
    """Return the file system as pyarrow has it by itself, None if it has not.

    Its threads read without Python. Those that read through fsspec would need the interpreter, which DuckDB holds while it
    waits for them: a query would hang for ever. What has no own is read whole before.
    """
    if is_local(filesystem):
        return pa_fs.LocalFileSystem()
    if "s3" not in protocols(filesystem):
        return None
    settings = s3_access(filesystem)
    scheme, _, host = (settings.endpoint or "https://").partition("://")
    credentials = {
        "access_key": settings.key,
        "secret_key": settings.secret,
        "session_token": settings.token,
        "region": settings.region,
    }
    options: dict[str, Any] = {"scheme": scheme, **{name: value for name, value in credentials.items() if value}}
    return pa_fs.S3FileSystem(endpoint_override=host.rstrip("/") or None, **options)
