"""Filter of rows by their references: a row without an earlier row to refer to does not happen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from plotsim_core.columns.roads import targets_before_nulls
from plotsim_core.columns.rows import Rows
from plotsim_core.plan.plan import ColumnPlan, Population, TablePlan


def is_row_reference(column: ColumnPlan, population: Population) -> bool:
    """Return whether a column refers to rows of a fact or an event."""
    name = column.spec.source.target_name
    return name is not None and population.table(name).spec.has_keyed_rows


def rows_with_targets(table: TablePlan, rows: Rows) -> Rows:
    """Return the rows of a table whose references all have a target, in their order."""
    columns = [column for column in table.all_columns if is_row_reference(column, rows.block.population)]
    if not table.spec.is_driven or not columns:
        return rows
    targets = [targets_before_nulls(column, table, rows) for column in columns]
    has_targets = np.all([target.positions >= 0 for target in targets], axis=0)
    known = {column.name: (target.rows, target.positions) for column, target in zip(columns, targets, strict=True)}
    return replace(rows, targets={**rows.targets, **known}).take(has_targets)
