"""The check of funnels: each step is taken by the share of those who reached the one before that is declared.

Where columns of the parents say shares, what is expected is that of parents that are made anew, of the units that there are
and the periods that are stored. The allowed deviation is three standard deviations of a share of so many and of that sample.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from plotsim_core.columns.step import Step
from plotsim_core.columns.step_chances import chances_of
from plotsim_core.config.row_count import RowCount
from plotsim_core.numerics.arrays import Floats
from plotsim_core.numerics.log_odds import clustered_error
from plotsim_core.plan.plan import ColumnPlan, Population, TablePlan
from plotsim_core.plan.sql import quoted
from plotsim_core.tables.row_sample import clusters_of, sampled_rows
from plotsim_core.validation.check import CHECKS, NO_TABLES, Check, Finding, unjudged
from plotsim_core.validation.store import StoredData

_DEVIATIONS = 3.0
"""Standard deviations by which a share may lie beside the expected one."""
_LEAST = 10.0
"""Parents that must be expected to take a step, and not to take it, to judge its share."""


@dataclass(frozen=True)
class _Expected:
    """The share of those who reached the step before that takes a step, and its standard error."""

    share: float
    error: float


def _step_column(table: TablePlan) -> ColumnPlan | None:
    """Return the column with the names of steps, of a table that stores each of its steps under its name."""
    columns = [column for column in table.columns if isinstance(column.spec.source, Step)]
    is_whole = table.spec.filter is None and not table.shown_table
    return next((c for c in columns if is_whole and c.spec.nulls is None and c.spec.as_type is None), None)


def _takers(population: Population, table: TablePlan) -> TablePlan:
    """Return the table whose rows take the steps."""
    name = table.spec.parent_name
    return population.dimension if name is None else population.table(name)


def _is_countable(population: Population, table: TablePlan) -> bool:
    """Return whether the stored rows of the takers are those who may take the first step, each once."""
    takers = _takers(population, table)
    return takers.spec.history is None and not table.issues and not takers.issues


def _funnel_tables(population: Population, table: TablePlan) -> frozenset[str] | None:
    if _step_column(table) is None:
        return None
    return frozenset({_takers(population, table).name}) if _has_open_entry(table) else NO_TABLES


def _has_open_entry(table: TablePlan) -> bool:
    """Return whether not all take the first step."""
    count = table.spec.row_count
    return count is not None and count.bounds[0] == 0


def _shares(store: StoredData, table: TablePlan) -> Iterator[Finding]:
    column, count = _step_column(table), table.spec.row_count
    assert column is not None  # of a table that is judged
    assert count is not None
    name = quoted(column.name)
    sql = f"SELECT {name}, count(*) FROM {store.relation(table)} GROUP BY {name}"
    reached = dict(store.connection.sql(sql).fetchall())
    takers = _takers(store.population, table)
    before = None
    if _has_open_entry(table) and _is_countable(store.population, table) and takers.name in store.relations:
        ((before,),) = store.connection.sql(f"SELECT count(*) FROM {store.relation(takers)}").fetchall()
    expected = _expected_shares(store, count, takers)
    for step in count.step_names:
        subject, takes = f"{table.name}.{step}", reached.get(step, 0)
        if step not in expected:
            yield unjudged(subject, f"no row of {takers.name} may reach it")
        elif expected[step].share < 1 and before is not None:
            yield _finding(subject, expected[step], takes, before)
        before = takes


def _expected_shares(store: StoredData, count: RowCount, takers: TablePlan) -> dict[str, _Expected]:
    """Return what is expected of each step that anybody may reach."""
    if not count.chance_columns:
        return {step: _Expected(float(np.max(share)), 0.0) for step, share in count.shares({})}
    parts = [
        (np.full(len(rows), weight), clusters_of(rows), list(count.shares(chances_of(count, takers, rows))))
        for weight, rows in sampled_rows(store.population, takers, store.first, store.stop)
    ]
    if not parts:
        return {}
    weights, clusters = (np.concatenate([part[place] for part in parts]) for place in (0, 1))
    expected: dict[str, _Expected] = {}
    reaching: Floats = np.ones(len(weights))
    for place, step in enumerate(count.step_names):
        shares = np.concatenate([np.broadcast_to(part[2][place][1], len(part[0])) for part in parts])
        reaching_before, reaching = reaching, reaching * shares
        mean_before = float(np.sum(weights * reaching_before) / np.sum(weights))
        if mean_before > 0:
            share = float(np.sum(weights * reaching) / np.sum(weights)) / mean_before
            deviations = reaching - share * reaching_before
            expected[step] = _Expected(share, clustered_error(deviations, weights, clusters) / mean_before)
    return expected


def _finding(subject: str, expected: _Expected, takes: int, before: int) -> Finding:
    numbers = {"expected": expected.share, "rows": float(before)}
    if min(expected.share, 1.0 - expected.share) * before < _LEAST:
        return unjudged(subject, f"too few reached the step before: {before:,}", numbers)
    share = takes / before
    variance = expected.share * (1.0 - expected.share) / before
    allowed = _DEVIATIONS * math.sqrt(variance + expected.error**2)
    message = f"{takes:,} of {before:,} took it, {share:.4f}; {expected.share:.4f} expected"
    return Finding(subject, abs(share - expected.share) <= allowed, message, {**numbers, "found": share, "allowed": allowed})


CHECKS.add(
    "steps_as_declared",
    Check("values", "Steps of funnels are taken by the declared shares.", False, _shares, _funnel_tables),
)
