"""Logs: the rows of an event as lines of text, by the event's `log_format`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from plotsim_core.config.output import Event, log_parts
from plotsim_core.output.format import Batches
from plotsim_core.output.plain import plain
from plotsim_core.plan.plan import TablePlan

_MISSING = "-"


def log_of(table: TablePlan) -> Event | None:
    """Return the event whose lines a table's rows are written as, None if they are not."""
    spec = table.spec
    return spec if isinstance(spec, Event) and spec.log_format is not None and not table.of else None


def logged(table: TablePlan, batches: Batches, directory: Path) -> Iterator[pa.RecordBatch]:
    """Yield batches as they are, writing their rows as lines into the event's file below `directory`.

    Moments are ISO, money has its decimals, flags are true or false, a missing value is `-`; a line break in a value is a
    space, so that a row is a line.
    """
    event = log_of(table)
    if event is None or event.log_format is None:
        yield from batches
        return
    parts = log_parts(event.log_format)
    with (directory / event.log_file).open("wb") as file:
        for batch in batches:
            yield batch
            if batch.num_rows:
                file.write(_lines(table, batch, parts))


def _lines(table: TablePlan, batch: pa.RecordBatch, parts: list[tuple[str, str | None]]) -> bytes:
    (rows,) = plain(table, [batch])
    texts: list[pa.Array | str] = []
    for literal, column in parts:
        texts.append(literal)
        if column is not None:
            texts.append(_text(rows[column]))
    if not any(column for _, column in parts):  # the same line for every row
        return ("".join(literal for literal, _ in parts) + "\n").encode() * batch.num_rows
    lines = pc.binary_join_element_wise(*texts, "\n", "")
    every = pa.ListArray.from_arrays(pa.array([0, len(lines)], pa.int32()), lines)
    return bytes(pc.binary_join(every, "")[0].as_buffer())


def _text(values: pa.Array) -> pa.Array:
    if pa.types.is_timestamp(values.type):
        texts = pc.strftime(values, format="%Y-%m-%dT%H:%M:%S")
    else:
        texts = pc.replace_substring_regex(values.cast(pa.string()), "[\r\n]+", " ")
    return pc.fill_null(texts, _MISSING)
