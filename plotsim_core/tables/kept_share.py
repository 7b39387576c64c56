"""The share of rows that a table keeps (`where`), where others draw which of them they refer to.

A draw is made again while it meets a row that is dropped, so too few must not be kept. The share is that of the first rows:
more rows, or a later end, say nothing else of a table.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from plotsim_core.columns.foreign_key import belongs_to
from plotsim_core.columns.kept_rows import is_kept
from plotsim_core.columns.row_relations import rows_of_parents
from plotsim_core.engine.block import Block
from plotsim_core.engine.slice import Slice
from plotsim_core.errors import Problem
from plotsim_core.plan.plan import Population, TablePlan
from plotsim_core.tables.drawn_rows import lineage
from plotsim_core.tables.kind import table_kind
from plotsim_core.tables.plain_child import rows_per_root

_LEAST = 1 / 16
"""The least share of rows that a table keeps if others draw from them."""
_SAMPLED = 4096
"""Rows that tell the share, about."""


def kept_problems(population: Population) -> Iterator[tuple[str, Problem]]:
    """Yield the tables that keep too few rows for others to draw from them, or from what belongs to them, each with the
    problem."""
    dataset = population.dataset
    for table in population.tables:
        filtered = [step for step in lineage(population, table) if step.spec.filter is not None]
        if table.spec.has_unit_rows or not filtered:
            continue
        tables = (other for other in dataset.all_tables if other.references_to(table.name))
        referring = next((other for other in tables if not belongs_to(table.name, other, dataset)), None)
        if referring is None:
            continue
        share = _kept_share(population, table)
        if share < _LEAST:
            message = f"{100 * share:.1f} % of the rows of {table.name} are kept, too few for {referring.name} to draw from"
            yield filtered[-1].name, Problem("where", message, "keep at least one in 16, or refer to what they belong to")


def _kept_share(population: Population, table: TablePlan) -> float:
    """Return which share of the first rows of a table is kept, and what they belong to; 1 if there are none."""
    root, *path = lineage(population, table)
    per_root = max(1.0, rows_per_root(population, table.name))
    count = min(max(1, round(_SAMPLED / per_root)), root.spec.rows_per_span or root.spec.length)
    block = Block(population, Slice(population.first, population.first + population.span, 0, 0))
    rows = table_kind(root).numbered_rows(root, block, np.arange(count, dtype=np.int64))
    is_there = is_kept(root, rows)
    for step in path:
        rows = rows_of_parents(step, rows)
        is_there = is_there[rows.owner] & is_kept(step, rows)
    return float(is_there.mean()) if len(rows) else 1.0
