"""Correlations as they come out, of a bounded sample of units over the whole window: expected before anything is made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plotsim_core.config.connections import Connection
from plotsim_core.engine.block import Block
from plotsim_core.engine.lifetimes import alive
from plotsim_core.engine.slice import Slice, lives
from plotsim_core.engine.strata import strata, stratum_samples
from plotsim_core.numerics.estimates import correlation, rank_correlation
from plotsim_core.plan.correlations import Correlations, Estimate, connection_masks
from plotsim_core.plan.plan import Population

_CELLS = 200_000
"""About so many cells (period x unit) are looked at."""
_FEWEST = 100
"""So many units are looked at in any case, if there are as many."""
_RUNS, _LONGEST = 20, 4_000
"""Of a window of more periods than `_LONGEST`, so many runs of consecutive periods are looked at."""
_LIMIT = 5.0
"""Residuals are cut off here, so that a few far values do not decide."""


@dataclass(frozen=True, eq=False)
class CorrelationSample:
    """Some `units` of every segment, each by its share, in `periods` from all of the window, of the `total_units` and the
    `length` periods that there are. `blocks` have the cells in which units can be there, each with the place of its first
    period and of its first unit."""

    population: Population
    periods: NDArray[np.int64]
    units: int
    total_units: int
    length: int
    blocks: list[tuple[int, int, Block]]

    def cells(self, read: Callable[[Block], NDArray[np.float64]]) -> NDArray[np.float64]:
        """Return what `read` gives of each block, together, shape (periods, units); NaN where no block is."""
        grid = np.full((len(self.periods), self.units), np.nan)
        for row, column, block in self.blocks:
            periods, units = block.shape
            grid[row : row + periods, column : column + units] = read(block)
        return grid

    def residuals(self, metric: int, read: Callable[[Block, int], NDArray[np.float64]]) -> NDArray[np.float64]:
        """Return values of a metric given the trajectory: minus the mean it sets, in standard deviations."""
        deviation = self.population.metrics[metric].quantiles.deviation

        def residual(block: Block) -> NDArray[np.float64]:
            centres = block.centres(metric)
            return np.clip((read(block, metric) - centres) / deviation(centres), -_LIMIT, _LIMIT)

        return self.cells(residual)


def _true_values(block: Block, metric: int) -> NDArray[np.float64]:
    """Return the values of a metric before noise, NaN outside the tenures of units."""
    return np.where(block.tenured, block.correlated(metric), np.nan)


def _stored_values(block: Block, metric: int) -> NDArray[np.float64]:
    """Return the values of a metric as tables hold them, NaN where no row is or nothing is in it."""
    return np.where(alive(block), block.noised(metric), np.nan)


def sample_of(population: Population, stop: int) -> CorrelationSample:
    """Return the sample that stands for the periods of the window before `stop`."""
    length = stop - population.first
    runs = [(population.first, stop)]
    if length > _LONGEST:
        size = _LONGEST // _RUNS
        begins = population.first + np.linspace(0, length - size, _RUNS).astype(np.int64)
        runs = [(begin, begin + size) for begin in begins.tolist()]
    parts = strata(population, population.first, stop)
    counts = stratum_samples(parts, max(_FEWEST, _CELLS / min(length, _LONGEST)), 1)
    blocks, row = [], 0
    for begin, end in runs:
        column = 0
        for stratum, units in zip(parts, counts, strict=True):
            for life in lives(population, Slice(begin, end, stratum.first, stratum.first + units)):
                if life.stop > begin:
                    clipped = replace(life, first=max(life.first, begin))
                    corner = row + clipped.first - begin, column + life.unit_first - stratum.first
                    blocks.append((*corner, Block(population, clipped)))
            column += units
        row += end - begin
    periods = np.concatenate([np.arange(begin, end, dtype=np.int64) for begin, end in runs])
    return CorrelationSample(population, periods, sum(counts), sum(part.count for part in parts), length, blocks)


def correlations(part: CorrelationSample) -> Iterator[Correlations]:
    """Yield what is expected of each connection of one kind of unit: of stored values, noise included, in the rows that the
    facts will have. Connections of which no table holds both metrics are left out: nobody can find them."""
    population = part.population
    stored_metrics = {metric for table in population.unit_tables for metric in table.stored_metrics.values()}
    for connection, phase, in_phase in connection_masks(population, part.periods):
        if {connection.metric_a, connection.metric_b} <= stored_metrics:
            yield _stored_correlations(part, connection, phase, in_phase)


def _stored_correlations(
    units_sample: CorrelationSample, connection: Connection, phase: int, in_phase: NDArray[np.bool_]
) -> Correlations:
    metrics = [units_sample.population.metric_index(name) for name in (connection.metric_a, connection.metric_b)]
    first, second = (units_sample.cells(partial(_stored_values, metric=metric))[in_phase] for metric in metrics)
    residuals = [units_sample.residuals(metric, _stored_values)[in_phase] for metric in metrics]
    estimates = correlation(residuals[0], residuals[1]), correlation(first, second), rank_correlation(first, second)
    return Correlations(connection, phase, *estimates)


def delivered(population: Population, stop: int) -> Iterator[dict[str, Any]]:
    """Yield each connection of one kind of unit with the correlation `delivered` before the period `stop`.

    It is that of true values given the trajectory, and that of the true values themselves for `pooled` connections: what
    `declared` speaks of. `plain` and `ranks` are what the stored values of both show, whatever the trajectory does. `error`,
    `plain_error` and `ranks_error` are standard errors. Numbers are null where nobody is there.
    """
    if not population.dataset.connections and not population.dataset.connection_phases:
        return
    units_sample = sample_of(population, stop)
    for connection, phase, in_phase in connection_masks(population, units_sample.periods):
        metrics = [population.metric_index(name) for name in (connection.metric_a, connection.metric_b)]
        if connection.pooled:
            first, second = (units_sample.cells(partial(_true_values, metric=metric))[in_phase] for metric in metrics)
        else:
            first, second = (units_sample.residuals(metric, _true_values)[in_phase] for metric in metrics)
        stored = _stored_correlations(units_sample, connection, phase, in_phase)
        begin, end = population.phases[phase - 1] if phase else (None, None)
        yield {
            "metric_a": connection.metric_a,
            "metric_b": connection.metric_b,
            "declared": connection.coefficient,
            "pooled": connection.pooled,
            "first": None if begin is None else int(population.grain.keys(np.array([begin]))[0]),
            "last": None if end is None else int(population.grain.keys(np.array([end - 1]))[0]),
            **_rounded("delivered", "error", correlation(first, second)),
            **_rounded("plain", "plain_error", stored.pearson),
            **_rounded("ranks", "ranks_error", stored.ranks),
        }


def _rounded(name: str, error: str, estimate: Estimate) -> dict[str, float | None]:
    """Return an estimate and its standard error under their names; null if they are not finite."""
    is_known = bool(np.isfinite(estimate[1]))
    return {name: round(estimate[0], 4) if is_known else None, error: round(estimate[1], 4) if is_known else None}
