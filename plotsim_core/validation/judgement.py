"""Judging an estimate: first by its standard error, and if that rejects it, by replicas with other seeds (Monte Carlo test,
parametric bootstrap).

Standard errors are clustered by unit, and take the contributions of units as symmetric. Where these are skewed (counts that
are hardly ever above zero, a few very large units), replicas of the config with other seeds give the distribution: a wrong
estimate is more than twice as far off as any of `REPLICAS` replicas. They are generated only where the error rejects.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from plotsim_core.engine.lifetimes import recording
from plotsim_core.plan.plan import Population
from plotsim_core.validation.cell_samples import sampled_blocks
from plotsim_core.validation.chance import allowed_errors
from plotsim_core.validation.residuals import Residuals, residuals, residuals_of
from plotsim_core.validation.store import StoredData

MIN_UNITS = 30
"""The least number of units of a judged estimate: with fewer, no fault shows (see `chance`)."""
REPLICAS = 40
_DEVIATION_FACTOR = 2.0
_CELLS = 8_000
"""The approximate number of cells of a replica."""


@dataclass(frozen=True)
class Measurement:
    """A measurement: the estimated `value`, the `expected` one, the standard error around it, and the number of units."""

    value: float
    expected: float
    error: float
    units: int

    @property
    def deviation(self) -> float:
        """The absolute deviation from the expected value."""
        return abs(self.value - self.expected)


Measure = Callable[[Residuals], Measurement | None]
"""A function that measures an estimate in a sample; None where the sample has no data for it."""


@dataclass(frozen=True)
class Judgement:
    """A measurement, its allowed deviation, and whether it exceeds that: then it `is_rejected`."""

    estimate: Measurement
    allowed: float
    is_rejected: bool


def judgement(store: StoredData, measure: Measure, bias: float) -> Judgement | None:
    """Judge an estimate; `bias` is its allowed systematic deviation. Return None for too few units."""
    estimate = measure(residuals(store))
    if estimate is None or estimate.units < MIN_UNITS or not math.isfinite(estimate.deviation + estimate.error):
        return None
    allowed = bias + allowed_errors(store.population) * estimate.error
    if estimate.deviation > allowed:
        allowed = max(allowed, bias + _DEVIATION_FACTOR * _replica_deviation(store, measure, estimate))
    return Judgement(estimate, allowed, estimate.deviation > allowed)


def _replica_deviation(store: StoredData, measure: Measure, estimate: Measurement) -> float:
    """Return the largest deviation of a replica, on the same side of the expected value as the estimate.

    Replicas have fewer units than a large dataset; deviations shrink with the root of their number.
    """
    side = 1.0 if estimate.value > estimate.expected else -1.0
    largest = 0.0
    for replica in replicas(store):
        replica_estimate = measure(replica)
        if replica_estimate is not None and math.isfinite(replica_estimate.deviation):
            shrinkage = math.sqrt(min(1.0, replica_estimate.units / estimate.units))
            largest = max(largest, side * (replica_estimate.value - replica_estimate.expected) * shrinkage)
    return largest


def replicas(store: StoredData) -> tuple[Residuals, ...]:
    """Return replicas: samples of the same config with other seeds, in the sampled periods, generated once per store."""
    return store.cached("replicas", lambda: tuple(_replica(store, number) for number in range(REPLICAS)))


def _replica(store: StoredData, number: int) -> Residuals:
    sample = residuals(store)
    population = _reseeded(store.population, number)
    first, stop = int(sample.periods[0]), int(sample.periods[-1]) + 1
    units = min(_CELLS // (stop - first), len(sample.segments))
    blocks = [block for _, block in sampled_blocks(population, first, stop, units)]
    is_recording = np.concatenate([recording(block) for block in blocks], axis=1)
    stored_periods = {metric: np.count_nonzero(np.isfinite(values), axis=1) > 0 for metric, values in sample.values.items()}
    rows = {metric: is_recording & is_stored[:, None] for metric, is_stored in stored_periods.items()}
    noised = {metric: np.concatenate([block.noised(metric) for block in blocks], axis=1) for metric in rows}
    values = {metric: np.where(present, noised[metric], np.nan) for metric, present in rows.items()}
    return residuals_of(population, blocks, rows, values, blocks, np.arange(is_recording.shape[1]), original=False)


def _reseeded(population: Population, number: int) -> Population:
    """Return a population with another seed."""
    dataset = population.dataset.model_copy(update={"seed": (population.seed + 1 + number) % 2**32})
    return replace(population, dataset=dataset)
