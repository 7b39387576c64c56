"""Checks of values: null rates and ranges."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow.compute as pc

from plotsim_core.config.column_source import Origin
from plotsim_core.config.effects import missing_on, noise_of, null_rate
from plotsim_core.plan.plan import ColumnPlan, Population, TablePlan
from plotsim_core.validation.chance import BLOCKING, bernstein, hit_bounds
from plotsim_core.validation.check import CHECKS, NO_TABLES, Check, Finding, unjudged
from plotsim_core.validation.store import StoredData
from plotsim_core.validation.table_scan import bounds_of, count_finding, table_scan

_NOT_IN_LEDGER = "the ledger does not tell it of rows that were dropped"


def _null_tables(population: Population, table: TablePlan) -> frozenset[str] | None:
    is_judged = any(not column.nullable or _null_odds(population, table, column) is not None for column in table.columns)
    return NO_TABLES if is_judged else None


def _null_odds(population: Population, table: TablePlan, column: ColumnPlan) -> tuple[float, float] | None:
    """Return the share of values of a column that are null, and how far the odds of a unit may lie above it where nulls are
    missing at random (MAR). None where the config says no share (values are null where a formula is true, or where those
    are that they are made of), where several rows show one value, and where values decide which rows there are."""
    nulls, dataset = column.spec.nulls, population.dataset
    if (nulls is not None and nulls.where is not None) or _decides_rows(table, column):
        return None
    declared_rate = nulls.rate or 0.0 if nulls is not None else 0.0
    name = column.spec.source.stored_metric
    if name is not None and table.spec.is_per_cell:
        metric = population.metrics[population.metric_index(name)].spec
        odds = noise_of(dataset, metric).mar_rate if missing_on(dataset, metric) is not None else 0.0
        return 1.0 - (1.0 - null_rate(dataset, metric)) * (1.0 - declared_rate), odds
    is_repeated = bool(table.shown_table) or table.spec.history is not None
    if nulls is None or is_repeated or column.spec.source.is_nullable(column.spec, dataset):
        return None
    return declared_rate, 0.0


def _decides_rows(table: TablePlan, column: ColumnPlan) -> bool:
    """Return whether a column decides which rows of its table there are, by itself or through others."""
    pending, visited = [*table.spec.row_origins()], set[Origin]()
    while pending:
        origin = pending.pop()
        if origin not in visited:
            visited.add(origin)
            readers = (other for other in table.spec.columns if origin == (table.name, other.name))
            pending += [read for other in readers for read in other.depends_on(table.spec)]
    return (table.name, column.name) in visited


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
        elif (rates := _null_odds(store.population, table, column)) is not None:
            yield _null_rate_finding(finding, *rates, store.stop - store.first)


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
