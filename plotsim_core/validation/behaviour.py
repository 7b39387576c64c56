"""Checks of behaviour: declared correlations and lags, measured on stored values, given the trajectory.

Noise that the config asks for weakens correlations: what is expected is the declared number times these factors.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from plotsim_core.numerics.correlation import delivered
from plotsim_core.plan.mixing import margins
from plotsim_core.plan.plan import Plan
from plotsim_core.validation.check import CHECKS, Check, Finding
from plotsim_core.validation.residuals import correlation, residuals
from plotsim_core.validation.store import Store

_BIAS = 0.02
"""How far correlations may be off for other reasons than chance (docs: within 0.02)."""
_ERRORS = 4.0


def _judged(subject: str, found: float, error: float, expected: float, declared: float) -> Finding:
    allowed = _BIAS + _ERRORS * error
    numbers = {"declared": declared, "expected": expected, "found": found, "allowed": allowed}
    if allowed >= 1.0:
        return Finding(subject, True, f"too few rows to judge: found {found:.2f} \u00b1 {allowed:.2f}", numbers)
    message = f"declared {declared:.2f}, expected {expected:.2f}, found {found:.2f} \u00b1 {allowed:.2f}"
    return Finding(subject, abs(found - expected) <= allowed, message, numbers)


def _correlations(store: Store) -> Iterator[Finding]:
    if not store.plan.dataset.connections:
        return
    seen = residuals(store)
    for connection in store.plan.dataset.connections:
        pair = [store.plan.metric_index(name) for name in (connection.metric_a, connection.metric_b)]
        if all(metric in seen.stored for metric in pair):
            found, error = correlation(*(seen.stored[metric] for metric in pair))
            expected = connection.coefficient * seen.fidelity[pair[0]] * seen.fidelity[pair[1]]
            subject = f"{connection.metric_a} ~ {connection.metric_b}"
            yield _judged(subject, found, error, expected, connection.coefficient)


def _lags(store: Store) -> Iterator[Finding]:
    plan = store.plan
    followers = [place for place, metric in enumerate(plan.metrics) if metric.driver is not None]
    if not followers:
        return
    seen = residuals(store)
    for place in followers:
        metric = plan.metrics[place]
        driver = metric.driver
        if driver is None or driver not in seen.stored or place not in seen.stored:
            continue
        subject = f"{metric.name} follows {plan.metrics[driver].name} after {metric.delay}"
        periods = len(seen.stored[place])
        if periods <= metric.delay:
            yield Finding(subject, True, f"not to be seen in {periods} periods", {"periods": periods})
            continue
        then, now = seen.stored[driver][: -metric.delay], seen.stored[place][metric.delay :]
        found, error = correlation(then, now)
        coefficients = [margins(plan.metrics[m].spec, plan.metrics[m].quantiles) for m in (driver, place)]
        carried = delivered(coefficients[0], coefficients[1], _carried(plan, place))
        expected = carried * seen.fidelity[driver] * seen.fidelity[place]
        yield _judged(subject, found, error, expected, metric.spec.strength)


def _carried(plan: Plan, place: int) -> float:
    """Return the correlation of a follower's score with its driver's, `delay` periods before, over all units."""
    metric = plan.metrics[place]
    counts = np.array([segment.count for segment in plan.segments], dtype=np.float64)
    levels = np.array([segment.spec.variation.level for segment in plan.segments])
    level = float(np.sum(counts * levels) / np.sum(counts))
    return (1.0 - level) * metric.pull + level * metric.level_pull


CHECKS.add(
    "correlations_as_declared",
    Check("behaviour", "Metrics correlate, given the trajectory, as the config declares.", False, _correlations),
)
CHECKS.add(
    "lags_found",
    Check("behaviour", "A follower carries what its driver did, after the declared delay.", False, _lags),
)
