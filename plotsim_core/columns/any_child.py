"""References to what comes with units, their children and what belongs to these, of any unit and not the row's own alone:
of its own kind with `of: any`, or of another kind. A comment is on somebody else's post with `of: others`.

All that come with the units that are there in the row's period are as likely. They run a race for each reference, so those
of units that are new take some and move none.
"""

from __future__ import annotations

from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray

from plotsim_core.columns.row_kind import Targets, row_kind
from plotsim_core.columns.rows import Rows
from plotsim_core.config.column_source import Owners
from plotsim_core.engine.foreign_units import all_units, last_periods
from plotsim_core.engine.race import Field, race_field, winners
from plotsim_core.numerics.arrays import Integers
from plotsim_core.plan.plan import ColumnPlan, Population, TablePlan


def any_child(column: ColumnPlan, table: TablePlan, rows: Rows, parent: TablePlan, of: Owners) -> Targets:
    """Return a child of any unit for each row, or of any but its own; none where there is none in its period."""
    block = rows.block
    children, runners = _children(block.population.population_of(parent), parent.name, block.slice.stop)

    def is_of_others(positions: Integers, indexes: Integers) -> NDArray[np.bool_]:
        own_places = block.units.place[rows.unit[positions]]
        is_other: NDArray[np.bool_] = children.unit[indexes] != own_places
        return is_other

    streams = partial(rows.stream, table, column)
    child = winners(runners, streams, rows.address, rows.period, is_of_others if of == "others" else None)
    index, positions = np.unique(child, return_inverse=True)
    if len(index) and index[0] < 0:
        index, positions = index[1:], positions - 1
    return Targets(parent, children.take(index), positions)


@lru_cache(maxsize=8)
def _children(population: Population, name: str, stop: int) -> tuple[Rows, Field]:
    """Return the children of all units that may arrive before `stop`, and the same as runners."""
    block, table = all_units(population, stop), population.table(name)
    units, last_period = block.units, last_periods(population, stop)
    rows = row_kind(table).rows_of_units(table, block, np.arange(len(units), dtype=np.int64))
    counts = np.bincount(rows.unit, minlength=len(units))
    arrivals, ends = units.arrival[rows.unit], last_period[rows.unit]
    return rows, race_field(population, counts, np.ones(len(rows)), rows.address, arrivals, ends)
