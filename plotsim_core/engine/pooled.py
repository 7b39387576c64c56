"""Pooled correlations: what two metrics must correlate given the trajectory to have a declared correlation over the table.

Over all cells the covariance of X and Y is that of their means plus the mean of their covariances given the trajectory
(the law of total covariance). The first part is the trajectory's, the second a power series in the latent correlation
(see `plotsim_core/numerics/correlation.py`), which is inverted. So these numbers depend on the whole dataset: its window,
segments and units. No others do.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from plotsim_core.config.connections import Connection
from plotsim_core.engine.block import Block
from plotsim_core.engine.slice import Slice
from plotsim_core.engine.strata import strata
from plotsim_core.errors import Problem
from plotsim_core.numerics.correlation import SCORES, delivered, hermite_coefficients
from plotsim_core.numerics.random import Floats
from plotsim_core.plan.mixing import REFUSED, margins
from plotsim_core.plan.plan import Plan

_UNITS, _CELLS = 2000, 1 << 19
"""At most so many units of a segment, and so many of its cells, stand for the whole."""
_PERIODS = 60
"""About so many periods of them are looked at."""
_KNOTS = 48
"""Means at which the margins of a metric are known; between them they are interpolated."""
_MISSED = 0.005


def given(
    plan: Plan, connections: Sequence[tuple[str, Connection]]
) -> tuple[list[tuple[str, Connection]], list[Problem], list[Problem]]:
    """Return connections, with their paths, in which the pooled ones say what they must be given the trajectory; problems;
    and warnings of those that can only nearly be reached."""
    problems: list[Problem] = []
    warnings: list[Problem] = []
    result = []
    for path, connection in connections:
        if connection.pooled:
            latent, reached, ends = _latent(plan, connection)
            off = abs(reached - connection.coefficient)
            if off > _MISSED:
                found = f"over the whole table {connection.metric_a} and {connection.metric_b} cannot have a correlation of"
                problem = Problem(
                    path, f"{found} {connection.coefficient:g}", f"they can have {ends[0]:.2f} to {ends[1]:.2f}"
                )
                (problems if off > REFUSED else warnings).append(problem)
            metrics = [plan.metrics[plan.metric_index(name)] for name in (connection.metric_a, connection.metric_b)]
            known = [margins(metric.spec, metric.quantiles) for metric in metrics]
            connection = connection.model_copy(update={"coefficient": delivered(known[0], known[1], latent)})
        result.append((path, connection))
    return result, problems, warnings


def _latent(plan: Plan, connection: Connection) -> tuple[float, float, tuple[float, float]]:
    """Return (latent correlation, the pooled one it gives, the pooled ones that can be reached)."""
    first, second = (_cells(plan, plan.metric_index(name)) for name in (connection.metric_a, connection.metric_b))
    weight = _weights(plan)
    means = [float(np.sum(weight * mean)) for mean, _ in (first, second)]
    between = float(np.sum(weight * (first[0] - means[0]) * (second[0] - means[1])))
    variances = [
        float(np.sum(weight * ((mean - centre) ** 2 + np.sum(terms**2, axis=0))))
        for (mean, terms), centre in zip((first, second), means, strict=True)
    ]
    series = np.sum(weight * first[1] * second[1], axis=1)
    scale = float(np.sqrt(variances[0] * variances[1]))

    def pooled(latent: float) -> float:
        return (between + float(np.sum(series * latent ** np.arange(1, len(series) + 1)))) / scale

    low, high = -0.999, 0.999
    ends = pooled(low), pooled(high)
    for _ in range(50):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if pooled(middle) < connection.coefficient else (low, middle)
    latent = round(0.5 * (low + high), 8)
    return latent, pooled(latent), ends


def _blocks(plan: Plan) -> list[tuple[float, Block]]:
    """Return a part of each segment over the whole window, with how many units each of its own stands for."""
    stop = plan.stop if plan.stop is not None else plan.first + plan.span
    most = max(1, min(_UNITS, _CELLS // (stop - plan.first)))
    parts = strata(plan, plan.first, stop)
    taken = [min(part.count, most) for part in parts]
    return [
        (part.count / units, Block(plan, Slice(plan.first, stop, part.first, part.first + units)))
        for part, units in zip(parts, taken, strict=True)
    ]


def _weights(plan: Plan) -> Floats:
    """Return the weights of the cells that stand for the whole, shape (cells,), with sum 1."""
    parts = [weight * block.tenured[_every(block)] for weight, block in _blocks(plan)]
    found = np.concatenate([part.ravel() for part in parts]).astype(np.float64)
    return found / np.sum(found)


def _cells(plan: Plan, metric: int) -> tuple[Floats, Floats]:
    """Return (mean, Hermite coefficients times deviation) of a metric in these cells: shapes (cells,), (degree, cells)."""
    spec = plan.metrics[metric]
    mean = np.concatenate([block.centres(metric)[_every(block)].ravel() for _, block in _blocks(plan)])
    knots = np.unique(np.quantile(mean, np.linspace(0.0, 1.0, _KNOTS)))
    known = hermite_coefficients(spec.quantiles.lookup(knots[:, None], SCORES[None, :]))
    known = known * spec.quantiles.deviation(knots)[:, None]
    return mean, np.stack([np.interp(mean, knots, column) for column in known.T])


def _every(block: Block) -> slice:
    return slice(None, None, max(1, len(block.periods) // _PERIODS))
