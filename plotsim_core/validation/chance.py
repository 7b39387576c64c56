"""How far sound data may lie from what is declared: the distributions that chance gives the numbers of checks.

A dataset is asked many questions, so each gets its share of the odds that sound data alarms at all (Bonferroni). Sums are
judged by bounds that hold for any number of rows and any shape, not by what would hold for many:

- A sum of independent terms over the root of the sum of their squares lies beyond x with probability at most
  2 exp(-x**2 / 2) where the terms are as often above zero as below (Efron 1969, Student's t-test under symmetry conditions).
  As it cannot exceed the root of the number of terms, so few units that no fault could show are known in advance.
- A sum of independent, bounded terms around their means lies beyond t with probability at most
  2 exp(-t**2 / (2 v + 2 r t / 3)), v being its variance and r the largest term (Bernstein 1924).
- Hits of independent trials follow the binomial distribution, whose quantiles SciPy knows.
- A sum of squares of standard scores follows chi-square, whose upper quantile SciPy knows.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import bdtrik, chdtri

from plotsim_core.plan.plan import Plan

SOFT = 5e-4
"""How often a sound dataset may alarm by chance, in any of its checks that do not mean broken data."""
BLOCKING = 1e-9
"""How often a count that means broken data may look so by chance."""
_PER_METRIC = 10
"""Comparisons per metric: its mean overall and in bands, its spread, its polarity, its quiet periods, a delay."""


def comparisons(plan: Plan) -> int:
    """Return at most how many comparisons with chance a dataset's config gives reason for, all kinds of unit together."""
    count = 0
    for kind in plan.kinds:
        dataset, metrics = kind.dataset, len(kind.metrics)
        phases = sum(len(phase.connections) for phase in dataset.connection_phases)
        seasons = len({month for season in dataset.seasonality for month in season.months})
        count += (_PER_METRIC + seasons) * metrics + len(dataset.connections) * (1 + len(kind.phases)) + phases
        count += len(kind.segments) + sum(3 + _PER_METRIC * (table.kind != "fact") for table in kind.own)
        count += sum(len(table.columns) for table in kind.own if table.kind == "unit") * len(dataset.sources)
    return max(count, 1)


def errors(plan: Plan) -> float:
    """Return how many standard errors, counted around what is expected, a number of a dataset may lie off."""
    return math.sqrt(2.0 * math.log(2.0 / _alarm_share(plan)))


def bernstein(variance: float, largest: float, chance: float) -> float:
    """Return how far a sum of independent terms may lie from its mean: beyond it with probability `chance` at most.

    `variance` is that of the sum, `largest` the farthest that one term may lie from its mean.
    """
    odds = math.log(2.0 / chance)
    linear = largest * odds / 3.0
    return linear + math.sqrt(linear**2 + 2.0 * variance * odds)


def hits(count: int, low: float, high: float, chance: float) -> tuple[float, float]:
    """Return (least, most) hits of `count` independent trials whose odds lie between `low` and `high`: outside with
    probability `chance` at most. Both are quantiles of binomial distributions."""
    least = _quantile(count, low, chance / 2.0)
    return least, count - _quantile(count, 1.0 - high, chance / 2.0)


def _quantile(count: int, odds: float, chance: float) -> float:
    """Return the least number of hits that has more than a chance of so much, or fewer."""
    if count == 0 or odds <= 0.0 or odds >= 1.0:
        return float(count) if odds >= 1.0 else 0.0
    quantile = float(bdtrik(chance, count, odds))
    return float(np.ceil(quantile)) if quantile > 0.0 else 0.0


def hits_of_question(plan: Plan, count: int, rate: float) -> tuple[float, float]:
    """Return (least, most) hits of `count` independent trials, with the odds that a question of a dataset has."""
    return hits(count, rate, rate, _alarm_share(plan))


def chi_square_allowed(plan: Plan, free: int) -> float:
    """Return how large the chi-square of a question of a dataset may be, with so many degrees of freedom."""
    return float(chdtri(free, _alarm_share(plan)))


def _alarm_share(plan: Plan) -> float:
    return SOFT / comparisons(plan)
