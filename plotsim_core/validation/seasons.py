"""The check of seasons: the factor of each season's months, against the other months of the same units."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from plotsim_core.plan.plan import Plan, TablePlan
from plotsim_core.validation.check import CHECKS, Check, Finding, unjudged
from plotsim_core.validation.judgement import FEWEST, Estimate, judgement
from plotsim_core.validation.residuals import Flags, Residuals, judged_metrics, measured, measuring_tables, residuals
from plotsim_core.validation.store import Store
from plotsim_core.validation.trajectory import MEAN_BIAS, WIDE, declared_means, shifted, size_of, units_in


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
        outside = strengths[months] == 0
        for strength in sorted({float(s) for s in strengths[months]} - {0.0}):
            declared = strength * spec.seasonal_sensitivity
            subject = f"{spec.name} {declared:+.0%}"
            yield contrasted(store, metric, subject, declared, strengths[months] == strength, outside)


def contrasted(store: Store, metric: int, subject: str, strength: float, inside: Flags, outside: Flags) -> Finding:
    """Return the finding of means that are declared to be 1 + strength times as large in some periods as in others; `inside`
    and `outside` are flags of periods."""
    measure = partial(_contrast, metric=metric, strength=strength, inside=inside, outside=outside)
    judged = judgement(store, measure, (1.0 + strength) * MEAN_BIAS)
    numbers = {"declared": 1.0 + strength}
    if judged is None:
        return unjudged(subject, f"too few units, at least {FEWEST} are needed, or no other periods", numbers)
    found = judged.estimate.found
    numbers |= {"found": found, "allowed": judged.allowed}
    if judged.allowed >= WIDE and not judged.wrong:
        return unjudged(subject, f"too few rows, found {found:.3f} \u00b1 {judged.allowed:.3f}", numbers)
    message = f"declared a factor of {1.0 + strength:.3f}, found {found:.3f} \u00b1 {judged.allowed:.3f}"
    return Finding(subject, not judged.wrong, message, numbers)


def _contrast(seen: Residuals, metric: int, strength: float, inside: Flags, outside: Flags) -> Estimate | None:
    there = np.isfinite(seen.values[metric])
    cells = [there & periods[:, None] for periods in (inside, outside)]
    units = min(units_in(cells[0]), units_in(cells[1]), units_in(cells[0][:, seen.probed]))
    if not units:
        return None
    scale = size_of(seen, metric)
    within, usual = (shifted(seen, metric, where, scale) for where in cells)
    if 0.0 in (usual.found, within.expected, usual.expected):
        return None
    found = (1.0 + strength) * (within.found / usual.found) / (within.expected / usual.expected)
    error = (1.0 + strength) * _difference_error(seen, metric, cells)
    return Estimate(found, 1.0 + strength, error, units)


def _difference_error(seen: Residuals, metric: int, cells: list[Flags]) -> float:
    """Return the standard error of the ratio of two ratios over the same units: what is a unit's own falls out."""
    parts = []
    for where in cells:
        base = seen.centres[metric] if declared_means(seen, metric)[0] > 0 else np.full(where.shape, size_of(seen, metric))
        values = seen.values[metric] - seen.centres[metric]
        total = float(np.sum(np.where(where, base, 0.0)))
        parts.append(np.sum(np.where(where, values, 0.0), axis=0) / total)
    return float(np.sqrt(np.sum((parts[0] - parts[1]) ** 2)))


CHECKS.add(
    "seasons_as_declared",
    Check("behaviour", "In a season's months, means are multiplied by the declared factor.", False, _seasons, _with_seasons),
)
