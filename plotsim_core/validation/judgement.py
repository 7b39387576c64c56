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
_FARTHER = 2.0
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
    found = measure(residuals(store))
    if found is None or found.units < FEWEST or not math.isfinite(found.off + found.error):
        return None
    allowed = bias + errors(store.plan) * found.error
    if found.off > allowed:
        allowed = max(allowed, bias + _FARTHER * _farthest(store, measure, found))
    return Judgement(found, allowed, found.off > allowed)


def _farthest(store: Store, measure: Measure, found: Estimate) -> float:
    """Return how far off the number is in the replica in which it is farthest off, on the same side of what is expected.

    Replicas have fewer units than a large dataset; chance shrinks with the root of their number.
    """
    side = 1.0 if found.found > found.expected else -1.0
    farthest = 0.0
    for other in replicas(store):
        estimate = measure(other)
        if estimate is not None and math.isfinite(estimate.off):
            shrunk = math.sqrt(min(1.0, estimate.units / found.units))
            farthest = max(farthest, side * (estimate.found - estimate.expected) * shrunk)
    return farthest


def replicas(store: Store) -> tuple[Residuals, ...]:
    """Return samples of datasets of the same config with other seeds, of the sampled periods; they are made once."""
    return store.kept("replicas", lambda: tuple(_replica(store, number) for number in range(REPLICAS)))


def _replica(store: Store, number: int) -> Residuals:
    seen = residuals(store)
    plan = _reseeded(store.plan, number)
    first, stop = int(seen.periods[0]), int(seen.periods[-1]) + 1
    blocks = blocks_of(plan, first, stop, min(_CELLS // (stop - first), len(seen.segments)))
    living = np.concatenate([alive(block) for block in blocks], axis=1)
    periods = {metric: np.count_nonzero(np.isfinite(values), axis=1) > 0 for metric, values in seen.values.items()}
    rows = {metric: living & stored[:, None] for metric, stored in periods.items()}
    noised = {metric: np.concatenate([block.noised(metric) for block in blocks], axis=1) for metric in rows}
    values = {metric: np.where(there, noised[metric], np.nan) for metric, there in rows.items()}
    return layers(plan, blocks, rows, values, blocks, np.arange(living.shape[1]), original=False)


def _reseeded(plan: Plan, number: int) -> Plan:
    """Return a plan with another seed, and another digest, by which states are kept."""
    dataset = plan.dataset.model_copy(update={"seed": (plan.seed + 1 + number) % 2**32})
    return replace(plan, dataset=dataset, digest=f"{plan.digest} {number}")
