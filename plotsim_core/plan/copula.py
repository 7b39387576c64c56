"""Mixing: weights that make correlated scores of independent normal ones, so that declared correlations, persistence and
lags all hold at once. The method is a Gaussian copula whose correlations are solved for the margins (NORTA).

A metric's score is sqrt(level) B + sqrt(1 - level) v(t), with B fixed for a unit and v moving in time:

    v_m(t) = own_m * sum_k persistence_m[k] E_m(t - k) + sum_s pull_m[s] v_driver(t - delay - s)
    B_m    = level_own_m * U_m + level_pull_m * B_driver

E (shocks) and U (levels) are jointly normal across metrics. Their correlation matrices are solved here so that both
parts have the declared correlation, whatever a segment's level is; all scores are standard normal. Each v is a moving
average of shocks, so its covariances are finite sums, linear in the matrix to be solved.

Metrics that are not connected depend on each other only through those that connect them (the maximum entropy completion
of the declared entries); the word `independent` is what makes a pair uncorrelated. So the order in which metrics or
connections are declared does not matter, and a metric added to some that are all connected with each other already, to
a single one, or to none leaves the numbers of the others as they are, to the last digit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from plotsim_core.config.connections import Connection
from plotsim_core.config.metrics import Metric
from plotsim_core.errors import Problem
from plotsim_core.numerics.arrays import Floats
from plotsim_core.numerics.correlation import (
    SCORES,
    completed_row,
    completion,
    factor,
    fits,
    hermite_coefficients,
    latent,
    nearest_row,
    shown_correlation,
)
from plotsim_core.numerics.quantiles import QuantileTable

_POSITIONS = (np.arange(9) + 0.5) / 9
"""The reference distribution of positions against which correlations are solved: it depends on nothing in a config."""
_SMALLEST_WEIGHT = 1e-3
"""The weight of a shock below which a process has forgotten it."""
_HIGHEST_SHARE = 0.99
"""The largest persistence and the largest level of scores."""
_SWEEPS = 60
_SMALLEST_VARIANCE = 1e-3
_TOLERANCE = 0.001
LARGEST_MOVE = 0.2
"""Changes of a declared correlation that makes all of them possible: above the first it is reported, above the second
refused."""
_YIELD = 0.005
"""How far an added metric's latent correlations give way alone; beyond it, all of its group share what is out of reach."""


@dataclass(frozen=True, eq=False)
class Mixing:
    """How scores are mixed, by metric: lower triangular factors of the shocks within units and of the levels between, and
    the weights of a metric's own part and of its driver's (`driver_weights` has one for each period of its decay,
    signed)."""

    shocks: Floats
    levels: Floats
    own_weights: tuple[float, ...]
    driver_weights: tuple[tuple[float, ...], ...]
    own_level_weights: tuple[float, ...]
    driver_level_weights: tuple[float, ...]


def persistence_weights(persistence: float) -> tuple[float, ...]:
    """Return the weights of the shocks 0, 1, 2 ... periods ago of an AR(1) process, cut where they are negligible."""
    count = 1 if persistence == 0 else int(np.ceil(np.log(_SMALLEST_WEIGHT) / np.log(persistence)))
    weights = persistence ** np.arange(count)
    return tuple((weights / np.sqrt(np.sum(weights**2))).tolist())


def latent_metric(metric: Metric, table: QuantileTable) -> Metric:
    """Return a metric with the persistence that its normal scores need for its values to have the declared one."""
    if metric.persistence == 0:
        return metric
    coefficients = margins(metric, table)
    persistence, _ = latent(coefficients, coefficients, metric.persistence)
    return metric.model_copy(update={"persistence": min(persistence, _HIGHEST_SHARE)})


def latent_level(metric: Metric, means: tuple[float, float], table: QuantileTable, level: float, positions: Floats) -> float:
    """Return the share of variance that must lie between units in normal scores for it to be `level` in values.

    `positions` are those that units run through: what a unit has by nature shows in values of different spread and shape.
    """
    if level == 0:
        return 0.0
    weights = positions if metric.polarity == "positive" else 1.0 - positions
    mean = table.clip(means[0] + (means[1] - means[0]) * weights)
    coefficients = np.mean(hermite_coefficients(table.lookup(mean[:, None], SCORES[None, :])), axis=0)
    return min(latent(coefficients, coefficients, level)[0], _HIGHEST_SHARE)


def causal_order(metrics: Sequence[Metric]) -> tuple[int, ...]:
    """Return the indices of the metrics, drivers before followers, otherwise as declared."""
    indices = {metric.name: index for index, metric in enumerate(metrics)}
    order: list[int] = []

    def visit(index: int) -> None:
        driver = metrics[index].follows
        if driver is not None and indices[driver] not in order:
            visit(indices[driver])
        if index not in order:
            order.append(index)

    for index in range(len(metrics)):
        visit(index)
    return tuple(order)


def solve(
    metrics: Sequence[Metric], tables: Sequence[QuantileTable], connections: Sequence[tuple[str, Connection]]
) -> tuple[Mixing, list[Problem], list[Problem]]:
    """Return (mixing, problems, warnings) for metrics with their quantile tables and connections with their paths."""
    problems: list[Problem] = []
    warnings: list[Problem] = []
    metrics = [latent_metric(metric, table) for metric, table in zip(metrics, tables, strict=True)]
    targets = _latent_targets(metrics, tables, connections, problems, warnings)
    shocks, levels = (_layer(metrics, targets, shocks) for shocks in (True, False))
    for layer in (shocks, levels):
        for pair, (path, target, connection) in targets.items():
            deviation = abs(layer.correlations[pair] - target)
            if deviation > _TOLERANCE:
                problem = Problem(
                    path,
                    f"a correlation of {connection.coefficient:g} cannot hold together with the others",
                    f"the nearest that can is about {_scaled(connection.coefficient, target, layer.correlations[pair]):.2f}",
                )
                (problems if deviation > LARGEST_MOVE else warnings).append(problem)
    mixing = Mixing(
        factor(shocks.matrix),
        factor(levels.matrix),
        shocks.own_weights,
        shocks.driver_weights,
        levels.own_weights,
        tuple(sum(weights) for weights in levels.driver_weights),
    )
    return mixing, sorted(set(problems)), sorted(set(warnings) - set(problems))


Targets = dict[tuple[int, int], tuple[str, float, Connection]]
PairTargets = dict[tuple[int, int], float]


def _scaled(coefficient: float, target: float, correlation: float) -> float:
    """Return the declared coefficient that a latent correlation other than the target stands for."""
    return coefficient * correlation / target if target else correlation


def margins(metric: Metric, table: QuantileTable) -> Floats:
    """Return the Hermite coefficients of a metric's margins at the reference positions, shape (positions, degree)."""
    return _margins(table, metric.means, metric.polarity == "positive")


@lru_cache(maxsize=64)
def _margins(table: QuantileTable, means: tuple[float, float], is_positive: bool) -> Floats:
    low, high = means
    q = _POSITIONS if is_positive else 1.0 - _POSITIONS
    return hermite_coefficients(table.lookup((low + (high - low) * q)[:, None], SCORES[None, :]))


def _latent_targets(
    metrics: Sequence[Metric],
    tables: Sequence[QuantileTable],
    connections: Sequence[tuple[str, Connection]],
    problems: list[Problem],
    warnings: list[Problem],
) -> Targets:
    indices = {metric.name: index for index, metric in enumerate(metrics)}
    targets: Targets = {}
    for path, connection in connections:
        first, second = indices[connection.metric_a], indices[connection.metric_b]
        pair_margins = margins(metrics[first], tables[first]), margins(metrics[second], tables[second])
        target, correlation = latent(*pair_margins, connection.coefficient)
        if abs(correlation - connection.coefficient) > 0.005:
            low, high = shown_correlation(*pair_margins, -1.0), shown_correlation(*pair_margins, 1.0)
            problem = Problem(
                path,
                f"the distributions of {connection.metric_a} and {connection.metric_b} cannot have a correlation of "
                f"{connection.coefficient:g}",
                f"they can have {low:.2f} to {high:.2f}",
            )
            (problems if abs(correlation - connection.coefficient) > LARGEST_MOVE else warnings).append(problem)
        targets[first, second] = (path, float(np.clip(target, -0.999, 0.999)), connection)
    return targets


@dataclass(frozen=True, eq=False)
class _Layer:
    """The shocks or the levels of all metrics: their matrix, weights and the correlations of connected pairs."""

    matrix: Floats
    own_weights: tuple[float, ...]
    driver_weights: tuple[tuple[float, ...], ...]
    correlations: PairTargets


def _layer(metrics: Sequence[Metric], targets: Targets, of_shocks: bool) -> _Layer:
    """Solve the matrix of one layer: of the shocks (`of_shocks`) or of the levels. Groups of metrics that no connection and
    no lag joins are independent, so each group is solved alone."""
    if not of_shocks:
        metrics = _without_connected_lags(metrics, {frozenset(pair) for pair in targets})
    order = causal_order(metrics)
    ranks = {index: rank for rank, index in enumerate(order)}
    ordered = [metrics[index] for index in order]
    pair_targets = {(ranks[a], ranks[b]): target for (a, b), (_, target, _) in targets.items()}
    matrix = np.eye(len(metrics))
    for group in _groups(ordered, pair_targets):
        group_targets = {(group.index(a), group.index(b)): target for (a, b), target in pair_targets.items() if a in group}
        matrix[np.ix_(group, group)] = _group_matrix([ordered[index] for index in group], group_targets, of_shocks)
    matrix = np.round(matrix, 10)
    averages, own_weights, driver_weights = _moving_averages(ordered, matrix, of_shocks)
    inverse = np.array([ranks[index] for index in range(len(metrics))])
    correlations = {(a, b): _covariance(averages[ranks[a]], averages[ranks[b]], matrix) for a, b in targets}
    own_weights, driver_weights = [own_weights[index] for index in inverse], [driver_weights[index] for index in inverse]
    return _Layer(matrix[np.ix_(inverse, inverse)], tuple(own_weights), tuple(driver_weights), correlations)


def _without_connected_lags(metrics: Sequence[Metric], connected: set[frozenset[int]]) -> list[Metric]:
    """Return metrics as their levels have them: without a lag where the same two metrics are connected. Levels have no time,
    so lag and correlation are one number there, the declared correlation."""
    indices = {metric.name: index for index, metric in enumerate(metrics)}
    return [
        metric.model_copy(update={"follows": None})
        if metric.follows is not None and frozenset((index, indices[metric.follows])) in connected
        else metric
        for index, metric in enumerate(metrics)
    ]


def _groups(metrics: Sequence[Metric], pair_targets: PairTargets) -> list[list[int]]:
    """Return the indices of the metrics that connections and lags join, group by group (connected components), each in
    causal order."""
    names = [metric.name for metric in metrics]
    edges = [*pair_targets, *((names.index(m.follows), index) for index, m in enumerate(metrics) if m.follows)]
    labels = list(range(len(metrics)))
    for a, b in edges:
        labels = [labels[a] if label == labels[b] else label for label in labels]
    return [[index for index, label in enumerate(labels) if label == group] for group in dict.fromkeys(labels)]


def _group_matrix(metrics: Sequence[Metric], pair_targets: PairTargets, of_shocks: bool) -> Floats:
    """Return the matrix of one group: its core is solved at once, then one metric of the tail after the other.

    Where the targets of an added metric do not fit the others, the whole group is solved at once, with the correlations
    nearest to the declared ones.
    """
    core, tail = _core_and_tail(metrics, pair_targets)
    order = core + tail
    ordered = [metrics[index] for index in order]
    ordered_targets = {_pair(order.index(a), order.index(b)): target for (a, b), target in pair_targets.items()}
    matrix = np.eye(len(order))
    if core:
        core_targets = {pair: target for pair, target in ordered_targets.items() if max(pair) < len(core)}
        matrix[: len(core), : len(core)] = _joint_matrix(ordered[: len(core)], core_targets, of_shocks)
    for size in range(len(core) + 1, len(order) + 1):
        last_targets = {pair: target for pair, target in ordered_targets.items() if max(pair) == size - 1}
        extended = _extended_matrix(ordered[:size], matrix[:size, :size], last_targets, of_shocks)
        if extended is None:
            matrix = _joint_matrix(ordered, ordered_targets, of_shocks)
            break
        matrix[:size, :size] = extended
    inverse = np.argsort(order)
    return matrix[np.ix_(inverse, inverse)]


def _pair(a: int, b: int) -> tuple[int, int]:
    return (a, b) if a < b else (b, a)


def _core_and_tail(metrics: Sequence[Metric], pair_targets: PairTargets) -> tuple[list[int], list[int]]:
    """Return (core, tail). The tail is a perfect elimination order of the graph of connections: each metric of it, in turn,
    is connected only with earlier metrics that form a clique, and drives none of them. Later metrics come last if
    possible."""
    names = [metric.name for metric in metrics]
    pairs = {_pair(a, b) for a, b in pair_targets}
    remaining = list(range(len(metrics)))
    tail: list[int] = []

    def removable(index: int) -> bool:
        neighbours = [other for other in remaining if _pair(index, other) in pairs]
        is_clique = all(_pair(a, b) in pairs for a in neighbours for b in neighbours if a < b)
        return is_clique and all(metrics[other].follows != names[index] for other in remaining)

    while (last := next((index for index in reversed(remaining) if removable(index)), None)) is not None:
        remaining.remove(last)
        tail.insert(0, last)
    if len(remaining) == 1:
        return [], remaining + tail
    return remaining, tail


def _extended_matrix(metrics: Sequence[Metric], matrix: Floats, pair_targets: PairTargets, of_shocks: bool) -> Floats | None:
    """Return `matrix` with its last row fitted to the latent correlations of the last metric; None if no row fits.

    Where a row is out of reach by little, the nearest one is taken: the last metric gives way, and the others stay.
    """
    last = len(metrics) - 1
    neighbours = np.array(sorted(min(pair) for pair in pair_targets), dtype=np.intp)
    if len(neighbours) == 0:
        return matrix
    result = matrix.copy()
    for _ in range(_SWEEPS):
        averages, _, _ = _moving_averages(metrics, result, of_shocks)
        largest_change = 0.0
        for first, second in sorted(pair_targets):
            entry = _corrected_entry(
                result[first, second], pair_targets[first, second], averages[first], averages[second], result
            )
            largest_change = max(largest_change, abs(entry - result[first, second]))
            result[first, second] = result[second, first] = entry
        result[last, :last] = result[:last, last] = completed_row(result[:last, :last], neighbours, result[last, neighbours])
        if largest_change < 1e-9:
            break
    row = result[last, :last]
    if fits(result[:last, :last], neighbours, row):
        return result
    nearest = nearest_row(result[:last, :last], row)
    if np.max(np.abs(nearest - row)[neighbours]) > _YIELD:
        return None
    result[last, :last] = result[:last, last] = nearest
    return result


def _joint_matrix(metrics: Sequence[Metric], pair_targets: PairTargets, of_shocks: bool) -> Floats:
    """Return the matrix of metrics fitted to all target correlations at once, or to the nearest possible ones."""
    entries = dict(pair_targets)
    matrix = completion(len(metrics), entries)
    for _ in range(_SWEEPS):
        averages, _, _ = _moving_averages(metrics, matrix, of_shocks)
        corrected = {
            (a, b): _corrected_entry(matrix[a, b], target, averages[a], averages[b], matrix)
            for (a, b), target in sorted(pair_targets.items())
        }
        largest_change = max(abs(corrected[pair] - entries[pair]) for pair in corrected)
        if largest_change < 1e-9:
            break
        entries = corrected
        matrix = completion(len(metrics), entries)
    return matrix


def lagged_correlations(
    metrics: Sequence[Metric], mixing: Mixing, driver: int, follower: int, lag: int
) -> tuple[float, float]:
    """Return the correlations of a follower's scores with its driver's `lag` periods before: of shocks and of levels. They
    are what the follower's own noise leaves of `strength`."""
    connected = {frozenset((follower, driver))} if mixing.driver_level_weights[follower] == 0.0 else set()
    correlations = []
    for lower, of_shocks in ((mixing.shocks, True), (mixing.levels, False)):
        layer_metrics = metrics if of_shocks else _without_connected_lags(metrics, connected)
        order = causal_order(layer_metrics)
        ranks = {index: rank for rank, index in enumerate(order)}
        matrix = (lower @ lower.T)[np.ix_(order, order)]
        averages, _, _ = _moving_averages([layer_metrics[index] for index in order], matrix, of_shocks)
        follower_average = {
            other: weights[lag if of_shocks else 0 :] for other, weights in averages[ranks[follower]].items()
        }
        correlations.append(_covariance(follower_average, averages[ranks[driver]], matrix))
    return correlations[0], correlations[1]


MovingAverage = dict[int, Floats]
"""A metric as a moving average: index of a metric to the weights of its shocks 0, 1, 2 ... periods ago."""


def _corrected_entry(entry: float, target: float, first: MovingAverage, second: MovingAverage, matrix: Floats) -> float:
    """Return the entry of the matrix that makes the covariance of two metrics `target`, all other entries unchanged."""
    own_shocks = [average[max(average)] for average in (first, second)]
    gain = max(_overlap(own_shocks[0], own_shocks[1]), 0.05)
    return float(np.clip(entry + (target - _covariance(first, second, matrix)) / gain, -0.999, 0.999))


def _moving_averages(
    metrics: Sequence[Metric], matrix: Floats, of_shocks: bool
) -> tuple[list[MovingAverage], list[float], list[tuple[float, ...]]]:
    """Return each metric as a moving average of shocks, the weight of its own part and those of its driver's, scaled to
    unit variance.

    Drivers stand before their followers. A matrix that is not positive definite gets variances of at least a minimum: the
    sweeps lead to one that is, or it is refused.
    """
    indices = {metric.name: index for index, metric in enumerate(metrics)}
    averages: list[MovingAverage] = []
    own_weights: list[float] = []
    driver_weights: list[tuple[float, ...]] = []
    for index, metric in enumerate(metrics):
        shock_weights = np.array(persistence_weights(metric.persistence) if of_shocks else (1.0,))
        if metric.follows is None:
            averages.append({index: shock_weights})
            own_weights.append(1.0)
            driver_weights.append(())
            continue
        driver = indices[metric.follows]
        kernel = np.array(metric.kernel if of_shocks else (1.0,))
        delay = np.zeros(metric.delay or 0 if of_shocks else 0)
        driver_average = {
            other: np.concatenate([delay, np.convolve(kernel, weights)]) for other, weights in averages[driver].items()
        }
        sign = 1.0 if metric.polarity == metrics[driver].polarity else -1.0
        gain = sign * metric.strength / np.sqrt(max(_covariance(driver_average, driver_average, matrix), _SMALLEST_VARIANCE))
        own_share = float(np.sqrt(1.0 - metric.strength**2))
        average = {other: gain * weights for other, weights in driver_average.items()}
        average[index] = own_share * shock_weights
        scale = 1.0 / np.sqrt(max(_covariance(average, average, matrix), _SMALLEST_VARIANCE))
        averages.append({other: scale * weights for other, weights in average.items()})
        own_weights.append(round(float(scale * own_share), 10))
        driver_weights.append(tuple(np.round(scale * gain * kernel, 10).tolist()))
    return averages, own_weights, driver_weights


def _covariance(first: MovingAverage, second: MovingAverage, matrix: Floats) -> float:
    return float(sum(matrix[i, j] * _overlap(a, b) for i, a in first.items() for j, b in second.items()))


def _overlap(first: Floats, second: Floats) -> float:
    count = min(len(first), len(second))
    return float(np.sum(first[:count] * second[:count]))
