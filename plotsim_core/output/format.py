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
    """Yield the same rows in batches of exactly `rows` (the last may be shorter): files must not show how they were made.

    What the rows were copied from is let go before they are read. A writer keeps a little of each batch, and that between
    large arrays which live on would split the memory that they leave, so that the process grew with its rows.
    """
    pending: list[pa.RecordBatch] = []
    count = 0
    for batch in batches:
        pending.append(batch)
        count += batch.num_rows
        if count >= rows:
            table = pa.Table.from_batches(pending, schema)
            full_rows = count - count % rows
            pending, count = table.slice(full_rows).to_batches(), count - full_rows
            table = table.slice(0, full_rows).combine_chunks()
            yield from table.to_batches(max_chunksize=rows)
    if count:
        yield from pa.Table.from_batches(pending, schema).combine_chunks().to_batches(max_chunksize=rows)
