"""Checks of how metrics go together: declared correlations and lags, measured on stored values, given the trajectory.

Noise that the config asks for weakens correlations: what is expected is the declared number times these factors. Where
units end, those that stay are not like those that left; what that does is measured on true values, and added.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np

from plotsim_core.config.connections import Connection
from plotsim_core.engine.pooled import expected as pooled
from plotsim_core.numerics.estimates import correlation
from plotsim_core.plan.declared import declared, subject
from plotsim_core.plan.plan import Plan, TablePlan
from plotsim_core.validation.check import CHECKS, Check, Finding, unjudged
from plotsim_core.validation.judgement import FEWEST, Estimate, Measure, judgement
from plotsim_core.validation.residuals import Flags, Floats, Residuals, measured, measuring, measuring_tables, residuals
from plotsim_core.validation.store import Store

_BIAS = 0.02
"""How far correlations may be off for other reasons than chance (docs: within 0.02)."""
_WIDE = 0.5
"""A correlation that may be so far off is not judged: hardly any fault would show."""


def _judged(store: Store, subject: str, measure: Measure, more: dict[str, float]) -> Finding:
    judged = judgement(store, measure, _BIAS)
    if judged is None:
        return unjudged(subject, f"too few units with both, at least {FEWEST} are needed", more)
    found, expected = judged.estimate.found, judged.estimate.expected
    numbers = {**more, "expected": expected, "found": found, "allowed": judged.allowed}
    if not judged.wrong and judged.allowed >= _WIDE:
        return unjudged(subject, f"too few rows, found {found:.2f} \u00b1 {judged.allowed:.2f}", numbers)
    message = f"declared {more['declared']:.2f}, expected {expected:.2f}, found {found:.2f} \u00b1 {judged.allowed:.2f}"
    return Finding(subject, not judged.wrong, message, numbers)


def _pairs(plan: Plan) -> set[tuple[int, int]]:
    """Return the pairs of metrics that a config connects, in any phase."""
    dataset = plan.dataset
    every = (*dataset.connections, *(one for phase in dataset.connection_phases for one in phase.connections))
    return {(plan.metric_index(one.metric_a), plan.metric_index(one.metric_b)) for one in every}


def _partners(plan: Plan, table: TablePlan) -> frozenset[str]:
    """Return the facts that hold the second metric of connections whose first one a table holds."""
    metrics = measured(plan, table)
    partners = {measuring(plan, second) for first, second in _pairs(plan) if first in metrics}
    return frozenset(name for name in partners if name is not None)


def _with_connections(plan: Plan, table: TablePlan) -> frozenset[str] | None:
    return measuring_tables(plan) if _partners(plan, table) else None


def _correlations(store: Store, table: TablePlan) -> Iterator[Finding]:
    seen, metrics = residuals(store), measured(store.plan, table)
    for connection, phase, holds in declared(store.plan, seen.periods):
        first, second = (store.plan.metric_index(name) for name in (connection.metric_a, connection.metric_b))
        if first not in metrics or first not in seen.stored or second not in seen.stored or not holds.any():
            continue
        raw = correlation(seen.values[first][holds], seen.values[second][holds])
        more = {"declared": connection.coefficient, "pooled": raw[0]}
        measure = partial(_correlated, connection=connection, pair=(first, second), holds=holds)
        yield replace(
            _judged(store, subject(store.plan, connection, phase), measure, more), tables=_other(store.plan, table, second)
        )


def _correlated(seen: Residuals, connection: Connection, pair: tuple[int, int], holds: Flags) -> Estimate | None:
    """Measure the correlation of a pair of metrics in the periods in which a connection holds."""
    if connection.pooled:
        layer, true = seen.values, [seen.true[m][holds] for m in pair]
        fidelity = [correlation(seen.surviving(m), seen.made[m])[0] for m in pair]
    else:
        layer, true = seen.stored, [seen.standard(m, seen.true[m], probed=True)[holds] for m in pair]
        fidelity = [seen.fidelity[m] for m in pair]
    expected = (_expected(connection, seen) + _selected(true, seen, pair, holds)) * fidelity[0] * fidelity[1]
    return _estimate(layer[pair[0]][holds], layer[pair[1]][holds], expected)


def _estimate(first: Floats, second: Floats, expected: float) -> Estimate:
    both = np.isfinite(first) & np.isfinite(second)
    found, error = correlation(first, second, expected)
    return Estimate(found, expected, error, int(np.count_nonzero(both.any(axis=0))))


def _expected(connection: Connection, seen: Residuals) -> float:
    """Return the correlation that a connection asks of the units and periods that are looked at: a pooled one is declared
    for as many units of each segment."""
    if not connection.pooled:
        return connection.coefficient
    return pooled(seen.plan, connection, int(seen.periods[0]), int(seen.periods[-1]) + 1)


def _selected(true: list[Floats], seen: Residuals, pair: tuple[int, int], holds: Flags) -> float:
    """Return by how much the correlation of true values where values are stored differs from that of all units'."""
    if not seen.plan.endings:
        return 0.0
    stored = [np.where(np.isfinite(seen.made[m][holds]), values, np.nan) for m, values in zip(pair, true, strict=True)]
    return correlation(stored[0], stored[1])[0] - correlation(true[0], true[1])[0]


def _other(plan: Plan, table: TablePlan, metric: int) -> tuple[str, ...]:
    """Return the fact that a metric is judged by, if that is another table."""
    name = measuring(plan, metric)
    return () if name is None or name == table.name else (name,)


def _drivers(plan: Plan, table: TablePlan) -> frozenset[str]:
    """Return the facts that hold the drivers of metrics that a table holds."""
    drivers = (plan.metrics[metric].driver for metric in measured(plan, table))
    names = {measuring(plan, driver) for driver in drivers if driver is not None}
    return frozenset(name for name in names if name is not None)


def _with_drivers(plan: Plan, table: TablePlan) -> frozenset[str] | None:
    return measuring_tables(plan) if _drivers(plan, table) else None


def _lags(store: Store, table: TablePlan) -> Iterator[Finding]:
    plan, seen = store.plan, residuals(store)
    for place in measured(plan, table):
        metric = plan.metrics[place]
        driver = metric.driver
        if driver is None or driver not in seen.stored or place not in seen.stored:
            continue
        others = _other(plan, table, driver)
        subject = f"{metric.name} follows {plan.metrics[driver].name} after {metric.delay}"
        periods = len(seen.periods)
        if periods <= metric.delay:
            yield replace(unjudged(subject, f"there are {periods} periods", {"periods": periods}), tables=others)
            continue
        sign = 1.0 if metric.spec.polarity == plan.metrics[driver].spec.polarity else -1.0
        pair = (driver, place)
        peak = _peak(seen, pair, metric.delay)
        more = {"declared": sign * metric.spec.strength, "peak": float(peak)}
        judged = _judged(store, subject, partial(_lagged, pair=pair, delay=metric.delay), more)
        if judged.passed and judged.judged and abs(judged.numbers["expected"]) > judged.numbers["allowed"]:
            above = judgement(store, partial(_above, pair=pair, delay=metric.delay), 0.0)
            if above is not None and above.wrong:
                says = f"{judged.message}; larger after {peak} by {above.estimate.found:.2f}"
                judged = Finding(subject, False, says, judged.numbers)
        yield replace(judged, tables=others)


def _lagged(seen: Residuals, pair: tuple[int, int], delay: int) -> Estimate | None:
    """Measure the correlation of a follower with its driver `delay` periods before."""
    true = [seen.standard(m, seen.surviving(m), probed=True) for m in pair]
    expected = correlation(*_apart(true[0], true[1], delay))[0] * seen.fidelity[pair[0]] * seen.fidelity[pair[1]]
    return _estimate(*_apart(seen.stored[pair[0]], seen.stored[pair[1]], delay), expected)


def _apart(driver: Floats, follower: Floats, delay: int) -> tuple[Floats, Floats]:
    """Return values of a driver, and of its follower `delay` periods after."""
    return driver[: len(driver) - delay], follower[delay:]


def _along(seen: Residuals, pair: tuple[int, int], delay: int) -> dict[int, tuple[float, float]]:
    """Return (correlation, error) at each delay around the declared one, of the sign that it has there."""
    driver, follower = (seen.stored[m] for m in pair)
    lags = range(min(2 * delay + 3, len(seen.periods)))
    at = {lag: correlation(*_apart(driver, follower, lag)) for lag in lags}
    sign = float(np.sign(at[delay][0])) or 1.0
    return {lag: (sign * found, error) for lag, (found, error) in at.items() if np.isfinite(error)}


def _peak(seen: Residuals, pair: tuple[int, int], delay: int) -> int:
    """Return at which delay the correlation is largest."""
    at = _along(seen, pair, delay)
    return max(at, key=lambda lag: at[lag][0], default=delay)


def _above(seen: Residuals, pair: tuple[int, int], delay: int) -> Estimate | None:
    """Measure by how much the correlation is larger at another delay than at the declared one."""
    at = _along(seen, pair, delay)
    if delay not in at:
        return None
    peak = _peak(seen, pair, delay)
    units = int(np.count_nonzero(np.isfinite(seen.stored[pair[1]]).any(axis=0)))
    return Estimate(at[peak][0] - at[delay][0], 0.0, float(np.hypot(at[peak][1], at[delay][1])), units)


CHECKS.add(
    "correlations_as_declared",
    Check(
        "behaviour",
        "Metrics correlate, given the trajectory, as the config declares.",
        False,
        _correlations,
        _with_connections,
        _partners,
    ),
)
CHECKS.add(
    "lags_found",
    Check(
        "behaviour",
        "A follower carries what its driver did, after the declared delay.",
        False,
        _lags,
        _with_drivers,
        _drivers,
    ),
)
