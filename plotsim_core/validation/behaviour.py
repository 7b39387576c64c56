"""Checks of how metrics go together: declared correlations and lags, measured on stored values, given the trajectory.

Noise that the config asks for weakens correlations: what is expected is the declared number times these factors. Where
units end, those that stay are not like those that left; what that does is measured on true values, and added.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from plotsim_core.config.connections import Connection
from plotsim_core.engine.pooled import expected as pooled
from plotsim_core.numerics.estimates import correlation
from plotsim_core.plan.declared import declared
from plotsim_core.plan.plan import Plan, TablePlan
from plotsim_core.validation.check import CHECKS, Check, Finding
from plotsim_core.validation.residuals import Floats, Residuals, measured, measuring, measuring_tables, residuals
from plotsim_core.validation.store import Store

_BIAS = 0.02
"""How far correlations may be off for other reasons than chance (docs: within 0.02)."""
_ERRORS = 4.0


def _judged(subject: str, found: float, error: float, expected: float, more: dict[str, float]) -> Finding:
    allowed = _BIAS + _ERRORS * error
    numbers = {**more, "expected": expected, "found": found, "allowed": allowed}
    if allowed >= 1.0:
        return Finding(subject, True, f"too few rows to judge: found {found:.2f} \u00b1 {allowed:.2f}", numbers)
    message = f"declared {more['declared']:.2f}, expected {expected:.2f}, found {found:.2f} \u00b1 {allowed:.2f}"
    return Finding(subject, abs(found - expected) <= allowed, message, numbers)


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
        if connection.pooled:
            found, error = raw
            fidelity = [correlation(seen.surviving(m), seen.made[m])[0] for m in (first, second)]
            moved = _selected(
                [layer[holds] for layer in (seen.true[first], seen.true[second])], seen, (first, second), holds
            )
        else:
            found, error = correlation(seen.stored[first][holds], seen.stored[second][holds])
            fidelity = [seen.fidelity[m] for m in (first, second)]
            true = [seen.standard(m, seen.true[m], probed=True)[holds] for m in (first, second)]
            moved = _selected(true, seen, (first, second), holds)
        expected = (_expected(store.plan, connection, seen) + moved) * fidelity[0] * fidelity[1]
        more = {"declared": connection.coefficient, "pooled": raw[0]}
        when = f" from {store.plan.grain.label(store.plan.phases[phase - 1][0])}" if phase else ""
        subject = f"{connection.metric_a} ~ {connection.metric_b}{when}"
        yield replace(_judged(subject, found, error, expected, more), tables=_other(store.plan, table, second))


def _expected(plan: Plan, connection: Connection, seen: Residuals) -> float:
    """Return the correlation that a connection asks of the units and periods that are looked at: a pooled one is declared
    for as many units of each segment."""
    if not connection.pooled:
        return connection.coefficient
    return pooled(plan, connection, int(seen.periods[0]), int(seen.periods[-1]) + 1)


def _selected(true: list[Floats], seen: Residuals, pair: tuple[int, int], holds: NDArray[np.bool_]) -> float:
    """Return by how much the correlation of true values where values are stored differs from that of all units'."""
    if not seen.plan.endings:
        return 0.0
    there = [np.where(np.isfinite(seen.made[m][holds]), values, np.nan) for m, values in zip(pair, true, strict=True)]
    return correlation(*there)[0] - correlation(*true)[0]


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
            yield Finding(subject, True, f"not to be seen in {periods} periods", {"periods": periods}, tables=others)
            continue
        found, error = _after(seen.stored[driver], seen.stored[place], metric.delay)
        true = [seen.standard(m, seen.surviving(m), probed=True) for m in (driver, place)]
        expected = _after(true[0], true[1], metric.delay)[0] * seen.fidelity[driver] * seen.fidelity[place]
        sign = 1.0 if metric.spec.polarity == plan.metrics[driver].spec.polarity else -1.0
        more = {"declared": sign * metric.spec.strength, **_peak(seen, driver, place, metric.delay)}
        judged = _judged(subject, found, error, expected, more)
        if more["above"] > 0 and abs(expected) > judged.numbers["allowed"]:
            says = f"{judged.message}; larger after {more['peak']:.0f} by {more['above']:.2f} more than chance allows"
            judged = Finding(subject, False, says, judged.numbers)
        yield replace(judged, tables=others)


def _after(driver: Floats, follower: Floats, delay: int) -> tuple[float, float]:
    """Return the correlation of a follower with its driver `delay` periods before, and its standard error."""
    return correlation(driver[: len(driver) - delay], follower[delay:])


def _peak(seen: Residuals, driver: int, place: int, delay: int) -> dict[str, float]:
    """Return at which delay the correlation is largest (`peak`), and by how much it is there larger than chance allows,
    compared to the declared delay (`above`)."""
    at = {lag: _after(seen.stored[driver], seen.stored[place], lag) for lag in range(min(2 * delay + 3, len(seen.periods)))}
    sign = np.sign(at[delay][0]) or 1.0
    peak = max(at, key=lambda lag: float(sign * at[lag][0]) if np.isfinite(at[lag][1]) else -1.0)
    above = sign * (at[peak][0] - at[delay][0]) - _ERRORS * float(np.hypot(at[peak][1], at[delay][1]))
    return {"peak": float(peak), "above": max(float(above), 0.0) if np.isfinite(above) else 0.0}


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
