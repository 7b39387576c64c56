"""What is broken on purpose: the ledger says what is stored, and there is as much of it as declared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from plotsim_core.config.quality import ARRIVAL, DELIVERED, LEDGER, Issue, drifted, look_back
from plotsim_core.plan.plan import Plan, TablePlan
from plotsim_core.plan.sql import quoted, text
from plotsim_core.tables.hit import speaks_of
from plotsim_core.tables.rank import most_groups
from plotsim_core.tables.restore import entry_sql, key_sql, read_sql, repeated_sql
from plotsim_core.validation.chance import BLOCKING, bernstein, hits
from plotsim_core.validation.check import CHECKS, NO_TABLES, Check, Finding
from plotsim_core.validation.store import Store

_TAKING = ("null_injection", "schema_drift", "late_arrival", "late_delivery")
"""Issues that leave nothing for another one about the same."""
_AGAIN = ("redelivery", "restatement")


def _ledger_of(plan: Plan, table: TablePlan) -> frozenset[str] | None:
    """Return the ledger for a table that is broken on purpose."""
    names = {None, *(column.name for column in table.columns)}
    broken = any(issue.table == table.name and issue.column in names for issue in plan.dataset.quality)
    return frozenset({LEDGER}) if broken else None


def _declared(store: Store, clean: TablePlan) -> Iterator[Finding]:
    if store.ledger is None:
        says = "is not there, or not whole: what is broken on purpose cannot be told from what is broken"
        yield Finding(LEDGER, False, says, tables=(LEDGER,))
        return
    table = store.written.table(clean.name)
    rates = (_rate(store, table, number, issue) for number, issue in table.issues)
    for finding in (*_cells(store, table), *_rows(store, table), *_deliveries(store, table), *rates):
        yield replace(finding, tables=(LEDGER,))


def _entries(store: Store, table: TablePlan, which: str) -> str:
    """Return the SQL of what the ledger tells of a table in the judged periods."""
    low, high = store.key_range
    time = store.written.table(LEDGER).time if table.time == DELIVERED else "date_key"
    inside = f"{time} BETWEEN {low} AND {high} AND table_name = {text(table.name)} AND ({which})"
    return f"(SELECT * REPLACE ({entry_sql(table)} AS row_key) FROM {store.ledger} WHERE {inside})"


def _stored(store: Store, table: TablePlan) -> str:
    """Return the SQL of a table's stored rows in the judged periods, with the `row key` of each."""
    low, high = store.key_range
    there = f"WHERE {quoted(table.time or '')} BETWEEN {low} AND {high}"
    return f'(SELECT *, {key_sql(table)} AS "row key" FROM {store.relations[table.name]} {there})'


def _cells(store: Store, table: TablePlan) -> Iterator[Finding]:
    """Each changed cell holds what the ledger says it does; added columns hold nothing else."""
    there = store.columns(table.name)
    if any(name not in there for name in (*table.key, table.time)):
        return  # another check says so
    types = {column.name: column.type for column in table.columns}
    names = dict.fromkeys(
        issue.column or ARRIVAL for _, issue in table.issues if issue.column or issue.issue == "late_arrival"
    )
    for name in (name for name in names if name in there):
        last = "QUALIFY row_number() OVER (PARTITION BY row_key ORDER BY issue_number DESC) = 1"
        entries = _entries(store, table, f"action = 'changed' AND column_name = {text(name)}")
        told = f"(FROM {entries} {last})"
        holds = f"t.{quoted(name)} IS NOT DISTINCT FROM {read_sql('l.stored_value', types[name])}"
        if name == ARRIVAL:
            yield _added(store, table, name, told)
        joined = f'FROM {told} AS l LEFT JOIN {_stored(store, table)} AS t ON l.row_key = t."row key"'
        wrong = f't."row key" IS NULL OR NOT ({holds})'
        sql = f"SELECT count(DISTINCT l.row_key), count(DISTINCT l.row_key) FILTER ({wrong}) {joined}"
        yield _counted(store, f"{table.name}.{name}", "changed cells hold something else than the ledger says", sql)
    for name in dict.fromkeys(issue.column or "" for _, issue in table.issues if issue.issue == "schema_drift"):
        moved = f"action = 'changed' AND issue = 'schema_drift' AND column_name = {text(name)}"
        if drifted(name) in there:
            yield _added(store, table, drifted(name), _entries(store, table, moved))


def _added(store: Store, table: TablePlan, name: str, told: str) -> Finding:
    """A column that an issue adds holds a value where the ledger says so, and nowhere else."""
    held = f'SELECT DISTINCT "row key" FROM {_stored(store, table)} WHERE {quoted(name)} IS NOT NULL'
    sql = (
        'SELECT count(*), count(*) FILTER (held."row key" IS NULL OR l.row_key IS NULL) '
        f'FROM ({held}) AS held FULL JOIN (SELECT DISTINCT row_key FROM {told}) AS l ON held."row key" = l.row_key'
    )
    return _counted(store, f"{table.name}.{name}", "rows hold a value and the ledger does not say so, or the reverse", sql)


def _rows(store: Store, table: TablePlan) -> Iterator[Finding]:
    """Rows that the ledger has copies of are there so often, those that it has as dropped are not."""
    if any(name not in store.columns(table.name) for name in (*table.key, table.time)):
        return  # another check says so
    rows = f'(SELECT "row key", count(*) AS n FROM {_stored(store, table)} GROUP BY 1)'
    if any(issue.copies for _, issue in table.issues):
        entries = _entries(store, table, "action = 'copied'")
        told = f"(SELECT row_key, count(*) AS n FROM {entries} GROUP BY 1)"
        joined = f'FROM {told} AS l LEFT JOIN {rows} AS t ON l.row_key = t."row key"'
        sql = f"SELECT count(*), count(*) FILTER (t.n IS DISTINCT FROM l.n + 1) {joined}"
        yield _counted(store, f"{table.name} copies", "rows are not there as often as the ledger says", sql)
    if any(issue.drops for _, issue in table.issues):
        entries = _entries(store, table, "action = 'dropped'")
        told = f"(SELECT DISTINCT row_key FROM {entries})"
        joined = f'FROM {told} AS l LEFT JOIN {rows} AS t ON l.row_key = t."row key"'
        sql = f"SELECT count(*), count(t.n) {joined}"
        yield _counted(store, f"{table.name} drops", "dropped rows are there", sql)


def _deliveries(store: Store, table: TablePlan) -> Iterator[Finding]:
    """Rows are delivered at another time than their own where the ledger says so, and nowhere else."""
    if table.time != DELIVERED or any(name not in store.columns(table.name) for name in table.key):
        return
    own = store.plan.table(table.name).time or ""
    entries = _entries(store, table, "action IN ('delivered', 'redelivered', 'restated')")
    there = f'SELECT DISTINCT "row key" FROM {_stored(store, table)} WHERE {DELIVERED} <> {quoted(own)}'
    sql = (
        'SELECT count(*), count(*) FILTER (t."row key" IS NULL OR l.row_key IS NULL) '
        f'FROM ({there}) AS t FULL JOIN {entries} AS l ON t."row key" = l.row_key'
    )
    yield _counted(
        store, f"{table.name} deliveries", "are late or repeated, or should be, and the ledger says otherwise", sql
    )
    entries = _entries(store, table, "action = 'held_back'")
    sql = (
        'SELECT count(*), count(t."row key") '
        f"FROM (SELECT DISTINCT row_key FROM {entries}) AS l "
        f'LEFT JOIN {_stored(store, table)} AS t ON t."row key" = l.row_key'
    )
    yield _counted(store, f"{table.name} held back", "rows that are held back are there", sql)
    clean, stored = store.plan.table(table.name), store.columns(table.name)
    every = repeated_sql(table, clean, store.relations[table.name], store.told(clean), stored)
    each = f'SELECT min("what it is") AS least, max("what it is") AS most FROM {every} GROUP BY "its key"'
    sql = f"SELECT count(*), count(*) FILTER (WHERE least <> most) FROM ({each})"
    yield _counted(store, f"{table.name} repeated", "rows that come again are not what they were", sql)


def _counted(store: Store, subject: str, noun: str, sql: str) -> Finding:
    ((checked, faults),) = store.connection.sql(sql).fetchall()
    message = f"{faults} of {checked} {noun}" if faults else f"{checked} checked"
    return Finding(subject, faults == 0, message, {"checked": float(checked), "faults": float(faults)})


def _rate(store: Store, table: TablePlan, number: int, issue: Issue) -> Finding:
    """As many rows have an issue as its rate lets expect; those that another issue took are allowed for. Periods whose rows
    may still come, or come again, are left out."""
    plan, clean = store.plan, store.plan.table(table.name)
    periods = np.arange(store.first, store.stop, dtype=np.int64)
    if table.time == DELIVERED:
        held = store.held_of(table)
        back = look_back(issue for _, issue in table.issues)
        there = [all(key in held for key in plan.grain.keys(np.arange(p, p + back + 1)).tolist()) for p in periods.tolist()]
        periods = periods[np.array(there, dtype=np.bool_)]
    periods = periods[speaks_of(plan, issue, periods)]
    keys = ", ".join(map(str, plan.grain.keys(periods).tolist())) or "NULL"
    of = f"table_name = {text(table.name)} AND issue_number = {number} AND date_key IN ({keys})"
    ((found,),) = store.connection.sql(f"SELECT count(DISTINCT row_key) FROM {store.ledger} WHERE {of}").fetchall()
    valid = f"count({quoted(issue.column)})" if issue.column and issue.issue != "restatement" else "count(*)"
    sql = f"SELECT {valid}, count(*) FROM {store.place(clean)} WHERE {quoted(clean.time or '')} IN ({keys})"
    ((rows, every),) = store.connection.sql(sql).fetchall()
    left = 1.0
    for other, rival in table.issues:
        if rival.drops or (other < number and rival.issue in _TAKING):
            left *= 1.0 - rival.rate if rival.column == issue.column or rival.drops else 1.0
        elif issue.issue in _AGAIN and rival.issue in _AGAIN and other != number:  # a row comes once in a period
            left *= 1.0 - rival.rate / max(issue.delay, rival.delay)
    least, most = hits(rows, issue.rate * left, issue.rate, BLOCKING)
    # each group has its exact share of a period, rounded up or down; rivals, and rows that are not asked, add chance
    exact = most_groups(plan, store.stop) * len(periods) / 4
    lost = (every - rows) * issue.rate * (1 - issue.rate) + rows * issue.rate * left * (1 - left)
    allowed = bernstein(exact + lost, 1.0, BLOCKING)
    least, most = max(least, rows * issue.rate * left - allowed), min(most, rows * issue.rate + allowed)
    message = f"{found} of {rows} rows, {least:.0f} to {most:.0f} expected"
    numbers = {"rows": float(rows), "found": float(found), "expected": rows * issue.rate, "least": least, "most": most}
    return Finding(f"{table.name}: {issue.issue} {number}", least <= found <= most, message, numbers)


CHECKS.add(
    "quality_as_declared",
    Check(
        "values",
        "What is broken on purpose is what the ledger says, and as much as declared.",
        True,
        _declared,
        _ledger_of,
        lambda *of: _ledger_of(*of) or NO_TABLES,
    ),
)
