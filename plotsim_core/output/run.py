"""A run into a directory: everything is written aside and moved into place when it is whole."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pyarrow as pa

from plotsim_core.config.read import written
from plotsim_core.errors import UsageError
from plotsim_core.families import UnknownMember
from plotsim_core.output.aside import clear_orphans, staging
from plotsim_core.output.by_layout import write_by_layout
from plotsim_core.output.format import FORMATS, Batches, Progress
from plotsim_core.output.logs import logged
from plotsim_core.output.partitions import is_partitioned
from plotsim_core.plan.plan import Plan, TablePlan

_STAGING = ".plotsim-"
CONFIG = "config.yaml"


def write_run(
    plan: Plan,
    tables: Iterable[tuple[TablePlan, Batches]],
    directory: Path,
    format: str,
    progress: Progress | None = None,
    beside: Callable[[Mapping[str, int]], Mapping[str, Iterable[str]]] = lambda rows: {},
    span: tuple[int, int] | None = None,
) -> dict[str, int]:
    """Write tables, the log lines of events and a copy of the config into `directory`; return the rows of each table.
    `beside(rows)` gives other files to write, name to the pieces of its text. `span` are the periods (first, stop) that the
    tables are of: with a layout in the config, Parquet is then a file per partition of them.

    Files appear one by one but only after all are whole, each by an atomic rename that replaces an older one.
    """
    try:
        writer = FORMATS[format]
    except UnknownMember as unknown:
        raise UsageError(str(unknown)) from None
    rows: dict[str, int] = {}

    def counted(name: str, batches: Batches) -> Iterator[pa.RecordBatch]:
        rows[name] = 0
        if progress is not None:
            progress(name, 0)
        for batch in batches:
            rows[name] += batch.num_rows
            if progress is not None:
                progress(name, rows[name])
            yield batch

    tables = list(tables)
    every = [table for table, _ in tables]
    parted = span if format == "parquet" and plan.dataset.output.layout is not None else None
    with staged(directory, merge=parted is not None) as aside:
        writer.begin(plan, every, aside)
        for table, batches in tables:
            made = logged(table, counted(table.name, batches), aside)
            if parted is not None:
                write_by_layout(plan, table, made, aside, *parted)
            else:
                writer.write(plan, table, made, aside)
        writer.end(plan, every, aside)
        for name, pieces in {CONFIG: (config_text(plan),), **beside(rows)}.items():
            with open(aside / name, "w", encoding="utf-8") as file:
                file.writelines(pieces)
    return rows


def config_text(plan: Plan) -> str:
    """Return the config as YAML, with the seed and the scale that are in force."""
    return written(plan.raw)


def files_in(directory: Path) -> dict[Path, int]:
    """Return the files of a directory that a run has filled, each with a number that changes when it is replaced.

    None of any other directory: what lies there is not ours to look through.
    """
    if not (directory / CONFIG).is_file():
        return {}
    return {path: path.stat().st_ino for path in directory.rglob("*") if path.is_file()}


@contextmanager
def staged(directory: Path, merge: bool = False) -> Iterator[Path]:
    """Give an empty directory beside the files of `directory`; on success, move what it holds into place.

    A folder takes the place of a table's older folder as a whole, and of its file; a file that of its folder. With `merge`
    the files of folders take the place of older ones, and others stay. Raises UsageError where a folder has to go that holds
    something else.
    """
    with ExitStack() as stack:
        try:
            directory.mkdir(parents=True, exist_ok=True)
            clear_orphans(directory, _STAGING, "")
            aside = stack.enter_context(staging(directory, _STAGING))
        except OSError as error:
            raise UsageError(f"cannot write into {directory}: {error.strerror}") from None
        yield aside
        if merge:
            for path in sorted(path for path in aside.rglob("*") if path.is_file()):
                place = directory / path.relative_to(aside)
                place.parent.mkdir(parents=True, exist_ok=True)
                os.replace(path, place)
            return
        made = sorted(aside.iterdir())
        for path in made:
            older = directory / path.name
            if path.is_dir() and older.exists() and not is_partitioned(older):
                raise UsageError(f"cannot write the folder {older}: something else is there")
        gone = stack.enter_context(staging(directory, _STAGING))
        for path in made:
            _replace(path, directory, gone)


def _replace(path: Path, directory: Path, gone: Path) -> None:
    """Move a file or folder into a directory, and what it replaces out of it."""
    folder = path.is_dir()
    if folder and (directory / path.name).exists():
        os.replace(directory / path.name, gone / path.name)
    os.replace(path, directory / path.name)
    if folder and (directory / f"{path.name}.parquet").is_file():
        os.replace(directory / f"{path.name}.parquet", gone / f"{path.name}.parquet")
    if path.suffix == ".parquet" and is_partitioned(directory / path.stem):
        os.replace(directory / path.stem, gone / path.stem)
