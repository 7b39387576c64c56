"""A run into a directory: everything is written aside and moved into place when it is whole."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import yaml

from plotsim_core.errors import UsageError
from plotsim_core.families import UnknownMember
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
) -> dict[str, int]:
    """Write tables, the log lines of events and a copy of the config into `directory`; return the rows of each table.
    `beside(rows)` gives other files to write, name to the pieces of its text.

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
    with staged(directory) as aside:
        writer.begin(plan, every, aside)
        for table, batches in tables:
            writer.write(plan, table, logged(table, counted(table.name, batches), aside), aside)
        writer.end(plan, every, aside)
        for name, pieces in {CONFIG: (config_text(plan),), **beside(rows)}.items():
            with open(aside / name, "w", encoding="utf-8") as file:
                file.writelines(pieces)
    return rows


def config_text(plan: Plan) -> str:
    """Return the config as YAML, with the seed and the scale that are in force."""
    return yaml.safe_dump(plan.raw, sort_keys=False, allow_unicode=True)


@contextmanager
def staged(directory: Path) -> Iterator[Path]:
    """Give an empty directory beside the files of `directory`; on success, move what it holds into place.

    A folder takes the place of a table's older folder as a whole, and of its file; a file that of its folder. Raises
    UsageError where a folder has to go that holds something else.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=_STAGING, dir=directory))
    except OSError as error:
        raise UsageError(f"cannot write into {directory}: {error.strerror}") from None
    try:
        yield aside
        made = sorted(aside.iterdir())
        for path in made:
            older = directory / path.name
            if path.is_dir() and older.exists() and not is_partitioned(older):
                raise UsageError(f"cannot write the folder {older}: something else is there")
        gone = Path(tempfile.mkdtemp(prefix=_STAGING, dir=directory))
        try:
            for path in made:
                _replace(path, directory, gone)
        finally:
            shutil.rmtree(gone, ignore_errors=True)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


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
