"""Filter of rows by their references: a row without an earlier row to refer to does not happen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from plotsim_core.columns.earlier_rows import CONDITIONAL_KINDS, KEYED_KINDS
from plotsim_core.columns.foreign_key import Options
from plotsim_core.columns.roads import targets_of
from plotsim_core.columns.rows import Rows
from plotsim_core.plan.plan import ColumnPlan, Population, TablePlan


def is_row_reference(column: ColumnPlan, population: Population) -> bool:
    """Return whether a column refers to rows of a fact or an event."""
    options = column.spec.source
    return isinstance(options, Options) and population.table(options.table).kind in KEYED_KINDS


def rows_with_targets(table: TablePlan, rows: Rows) -> Rows:
    """Return the rows of a table whose references all have a target, in their order."""
    columns = [column for column in table.columns if is_row_reference(column, rows.block.population)]
    if table.kind not in CONDITIONAL_KINDS or not columns:
        return rows
    targets = [targets_of(column, table, rows) for column in columns]
    has_targets = np.all([target.places >= 0 for target in targets], axis=0)
    known = {column.name: (target.rows, target.places) for column, target in zip(columns, targets, strict=True)}
    return replace(rows, targets={**rows.targets, **known}).taken(has_targets)
