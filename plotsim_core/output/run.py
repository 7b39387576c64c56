"""A run into a directory: tables, log lines, a copy of the config, and what is told of the run."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pyarrow as pa

from plotsim_core.config.read import yaml_text
from plotsim_core.errors import UsageError
from plotsim_core.families import UnknownMember
from plotsim_core.output.event_logs import with_log_lines
from plotsim_core.output.format import FORMATS, Batches, Format, Progress
from plotsim_core.output.parquet_layout import write_by_layout
from plotsim_core.output.postgres import is_address, loading
from plotsim_core.output.staged import staged_folder
from plotsim_core.output.usage_errors import usage_errors
from plotsim_core.plan.plan import Plan, TablePlan
from plotsim_core.run_files import CONFIG_FILE

Streams = Callable[[Path], Iterable[Batches]]
_SCRATCH = ".rows"
"""The folder of a run that is gone when its tables are written."""


def write_run(
    plan: Plan,
    tables: Sequence[TablePlan],
    streams: Streams,
    directory: Path,
    format: str,
    progress: Progress | None = None,
    other_files: Callable[[Mapping[str, int]], Mapping[str, Iterable[str | bytes]]] = lambda rows: {},
    periods: tuple[int, int] | None = None,
) -> dict[str, int]:
    """Write tables, the log lines of events and a copy of the config into `directory`; return the rows of each table. Where
    `format` is the address of a server, tables go there. `streams(folder)` gives the rows of each table in turn; `folder`
    is for files of theirs, and is gone in the end.
    `other_files(rows)` gives other files to write, name to its pieces. `periods` (first, stop) are those
    of the tables: with a layout in the config, Parquet is then a file per partition of them.

    All of it comes into place at one instant (`staged_folder`). Raises UsageError where it cannot be written: then nothing
    is there but what was there before.
    """
    format_context = _writer(format)
    rows: dict[str, int] = {}

    def counted_batches(name: str, batches: Batches) -> Iterator[pa.RecordBatch]:
        rows[name] = 0
        if progress is not None:
            progress(name, 0)
        for batch in batches:
            rows[name] += batch.num_rows
            if progress is not None:
                progress(name, rows[name])
            yield batch

    layout_span = periods if format == "parquet" and plan.dataset.output.layout is not None else None
    with usage_errors(f"cannot write into {directory}"):
        str(directory.absolute()).encode()  # not every format can write elsewhere
    with (
        usage_errors(f"cannot write into {directory}"),
        staged_folder(directory, merge=layout_span is not None) as folder,
        format_context as writer,
    ):
        writer.begin(plan, tables, folder)
        for table, batches in zip(tables, streams(folder / _SCRATCH), strict=True):
            row_batches = with_log_lines(table, counted_batches(table.name, batches), folder)
            if layout_span is not None:
                write_by_layout(plan, table, row_batches, folder, *layout_span)
            else:
                writer.write(plan, table, row_batches, folder)
        shutil.rmtree(folder / _SCRATCH, ignore_errors=True)
        writer.end(plan, tables, folder)
        for name, pieces in {CONFIG_FILE: (config_text(plan),), **other_files(rows)}.items():
            with open(folder / name, "wb") as file:
                file.writelines(piece.encode() if isinstance(piece, str) else piece for piece in pieces)
    return rows


def _writer(format: str) -> AbstractContextManager[Format]:
    """Give the format of that name, or that loads into the server of that address."""
    if is_address(format):
        return loading(format)
    if "://" in format:  # whose rest may be a password
        raise UsageError(f"no format is named '{format.partition('://')[0]}://'; of servers there is postgres://...")
    try:
        return nullcontext(FORMATS[format])
    except UnknownMember as unknown:
        raise UsageError(str(unknown)) from None


def config_text(plan: Plan) -> str:
    """Return the config as YAML, with the seed and the scale that are in force."""
    return yaml_text(plan.raw)


def files_in(directory: Path) -> dict[Path, int]:
    """Return the files of a directory that a run has filled, each with a number that changes when it is replaced.

    None of any other directory: what lies there is not ours to look through.
    """
    if not (directory / CONFIG_FILE).is_file():
        return {}
    return {path: path.stat().st_ino for path in directory.rglob("*") if path.is_file()}
