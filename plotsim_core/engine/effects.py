"""Named effects at work: what they multiply means and numbers of rows by, in each period and segment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

import numpy as np

from plotsim_core.config.named_effects import occasions_of
from plotsim_core.config.occasions import Occasion
from plotsim_core.engine.roster import Units
from plotsim_core.numerics.arrays import Flags, Floats, Integers
from plotsim_core.plan.plan import MetricPlan, Population


@lru_cache(maxsize=64)
def effect_occasions(population: Population) -> tuple[tuple[Occasion, ...], ...]:
    """Return the occasions of each effect of a population."""
    return occasions_of(population.dataset)


def metric_occasions(population: Population, metric: MetricPlan) -> Iterator[Occasion]:
    """Yield the occasions that act on a metric."""
    for occasions in effect_occasions(population) if population.dataset.effects else ():
        yield from (occasion for occasion in occasions if occasion.acts_on(metric.spec))


def table_occasions(population: Population, table: str) -> Iterator[Occasion]:
    """Yield the occasions that act on the number of rows of a table."""
    for occasions in effect_occasions(population) if population.dataset.effects else ():
        yield from (occasion for occasion in occasions if table in occasion.tables)


def occasion_factors(population: Population, occasions: Iterable[Occasion], periods: Integers) -> Floats | None:
    """Return what some occasions multiply by together, shape (periods, segments), where rows of no unit count as one
    segment; None for no occasion."""
    factors = None
    for occasion in occasions:
        factor = occasion.factors(population.grain, periods)
        if factors is None:
            factors = np.ones((len(periods), max(1, len(population.segments))))
        factors = np.where(acting_segments(population, occasion), factors * factor[:, None], factors)
    return factors


def acting_segments(population: Population, occasion: Occasion) -> Flags:
    """Return which segments an occasion acts on, shape (segments,)."""
    if occasion.segments is None:
        return np.ones(max(1, len(population.segments)), dtype=np.bool_)
    return np.array([segment.spec.name in occasion.segments for segment in population.segments], dtype=np.bool_)


def metric_effects(population: Population, metric: MetricPlan, units: Units, periods: Integers) -> Floats | None:
    """Return what effects multiply the means of a metric by, shape (periods, units); None where none acts on it."""
    factors = occasion_factors(population, metric_occasions(population, metric), periods)
    return None if factors is None else factors[:, units.segment]


def row_effects(population: Population, table: str, units: Units, periods: Integers) -> Floats | None:
    """Return what effects multiply the number of rows of a table by, shape (periods, units); None where none acts on it."""
    factors = occasion_factors(population, table_occasions(population, table), periods)
    return None if factors is None else factors[:, units.segment]
