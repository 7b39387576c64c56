"""`after: previous` with `wait: minutes(exponential(3))` beside a timestamp: the moments of rows that belong to one row, one
after the other.

The first comes a wait after the moment of the row that they belong to, each other one a wait after the one before. The waits
of the rows before a row are drawn again at their own addresses, so that a row is made without them.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from plotsim_core.columns.formula_inputs import row_inputs
from plotsim_core.columns.formula_problems import input_kinds, name_problems, value_problems
from plotsim_core.columns.formula_values import formula_value
from plotsim_core.columns.row_relations import child_rows
from plotsim_core.columns.rows import Rows, sibling_numbers
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.formula import parse_formula
from plotsim_core.config.formula_kinds import kind_of
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, Table
from plotsim_core.errors import Problem
from plotsim_core.numerics.arrays import Floats, Integers
from plotsim_core.plan.plan import ColumnPlan, TablePlan

_LONGEST = 10**16
"""Most microseconds of a wait, about 317 years."""


def check_waits(after: str | None, wait: str | None, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
    """Yield what is wrong with the waits of a column in this place."""
    if after is None and wait is None:
        return
    if wait is None:
        yield Problem("wait", "is missing: how long after the one before", "wait: minutes(exponential(3))")
    elif after is None:
        yield Problem("wait", "has no effect without after: previous")
    elif table.parent_name is None:
        message = f"rows of {table.name} belong to no row that others belong to"
        yield Problem("after", message, "add to another column: = at + minutes(3)")
    else:
        yield from name_problems(wait, "wait", column, table, scope)


def wait_problems(wait: str, table: Table, dataset: Dataset) -> Iterable[Problem]:
    """Yield why a formula over sound columns gives no wait."""
    problems = list(value_problems(wait, "wait", table, dataset))
    yield from problems
    if not problems and kind_of(parse_formula(wait), input_kinds(wait, table, dataset)) != "span":
        yield Problem("wait", "expected a span of time", "say what it counts: seconds(40), minutes(exponential(3))")


def waits_until(wait: str, column: ColumnPlan, table: TablePlan, rows: Rows) -> Floats:
    """Return the microseconds from the moment of the row that each row belongs to until its own: its wait and those of the
    rows before it. A wait below 0 is none; one that is null has no moment after it: NaN."""
    siblings, places = _with_earlier(rows)
    with np.errstate(all="ignore"):
        waits: Floats = formula_value(parse_formula(wait), row_inputs(wait, column, table, siblings))
    is_unknown = np.isnan(waits)
    lengths = np.clip(np.where(is_unknown, 0.0, waits), 0.0, _LONGEST).astype(np.int64)
    unknown_counts = _running(is_unknown.astype(np.int64), siblings)[places]
    return np.where(unknown_counts > 0, np.nan, _running(lengths, siblings)[places].astype(np.float64))


def _with_earlier(rows: Rows) -> tuple[Rows, Integers]:
    """Return rows with all that come before them among those of the same row, in the order of these, and the position of
    each row there."""
    assert rows.parent is not None  # of a table with a parent
    counts = np.zeros(len(rows.parent), dtype=np.int64)
    np.maximum.at(counts, rows.owner, rows.ordinal + 1)
    owners, numbers = sibling_numbers(counts)
    if np.array_equal(owners, rows.owner) and np.array_equal(numbers, rows.ordinal):
        return rows, np.arange(len(rows), dtype=np.int64)
    places = (np.cumsum(counts) - counts)[rows.owner] + rows.ordinal
    return child_rows(rows.parent, owners, numbers), places


def _running(numbers: Integers, rows: Rows) -> Integers:
    """Return the sums of whole numbers over each row and those before it that belong to the same row."""
    sums = np.cumsum(numbers)
    is_first = rows.ordinal == 0
    firsts = np.maximum.accumulate(np.where(is_first, np.arange(len(rows), dtype=np.int64), 0))
    running: Integers = sums - (sums - numbers)[firsts]
    return running
