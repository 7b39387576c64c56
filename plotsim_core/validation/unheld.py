"""What a config declares and no stored table shows well enough to be judged: metrics that no fact per unit and period holds,
and what is declared of them."""

from __future__ import annotations

from collections.abc import Iterator

from plotsim_core.plan.plan import Plan
from plotsim_core.validation.check import Finding, unjudged
from plotsim_core.validation.residuals import measuring

_NOWHERE = "no fact per unit and period holds {}"


def unheld(plan: Plan) -> Iterator[tuple[str, Finding]]:
    """Yield (check, finding) of whatever a dataset declares of metrics that its facts do not hold, all kinds of unit."""
    whole = plan.clean or plan
    for kind in (whole, *whole.others):
        hidden = {metric.name for place, metric in enumerate(kind.metrics) if measuring(kind, place) is None}
        if hidden:
            yield from _of_kind(kind, hidden)


def _of_kind(plan: Plan, hidden: set[str]) -> Iterator[tuple[str, Finding]]:
    for metric in plan.metrics:
        if metric.name in hidden:
            for check in ("polarity_as_declared", "means_follow_trajectory"):
                yield check, unjudged(metric.name, _NOWHERE.format("it"))
            if plan.dataset.seasonality and metric.spec.seasonal_sensitivity != 0:
                yield "seasons_as_declared", unjudged(metric.name, _NOWHERE.format("it"))
        if metric.driver is not None and hidden & {metric.name, plan.metrics[metric.driver].name}:
            subject = f"{metric.name} follows {plan.metrics[metric.driver].name} after {metric.delay}"
            yield "lags_found", unjudged(subject, _NOWHERE.format("both"))
    for connection in plan.dataset.connections:
        if hidden & {connection.metric_a, connection.metric_b}:
            subject = f"{connection.metric_a} ~ {connection.metric_b}"
            yield "correlations_as_declared", unjudged(subject, _NOWHERE.format("both"))
