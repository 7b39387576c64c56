"""JSON lines: UTF-8, an object per row with a key per column, null where a value is missing, ISO dates and moments (with
their offset where their type has a zone), what is nested as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from plotsim_core.arrow import ArrowArray, fields_of, has_zone
from plotsim_core.output.format import FORMATS, Batches, Format
from plotsim_core.plan.plan import Plan, TablePlan
from plotsim_core.plan.sql import text

_OPTIONS = "FORMAT json, DATEFORMAT '%Y-%m-%d', TIMESTAMPFORMAT '%Y-%m-%dT%H:%M:%S.%f'"


def _write(plan: Plan, table: TablePlan, batches: Batches, directory: Path) -> None:
    import duckdb  # slow to import, and few need it

    with duckdb.connect() as connection:
        schema = pa.schema([field.with_type(_written(field.type)) for field in table.schema])
        rows = (pa.RecordBatch.from_arrays(list(map(_offsets_written, batch.columns)), schema=schema) for batch in batches)
        connection.register("incoming rows", pa.RecordBatchReader.from_batches(schema, rows))
        connection.execute(f'COPY (FROM "incoming rows") TO {text(str(directory / _file(plan, table)))} ({_OPTIONS})')


def _written(type_: pa.DataType) -> pa.DataType:
    """Return a type with texts for moments with a zone, which DuckDB would write without it."""
    if pa.types.is_struct(type_):
        return pa.struct([field.with_type(_written(field.type)) for field in type_])
    if pa.types.is_list(type_):
        return pa.list_(type_.value_field.with_type(_written(type_.value_type)))
    return pa.string() if has_zone(type_) else type_


def _offsets_written(values: ArrowArray) -> ArrowArray:
    """Return values with moments that have a zone as ISO texts with the offset of its clocks."""
    type_ = _written(values.type)
    if type_ == values.type:
        return values
    if isinstance(values, pa.StructArray):
        parts = [_offsets_written(part) for part in values.flatten()]
        return pa.StructArray.from_arrays(parts, fields=fields_of(type_), mask=values.is_null())
    if isinstance(values, pa.ListArray):
        ends = pc.cumulative_sum(values.value_lengths().fill_null(0))
        offsets: Any = pa.concat_arrays([pa.array([0], pa.int32()), ends])
        items = _offsets_written(values.flatten())
        arrays: ArrowArray = pa.ListArray.from_arrays(offsets, items, type=type_, mask=values.is_null())
        return arrays
    texts: ArrowArray = pc.strftime(values, format="%Y-%m-%dT%H:%M:%S%z")
    with_colon: ArrowArray = pc.replace_substring_regex(texts, r"(\d\d)$", r":\1")
    return with_colon


def _file(plan: Plan, table: TablePlan) -> str:
    return f"{table.name}.jsonl"


FORMATS.add("jsonl", Format(_write, _file))
