"""How independent normal scores are mixed, so that declared correlations, persistence and lags all hold at once.

A metric's score is sqrt(level) B + sqrt(1 - level) v(t), with B fixed for a unit and v moving in time:

    v_m(t) = own_m * sum_k persistence_m[k] E_m(t - k) + pull_m * v_driver(t - delay)
    B_m    = level_own_m * U_m + level_pull_m * B_driver

E (shocks) and U (levels) are jointly normal across metrics. Their correlation matrices are solved here so that both
parts have the declared correlation, whatever a segment's level is; all scores are standard normal. Each v is a moving
average of shocks, so its covariances are finite sums, linear in the matrix that is sought.

Metrics that are not connected depend on each other only through those that both are connected with; the word
`independent` is what makes a pair uncorrelated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plotsim_core.config.connections import Connection
from plotsim_core.config.metrics import Metric
from plotsim_core.errors import Problem
from plotsim_core.numerics.correlation import (
    SCORES,
    completed,
    delivered,
    factor,
    hermite_coefficients,
    latent,
    nearest_row,
)
from plotsim_core.numerics.quantiles import QuantileTable

Floats = NDArray[np.float64]

_POSITIONS = (np.arange(9) + 0.5) / 9
"""The reference distribution of positions against which correlations are solved: it depends on nothing in a config."""
_FORGOTTEN = 1e-3
_SWEEPS = 60
_SMALLEST_VARIANCE = 1e-3
_TOLERATED = 0.02
_REFUSED = 0.2
"""How far a declared correlation may be moved to make the whole possible: more is reported, or refused."""


@dataclass(frozen=True, eq=False)
class Solved:
    """The factors and, for each metric, (pull, own, level_pull, level_own)."""

    shocks: Floats
    levels: Floats
    weights: tuple[tuple[float, float, float, float], ...]


def persistence_weights(persistence: float) -> tuple[float, ...]:
    """Return the weights of the shocks 0, 1, 2 ... periods ago of an AR(1) process, cut where they are forgotten."""
    count = 1 if persistence == 0 else int(np.ceil(np.log(_FORGOTTEN) / np.log(persistence)))
    weights = persistence ** np.arange(count)
    return tuple((weights / np.sqrt(np.sum(weights**2))).tolist())


def causal_order(metrics: Sequence[Metric]) -> tuple[int, ...]:
    """Return the places of the metrics, drivers before followers, otherwise as declared."""
    places = {metric.name: place for place, metric in enumerate(metrics)}
    order: list[int] = []

    def visit(place: int) -> None:
        driver = metrics[place].follows
        if driver is not None and places[driver] not in order:
            visit(places[driver])
        if place not in order:
            order.append(place)

    for place in range(len(metrics)):
        visit(place)
    return tuple(order)


def solve(
    metrics: Sequence[Metric], tables: Sequence[QuantileTable], connections: Sequence[tuple[str, Connection]]
) -> tuple[Solved, list[Problem], list[Problem]]:
    """Return (solved, problems, warnings) for metrics with their quantile tables and connections with their paths."""
    problems: list[Problem] = []
    warnings: list[Problem] = []
    targets = _latent_targets(metrics, tables, connections, problems, warnings)
    layers = [_layer(metrics, targets, moving) for moving in (True, False)]
    for layer in layers:
        for pair, (path, wanted, connection) in targets.items():
            off = abs(layer.implied[pair] - wanted)
            if off > _TOLERATED:
                found = Problem(
                    path,
                    f"a correlation of {connection.coefficient:g} cannot hold together with the others",
                    f"the nearest that can is about {_declared(connection.coefficient, wanted, layer.implied[pair]):.2f}",
                )
                (problems if off > _REFUSED else warnings).append(found)
    moving, still = layers
    weights = tuple((*moving.weights[place], *still.weights[place]) for place in range(len(metrics)))
    solved = Solved(factor(moving.matrix), factor(still.matrix), weights)
    return solved, sorted(set(problems)), sorted(set(warnings) - set(problems))


Targets = dict[tuple[int, int], tuple[str, float, Connection]]


def _declared(coefficient: float, wanted: float, implied: float) -> float:
    return coefficient * implied / wanted if wanted else implied


def margins(metric: Metric, table: QuantileTable) -> Floats:
    """Return the Hermite coefficients of a metric's margins at the reference positions, shape (positions, degree)."""
    low, high = metric.means
    q = _POSITIONS if metric.polarity == "positive" else 1.0 - _POSITIONS
    return hermite_coefficients(table.lookup((low + (high - low) * q)[:, None], SCORES[None, :]))


def _latent_targets(
    metrics: Sequence[Metric],
    tables: Sequence[QuantileTable],
    connections: Sequence[tuple[str, Connection]],
    problems: list[Problem],
    warnings: list[Problem],
) -> Targets:
    places = {metric.name: place for place, metric in enumerate(metrics)}
    coefficients = {place: margins(metrics[place], tables[place]) for place in range(len(metrics))}
    targets: Targets = {}
    for path, connection in connections:
        first, second = places[connection.metric_a], places[connection.metric_b]
        pair = coefficients[first], coefficients[second]
        found, reached = latent(*pair, connection.coefficient)
        if abs(reached - connection.coefficient) > 0.005:
            low, high = delivered(*pair, -1.0), delivered(*pair, 1.0)
            problem = Problem(
                path,
                f"the distributions of {connection.metric_a} and {connection.metric_b} cannot have a correlation of "
                f"{connection.coefficient:g}",
                f"they can have {low:.2f} to {high:.2f}",
            )
            (problems if abs(reached - connection.coefficient) > _REFUSED else warnings).append(problem)
        targets[first, second] = (path, float(np.clip(found, -0.999, 0.999)), connection)
    return targets


@dataclass(frozen=True, eq=False)
class _Layer:
    matrix: Floats
    weights: tuple[tuple[float, float], ...]
    implied: dict[tuple[int, int], float]


def _layer(metrics: Sequence[Metric], targets: Targets, moving: bool) -> _Layer:
    """Solve the matrix of one layer: of the shocks (`moving`) or of the levels.

    It grows by one metric at a time, drivers before followers, each fitted to those before it and leaving them as they
    are: so a metric that is added changes no number of the others, not even in its last digit.
    """
    order = causal_order(metrics)
    turn = {place: number for number, place in enumerate(order)}
    ordered = [metrics[place] for place in order]
    wanted = {(turn[a], turn[b]): target for (a, b), (_, target, _) in targets.items()}
    matrix = np.eye(len(metrics))
    for size in range(1, len(metrics) + 1):
        new = {pair: target for pair, target in wanted.items() if max(pair) == size - 1}
        matrix[:size, :size] = _grown(ordered[:size], matrix[:size, :size], new, moving)
    matrix = np.round(matrix, 10)
    spread, weights = _spread(ordered, matrix, moving)
    back = np.array([turn[place] for place in range(len(metrics))])
    implied = {(a, b): _covariance(spread[turn[a]], spread[turn[b]], matrix) for a, b in targets}
    return _Layer(matrix[np.ix_(back, back)], tuple(weights[number] for number in back.tolist()), implied)


def _grown(metrics: Sequence[Metric], matrix: Floats, wanted: dict[tuple[int, int], float], moving: bool) -> Floats:
    """Return `matrix` with its last row fitted to the latent correlations `wanted` of the last metric."""
    last = len(metrics) - 1
    near = np.array(sorted(min(pair) for pair in wanted), dtype=np.intp)
    if len(near) == 0:
        return matrix
    result = matrix.copy()
    for _ in range(_SWEEPS):
        spread, _ = _spread(metrics, result, moving)
        worst = 0.0
        for (first, second), target in wanted.items():
            off = target - _covariance(spread[first], spread[second], result)
            gain = _overlap(spread[first][first], spread[second][second])
            moved = np.clip(result[first, second] + off / max(gain, 0.05), -0.999, 0.999)
            worst = max(worst, abs(moved - result[first, second]))
            result[first, second] = result[second, first] = moved
        result[last, :last] = result[:last, last] = completed(result[:last, :last], near, result[last, near])
        if worst < 1e-9:
            break
    result[last, :last] = result[:last, last] = nearest_row(result[:last, :last], result[last, :last])
    return result


Spread = dict[int, Floats]
"""Metric place to the weights of its shocks 0, 1, 2 ... periods ago."""


def _spread(metrics: Sequence[Metric], matrix: Floats, moving: bool) -> tuple[list[Spread], tuple[tuple[float, float], ...]]:
    """Return each metric as a moving average of shocks, and its (pull, own) weights scaled to unit variance.

    Drivers stand before their followers. A matrix that cannot be one of correlations is answered as well as it can be:
    it is on its way to one that can, or to being refused.
    """
    places = {metric.name: place for place, metric in enumerate(metrics)}
    spreads: list[Spread] = [{} for _ in metrics]
    weights = [(0.0, 1.0)] * len(metrics)
    for place, metric in enumerate(metrics):
        own = np.array(persistence_weights(metric.persistence) if moving else (1.0,))
        if metric.follows is None:
            spreads[place] = {place: own}
            continue
        driver = metrics[places[metric.follows]]
        pull = metric.strength * (1.0 if metric.polarity == driver.polarity else -1.0)
        share = float(np.sqrt(1.0 - metric.strength**2))
        delay = np.zeros(metric.delay or 0 if moving else 0)
        mixed = {other: np.concatenate([delay, pull * ma]) for other, ma in spreads[places[metric.follows]].items()}
        mixed[place] = share * own
        scale = 1.0 / np.sqrt(max(_covariance(mixed, mixed, matrix), _SMALLEST_VARIANCE))
        spreads[place] = {other: scale * ma for other, ma in mixed.items()}
        weights[place] = (round(float(scale * pull), 10), round(float(scale * share), 10))
    return spreads, tuple(weights)


def _covariance(first: Spread, second: Spread, matrix: Floats) -> float:
    return float(sum(matrix[i, j] * _overlap(a, b) for i, a in first.items() for j, b in second.items()))


def _overlap(first: Floats, second: Floats) -> float:
    shared = min(len(first), len(second))
    return float(np.sum(first[:shared] * second[:shared]))
