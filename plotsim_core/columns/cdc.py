"""`cdc.<part>`: change data capture: the moment a row was written (`inserted_at`), the moment of its last change
(`updated_at`) and the kind of that change (`op`).

A fact with `cdc: true` gets all three, as `_inserted_at`, `_updated_at` and `_op`. A row is written at its recorded
moment, a row of a whole period at the last moment of that period; its change is an insert (I). Later corrections of rows
(`quality`) write their own values.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import Source, add_source
from plotsim_core.columns.timestamp import TYPE, moments
from plotsim_core.config.model import Part
from plotsim_core.config.tables import Column, SourceWords, Table
from plotsim_core.plan.plan import ColumnPlan, TablePlan

Moments = NDArray[Any]

_DESCRIPTIONS = {
    "inserted_at": "Moment at which the row was written.",
    "updated_at": "Moment at which the row last changed.",
    "op": "Kind of the last change: I as it was written, U changed since.",
}
_TICK = np.timedelta64(1, "us")


class Options(Part):
    """`part` of a change."""

    part: Literal["inserted_at", "updated_at", "op"]


def change_columns(table: Table) -> tuple[Column, ...]:
    """Return the `cdc` columns that a fact lacks."""
    existing_types = {other.type for other in table.columns}
    columns = (
        Column(name=f"_{part}", type=f"cdc.{part}", source=Options.model_validate({"part": part})) for part in _DESCRIPTIONS
    )
    return tuple(column for column in columns if column.type not in existing_types)


def write_moments(table: TablePlan, rows: Rows) -> Moments:
    """Return the moment in which each row was written."""
    if len(rows.moment) == len(rows):
        return moments(table, rows)
    return rows.block.population.grain.starts(rows.period + 1).astype("datetime64[us]") - _TICK


def _fill(column: ColumnPlan, table: TablePlan, rows: Rows) -> pa.Array:
    options = column.spec.source
    assert isinstance(options, Options)
    if options.part == "op":
        return pa.repeat(pa.scalar("I"), len(rows))
    return pa.array(write_moments(table, rows), TYPE)


add_source(
    "cdc",
    SourceWords(
        options=Options,
        arrow=lambda options, column, dataset: pa.string() if options.part == "op" else TYPE,
        example="cdc.updated_at",
        argument="part",
        needs=frozenset({"period", "metrics"}),
        describe=lambda options, column, table, dataset: _DESCRIPTIONS[options.part],
    ),
    Source(_fill),
)
