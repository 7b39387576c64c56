"""Findings of declarations that cannot be judged: those about metrics without a fact per unit and period."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from plotsim_core.engine.effects import metric_occasions
from plotsim_core.plan.correlations import connection_masks, subject
from plotsim_core.plan.plan import Plan, Population
from plotsim_core.validation.check import Finding, unjudged
from plotsim_core.validation.residuals import fact_of_metric

_NO_FACT = "no fact per unit and period holds {}"


def unmeasured(plan: Plan, first: int, stop: int) -> Iterator[tuple[str, Finding]]:
    """Yield (check, finding) for each declaration about a metric that no fact has, in the periods `first` to `stop`, of all
    kinds of unit."""
    for population in plan.populations:
        hidden = {
            metric.name for index, metric in enumerate(population.metrics) if fact_of_metric(population, index) is None
        }
        if hidden:
            yield from _kind_findings(population, hidden, np.arange(first, stop, dtype=np.int64))


def _kind_findings(population: Population, hidden: set[str], periods: NDArray[np.int64]) -> Iterator[tuple[str, Finding]]:
    for metric in population.metrics:
        if metric.name in hidden:
            for check in ("polarity_as_declared", "means_follow_trajectory"):
                yield check, unjudged(metric.name, _NO_FACT.format("it"))
            if population.dataset.seasonality and metric.spec.seasonal_sensitivity != 0:
                yield "seasons_as_declared", unjudged(metric.name, _NO_FACT.format("it"))
            if metric.spec.growth is not None:
                yield "growth_as_declared", unjudged(metric.name, _NO_FACT.format("it"))
            if any(True for _ in metric_occasions(population, metric)):
                yield "effects_as_declared", unjudged(metric.name, _NO_FACT.format("it"))
        if metric.driver is not None and hidden & {metric.name, population.metrics[metric.driver].name}:
            lag_subject = f"{metric.name} follows {population.metrics[metric.driver].name} after {metric.delay}"
            yield "lags_found", unjudged(lag_subject, _NO_FACT.format("both"))
    for connection, phase, in_force in connection_masks(population, periods):
        if in_force.any() and hidden & {connection.metric_a, connection.metric_b}:
            yield "correlations_as_declared", unjudged(subject(population, connection, phase), _NO_FACT.format("both"))
