"""Checks of how metrics move with the trajectory: polarity, means and spread by position.

Everything is a ratio of what is stored to what the trajectory lets expect, and is compared to the ratio that the config's
noise (and, where units end, the leaving of some) makes of it, measured on a part of the sampled cells.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from plotsim_core.numerics.estimates import ratio
from plotsim_core.plan.plan import Plan, TablePlan
from plotsim_core.validation.check import CHECKS, Check, Finding
from plotsim_core.validation.residuals import Flags, Residuals, judged_metrics, measured, measuring_tables, residuals
from plotsim_core.validation.store import Store

ERRORS = 5.0
"""Standard errors that a number may be off: dozens of bands are looked at."""
MEAN_BIAS = 0.01
_SPREAD_BIAS = 0.05
_BANDS = 5
FEWEST = 20
"""A band, a season or a segment is judged if it has so many units."""
_MOVES = 0.05
"""A metric whose centres spread by less than this share of the way between its means does not move."""


def declared_means(seen: Residuals, metric: int) -> tuple[float, float]:
    """Return the means at position 0 and 1, whatever the polarity."""
    low, high = seen.plan.metrics[metric].spec.means
    return low, high


def _noise_ratio(seen: Residuals, metric: int, where: Flags) -> tuple[float, float]:
    """Return (sum of what is made over sum of centres in some probed cells, its standard error beside that of what is
    stored). Where no unit ends it is 1 and what noise adds to it; otherwise it is measured."""
    probed = where[:, seen.probed]
    base = seen.centres[metric][:, seen.probed]
    made, error = ratio(seen.made[metric], base, probed)
    if seen.plan.endings:
        return made, error if len(seen.probed) < len(seen.segments) else 0.0
    true = ratio(seen.true[metric], base, probed)[0]
    difference = ratio(seen.made[metric] - seen.true[metric], base, probed)[1]
    return 1.0 + made - true, difference if np.isfinite(difference) else 0.0


def units_in(where: Flags) -> int:
    """Return how many units have one of some cells."""
    return int(np.count_nonzero(where.any(axis=0)))


def with_metrics(plan: Plan, table: TablePlan) -> frozenset[str] | None:
    """Return the facts that are looked at together with a table that metrics are judged by."""
    return measuring_tables(plan) if measured(plan, table) else None


def _means(store: Store, table: TablePlan) -> Iterator[Finding]:
    seen = residuals(store)
    for metric in judged_metrics(seen, table):
        there = np.isfinite(seen.values[metric])
        name = seen.plan.metrics[metric].name
        if units_in(there) < FEWEST:
            yield Finding(name, True, f"too few units to judge: {units_in(there)}", {"units": float(units_in(there))})
            continue
        yield _by_band(seen, metric, there)


def _by_band(seen: Residuals, metric: int, there: Flags) -> Finding:
    numbers: dict[str, float] = {}
    wrong: list[str] = []
    low, high = declared_means(seen, metric)
    place = (seen.centres[metric] - low) / (high - low)
    edges = np.quantile(place[there], np.linspace(0, 1, _BANDS + 1))
    bands = [("overall", there)]
    bands += [
        (f"band {n}", there & (place >= edges[n]) & ((place < edges[n + 1]) | (n == _BANDS - 1))) for n in range(_BANDS)
    ]
    scale = 1.0 if low > 0 else size_of(seen, metric, there)
    for label, where in bands:
        if units_in(where) < FEWEST or units_in(where[:, seen.probed]) < FEWEST:
            continue
        found, expected, error = shifted(seen, metric, where, scale)
        allowed = MEAN_BIAS + ERRORS * error
        numbers |= {f"{label} found": found, f"{label} expected": expected, f"{label} allowed": allowed}
        if abs(found - expected) > allowed:
            wrong.append(f"{label} at {found:.3f} of its mean, {expected:.3f} \u00b1 {allowed:.3f} expected")
    spread, expected, error = _spread(seen, metric, there)
    allowed = _SPREAD_BIAS + ERRORS * error
    numbers |= {"variance found": spread, "variance expected": expected, "variance allowed": allowed}
    if abs(spread - expected) > allowed:
        wrong.append(f"variance of residuals {spread:.2f}, {expected:.2f} \u00b1 {allowed:.2f} expected")
    overall = numbers.get("overall found", float("nan"))
    message = "; ".join(wrong[:3]) or f"{overall:.3f} of its mean, variance of residuals {spread:.2f}"
    return Finding(seen.plan.metrics[metric].name, not wrong, message, numbers)


def size_of(seen: Residuals, metric: int, there: Flags) -> float:
    """Return a typical size of a metric whose mean may be zero: shifts are told as shares of it."""
    low, high = declared_means(seen, metric)
    return float(max(abs(low), abs(high), high - low))


def shifted(seen: Residuals, metric: int, where: Flags, scale: float) -> tuple[float, float, float]:
    """Return (stored over expected mean, what it is to be, the standard error) in some cells."""
    centres = seen.centres[metric]
    if declared_means(seen, metric)[0] > 0:
        found, error = ratio(seen.values[metric], centres, where)
        expected, more = _noise_ratio(seen, metric, where)
        return found, expected, float(np.hypot(error, more))
    ones = np.full(centres.shape, scale)
    found, error = ratio(seen.values[metric] - centres, ones, where)
    probed, base = where[:, seen.probed], centres[:, seen.probed]
    of_made = ratio(seen.made[metric] - base, ones[:, seen.probed], probed)
    of_noise = ratio(seen.made[metric] - seen.true[metric], ones[:, seen.probed], probed)
    whole = len(seen.probed) == len(seen.segments)
    expected, more = (of_made[0], 0.0 if whole else of_made[1]) if seen.plan.endings else of_noise
    return 1.0 + found, 1.0 + expected, float(np.hypot(error, more))


def _spread(seen: Residuals, metric: int, there: Flags) -> tuple[float, float, float]:
    """Return (mean square of residuals, what it is to be, the standard error)."""
    ones = np.ones(there.shape)
    found, error = ratio(seen.stored[metric] ** 2, ones, there)
    made = seen.standard(metric, seen.made[metric], probed=True) ** 2
    expected, more = ratio(made, ones[:, seen.probed], there[:, seen.probed])
    whole = len(seen.probed) == len(seen.segments)
    return found, expected, 0.25 * error if whole else float(np.hypot(error, more))


def _polarity(store: Store, table: TablePlan) -> Iterator[Finding]:
    seen = residuals(store)
    for metric in judged_metrics(seen, table):
        plan, values = seen.plan.metrics[metric], seen.values[metric]
        there = np.isfinite(values)
        low, high = declared_means(seen, metric)
        place = (seen.centres[metric] - low) / (high - low)
        if not there.any() or float(np.std(place[there])) < _MOVES or units_in(there) < FEWEST:
            yield Finding(plan.name, True, "does not move enough to judge", {"units": float(units_in(there))})
            continue
        sign = 1.0 if plan.spec.polarity == "positive" else -1.0
        weight = plan.quantiles.deviation(seen.centres[metric]) ** -2.0
        moved = place - float(np.average(place[there], weights=weight[there]))
        found, error = ratio(values * moved * weight, (high - low) * moved**2 * weight, there)
        allowed = ERRORS * error
        numbers = {"declared": sign, "found": sign * found, "allowed": allowed}
        says = f"{plan.spec.polarity} as declared" if found > 0 else f"declared {plan.spec.polarity}"
        message = f"{says}: a full way up moves it by {sign * found:.2f} of the way between its means \u00b1 {allowed:.2f}"
        yield Finding(plan.name, found > 0 or allowed >= 1.0, message, numbers)


for _name, _check in {
    "polarity_as_declared": Check(
        "behaviour", "A metric rises with the trajectory, or falls, as declared.", False, _polarity, with_metrics
    ),
    "means_follow_trajectory": Check(
        "behaviour",
        "Means follow the position on the trajectory, and values are spread around them as declared.",
        False,
        _means,
        with_metrics,
    ),
}.items():
    CHECKS.add(_name, _check)
