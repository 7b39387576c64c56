"""A folder that a run fills: what it writes comes into place at one instant, beside what stays.

Everything is written into a folder beside the one to fill. It then gets links to the files that stay, and the two take each
other's place. Where they cannot (no such call, a mount, no right to write beside it, this process stands in the folder), all
is written into a hidden folder inside; once whole, it gets another name, and from then on its files are moved into place one
after another. Who is killed among these leaves the rest to the next run, or to the next `plotsim check` (`finish`).
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from plotsim_core.errors import UsageError
from plotsim_core.output.aside import alone, clear_orphans, staging
from plotsim_core.output.exchange import can_exchange, exchanged
from plotsim_core.output.partitions import is_partitioned

ABOUT = ("config.yaml", "manifest.json", "validation_report.txt", "validation_report.json", "validation_report.html")
"""Files that speak of a run as a whole: those of an older run go with it."""
_STAGING = ".plotsim-"
_WHOLE = f"{_STAGING}whole"
"""The folder of files that only have to be moved."""
_GONE = f"{_STAGING}gone"
"""The file in it with the names of what has to go first."""
_PROBE = f"{_STAGING}probe"
_MOST = 20_000
"""So many files and folders get links at most; a folder that holds more is filled in its place."""


@contextmanager
def staged(directory: Path, merge: bool = False) -> Iterator[Path]:
    """Give an empty folder to fill; on success what it holds is in `directory`, after an error `directory` is what it was.

    A folder takes the place of a table's older folder as a whole, and of its file; a file that of its folder. With `merge`
    the files of folders take the place of older ones, and others stay. What else is in the directory stays, but for ABOUT.
    Raises UsageError where nothing can be written, where something else than a table's has to go, and where a folder is a
    symbolic link: nothing is written through one.
    """
    with ExitStack() as stack:
        try:
            directory.mkdir(parents=True, exist_ok=True)
            directory = directory.resolve()
            with alone(directory):
                _finish(directory)
                _clear(directory)
                aside = _begun(directory, stack)
        except OSError as error:
            raise UsageError(f"cannot write into {directory}: {error.strerror}") from None
        yield aside
        with alone(directory):
            _finish(directory)
            _check(aside, directory, merge)
            gone = _leaving(aside, directory, merge)
            if aside.parent == directory or not _exchange(aside, directory, gone):
                (aside / _GONE).write_text(json.dumps(sorted(gone)), encoding="utf-8")
                os.rename(aside, directory / _WHOLE)
                _finish(directory)


def finish(directory: Path) -> None:
    """Move into place what a run that was killed had made whole and did not come to move, if there is any.

    Raises UsageError where it cannot be moved.
    """
    if (directory / _WHOLE).is_dir():
        try:
            with alone(directory):
                _finish(directory)
        except UsageError:
            raise
        except (OSError, ValueError, TypeError) as error:  # or somebody else wrote what is to be done
            says = f"{directory} is between two runs, of which the later was killed, and cannot be brought to it"
            raise UsageError(f"{says}: {getattr(error, 'strerror', None) or error}") from None


def _begun(directory: Path, stack: ExitStack) -> Path:
    """Return a new folder to fill: beside the directory, or in it where the two could not change places."""
    beside = ExitStack()
    with suppress(OSError):  # a folder that is gone has no name, and one beside it may be forbidden
        if can_exchange() and not Path.cwd().is_relative_to(directory):
            aside = beside.enter_context(staging(directory.parent, _beside(directory)))
            like, own = directory.stat(), aside.stat()
            if (like.st_uid, like.st_gid) != (own.st_uid, own.st_gid):
                os.chown(aside, like.st_uid, like.st_gid)
            shutil.copystat(directory, aside)
            (aside / _PROBE).touch()
            os.rename(aside / _PROBE, directory / _PROBE)  # fails between two file systems
            (directory / _PROBE).unlink()
            stack.push(beside)
            return aside
    beside.close()
    return stack.enter_context(staging(directory, _STAGING))


def _beside(directory: Path) -> str:
    """Return how the names of folders beside a directory begin that are filled to take its place."""
    return f".{directory.name}{_STAGING}"


def _clear(directory: Path) -> None:
    """Remove what writers that were killed have left in a directory, and beside it."""
    clear_orphans(directory, _STAGING, "", locked=True)
    clear_orphans(directory.parent, _beside(directory), "", locked=True)


def _check(aside: Path, directory: Path, merge: bool) -> None:
    """Raise UsageError where something that is written would have to go where something else is, or through a link."""
    for path in sorted(aside.rglob("*") if merge else aside.iterdir()):
        older = directory / path.relative_to(aside)
        what = "folder" if path.is_dir() else "file"
        if path.is_dir() and older.is_symlink():
            raise UsageError(f"cannot write the folder {older}: it is a symbolic link, and nothing is written through one")
        other = older.is_dir() and not older.is_symlink() and not (path.is_dir() and (merge or is_partitioned(older)))
        if other or (path.is_dir() and older.exists() and not older.is_dir()):
            raise UsageError(f"cannot write the {what} {older}: something else is there")


def _leaving(aside: Path, directory: Path, merge: bool) -> set[str]:
    """Return the names of what has to go from a directory when what is aside comes."""
    made = {path.name: path for path in aside.iterdir()}
    filled = (directory / ABOUT[0]).is_file()  # by a run; what else has such a name is not ours to remove
    gone = {name for name in ABOUT if filled and name not in made}
    gone |= {f"{name}.wal" for name in made if name.endswith(".duckdb")}
    if not merge:
        folders = {name for name, path in made.items() if path.is_dir()}
        whole = {path.stem for path in made.values() if path.suffix == ".parquet"}
        gone |= folders | {f"{name}.parquet" for name in folders}
        gone |= {name for name in whole if is_partitioned(directory / name) and not (directory / name).is_symlink()}
    return {name for name in gone if os.path.lexists(directory / name)}


def _exchange(aside: Path, directory: Path, gone: Collection[str]) -> bool:
    """Let a folder take the place of a directory, with all that stays of it; return whether it did. Where it did, what was
    there before is aside."""
    linked: list[Path] = []
    try:
        _link(directory, aside, gone, linked)
        done = exchanged(aside, directory)
    except OSError:  # no links on this file system, or not to these files
        done = False
    if done:
        with suppress(OSError):
            _bring(aside, directory, gone)
        return True
    for path in reversed(linked):
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    return False


def _link(old: Path, new: Path, gone: Collection[str], linked: list[Path]) -> None:
    """Give a folder links to what it has not of an older one, but for what is `gone`; `linked` grows by what it gets."""
    with os.scandir(old) as entries:
        for entry in entries:
            place, folder = new / entry.name, entry.is_dir(follow_symlinks=False)
            if entry.name in gone or entry.name.startswith(_STAGING) or (place.exists() and not (folder and place.is_dir())):
                continue
            if len(linked) >= _MOST:
                raise OSError("too many files to link")
            if not folder:
                os.link(entry.path, place, follow_symlinks=False)
                linked.append(place)
                continue
            if not place.exists():
                place.mkdir()
                linked.append(place)
                shutil.copystat(entry.path, place)
            _link(Path(entry.path), place, (), linked)


def _bring(old: Path, new: Path, gone: Collection[str]) -> None:
    """Move what others put into the older folder while it was linked."""
    with os.scandir(old) as entries:
        for entry in entries:
            place = new / entry.name
            if entry.name in gone or entry.name.startswith(_STAGING):
                continue
            if not os.path.lexists(place):
                os.rename(entry.path, place)
            elif entry.is_dir(follow_symlinks=False) and place.is_dir():
                _bring(Path(entry.path), place, ())


def _finish(directory: Path) -> None:
    """Move into place what is whole. Whatever instant it is killed at, doing it again does the rest."""
    whole = directory / _WHOLE
    if whole.is_symlink() or not whole.is_dir():
        return
    if (whole / _GONE).is_file():
        names = json.loads((whole / _GONE).read_text(encoding="utf-8"))
        for place in directory.iterdir():  # nothing but what lies here, whatever is named, and whoever wrote it
            if place.name in names and place != whole:
                shutil.rmtree(place) if place.is_dir() and not place.is_symlink() else place.unlink()
        (whole / _GONE).unlink()
    for path in sorted(path for path in whole.rglob("*") if path.is_symlink() or not path.is_dir()):
        place = directory / path.relative_to(whole)
        if any(folder.is_symlink() for folder in place.parents if folder != directory and folder.is_relative_to(directory)):
            raise UsageError(f"cannot write {place}: it lies in a symbolic link, and nothing is written through one")
        place.parent.mkdir(parents=True, exist_ok=True)
        os.replace(path, place)
    shutil.rmtree(whole)
