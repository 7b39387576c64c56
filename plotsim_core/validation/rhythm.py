"""The check of rhythms: on which weekdays, at which hours and on how many holidays events happened, and how far the means
of metrics lie apart between their quiet and their busy periods."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from plotsim_core.engine.rhythm import days_of, holiday_places, metric_factors, rhythm_of
from plotsim_core.numerics.rhythm import Rhythm
from plotsim_core.plan.plan import Plan, TablePlan
from plotsim_core.plan.sql import quoted
from plotsim_core.validation.chance import chi_square_allowed
from plotsim_core.validation.check import CHECKS, Check, Finding, unjudged
from plotsim_core.validation.residuals import judged_metrics, measured, measuring_tables, residuals
from plotsim_core.validation.rows import ending_tables, endings_sql, thinned, unit_column
from plotsim_core.validation.seasons import contrasted
from plotsim_core.validation.store import Store

Floats = NDArray[np.float64]

_FEWEST = 10.0
"""Classes in which fewer events are expected are put together."""
_PARTS = 8
"""An hour is taken as so many moments where moments are moved."""
_FAR = 4.0
"""So many standard deviations are looked at."""
_MOVES = 0.05
"""Means that are not moved by more are not judged."""


@dataclass(frozen=True, eq=False)
class Counted:
    """How many events there are on each day and at each hour of it: `periods` numbers, `days` counted from 1970-01-01,
    `hours` 0 to 23 and `counts`, as parallel arrays."""

    periods: NDArray[np.int64]
    days: NDArray[np.int64]
    hours: NDArray[np.int64]
    counts: Floats


def _shaped(plan: Plan, table: TablePlan) -> tuple[str, Rhythm] | None:
    """Return the moment of a table's events and the rhythm that it has; None for other tables."""
    shape = rhythm_of(plan, getattr(table.spec, "rhythm", None))
    moment = next((column.name for column in table.columns if column.spec.word == "timestamp"), None)
    if shape is None or moment is None or table.kind not in ("proportional", "variable") or plan.grain.name == "hour":
        return None
    return moment, shape


def _with_rhythm(plan: Plan, table: TablePlan) -> frozenset[str] | None:
    if _shaped(plan, table):
        return ending_tables(plan)
    first = np.array([plan.first])
    moved = any(metric_factors(plan, plan.metrics[metric], first) is not None for metric in measured(plan, table))
    return measuring_tables(plan) if moved else None


def _rhythms(store: Store, table: TablePlan) -> Iterator[Finding]:
    shaped = _shaped(store.plan, table)
    if shaped is None:
        yield from _means(store, table)
    elif thinned(store.plan, table):
        yield unjudged(table.name, "the later a row, the more there is before it that it can refer to")
    elif store.plan.endings and endings_sql(store) is None:
        yield unjudged(table.name, "when units ended is not stored")
    else:
        yield from _shapes(store, table, *shaped)


def _shapes(store: Store, table: TablePlan, moment: str, shape: Rhythm) -> Iterator[Finding]:
    plan = store.plan
    seen = _counted(store, table, moment)
    periods, place = np.unique(seen.periods, return_inverse=True)
    total = _sums(place, seen.counts, len(periods))
    weights = days_of(plan, shape, periods)
    first = plan.grain.starts(periods).astype("datetime64[D]").astype(np.int64)
    days = first[:, None] + np.arange(weights.shape[1])[None, :]
    shares = weights[:, :, None] * (np.array(shape.hours) / 24.0)
    shares = _recorded(plan, periods, shares / shares.sum(axis=(1, 2), keepdims=True))
    wanted = total[:, None] * shares.sum(axis=2)
    if plan.grain.name != "day":
        found = _sums((seen.days + 3) % 7, seen.counts, 7)
        yield _judged(plan, f"{table.name} by weekday", found, _sums(((days + 3) % 7).ravel(), wanted.ravel(), 7))
        if shape.holiday != 1.0:
            free = [holiday_places(plan.dataset.calendar, these)[1] >= 0 for these in (seen.days, days)]
            found = _sums(free[0].astype(np.int64), seen.counts, 2)
            usual = _sums(free[1].ravel().astype(np.int64), wanted.ravel(), 2)
            yield _judged(plan, f"{table.name} on holidays", found, usual)
    hours = (total[:, None] * shares.sum(axis=1)).sum(axis=0)
    yield _judged(plan, f"{table.name} by hour", _sums(seen.hours, seen.counts, 24), hours)


def _recorded(plan: Plan, periods: NDArray[np.int64], shares: Floats) -> Floats:
    """Return the shares, shape (periods, days, hours), of what is recorded in each hour, of those of what happens in it."""
    jitter = plan.dataset.noise.temporal_jitter * 24
    if jitter == 0:
        return shares
    found = np.zeros(shares.shape)
    lengths = (plan.grain.seconds(periods) // 3600).astype(np.int64)
    for hours in np.unique(lengths).tolist():
        here = lengths == hours
        flat = shares[here].reshape(int(here.sum()), -1)
        flat[:, :hours] = flat[:, :hours] @ _moved(hours, jitter)
        found[here] = flat.reshape(-1, *shares.shape[1:])
    return found


def _moved(hours: int, jitter: float) -> Floats:
    """Return how much of each hour of a period is recorded in each, shape (from, to), by a normal jitter of so many hours
    that is reflected at both ends of the period."""
    edges = np.arange(hours + 1, dtype=np.float64)
    found = np.zeros((hours, hours))
    for part in (np.arange(_PARTS) + 0.5) / _PARTS:
        at = edges[:-1, None] + part
        for turn in range(-1 - int(_FAR * jitter / hours), 2 + int(_FAR * jitter / hours)):
            for image in (2 * hours * turn + at, 2 * hours * turn - at):
                found += np.diff(ndtr((edges - image) / jitter), axis=1)
    return found / _PARTS


def _counted(store: Store, table: TablePlan, moment: str) -> Counted:
    """Return how many events of units that did not end in their period there are on each day at each hour."""
    unit, time = quoted(unit_column(store.plan, table) or ""), quoted(table.time or "")
    ended = endings_sql(store) if store.plan.endings else None
    left = f"LEFT JOIN ({ended}) AS e ON t.{unit} = e.unit WHERE e.ended IS NULL OR t.{time} < e.ended" if ended else ""
    sql = (
        f"SELECT t.{time} AS date_key, t.{quoted(moment)}::DATE AS day, hour(t.{quoted(moment)}) AS hour, count(*) AS n "
        f"FROM {store.relation(table)} AS t {left} GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
    )
    found = store.arrow(sql).drop_null()
    periods = np.arange(store.first, store.stop, dtype=np.int64)
    keys = store.plan.grain.keys(periods)
    place = np.minimum(np.searchsorted(keys, found["date_key"].to_numpy()), len(keys) - 1)
    days = found["day"].to_numpy().astype("datetime64[D]").astype(np.int64)
    hours = found["hour"].to_numpy().astype(np.int64)
    return Counted(periods[place], days, hours, found["n"].to_numpy().astype(np.float64))


def _sums(classes: NDArray[np.int64], counts: Floats, most: int) -> Floats:
    """Return what counts add up to in each of `most` classes."""
    return np.bincount(classes, counts, most).astype(np.float64)


def _judged(plan: Plan, subject: str, found: Floats, wanted: Floats) -> Finding:
    """Return the finding of counts against expected ones: Pearson's chi-square, which is smaller still where totals per
    period are given. Where none is expected, none may be."""
    events, astray = float(found.sum()), float(found[wanted == 0].sum())
    numbers = {"events": events, "astray": astray}
    if astray:
        return Finding(subject, False, f"{astray:.0f} of {events:.0f} events are where none may be", numbers)
    found, wanted = _gathered(found, wanted)
    if len(wanted) < 2:
        return unjudged(subject, f"too few events, {events:.0f}", numbers)
    statistic, free = float(np.sum((found - wanted) ** 2 / wanted)), len(wanted) - 1
    allowed = chi_square_allowed(plan, free)
    numbers |= {"found": statistic, "expected": float(free), "allowed": allowed}
    message = f"{events:.0f} events lie {statistic:.1f} from the declared shares (chi-square), at most {allowed:.1f}"
    return Finding(subject, statistic <= allowed, message, numbers)


def _gathered(found: Floats, wanted: Floats) -> tuple[Floats, Floats]:
    """Return counts with classes put together, the smallest first, until each is expected to have enough."""
    order = np.argsort(wanted, kind="stable")
    sums = np.cumsum(wanted[order])
    few = int(np.searchsorted(sums, _FEWEST)) + 1 if len(sums) and sums[-1] >= _FEWEST else len(sums)
    while few < len(order) and wanted[order[few]] < _FEWEST:  # what lies above the sum may be small itself
        few += 1
    starts = np.append(0, np.arange(few, len(order)))
    return np.add.reduceat(found[order], starts), np.add.reduceat(wanted[order], starts)


def _means(store: Store, table: TablePlan) -> Iterator[Finding]:
    seen = residuals(store)
    for metric in judged_metrics(seen, table):
        factors = metric_factors(seen.plan, seen.plan.metrics[metric], seen.periods)
        if factors is None:
            continue
        quiet = factors < float(np.median(factors))
        if not quiet.any():
            quiet = factors <= float(np.median(factors))
        if quiet.all():
            continue
        change = float(factors[quiet].mean() / factors[~quiet].mean()) - 1.0
        if abs(change) > _MOVES:
            yield contrasted(store, metric, f"{seen.plan.metrics[metric].name} in quiet periods", change, quiet, ~quiet)


CHECKS.add(
    "rhythm_as_declared",
    Check(
        "behaviour", "Events, and means of days and hours, have the rhythm that is declared.", False, _rhythms, _with_rhythm
    ),
)
