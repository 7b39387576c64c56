"""The check of data quality issues: stored rows agree with the ledger, and issues are as frequent as declared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from plotsim_core.config.quality import ARRIVAL, DELIVERED, LEDGER, Issue, drift_column, longest_delay
from plotsim_core.plan.plan import Population, TablePlan
from plotsim_core.plan.sql import quoted, text
from plotsim_core.tables.issue_rows import covers
from plotsim_core.tables.ledger import DELIVERY_DATE
from plotsim_core.tables.rank import most_groups
from plotsim_core.tables.restore import entry_sql, key_sql, read_sql, repeated_sql
from plotsim_core.validation.chance import BLOCKING, bernstein, hit_bounds
from plotsim_core.validation.check import CHECKS, NO_TABLES, Check, Finding
from plotsim_core.validation.store import StoredData

_EXCLUSIVE = ("null_injection", "schema_drift", "late_arrival", "late_delivery")
"""Issues after which a cell or row has no further issue."""
_REPEATS = ("redelivery", "restatement")


def _ledger_table(population: Population, table: TablePlan) -> frozenset[str] | None:
    """Return the ledger for a table with declared issues; None for others."""
    names = {None, *(column.name for column in table.columns)}
    is_broken = any(issue.table == table.name and issue.column in names for issue in population.dataset.quality)
    return frozenset({LEDGER}) if is_broken else None


def _quality_findings(store: StoredData, clean_table: TablePlan) -> Iterator[Finding]:
    if store.ledger is None:
        message = "is not there, or not whole: what is broken on purpose cannot be told from what is broken"
        yield Finding(LEDGER, False, message, tables=(LEDGER,))
        return
    table = store.plan.table(clean_table.name)
    rates = (_rate_finding(store, table, number, issue) for number, issue in table.issues)
    for finding in (*_cell_findings(store, table), *_row_findings(store, table), *_delivery_findings(store, table), *rates):
        yield replace(finding, tables=(LEDGER,))


def _entries_sql(store: StoredData, table: TablePlan, condition: str) -> str:
    """Return the SQL of the ledger entries of a table in the judged periods."""
    low, high = store.key_range
    time = store.plan.table(LEDGER).time if table.time == DELIVERED else "date_key"
    scope = f"{time} BETWEEN {low} AND {high} AND table_name = {text(table.name)} AND ({condition})"
    return f"(SELECT * REPLACE ({entry_sql(table)} AS row_key) FROM {store.ledger} WHERE {scope})"


def _stored_sql(store: StoredData, table: TablePlan) -> str:
    """Return the SQL of the stored rows of a table in the judged periods, each with its `row key`."""
    low, high = store.key_range
    scope = f"WHERE {quoted(table.time or '')} BETWEEN {low} AND {high}"
    return f'(SELECT *, {key_sql(table)} AS "row key" FROM {store.relations[table.name]} {scope})'


def _cell_findings(store: StoredData, table: TablePlan) -> Iterator[Finding]:
    """Yield findings of changed cells: each holds the value in the ledger, and added columns hold no other."""
    columns = store.columns(table.name)
    if any(name not in columns for name in (*table.key, table.time)):
        return  # the check of columns reports it
    types = {column.name: column.type for column in table.columns}
    names = dict.fromkeys(
        issue.column or ARRIVAL for _, issue in table.issues if issue.column or issue.issue == "late_arrival"
    )
    for name in (name for name in names if name in columns):
        qualifier = "QUALIFY row_number() OVER (PARTITION BY row_key ORDER BY issue_number DESC) = 1"
        entries = _entries_sql(store, table, f"action = 'changed' AND column_name = {text(name)}")
        latest_entries = f"(FROM {entries} {qualifier})"
        equality = f"t.{quoted(name)} IS NOT DISTINCT FROM {read_sql('l.stored_value', types[name])}"
        if name == ARRIVAL:
            yield _added_finding(store, table, name, latest_entries)
        join = f'FROM {latest_entries} AS l LEFT JOIN {_stored_sql(store, table)} AS t ON l.row_key = t."row key"'
        fault = f't."row key" IS NULL OR NOT ({equality})'
        sql = f"SELECT count(DISTINCT l.row_key), count(DISTINCT l.row_key) FILTER ({fault}) {join}"
        yield _count_finding(store, f"{table.name}.{name}", "changed cells hold something else than the ledger says", sql)
    for name in dict.fromkeys(issue.column or "" for _, issue in table.issues if issue.issue == "schema_drift"):
        drift_condition = f"action = 'changed' AND issue = 'schema_drift' AND column_name = {text(name)}"
        if drift_column(name) in columns:
            yield _added_finding(store, table, drift_column(name), _entries_sql(store, table, drift_condition))


def _added_finding(store: StoredData, table: TablePlan, name: str, entries: str) -> Finding:
    """Judge a column added by an issue: it has values in the rows of the ledger, and in no others."""
    stored_rows = f'SELECT DISTINCT "row key" FROM {_stored_sql(store, table)} WHERE {quoted(name)} IS NOT NULL'
    sql = (
        'SELECT count(*), count(*) FILTER (held."row key" IS NULL OR l.row_key IS NULL) '
        f'FROM ({stored_rows}) AS held FULL JOIN (SELECT DISTINCT row_key FROM {entries}) AS l ON held."row key" = l.row_key'
    )
    return _count_finding(
        store, f"{table.name}.{name}", "rows hold a value and the ledger does not say so, or the reverse", sql
    )


def _row_findings(store: StoredData, table: TablePlan) -> Iterator[Finding]:
    """Yield findings of rows: duplicates are stored as often as the ledger says, dropped rows are not stored."""
    if any(name not in store.columns(table.name) for name in (*table.key, table.time)):
        return  # the check of columns reports it
    row_counts = f'(SELECT "row key", count(*) AS n FROM {_stored_sql(store, table)} GROUP BY 1)'
    if any(issue.copies for _, issue in table.issues):
        entries = _entries_sql(store, table, "action = 'copied'")
        ledger_rows = f"(SELECT row_key, count(*) AS n FROM {entries} GROUP BY 1)"
        join = f'FROM {ledger_rows} AS l LEFT JOIN {row_counts} AS t ON l.row_key = t."row key"'
        sql = f"SELECT count(*), count(*) FILTER (t.n IS DISTINCT FROM l.n + 1) {join}"
        yield _count_finding(store, f"{table.name} copies", "rows are not there as often as the ledger says", sql)
    if any(issue.drops for _, issue in table.issues):
        entries = _entries_sql(store, table, "action = 'dropped'")
        ledger_rows = f"(SELECT DISTINCT row_key FROM {entries})"
        join = f'FROM {ledger_rows} AS l LEFT JOIN {row_counts} AS t ON l.row_key = t."row key"'
        sql = f"SELECT count(*), count(t.n) {join}"
        yield _count_finding(store, f"{table.name} drops", "dropped rows are there", sql)


def _delivery_findings(store: StoredData, table: TablePlan) -> Iterator[Finding]:
    """Yield findings of deliveries: late and repeated rows are those of the ledger, and repeats differ only as it says."""
    if table.time != DELIVERED or any(name not in store.columns(table.name) for name in table.key):
        return
    row_time = store.population.table(table.name).time or ""
    entries = _entries_sql(store, table, "action IN ('delivered', 'redelivered', 'restated')")
    moved_rows = f'SELECT DISTINCT "row key", {DELIVERED} AS day FROM {_stored_sql(store, table)}'
    sql = (
        'SELECT count(*), count(*) FILTER (t."row key" IS NULL OR l.row_key IS NULL) '
        f"FROM ({moved_rows} WHERE {DELIVERED} <> {quoted(row_time)}) AS t "
        f"FULL JOIN (SELECT DISTINCT row_key, {DELIVERY_DATE} AS day FROM {entries}) AS l "
        'ON t."row key" = l.row_key AND t.day = l.day'
    )
    yield _count_finding(
        store, f"{table.name} deliveries", "are late or repeated, or should be, and the ledger says otherwise", sql
    )
    entries = _entries_sql(store, table, "action = 'held_back'")
    sql = (
        'SELECT count(*), count(t."row key") '
        f"FROM (SELECT DISTINCT row_key FROM {entries}) AS l "
        f'LEFT JOIN {_stored_sql(store, table)} AS t ON t."row key" = l.row_key'
    )
    yield _count_finding(store, f"{table.name} held back", "rows that are held back are there", sql)
    clean_table, columns = store.population.table(table.name), store.columns(table.name)
    stored_rows = store.stored_rows(clean_table, longest_delay(issue for _, issue in table.issues))
    repeats = repeated_sql(table, clean_table, *stored_rows, columns)
    extremes = f'SELECT min("what it is") AS least, max("what it is") AS most FROM {repeats} GROUP BY "its key"'
    sql = f"SELECT count(*), count(*) FILTER (WHERE least <> most) FROM ({extremes})"
    yield _count_finding(store, f"{table.name} repeated", "rows that come again are not what they were", sql)


def _count_finding(store: StoredData, subject: str, noun: str, sql: str) -> Finding:
    ((checked, faults),) = store.connection.sql(sql).fetchall()
    message = f"{faults} of {checked} {noun}" if faults else f"{checked} checked"
    return Finding(subject, faults == 0, message, {"checked": float(checked), "faults": float(faults)})


def _rate_finding(store: StoredData, table: TablePlan, number: int, issue: Issue) -> Finding:
    """Judge the number of rows with an issue against its rate, less the rows that rival issues take. Periods whose rows may
    still be delivered, or delivered again, are left out."""
    population, clean_table = store.population, store.population.table(table.name)
    periods = np.arange(store.first, store.stop, dtype=np.int64)
    if table.time == DELIVERED:
        stored_keys = store.stored_keys_of(table)
        delay = longest_delay(issue for _, issue in table.issues)
        is_stored = [
            all(key in stored_keys for key in population.grain.keys(np.arange(p, p + delay + 1)).tolist())
            for p in periods.tolist()
        ]
        periods = periods[np.array(is_stored, dtype=np.bool_)]
    periods = periods[covers(population, issue, periods)]
    keys = ", ".join(map(str, population.grain.keys(periods).tolist())) or "NULL"
    condition = f"table_name = {text(table.name)} AND issue_number = {number} AND date_key IN ({keys})"
    ((count,),) = store.connection.sql(f"SELECT count(DISTINCT row_key) FROM {store.ledger} WHERE {condition}").fetchall()
    valid_count = f"count({quoted(issue.column)})" if issue.column and issue.issue != "restatement" else "count(*)"
    sql = (
        f"SELECT {valid_count}, count(*) FROM {store.relation(clean_table)} "
        f"WHERE {quoted(clean_table.time or '')} IN ({keys})"
    )
    ((rows, row_count),) = store.connection.sql(sql).fetchall()
    remainder = 1.0
    for rival_number, rival in table.issues:
        if rival.drops or (rival_number < number and rival.issue in _EXCLUSIVE):
            remainder *= 1.0 - rival.rate if rival.column == issue.column or rival.drops else 1.0
        elif issue.issue in _REPEATS and rival.issue in _REPEATS and rival_number != number:  # one delivery per period
            remainder *= 1.0 - rival.rate / max(issue.delay, rival.delay)
    least, most = hit_bounds(rows, issue.rate * remainder, issue.rate, BLOCKING)
    # each group has its exact share of a period, rounded up or down; rival issues and null cells add variance
    rounding = most_groups(population, store.stop) * len(periods) / 4
    variance = (row_count - rows) * issue.rate * (1 - issue.rate) + rows * issue.rate * remainder * (1 - remainder)
    allowed = bernstein(rounding + variance, 1.0, BLOCKING)
    least, most = max(least, rows * issue.rate * remainder - allowed), min(most, rows * issue.rate + allowed)
    message = f"{count} of {rows} rows, {least:.0f} to {most:.0f} expected"
    numbers = {"rows": float(rows), "found": float(count), "expected": rows * issue.rate, "least": least, "most": most}
    return Finding(f"{table.name}: {issue.issue} {number}", least <= count <= most, message, numbers)


CHECKS.add(
    "quality_as_declared",
    Check(
        "values",
        "What is broken on purpose is what the ledger says, and as much as declared.",
        True,
        _quality_findings,
        _ledger_table,
        lambda *args: _ledger_table(*args) or NO_TABLES,
    ),
)
