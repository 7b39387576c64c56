"""How independent normal scores are mixed, so that declared correlations, persistence and lags all hold at once.

A metric's score is sqrt(level) B + sqrt(1 - level) v(t), with B fixed for a unit and v moving in time:

    v_m(t) = own_m * sum_k persistence_m[k] E_m(t - k) + sum_s pull_m[s] v_driver(t - delay - s)
    B_m    = level_own_m * U_m + level_pull_m * B_driver

E (shocks) and U (levels) are jointly normal across metrics. Their correlation matrices are solved here so that both
parts have the declared correlation, whatever a segment's level is; all scores are standard normal. Each v is a moving
average of shocks, so its covariances are finite sums, linear in the matrix that is sought.

Metrics that are not connected depend on each other only through those that connect them (the matrix of largest entropy
with the declared entries); the word `independent` is what makes a pair uncorrelated. So the order in which metrics or
connections are declared does not matter, and a metric added to some that are all connected with each other already, to
a single one, or to none leaves the numbers of the others as they are, to the last digit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from plotsim_core.config.connections import Connection
from plotsim_core.config.metrics import Metric
from plotsim_core.errors import Problem
from plotsim_core.numerics.correlation import (
    SCORES,
    completed,
    completion,
    delivered,
    factor,
    fits,
    hermite_coefficients,
    latent,
)
from plotsim_core.numerics.quantiles import QuantileTable

Floats = NDArray[np.float64]

_POSITIONS = (np.arange(9) + 0.5) / 9
"""The reference distribution of positions against which correlations are solved: it depends on nothing in a config."""
_FORGOTTEN = 1e-3
_LONGEST = 0.99
"""No score persists, and no level weighs, more than so."""
_SWEEPS = 60
_SMALLEST_VARIANCE = 1e-3
_TOLERATED = 0.001
REFUSED = 0.2
"""How far a declared correlation may be moved to make the whole possible: more is reported, or refused."""


@dataclass(frozen=True, eq=False)
class Mixing:
    """How scores are mixed, by metric: lower triangular factors of the shocks within units and of the levels between, and
    the weights of a metric's own part and of its driver's (`pull`: one for each period of its decay, signed)."""

    shocks: Floats
    levels: Floats
    own: tuple[float, ...]
    pull: tuple[tuple[float, ...], ...]
    level_own: tuple[float, ...]
    level_pull: tuple[float, ...]


def persistence_weights(persistence: float) -> tuple[float, ...]:
    """Return the weights of the shocks 0, 1, 2 ... periods ago of an AR(1) process, cut where they are forgotten."""
    count = 1 if persistence == 0 else int(np.ceil(np.log(_FORGOTTEN) / np.log(persistence)))
    weights = persistence ** np.arange(count)
    return tuple((weights / np.sqrt(np.sum(weights**2))).tolist())


def latent_metric(metric: Metric, table: QuantileTable) -> Metric:
    """Return a metric whose persistence is what its normal scores need for its values to have the declared one."""
    if metric.persistence == 0:
        return metric
    known = margins(metric, table)
    found, _ = latent(known, known, metric.persistence)
    return metric.model_copy(update={"persistence": min(found, _LONGEST)})


def latent_level(metric: Metric, means: tuple[float, float], table: QuantileTable, level: float, positions: Floats) -> float:
    """Return the share of variance that must lie between units in normal scores for it to be `level` in values.

    `positions` are those that units run through: what a unit has by nature shows in values of different spread and shape.
    """
    if level == 0:
        return 0.0
    read = positions if metric.polarity == "positive" else 1.0 - positions
    mean = table.clip(means[0] + (means[1] - means[0]) * read)
    known = np.mean(hermite_coefficients(table.lookup(mean[:, None], SCORES[None, :])), axis=0)
    return min(latent(known, known, level)[0], _LONGEST)


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
) -> tuple[Mixing, list[Problem], list[Problem]]:
    """Return (mixing, problems, warnings) for metrics with their quantile tables and connections with their paths."""
    problems: list[Problem] = []
    warnings: list[Problem] = []
    metrics = [latent_metric(metric, table) for metric, table in zip(metrics, tables, strict=True)]
    targets = _latent_targets(metrics, tables, connections, problems, warnings)
    moving, still = (_layer(metrics, targets, moving) for moving in (True, False))
    for layer in (moving, still):
        for pair, (path, wanted, connection) in targets.items():
            off = abs(layer.implied[pair] - wanted)
            if off > _TOLERATED:
                found = Problem(
                    path,
                    f"a correlation of {connection.coefficient:g} cannot hold together with the others",
                    f"the nearest that can is about {_declared(connection.coefficient, wanted, layer.implied[pair]):.2f}",
                )
                (problems if off > REFUSED else warnings).append(found)
    mixing = Mixing(
        factor(moving.matrix),
        factor(still.matrix),
        moving.own,
        moving.pull,
        still.own,
        tuple(sum(pull) for pull in still.pull),
    )
    return mixing, sorted(set(problems)), sorted(set(warnings) - set(problems))


Targets = dict[tuple[int, int], tuple[str, float, Connection]]
Wanted = dict[tuple[int, int], float]


def _declared(coefficient: float, wanted: float, implied: float) -> float:
    return coefficient * implied / wanted if wanted else implied


def margins(metric: Metric, table: QuantileTable) -> Floats:
    """Return the Hermite coefficients of a metric's margins at the reference positions, shape (positions, degree)."""
    return _margins(table, metric.means, metric.polarity == "positive")


@lru_cache(maxsize=64)
def _margins(table: QuantileTable, means: tuple[float, float], rising: bool) -> Floats:
    low, high = means
    q = _POSITIONS if rising else 1.0 - _POSITIONS
    return hermite_coefficients(table.lookup((low + (high - low) * q)[:, None], SCORES[None, :]))


def _latent_targets(
    metrics: Sequence[Metric],
    tables: Sequence[QuantileTable],
    connections: Sequence[tuple[str, Connection]],
    problems: list[Problem],
    warnings: list[Problem],
) -> Targets:
    places = {metric.name: place for place, metric in enumerate(metrics)}
    targets: Targets = {}
    for path, connection in connections:
        first, second = places[connection.metric_a], places[connection.metric_b]
        pair = margins(metrics[first], tables[first]), margins(metrics[second], tables[second])
        found, reached = latent(*pair, connection.coefficient)
        if abs(reached - connection.coefficient) > 0.005:
            low, high = delivered(*pair, -1.0), delivered(*pair, 1.0)
            problem = Problem(
                path,
                f"the distributions of {connection.metric_a} and {connection.metric_b} cannot have a correlation of "
                f"{connection.coefficient:g}",
                f"they can have {low:.2f} to {high:.2f}",
            )
            (problems if abs(reached - connection.coefficient) > REFUSED else warnings).append(problem)
        targets[first, second] = (path, float(np.clip(found, -0.999, 0.999)), connection)
    return targets


@dataclass(frozen=True, eq=False)
class _Layer:
    matrix: Floats
    own: tuple[float, ...]
    pull: tuple[tuple[float, ...], ...]
    implied: Wanted


def _layer(metrics: Sequence[Metric], targets: Targets, moving: bool) -> _Layer:
    """Solve the matrix of one layer: of the shocks (`moving`) or of the levels. Metrics that neither a connection nor a
    lag joins do not know of each other, so each group is solved by itself."""
    if not moving:
        metrics = _still(metrics, {frozenset(pair) for pair in targets})
    order = causal_order(metrics)
    turn = {place: number for number, place in enumerate(order)}
    ordered = [metrics[place] for place in order]
    wanted = {(turn[a], turn[b]): target for (a, b), (_, target, _) in targets.items()}
    matrix = np.eye(len(metrics))
    for group in _groups(ordered, wanted):
        within = {(group.index(a), group.index(b)): target for (a, b), target in wanted.items() if a in group}
        matrix[np.ix_(group, group)] = _group_matrix([ordered[place] for place in group], within, moving)
    matrix = np.round(matrix, 10)
    spread, own, pull = _spread(ordered, matrix, moving)
    back = np.array([turn[place] for place in range(len(metrics))])
    implied = {(a, b): _covariance(spread[turn[a]], spread[turn[b]], matrix) for a, b in targets}
    own, pull = [own[place] for place in back], [pull[place] for place in back]
    return _Layer(matrix[np.ix_(back, back)], tuple(own), tuple(pull), implied)


def _still(metrics: Sequence[Metric], connected: set[frozenset[int]]) -> list[Metric]:
    """Return metrics as their levels see them. Levels know no time, so a lag and a correlation of the same two metrics are
    one number there: it is the declared correlation's, and the lag is left to what moves."""
    places = {metric.name: place for place, metric in enumerate(metrics)}
    return [
        metric.model_copy(update={"follows": None})
        if metric.follows is not None and frozenset((place, places[metric.follows])) in connected
        else metric
        for place, metric in enumerate(metrics)
    ]


def _groups(metrics: Sequence[Metric], wanted: Wanted) -> list[list[int]]:
    """Return the places of the metrics that connections and lags join, group by group, each in causal order."""
    names = [metric.name for metric in metrics]
    joined = [*wanted, *((names.index(m.follows), place) for place, m in enumerate(metrics) if m.follows)]
    label = list(range(len(metrics)))
    for a, b in joined:
        label = [label[a] if found == label[b] else found for found in label]
    return [[place for place, found in enumerate(label) if found == group] for group in dict.fromkeys(label)]


def _group_matrix(metrics: Sequence[Metric], wanted: Wanted, moving: bool) -> Floats:
    """Return the matrix of one group: its core solved as a whole, then one metric after the other.

    Where a metric that is added asks for what the others do not leave room for, the whole group is solved at once, and
    the correlations nearest to the declared ones are taken.
    """
    core, tail = _eliminated(metrics, wanted)
    order = core + tail
    ordered = [metrics[place] for place in order]
    turned = {_pair(order.index(a), order.index(b)): target for (a, b), target in wanted.items()}
    matrix = np.eye(len(order))
    if core:
        inner = {pair: target for pair, target in turned.items() if max(pair) < len(core)}
        matrix[: len(core), : len(core)] = _joint(ordered[: len(core)], inner, moving)
    for size in range(len(core) + 1, len(order) + 1):
        new = {pair: target for pair, target in turned.items() if max(pair) == size - 1}
        grown = _grown(ordered[:size], matrix[:size, :size], new, moving)
        if grown is None:
            matrix = _joint(ordered, turned, moving)
            break
        matrix[:size, :size] = grown
    back = np.argsort(order)
    return matrix[np.ix_(back, back)]


def _pair(a: int, b: int) -> tuple[int, int]:
    return (a, b) if a < b else (b, a)


def _eliminated(metrics: Sequence[Metric], wanted: Wanted) -> tuple[list[int], list[int]]:
    """Return (core, tail): each metric of the tail, in turn, is connected only with metrics before it that are all
    connected with each other, and drives none of them. Later metrics are put last where they can be."""
    names = [metric.name for metric in metrics]
    pairs = {_pair(a, b) for a, b in wanted}
    left = list(range(len(metrics)))
    tail: list[int] = []

    def removable(place: int) -> bool:
        near = [other for other in left if _pair(place, other) in pairs]
        closed = all(_pair(a, b) in pairs for a in near for b in near if a < b)
        return closed and all(metrics[other].follows != names[place] for other in left)

    while (last := next((place for place in reversed(left) if removable(place)), None)) is not None:
        left.remove(last)
        tail.insert(0, last)
    if len(left) == 1:
        return [], left + tail
    return left, tail


def _grown(metrics: Sequence[Metric], matrix: Floats, wanted: Wanted, moving: bool) -> Floats | None:
    """Return `matrix` with its last row fitted to the latent correlations `wanted` of the last metric; None if no row is."""
    last = len(metrics) - 1
    near = np.array(sorted(min(pair) for pair in wanted), dtype=np.intp)
    if len(near) == 0:
        return matrix
    result = matrix.copy()
    for _ in range(_SWEEPS):
        spread, _, _ = _spread(metrics, result, moving)
        worst = 0.0
        for first, second in sorted(wanted):
            moved = _moved(result[first, second], wanted[first, second], spread[first], spread[second], result)
            worst = max(worst, abs(moved - result[first, second]))
            result[first, second] = result[second, first] = moved
        result[last, :last] = result[:last, last] = completed(result[:last, :last], near, result[last, near])
        if worst < 1e-9:
            break
    return result if fits(result[:last, :last], near, result[last, :last]) else None


def _joint(metrics: Sequence[Metric], wanted: Wanted, moving: bool) -> Floats:
    """Return the matrix of metrics fitted to all `wanted` at once, or to the nearest that hold together."""
    entries = dict(wanted)
    matrix = completion(len(metrics), entries)
    for _ in range(_SWEEPS):
        spread, _, _ = _spread(metrics, matrix, moving)
        moved = {
            (a, b): _moved(matrix[a, b], target, spread[a], spread[b], matrix) for (a, b), target in sorted(wanted.items())
        }
        worst = max(abs(moved[pair] - entries[pair]) for pair in moved)
        if worst < 1e-9:
            break
        entries = moved
        matrix = completion(len(metrics), entries)
    return matrix


def lagged(metrics: Sequence[Metric], mixing: Mixing, driver: int, follower: int, lag: int) -> tuple[float, float]:
    """Return the correlations that the scores of a follower have with its driver's `lag` periods before: of the parts that
    move, and of those that are a unit's own. So much does the follower's own noise leave of `strength`."""
    apart = {frozenset((follower, driver))} if mixing.level_pull[follower] == 0.0 else set()
    found = []
    for lower, moving in ((mixing.shocks, True), (mixing.levels, False)):
        seen = metrics if moving else _still(metrics, apart)
        order = causal_order(seen)
        turn = {place: number for number, place in enumerate(order)}
        matrix = (lower @ lower.T)[np.ix_(order, order)]
        spread, _, _ = _spread([seen[place] for place in order], matrix, moving)
        later = {other: ma[lag if moving else 0 :] for other, ma in spread[turn[follower]].items()}
        found.append(_covariance(later, spread[turn[driver]], matrix))
    return found[0], found[1]


Spread = dict[int, Floats]
"""Metric place to the weights of its shocks 0, 1, 2 ... periods ago."""


def _moved(entry: float, target: float, first: Spread, second: Spread, matrix: Floats) -> float:
    """Return the entry of the matrix that makes the covariance of two metrics `target`, the others being as they are."""
    own = [spread[max(spread)] for spread in (first, second)]
    gain = max(_overlap(own[0], own[1]), 0.05)
    return float(np.clip(entry + (target - _covariance(first, second, matrix)) / gain, -0.999, 0.999))


def _spread(
    metrics: Sequence[Metric], matrix: Floats, moving: bool
) -> tuple[list[Spread], list[float], list[tuple[float, ...]]]:
    """Return each metric as a moving average of shocks, the weight of its own part and those of its driver's, scaled to
    unit variance.

    Drivers stand before their followers. A matrix that cannot be one of correlations is answered as well as it can be:
    it is on its way to one that can, or to being refused.
    """
    places = {metric.name: place for place, metric in enumerate(metrics)}
    spreads: list[Spread] = []
    own: list[float] = []
    pull: list[tuple[float, ...]] = []
    for place, metric in enumerate(metrics):
        shocks = np.array(persistence_weights(metric.persistence) if moving else (1.0,))
        if metric.follows is None:
            spreads.append({place: shocks})
            own.append(1.0)
            pull.append(())
            continue
        driver = places[metric.follows]
        kernel = np.array(metric.kernel if moving else (1.0,))
        delay = np.zeros(metric.delay or 0 if moving else 0)
        heard = {other: np.concatenate([delay, np.convolve(kernel, ma)]) for other, ma in spreads[driver].items()}
        sign = 1.0 if metric.polarity == metrics[driver].polarity else -1.0
        loud = sign * metric.strength / np.sqrt(max(_covariance(heard, heard, matrix), _SMALLEST_VARIANCE))
        share = float(np.sqrt(1.0 - metric.strength**2))
        mixed = {other: loud * ma for other, ma in heard.items()}
        mixed[place] = share * shocks
        scale = 1.0 / np.sqrt(max(_covariance(mixed, mixed, matrix), _SMALLEST_VARIANCE))
        spreads.append({other: scale * ma for other, ma in mixed.items()})
        own.append(round(float(scale * share), 10))
        pull.append(tuple(np.round(scale * loud * kernel, 10).tolist()))
    return spreads, own, pull


def _covariance(first: Spread, second: Spread, matrix: Floats) -> float:
    return float(sum(matrix[i, j] * _overlap(a, b) for i, a in first.items() for j, b in second.items()))


def _overlap(first: Floats, second: Floats) -> float:
    shared = min(len(first), len(second))
    return float(np.sum(first[:shared] * second[:shared]))
