"""Checks of time: life spans, moments inside their periods and in order, contiguous versions (SCD2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from plotsim_core.columns.primary_key import unit_keys
from plotsim_core.config.column_source import Clock
from plotsim_core.config.tables import is_number
from plotsim_core.numerics.arrays import Integers
from plotsim_core.numerics.clock_changes import clock_changes
from plotsim_core.plan.plan import ColumnPlan, Population, TablePlan
from plotsim_core.plan.sql import quoted
from plotsim_core.validation.cell_samples import sampled_blocks
from plotsim_core.validation.check import CHECKS, NO_TABLES, Check, Finding
from plotsim_core.validation.moments import moment_sql
from plotsim_core.validation.row_counts import ending_tables, endings_sql, unit_column, unit_references
from plotsim_core.validation.store import StoredData
from plotsim_core.validation.table_scan import count_finding, no_faults, table_scan, tally_finding

_MAX_LIVES = 20_000
"""The largest number of units whose lives are checked, spread over all segments."""
_MAX_EVENTS = 200_000
"""The approximate number of events whose order is checked, in evenly spread periods."""


def _life_tables(population: Population, table: TablePlan) -> frozenset[str] | None:
    """Return the tables with the endings of the units of a table; None for a table without time or unit."""
    kinds = [kind for kind in (population, *population.others) if _living_references(population, kind, table)]
    return NO_TABLES.union(*map(ending_tables, kinds)) if kinds and table.time is not None else None


def _living_references(population: Population, kind: Population, table: TablePlan) -> list[str]:
    """Return the columns of a table that refer to units of a kind which live at the time of the row. A snapshot has none of
    another kind: these were drawn once, for the life of its own unit."""
    if not kind.has_units or (table.spec.cadence == "snapshot" and kind is not population):
        return []
    return unit_references(table, {kind.dimension.name})


def _lives(store: StoredData, table: TablePlan) -> Iterator[Finding]:
    for kind in store.kinds:
        is_other_kind = kind is not store
        for column in _living_references(store.population, kind.population, table):
            dimension = kind.population.dimension.name
            lives = store.cached(f"lives of {dimension}", partial(_lives_sql, kind, dimension))
            is_drawn = is_other_kind and column not in table.key  # among those that stay to the period's end
            time, comparison = quoted(table.time or ""), "<=" if is_drawn else "<"
            faults = f"count(*) FILTER (WHERE {time} < arrived OR last < {time} OR ended {comparison} {time})"
            sql = (
                f"SELECT {time} AS date_key, count(*) AS checked, {faults} AS faults FROM {store.relation(table)} AS t "
                f"JOIN ({lives}) AS lives ON t.{quoted(column)} = lives.unit GROUP BY 1 ORDER BY 1"
            )
            subject = f"{table.name}.{column}" if is_other_kind else table.name
            noun = f"rows lie before their {kind.population.unit} arrives or after it ended"
            yield tally_finding(subject, noun, store.arrow(sql))


def _lives_sql(store: StoredData, dimension: str) -> str:
    """Return the SQL of (unit, arrived, last, ended) for a sample of units: date keys of arrival, end of tenure, ending."""
    population, name = store.population, f"lives of {store.population.unit}"
    keys, arrivals, leaves = [], [], []
    for _, block in sampled_blocks(population, store.first, store.stop, _MAX_LIVES):
        units = block.units
        leaves.append(population.grain.keys(np.minimum(units.last_period, store.stop)))
        keys.append(unit_keys(block))
        arrivals.append(population.grain.keys(units.arrival))
    spans = {name: pa.array(np.concatenate(dates)) for name, dates in (("arrived", arrivals), ("last", leaves))}
    store.connection.register(name, pa.table({"unit": pa.concat_arrays(keys), **spans}))
    endings = endings_sql(store)
    if endings is None:
        return f"SELECT unit, arrived, last, NULL::BIGINT AS ended FROM {quoted(name)}"
    return (
        f"SELECT l.unit, l.arrived, l.last, e.ended FROM {quoted(name)} AS l LEFT JOIN ({endings}) AS e ON l.unit = e.unit"
    )


def _moment_indexes(table: TablePlan) -> list[int]:
    """Return the indexes of the columns with moments of the rows of a table itself, not of rows it shows or looks up, and
    not by the clocks of each row, which may show another day."""
    if table.time is None or table.spec.cadence == "snapshot":
        return []
    columns = enumerate(table.columns)
    sources = [(index, c.spec.source) for index, c in columns if pa.types.is_timestamp(c.type)]
    return [index for index, source in sources if source.is_moment and source.clock != "row"]


def _moment_tables(population: Population, table: TablePlan) -> frozenset[str] | None:
    return NO_TABLES if _moment_indexes(table) else None


def _moments(store: StoredData, table: TablePlan) -> Iterator[Finding]:
    for index in _moment_indexes(table):
        column = table.columns[index]
        name = column.name
        subject, noun = f"{table.name}.{name}", "moments lie outside their period or out of order"
        scan = table_scan(store, table)
        bounds = scan.select(["date_key", f"from {index}", f"to {index}"]).rename_columns(["date_key", "low", "high"])
        store.connection.register("moments", bounds)
        store.connection.register("judged periods", _period_ends(store, column.spec.source.clock))
        outside_rows = 'FROM "moments" AS m JOIN "judged periods" AS p USING (date_key) WHERE low < begins OR high >= stops'
        has_outside = bool(store.connection.sql(f"SELECT count(*) {outside_rows}").fetchall()[0][0])
        if has_outside or _has_disorder(store, table, column):
            yield tally_finding(subject, noun, _moment_tally(store, table, column))
        else:
            yield count_finding(scan, subject, noun, scan[f"there {index}"], no_faults(scan))


def _period_ends(store: StoredData, clock: Clock = "dataset") -> pa.Table:
    """Return the judged periods as (date_key, begins, stops), by the clocks of the dataset or in UTC."""
    periods = np.arange(store.first, store.stop + 1, dtype=np.int64)
    grain = store.population.grain
    starts = grain.instants(periods) if clock == "utc" else grain.civil_starts(periods).astype("datetime64[us]")
    keys = store.population.grain.keys(periods[:-1])
    return pa.table({"date_key": pa.array(keys), "begins": pa.array(starts[:-1]), "stops": pa.array(starts[1:])})


def _order_sql(store: StoredData, table: TablePlan, column: ColumnPlan) -> str | None:
    """Return the SQL of (date_key, early: whether a moment is before that of the preceding number) for the events of some
    periods; None for tables without numbered rows, and where moments have jitter. Periods are left out in which the clocks
    that show the moments are set back."""
    unit = unit_column(store.population, table)
    key = next((column for column in table.columns if column.spec.source.has_rising_keys), None)
    if store.population.dataset.noise.temporal_jitter > 0 or not table.spec.is_driven or unit is None or key is None:
        return None
    scan = table_scan(store, table)
    keys, row_count = (
        _ordered_keys(store, column, scan["date_key"].drop_null().to_numpy()),
        int(pc.sum(scan["rows"]).as_py() or 0),
    )
    period_list = ", ".join(str(key) for key in keys[:: max(1, row_count // _MAX_EVENTS)])
    digits = rf"TRY_CAST(regexp_extract({quoted(key.name)}, '(\d+)$', 1) AS BIGINT)"
    number = quoted(key.name) if is_number(key.type) else digits
    window = f"PARTITION BY {quoted(unit)}, {quoted(table.time or '')} ORDER BY {number}"
    name = quoted(column.name)
    return (
        f"SELECT {quoted(table.time or '')} AS date_key, {name} < lag({name}) OVER ({window}) AS early "
        f"FROM {store.relation(table)} WHERE {quoted(table.time or '')} IN ({period_list or 'NULL'})"
    )


def _ordered_keys(store: StoredData, column: ColumnPlan, keys: Integers) -> list[int]:
    """Return the date keys among some in whose periods the clocks that show a column's moments are never set back."""
    grain = store.population.grain
    periods = np.arange(store.first, store.stop, dtype=np.int64)
    changes = clock_changes(grain, periods) if column.spec.source.clock == "dataset" else None
    if changes is None:
        return [int(key) for key in keys]
    broken_keys = grain.keys(periods[(changes.after < changes.before).any(axis=1)])
    return [int(key) for key in keys[~np.isin(keys, broken_keys)]]


def _has_disorder(store: StoredData, table: TablePlan, column: ColumnPlan) -> bool:
    sql = _order_sql(store, table, column)
    return sql is not None and bool(store.connection.sql(f"SELECT count(*) FROM ({sql}) WHERE early").fetchall()[0][0])


def _moment_tally(store: StoredData, table: TablePlan, column: ColumnPlan) -> pa.Table:
    order = _order_sql(store, table, column)
    early = f"SELECT date_key, 0 AS checked, count(*) FILTER (WHERE early) AS faults FROM ({order}) GROUP BY 1"
    moment, time = moment_sql(column), quoted(table.time or "")
    outside = (
        f"SELECT p.date_key, count({moment}) AS checked, "
        f"count(*) FILTER (WHERE {moment} < begins OR {moment} >= stops) AS faults "
        f'FROM {store.relation(table)} AS t JOIN "judged periods" AS p ON t.{time} = p.date_key GROUP BY 1'
    )
    tallies = f"{outside} UNION ALL {early}" if order else outside
    sql = f"SELECT date_key, sum(checked) AS checked, sum(faults) AS faults FROM ({tallies}) GROUP BY 1 ORDER BY 1"
    return store.arrow(sql)


def _wrong_end_sql(store: StoredData, end: str) -> str:
    """Return the SQL condition that the last version of a unit has a wrong end: not at the end of its life, or not open
    where the unit still lives. Units outside the sample of lives are not judged."""
    store.connection.register("judged periods", _period_ends(replace(store, first=store.population.first)))
    horizon = store.population.grain.civil_starts(np.array([store.stop], dtype=np.int64)).astype("datetime64[us]")[0]
    is_known = store.first == store.population.first and all(
        ending.table in store.relations for ending in store.population.endings
    )
    ends_early = f"coalesce({end} < TIMESTAMP '{horizon}' AND lives.unit IS NOT NULL, false)" if is_known else "false"
    is_over, fault = f"p.stops < TIMESTAMP '{horizon}'", f"{end} IS DISTINCT FROM p.stops"
    if store.population.endings and not is_known:  # an earlier event may have ended the unit
        fault = f"CASE WHEN lives.ended IS NULL THEN {end} IS NULL OR {end} > p.stops ELSE {fault} END"
    return f"CASE WHEN {is_over} THEN {fault} ELSE {ends_early} END"


def _history_tables(population: Population, table: TablePlan) -> frozenset[str] | None:
    return ending_tables(population) if "valid_from" in table.version_columns else None


def _histories(store: StoredData, table: TablePlan) -> Iterator[Finding]:
    history = table.version_columns
    unit = next(column.name for column in table.columns if column.spec.source.is_key)
    parts = (f"v.{quoted(history[part])}" for part in ("valid_from", "valid_to", "is_current"))
    begin, end, current = parts
    fault = (
        f"{current} != ({end} IS NULL) OR {begin} >= {end} OR CASE WHEN following IS NULL "
        f"THEN {_wrong_end_sql(store, end)} ELSE {end} IS DISTINCT FROM following END"
    )
    next_start = f"lead({begin}) OVER (PARTITION BY v.{quoted(unit)} ORDER BY {begin}) AS following"
    sql = (
        f"SELECT NULL AS date_key, count(*) AS checked, count(*) FILTER (WHERE {fault}) AS faults FROM "
        f"(SELECT {next_start}, v.* FROM {store.full_relation(table)} AS v) AS v "
        f"LEFT JOIN ({_lives_sql(store, table.name)}) AS lives ON v.{quoted(unit)} = lives.unit "
        'LEFT JOIN "judged periods" AS p ON least(lives.last, lives.ended) = p.date_key'
    )
    yield tally_finding(table.name, "versions overlap, leave a gap, or are wrongly current", store.arrow(sql))


for _name, _check in {
    "life_spans_kept": Check("time", "No row lies before its unit arrives or after it ended.", True, _lives, _life_tables),
    "moments_in_period": Check(
        "time", "Moments lie inside their period, and events are numbered in order.", True, _moments, _moment_tables
    ),
    "histories_contiguous": Check(
        "time", "Versions of a unit follow each other without gap, to its end.", True, _histories, _history_tables
    ),
}.items():
    CHECKS.add(_name, _check)
