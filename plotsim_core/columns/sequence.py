"""`sequence` with `start` and `step`: numbers that rise from row to row of a listed dimension, or from child to child of a
unit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import pyarrow as pa
from pydantic import Field

from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import Source, add_source
from plotsim_core.config.model import Part
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, SourceWords, Table
from plotsim_core.config.words import capitalised, phrase
from plotsim_core.errors import Problem
from plotsim_core.plan.plan import ColumnPlan, TablePlan

_Whole = Annotated[int, Field(ge=-1_000_000_000, le=1_000_000_000, strict=True)]


class Options(Part):
    """`start` is the first number, `step` what is added from one row to the next."""

    start: _Whole = 1
    step: _Whole = 1


def _check(options: Options, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
    if options.step == 0:
        yield Problem("step", "0 has no effect: every row would have the first number", "write static.<number>")


def _fill(column: ColumnPlan, table: TablePlan, rows: Rows) -> pa.Array:
    options = column.spec.source
    assert isinstance(options, Options)
    return pa.array(options.start + options.step * rows.ordinal)


add_source(
    "sequence",
    SourceWords(
        options=Options,
        arrow=lambda options, column, dataset: pa.int64(),
        example="sequence",
        needs=frozenset({"number"}),
        check=_check,
        describe=lambda options, column, table, dataset: (
            f"{capitalised(phrase(column.name))}, counted from {options.start} in steps of {options.step}."
        ),
    ),
    Source(_fill),
)
