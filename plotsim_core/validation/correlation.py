"""Checks of connections between metrics: declared correlations (partial ones, given the trajectory) and lags.

Noise weakens correlations (attenuation): the expected one is the declared coefficient times the fidelity of both metrics.
Where units end, survivors differ from the others: that selection bias is measured on true values, and added.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np

from plotsim_core.config.connections import Connection
from plotsim_core.engine.pooled import expected as pooled
from plotsim_core.numerics.arrays import Flags, Floats
from plotsim_core.numerics.estimates import correlation
from plotsim_core.plan.correlations import connection_masks, subject
from plotsim_core.plan.plan import Population, TablePlan
from plotsim_core.validation.check import CHECKS, Check, Finding, unjudged
from plotsim_core.validation.judgement import MIN_UNITS, Measure, Measurement, judgement
from plotsim_core.validation.residuals import Residuals, fact_of_metric, metric_facts, metrics_judged_by, residuals
from plotsim_core.validation.store import StoredData

_BIAS = 0.02
"""The allowed bias of correlations (docs: within 0.02)."""
_MAX_ALLOWED = 0.5
"""The largest allowed deviation at which a correlation is judged: beyond it hardly any fault shows."""


def _correlation_finding(store: StoredData, subject: str, measure: Measure, details: dict[str, float]) -> Finding:
    verdict = judgement(store, measure, _BIAS)
    if verdict is None:
        return unjudged(subject, f"too few units with both, at least {MIN_UNITS} are needed", details)
    value, expected = verdict.estimate.value, verdict.estimate.expected
    numbers = {**details, "expected": expected, "found": value, "allowed": verdict.allowed}
    if not verdict.is_rejected and verdict.allowed >= _MAX_ALLOWED:
        return unjudged(subject, f"too few rows, found {value:.2f} \u00b1 {verdict.allowed:.2f}", numbers)
    message = f"declared {details['declared']:.2f}, expected {expected:.2f}, found {value:.2f} \u00b1 {verdict.allowed:.2f}"
    return Finding(subject, not verdict.is_rejected, message, numbers)


def _metric_pairs(population: Population) -> set[tuple[int, int]]:
    """Return the pairs of connected metrics, in any phase."""
    dataset = population.dataset
    connections = (
        *dataset.connections,
        *(connection for phase in dataset.connection_phases for connection in phase.connections),
    )
    return {
        (population.metric_index(connection.metric_a), population.metric_index(connection.metric_b))
        for connection in connections
    }


def _partner_facts(population: Population, table: TablePlan) -> frozenset[str]:
    """Return the facts with the second metric of connections whose first metric is judged by a table."""
    metrics = metrics_judged_by(population, table)
    partners = {fact_of_metric(population, second) for first, second in _metric_pairs(population) if first in metrics}
    return frozenset(name for name in partners if name is not None)


def _correlation_tables(population: Population, table: TablePlan) -> frozenset[str] | None:
    return metric_facts(population) if _partner_facts(population, table) else None


def _correlations(store: StoredData, table: TablePlan) -> Iterator[Finding]:
    sample, metrics = residuals(store), metrics_judged_by(store.population, table)
    for connection, phase, in_force in connection_masks(store.population, sample.periods):
        first, second = (store.population.metric_index(name) for name in (connection.metric_a, connection.metric_b))
        if first not in metrics or first not in sample.stored or second not in sample.stored or not in_force.any():
            continue
        raw = correlation(sample.values[first][in_force], sample.values[second][in_force])
        details = {"declared": connection.coefficient, "pooled": raw[0]}
        measure = partial(_pair_correlation, connection=connection, pair=(first, second), in_force=in_force)
        yield replace(
            _correlation_finding(store, subject(store.population, connection, phase), measure, details),
            tables=_other_fact(store.population, table, second),
        )


def _pair_correlation(
    sample: Residuals, connection: Connection, pair: tuple[int, int], in_force: Flags
) -> Measurement | None:
    """Measure the correlation of a pair of metrics in the periods in which their connection is in force."""
    if connection.pooled:
        stored, true_values = sample.values, [sample.true[m][in_force] for m in pair]
        fidelity = [correlation(sample.stored_true_values(m), sample.noised[m])[0] for m in pair]
    else:
        stored, true_values = sample.stored, [sample.standardised(m, sample.true[m], probed=True)[in_force] for m in pair]
        fidelity = [sample.fidelity[m] for m in pair]
    expected = (
        (_expected_correlation(connection, sample) + _selection_bias(true_values, sample, pair, in_force))
        * fidelity[0]
        * fidelity[1]
    )
    return _estimate(stored[pair[0]][in_force], stored[pair[1]][in_force], expected)


def _estimate(first: Floats, second: Floats, expected: float) -> Measurement:
    present = np.isfinite(first) & np.isfinite(second)
    value, error = correlation(first, second, expected)
    return Measurement(value, expected, error, int(np.count_nonzero(present.any(axis=0))))


def _expected_correlation(connection: Connection, sample: Residuals) -> float:
    """Return the correlation that a connection gives the sampled units and periods: a pooled one is declared for
    equally many units of each segment."""
    if not connection.pooled:
        return connection.coefficient
    return pooled(sample.population, connection, int(sample.periods[0]), int(sample.periods[-1]) + 1)


def _selection_bias(true_values: list[Floats], sample: Residuals, pair: tuple[int, int], in_force: Flags) -> float:
    """Return the selection bias: the correlation of true values where rows are stored, less that of all true values."""
    if not sample.population.endings:
        return 0.0
    stored_values = [
        np.where(np.isfinite(sample.noised[m][in_force]), values, np.nan)
        for m, values in zip(pair, true_values, strict=True)
    ]
    return correlation(stored_values[0], stored_values[1])[0] - correlation(true_values[0], true_values[1])[0]


def _other_fact(population: Population, table: TablePlan, metric: int) -> tuple[str, ...]:
    """Return the fact that a metric is judged by; empty if it is the table itself."""
    name = fact_of_metric(population, metric)
    return () if name is None or name == table.name else (name,)


def _driver_facts(population: Population, table: TablePlan) -> frozenset[str]:
    """Return the facts with the drivers of the metrics that are judged by a table."""
    drivers = (population.metrics[metric].driver for metric in metrics_judged_by(population, table))
    names = {fact_of_metric(population, driver) for driver in drivers if driver is not None}
    return frozenset(name for name in names if name is not None)


def _lag_tables(population: Population, table: TablePlan) -> frozenset[str] | None:
    return metric_facts(population) if _driver_facts(population, table) else None


def _lags(store: StoredData, table: TablePlan) -> Iterator[Finding]:
    population, sample = store.population, residuals(store)
    for index in metrics_judged_by(population, table):
        metric = population.metrics[index]
        driver = metric.driver
        if driver is None or driver not in sample.stored or index not in sample.stored:
            continue
        others = _other_fact(population, table, driver)
        subject = f"{metric.name} follows {population.metrics[driver].name} after {metric.delay}"
        periods = len(sample.periods)
        if periods <= metric.delay:
            yield replace(unjudged(subject, f"there are {periods} periods", {"periods": periods}), tables=others)
            continue
        sign = 1.0 if metric.spec.polarity == population.metrics[driver].spec.polarity else -1.0
        pair = (driver, index)
        peak = _peak_lag(sample, pair, metric.delay)
        details = {"declared": sign * metric.spec.strength, "peak": float(peak)}
        finding = _correlation_finding(store, subject, partial(_lagged_correlation, pair=pair, delay=metric.delay), details)
        if finding.passed and finding.judged and abs(finding.numbers["expected"]) > finding.numbers["allowed"]:
            excess = judgement(store, partial(_peak_excess, pair=pair, delay=metric.delay), 0.0)
            if excess is not None and excess.is_rejected:
                message = f"{finding.message}; larger after {peak} by {excess.estimate.value:.2f}"
                finding = Finding(subject, False, message, finding.numbers)
        yield replace(finding, tables=others)


def _lagged_correlation(sample: Residuals, pair: tuple[int, int], delay: int) -> Measurement | None:
    """Measure the cross-correlation of a follower with its driver, `delay` periods earlier."""
    true_values = [sample.standardised(m, sample.stored_true_values(m), probed=True) for m in pair]
    expected = (
        correlation(*_lagged_pair(true_values[0], true_values[1], delay))[0]
        * sample.fidelity[pair[0]]
        * sample.fidelity[pair[1]]
    )
    return _estimate(*_lagged_pair(sample.stored[pair[0]], sample.stored[pair[1]], delay), expected)


def _lagged_pair(driver: Floats, follower: Floats, delay: int) -> tuple[Floats, Floats]:
    """Return the values of a driver and those of its follower, `delay` periods later."""
    return driver[: len(driver) - delay], follower[delay:]


def _lag_correlations(sample: Residuals, pair: tuple[int, int], delay: int) -> dict[int, tuple[float, float]]:
    """Return (correlation, error) by delay, times the sign of the correlation at the declared delay."""
    driver, follower = (sample.stored[m] for m in pair)
    lags = range(min(2 * delay + 3, len(sample.periods)))
    correlations = {lag: correlation(*_lagged_pair(driver, follower, lag)) for lag in lags}
    sign = float(np.sign(correlations[delay][0])) or 1.0
    return {lag: (sign * value, error) for lag, (value, error) in correlations.items() if np.isfinite(error)}


def _peak_lag(sample: Residuals, pair: tuple[int, int], delay: int) -> int:
    """Return the delay with the largest correlation."""
    correlations = _lag_correlations(sample, pair, delay)
    return max(correlations, key=lambda lag: correlations[lag][0], default=delay)


def _peak_excess(sample: Residuals, pair: tuple[int, int], delay: int) -> Measurement | None:
    """Measure the excess of the largest correlation over that at the declared delay."""
    correlations = _lag_correlations(sample, pair, delay)
    if delay not in correlations:
        return None
    peak = _peak_lag(sample, pair, delay)
    units = int(np.count_nonzero(np.isfinite(sample.stored[pair[1]]).any(axis=0)))
    return Measurement(
        correlations[peak][0] - correlations[delay][0],
        0.0,
        float(np.hypot(correlations[peak][1], correlations[delay][1])),
        units,
    )


CHECKS.add(
    "correlations_as_declared",
    Check(
        "behaviour",
        "Metrics correlate, given the trajectory, as the config declares.",
        False,
        _correlations,
        _correlation_tables,
        _partner_facts,
    ),
)
CHECKS.add(
    "lags_found",
    Check(
        "behaviour",
        "A follower carries what its driver did, after the declared delay.",
        False,
        _lags,
        _lag_tables,
        _driver_facts,
    ),
)
