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
from plotsim_core.output.atomic import clear_orphans, folder_lock, staging_folder
from plotsim_core.output.exchange import can_exchange, exchange_folders
from plotsim_core.output.parquet_folders import is_partitioned
from plotsim_core.run_files import CONFIG_FILE, MANIFEST_TABLES, RUN_FILES

_STAGING = ".plotsim-"
_COMPLETE = f"{_STAGING}whole"
"""The folder of files that only have to be moved."""
_OBSOLETE_LIST = f"{_STAGING}gone"
"""The file in it with the names of what has to go first."""
_PROBE = f"{_STAGING}probe"
_MAX_LINKS = 20_000
"""So many files and folders get links at most; a folder that holds more is filled in its place."""


@contextmanager
def staged_folder(directory: Path, merge: bool = False) -> Iterator[Path]:
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
            with folder_lock(directory):
                _finish(directory)
                _clear(directory)
                folder = _staging_folder(directory, stack)
        except OSError as error:
            raise UsageError(f"cannot write into {directory}: {error.strerror}") from None
        yield folder
        with folder_lock(directory):
            _finish(directory)
            _check_targets(folder, directory, merge)
            obsolete = _obsolete_names(folder, directory, merge)
            if folder.parent == directory or not _exchange(folder, directory, obsolete):
                (folder / _OBSOLETE_LIST).write_text(json.dumps(sorted(obsolete)), encoding="utf-8")
                os.rename(folder, directory / _COMPLETE)
                _finish(directory)


def finish(directory: Path) -> None:
    """Move into place what a run that was killed had made whole and did not come to move, if there is any.

    Raises UsageError where it cannot be moved.
    """
    if (directory / _COMPLETE).is_dir():
        try:
            with folder_lock(directory):
                _finish(directory)
        except UsageError:
            raise
        except (OSError, ValueError, TypeError) as error:  # or somebody else wrote what is to be done
            message = f"{directory} is between two runs, of which the later was killed, and cannot be brought to it"
            raise UsageError(f"{message}: {getattr(error, 'strerror', None) or error}") from None


def _staging_folder(directory: Path, stack: ExitStack) -> Path:
    """Return a new folder to fill: beside the directory, or inside it if the two cannot be exchanged."""
    sibling_stack = ExitStack()
    with suppress(OSError):  # a folder that is gone has no name, and one beside it may be forbidden
        if can_exchange() and not Path.cwd().is_relative_to(directory):
            folder = sibling_stack.enter_context(staging_folder(directory.parent, _sibling_prefix(directory)))
            directory_stat, folder_stat = directory.stat(), folder.stat()
            if (directory_stat.st_uid, directory_stat.st_gid) != (folder_stat.st_uid, folder_stat.st_gid):
                os.chown(folder, directory_stat.st_uid, directory_stat.st_gid)
            shutil.copystat(directory, folder)
            (folder / _PROBE).touch()
            os.rename(folder / _PROBE, directory / _PROBE)  # fails between two file systems
            (directory / _PROBE).unlink()
            stack.push(sibling_stack)
            return folder
    sibling_stack.close()
    return stack.enter_context(staging_folder(directory, _STAGING))


def _sibling_prefix(directory: Path) -> str:
    """Return the prefix of the names of staging folders beside a directory."""
    return f".{directory.name}{_STAGING}"


def _clear(directory: Path) -> None:
    """Remove what writers that were killed have left in a directory, and beside it."""
    clear_orphans(directory, _STAGING, "", locked=True)
    clear_orphans(directory.parent, _sibling_prefix(directory), "", locked=True)


def _check_targets(folder: Path, directory: Path, merge: bool) -> None:
    """Raise UsageError where the target of a new file or folder is something else, or a symbolic link."""
    for path in sorted(folder.rglob("*") if merge else folder.iterdir()):
        target = directory / path.relative_to(folder)
        kind = "folder" if path.is_dir() else "file"
        if path.is_dir() and target.is_symlink():
            raise UsageError(f"cannot write the folder {target}: it is a symbolic link, and nothing is written through one")
        is_blocked = (
            target.is_dir() and not target.is_symlink() and not (path.is_dir() and (merge or is_partitioned(target)))
        )
        if is_blocked or (path.is_dir() and target.exists() and not target.is_dir()):
            raise UsageError(f"cannot write the {kind} {target}: something else is there")


def _obsolete_names(folder: Path, directory: Path, merge: bool) -> set[str]:
    """Return the obsolete names of a directory: files and folders that the new ones replace."""
    new_paths = {path.name: path for path in folder.iterdir()}
    is_filled = (directory / CONFIG_FILE).is_file()  # by a run; what else has such a name is not ours to remove
    run_files = [*RUN_FILES, *(path.name for path in directory.glob(MANIFEST_TABLES))]
    names = {name for name in run_files if is_filled and name not in new_paths}
    names |= {f"{name}.wal" for name in new_paths if name.endswith(".duckdb")}
    if not merge:
        folder_names = {name for name, path in new_paths.items() if path.is_dir()}
        table_names = {path.stem for path in new_paths.values() if path.suffix == ".parquet"}
        names |= folder_names | {f"{name}.parquet" for name in folder_names}
        names |= {name for name in table_names if is_partitioned(directory / name) and not (directory / name).is_symlink()}
    return {name for name in names if os.path.lexists(directory / name)}


def _exchange(folder: Path, directory: Path, obsolete: Collection[str]) -> bool:
    """Exchange the new folder with the directory, after linking all files that stay; return whether it worked. Then the
    folder holds the older files."""
    new_links: list[Path] = []
    try:
        _link_files(directory, folder, obsolete, new_links)
        is_exchanged = exchange_folders(folder, directory)
    except OSError:  # no links on this file system, or not to these files
        is_exchanged = False
    if is_exchanged:
        with suppress(OSError):
            _move_late_files(folder, directory, obsolete)
        return True
    for path in reversed(new_links):
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    return False


def _link_files(old: Path, new: Path, obsolete: Collection[str], new_links: list[Path]) -> None:
    """Hard-link the files of the older folder into the new one, but for `obsolete` names; `new_links` collects the links."""
    with os.scandir(old) as entries:
        for entry in entries:
            target, is_folder = new / entry.name, entry.is_dir(follow_symlinks=False)
            if (
                entry.name in obsolete
                or entry.name.startswith(_STAGING)
                or (target.exists() and not (is_folder and target.is_dir()))
            ):
                continue
            if len(new_links) >= _MAX_LINKS:
                raise OSError("too many files to link")
            if not is_folder:
                os.link(entry.path, target, follow_symlinks=False)
                new_links.append(target)
                continue
            if not target.exists():
                target.mkdir()
                new_links.append(target)
                shutil.copystat(entry.path, target)
            _link_files(Path(entry.path), target, (), new_links)


def _move_late_files(old: Path, new: Path, obsolete: Collection[str]) -> None:
    """Move files that other processes put into the older folder during the exchange."""
    with os.scandir(old) as entries:
        for entry in entries:
            target = new / entry.name
            if entry.name in obsolete or entry.name.startswith(_STAGING):
                continue
            if not os.path.lexists(target):
                os.rename(entry.path, target)
            elif entry.is_dir(follow_symlinks=False) and target.is_dir():
                _move_late_files(Path(entry.path), target, ())


def _finish(directory: Path) -> None:
    """Move the files of the complete folder into place. Idempotent: after a kill, a repetition does the rest."""
    complete_folder = directory / _COMPLETE
    if complete_folder.is_symlink() or not complete_folder.is_dir():
        return
    if (complete_folder / _OBSOLETE_LIST).is_file():
        names = json.loads((complete_folder / _OBSOLETE_LIST).read_text(encoding="utf-8"))
        for target in directory.iterdir():  # nothing but what lies here, whatever is named, and whoever wrote it
            if target.name in names and target != complete_folder:
                shutil.rmtree(target) if target.is_dir() and not target.is_symlink() else target.unlink()
        (complete_folder / _OBSOLETE_LIST).unlink()
    for path in sorted(path for path in complete_folder.rglob("*") if path.is_symlink() or not path.is_dir()):
        target = directory / path.relative_to(complete_folder)
        if any(folder.is_symlink() for folder in target.parents if folder != directory and folder.is_relative_to(directory)):
            raise UsageError(f"cannot write {target}: it lies in a symbolic link, and nothing is written through one")
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(path, target)
    shutil.rmtree(complete_folder)
