"""What a table kind is: how a slice is cut for it, and which rows a block of it has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pyarrow as pa

from plotsim_core.columns.row_relations import ROWS
from plotsim_core.columns.rows import Rows
from plotsim_core.config.tables import KIND_WORDS, KindWords
from plotsim_core.engine.block import Block
from plotsim_core.engine.slice import Slice
from plotsim_core.errors import UsageError
from plotsim_core.families import Family
from plotsim_core.numerics.random import Floats
from plotsim_core.plan.plan import Plan, Population, TablePlan
from plotsim_core.tables.estimate_sample import Sample


@dataclass(frozen=True)
class Kind:
    """`cut(population, slice)` gives the blocks in the order of the rows; `rows(table, block)` the rows of one.
    `expect(table, sample)` estimates the rows of each of the sample's periods, shape (periods,): how many there are, or
    of a state, how many there are at the end of the period.

    A kind is a `state` if what it holds is as of the end of the slice, whatever the slice's first period. A kind whose rows
    are made of those of other tables has `batches(plan, table, slice)` instead of rows, and fills its columns itself. Of
    a kind that is `sampled`, only making rows tells how many there are: some are counted for estimates.
    """

    cut: Callable[[Population, Slice], Iterator[Slice]]
    rows: Callable[[TablePlan, Block], Rows]
    expect: Callable[[TablePlan, Sample], Floats]
    state: bool
    batches: Callable[[Plan, TablePlan, Slice], Iterator[pa.RecordBatch]] | None = None
    sampled: bool = False


KINDS: Family[Kind] = Family("table kind")


def add_kind(name: str, words: KindWords, kind: Kind) -> None:
    """Make a kind known: its words to the language, its work to `build`."""
    KIND_WORDS.add(name, words)
    KINDS.add(name, kind)
    ROWS.add(name, kind.rows)


def derived_kind(
    batches: Callable[[Plan, TablePlan, Slice], Iterator[pa.RecordBatch]],
    expect: Callable[[TablePlan, Sample], Floats],
    state: bool,
) -> Kind:
    """Return a kind whose rows are made of those of other tables, all of a slice by `batches`."""
    return Kind(lambda population, slice_: iter((slice_,)), _no_rows, expect, state, batches)


def _no_rows(table: TablePlan, block: Block) -> Rows:
    raise UsageError(f"{table.name} is made of the rows of other tables: ask for those")


def column_types(raw: object) -> list[str]:
    """Return the types of the columns of a table as written, as far as they can be read."""
    columns = raw.get("columns") if isinstance(raw, dict) else None
    items = columns if isinstance(columns, list | tuple) else []
    return [str(item.get("type")) for item in items if isinstance(item, dict)]
