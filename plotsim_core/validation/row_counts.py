"""Checks of row counts: no period missing or duplicated, and as many rows as units of the roster are there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from plotsim_core.columns.primary_key import date_keys, unit_keys
from plotsim_core.columns.row_relations import parent_of
from plotsim_core.columns.row_targets import is_row_reference
from plotsim_core.engine.block import Block
from plotsim_core.engine.lifetimes import recording
from plotsim_core.engine.roster import NEVER, Units, select
from plotsim_core.engine.silence import may_be_silent, silent_cells
from plotsim_core.engine.slice import Slice
from plotsim_core.engine.strata import strata
from plotsim_core.numerics.arrays import Floats
from plotsim_core.plan.plan import Population, TablePlan
from plotsim_core.plan.sql import quoted
from plotsim_core.tables.kind import table_kind
from plotsim_core.validation.cell_samples import sampled_blocks
from plotsim_core.validation.check import CHECKS, NO_TABLES, TALLY, Check, Finding
from plotsim_core.validation.store import StoredData
from plotsim_core.validation.table_scan import table_scan

_UNITS = 1 << 20
_CELLS = 60_000
"""The size of the sample of cells that is generated anew where stored rows do not show the expected counts."""
_SILENT_CELLS = 1 << 22
"""Cells in which silence is looked for together."""
_STANDARD_ERRORS = 6.0


@dataclass(frozen=True, eq=False)
class UnitBounds:
    """Bounds of the number of units in each judged period, shape (periods,): `most`, `least` (estimated from a sample) and
    `certain` (the units of the sample alone); all equal where the number is known."""

    most: Floats
    least: Floats
    certain: Floats


def expected_units(store: StoredData) -> UnitBounds:
    """Return bounds of the number of units with rows in each judged period, from arrivals, silence and stored endings."""
    return store.cached("expected rows", lambda: _expected_units(store))


def _expected_of(store: StoredData, table: TablePlan) -> UnitBounds:
    """Return bounds of the number of units in each judged period, zero outside the periods of a table."""
    bounds = expected_units(store)
    if table.periods is None:
        return bounds
    periods = np.arange(store.first, store.stop, dtype=np.int64)
    in_range = (periods >= table.periods[0]) & (periods < table.periods[1])
    return UnitBounds(*(np.where(in_range, numbers, 0.0) for numbers in (bounds.most, bounds.least, bounds.certain)))


def unit_column(population: Population, table: TablePlan) -> str | None:
    """Return the column of a table with the key of the unit of each row; of a bridge, its left one if that is a unit. None
    if there is no such column, or it has nulls."""
    if not population.has_units:
        return None
    columns = [name for name in unit_references(table, {population.dimension.name}) if not table.column(name).nullable]
    if table.spec.is_bridge:
        columns = [name for name in columns if name == table.key[0]]
    return next(iter(columns), None)


def link_columns(table: TablePlan) -> tuple[str, ...]:
    """Return the key columns of a bridge; none of other tables."""
    return table.key if table.spec.is_bridge else ()


def unit_references(table: TablePlan, dimensions: set[str]) -> list[str]:
    """Return the columns of a table that refer to dimensions by the key of a unit; not those that a dimension has for its
    own rows."""
    targets = {column.name: column.spec.source.target_name for column in table.columns}
    references = [(name, parent) for name, parent, _ in table.references if parent in dimensions - {table.name}]
    return [name for name, _ in references if targets[name] is not None]


def endings_sql(store: StoredData) -> str | None:
    """Return the SQL of (unit, ended), the date key of the first stored ending of each unit; None if none is stored."""
    population = store.population
    parts = []
    for table in (population.table(ending.table) for ending in population.endings if ending.table in store.relations):
        unit = unit_column(population, table)
        if unit is not None and table.time is not None:
            parts.append(f"SELECT {quoted(unit)} AS unit, {quoted(table.time)} AS ended FROM {store.full_relation(table)}")
    return f"SELECT unit, min(ended) AS ended FROM ({' UNION ALL '.join(parts)}) GROUP BY unit" if parts else None


def _expected_units(store: StoredData) -> UnitBounds:
    population = store.population
    periods = np.arange(store.first, store.stop, dtype=np.int64)
    sql = endings_sql(store)
    endings = store.arrow(f"SELECT unit, ended FROM ({sql})").drop_null() if sql else None
    tenured, upper = np.zeros(len(periods)), np.zeros(len(periods))
    for stratum in strata(population, store.first, store.stop):
        for start in range(stratum.first, stratum.first + stratum.count, _UNITS):
            units = select(population, start, min(start + _UNITS, stratum.first + stratum.count))
            tenured += _recording_counts(population, periods, units, units.last_period)
            if endings is not None and len(endings):
                last_periods = np.minimum(units.last_period, _last_periods(store, units, endings))
                upper += _recording_counts(population, periods, units, last_periods)
    if endings is None or not len(endings):
        upper = tenured
    if not population.endings:
        return UnitBounds(tenured, tenured, tenured)
    if store.first == population.first and all(ending.table in store.relations for ending in population.endings):
        return UnitBounds(upper, upper, upper)
    lower, sample_counts = _lower_bounds(population, periods)
    return UnitBounds(upper, np.minimum(upper, lower), sample_counts)


def _recording_counts(
    population: Population, periods: NDArray[np.int64], units: Units, last_periods: NDArray[np.int64]
) -> Floats:
    """Return the number of units that make rows in each period, from the last period of each."""
    counts = _present_counts(periods, units.arrival, last_periods)
    step = max(1, _SILENT_CELLS // len(units)) if may_be_silent(population) else len(periods) + 1
    for start in range(0, len(periods), step) if may_be_silent(population) else ():
        part = periods[start : start + step]
        is_present = (part[:, None] >= units.arrival[None, :]) & (part[:, None] <= last_periods[None, :])
        is_silent = silent_cells(population, units, int(part[0]), int(part[-1]) + 1)
        counts[start : start + step] -= (is_present & is_silent).sum(axis=1)
    return counts


def _present_counts(periods: NDArray[np.int64], arrivals: NDArray[np.int64], last_periods: NDArray[np.int64]) -> Floats:
    """Return the number of units in each period, from the first and the last period of each unit."""
    arrived_counts = np.searchsorted(np.sort(arrivals), periods, side="right")
    return (arrived_counts - np.searchsorted(np.sort(last_periods[last_periods >= arrivals]), periods, side="left")).astype(
        np.float64
    )


def _last_periods(store: StoredData, units: Units, endings: pa.Table) -> NDArray[np.int64]:
    """Return the last period of each unit by its stored ending; NEVER without one."""
    population = store.population
    keys = unit_keys(Block(population, Slice(store.first, store.stop, units.start, units.stop), units))
    indexes = pc.index_in(keys, endings["unit"].combine_chunks())
    is_ended = np.asarray(pc.is_valid(indexes))
    last_periods = np.full(len(units), NEVER)
    dates = endings["ended"].to_numpy(zero_copy_only=False)[np.asarray(indexes.fill_null(0))[is_ended]]
    periods = np.arange(population.first, store.stop, dtype=np.int64)
    last_periods[is_ended] = periods[np.minimum(np.searchsorted(population.grain.keys(periods), dates), len(periods) - 1)]
    return last_periods


def _lower_bounds(population: Population, periods: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Return (lower bounds of the number of units, units of the sample) by period, from a stratified sample."""
    total, variance, sample_counts = (np.zeros(len(periods)) for _ in range(3))
    first, stop = int(periods[0]), int(periods[-1]) + 1
    for stratum, block in sampled_blocks(population, first, stop, max(1, _CELLS // len(periods))):
        is_recording, sample_size = recording(block), len(block.units)
        recording_share = is_recording.mean(axis=1)
        total += stratum.count * recording_share
        sample_counts += is_recording.sum(axis=1)
        if sample_size < stratum.count:
            variance += stratum.count**2 * np.maximum(recording_share * (1 - recording_share), 1 / sample_size) / sample_size
    return np.maximum(total - _STANDARD_ERRORS * np.sqrt(variance), sample_counts), sample_counts


def _row_counts(store: StoredData, table: TablePlan) -> Floats:
    """Return the number of stored rows of each judged period; invalid date keys are not counted."""
    keys = store.population.grain.keys(np.arange(store.first, store.stop, dtype=np.int64))
    scan = table_scan(store, table)
    counts = dict(zip(scan["date_key"].to_pylist(), scan["rows"].to_pylist(), strict=True))
    return np.array([float(counts.get(key) or 0) for key in keys.tolist()])


def ending_tables(population: Population) -> frozenset[str]:
    """Return the tables of events that end units."""
    return frozenset(ending.table for ending in population.endings)


def _period_tables(population: Population, table: TablePlan) -> frozenset[str] | None:
    return ending_tables(population) if table.spec.has_rows_each_period else None


def _period_findings(store: StoredData, table: TablePlan) -> Iterator[Finding]:
    rows = _row_counts(store, table)
    if table.spec.is_per_cell:
        bounds = _expected_of(store, table)
        yield _period_finding(store, table, np.where(rows == 0, bounds.certain > 0, rows > bounds.most), bounds.most)
    else:
        expected_rows = (
            _simulated_counts(store.population, table, store.first, store.stop) if bool(np.any(rows == 0)) else rows
        )
        yield _period_finding(store, table, (rows == 0) & (expected_rows > 0), expected_rows)


def is_thinned(population: Population, table: TablePlan) -> bool:
    """Return whether a table lacks rows that have no earlier row to refer to; only generating them shows how many."""
    parent = parent_of(table)
    if parent is not None:
        return is_thinned(population, population.table(parent))
    return table.spec.is_driven and any(is_row_reference(c, population) for c in table.columns)


def _simulated_counts(population: Population, table: TablePlan, first: int, stop: int) -> Floats:
    """Return the number of rows of a table in each period for a sample of units, generated anew. It is zero where the
    metric that drives them is hardly ever above zero."""
    periods = np.arange(first, stop, dtype=np.int64)
    counts = np.zeros(len(periods))
    for _, block in sampled_blocks(population, first, stop, max(1, _CELLS // len(periods))):
        counts += np.bincount(table_kind(table).rows_in(table, block).period - first, minlength=len(periods))
    return counts


def _period_finding(store: StoredData, table: TablePlan, is_faulty: NDArray[np.bool_], expected_rows: Floats) -> Finding:
    rows = _row_counts(store, table)
    outside_count = _outside_rows(store, table)
    tally = _tally(store, np.maximum(rows, expected_rows), np.where(is_faulty, np.abs(rows - expected_rows), 0.0))
    numbers = {
        "rows": float(rows.sum()),
        "periods": float(len(rows)),
        "wrong": float(is_faulty.sum()),
        "outside": float(outside_count),
    }
    problems = [
        f"{store.plan.grain.label(store.first + int(index))} has {rows[index]:.0f} rows, not {expected_rows[index]:.0f}"
        for index in np.flatnonzero(is_faulty)[:3]
    ]
    problems += [f"{outside_count} rows lie outside the window"] if outside_count else []
    suffix = f" and {int(is_faulty.sum()) - 3} more periods" if is_faulty.sum() > 3 else ""
    return Finding(table.name, not problems, "; ".join(problems) + suffix or f"{len(rows)} periods", numbers, tally)


def _outside_rows(store: StoredData, table: TablePlan) -> int:
    """Return the number of rows whose date key is null or outside the window."""
    population, time = store.population, quoted(table.time or "")
    last = population.stop - 1 if population.stop is not None else None
    low, *high = population.grain.keys(
        np.array([population.first, *([] if last is None else [last])], dtype=np.int64)
    ).tolist()
    upper_condition = "".join(f" OR {time} > {key}" for key in high)
    sql = f"SELECT count(*) FROM {store.dated_relation(table)} WHERE {time} IS NULL OR {time} < {low}{upper_condition}"
    return int(store.connection.sql(sql).fetchall()[0][0])


def _tally(store: StoredData, checked: Floats, faults: Floats) -> pa.Table:
    keys = date_keys(store.population, np.arange(store.first, store.stop, dtype=np.int64))
    counts = [np.rint(numbers).astype(np.int64) for numbers in (checked, faults)]
    return pa.table([pa.array(column) for column in (keys, *counts)], schema=TALLY)


def _fact_tables(population: Population, table: TablePlan) -> frozenset[str] | None:
    return ending_tables(population) if table.spec.is_per_cell else None


def _row_findings(store: StoredData, table: TablePlan) -> Iterator[Finding]:
    bounds, rows = _expected_of(store, table), _row_counts(store, table)
    is_below = rows < bounds.least
    numbers = {"rows": float(rows.sum()), "most": float(bounds.most.sum()), "least": float(bounds.least.sum())}
    lowest = int(np.argmax(bounds.least - rows))
    message = f"{rows.sum():.0f} rows, {bounds.least.sum():.0f} to {bounds.most.sum():.0f} expected"
    if is_below.any():
        label = store.population.grain.label(store.first + lowest)
        message = f"{label} has {rows[lowest]:.0f} rows, at least {bounds.least[lowest]:.0f} expected"
    tally = _tally(store, np.maximum(rows, bounds.least), np.maximum(bounds.least - rows, 0.0))
    yield Finding(table.name, not is_below.any(), message, numbers, tally)


def _declared_tables(population: Population, table: TablePlan) -> frozenset[str] | None:
    periods = np.array([population.first], dtype=np.int64)
    return None if table_kind(table).declared_rows(table, population, periods) is None else NO_TABLES


def _declared_findings(store: StoredData, table: TablePlan) -> Iterator[Finding]:
    if table.time is None:
        ((count,),) = store.connection.sql(f"SELECT count(*) FROM {store.relation(table)}").fetchall()
        rows, periods = np.array([count]), np.array([store.stop - 1], dtype=np.int64)
    else:
        rows, periods = _row_counts(store, table), np.arange(store.first, store.stop, dtype=np.int64)
    declared = table_kind(table).declared_rows(table, store.population, periods)
    assert declared is not None  # of a table that is judged
    wrong = np.flatnonzero(rows != declared)
    label = f"{store.plan.grain.label(int(periods[wrong[0]]))} has " if table.time is not None and len(wrong) else ""
    message = f"{rows.sum():,.0f} rows, as declared"
    if len(wrong):
        message = f"{label}{rows[wrong[0]]:,.0f} rows, {declared[wrong[0]]:,} declared"
    numbers = {"rows": float(rows.sum()), "declared": float(declared.sum()), "wrong": float(len(wrong))}
    yield Finding(table.name, not len(wrong), message, numbers)


for _name, _check in {
    "periods_complete": Check(
        "structure",
        "No period lacks its rows, and none has more than there are units.",
        True,
        _period_findings,
        _period_tables,
    ),
    "rows_as_expected": Check(
        "structure",
        "Units have a row in every period of their lives, but for those of their silence.",
        False,
        _row_findings,
        _fact_tables,
    ),
    "rows_as_declared": Check(
        "structure",
        "Tables of which the config says how many rows they have are as long.",
        True,
        _declared_findings,
        _declared_tables,
    ),
}.items():
    CHECKS.add(_name, _check)
