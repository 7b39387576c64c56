"""Checks that go through the stored values of a metric again: stages of a lifecycle, and events that it crossed a level."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from plotsim_core.engine.cohorts import units_by
from plotsim_core.engine.stages import NONE, reached, shares, step
from plotsim_core.plan.plan import Plan, TablePlan
from plotsim_core.plan.sql import quoted
from plotsim_core.tables.threshold import ThresholdEvent
from plotsim_core.validation.check import CHECKS, NO_TABLES, TALLY, Check, Finding, unjudged
from plotsim_core.validation.rows import ending_tables, unit_column
from plotsim_core.validation.scan import tallied
from plotsim_core.validation.store import Store

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

_CELLS = 2_000_000
"""About so many cells are looked at: all periods of some units."""
_LATE = "what came before the first of these periods is not looked at"


@dataclass(frozen=True, eq=False)
class Histories:
    """What a fact holds of some units: `units` their keys, `there` where they have a row, `values` of a column (NaN where
    one is missing) and the `rows` (places in the grid of periods and units) with `texts` of another column, if asked for."""

    units: pa.Array
    there: Flags
    values: Floats
    rows: NDArray[np.int64]
    texts: pa.Array | None


def _some(store: Store, unit: str) -> str:
    """Return the SQL condition that takes some units, all periods of which are about `_CELLS` cells."""
    every = max(1, round(units_by(store.plan, store.stop) * (store.stop - store.plan.first) / _CELLS))
    return f"hash({quoted(unit)}) % {every} = 0"


def _histories(store: Store, fact: TablePlan, metric: str, text: str | None = None) -> Histories:
    unit, time = unit_column(store.plan, fact) or "", fact.time or ""
    more = f", {quoted(text)} AS text" if text else ""
    sql = (
        f"SELECT {quoted(unit)} AS unit, {quoted(time)} AS date_key, {quoted(metric)}::DOUBLE AS value{more} "
        f"FROM {store.relation(fact)} WHERE {_some(store, unit)} AND {quoted(unit)} IS NOT NULL"
    )
    found = store.arrow(sql).combine_chunks()
    units = pc.unique(found["unit"]).sort()
    cell, known = _cells(store, units, found)
    values, there = (np.full(store.stop - store.first, fill) for fill in (np.nan, False))
    values, there = (np.repeat(grid[:, None], len(units), axis=1) for grid in (values, there))
    read = found["value"].to_numpy(zero_copy_only=False)
    values.ravel()[cell[known]], there.ravel()[cell[known]] = read[known], True
    texts = found["text"].filter(pa.array(known)).combine_chunks() if text else None
    return Histories(units, there, values, cell[known], texts)


def _cells(store: Store, units: pa.Array, found: pa.Table) -> tuple[NDArray[np.int64], Flags]:
    """Return the place of each row in the grid of judged periods and units, and whether it has one."""
    keys = store.plan.grain.keys(np.arange(store.first, store.stop, dtype=np.int64))
    time = found["date_key"].to_numpy(zero_copy_only=False)
    period = np.minimum(np.searchsorted(keys, time), len(keys) - 1)
    unit = np.asarray(pc.fill_null(pc.index_in(found["unit"], units), -1)).astype(np.int64)
    return period * len(units) + unit, (keys[period] == time) & (unit >= 0)


def _holding(plan: Plan, table: TablePlan, metric: str) -> str | None:
    """Return the column of a fact that holds a metric for each unit and period; None for other tables."""
    if table.kind != "fact" or unit_column(plan, table) is None:
        return None
    return next((column.name for column in table.columns if column.spec.type == f"metric.{metric}"), None)


def _tally(store: Store, checked: Flags, faults: Flags) -> pa.Table:
    keys = store.plan.grain.keys(np.arange(store.first, store.stop, dtype=np.int64))
    counts = [np.count_nonzero(cells, axis=1).astype(np.int64) for cells in (checked, faults)]
    return pa.table([keys, *counts], names=TALLY.names)


def _staged(plan: Plan, fact: TablePlan) -> tuple[str, str] | None:
    """Return the columns of a fact that hold a lifecycle's stage and the metric that it follows; None without both."""
    lifecycle = plan.dataset.lifecycle
    column = next((column.name for column in fact.columns if column.spec.word == "stage"), None)
    metric = None if lifecycle is None else _holding(plan, fact, lifecycle.track)
    return None if column is None or metric is None else (column, metric)


def _with_stages(plan: Plan, table: TablePlan) -> frozenset[str] | None:
    return NO_TABLES if _staged(plan, table) else None


def _stages(store: Store, fact: TablePlan) -> Iterator[Finding]:
    lifecycle, columns = store.plan.dataset.lifecycle, _staged(store.plan, fact)
    assert lifecycle is not None and columns is not None
    column, metric = columns
    names = pa.array([stage.name for stage in lifecycle.stages])
    begins = max(store.first, fact.periods[0] if fact.periods else store.first)
    if lifecycle.enforce_order and begins > store.plan.first:
        yield unjudged(f"{fact.name}.{column}", _LATE)
        return
    seen = _histories(store, fact, metric, column)
    wanted = np.zeros(seen.there.shape, dtype=np.int64)
    walk = (np.zeros(len(seen.units), dtype=np.int64), np.zeros(len(seen.units), dtype=np.int64))
    for period, row in enumerate(shares(store.plan, lifecycle, seen.values)):
        walk = step(lifecycle, walk, row) if lifecycle.enforce_order else (reached(lifecycle, row), walk[1])
        wanted[period] = walk[0]
    stored = np.full(wanted.shape, NONE)
    stored.ravel()[seen.rows] = np.asarray(pc.fill_null(pc.index_in(seen.texts, names), NONE))
    noun = "rows are in another stage than the values of their unit call for"
    yield tallied(f"{fact.name}.{column}", noun, _tally(store, seen.there, seen.there & (stored != wanted)))


def _crossed_fact(plan: Plan, table: TablePlan) -> tuple[TablePlan, str] | None:
    """Return the fact whose metric crosses a level where a table has events, and its column; None for other tables."""
    if not isinstance(table.spec, ThresholdEvent) or unit_column(plan, table) is None:
        return None
    columns = ((fact, _holding(plan, fact, table.spec.metric)) for fact in plan.own)
    return next(((fact, column) for fact, column in columns if column is not None), None)


def _with_crossings(plan: Plan, table: TablePlan) -> frozenset[str] | None:
    fact = _crossed_fact(plan, table)
    return None if fact is None else ending_tables(plan) | {fact[0].name}


def _crossings(store: Store, table: TablePlan) -> Iterator[Finding]:
    spec, held = table.spec, _crossed_fact(store.plan, table)
    assert isinstance(spec, ThresholdEvent) and held is not None
    fact, column = held
    if fact.name not in store.relations:
        return
    if store.first > store.plan.first:
        yield replace(unjudged(table.name, _LATE), tables=(fact.name,))
        return
    seen = _histories(store, fact, column)
    events, doubled = _events(store, table, seen.units)
    excused = np.zeros(events.shape, dtype=np.bool_)
    if spec.ends_unit:  # another event may have ended the unit earlier in that period
        others = [e.table for e in store.plan.endings if e.table != table.name and e.table in store.relations]
        for other in others:
            excused |= _events(store, store.plan.table(other), seen.units)[0]
    wanted = _crossed(spec, seen.values)
    faults = (events != wanted) & ~(wanted & excused) | doubled
    noun = f"events are not where {spec.metric} crossed, or are missing there"
    yield replace(tallied(table.name, noun, _tally(store, events | wanted, faults)), tables=(fact.name,))


def _crossed_table(plan: Plan, table: TablePlan) -> frozenset[str]:
    fact = _crossed_fact(plan, table)
    return NO_TABLES if fact is None else frozenset({fact[0].name})


def _events(store: Store, table: TablePlan, units: pa.Array) -> tuple[Flags, Flags]:
    """Return where the units have an event, and where more than one, shape (periods, units)."""
    unit, time = unit_column(store.plan, table) or "", table.time or ""
    sql = (
        f"SELECT {quoted(unit)} AS unit, {quoted(time)} AS date_key FROM {store.relation(table)} WHERE {_some(store, unit)}"
    )
    found = store.arrow(sql).combine_chunks()
    cell, known = _cells(store, units, found)
    counts = np.bincount(cell[known], minlength=(store.stop - store.first) * len(units))
    counts = counts.reshape(store.stop - store.first, len(units))
    return counts > 0, counts > 1


def _crossed(spec: ThresholdEvent, values: Floats) -> Flags:
    """Return where a crossing is complete that makes an event, shape (periods, units)."""
    beyond = values > spec.above if spec.above is not None else values < (spec.below or 0.0)
    length, quiet = np.zeros(values.shape[1], dtype=np.int64), np.full(values.shape[1], np.iinfo(np.int64).max)
    result = np.zeros(values.shape, dtype=np.bool_)
    for period, row in enumerate(beyond):
        length = np.where(row, length + 1, 0)
        fires = (length == spec.periods) & (quiet >= (spec.again_after or 1))
        quiet = np.where(fires, 1, np.where(quiet < np.iinfo(np.int64).max, quiet + 1, quiet))
        result[period] = fires
    return result if spec.refire else result & (np.cumsum(result, axis=0) == 1)


for _name, _check in {
    "stages_as_declared": Check(
        "time", "Each row is in the stage that its unit's values call for.", True, _stages, _with_stages
    ),
    "crossings_found": Check(
        "time",
        "There is an event wherever a metric crossed its level, and nowhere else.",
        True,
        _crossings,
        _with_crossings,
        _crossed_table,
    ),
}.items():
    CHECKS.add(_name, _check)
