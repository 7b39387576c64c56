"""Checks of values: nulls and ranges."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow.compute as pc

from plotsim_core.config.effects import missing_on, noise_of, null_rate
from plotsim_core.plan.plan import ColumnPlan, Plan, TablePlan
from plotsim_core.validation.check import CHECKS, NO_TABLES, Check, Finding
from plotsim_core.validation.scan import bounds_of, counted, scanned
from plotsim_core.validation.store import Store

_DEVIATIONS = 4.5
"""How many standard deviations a null count may lie from its rate: 1 of 150 000 columns does by chance."""
_UNTOLD = "not judged: the ledger does not tell it of rows that were dropped"


def _with_declared_nulls(plan: Plan, table: TablePlan) -> frozenset[str] | None:
    return NO_TABLES if any(not column.nullable or _has_rate(table, column) for column in table.columns) else None


def _has_rate(table: TablePlan, column: ColumnPlan) -> bool:
    """Return whether a column's share of nulls is declared: elsewhere a metric's value stands in many rows, or in none."""
    return column.spec.word == "metric" and table.kind == "fact"


def _nulls(store: Store, table: TablePlan) -> Iterator[Finding]:
    scan, untold = scanned(store, table), _untold(store, table)
    for place, column in enumerate(table.columns):
        if column.name in untold:
            yield Finding(f"{table.name}.{column.name}", True, _UNTOLD)
            continue
        nulls = pc.subtract(scan["rows"], scan[f"there {place}"])
        count = counted(scan, f"{table.name}.{column.name}", "rows are null", scan["rows"], nulls)
        if not column.nullable:
            yield count
        elif _has_rate(table, column):
            metric = store.plan.metrics[store.plan.metric_index(column.spec.type.partition(".")[2])]
            dataset, clumped = store.plan.dataset, 0.0
            if missing_on(dataset, metric.spec) is not None:
                clumped = noise_of(dataset, metric.spec).mar_rate ** 2 / 3 * (store.stop - store.first - 1)
            yield _null_rate(count, null_rate(dataset, metric.spec), clumped)


def _untold(store: Store, table: TablePlan) -> set[str]:
    """Return the columns that the ledger does not tell of rows that were dropped or held back: what a wide table adds to the
    rows it shows."""
    issues = (issue for _, issue in store.written.table(table.name).issues)
    drops = any(issue.drops or issue.issue == "late_delivery" for issue in issues)
    shown = {column.name for column in store.plan.table(table.of).columns} if drops and table.of else set()
    return {column.name for column in table.columns if column.name not in shown} if shown else set()


def _null_rate(found: Finding, rate: float, clumped: float) -> Finding:
    """Judge a null count. `clumped` is what a row's variance gains at most where nulls depend on a value that a unit keeps:
    the variance of the odds, mar_rate**2 / 3, once for every other period."""
    rows, nulls = found.numbers["checked"], found.numbers["faults"]
    allowed = _DEVIATIONS * float(np.sqrt(max(rows * (rate * (1 - rate) + clumped), 1.0))) + 1.0
    passed = abs(nulls - rows * rate) <= allowed
    message = f"{nulls:.0f} of {rows:.0f} are null, {rows * rate:.0f} \u00b1 {allowed:.0f} expected"
    return Finding(found.subject, passed, message, {**found.numbers, "expected": rows * rate, "allowed": allowed})


def _with_ranges(plan: Plan, table: TablePlan) -> frozenset[str] | None:
    return NO_TABLES if any(bounds_of(plan, table, column) is not None for column in table.columns) else None


def _ranges(store: Store, table: TablePlan) -> Iterator[Finding]:
    for place, column in enumerate(table.columns):
        bounds = bounds_of(store.plan, table, column)
        if bounds is not None:
            scan = scanned(store, table)
            noun = f"values outside [{bounds[0]:g}, {bounds[1]:g}]"
            yield counted(scan, f"{table.name}.{column.name}", noun, scan[f"there {place}"], scan[f"beyond {place}"])


for _name, _check in {
    "nulls_only_where_configured": Check(
        "values", "Nulls are where, and as many as, the config says.", True, _nulls, _with_declared_nulls
    ),
    "values_in_range": Check("values", "Values lie inside the declared ranges.", True, _ranges, _with_ranges),
}.items():
    CHECKS.add(_name, _check)
