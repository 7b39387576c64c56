"""Pooled correlations: what two metrics must correlate given the trajectory to have a declared correlation over the table.

Over all cells the covariance of X and Y is that of their means plus the mean of their covariances given the trajectory
(the law of total covariance). The first part is the trajectory's, the second a power series in the latent correlation
(see `plotsim_core/numerics/correlation.py`), which is inverted. So these numbers depend on the units of all segments, as
no others do. They are solved for a reference roster over the span: as many units of each segment, all there from the start
where arrivals are listed or go on for ever. So neither more units nor a later end move them; a segment more does. What the
units that there are can be expected to have follows from the same series.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from plotsim_core.config.connections import Connection
from plotsim_core.engine.block import Block
from plotsim_core.engine.reference_roster import reference_roster
from plotsim_core.engine.slice import Slice
from plotsim_core.engine.strata import strata
from plotsim_core.errors import Problem
from plotsim_core.numerics.arrays import Floats
from plotsim_core.numerics.correlation import SCORES, hermite_coefficients, shown_correlation
from plotsim_core.plan.copula import LARGEST_MOVE, margins
from plotsim_core.plan.plan import Population

_UNITS, _CELLS = 1000, 1 << 18
"""Most units of a segment, and most of its cells, that stand for the whole."""
_PERIODS = 60
"""Approximate number of periods that are looked at."""
_KNOTS = 48
"""Means at which the margins of a metric are known; between them they are interpolated."""
_TOLERANCE = 0.005


def solve_pooled(
    population: Population, connections: Sequence[tuple[str, Connection]]
) -> tuple[list[tuple[str, Connection]], list[Problem], list[Problem], list[Problem]]:
    """Return connections, with their paths, in which the pooled ones say what they must be given the trajectory; problems;
    warnings of those that can only nearly be reached; and notes of what else is to be known of them."""
    problems: list[Problem] = []
    warnings: list[Problem] = []
    notes: list[Problem] = []
    result = []
    for path, connection in connections:
        if connection.pooled and not _weights(_reference(population)).any():
            span = f"{population.span} {population.grain.plural}"
            message = f"`pooled` is solved over the span of {span}, and no {population.unit} is there in it"
            problems.append(Problem(path, message, "let some arrive earlier, or make the span longer"))
        elif connection.pooled:
            latent, pooled_value, limits = _latent(population, connection)
            miss = abs(pooled_value - connection.coefficient)
            if miss > _TOLERANCE:
                text = f"over the whole table {connection.metric_a} and {connection.metric_b} cannot have a correlation of"
                problem = Problem(
                    path, f"{text} {connection.coefficient:g}", f"they can have {limits[0]:.2f} to {limits[1]:.2f}"
                )
                (problems if miss > LARGEST_MOVE else warnings).append(problem)
            notes.append(_note(population, path, connection, latent))
            metrics = [
                population.metrics[population.metric_index(name)] for name in (connection.metric_a, connection.metric_b)
            ]
            margin_pair = [margins(metric.spec, metric.quantiles) for metric in metrics]
            connection = connection.model_copy(
                update={"coefficient": shown_correlation(margin_pair[0], margin_pair[1], latent)}
            )
        result.append((path, connection))
    return result, problems, warnings, notes


def _note(population: Population, path: str, connection: Connection, latent: float) -> Problem:
    """Return what a new segment does, and what the units that there are have, where that is another number."""
    stop = population.stop if population.stop is not None else population.first + population.span
    actual = _pooled(_blocks(population, population.first, stop), connection)(latent)
    pair = f"{connection.metric_a} and {connection.metric_b}"
    message = f"`pooled` is of all segments: one more changes values of {pair}, and of what they are connected with"
    if not abs(actual - connection.coefficient) > _TOLERANCE:  # NaN where no unit is present
        return Problem(path, message)
    return Problem(
        path, f"{message}; as many units of each have {connection.coefficient:g}, those that there are {actual:.2f}"
    )


def expected(population: Population, connection: Connection, first: int, stop: int) -> float:
    """Return the correlation that a pooled connection can be expected to have over all cells in some periods."""
    return _pooled(_blocks(population, first, stop), connection)(_latent(population, connection)[0])


def _latent(population: Population, connection: Connection) -> tuple[float, float, tuple[float, float]]:
    """Return (latent correlation, the pooled one it gives, the pooled ones that can be reached)."""
    pooled = _pooled(_reference(population), connection)
    low, high = -0.999, 0.999
    limits = pooled(low), pooled(high)
    for _ in range(50):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if pooled(middle) < connection.coefficient else (low, middle)
    latent = round(0.5 * (low + high), 8)
    return latent, pooled(latent), limits


def _pooled(blocks: list[tuple[float, Block]], connection: Connection) -> Callable[[float], float]:
    """Return the pooled correlation in blocks, each with the weight of its units, by the latent one."""
    population = blocks[0][1].population
    first, second = (_cells(blocks, population.metric_index(name)) for name in (connection.metric_a, connection.metric_b))
    weight = _weights(blocks)
    means = [float(np.sum(weight * mean)) for mean, _ in (first, second)]
    between = float(np.sum(weight * (first[0] - means[0]) * (second[0] - means[1])))
    variances = [
        float(np.sum(weight * ((mean - centre) ** 2 + np.sum(terms**2, axis=0))))
        for (mean, terms), centre in zip((first, second), means, strict=True)
    ]
    series = np.sum(weight * first[1] * second[1], axis=1)
    scale = float(np.sqrt(variances[0] * variances[1]))
    powers = np.arange(1, len(series) + 1)
    if scale == 0.0:
        return lambda latent: float("nan")
    return lambda latent: (between + float(np.sum(series * latent**powers))) / scale


def _reference(population: Population) -> list[tuple[float, Block]]:
    """Return as many units of each segment over the span, however many there are."""
    count = _unit_limit(population.span)
    roster = reference_roster(population, count)
    stop = population.first + population.span
    return [
        (1.0, Block(roster, Slice(population.first, stop, segment.first, segment.first + count)))
        for segment in roster.segments
    ]


def _unit_limit(periods: int) -> int:
    return max(1, min(_UNITS, _CELLS // periods))


def _blocks(population: Population, first: int, stop: int) -> list[tuple[float, Block]]:
    """Return a part of the units of each segment in some periods, with how many units each of its own stands for."""
    parts = strata(population, first, stop)
    counts = [min(part.count, _unit_limit(stop - first)) for part in parts]
    return [
        (part.count / units, Block(population, Slice(first, stop, part.first, part.first + units)))
        for part, units in zip(parts, counts, strict=True)
    ]


def _weights(blocks: list[tuple[float, Block]]) -> Floats:
    """Return the weights of the cells that stand for the whole, shape (cells,), with sum 1."""
    parts = [weight * block.tenured[_period_step(block)] for weight, block in blocks]
    weights = np.concatenate([part.ravel() for part in parts]).astype(np.float64)
    return weights / max(float(np.sum(weights)), 1e-300)


def _cells(blocks: list[tuple[float, Block]], metric: int) -> tuple[Floats, Floats]:
    """Return (mean, Hermite coefficients times deviation) of a metric in these cells: shapes (cells,), (degree, cells)."""
    spec = blocks[0][1].population.metrics[metric]
    mean = np.concatenate([block.centres(metric)[_period_step(block)].ravel() for _, block in blocks])
    knots = np.unique(np.quantile(mean, np.linspace(0.0, 1.0, _KNOTS)))
    coefficients = hermite_coefficients(spec.quantiles.lookup(knots[:, None], SCORES[None, :]))
    coefficients = coefficients * spec.quantiles.deviation(knots)[:, None]
    return mean, np.stack([np.interp(mean, knots, column) for column in coefficients.T])


def _period_step(block: Block) -> slice:
    return slice(None, None, max(1, len(block.periods) // _PERIODS))
