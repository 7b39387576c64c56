"""What a config declares and no stored table shows well enough to be judged: metrics that no fact per unit and period holds,
and what is declared of them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from plotsim_core.plan.declared import declared, subject
from plotsim_core.plan.plan import Plan
from plotsim_core.validation.check import Finding, unjudged
from plotsim_core.validation.residuals import measuring

_NOWHERE = "no fact per unit and period holds {}"


def unheld(plan: Plan, first: int, stop: int) -> Iterator[tuple[str, Finding]]:
    """Yield (check, finding) of whatever a dataset declares, in the periods `first` to `stop`, of metrics that its facts do
    not hold, all kinds of unit."""
    whole = plan.clean or plan
    for kind in (whole, *whole.others):
        hidden = {metric.name for place, metric in enumerate(kind.metrics) if measuring(kind, place) is None}
        if hidden:
            yield from _of_kind(kind, hidden, np.arange(first, stop, dtype=np.int64))


def _of_kind(plan: Plan, hidden: set[str], periods: NDArray[np.int64]) -> Iterator[tuple[str, Finding]]:
    for metric in plan.metrics:
        if metric.name in hidden:
            for check in ("polarity_as_declared", "means_follow_trajectory"):
                yield check, unjudged(metric.name, _NOWHERE.format("it"))
            if plan.dataset.seasonality and metric.spec.seasonal_sensitivity != 0:
                yield "seasons_as_declared", unjudged(metric.name, _NOWHERE.format("it"))
        if metric.driver is not None and hidden & {metric.name, plan.metrics[metric.driver].name}:
            lag = f"{metric.name} follows {plan.metrics[metric.driver].name} after {metric.delay}"
            yield "lags_found", unjudged(lag, _NOWHERE.format("both"))
    for connection, phase, holds in declared(plan, periods):
        if holds.any() and hidden & {connection.metric_a, connection.metric_b}:
            yield "correlations_as_declared", unjudged(subject(plan, connection, phase), _NOWHERE.format("both"))
