"""JSON lines: UTF-8, an object per row with a key per column, null where a value is missing, ISO dates and moments, what
is nested as it is."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from plotsim_core.output.format import FORMATS, Batches, Format
from plotsim_core.plan.plan import Plan, TablePlan
from plotsim_core.plan.sql import text

_OPTIONS = "FORMAT json, DATEFORMAT '%Y-%m-%d', TIMESTAMPFORMAT '%Y-%m-%dT%H:%M:%S.%f'"


def _write(plan: Plan, table: TablePlan, batches: Batches, directory: Path) -> None:
    import duckdb  # slow to import, and few need it

    with duckdb.connect() as connection:
        connection.register("incoming rows", pa.RecordBatchReader.from_batches(table.schema, batches))
        connection.execute(f'COPY (FROM "incoming rows") TO {text(str(directory / _file(plan, table)))} ({_OPTIONS})')


def _file(plan: Plan, table: TablePlan) -> str:
    return f"{table.name}.jsonl"


FORMATS.add("jsonl", Format(_write, _file))
