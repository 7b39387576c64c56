"""A run into a directory: everything is written aside and moved into place when it is whole."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import yaml

from plotsim_core.errors import UsageError
from plotsim_core.families import UnknownMember
from plotsim_core.output.format import FORMATS, Batches, Progress
from plotsim_core.plan.plan import Plan, TablePlan

_STAGING = ".plotsim-"
CONFIG = "config.yaml"


def write_run(
    plan: Plan,
    tables: Iterable[tuple[TablePlan, Batches]],
    directory: Path,
    format: str,
    progress: Progress | None = None,
) -> dict[str, int]:
    """Write tables and a copy of the config into `directory`; return the rows of each table.

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

    with staged(directory) as aside:
        for table, batches in tables:
            writer.write(plan, table, counted(table.name, batches), aside)
        (aside / CONFIG).write_text(config_text(plan), encoding="utf-8")
    return rows


def config_text(plan: Plan) -> str:
    """Return the config as YAML, with the seed and the scale that are in force."""
    return yaml.safe_dump(plan.raw, sort_keys=False, allow_unicode=True)


@contextmanager
def staged(directory: Path) -> Iterator[Path]:
    """Give an empty directory beside the files of `directory`; on success, move what it holds into place."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=_STAGING, dir=directory))
    except OSError as error:
        raise UsageError(f"cannot write into {directory}: {error.strerror}") from None
    try:
        yield aside
        for file in sorted(aside.iterdir()):
            os.replace(file, directory / file.name)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
