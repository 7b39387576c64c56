"""Judging a number that chance moves: against what is expected of it, with the error that it would then have, and where that
says that it is off, against the same number of datasets of other seeds.

Errors count units, and take what they add as symmetric. Where they do not (counts that are hardly ever above zero, a few
very large units), data of the same config with other seeds shows how far chance goes, whatever the shape: what is wrong
lies more than twice as far off as any of `REPLICAS` of them. They are made only where the error says that something is off.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from plotsim_core.engine.life import alive
from plotsim_core.plan.plan import Plan
from plotsim_core.validation.chance import errors
from plotsim_core.validation.residuals import Residuals, blocks_of, layers, residuals
from plotsim_core.validation.store import Store

FEWEST = 30
"""Units that a number has to be of to be judged: of fewer, no fault would show (see `chance`)."""
REPLICAS = 40
_DEVIATION_FACTOR = 2.0
_CELLS = 8_000
"""A replica has about so many cells."""


@dataclass(frozen=True)
class Estimate:
    """What is found of a number, what is expected, the standard error around that, and of how many units it is."""

    found: float
    expected: float
    error: float
    units: int

    @property
    def off(self) -> float:
        """How far what is found lies from what is expected."""
        return abs(self.found - self.expected)


Measure = Callable[[Residuals], Estimate | None]
"""How a number is measured in a sample; None where the sample has nothing to measure."""


@dataclass(frozen=True)
class Judgement:
    """An estimate, how far it may be off, and whether it is farther."""

    estimate: Estimate
    allowed: float
    wrong: bool


def judgement(store: Store, measure: Measure, bias: float) -> Judgement | None:
    """Judge a number; `bias` is how far it may be off for other reasons than chance. Return None where units are too few."""
    estimate = measure(residuals(store))
    if estimate is None or estimate.units < FEWEST or not math.isfinite(estimate.off + estimate.error):
        return None
    allowed = bias + errors(store.plan) * estimate.error
    if estimate.off > allowed:
        allowed = max(allowed, bias + _DEVIATION_FACTOR * _replica_deviation(store, measure, estimate))
    return Judgement(estimate, allowed, estimate.off > allowed)


def _replica_deviation(store: Store, measure: Measure, estimate: Estimate) -> float:
    """Return how far off the number is in the replica in which it is farthest off, on the same side of what is expected.

    Replicas have fewer units than a large dataset; chance shrinks with the root of their number.
    """
    side = 1.0 if estimate.found > estimate.expected else -1.0
    largest = 0.0
    for replica in replicas(store):
        replica_estimate = measure(replica)
        if replica_estimate is not None and math.isfinite(replica_estimate.off):
            shrinkage = math.sqrt(min(1.0, replica_estimate.units / estimate.units))
            largest = max(largest, side * (replica_estimate.found - replica_estimate.expected) * shrinkage)
    return largest


def replicas(store: Store) -> tuple[Residuals, ...]:
    """Return samples of datasets of the same config with other seeds, of the sampled periods; they are made once."""
    return store.kept("replicas", lambda: tuple(_replica(store, number) for number in range(REPLICAS)))


def _replica(store: Store, number: int) -> Residuals:
    sample = residuals(store)
    plan = _reseeded_plan(store.plan, number)
    first, stop = int(sample.periods[0]), int(sample.periods[-1]) + 1
    blocks = blocks_of(plan, first, stop, min(_CELLS // (stop - first), len(sample.segments)))
    is_alive = np.concatenate([alive(block) for block in blocks], axis=1)
    stored_periods = {metric: np.count_nonzero(np.isfinite(values), axis=1) > 0 for metric, values in sample.values.items()}
    rows = {metric: is_alive & is_stored[:, None] for metric, is_stored in stored_periods.items()}
    noised = {metric: np.concatenate([block.noised(metric) for block in blocks], axis=1) for metric in rows}
    values = {metric: np.where(present, noised[metric], np.nan) for metric, present in rows.items()}
    return layers(plan, blocks, rows, values, blocks, np.arange(is_alive.shape[1]), original=False)


def _reseeded_plan(plan: Plan, number: int) -> Plan:
    """Return a plan with another seed, and another digest, by which states are kept."""
    dataset = plan.dataset.model_copy(update={"seed": (plan.seed + 1 + number) % 2**32})
    return replace(plan, dataset=dataset, digest=f"{plan.digest} {number}")
