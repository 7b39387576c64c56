"""The check of seasons: the seasonal factor of metrics, by a contrast of months within units."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from plotsim_core.numerics.arrays import Flags
from plotsim_core.plan.plan import Population, TablePlan
from plotsim_core.validation.check import CHECKS, Check, Finding, unjudged
from plotsim_core.validation.judgement import MIN_UNITS, Measurement, judgement
from plotsim_core.validation.residuals import Residuals, judged_metrics, metric_facts, metrics_judged_by, residuals
from plotsim_core.validation.store import StoredData
from plotsim_core.validation.trajectory import MAX_ALLOWED, MEAN_BIAS, declared_means, mean_ratio, typical_size, units_in


def _season_tables(population: Population, table: TablePlan) -> frozenset[str] | None:
    is_sensitive = any(
        population.metrics[metric].spec.seasonal_sensitivity != 0 for metric in metrics_judged_by(population, table)
    )
    return metric_facts(population) if population.dataset.seasonality and is_sensitive else None


def _seasons(store: StoredData, table: TablePlan) -> Iterator[Finding]:
    sample = residuals(store)
    population = sample.population
    months = population.grain.civil_starts(sample.periods).astype("datetime64[M]").astype(np.int64) % 12 + 1
    strengths = np.zeros(13)
    for season in population.dataset.seasonality:
        strengths[list(season.months)] += season.strength
    for metric in judged_metrics(sample, table):
        spec = population.metrics[metric].spec
        if spec.seasonal_sensitivity == 0:
            continue
        off_season = strengths[months] == 0
        for strength in sorted({float(s) for s in strengths[months]} - {0.0}):
            declared = strength * spec.seasonal_sensitivity
            subject = f"{spec.name} {declared:+.0%}"
            in_season = strengths[months] == strength
            yield contrast_finding(store, metric, subject, declared, in_season[:, None], off_season[:, None])


def contrast_finding(
    store: StoredData, metric: int, subject: str, strength: float, inside: Flags, outside: Flags
) -> Finding:
    """Judge the ratio of means inside a season to means outside it, declared to be 1 + strength; `inside` and `outside` are
    masks of shape (periods, segments) or (periods, 1)."""
    measure = partial(_contrast, metric=metric, strength=strength, inside=inside, outside=outside)
    verdict = judgement(store, measure, (1.0 + strength) * MEAN_BIAS)
    numbers = {"declared": 1.0 + strength}
    if verdict is None:
        return unjudged(subject, f"too few units, at least {MIN_UNITS} are needed, or no other periods", numbers)
    value = verdict.estimate.value
    numbers |= {"found": value, "allowed": verdict.allowed}
    if verdict.allowed >= MAX_ALLOWED and not verdict.is_rejected:
        return unjudged(subject, f"too few rows, found {value:.3f} \u00b1 {verdict.allowed:.3f}", numbers)
    message = f"declared a factor of {1.0 + strength:.3f}, found {value:.3f} \u00b1 {verdict.allowed:.3f}"
    return Finding(subject, not verdict.is_rejected, message, numbers)


def _contrast(sample: Residuals, metric: int, strength: float, inside: Flags, outside: Flags) -> Measurement | None:
    present = np.isfinite(sample.values[metric])
    segments = sample.segments if inside.shape[1] > 1 else np.zeros(len(sample.segments), dtype=np.intp)
    cells = [present & mask[:, segments] for mask in (inside, outside)]
    units = min(units_in(cells[0]), units_in(cells[1]), units_in(cells[0][:, sample.probed]))
    if not units:
        return None
    scale = typical_size(sample, metric)
    inside_mean, outside_mean = (mean_ratio(sample, metric, cell_mask, scale) for cell_mask in cells)
    if 0.0 in (outside_mean.value, inside_mean.expected, outside_mean.expected):
        return None
    value = (1.0 + strength) * (inside_mean.value / outside_mean.value) / (inside_mean.expected / outside_mean.expected)
    error = (1.0 + strength) * _difference_error(sample, metric, cells)
    return Measurement(value, 1.0 + strength, error, units)


def _difference_error(sample: Residuals, metric: int, cells: list[Flags]) -> float:
    """Return the standard error of a ratio of two ratios, by paired differences: effects of a unit itself cancel."""
    influences = []
    for cell_mask in cells:
        base = (
            sample.centres[metric]
            if declared_means(sample, metric)[0] > 0
            else np.full(cell_mask.shape, typical_size(sample, metric))
        )
        values = sample.values[metric] - sample.centres[metric]
        total = float(np.sum(np.where(cell_mask, base, 0.0)))
        influences.append(np.sum(np.where(cell_mask, values, 0.0), axis=0) / total)
    return float(np.sqrt(np.sum((influences[0] - influences[1]) ** 2)))


CHECKS.add(
    "seasons_as_declared",
    Check(
        "behaviour", "In a season's months, means are multiplied by the declared factor.", False, _seasons, _season_tables
    ),
)
