"""The recorded moments of rows: when events happened, as a system writes it down, in UTC."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from plotsim_core.columns.row_relations import parent_of
from plotsim_core.columns.rows import Rows
from plotsim_core.engine.noised import recorded_offsets
from plotsim_core.numerics.random import key
from plotsim_core.plan.plan import TablePlan


def moments(table: TablePlan, rows: Rows) -> NDArray[np.datetime64]:
    """Return the recorded moments of rows of a table, in UTC: the true moments with temporal jitter, or the starts of the
    periods of rows without moments. A detail row has the moment of its parent row."""
    population = rows.block.population
    if len(rows.moment) != len(rows):
        return population.grain.instants(rows.period)
    if population.dataset.noise.temporal_jitter == 0:
        return rows.moment
    if rows.parent is not None:
        return moments(population.table(parent_of(table) or ""), rows.parent)[rows.owner]
    starts, stops = (population.grain.instants(rows.period + offset).astype(np.int64) for offset in (0, 1))
    elapsed = rows.moment.astype("datetime64[us]").astype(np.int64) - starts
    stream = key(population.seed, "temporal jitter", table.stream)
    result = starts + recorded_offsets(population.dataset.noise, stream, rows.address, elapsed, stops - starts)
    return result.astype("datetime64[us]")
