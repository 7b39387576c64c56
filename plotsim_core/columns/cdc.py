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

from plotsim_core.arrow import ArrowArray
from plotsim_core.columns.recorded_moments import moments
from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import ColumnSource, add_source
from plotsim_core.columns.timestamp import TYPE
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.read_columns import column
from plotsim_core.config.tables import Column, Table
from plotsim_core.plan.plan import ColumnPlan, TablePlan

Moments = NDArray[Any]

_DESCRIPTIONS = {
    "inserted_at": "Moment at which the row was written.",
    "updated_at": "Moment at which the row last changed.",
    "op": "Kind of the last change: I as it was written, U changed since.",
}
_TICK = np.timedelta64(1, "us")


@add_source
class ChangeRecord(ColumnSource):
    """`part` of a change."""

    word = "cdc"
    example = "cdc.updated_at"
    argument = "part"
    is_breakable = False
    needs = frozenset({"period", "metrics"})

    part: Literal["inserted_at", "updated_at", "op"]
    """What of the change it shows."""

    def arrow_type(self, column: Column, dataset: Dataset) -> pa.DataType:
        return pa.string() if self.part == "op" else TYPE

    def describe(self, column: Column, table: Table, dataset: Dataset) -> str:
        return _DESCRIPTIONS[self.part]

    @property
    def change_part(self) -> str:
        return self.part

    def fill(self, column: ColumnPlan, table: TablePlan, rows: Rows) -> ArrowArray:
        if self.part == "op":
            return pa.repeat(pa.scalar("I"), len(rows))
        return pa.array(rows.block.population.grain.local(write_moments(table, rows)), TYPE)


def change_columns(table: Table) -> tuple[Column, ...]:
    """Return the `cdc` columns that a fact lacks."""
    existing_types = {other.type for other in table.columns}
    columns = (column(f"_{part}", f"cdc.{part}") for part in _DESCRIPTIONS)
    return tuple(added for added in columns if added.type not in existing_types)


def write_moments(table: TablePlan, rows: Rows) -> Moments:
    """Return the moment, in UTC, in which each row was written."""
    if len(rows.moment) == len(rows):
        return moments(table, rows)
    return rows.block.population.grain.instants(rows.period + 1) - _TICK
