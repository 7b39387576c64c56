"""Which row of a listed dimension each row refers to: one before it where the table is its own, one that is valid at the
time, one that matches, or any, evenly or by popularity; of siblings each another one, where they are `distinct`."""

from __future__ import annotations

import numpy as np

from plotsim_core.columns.choice import weighted_indexes
from plotsim_core.columns.distinct import distinct_popular, distinct_positions
from plotsim_core.columns.during import valid_positions
from plotsim_core.columns.foreign_key import reference_of
from plotsim_core.columns.matching import matching_rows
from plotsim_core.columns.popularity import row_weights
from plotsim_core.columns.rows import Rows
from plotsim_core.columns.self_reference import lower_numbers
from plotsim_core.numerics.arrays import Integers
from plotsim_core.plan.plan import ColumnPlan, TablePlan


def listed_positions(column: ColumnPlan, table: TablePlan, rows: Rows, parent: TablePlan) -> Integers:
    """Return the number of the row of a listed dimension that each row refers to; -1 where there is none."""
    options = reference_of(column)
    if parent.name == table.stream:
        return lower_numbers(column, table, rows, options.root_count)
    if options.during is not None:
        return valid_positions(options.during, parent, rows, rows.uniforms(table, column))
    if options.matching is not None:
        order, starts, counts = matching_rows(options.matching, table, rows, parent)
        is_matched = counts > 0
        offsets = np.zeros(len(rows), dtype=np.int64)
        if options.distinct:
            is_matched &= rows.ordinal < counts
            matched = rows.take(is_matched)
            offsets[is_matched] = distinct_positions(matched, counts[is_matched], rows.stream(table, column))
        elif int(counts.max(initial=1)) > 1:
            offsets = rows.choose(table, column, counts)
        result = np.full(len(rows), -1, dtype=np.int64)
        result[is_matched] = order[starts[is_matched] + offsets[is_matched]]
        return result
    weights = row_weights(options, rows.block.population, parent)
    if options.distinct and weights is not None:
        return distinct_popular(rows, weights, rows.stream(table, column))
    if options.distinct:
        return distinct_positions(rows, parent.spec.length, rows.stream(table, column))
    uniforms = rows.uniforms(table, column)
    if weights is not None:
        return weighted_indexes(uniforms, weights)
    return (uniforms * parent.spec.length).astype(np.int64)
