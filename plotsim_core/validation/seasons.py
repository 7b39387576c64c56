"""The check of seasons: the factor of each season's months, against the other months of the same units."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from plotsim_core.plan.plan import Plan, TablePlan
from plotsim_core.validation.check import CHECKS, Check, Finding
from plotsim_core.validation.residuals import Flags, Residuals, judged_metrics, measured, measuring_tables, residuals
from plotsim_core.validation.store import Store
from plotsim_core.validation.trajectory import (
    ERRORS,
    FEWEST,
    MEAN_BIAS,
    declared_means,
    shifted,
    size_of,
    units_in,
)


def _with_seasons(plan: Plan, table: TablePlan) -> frozenset[str] | None:
    moved = any(plan.metrics[metric].spec.seasonal_sensitivity != 0 for metric in measured(plan, table))
    return measuring_tables(plan) if plan.dataset.seasonality and moved else None


def _seasons(store: Store, table: TablePlan) -> Iterator[Finding]:
    seen = residuals(store)
    plan = seen.plan
    months = plan.grain.starts(seen.periods).astype("datetime64[M]").astype(np.int64) % 12 + 1
    strengths = np.zeros(13)
    for season in plan.dataset.seasonality:
        strengths[list(season.months)] += season.strength
    for metric in judged_metrics(seen, table):
        spec = plan.metrics[metric].spec
        if spec.seasonal_sensitivity == 0:
            continue
        outside = np.isfinite(seen.values[metric]) & (strengths[months] == 0)[:, None]
        for strength in sorted({float(s) for s in strengths[months]} - {0.0}):
            inside = np.isfinite(seen.values[metric]) & (strengths[months] == strength)[:, None]
            declared = strength * spec.seasonal_sensitivity
            yield contrasted(seen, metric, f"{spec.name} {declared:+.0%}", declared, inside, outside)


def contrasted(seen: Residuals, metric: int, subject: str, strength: float, inside: Flags, outside: Flags) -> Finding:
    """Return the finding of means that are declared to be 1 + strength times as large in some cells as in others."""
    if min(units_in(inside), units_in(outside), units_in(inside[:, seen.probed])) < FEWEST:
        return Finding(subject, True, "too few units, or no other periods, to judge", {"declared": 1.0 + strength})
    scale = size_of(seen, metric, inside)
    within, usual = (shifted(seen, metric, where, scale) for where in (inside, outside))
    found = (1.0 + strength) * (within[0] / usual[0]) / (within[1] / usual[1])
    allowed = (1.0 + strength) * (MEAN_BIAS + ERRORS * _difference_error(seen, metric, inside, outside))
    numbers = {"declared": 1.0 + strength, "found": found, "allowed": allowed}
    message = f"declared a factor of {1.0 + strength:.3f}, found {found:.3f} \u00b1 {allowed:.3f}"
    return Finding(subject, abs(found - 1.0 - strength) <= allowed or allowed >= 1.0, message, numbers)


def _difference_error(seen: Residuals, metric: int, inside: Flags, outside: Flags) -> float:
    """Return the standard error of the ratio of two ratios over the same units: what is a unit's own falls out."""
    parts = []
    for where in (inside, outside):
        base = (
            seen.centres[metric]
            if declared_means(seen, metric)[0] > 0
            else np.full(where.shape, size_of(seen, metric, where))
        )
        values = seen.values[metric] - seen.centres[metric]
        total = float(np.sum(np.where(where, base, 0.0)))
        parts.append(np.sum(np.where(where, values, 0.0), axis=0) / total)
    difference = parts[0] - parts[1]
    return float(np.sqrt(np.sum((difference - difference.mean()) ** 2)))


CHECKS.add(
    "seasons_as_declared",
    Check("behaviour", "In a season's months, means are multiplied by the declared factor.", False, _seasons, _with_seasons),
)
