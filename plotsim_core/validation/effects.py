"""The checks of named effects and of growth: the factor on means of metrics, by a contrast of the periods of an effect (or
of the later half) and all others within units, and the factor on rows that a metric drives, by their number."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from plotsim_core.config.named_effects import Effect
from plotsim_core.config.occasions import Occasion
from plotsim_core.engine.effects import effect_occasions, metric_occasions, occasion_factors, table_occasions
from plotsim_core.engine.metrics import growth_factors
from plotsim_core.numerics.arrays import Flags, Floats
from plotsim_core.numerics.estimates import ratio
from plotsim_core.plan.plan import Population, TablePlan
from plotsim_core.validation.check import CHECKS, Check, Finding, unjudged
from plotsim_core.validation.counts import COUNT_BIAS, Cells, counted_cells, driver_tables, stored_counts
from plotsim_core.validation.judgement import MIN_UNITS, Measurement, judgement
from plotsim_core.validation.residuals import Residuals, judged_metrics, metric_facts, metrics_judged_by, residuals
from plotsim_core.validation.seasons import contrast_finding
from plotsim_core.validation.store import StoredData
from plotsim_core.validation.trajectory import MAX_ALLOWED, units_in


def _effect_tables(population: Population, table: TablePlan) -> frozenset[str] | None:
    if any(True for _ in table_occasions(population, table.name)):
        return driver_tables(population, table)
    metrics = metrics_judged_by(population, table) if population.dataset.effects else []
    has_effect = any(True for metric in metrics for _ in metric_occasions(population, population.metrics[metric]))
    return metric_facts(population) if has_effect else None


def _effects(store: StoredData, table: TablePlan) -> Iterator[Finding]:
    population = store.population
    for effect, occasions in zip(population.dataset.effects, effect_occasions(population), strict=True):
        yield from _row_findings(store, table, effect, [one for one in occasions if table.name in one.tables])
        for metric in judged_metrics(residuals(store), table):
            spec = population.metrics[metric].spec
            yield from _metric_findings(store, metric, effect, [one for one in occasions if one.acts_on(spec)])


def _metric_findings(store: StoredData, metric: int, effect: Effect, occasions: list[Occasion]) -> Iterator[Finding]:
    population = store.population
    factors = occasion_factors(population, occasions, residuals(store).periods)
    if factors is None:
        return
    outside = (factors == 1.0) & (factors != 1.0).any(axis=0)
    for inside in (factors > 1.0, factors < 1.0):
        if inside.any():
            strength = float(factors[inside].mean()) - 1.0
            subject = f"{population.metrics[metric].name}, {effect.name} {strength:+.0%}"
            yield contrast_finding(store, metric, subject, strength, inside, outside)


def _row_findings(store: StoredData, table: TablePlan, effect: Effect, occasions: list[Occasion]) -> Iterator[Finding]:
    sample = residuals(store)
    factors = occasion_factors(store.population, occasions, sample.periods)
    if factors is None or not (factors != 1.0).any():
        return
    inside = factors != 1.0
    declared = float(factors[inside].mean())
    closed_cells = (factors == 0.0)[:, sample.segments]
    subject = f"{table.name}, {effect.name} {declared - 1.0:+.0%}"
    cells = counted_cells(sample, table, stored_counts(store, table))
    astray = float(cells.rows[closed_cells].sum())
    if astray:
        yield Finding(subject, False, f"{astray:.0f} rows are where none may be", {"declared": declared, "astray": astray})
        return
    verdict = judgement(store, partial(_measure, table=table, original=cells, inside=inside), COUNT_BIAS)
    numbers = {"declared": declared}
    if verdict is None or (verdict.allowed >= MAX_ALLOWED and not verdict.is_rejected):
        yield unjudged(subject, f"too few units or rows, at least {MIN_UNITS} units are needed", numbers)
        return
    value, allowed = declared * verdict.estimate.value, declared * verdict.allowed
    message = f"declared a factor of {declared:.3f}, found {value:.3f} \u00b1 {allowed:.3f}"
    yield Finding(subject, not verdict.is_rejected, message, numbers | {"found": value, "allowed": allowed})


def _measure(sample: Residuals, table: TablePlan, original: Cells, inside: Flags) -> Measurement | None:
    """Measure the ratio of rows to expected rows in the periods of an effect; of a replica, with its generated rows."""
    cells = original if sample.original else counted_cells(sample, table, None)
    present: Flags = cells.is_alive & inside[:, sample.segments]
    expected: Floats = cells.expected
    if not present.any() or not float(np.sum(expected[present])):
        return None
    value, error = ratio(cells.rows, expected, present, 1.0)
    return Measurement(value, 1.0, error, units_in(present))


def _growth_tables(population: Population, table: TablePlan) -> frozenset[str] | None:
    grows = any(population.metrics[metric].spec.growth is not None for metric in metrics_judged_by(population, table))
    return metric_facts(population) if grows else None


def _growths(store: StoredData, table: TablePlan) -> Iterator[Finding]:
    sample = residuals(store)
    for metric in judged_metrics(sample, table):
        spec = sample.population.metrics[metric]
        factors = growth_factors(sample.population, spec, sample.periods)
        if factors is None or spec.spec.growth is None or len(factors) < 2:
            continue
        is_late = np.arange(len(factors)) >= len(factors) // 2
        change = float(factors[is_late].mean() / factors[~is_late].mean()) - 1.0
        subject = f"{spec.name}, {spec.spec.growth.text()}, the later half of the periods"
        yield contrast_finding(store, metric, subject, change, is_late[:, None], ~is_late[:, None])


for _name, _check in {
    "effects_as_declared": Check(
        "behaviour",
        "In the periods of a named effect, means and rows are multiplied by its factor.",
        False,
        _effects,
        _effect_tables,
    ),
    "growth_as_declared": Check("behaviour", "Means grow at the rate that is declared.", False, _growths, _growth_tables),
}.items():
    CHECKS.add(_name, _check)
