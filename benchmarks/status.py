"""What a look at a store costs: the CPU seconds of `plotsim status` for ten years of days, in each kind of store.

    python -m benchmarks.status [--rows 100000000] [--directory DIR]

writes benchmarks/status.md. The stores are filled with rows of the right shape through the stores' own `write`, since making
them by the generator would take longer than looking at them and say nothing more.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

from plotsim_core import Plan, from_mapping
from plotsim_core.arrow import ArrowArray
from plotsim_pipeline.commands.status import statuses, stored_schemas
from plotsim_pipeline.partitions import end_of, window_keys
from plotsim_pipeline.sensors.reconcile import REPORT_TIME
from plotsim_pipeline.stores import STORES
from plotsim_pipeline.stores.placement import Placement
from plotsim_pipeline.stores.store import Store

PAGE = Path(__file__).with_suffix(".md")
CONFIG = {
    "about": "Ten years of days",
    "unit": "shop",
    "window": {"start": "2014-01-01", "end": "2023-12-29", "every": "day"},
    "metrics": [
        {"name": "visits", "type": "count", "polarity": "positive"},
        {"name": "sales", "type": "amount", "polarity": "positive", "range": [1, 900]},
    ],
    "segments": [{"name": "all", "count": 100, "archetype": "growth"}],
}
_BATCH = 1 << 20


def filled(plan: Plan, store: Store, rows: int) -> int:
    """Fill a store with all partitions of a dataset, `rows` in the facts together; return how many rows there are."""
    keys = window_keys(plan, datetime.now(UTC))
    end = end_of(plan, keys[-1])
    edges = [int(day[:10].replace("-", "")) for day in (*keys, end)]
    facts = [table for table in plan.tables if table.spec.is_per_cell]
    total = 0
    for name, (time_column, schema) in stored_schemas(plan).items():
        each = rows // len(facts) // len(keys) if name in {fact.name for fact in facts} else 1
        where = Placement(plan.name, name, time_column, (), tuple(keys), tuple(edges), end)
        batches = _rows(schema, time_column, np.array(edges[:-1]), each)
        total += sum(store.write(where, pa.RecordBatchReader.from_batches(schema, batches)).values())
    return total


def _rows(schema: pa.Schema, time_column: str | None, days: np.ndarray, each: int) -> Iterator[pa.RecordBatch]:
    """Yield `each` rows of each day, in the order of days; of a state one row for each day."""
    for some in np.array_split(days, max(1, len(days) * each // _BATCH)):
        times = np.repeat(some, each)
        columns = []
        for field in schema:
            numbers = pa.array(times if field.name == (time_column or REPORT_TIME) else np.arange(len(times)) % 997)
            columns.append(_cast(numbers, field.type))
        yield pa.RecordBatch.from_arrays(columns, schema=schema)


def _cast(numbers: ArrowArray, type_: pa.DataType) -> ArrowArray:
    """Return numbers as values of a type."""
    if pa.types.is_dictionary(type_):
        return _cast(numbers, type_.value_type).dictionary_encode().cast(type_)
    if pa.types.is_boolean(type_):
        is_even: ArrowArray = pa.array(numbers.to_numpy() & 1 == 0)
        return is_even
    return numbers.cast(pa.int32() if type_ == pa.date32() else type_).cast(type_)


def seconds(plan: Plan, store: Store, keys: list[str]) -> float:
    """Return the CPU seconds of one look, as `plotsim status` takes it."""
    begin = time.process_time()
    tables = statuses(plan, store, keys)
    spent = time.process_time() - begin
    assert all(not table.missing for table in tables), [table.table for table in tables if table.missing]
    return spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000_000)
    parser.add_argument("--directory", type=Path)
    options = parser.parse_args()
    directory = Path(tempfile.mkdtemp(dir=options.directory))
    plan = from_mapping(CONFIG, name="ten_years")
    keys = window_keys(plan, datetime.now(UTC))
    lines = []
    for kind in STORES:
        store = STORES[kind](path=str(directory / ("store.duckdb" if kind == "duckdb" else kind)))
        rows = filled(plan, store, options.rows)
        first, *further = (seconds(plan, store, keys) for _ in range(4))
        files = sum(len(names) for _, _, names in os.walk(directory / kind)) or 1
        lines.append(f"| {kind} | {len(keys):,} | {rows:,} | {files:,} | {first:.2f} | {min(further):.2f} |")
        print(lines[-1], flush=True)
        shutil.rmtree(directory / kind, ignore_errors=True)
    shutil.rmtree(directory)
    head = "| store | partitions | rows in all | files | first look, CPU s | further looks, CPU s |"
    PAGE.write_text(
        "\n".join([_INTRODUCTION, head, "| --- | ---: | ---: | ---: | ---: | ---: |", *lines, ""]), encoding="utf-8"
    )


_INTRODUCTION = """# What a look at a store costs

`python -m benchmarks.status` wrote this page. It fills each kind of store with ten years of daily partitions and measures
the CPU time of what `plotsim status` asks of it: which partitions are made. DuckDB counts the rows of each table by day, in
one query a table. Parquet and Delta list the files with their sizes and times; what is in a Parquet file its writer has put
into an index, and files that it does not know are opened once. The time is that of the process on all cores, without the
start of Python and the load of the config.
"""

if __name__ == "__main__":
    main()
