"""`version.<part>`: the version (SCD2) of a unit's dimension that a row is, or that was valid at the row's time.

Parts: `row_id` (its key), `valid_from` and `valid_to` (a half-open interval of dates, of moments where periods are parts of
a day; null for the current version, which a unit that has left lacks), `is_current`. A dimension with an `scd` column gets
all four, facts and events of the unit the row_id.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from plotsim_core.arrow import ArrowArray, joined
from plotsim_core.columns.cell_values import cell_values
from plotsim_core.columns.foreign_key import history_dimension
from plotsim_core.columns.primary_key import date_keys, unit_keys
from plotsim_core.columns.rows import CURRENT, Rows
from plotsim_core.columns.source import ColumnSource, add_source
from plotsim_core.columns.timestamp import TYPE as TIMESTAMP
from plotsim_core.config.column_source import Origin
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, Table
from plotsim_core.config.words import phrase
from plotsim_core.engine.tiers import band_starts
from plotsim_core.errors import Problem
from plotsim_core.numerics.arrays import Integers
from plotsim_core.plan.plan import ColumnPlan, TablePlan

ROW_ID = "dim_row_id"
_TYPES: dict[str, pa.DataType] = {
    "row_id": pa.string(),
    "valid_from": pa.date32(),
    "valid_to": pa.date32(),
    "is_current": pa.bool_(),
}
_DESCRIPTIONS = {
    "row_id": "Key of the version of the {unit} that was valid at the time.",
    "valid_from": "Date on which the version begins to be valid.",
    "valid_to": "Date on which the next version takes over, or the {unit} has left; null for the current one.",
    "is_current": "Sign that this is how things stand; false for all versions of a {unit} that has left.",
}


@add_source
class Version(ColumnSource):
    """`part` of the version."""

    word = "version"
    example = "version.row_id"
    argument = "part"
    is_breakable = False
    is_drifting = False
    in_wide_tables = False
    needs = frozenset({"unit", "period"})

    part: Literal["row_id", "valid_from", "valid_to", "is_current"]
    """What of the version it shows."""

    def arrow_type(self, column: Column, dataset: Dataset) -> pa.DataType:
        arrow_type = _TYPES[self.part]
        return TIMESTAMP if arrow_type == pa.date32() and dataset.grain.is_part_of_day else arrow_type

    def check(self, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
        unit = scope.unit_dimension
        if unit is not None and unit.history is None:
            yield Problem("type", f"{unit.name} has no scd column, so there are no versions")
        if self.part != "row_id" and table.name != (unit.name if unit else ""):
            yield Problem("type", f"only the {scope.unit} dimension has {self.part}")

    def describe(self, column: Column, table: Table, dataset: Dataset) -> str:
        if self.part == "row_id" and table.history is not None:
            return "Key of the version, which the rows of facts and events name; one for each row."
        return _DESCRIPTIONS[self.part].format(unit=phrase(dataset.unit))

    def is_nullable(self, column: Column, dataset: Dataset) -> bool:
        return self.part == "valid_to"

    def target(self, dataset: Dataset) -> Origin | None:
        dimension = history_dimension(dataset)
        return (dimension[0].name, ROW_ID) if dimension and self.part == "row_id" else None

    def stored_bytes(self, type_: pa.DataType) -> float | None:
        return 1.0 if type_ == pa.string() else None

    @property
    def version_part(self) -> str:
        return self.part

    def fill(self, column: ColumnPlan, table: TablePlan, rows: Rows) -> ArrowArray:
        population = rows.block.population
        if self.part == "row_id":
            unit = pc.cast(unit_keys(rows.block).take(rows.unit), pa.string())
            return joined(unit, pc.cast(pa.array(date_keys(population, _starts(rows))), pa.string()), between="-")
        if self.part == "is_current":
            is_current: ArrowArray = pa.array(rows.version_stop == CURRENT)
            return is_current
        periods = rows.version_first if self.part == "valid_from" else rows.version_stop
        is_current = periods == CURRENT
        starts = population.grain.civil_starts(np.where(is_current, population.first, periods)).astype("datetime64[us]")
        return pa.array(starts, TIMESTAMP, mask=is_current).cast(column.type)


def _starts(rows: Rows) -> Integers:
    """Return the period in which each row's version began."""
    if len(rows.version_first) == len(rows):
        return rows.version_first
    dimension = history_dimension(rows.block.population.dataset)
    assert dimension is not None
    _, history = dimension
    metric = rows.block.population.metric_index(history.tracks)
    return cell_values(rows, lambda block: band_starts(block, metric, history.at))
