"""The check of rhythms: events by weekday, hour and holiday (chi-square test), and the means of metrics in quiet against
busy periods."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from plotsim_core.config.calendar_days import holiday_places
from plotsim_core.engine.rhythm import days_of, metric_factors, rhythm_of
from plotsim_core.numerics.arrays import Floats
from plotsim_core.numerics.clock_changes import clock_changes
from plotsim_core.numerics.rhythm import Rhythm
from plotsim_core.plan.plan import ColumnPlan, Population, TablePlan
from plotsim_core.plan.sql import quoted
from plotsim_core.validation.chance import chi_square_allowed
from plotsim_core.validation.check import CHECKS, Check, Finding, unjudged
from plotsim_core.validation.moments import moment_column, moment_sql
from plotsim_core.validation.residuals import judged_metrics, metric_facts, metrics_judged_by, residuals
from plotsim_core.validation.row_counts import ending_tables, endings_sql, is_thinned, unit_column
from plotsim_core.validation.seasons import contrast_finding
from plotsim_core.validation.store import StoredData

_MIN_EXPECTED = 10.0
"""The least expected count of a class; smaller classes are merged."""
_PARTS = 8
"""The number of moments that stand for an hour in the matrix of jitter."""
_STRETCH = 15
"""The minutes in which events are counted together: clocks of zones differ by whole numbers of them."""
_REACH = 4.0
"""The reach of jitter, in standard deviations."""
_MIN_CHANGE = 0.05
"""The least relative change of a mean that is judged."""


@dataclass(frozen=True, eq=False)
class EventCounts:
    """Counts of events by day and hour, as parallel arrays: period numbers, `days` since 1970-01-01, `hours` 0 to 23 and
    `counts`."""

    periods: NDArray[np.int64]
    days: NDArray[np.int64]
    hours: NDArray[np.int64]
    counts: Floats


def _event_rhythm(population: Population, table: TablePlan) -> tuple[ColumnPlan, Rhythm] | None:
    """Return the column with the moment of events and their rhythm; None for tables without."""
    rhythm = rhythm_of(population, table.spec.row_rhythm)
    moment = moment_column(table, "dataset", "utc")
    if rhythm is None or moment is None or not table.spec.is_driven or population.grain.is_part_of_day:
        return None
    return moment, rhythm


def _rhythm_tables(population: Population, table: TablePlan) -> frozenset[str] | None:
    if _event_rhythm(population, table):
        return ending_tables(population)
    first = np.array([population.first])
    is_moved = any(
        metric_factors(population, population.metrics[metric], first) is not None
        for metric in metrics_judged_by(population, table)
    )
    return metric_facts(population) if is_moved else None


def _rhythms(store: StoredData, table: TablePlan) -> Iterator[Finding]:
    event_rhythm = _event_rhythm(store.population, table)
    if event_rhythm is None:
        yield from _metric_findings(store, table)
    elif is_thinned(store.population, table):
        yield unjudged(table.name, "the later a row, the more there is before it that it can refer to")
    elif store.population.endings and endings_sql(store) is None:
        yield unjudged(table.name, "when units ended is not stored")
    else:
        yield from _event_findings(store, table, *event_rhythm)


def _event_findings(store: StoredData, table: TablePlan, moment: ColumnPlan, rhythm: Rhythm) -> Iterator[Finding]:
    population = store.population
    events = _event_counts(store, table, moment)
    periods, index = np.unique(events.periods, return_inverse=True)
    totals = _class_sums(index, events.counts, len(periods))
    weights = days_of(population, rhythm, periods)
    first_days = population.grain.civil_starts(periods).astype("datetime64[D]").astype(np.int64)
    days = first_days[:, None] + np.arange(weights.shape[1])[None, :]
    shares = weights[:, :, None] * (np.array(rhythm.hours) / 24.0)
    changes = clock_changes(population.grain, periods)
    if changes is not None:
        shares = shares * changes.real_hours(weights.shape[1])
    shares = _recorded_shares(population, periods, shares / shares.sum(axis=(1, 2), keepdims=True))
    expected = totals[:, None] * shares.sum(axis=2)
    if not population.grain.is_within_day:
        counts = _class_sums((events.days + 3) % 7, events.counts, 7)
        yield _chi_square_finding(
            population, f"{table.name} by weekday", counts, _class_sums(((days + 3) % 7).ravel(), expected.ravel(), 7)
        )
        if rhythm.holiday != 1.0:
            is_holiday = [holiday_places(population.dataset.calendar, dates)[1] >= 0 for dates in (events.days, days)]
            counts = _class_sums(is_holiday[0].astype(np.int64), events.counts, 2)
            expected_counts = _class_sums(is_holiday[1].ravel().astype(np.int64), expected.ravel(), 2)
            yield _chi_square_finding(population, f"{table.name} on holidays", counts, expected_counts)
    hours = (totals[:, None] * shares.sum(axis=1)).sum(axis=0)
    yield _chi_square_finding(population, f"{table.name} by hour", _class_sums(events.hours, events.counts, 24), hours)


def _recorded_shares(population: Population, periods: NDArray[np.int64], shares: Floats) -> Floats:
    """Return the shares of events recorded in each hour, shape (periods, days, hours), from the shares that happen in it."""
    jitter = population.dataset.noise.temporal_jitter * 24
    if jitter == 0:
        return shares
    recorded = np.zeros(shares.shape)
    starts, stops = (population.grain.civil_starts(periods + offset).astype("datetime64[h]") for offset in (0, 1))
    lengths = (stops - starts).astype(np.int64)
    for hours in np.unique(lengths).tolist():
        has_length = lengths == hours
        flat = shares[has_length].reshape(int(has_length.sum()), -1)
        flat[:, :hours] = flat[:, :hours] @ _jitter_matrix(hours, jitter)
        recorded[has_length] = flat.reshape(-1, *shares.shape[1:])
    return recorded


def _jitter_matrix(hours: int, jitter: float) -> Floats:
    """Return the share of each hour that is recorded in each other, shape (from, to), by a normal jitter of so many hours,
    reflected at both ends of the period (method of images)."""
    edges = np.arange(hours + 1, dtype=np.float64)
    matrix = np.zeros((hours, hours))
    for offset in (np.arange(_PARTS) + 0.5) / _PARTS:
        moments = edges[:-1, None] + offset
        for reflection in range(-1 - int(_REACH * jitter / hours), 2 + int(_REACH * jitter / hours)):
            for image in (2 * hours * reflection + moments, 2 * hours * reflection - moments):
                matrix += np.diff(ndtr((edges - image) / jitter), axis=1)
    return matrix / _PARTS


def _event_counts(store: StoredData, table: TablePlan, moment: ColumnPlan) -> EventCounts:
    """Return the counts of events by day and hour, without the events of units in the period of their end."""
    unit, time = quoted(unit_column(store.population, table) or ""), quoted(table.time or "")
    ended = endings_sql(store) if store.population.endings else None
    endings_join = (
        f"LEFT JOIN ({ended}) AS e ON t.{unit} = e.unit WHERE e.ended IS NULL OR t.{time} < e.ended" if ended else ""
    )
    sql = (
        f"SELECT t.{time} AS date_key, time_bucket(INTERVAL '{_STRETCH} minutes', {moment_sql(moment, 't.')}) AS stretch, "
        f"count(*) AS n FROM {store.relation(table)} AS t {endings_join} GROUP BY 1, 2 ORDER BY 1, 2"
    )
    rows = store.arrow(sql).drop_null()
    periods = np.arange(store.first, store.stop, dtype=np.int64)
    keys = store.population.grain.keys(periods)
    index = np.minimum(np.searchsorted(keys, rows["date_key"].to_numpy()), len(keys) - 1)
    stretches = rows["stretch"].to_numpy().astype("datetime64[us]")
    shown = store.population.grain.local(stretches) if moment.spec.source.clock == "utc" else stretches
    days = shown.astype("datetime64[D]")
    hours = (shown.astype("datetime64[h]") - days).astype(np.int64)
    return EventCounts(periods[index], days.astype(np.int64), hours, rows["n"].to_numpy().astype(np.float64))


def _class_sums(classes: NDArray[np.int64], counts: Floats, class_count: int) -> Floats:
    """Return the sum of counts in each class."""
    return np.bincount(classes, counts, class_count).astype(np.float64)


def _chi_square_finding(population: Population, subject: str, counts: Floats, expected: Floats) -> Finding:
    """Judge counts against expected ones by Pearson's chi-square, which is even smaller where totals per period are given.
    Classes without expected events have to be empty."""
    events, astray = float(counts.sum()), float(counts[expected == 0].sum())
    numbers = {"events": events, "astray": astray}
    if astray:
        return Finding(subject, False, f"{astray:.0f} of {events:.0f} events are where none may be", numbers)
    counts, expected = _merged_classes(counts, expected)
    if len(expected) < 2:
        return unjudged(subject, f"too few events, {events:.0f}", numbers)
    statistic, freedom = float(np.sum((counts - expected) ** 2 / expected)), len(expected) - 1
    allowed = chi_square_allowed(population, freedom)
    numbers |= {"found": statistic, "expected": float(freedom), "allowed": allowed}
    message = f"{events:.0f} events lie {statistic:.1f} from the declared shares (chi-square), at most {allowed:.1f}"
    return Finding(subject, statistic <= allowed, message, numbers)


def _merged_classes(counts: Floats, expected: Floats) -> tuple[Floats, Floats]:
    """Return counts of merged classes: the smallest are put together until each has `_MIN_EXPECTED` expected events."""
    order = np.argsort(expected, kind="stable")
    sums = np.cumsum(expected[order])
    merged_count = int(np.searchsorted(sums, _MIN_EXPECTED)) + 1 if len(sums) and sums[-1] >= _MIN_EXPECTED else len(sums)
    # the next class may be too small on its own
    while merged_count < len(order) and expected[order[merged_count]] < _MIN_EXPECTED:
        merged_count += 1
    starts = np.append(0, np.arange(merged_count, len(order)))
    return np.add.reduceat(counts[order], starts), np.add.reduceat(expected[order], starts)


def _metric_findings(store: StoredData, table: TablePlan) -> Iterator[Finding]:
    sample = residuals(store)
    for metric in judged_metrics(sample, table):
        factors = metric_factors(sample.population, sample.population.metrics[metric], sample.periods)
        if factors is None:
            continue
        is_quiet = factors < float(np.median(factors))
        if not is_quiet.any():
            is_quiet = factors <= float(np.median(factors))
        if is_quiet.all():
            continue
        change = float(factors[is_quiet].mean() / factors[~is_quiet].mean()) - 1.0
        if abs(change) > _MIN_CHANGE:
            subject = f"{sample.population.metrics[metric].name} in quiet periods"
            yield contrast_finding(store, metric, subject, change, is_quiet[:, None], ~is_quiet[:, None])


CHECKS.add(
    "rhythm_as_declared",
    Check(
        "behaviour",
        "Events, and means of days and hours, have the rhythm that is declared.",
        False,
        _rhythms,
        _rhythm_tables,
    ),
)
