"""Checks of a dimension in several forms: its change log (CDC), its periodic snapshots and its history (SCD2) agree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa

from plotsim_core.config.tables import changes_by_version
from plotsim_core.plan.plan import Population, TablePlan
from plotsim_core.plan.sql import quoted, text
from plotsim_core.tables.changes import AFTER, BEFORE, DATE, OP, SEQUENCE
from plotsim_core.tables.dimension_state import columns_of, key_of
from plotsim_core.tables.snapshot import DATE as TAKEN
from plotsim_core.tables.snapshot import is_snapshot_due
from plotsim_core.validation.check import CHECKS, NO_TABLES, Check, Finding
from plotsim_core.validation.store import StoredData
from plotsim_core.validation.table_scan import tally_finding

_LOG_PROBLEM = "changes are out of order, or do not begin with what the one before left"


def _log_tables(population: Population, table: TablePlan) -> frozenset[str] | None:
    return NO_TABLES if table.spec.cadence == "change log" else None


def _logs(store: StoredData, log: TablePlan) -> Iterator[Finding]:
    key = quoted(key_of(store.population.table(log.shown_table)).name)
    before, after, previous = quoted(BEFORE), quoted(AFTER), quoted("left by the one before")
    is_insert, is_delete = f"{quoted(OP)} = 'I'", f"{quoted(OP)} = 'D'"
    fault = (
        f"{quoted(OP)} NOT IN ('I', 'U', 'D') OR ({before} IS NULL) <> ({is_insert}) OR ({after} IS NULL) <> ({is_delete}) "
        f"OR coalesce({after}, {before}).{key} <> {key} OR {before} = {after}"
    )
    if store.first == store.population.first and _is_complete(store, log):
        fault += f" OR {before} IS DISTINCT FROM {previous}"
    sql = (
        f"SELECT {quoted(DATE)} AS date_key, count(*) AS checked, count(*) FILTER (WHERE {fault}) AS faults FROM "
        f"(SELECT *, lag({after}) OVER (PARTITION BY {key} ORDER BY {quoted(SEQUENCE)}) AS {previous} "
        f"FROM {store.relation(log)}) GROUP BY 1 ORDER BY 1"
    )
    yield tally_finding(log.name, _LOG_PROBLEM, store.arrow(sql))


def _is_complete(store: StoredData, log: TablePlan) -> bool:
    """Return whether all periods of a log are stored, from the first of the window to the last judged one."""
    if store.stored_keys is None:
        return store.first == store.population.first
    expected_keys = store.population.grain.keys(np.arange(store.population.first, store.stop, dtype=np.int64)).tolist()
    return frozenset(expected_keys) <= store.stored_keys_of(log)


def _counterparts(population: Population, snapshot: TablePlan) -> list[TablePlan]:
    """Return the logs and the history of the dimension of a snapshot; none for other tables."""
    if snapshot.spec.cadence != "snapshot":
        return []
    logs = [
        table
        for table in population.unit_tables
        if table.spec.cadence == "change log" and table.shown_table == snapshot.shown_table
    ]
    return logs + [
        table
        for table in population.unit_tables
        if table.name == snapshot.shown_table and "valid_from" in table.version_columns
    ]


def _counterpart_tables(population: Population, table: TablePlan) -> frozenset[str] | None:
    return frozenset(other.name for other in _counterparts(population, table)) or None


def _snapshots(store: StoredData, snapshot: TablePlan) -> Iterator[Finding]:
    days = _snapshot_days(store, snapshot)
    for other in _counterparts(store.population, snapshot):
        if other.name not in store.relations:
            continue
        if other.spec.cadence != "change log":
            yield replace(
                _snapshot_finding(store, snapshot, other, days, _history_versions(store, other)), tables=(other.name,)
            )
        elif _is_complete(store, other):
            yield replace(_snapshot_finding(store, snapshot, other, days, _log_versions(store, other)), tables=(other.name,))


def _snapshot_days(store: StoredData, snapshot: TablePlan) -> str:
    """Return a relation of the judged periods with a due and stored snapshot: their date key `day` and their start
    `begins`."""
    periods = np.arange(store.first, store.stop, dtype=np.int64)
    periods = periods[is_snapshot_due(store.population, snapshot.spec.interval, periods)]
    keys = store.population.grain.keys(periods)
    is_stored = np.ones(len(keys), dtype=np.bool_)
    if store.stored_keys is not None:
        is_stored = np.isin(keys, np.array(sorted(store.stored_keys_of(snapshot)), dtype=np.int64))
    starts = store.population.grain.civil_starts(periods).astype("datetime64[us]")
    name = f"days of {snapshot.name}"
    store.connection.register(name, pa.table({"day": pa.array(keys[is_stored]), "begins": pa.array(starts[is_stored])}))
    return quoted(name)


def _log_versions(store: StoredData, log: TablePlan) -> tuple[str, str, dict[str, str]]:
    """Return the versions of a dimension by its log, as (relation, condition that a version `o` is valid on a day `d`,
    columns)."""
    key = quoted(key_of(store.population.table(log.shown_table)).name)
    sql = (
        f"(SELECT *, lead({quoted(DATE)}) OVER (PARTITION BY {key} ORDER BY {quoted(SEQUENCE)}) AS {quoted('next change')} "
        f"FROM {store.full_relation(log)} WHERE {quoted(DATE)} <= {store.key_range[1]})"
    )
    validity = f"o.{quoted(DATE)} <= d.day AND (o.{quoted('next change')} IS NULL OR d.day < o.{quoted('next change')})"
    columns = columns_of(store.population.table(log.shown_table))
    return sql, f"{validity} AND o.{quoted(OP)} <> 'D'", {c.name: f"o.{quoted(AFTER)}.{quoted(c.name)}" for c in columns}


def _history_versions(store: StoredData, history: TablePlan) -> tuple[str, str, dict[str, str]]:
    """Return the versions of a dimension by its history, likewise, without the columns that change within a version."""
    begin, end = (f"o.{quoted(history.version_columns[part])}" for part in ("valid_from", "valid_to"))
    columns = (c for c in columns_of(history) if changes_by_version(c.spec, history.spec))
    return (
        store.full_relation(history),
        f"{begin} <= d.begins AND ({end} IS NULL OR d.begins < {end})",
        {column.name: f"o.{quoted(column.name)}" for column in columns},
    )


def _snapshot_finding(
    store: StoredData, snapshot: TablePlan, other: TablePlan, days: str, versions: tuple[str, str, dict[str, str]]
) -> Finding:
    relation, validity, columns = versions
    key = key_of(store.population.table(snapshot.shown_table)).name
    expected_columns = ", ".join(f"{sql} AS {quoted(name)}" for name, sql in columns.items())
    difference = " OR ".join(f"w.{quoted(name)} IS DISTINCT FROM s.{quoted(name)}" for name in columns)
    sql = (
        f"SELECT coalesce(w.day, s.{quoted(TAKEN)}) AS date_key, count(*) AS checked, "
        f"count(*) FILTER (WHERE w.day IS NULL OR s.{quoted(TAKEN)} IS NULL OR {difference}) AS faults FROM "
        f"(SELECT d.day, {expected_columns} FROM {days} AS d JOIN {relation} AS o ON {validity}) AS w "
        f"FULL JOIN {store.relation(snapshot)} AS s ON w.day = s.{quoted(TAKEN)} AND w.{quoted(key)} = s.{quoted(key)} "
        "GROUP BY 1 ORDER BY 1"
    )
    return tally_finding(f"{snapshot.name} ~ {other.name}", f"rows are not those of {text(other.name)}", store.arrow(sql))


for _name, _check in {
    "logs_in_order": Check(
        "time", "Each change of a log begins with what the one before it left.", True, _logs, _log_tables
    ),
    "snapshots_agree": Check(
        "time",
        "Snapshots show what the log makes, applied, and what the history says.",
        True,
        _snapshots,
        _counterpart_tables,
        lambda *args: _counterpart_tables(*args) or NO_TABLES,
    ),
}.items():
    CHECKS.add(_name, _check)
