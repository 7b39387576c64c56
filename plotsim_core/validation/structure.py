"""Checks of structure: columns and types, unique keys, referential integrity, the date spine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from plotsim_core.columns.foreign_key import belongs_to
from plotsim_core.plan.plan import ColumnPlan, Population, TablePlan
from plotsim_core.plan.sql import quoted, sql_type
from plotsim_core.validation.check import CHECKS, NO_TABLES, Check, Finding, unjudged
from plotsim_core.validation.store import StoredData
from plotsim_core.validation.table_scan import count_finding, no_faults, table_scan, tally_finding

_HASHES = 1 << 26
"""Hashes of keys compared at a time: half a gigabyte."""


def period_of(table: TablePlan) -> str:
    """Return the SQL of the date key of a row; null for a table without time."""
    return quoted(table.time) if table.time else "NULL::BIGINT"


def _columns(store: StoredData, table: TablePlan) -> Iterator[Finding]:
    stored_table, stored_types = store.plan.table(table.name), store.columns(table.name)
    expected_types = {column.name: sql_type(column.type) for column in stored_table.columns}
    problems = [
        f"{c.name} is missing"
        for c in stored_table.columns
        if c.name not in stored_types and _is_required(store, stored_table, c)
    ]
    problems += [f"{name} is not declared" for name in stored_types if name not in expected_types]
    problems += [
        f"{n} is {stored_types[n]}, not {type_}"
        for n, type_ in expected_types.items()
        if n in stored_types and stored_types[n] != type_
    ]
    numbers = {"columns": float(len(expected_types)), "wrong": float(len(problems))}
    yield Finding(table.name, not problems, "; ".join(problems) or f"{len(expected_types)} columns", numbers)


def _is_required(store: StoredData, table: TablePlan, column: ColumnPlan) -> bool:
    """Return whether a column has to be stored: one since or until a period only if partitions of its periods are stored."""
    if store.stored_keys is None or (column.first_date_key is None and column.stop_date_key is None):
        return True
    stored_keys = store.stored_keys.get(table.name, frozenset())
    return any(
        (column.first_date_key or 0) <= key and (column.stop_date_key is None or key < column.stop_date_key)
        for key in stored_keys
    )


def _keys(store: StoredData, table: TablePlan) -> Iterator[Finding]:
    scan = table_scan(store, table)
    rows = int(pc.sum(scan["rows"]).as_py() or 0)
    indexes = [index for index, column in enumerate(table.columns) if column.name in table.key]
    subject, noun = f"{table.name}({', '.join(table.key)})", "rows repeat a key"
    has_no_null = all(int(pc.sum(scan[f"there {index}"]).as_py() or 0) == rows for index in indexes)
    if has_no_null and _has_distinct_keys(store, table, rows):
        yield count_finding(scan, subject, noun, scan["rows"], no_faults(scan))
    else:
        yield tally_finding(subject, noun, _duplicate_tally(store, table))


def _has_distinct_keys(store: StoredData, table: TablePlan, rows: int) -> bool:
    """Return whether all hashes of keys differ, and so all keys. Hashes are compared part by part, which bounds memory,
    and sorted, which is several times faster than count(DISTINCT)."""
    key_hash = f"hash({', '.join(quoted(name) for name in table.key)})"
    parts = -(-rows // _HASHES)
    for part in range(parts):
        part_filter = f"WHERE {key_hash} % {parts} = {part}" if parts > 1 else ""
        reader = store.connection.sql(f"SELECT {key_hash} AS h FROM {store.relation(table)} {part_filter}").to_arrow_reader(
            1 << 18
        )
        batches = [batch.column(0).to_numpy() for batch in reader]
        hashes: NDArray[np.uint64] = np.sort(np.concatenate(batches)) if batches else np.empty(0, dtype=np.uint64)
        if bool(np.any(hashes[1:] == hashes[:-1])):
            return False
    return True


def _duplicate_tally(store: StoredData, table: TablePlan) -> pa.Table:
    columns = ", ".join(quoted(name) for name in table.key)
    nulls = " OR ".join(f"{quoted(name)} IS NULL" for name in table.key)
    return store.arrow(
        "SELECT min(period) AS date_key, sum(n) AS checked, sum(CASE WHEN missing THEN n ELSE n - 1 END) AS faults "
        f"FROM (SELECT min({period_of(table)}) AS period, count(*) AS n, ({nulls}) AS missing "
        f"FROM {store.relation(table)} GROUP BY {columns}) GROUP BY period ORDER BY period"
    )


def _parents(population: Population, table: TablePlan) -> frozenset[str] | None:
    return frozenset(parent for _, parent, _ in table.references) if table.references else None


def _references(store: StoredData, table: TablePlan) -> Iterator[Finding]:
    for column, parent, key in table.references:
        other_tables = (parent,) if parent != table.name else ()
        if parent in store.relations:
            yield replace(_reference(store, table, column, parent, key), tables=other_tables)
        elif store.is_missing(parent):
            yield Finding(f"{table.name}.{column}", False, f"{parent} is not there", tables=other_tables)
        else:
            yield unjudged(f"{table.name}.{column}", f"{parent} was not asked for")


def _reference(store: StoredData, table: TablePlan, column: str, parent: str, key: str) -> Finding:
    subject, noun = f"{table.name}.{column} > {parent}.{key}", "rows refer to nothing"
    scan = table_scan(store, table)
    relation = target_relation(store, table, column, store.population.table(parent))
    keys = f"SELECT {quoted(key)} AS k FROM {relation} WHERE {quoted(key)} IS NOT NULL"
    if not _has_orphans(store, table, column, keys):
        return count_finding(scan, subject, noun, scan["rows"], no_faults(scan))
    scope = _judged_scope(store, table, column, parent)
    fault = f"{quoted(column)} IS NOT NULL AND {quoted(column)} NOT IN ({keys}){scope}"
    sql = (
        f"SELECT {period_of(table)} AS date_key, count(*) AS checked, count(*) FILTER (WHERE {fault}) AS faults "
        f"FROM {store.relation(table)} GROUP BY 1 ORDER BY 1"
    )
    return tally_finding(subject, noun, store.arrow(sql))


def target_relation(store: StoredData, table: TablePlan, column: str, parent: TablePlan) -> str:
    """Return an SQL relation with the rows of another table that a reference of judged rows may lead to: those of the
    periods that it looks back to, where it does by itself and is not copied from the row that its own belongs to."""
    look_back = next((c.spec.source.look_back for c in table.columns if c.name == column), None)
    is_bounded = table.time is not None and table.spec.parent_name is None and parent.spec.has_keyed_rows
    return store.full_relation(parent) if look_back is None or not is_bounded else store.relation(parent, look_back)


def _judged_scope(store: StoredData, table: TablePlan, column: str, parent: str) -> str:
    """Return the SQL condition of the rows whose references are judged: references to earlier rows where all their periods
    are stored, which for plain rows are all that came before, references to a date where its period is stored, all others
    everywhere."""
    population, target = store.population, store.population.table(parent)
    if target.spec.is_date_dimension:
        stop = store.stop if population.stop is None else population.stop
        window = population.grain.keys(np.arange(population.first, stop, dtype=np.int64)).tolist()
        missing_keys = sorted(set(window) - store.stored_keys_of(target))
        return f" AND {quoted(column)} NOT IN ({', '.join(map(str, missing_keys))})" if missing_keys else ""
    look_back = next((c.spec.source.look_back for c in table.columns if c.name == column), None)
    is_earlier = target.spec.is_timed and not belongs_to(parent, table.spec, population.dataset)
    if look_back is None or not (target.spec.has_keyed_rows or is_earlier) or target.time is None:
        return ""
    stored_keys = store.stored_keys_of(target)
    if is_earlier:
        look_back = store.stop - population.first
    keys = population.grain.keys(np.arange(store.first - look_back, store.stop, dtype=np.int64)).tolist()
    is_stored = [store.first - look_back + index < population.first or key in stored_keys for index, key in enumerate(keys)]
    complete_keys = [keys[index] for index in range(look_back, len(keys)) if all(is_stored[index - look_back : index + 1])]
    if table.time is None:
        return "" if all(is_stored) else " AND FALSE"
    return f" AND {period_of(table)} IN ({', '.join(map(str, complete_keys)) or 'NULL'})"


def _has_orphans(store: StoredData, table: TablePlan, column: str, keys: str) -> bool:
    """Return whether a column has orphans: values that are no key of its parent."""
    if column == table.time:  # the scan lists the distinct date keys
        store.connection.register("distinct values", table_scan(store, table).select(["date_key"]))
        values = 'SELECT date_key AS v FROM "distinct values"'
    else:
        values = f"SELECT DISTINCT {quoted(column)} AS v FROM {store.relation(table)}"
    sql = f"SELECT count(*) FROM ({values}) WHERE v IS NOT NULL AND v NOT IN ({keys})"
    return bool(store.connection.sql(sql).fetchall()[0][0])


def _date_spine(store: StoredData, table: TablePlan) -> Iterator[Finding]:
    expected_keys = store.population.grain.keys(np.arange(store.first, store.stop, dtype=np.int64)).tolist()
    scan = table_scan(store, table)
    stored_keys: list[Any] = scan["date_key"].to_pylist()
    rows = int(pc.sum(scan["rows"]).as_py() or 0)
    missing_keys = sorted(set(expected_keys) - set(stored_keys))
    unexpected_keys = sorted(set(stored_keys) - set(expected_keys))
    is_complete = stored_keys == expected_keys and rows == len(expected_keys)
    message = (
        f"{rows} periods" if is_complete else f"missing {missing_keys[:3]}, unexpected {unexpected_keys[:3]}, {rows} rows"
    )
    yield Finding(table.name, is_complete, message, {"expected": len(expected_keys), "missing": len(missing_keys)})


def every_table(population: Population, table: TablePlan) -> frozenset[str]:
    """Return no further tables: every table is judged by itself."""
    return NO_TABLES


def _date_tables(population: Population, table: TablePlan) -> frozenset[str] | None:
    return NO_TABLES if table.spec.is_date_dimension else None


for _name, _check in {
    "columns_as_declared": Check(
        "structure", "Columns and types are those that the config declares.", True, _columns, every_table
    ),
    "keys_unique": Check("structure", "No two rows share a key, and no key is null.", True, _keys, every_table),
    "references_resolve": Check(
        "structure",
        "Every reference finds its row.",
        True,
        _references,
        _parents,
        lambda *args: _parents(*args) or NO_TABLES,
    ),
    "date_spine_whole": Check("structure", "The date dimension has every period, once.", True, _date_spine, _date_tables),
}.items():
    CHECKS.add(_name, _check)
