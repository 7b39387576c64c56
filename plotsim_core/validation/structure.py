"""Checks of structure: columns and types, keys, references, the date spine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from plotsim_core.columns.sibling import EVERY_ROW, within
from plotsim_core.plan.plan import ColumnPlan, Plan, TablePlan
from plotsim_core.plan.sql import quoted, sql_type
from plotsim_core.validation.check import CHECKS, NO_TABLES, Check, Finding, unjudged
from plotsim_core.validation.scan import counted, no_faults, scanned, tallied
from plotsim_core.validation.store import Store

_HASHES = 1 << 26
"""How many hashes of keys are compared at a time: half a gigabyte."""


def period_of(table: TablePlan) -> str:
    """Return the SQL of a row's date key."""
    return quoted(table.time) if table.time else "NULL::BIGINT"


def _columns(store: Store, table: TablePlan) -> Iterator[Finding]:
    written, stored = store.written.table(table.name), store.columns(table.name)
    wanted = {column.name: sql_type(column.type) for column in written.columns}
    wrong = [f"{c.name} is missing" for c in written.columns if c.name not in stored and _needed(store, written, c)]
    wrong += [f"{name} is not declared" for name in stored if name not in wanted]
    wrong += [f"{n} is {stored[n]}, not {type_}" for n, type_ in wanted.items() if n in stored and stored[n] != type_]
    numbers = {"columns": float(len(wanted)), "wrong": float(len(wrong))}
    yield Finding(table.name, not wrong, "; ".join(wrong) or f"{len(wanted)} columns", numbers)


def _needed(store: Store, table: TablePlan, column: ColumnPlan) -> bool:
    """Return whether a column has to be there: one that comes or goes only if partitions of its time are held."""
    if store.held is None or (column.since is None and column.until is None):
        return True
    held = store.held.get(table.name, frozenset())
    return any((column.since or 0) <= key and (column.until is None or key < column.until) for key in held)


def _keys(store: Store, table: TablePlan) -> Iterator[Finding]:
    scan = scanned(store, table)
    rows = int(pc.sum(scan["rows"]).as_py() or 0)
    places = [place for place, column in enumerate(table.columns) if column.name in table.key]
    subject, noun = f"{table.name}({', '.join(table.key)})", "rows repeat a key"
    whole = all(int(pc.sum(scan[f"there {place}"]).as_py() or 0) == rows for place in places)
    if whole and _all_differ(store, table, rows):
        yield counted(scan, subject, noun, scan["rows"], no_faults(scan))
    else:
        yield tallied(subject, noun, _repeated(store, table))


def _all_differ(store: Store, table: TablePlan, rows: int) -> bool:
    """Return whether all hashes of keys differ, which proves that the keys do. Hashes are compared part by part, so that
    memory is bounded, and sorted: that is several times faster than counting distinct ones."""
    hashed = f"hash({', '.join(quoted(name) for name in table.key)})"
    parts = -(-rows // _HASHES)
    for part in range(parts):
        which = f"WHERE {hashed} % {parts} = {part}" if parts > 1 else ""
        reader = store.connection.sql(f"SELECT {hashed} AS h FROM {store.relation(table)} {which}").to_arrow_reader(1 << 18)
        batches = [batch.column(0).to_numpy() for batch in reader]
        hashes: NDArray[np.uint64] = np.sort(np.concatenate(batches)) if batches else np.empty(0, dtype=np.uint64)
        if bool(np.any(hashes[1:] == hashes[:-1])):
            return False
    return True


def _repeated(store: Store, table: TablePlan) -> pa.Table:
    columns = ", ".join(quoted(name) for name in table.key)
    nulls = " OR ".join(f"{quoted(name)} IS NULL" for name in table.key)
    return store.arrow(
        "SELECT min(period) AS date_key, sum(n) AS checked, sum(CASE WHEN missing THEN n ELSE n - 1 END) AS faults "
        f"FROM (SELECT min({period_of(table)}) AS period, count(*) AS n, ({nulls}) AS missing "
        f"FROM {store.relation(table)} GROUP BY {columns}) GROUP BY period ORDER BY period"
    )


def _parents(plan: Plan, table: TablePlan) -> frozenset[str] | None:
    return frozenset(parent for _, parent, _ in table.references) if table.references else None


def _references(store: Store, table: TablePlan) -> Iterator[Finding]:
    for column, parent, key in table.references:
        about = (parent,) if parent != table.name else ()
        if parent in store.relations:
            yield replace(_reference(store, table, column, parent, key), tables=about)
        elif store.misses(parent):
            yield Finding(f"{table.name}.{column}", False, f"{parent} is not there", tables=about)
        else:
            yield unjudged(f"{table.name}.{column}", f"{parent} was not asked for")


def _reference(store: Store, table: TablePlan, column: str, parent: str, key: str) -> Finding:
    subject, noun = f"{table.name}.{column} > {parent}.{key}", "rows refer to nothing"
    scan = scanned(store, table)
    keys = f"SELECT {quoted(key)} AS k FROM {store.place(store.plan.table(parent))} WHERE {quoted(key)} IS NOT NULL"
    if not _lost(store, table, column, keys):
        return counted(scan, subject, noun, scan["rows"], no_faults(scan))
    judged = _judged(store, table, column, parent)
    wrong = f"{quoted(column)} IS NOT NULL AND {quoted(column)} NOT IN ({keys}){judged}"
    sql = (
        f"SELECT {period_of(table)} AS date_key, count(*) AS checked, count(*) FILTER (WHERE {wrong}) AS faults "
        f"FROM {store.relation(table)} GROUP BY 1 ORDER BY 1"
    )
    return tallied(subject, noun, store.arrow(sql))


def _judged(store: Store, table: TablePlan, column: str, parent: str) -> str:
    """Return the SQL of which rows' references are judged: of those that look back, where all periods that they look back to
    are stored; of those to a date, where its period is stored; of the others, all."""
    plan, to = store.plan, store.plan.table(parent)
    if to.kind == "date":
        stop = store.stop if plan.stop is None else plan.stop
        window = plan.grain.keys(np.arange(plan.first, stop, dtype=np.int64)).tolist()
        absent = sorted(set(window) - store.held_of(to))
        return f" AND {quoted(column)} NOT IN ({', '.join(map(str, absent))})" if absent else ""
    back = next((within(c) for c in table.columns if c.name == column and c.spec.word == "ref"), None)
    if back is None or to.kind not in EVERY_ROW or to.time is None:
        return ""
    stored = store.held_of(to)
    keys = plan.grain.keys(np.arange(store.first - back, store.stop, dtype=np.int64)).tolist()
    known = [store.first - back + place < plan.first or key in stored for place, key in enumerate(keys)]
    whole = [keys[place] for place in range(back, len(keys)) if all(known[place - back : place + 1])]
    return f" AND {period_of(table)} IN ({', '.join(map(str, whole)) or 'NULL'})"


def _lost(store: Store, table: TablePlan, column: str, keys: str) -> bool:
    """Return whether any of a column's distinct values is not among the keys of its parent."""
    if column == table.time:  # the scan has its distinct values
        store.connection.register("distinct values", scanned(store, table).select(["date_key"]))
        values = 'SELECT date_key AS v FROM "distinct values"'
    else:
        values = f"SELECT DISTINCT {quoted(column)} AS v FROM {store.relation(table)}"
    lost = f"SELECT count(*) FROM ({values}) WHERE v IS NOT NULL AND v NOT IN ({keys})"
    return bool(store.connection.sql(lost).fetchall()[0][0])


def _date_spine(store: Store, table: TablePlan) -> Iterator[Finding]:
    wanted = store.plan.grain.keys(np.arange(store.first, store.stop, dtype=np.int64)).tolist()
    scan = scanned(store, table)
    stored, rows = scan["date_key"].to_pylist(), int(pc.sum(scan["rows"]).as_py() or 0)
    missing = sorted(set(wanted) - set(stored))
    strange = sorted(set(stored) - set(wanted))
    passed = stored == wanted and rows == len(wanted)
    message = f"{rows} periods" if passed else f"missing {missing[:3]}, unexpected {strange[:3]}, {rows} rows"
    yield Finding(table.name, passed, message, {"expected": len(wanted), "missing": len(missing)})


def every_table(plan: Plan, table: TablePlan) -> frozenset[str]:
    """Say that every table is judged, by itself."""
    return NO_TABLES


def _dates(plan: Plan, table: TablePlan) -> frozenset[str] | None:
    return NO_TABLES if table.kind == "date" else None


for _name, _check in {
    "columns_as_declared": Check(
        "structure", "Columns and types are those that the config declares.", True, _columns, every_table
    ),
    "keys_unique": Check("structure", "No two rows share a key, and no key is null.", True, _keys, every_table),
    "references_resolve": Check(
        "structure", "Every reference finds its row.", True, _references, _parents, lambda *of: _parents(*of) or NO_TABLES
    ),
    "date_spine_whole": Check("structure", "The date dimension has every period, once.", True, _date_spine, _dates),
}.items():
    CHECKS.add(_name, _check)
