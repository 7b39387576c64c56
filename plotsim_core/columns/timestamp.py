"""`timestamp`: when an event happened, as it is recorded; the beginning of the period for other rows."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from plotsim_core.arrow import ArrowArray
from plotsim_core.columns.row_relations import parent_of
from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import ColumnSource, add_source
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.tables import Column, Table, row_noun
from plotsim_core.config.words import phrase
from plotsim_core.engine.noised import recorded_offsets
from plotsim_core.numerics.random import key
from plotsim_core.plan.plan import ColumnPlan, TablePlan

TYPE = pa.timestamp("us")


def moments(table: TablePlan, rows: Rows) -> NDArray[np.datetime64]:
    """Return the recorded moments of rows of a table: the true moments with temporal jitter, or the starts of the periods of
    rows without moments. A detail row has the moment of its parent row."""
    population = rows.block.population
    if len(rows.moment) != len(rows):
        return population.grain.starts(rows.period).astype("datetime64[us]")
    if population.dataset.noise.temporal_jitter == 0:
        return rows.moment
    if rows.parent is not None:
        return moments(population.table(parent_of(table) or ""), rows.parent)[rows.owner]
    starts, stops = (
        population.grain.starts(rows.period + offset).astype("datetime64[us]").astype(np.int64) for offset in (0, 1)
    )
    elapsed = rows.moment.astype("datetime64[us]").astype(np.int64) - starts
    stream = key(population.seed, "temporal jitter", table.stream)
    result = starts + recorded_offsets(population.dataset.noise, stream, rows.address, elapsed, stops - starts)
    return result.astype("datetime64[us]")


@add_source
class Timestamp(ColumnSource):
    """`timestamp`: when an event happened, as it is recorded; the beginning of the period for other rows."""

    word = "timestamp"
    example = "timestamp"
    needs = frozenset({"period"})
    is_moment = True
    in_structs = True

    def arrow_type(self, column: Column, dataset: Dataset) -> pa.DataType:
        return TYPE

    def describe(self, column: Column, table: Table, dataset: Dataset) -> str:
        if table.comes_with_units:
            return f"Start of the {dataset.grain.noun} in which the {phrase(dataset.unit)} arrived."
        return f"Moment of the {row_noun(table)}."

    def fill(self, column: ColumnPlan, table: TablePlan, rows: Rows) -> ArrowArray:
        return pa.array(moments(table, rows), TYPE)
