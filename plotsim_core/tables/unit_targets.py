"""Rows that come with units, as references draw them: one of those of each row's own unit, by its rank or each as likely.

All rows of the units of a block are made, and dropped ones left out, since a unit has few of them.
"""

from __future__ import annotations

import numpy as np

from plotsim_core.columns.foreign_key import reference_of
from plotsim_core.columns.popularity import popular_indexes
from plotsim_core.columns.row_kind import Targets
from plotsim_core.columns.rows import Rows
from plotsim_core.plan.plan import ColumnPlan, TablePlan
from plotsim_core.tables.kind import table_kind


def targets_of_units(column: ColumnPlan, table: TablePlan, rows: Rows, parent: TablePlan) -> Targets:
    """Return one of the rows of `parent` that come with each row's unit; none where it has none."""
    block, units = rows.block, np.arange(len(rows.block.units), dtype=np.int64)
    unit_rows = block.cached(("rows of units", parent.name), lambda: table_kind(parent).rows_of_units(parent, block, units))
    counts = np.bincount(unit_rows.unit, minlength=len(units))
    starts, count = (np.cumsum(counts) - counts)[rows.unit], counts[rows.unit]
    numbers = popular_indexes(reference_of(column), np.maximum(count, 1), rows.uniforms(table, column))
    return Targets(parent, unit_rows, np.where(count > 0, starts + numbers, -1))
