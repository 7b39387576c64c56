"""Checks that replay stored values of a metric: the stages of a lifecycle, and events at threshold crossings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from plotsim_core.arrow import ArrowArray
from plotsim_core.engine.cohorts import units_by
from plotsim_core.engine.lifecycle import NONE, shares, stage_of, step
from plotsim_core.numerics.arrays import Flags, Floats
from plotsim_core.plan.plan import Population, TablePlan
from plotsim_core.plan.sql import quoted
from plotsim_core.tables.threshold import ThresholdEvent
from plotsim_core.validation.check import CHECKS, NO_TABLES, TALLY, Check, Finding, unjudged
from plotsim_core.validation.row_counts import ending_tables, unit_column
from plotsim_core.validation.store import StoredData
from plotsim_core.validation.table_scan import tally_finding

_CELLS = 2_000_000
"""The approximate number of replayed cells: all periods of some units."""
_LATE_START = "what came before the first of these periods is not looked at"


@dataclass(frozen=True, eq=False)
class Histories:
    """Stored histories of some units: their keys `units`, a mask `has_row` of cells with a row, the `values` of a column
    (NaN where missing) and the `rows` (flat indexes of cells) with `texts` of another column, none unless asked for."""

    units: ArrowArray
    has_row: Flags
    values: Floats
    rows: NDArray[np.int64]
    texts: ArrowArray


def _unit_filter(store: StoredData, unit: str) -> str:
    """Return the SQL condition of a hash sample of units with about `_CELLS` cells."""
    modulus = max(1, round(units_by(store.population, store.stop) * (store.stop - store.population.first) / _CELLS))
    return f"hash({quoted(unit)}) % {modulus} = 0"


def _histories(store: StoredData, fact: TablePlan, metric: str, text: str | None = None) -> Histories:
    unit, time = unit_column(store.population, fact) or "", fact.time or ""
    text_column = f", {quoted(text)} AS text" if text else ""
    sql = (
        f"SELECT {quoted(unit)} AS unit, {quoted(time)} AS date_key, {quoted(metric)}::DOUBLE AS value{text_column} "
        f"FROM {store.relation(fact)} WHERE {_unit_filter(store, unit)} AND {quoted(unit)} IS NOT NULL"
    )
    rows = store.arrow(sql).combine_chunks()
    units = rows["unit"].combine_chunks().unique().sort()
    cells, in_grid = _cell_indexes(store, units, rows)
    values, present = (np.full(store.stop - store.first, fill) for fill in (np.nan, False))
    values, present = (np.repeat(grid[:, None], len(units), axis=1) for grid in (values, present))
    numbers = rows["value"].to_numpy(zero_copy_only=False)
    values.ravel()[cells[in_grid]], present.ravel()[cells[in_grid]] = numbers[in_grid], True
    texts = rows["text"].filter(pa.array(in_grid)).combine_chunks() if text else pa.nulls(0, pa.string())
    return Histories(units, present, values, cells[in_grid], texts)


def _cell_indexes(store: StoredData, units: ArrowArray, rows: pa.Table) -> tuple[NDArray[np.int64], Flags]:
    """Return (flat index, whether it is valid) of each row in the grid of judged periods and units."""
    keys = store.population.grain.keys(np.arange(store.first, store.stop, dtype=np.int64))
    time = rows["date_key"].to_numpy(zero_copy_only=False)
    period = np.minimum(np.searchsorted(keys, time), len(keys) - 1)
    unit = np.asarray(pc.index_in(rows["unit"], units).fill_null(-1)).astype(np.int64)
    return period * len(units) + unit, (keys[period] == time) & (unit >= 0)


def _metric_column(population: Population, table: TablePlan, metric: str) -> str | None:
    """Return the column of a metric in a fact per unit and period; None for other tables."""
    if not table.spec.is_per_cell or unit_column(population, table) is None:
        return None
    return next((column for column, stored in table.stored_metrics.items() if stored == metric), None)


def _tally(store: StoredData, checked: Flags, faults: Flags) -> pa.Table:
    keys = store.population.grain.keys(np.arange(store.first, store.stop, dtype=np.int64))
    counts = [np.count_nonzero(cells, axis=1).astype(np.int64) for cells in (checked, faults)]
    return pa.table([pa.array(column) for column in (keys, *counts)], names=TALLY.names)


def _stage_columns(population: Population, fact: TablePlan) -> tuple[str, str] | None:
    """Return the columns of a fact with the stage of a lifecycle and the metric it tracks; None without both."""
    lifecycle = population.dataset.lifecycle
    column = next((column.name for column in fact.columns if column.spec.source.is_stage), None)
    metric = None if lifecycle is None else _metric_column(population, fact, lifecycle.track)
    return None if column is None or metric is None else (column, metric)


def _stage_tables(population: Population, table: TablePlan) -> frozenset[str] | None:
    return NO_TABLES if _stage_columns(population, table) else None


def _stages(store: StoredData, fact: TablePlan) -> Iterator[Finding]:
    lifecycle, columns = store.population.dataset.lifecycle, _stage_columns(store.population, fact)
    assert lifecycle is not None and columns is not None
    column, metric = columns
    names = pa.array([stage.name for stage in lifecycle.stages])
    start = max(store.first, fact.periods[0] if fact.periods else store.first)
    if lifecycle.enforce_order and start > store.population.first:
        yield unjudged(f"{fact.name}.{column}", _LATE_START)
        return
    histories = _histories(store, fact, metric, column)
    expected_stages = np.zeros(histories.has_row.shape, dtype=np.int64)
    progress = (np.zeros(len(histories.units), dtype=np.int64), np.zeros(len(histories.units), dtype=np.int64))
    for period, row in enumerate(shares(store.population, lifecycle, histories.values)):
        progress = step(lifecycle, progress, row) if lifecycle.enforce_order else (stage_of(lifecycle, row), progress[1])
        expected_stages[period] = progress[0]
    stored_stages = np.full(expected_stages.shape, NONE)
    stored_stages.ravel()[histories.rows] = np.asarray(pc.index_in(histories.texts, names).fill_null(NONE))
    noun = "rows are in another stage than the values of their unit call for"
    yield tally_finding(
        f"{fact.name}.{column}",
        noun,
        _tally(store, histories.has_row, histories.has_row & (stored_stages != expected_stages)),
    )


def _crossing_fact(population: Population, table: TablePlan) -> tuple[TablePlan, str] | None:
    """Return the fact and the column of the metric whose crossings are the events of a table; None for other tables."""
    if not isinstance(table.spec, ThresholdEvent) or unit_column(population, table) is None:
        return None
    columns = ((fact, _metric_column(population, fact, table.spec.metric)) for fact in population.unit_tables)
    return next(((fact, column) for fact, column in columns if column is not None), None)


def _crossing_tables(population: Population, table: TablePlan) -> frozenset[str] | None:
    fact = _crossing_fact(population, table)
    return None if fact is None else ending_tables(population) | {fact[0].name}


def _crossings(store: StoredData, table: TablePlan) -> Iterator[Finding]:
    spec, crossing = table.spec, _crossing_fact(store.population, table)
    assert isinstance(spec, ThresholdEvent) and crossing is not None
    fact, column = crossing
    if fact.name not in store.relations:
        return
    if store.first > store.population.first:
        yield replace(unjudged(table.name, _LATE_START), tables=(fact.name,))
        return
    histories = _histories(store, fact, column)
    events, duplicated = _events(store, table, histories.units)
    is_excused = np.zeros(events.shape, dtype=np.bool_)
    if spec.ends_unit:  # another event may have ended the unit first
        others = [e.table for e in store.population.endings if e.table != table.name and e.table in store.relations]
        for other in others:
            is_excused |= _events(store, store.population.table(other), histories.units)[0]
    expected_events = _expected_crossings(spec, histories.values)
    faults = (events != expected_events) & ~(expected_events & is_excused) | duplicated
    noun = f"events are not where {spec.metric} crossed, or are missing there"
    yield replace(tally_finding(table.name, noun, _tally(store, events | expected_events, faults)), tables=(fact.name,))


def _crossed_tables(population: Population, table: TablePlan) -> frozenset[str]:
    fact = _crossing_fact(population, table)
    return NO_TABLES if fact is None else frozenset({fact[0].name})


def _events(store: StoredData, table: TablePlan, units: ArrowArray) -> tuple[Flags, Flags]:
    """Return masks of cells with an event and of cells with several, shape (periods, units)."""
    unit, time = unit_column(store.population, table) or "", table.time or ""
    sql = (
        f"SELECT {quoted(unit)} AS unit, {quoted(time)} AS date_key FROM {store.relation(table)} "
        f"WHERE {_unit_filter(store, unit)}"
    )
    rows = store.arrow(sql).combine_chunks()
    cells, in_grid = _cell_indexes(store, units, rows)
    counts = np.bincount(cells[in_grid], minlength=(store.stop - store.first) * len(units))
    counts = counts.reshape(store.stop - store.first, len(units))
    return counts > 0, counts > 1


def _expected_crossings(spec: ThresholdEvent, values: Floats) -> Flags:
    """Return a mask of the cells in which a crossing of the threshold is complete, shape (periods, units)."""
    is_beyond = values > spec.above if spec.above is not None else values < (spec.below or 0.0)
    run_length, pause = np.zeros(values.shape[1], dtype=np.int64), np.full(values.shape[1], np.iinfo(np.int64).max)
    crossings = np.zeros(values.shape, dtype=np.bool_)
    for period, row in enumerate(is_beyond):
        run_length = np.where(row, run_length + 1, 0)
        fires = (run_length == spec.periods) & (pause >= (spec.again_after or 1))
        pause = np.where(fires, 1, np.where(pause < np.iinfo(np.int64).max, pause + 1, pause))
        crossings[period] = fires
    return crossings if spec.refire else crossings & (np.cumsum(crossings, axis=0) == 1)


for _name, _check in {
    "stages_as_declared": Check(
        "time", "Each row is in the stage that its unit's values call for.", True, _stages, _stage_tables
    ),
    "crossings_found": Check(
        "time",
        "There is an event wherever a metric crossed its level, and nowhere else.",
        True,
        _crossings,
        _crossing_tables,
        _crossed_tables,
    ),
}.items():
    CHECKS.add(_name, _check)
