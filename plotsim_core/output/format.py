"""What an output format is: a function that writes one run's tables into an empty directory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from plotsim_core.families import Family
from plotsim_core.plan.plan import Plan, TablePlan

Batches = Iterable[pa.RecordBatch]
Progress = Callable[[str, int], None]
"""Called with (table, rows so far) as writing goes on, the first time with 0 rows."""


def _nothing(plan: Plan, tables: Sequence[TablePlan], directory: Path) -> None:
    return None


@dataclass(frozen=True)
class Format:
    """`write(plan, table, batches, directory)` writes one table. `file(plan, table)` is the name of the file (or folder) it
    goes to. `begin` and `end`, (plan, all tables of the run, directory), come before the first and after the last."""

    write: Callable[[Plan, TablePlan, Batches, Path], None]
    file: Callable[[Plan, TablePlan], str]
    begin: Callable[[Plan, Sequence[TablePlan], Path], None] = _nothing
    end: Callable[[Plan, Sequence[TablePlan], Path], None] = _nothing


FORMATS: Family[Format] = Family("format")


def rechunked(batches: Batches, schema: pa.Schema, rows: int) -> Iterator[pa.RecordBatch]:
    """Yield the same rows in batches of exactly `rows` (the last may be shorter): files must not show how they were made."""
    held: list[pa.RecordBatch] = []
    count = 0
    for batch in batches:
        held.append(batch)
        count += batch.num_rows
        if count >= rows:
            table = pa.Table.from_batches(held, schema)
            whole = count - count % rows
            yield from table.slice(0, whole).combine_chunks().to_batches(max_chunksize=rows)
            held, count = table.slice(whole).to_batches(), count - whole
    if count:
        yield from pa.Table.from_batches(held, schema).combine_chunks().to_batches(max_chunksize=rows)
