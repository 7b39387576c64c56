"""Checks of values: null rates and ranges."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow.compute as pc

from plotsim_core.config.effects import missing_on, noise_of, null_rate
from plotsim_core.plan.plan import ColumnPlan, Population, TablePlan
from plotsim_core.validation.chance import BLOCKING, bernstein, hit_bounds
from plotsim_core.validation.check import CHECKS, NO_TABLES, Check, Finding, unjudged
from plotsim_core.validation.store import StoredData
from plotsim_core.validation.table_scan import bounds_of, count_finding, table_scan

_NOT_IN_LEDGER = "the ledger does not tell it of rows that were dropped"


def _null_tables(population: Population, table: TablePlan) -> frozenset[str] | None:
    return NO_TABLES if any(not column.nullable or _judged_metric(table, column) for column in table.columns) else None


def _judged_metric(table: TablePlan, column: ColumnPlan) -> str | None:
    """Return the metric whose null rate a column has: one in a fact, which holds each value once; None for others."""
    return column.spec.source.stored_metric if table.spec.is_per_cell else None


def _nulls(store: StoredData, table: TablePlan) -> Iterator[Finding]:
    scan, unlisted = table_scan(store, table), _unlisted_columns(store, table)
    for index, column in enumerate(table.columns):
        if column.name in unlisted:
            yield unjudged(f"{table.name}.{column.name}", _NOT_IN_LEDGER)
            continue
        nulls = pc.subtract(scan["rows"], scan[f"there {index}"])
        finding = count_finding(scan, f"{table.name}.{column.name}", "rows are null", scan["rows"], nulls)
        if not column.nullable:
            yield finding
        elif (name := _judged_metric(table, column)) is not None:
            metric = store.population.metrics[store.population.metric_index(name)]
            dataset, odds = store.population.dataset, 0.0
            if missing_on(dataset, metric.spec) is not None:
                odds = noise_of(dataset, metric.spec).mar_rate
            yield _null_rate_finding(finding, null_rate(dataset, metric.spec), odds, store.stop - store.first)


def _unlisted_columns(store: StoredData, table: TablePlan) -> set[str]:
    """Return the columns whose values the ledger lacks for dropped or late rows: those that a wide table adds to the table
    it shows."""
    issues = (issue for _, issue in store.plan.table(table.name).issues)
    has_drops = any(issue.drops or issue.issue == "late_delivery" for issue in issues)
    shown_columns = (
        {column.name for column in store.population.table(table.shown_table).columns}
        if has_drops and table.shown_table
        else set()
    )
    return {column.name for column in table.columns if column.name not in shown_columns} if shown_columns else set()


def _null_rate_finding(finding: Finding, rate: float, odds: float, periods: int) -> Finding:
    """Judge a null count against its rate, by binomial bounds. Where nulls are missing at random (MAR), by a value that a
    unit may keep for all `periods`, at `odds` times twice its quantile, rows of a unit count as one (Bernstein): the odds of
    units have a variance of odds**2 / 3 at most."""
    rows, nulls = finding.numbers["checked"], finding.numbers["faults"]
    variance = rows * (rate * (1 - rate) + odds**2 / 3 * (periods - 1))
    allowed = bernstein(variance, 2.0 * odds * periods, BLOCKING)
    least, most = rows * rate - allowed, rows * rate + allowed
    if odds == 0:
        least, most = hit_bounds(int(rows), rate, rate, BLOCKING)
    least, most = max(least, 0.0), min(most, rows)
    numbers = {**finding.numbers, "expected": rows * rate, "least": least, "most": most}
    if 0 < rate < 1 and (least, most) == (0.0, rows):
        return unjudged(finding.subject, f"too few rows, {nulls:.0f} of {rows:.0f} are null", numbers)
    message = f"{nulls:.0f} of {rows:.0f} are null, {least:.0f} to {most:.0f} expected"
    return Finding(finding.subject, least <= nulls <= most, message, numbers)


def _range_tables(population: Population, table: TablePlan) -> frozenset[str] | None:
    return NO_TABLES if any(bounds_of(population, table, column) is not None for column in table.columns) else None


def _ranges(store: StoredData, table: TablePlan) -> Iterator[Finding]:
    for index, column in enumerate(table.columns):
        bounds = bounds_of(store.population, table, column)
        if bounds is not None:
            scan = table_scan(store, table)
            noun = f"values outside [{bounds[0]:g}, {bounds[1]:g}]"
            yield count_finding(scan, f"{table.name}.{column.name}", noun, scan[f"there {index}"], scan[f"beyond {index}"])


for _name, _check in {
    "nulls_only_where_configured": Check(
        "values", "Nulls are where, and as many as, the config says.", True, _nulls, _null_tables
    ),
    "values_in_range": Check("values", "Values lie inside the declared ranges.", True, _ranges, _range_tables),
}.items():
    CHECKS.add(_name, _check)
