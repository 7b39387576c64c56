"""Logs: the rows of an event as lines of text, by the event's `log_format`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from plotsim_core.arrow import ArrowArray, has_zone, joined
from plotsim_core.columns.decimals import as_floats
from plotsim_core.config.log_line import LogPart, log_parts
from plotsim_core.config.output import Event
from plotsim_core.config.tables import is_number
from plotsim_core.output.format import Batches
from plotsim_core.output.sql import joined_texts
from plotsim_core.output.text_types import plain_batches
from plotsim_core.plan.plan import TablePlan
from plotsim_core.plan.sql import text

if TYPE_CHECKING:
    import duckdb

_MISSING = "-"
_SHORT = {"%F": "%Y-%m-%d", "%T": "%H:%M:%S"}
"""Parts of moments that DuckDB does not know, and what they stand for."""


def log_of(table: TablePlan) -> Event | None:
    """Return the event whose lines a table's rows are written as, None if they are not."""
    spec = table.spec
    return spec if isinstance(spec, Event) and spec.log_format is not None and not table.shown_table else None


def with_log_lines(table: TablePlan, batches: Batches, directory: Path) -> Iterator[pa.RecordBatch]:
    """Yield batches as they are, writing their rows as lines into the event's file below `directory`.

    Moments are ISO, money has its decimals, flags are true or false, unless the line lays them out; a missing value is `-`;
    a line break in a value is a space, so that a row is a line.
    """
    event = log_of(table)
    if event is None or event.log_format is None:
        yield from batches
        return
    import duckdb  # slow to import, and few need it

    parts = log_parts(event.log_format)
    with (directory / event.log_file).open("wb") as file, duckdb.connect() as connection:
        for batch in batches:
            yield batch
            if batch.num_rows:
                file.write(_lines(table, batch, parts, connection))


def _lines(table: TablePlan, batch: pa.RecordBatch, parts: list[LogPart], connection: duckdb.DuckDBPyConnection) -> bytes:
    if all(part.column is None for part in parts):  # the same line for every row
        return ("".join(part.text for part in parts) + "\n").encode() * batch.num_rows
    (rows,) = plain_batches(table, [batch])
    layout_texts = _layout_texts(batch, [part for part in parts if part.layout], connection)
    texts: list[ArrowArray | str] = []
    for part in parts:
        texts.append(part.text)
        if part.column is not None:
            texts.append(layout_texts[part] if part.layout else _text(rows[part.column]))
    lines = joined(*texts, "\n")
    return bytes(joined_texts(lines))


def _text(values: ArrowArray) -> ArrowArray:
    if pa.types.is_timestamp(values.type):
        offset = "%z" if has_zone(values.type) else ""
        texts: ArrowArray = pc.strftime(values, format=f"%Y-%m-%dT%H:%M:%S{offset}")
    else:
        texts = pc.replace_substring_regex(values.cast(pa.string()), "[\r\n]+", " ")
    return texts.fill_null(_MISSING)


def _layout_texts(
    batch: pa.RecordBatch, parts: list[LogPart], connection: duckdb.DuckDBPyConnection
) -> dict[LogPart, ArrowArray]:
    """Return the texts of parts with a layout; DuckDB formats values as Python does."""
    if not parts:
        return {}
    values = [batch[part.column or ""] for part in parts]
    columns = [_layout_values(value) for value in values]
    connection.register("log", pa.Table.from_arrays(columns, names=[f"v{index}" for index in range(len(parts))]))
    expressions = [_layout_sql(f"v{index}", part.layout, columns[index].type) for index, part in enumerate(parts)]
    texts = connection.sql(f"SELECT {', '.join(expressions)} FROM log").to_arrow_table()
    return {part: texts.column(index).combine_chunks().fill_null(_MISSING) for index, part in enumerate(parts)}


def _layout_values(values: ArrowArray) -> ArrowArray:
    """Return values that a layout can format: moments as clocks of their zone show them, numbers unchanged, all else as
    texts."""
    if has_zone(values.type):
        moments: Any = values
        shown: Any = pc.local_timestamp(moments)
        local_moments: ArrowArray = shown
        return local_moments
    if pa.types.is_decimal(values.type):
        return pa.array(as_floats(values), from_pandas=True)
    return values if pa.types.is_temporal(values.type) or is_number(values.type) else _text(values)


def _layout_sql(name: str, layout: str, type_: pa.DataType) -> str:
    """Return the SQL of values as a layout says."""
    if pa.types.is_temporal(type_):
        name = f"DATE '1970-01-01' + {name}" if pa.types.is_time(type_) else name
        for short, long in _SHORT.items():
            layout = layout.replace(short, long)
        return f"strftime({name}, {text(layout)})"
    return f"format({text('{:' + layout + '}')}, {name})"
