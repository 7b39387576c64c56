"""Checks of time: life spans, moments inside their periods and in order, versions without gap."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from plotsim_core.columns.identity import key_text, prefix
from plotsim_core.engine.roster import codes, select
from plotsim_core.plan.plan import TablePlan
from plotsim_core.plan.sql import quoted
from plotsim_core.validation.check import CHECKS, Check, Finding
from plotsim_core.validation.rows import columns_to, endings_sql, unit_column
from plotsim_core.validation.scan import counted, no_faults, scanned, tallied
from plotsim_core.validation.store import Store

_LIVES = 20_000
"""The lives of at most so many units, evenly of all segments, are looked at."""
_ORDERED = 200_000
"""About so many events, of periods evenly spread, are put in order."""


def _lives(store: Store) -> Iterator[Finding]:
    for kind in store.kinds:
        dimension = next((table.name for table in kind.plan.own if table.kind == "unit"), "")
        tables = [table for table in store.tables if table.time is not None]
        timed = [(table, column) for table in tables for column in columns_to(table, {dimension})]
        if not timed:
            continue
        lives = _lives_sql(kind, dimension)
        further = kind is not store
        for table, column in timed:
            time, end = quoted(table.time or ""), "<=" if further else "<"
            wrong = f"count(*) FILTER (WHERE {time} < arrived OR ended {end} {time})"
            sql = (
                f"SELECT {time} AS date_key, count(*) AS checked, {wrong} AS faults FROM {store.relation(table)} AS t "
                f"JOIN ({lives}) AS lives ON t.{quoted(column)} = lives.unit GROUP BY 1 ORDER BY 1"
            )
            subject = f"{table.name}.{column}" if further else table.name
            noun = f"rows lie before their {kind.plan.unit} arrives or after it ended"
            yield tallied(subject, noun, store.arrow(sql))


def _lives_sql(store: Store, dimension: str) -> str:
    """Return the SQL of (unit, arrived, ended) of units of a kind."""
    plan, name = store.plan, f"lives of {store.plan.unit}"
    keys, arrivals = [], []
    for segment in plan.segments:
        taken = min(segment.count, max(20, round(_LIVES * segment.count / plan.units)))
        units = select(plan, segment.first, segment.first + taken)
        keys.append(key_text(prefix(plan.table(dimension).spec), pa.array(codes(plan, units))))
        arrivals.append(plan.grain.keys(units.arrival))
    store.connection.register(name, pa.table({"unit": pa.concat_arrays(keys), "arrived": np.concatenate(arrivals)}))
    ended = endings_sql(store)
    if ended is None:
        return f"SELECT unit, arrived, NULL::BIGINT AS ended FROM {quoted(name)}"
    return f"SELECT l.unit, l.arrived, e.ended FROM {quoted(name)} AS l LEFT JOIN ({ended}) AS e ON l.unit = e.unit"


def _moments(store: Store) -> Iterator[Finding]:
    for table in (table for table in store.tables if table.time is not None):
        for place, column in enumerate(table.columns):
            if not pa.types.is_timestamp(column.type) or column.spec.word == "lookup":  # that is the moment of another row
                continue
            subject, noun = f"{table.name}.{column.name}", "moments lie outside their period or out of order"
            scan = scanned(store, table)
            begins = _period_ends(store)
            found = scan.select(["date_key", f"from {place}", f"to {place}"]).rename_columns(["date_key", "low", "high"])
            store.connection.register("moments", found)
            store.connection.register("judged periods", begins)
            inside = 'FROM "moments" AS m JOIN "judged periods" AS p USING (date_key) WHERE low < begins OR high >= stops'
            wrong = bool(store.connection.sql(f"SELECT count(*) {inside}").fetchall()[0][0])
            if wrong or _disordered(store, table, column.name):
                yield tallied(subject, noun, _misplaced(store, table, column.name))
            else:
                yield counted(scan, subject, noun, scan[f"there {place}"], no_faults(scan))


def _period_ends(store: Store) -> pa.Table:
    """Return the judged periods: date key, when each begins and when the next does."""
    periods = np.arange(store.first, store.stop + 1, dtype=np.int64)
    starts = store.plan.grain.starts(periods).astype("datetime64[us]")
    return pa.table({"date_key": store.plan.grain.keys(periods[:-1]), "begins": starts[:-1], "stops": starts[1:]})


def _in_order(store: Store, table: TablePlan, name: str) -> str | None:
    """Return the SQL of (date_key, early: whether a moment lies before the one numbered before it) for the events of some
    periods; None for tables whose rows are not numbered."""
    unit = unit_column(store.plan, table)
    if table.kind not in ("proportional", "variable") or unit is None:
        return None
    scan = scanned(store, table)
    keys, rows = scan["date_key"].to_pylist(), sum(scan["rows"].to_pylist())
    some = ", ".join(str(key) for key in keys[:: max(1, rows // _ORDERED)])
    number = rf"TRY_CAST(regexp_extract({quoted(table.key[0])}, '(\d+)$', 1) AS BIGINT)"
    cell = f"PARTITION BY {quoted(unit)}, {quoted(table.time or '')} ORDER BY {number}"
    return (
        f"SELECT {quoted(table.time or '')} AS date_key, {quoted(name)} < lag({quoted(name)}) OVER ({cell}) AS early "
        f"FROM {store.relation(table)} WHERE {quoted(table.time or '')} IN ({some or 'NULL'})"
    )


def _disordered(store: Store, table: TablePlan, name: str) -> bool:
    sql = _in_order(store, table, name)
    return sql is not None and bool(store.connection.sql(f"SELECT count(*) FROM ({sql}) WHERE early").fetchall()[0][0])


def _misplaced(store: Store, table: TablePlan, name: str) -> pa.Table:
    order = _in_order(store, table, name)
    early = f"SELECT date_key, 0 AS checked, count(*) FILTER (WHERE early) AS faults FROM ({order}) GROUP BY 1"
    moment, time = quoted(name), quoted(table.time or "")
    outside = (
        f"SELECT p.date_key, count({moment}) AS checked, "
        f"count(*) FILTER (WHERE {moment} < begins OR {moment} >= stops) AS faults "
        f'FROM {store.relation(table)} AS t JOIN "judged periods" AS p ON t.{time} = p.date_key GROUP BY 1'
    )
    both = f"{outside} UNION ALL {early}" if order else outside
    sql = f"SELECT date_key, sum(checked) AS checked, sum(faults) AS faults FROM ({both}) GROUP BY 1 ORDER BY 1"
    return store.arrow(sql)


def _histories(store: Store) -> Iterator[Finding]:
    for table in store.tables:
        history = {column.spec.type: column.name for column in table.columns if column.spec.word == "version"}
        if "version.valid_from" not in history:
            continue
        unit = next(column.name for column in table.columns if column.spec.word == "id")
        begin, end, current = (quoted(history[f"version.{part}"]) for part in ("valid_from", "valid_to", "is_current"))
        sql = (
            "SELECT NULL AS date_key, count(*) AS checked, count(*) FILTER (WHERE following IS DISTINCT FROM "
            f"{end} OR {current} != ({end} IS NULL) OR {begin} >= {end}) AS faults FROM "
            f"(SELECT *, lead({begin}) OVER (PARTITION BY {quoted(unit)} ORDER BY {begin}) AS following "
            f"FROM {store.place(table)})"
        )
        yield tallied(table.name, "versions overlap, leave a gap, or are wrongly current", store.arrow(sql))


for _name, _check in {
    "life_spans_kept": Check("time", "No row lies before its unit arrives or after it ended.", True, _lives),
    "moments_in_period": Check("time", "Moments lie inside their period, and events are numbered in order.", True, _moments),
    "histories_contiguous": Check("time", "Versions of a unit follow each other without gap.", True, _histories),
}.items():
    CHECKS.add(_name, _check)
