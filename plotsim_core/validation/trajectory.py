"""Checks of how metrics move with the trajectory: polarity, means and spread by position.

Everything is a ratio of what is stored to what the trajectory lets expect, and is compared to the ratio that the config's
noise (and, where units end, the leaving of some) makes of it, measured on a part of the sampled cells.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

import numpy as np

from plotsim_core.numerics.estimates import ratio
from plotsim_core.plan.plan import Plan, TablePlan
from plotsim_core.validation.check import CHECKS, Check, Finding, unjudged
from plotsim_core.validation.judgement import FEWEST, Estimate, Measure, judgement
from plotsim_core.validation.residuals import Flags, Residuals, judged_metrics, measured, measuring_tables, residuals
from plotsim_core.validation.store import Store

MEAN_BIAS = 0.01
_SPREAD_BIAS = 0.05
BANDS = 5
WIDE = 0.5
"""A mean or a spread that may be off by so large a share is not judged: hardly any fault would show."""
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
        bands = {"overall": None, **{f"band {n}": n for n in range(BANDS)}}
        measures = {label: (partial(_mean, metric=metric, band=band), MEAN_BIAS) for label, band in bands.items()}
        measures["variance"] = (partial(_spread, metric=metric), _SPREAD_BIAS)
        yield by_band(store, seen.plan.metrics[metric].name, measures)


def by_band(store: Store, name: str, measures: Mapping[str, tuple[Measure, float]]) -> Finding:
    """Judge ratios to what is expected, `overall` and in bands of it, and the `variance` of residuals if that is among them.
    Each measure comes with how far it may be off for other reasons than chance."""
    numbers: dict[str, float] = {}
    wrong: list[str] = []
    for label, (measure, bias) in measures.items():
        judged = judgement(store, measure, bias)
        if judged is None or (judged.allowed >= WIDE and not judged.wrong):
            continue
        found, expected, allowed = judged.estimate.found, judged.estimate.expected, judged.allowed
        numbers |= {f"{label} found": found, f"{label} expected": expected, f"{label} allowed": allowed}
        if judged.wrong:
            says = f"variance of residuals {found:.2f}" if label == "variance" else f"{label} at {found:.3f} of its mean"
            wrong.append(f"{says}, {expected:.3f} \u00b1 {allowed:.3f} expected")
    if "overall found" not in numbers and not wrong:
        return unjudged(name, f"too few units or rows, at least {FEWEST} units are needed", numbers)
    says = f"{numbers.get('overall found', float('nan')):.3f} of its mean"
    says += f", variance of residuals {numbers['variance found']:.2f}" if "variance found" in numbers else ""
    return Finding(name, not wrong, "; ".join(wrong[:3]) or says, numbers)


def _mean(seen: Residuals, metric: int, band: int | None) -> Estimate | None:
    """Measure the mean of a metric, overall or in one of the bands of what the trajectory lets expect."""
    there = np.isfinite(seen.values[metric])
    if not there.any():
        return None
    scale = 1.0 if declared_means(seen, metric)[0] > 0 else size_of(seen, metric)
    if band is not None:
        centres = seen.centres[metric]
        edges = np.quantile(centres[there], np.linspace(0, 1, BANDS + 1))
        there = there & (centres >= edges[band]) & ((centres < edges[band + 1]) | (band == BANDS - 1))
    return shifted(seen, metric, there, scale)


def size_of(seen: Residuals, metric: int) -> float:
    """Return a typical size of a metric whose mean may be zero: shifts are told as shares of it."""
    low, high = declared_means(seen, metric)
    return float(max(abs(low), abs(high), high - low))


def shifted(seen: Residuals, metric: int, where: Flags, scale: float) -> Estimate:
    """Measure the mean over what is expected in some cells, a mean that may be zero by its shift as a share of `scale`."""
    centres = seen.centres[metric]
    if declared_means(seen, metric)[0] > 0:
        expected, more = _noise_ratio(seen, metric, where)
        found, error = ratio(seen.values[metric], centres, where, expected)
        return Estimate(found, expected, float(np.hypot(error, more)), units_in(where))
    ones = np.full(centres.shape, scale)
    probed, base = where[:, seen.probed], centres[:, seen.probed]
    of_made = ratio(seen.made[metric] - base, ones[:, seen.probed], probed)
    of_noise = ratio(seen.made[metric] - seen.true[metric], ones[:, seen.probed], probed)
    whole = len(seen.probed) == len(seen.segments)
    expected, more = (of_made[0], 0.0 if whole else of_made[1]) if seen.plan.endings else of_noise
    found, error = ratio(seen.values[metric] - centres, ones, where, expected)
    return Estimate(1.0 + found, 1.0 + expected, float(np.hypot(error, more)), units_in(where))


def _spread(seen: Residuals, metric: int) -> Estimate | None:
    """Measure the mean square of residuals, against that of what is made."""
    there = np.isfinite(seen.values[metric])
    if not there.any():
        return None
    ones = np.ones(there.shape)
    made = seen.standard(metric, seen.made[metric], probed=True) ** 2
    expected, more = ratio(made, ones[:, seen.probed], there[:, seen.probed])
    found, error = ratio(seen.stored[metric] ** 2, ones, there, expected)
    whole = len(seen.probed) == len(seen.segments)
    return Estimate(found, expected, 0.25 * error if whole else float(np.hypot(error, more)), units_in(there))


def _polarity(store: Store, table: TablePlan) -> Iterator[Finding]:
    seen = residuals(store)
    for metric in judged_metrics(seen, table):
        plan = seen.plan.metrics[metric]
        there = np.isfinite(seen.values[metric])
        low, high = declared_means(seen, metric)
        if not there.any() or float(np.std((seen.centres[metric] / (high - low))[there])) < _MOVES:
            yield unjudged(plan.name, "it does not move enough", {"units": float(units_in(there))})
            continue
        judged = judgement(store, partial(_slope, metric=metric), 0.0)
        if judged is None or judged.allowed >= 1.0:
            yield unjudged(plan.name, f"too few units or rows, at least {FEWEST} units are needed")
            continue
        sign, found = 1.0 if plan.spec.polarity == "positive" else -1.0, judged.estimate.found
        passed = found > 0 or not judged.wrong
        says = f"{plan.spec.polarity} as declared" if passed else f"declared {plan.spec.polarity}"
        message = f"{says}: a full way up moves it by {sign * found:.2f} of the way between its means"
        numbers = {"declared": sign, "found": sign * found, "allowed": judged.allowed}
        yield Finding(plan.name, passed, f"{message} \u00b1 {judged.allowed:.2f}", numbers)


def _slope(seen: Residuals, metric: int) -> Estimate | None:
    """Measure how far a metric moves where the trajectory goes its full way up, as a share of the way between its means,
    times the sign that it is declared to have."""
    values = seen.values[metric]
    there = np.isfinite(values)
    low, high = declared_means(seen, metric)
    place = (seen.centres[metric] - low) / (high - low)
    weight = seen.plan.metrics[metric].quantiles.deviation(seen.centres[metric]) ** -2.0
    if not there.any() or not weight[there].sum() > 0:
        return None
    moved = place - float(np.average(place[there], weights=weight[there]))
    found, error = ratio(values * moved * weight, (high - low) * moved**2 * weight, there, 1.0)
    return Estimate(found, 1.0, error, units_in(there))


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
