"""The check of labels: as many are true as their odds give.

What is expected is the mean chance of rows that are made anew, of the units that there are and the periods that are stored.
The allowed deviation is made of what chance does to the labels, and of the errors of this sample and of the one that the
intercept was solved on.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from plotsim_core.columns.label import Label, solved
from plotsim_core.plan.plan import ColumnPlan, Population, TablePlan
from plotsim_core.plan.sql import quoted
from plotsim_core.tables.label_solver import label_chances
from plotsim_core.validation.check import CHECKS, NO_TABLES, Check, Finding, unjudged
from plotsim_core.validation.store import StoredData

_DEVIATIONS = 3.0
"""Standard deviations by which a rate may lie beside the expected one."""
_LEAST = 10.0
"""Labels that must be expected to be true, and not true, to judge their rate."""


def _labels(table: TablePlan) -> list[ColumnPlan]:
    """Return the labels of a table that are stored as truths and are null by chance at most, in rows that are not chosen by
    them."""
    labels = [column for column in table.columns if isinstance(column.spec.source, Label) and not table.shown_table]
    plain_labels = [column for column in labels if column.spec.as_type is None and not _is_nulled_by_row(column)]
    return [column for column in plain_labels if not _decides_rows(table, column)]


def _is_nulled_by_row(column: ColumnPlan) -> bool:
    return column.spec.nulls is not None and column.spec.nulls.where is not None


def _decides_rows(table: TablePlan, column: ColumnPlan) -> bool:
    pending, visited = [name for _, name in table.spec.row_origins()], set[str]()
    while pending:
        name = pending.pop()
        if name not in visited:
            visited.add(name)
            readers = (other for other in table.spec.columns if other.name == name)
            pending += [read for other in readers for owner, read in other.depends_on(table.spec) if owner == table.name]
    return column.name in visited


def _label_tables(population: Population, table: TablePlan) -> frozenset[str] | None:
    return NO_TABLES if _labels(table) else None


def _rates(store: StoredData, table: TablePlan) -> Iterator[Finding]:
    for column in _labels(table):
        subject, name = f"{table.name}.{column.name}", quoted(column.name)
        sql = f"SELECT count({name}), count(*) FILTER (WHERE {name}) FROM {store.relation(table)}"
        ((rows, hits),) = store.connection.sql(sql).fetchall()
        yield _finding(store, table, column, subject, rows, hits)


def _finding(store: StoredData, table: TablePlan, column: ColumnPlan, subject: str, rows: int, hits: int) -> Finding:
    source = column.spec.source
    assert isinstance(source, Label)
    sample = label_chances(store.population, table, column, store.first, store.stop) if rows else None
    if sample is None:
        return unjudged(subject, "no row has a label")
    expected, share = sample.mean, hits / rows
    chance_variance = float(np.sum(sample.weights * sample.values * (1.0 - sample.values)) / np.sum(sample.weights)) / rows
    if table.spec.history is not None:  # versions of a unit share its draw
        counts = np.unique(sample.clusters, return_counts=True)[1]
        chance_variance *= float(np.sum(counts**2) / np.sum(counts))
    allowed = _DEVIATIONS * math.sqrt(chance_variance + sample.error**2 + solved(column).error ** 2)
    numbers = {"declared": source.rate, "expected": expected, "found": share, "allowed": allowed, "rows": float(rows)}
    message = f"{hits:,} of {rows:,} are true, {share:.4f}; {expected:.4f} expected of these rows, {source.rate:g} declared"
    if min(expected, 1.0 - expected) * rows < _LEAST:
        return unjudged(subject, f"too few rows: {message}", numbers)
    return Finding(subject, abs(share - expected) <= allowed, message, numbers)


CHECKS.add(
    "labels_follow_odds",
    Check("values", "As many labels are true as their odds give.", False, _rates, _label_tables),
)
