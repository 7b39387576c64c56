"""Bounds of chance: how far the numbers of sound data may lie from the declared ones.

A dataset has many comparisons, so each gets its share of the rate of false alarms (Bonferroni). Sums are judged by bounds
that hold for any number of rows and any distribution, not by asymptotic ones:

- A sum of independent terms over the root of the sum of their squares lies beyond x with probability at most
  2 exp(-x**2 / 2) where the terms are as often above zero as below (Efron 1969, Student's t-test under symmetry conditions).
  As it cannot exceed the root of the number of terms, samples too small to show any fault are known in advance.
- A sum of independent, bounded terms around their means lies beyond t with probability at most
  2 exp(-t**2 / (2 v + 2 r t / 3)), v being its variance and r the largest term (Bernstein 1924).
- Hits of independent trials follow the binomial distribution, whose quantiles SciPy knows.
- A sum of squares of standard scores follows chi-square, whose upper quantile SciPy knows.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import bdtrik, chdtri

from plotsim_core.plan.plan import Population

SOFT = 5e-4
"""The false alarm rate of a sound dataset, over all checks that are not blocking."""
BLOCKING = 1e-9
"""The false alarm rate of one blocking comparison."""
_PER_METRIC = 10
"""Comparisons per metric: its mean overall and in bands, its variance, its polarity, its quiet periods, a delay."""


def comparisons(population: Population) -> int:
    """Return an upper bound of the number of comparisons for a dataset, over all kinds of unit that a population may read.
    Tables of no population count for the first one alone."""
    count = 0
    for kind in (population, *population.others):
        dataset, metrics = kind.dataset, len(kind.metrics)
        phases = sum(len(phase.connections) for phase in dataset.connection_phases)
        seasons = len({month for season in dataset.seasonality for month in season.months})
        count += (_PER_METRIC + seasons + 2 * len(dataset.effects)) * metrics + phases
        count += len(dataset.connections) * (1 + len(kind.phases))
        count += sum(metric.spec.growth is not None for metric in kind.metrics)
        count += len(kind.segments) + sum(len(kind.dimension.columns) for _ in dataset.sources)
    tables = [table for table in population.tables if table.population or not population.is_further]
    count += sum(3 + _PER_METRIC * (not table.spec.is_per_cell) for table in tables)
    count += len(population.dataset.effects) * sum(table.spec.has_rhythm for table in tables)
    return max(count, 1)


def allowed_errors(population: Population) -> float:
    """Return the allowed deviation of a number, in standard errors around its expected value."""
    return math.sqrt(2.0 * math.log(2.0 / _alarm_share(population)))


def bernstein(variance: float, largest: float, chance: float) -> float:
    """Return the allowed deviation of a sum of independent terms from its mean: exceeded with probability `chance` at most.

    `variance` is that of the sum, `largest` the largest deviation of one term from its mean.
    """
    odds = math.log(2.0 / chance)
    linear = largest * odds / 3.0
    return linear + math.sqrt(linear**2 + 2.0 * variance * odds)


def hit_bounds(count: int, low: float, high: float, chance: float) -> tuple[float, float]:
    """Return (least, most) hits of `count` independent trials whose odds lie between `low` and `high`: outside with
    probability `chance` at most. Both are quantiles of binomial distributions."""
    least = _quantile(count, low, chance / 2.0)
    return least, count - _quantile(count, 1.0 - high, chance / 2.0)


def _quantile(count: int, odds: float, chance: float) -> float:
    """Return the quantile of a binomial distribution at probability `chance`."""
    if count == 0 or odds <= 0.0 or odds >= 1.0:
        return float(count) if odds >= 1.0 else 0.0
    quantile = float(bdtrik(chance, count, odds))
    return float(np.ceil(quantile)) if quantile > 0.0 else 0.0


def comparison_hit_bounds(population: Population, count: int, rate: float) -> tuple[float, float]:
    """Return (least, most) hits of `count` independent trials at a rate, at the alarm rate of one comparison."""
    return hit_bounds(count, rate, rate, _alarm_share(population))


def chi_square_allowed(population: Population, free: int) -> float:
    """Return the largest allowed chi-square of one comparison, with `free` degrees of freedom."""
    return float(chdtri(free, _alarm_share(population)))


def _alarm_share(population: Population) -> float:
    """Return the false alarm rate of one comparison of a dataset."""
    return SOFT / comparisons(population)
