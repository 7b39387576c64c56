"""Checks of how many rows there are: no period dropped, none written twice, as many as the roster says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from plotsim_core.columns.happening import looks_back
from plotsim_core.columns.identity import date_keys, key_text, prefix
from plotsim_core.columns.relations import parent_of
from plotsim_core.columns.sibling import MOVING
from plotsim_core.engine.block import Block
from plotsim_core.engine.life import alive
from plotsim_core.engine.roster import NEVER, Units, codes, select
from plotsim_core.engine.slice import Slice
from plotsim_core.engine.strata import Stratum, strata, taken
from plotsim_core.plan.plan import Plan, TablePlan
from plotsim_core.plan.sql import quoted
from plotsim_core.tables.kind import KINDS
from plotsim_core.validation.check import CHECKS, TALLY, Check, Finding
from plotsim_core.validation.scan import scanned
from plotsim_core.validation.store import Store

Floats = NDArray[np.float64]

_UNITS = 1 << 20
_CELLS = 60_000
"""So many cells are asked who is there, and what happens, where stored rows do not tell."""
_ERRORS = 6.0


@dataclass(frozen=True, eq=False)
class Expected:
    """How many units are there in each judged period, shape (periods,): at `most`, at `least` by what a sample lets expect,
    and for `certain`, those of the sample alone; all equal where it is known."""

    most: Floats
    least: Floats
    certain: Floats


def expected(store: Store) -> Expected:
    """Return how many units are there in each judged period, from arrivals and stored endings."""
    return store.kept("expected rows", lambda: _expected(store))


def _of(store: Store, table: TablePlan) -> Expected:
    """Return how many units are there in each judged period that a table has rows of: none in the others."""
    count = expected(store)
    if table.periods is None:
        return count
    periods = np.arange(store.first, store.stop, dtype=np.int64)
    within = (periods >= table.periods[0]) & (periods < table.periods[1])
    return Expected(*(np.where(within, numbers, 0.0) for numbers in (count.most, count.least, count.certain)))


def unit_column(plan: Plan, table: TablePlan) -> str | None:
    """Return the column of a table that refers to the unit that a row is of, by the unit's own key: of a link, its left
    one if that is a unit."""
    own = {dimension.name for dimension in plan.own if dimension.kind == "unit"}
    found = columns_to(table, own)
    if table.kind == "bridge":
        found = [name for name in found if name == table.key[0]]
    return next(iter(found), None)


def links(table: TablePlan) -> tuple[str, ...]:
    """Return the columns of a bridge that say what it links, which may be anyone's; none of other tables."""
    return table.key if table.kind == "bridge" else ()


def columns_to(table: TablePlan, dimensions: set[str]) -> list[str]:
    """Return the columns of a table that refer to dimensions of units by the unit's own key."""
    words = {column.name: column.spec.word for column in table.columns}
    return [name for name, parent, _ in table.references if parent in dimensions and words[name] == "ref"]


def endings_sql(store: Store) -> str | None:
    """Return the SQL of (unit, ended): the date key of each unit's stored end; None where no ending is stored."""
    plan = store.plan
    parts = []
    for table in (plan.table(ending.table) for ending in plan.endings if ending.table in store.relations):
        unit = unit_column(plan, table)
        if unit is not None and table.time is not None:
            parts.append(f"SELECT {quoted(unit)} AS unit, {quoted(table.time)} AS ended FROM {store.place(table)}")
    return f"SELECT unit, min(ended) AS ended FROM ({' UNION ALL '.join(parts)}) GROUP BY unit" if parts else None


def _expected(store: Store) -> Expected:
    plan = store.plan
    periods = np.arange(store.first, store.stop, dtype=np.int64)
    sql = endings_sql(store)
    ended = store.arrow(f"SELECT unit, ended FROM ({sql})").drop_null() if sql else None
    arrived, most = np.zeros(len(periods)), np.zeros(len(periods))
    for part in strata(plan, store.first, store.stop):
        for start in range(part.first, part.first + part.count, _UNITS):
            units = select(plan, start, min(start + _UNITS, part.first + part.count))
            arrived += _there(periods, units.arrival, units.leaves)
            if ended is not None and len(ended):
                most += _there(periods, units.arrival, np.minimum(units.leaves, _ended(store, units, ended)))
    if ended is None or not len(ended):
        most = arrived
    if not plan.endings:
        return Expected(arrived, arrived, arrived)
    if store.first == plan.first and all(ending.table in store.relations for ending in plan.endings):
        return Expected(most, most, most)
    least, certain = _least(plan, periods)
    return Expected(most, np.minimum(most, least), certain)


def _there(periods: NDArray[np.int64], arrival: NDArray[np.int64], last: NDArray[np.int64]) -> Floats:
    """Return how many units are there in each period, from their first and their last."""
    came = np.searchsorted(np.sort(arrival), periods, side="right")
    return (came - np.searchsorted(np.sort(last[last >= arrival]), periods, side="left")).astype(np.float64)


def _ended(store: Store, units: Units, ended: pa.Table) -> NDArray[np.int64]:
    """Return the last period of each unit by what is stored, NEVER where none is."""
    plan = store.plan
    dimension = next(table for table in plan.own if table.kind == "unit")
    keys = key_text(prefix(dimension.spec), pa.array(codes(plan, units)))
    place = pc.index_in(keys, ended["unit"].combine_chunks())
    there = np.asarray(pc.is_valid(place))
    last = np.full(len(units), NEVER)
    dates = ended["ended"].to_numpy(zero_copy_only=False)[np.asarray(pc.fill_null(place, 0))[there]]
    periods = np.arange(plan.first, store.stop, dtype=np.int64)
    last[there] = periods[np.minimum(np.searchsorted(plan.grain.keys(periods), dates), len(periods) - 1)]
    return last


def _least(plan: Plan, periods: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Return how many units are there at least by what a sample of each segment lets expect, and how many of the sample."""
    total, variance, certain = (np.zeros(len(periods)) for _ in range(3))
    for part, block in _sampled(plan, periods):
        there, count = alive(block), len(block.units)
        share = there.mean(axis=1)
        total += part.count * share
        certain += there.sum(axis=1)
        if count < part.count:
            variance += part.count**2 * np.maximum(share * (1 - share), 1 / count) / count
    return np.maximum(total - _ERRORS * np.sqrt(variance), certain), certain


def _sampled(plan: Plan, periods: NDArray[np.int64]) -> Iterator[tuple[Stratum, Block]]:
    """Yield each stratum with a block of some of its units, of about `_CELLS` cells in all."""
    first, stop = int(periods[0]), int(periods[-1]) + 1
    parts = strata(plan, first, stop)
    for part, count in zip(parts, taken(parts, max(1, _CELLS // len(periods)), 20), strict=True):
        yield part, Block(plan, Slice(first, stop, part.first, part.first + count))


def _rows(store: Store, table: TablePlan) -> Floats:
    """Return the rows of each judged period; a key that is no period's counts for none."""
    keys = store.plan.grain.keys(np.arange(store.first, store.stop, dtype=np.int64))
    scan = scanned(store, table)
    found = dict(zip(scan["date_key"].to_pylist(), scan["rows"].to_pylist(), strict=True))
    return np.array([float(found.get(key, 0)) for key in keys.tolist()])


def ending_tables(plan: Plan) -> frozenset[str]:
    """Return the tables that say when units ended."""
    return frozenset(ending.table for ending in plan.endings)


def _with_periods(plan: Plan, table: TablePlan) -> frozenset[str] | None:
    events = table.kind in ("proportional", "variable", "detail")
    return ending_tables(plan) if events or table.kind == "fact" else None


def _complete(store: Store, table: TablePlan) -> Iterator[Finding]:
    rows = _rows(store, table)
    if table.kind == "fact":
        count = _of(store, table)
        yield _finding(store, table, np.where(rows == 0, count.certain > 0, rows > count.most), count.most)
    else:
        some = _happening(store.plan, table, store.first, store.stop) if bool(np.any(rows == 0)) else rows
        yield _finding(store, table, (rows == 0) & (some > 0), some)


def thinned(plan: Plan, table: TablePlan) -> bool:
    """Return whether some rows do not happen because they find nothing to refer to, as many as only making them tells."""
    parent = parent_of(table)
    if parent is not None:
        return thinned(plan, plan.table(parent))
    return table.kind in MOVING and any(looks_back(c, plan) for c in table.columns if c.spec.word == "ref")


def _happening(plan: Plan, table: TablePlan, first: int, stop: int) -> Floats:
    """Return how many rows of a table some units have in each period, as they are made anew: none is expected where their
    metric is hardly ever above zero, and whoever makes them knows that."""
    periods = np.arange(first, stop, dtype=np.int64)
    found = np.zeros(len(periods))
    for _, block in _sampled(plan, periods):
        found += np.bincount(KINDS[table.kind].rows(table, block).period - first, minlength=len(periods))
    return found


def _finding(store: Store, table: TablePlan, wrong: NDArray[np.bool_], wanted: Floats) -> Finding:
    rows = _rows(store, table)
    outside = _outside(store, table)
    tally = _tally(store, np.maximum(rows, wanted), np.where(wrong, np.abs(rows - wanted), 0.0))
    numbers = {
        "rows": float(rows.sum()),
        "periods": float(len(rows)),
        "wrong": float(wrong.sum()),
        "outside": float(outside),
    }
    says = [
        f"{store.plan.grain.label(store.first + int(place))} has {rows[place]:.0f} rows, not {wanted[place]:.0f}"
        for place in np.flatnonzero(wrong)[:3]
    ]
    says += [f"{outside} rows lie outside the window"] if outside else []
    more = f" and {int(wrong.sum()) - 3} more periods" if wrong.sum() > 3 else ""
    return Finding(table.name, not says, "; ".join(says) + more or f"{len(rows)} periods", numbers, tally)


def _outside(store: Store, table: TablePlan) -> int:
    """Return how many rows have a date key of no period of the window, or none at all."""
    plan, time = store.plan, quoted(table.time or "")
    last = plan.stop - 1 if plan.stop is not None else None
    low, *high = plan.grain.keys(np.array([plan.first, *([] if last is None else [last])], dtype=np.int64)).tolist()
    beyond = "".join(f" OR {time} > {key}" for key in high)
    sql = f"SELECT count(*) FROM {store.place(table)} WHERE {time} IS NULL OR {time} < {low}{beyond}"
    return int(store.connection.sql(sql).fetchall()[0][0])


def _tally(store: Store, checked: Floats, faults: Floats) -> pa.Table:
    keys = date_keys(store.plan, np.arange(store.first, store.stop, dtype=np.int64))
    return pa.table([keys, np.rint(checked).astype(np.int64), np.rint(faults).astype(np.int64)], schema=TALLY)


def _a_fact(plan: Plan, table: TablePlan) -> frozenset[str] | None:
    return ending_tables(plan) if table.kind == "fact" else None


def _as_expected(store: Store, table: TablePlan) -> Iterator[Finding]:
    count, rows = _of(store, table), _rows(store, table)
    fewer = rows < count.least
    numbers = {"rows": float(rows.sum()), "most": float(count.most.sum()), "least": float(count.least.sum())}
    worst = int(np.argmax(count.least - rows))
    message = f"{rows.sum():.0f} rows, {count.least.sum():.0f} to {count.most.sum():.0f} expected"
    if fewer.any():
        label = store.plan.grain.label(store.first + worst)
        message = f"{label} has {rows[worst]:.0f} rows, at least {count.least[worst]:.0f} expected"
    tally = _tally(store, np.maximum(rows, count.least), np.maximum(count.least - rows, 0.0))
    yield Finding(table.name, not fewer.any(), message, numbers, tally)


for _name, _check in {
    "periods_complete": Check(
        "structure", "No period lacks its rows, and none has more than there are units.", True, _complete, _with_periods
    ),
    "rows_as_expected": Check("structure", "Units have a row in every period of their lives.", False, _as_expected, _a_fact),
}.items():
    CHECKS.add(_name, _check)
