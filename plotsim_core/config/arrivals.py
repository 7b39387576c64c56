"""When units arrive, more or fewer in some periods than in others: by growth, seasons, a rhythm and named effects."""

from __future__ import annotations

import numpy as np

from plotsim_core.config.calendar_days import period_factors, shape
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.effects import season_strengths
from plotsim_core.config.named_effects import occasions_of
from plotsim_core.config.segments import MovedArrival, OngoingArrival, Segment
from plotsim_core.numerics.arrays import Floats, Integers
from plotsim_core.numerics.codes import COHORTS

SMALLEST_FACTOR = 0.01
"""Seasons leave so many of the arrivals at least."""


def arrival_factors(dataset: Dataset, segment: Segment, periods: Integers) -> Floats | None:
    """Return how many units of a segment arrive in each period, relative to what its arrival says, shape (periods,); None
    where nothing moves them."""
    arrival = segment.arrival
    if not isinstance(arrival, MovedArrival):
        return None
    parts: list[Floats] = []
    if isinstance(arrival, OngoingArrival) and arrival.growth is not None:
        parts.append(arrival.growth.factors(dataset.grain, dataset.first, periods))
    if arrival.seasonal_sensitivity != 0 and dataset.seasonality:
        strengths = season_strengths(dataset.seasonality, dataset.grain, periods)
        parts.append(np.maximum(1.0 + arrival.seasonal_sensitivity * strengths, SMALLEST_FACTOR))
    if arrival.rhythm is not None:
        parts.append(period_factors(dataset.calendar, dataset.grain, shape(dataset.calendar, arrival.rhythm), periods))
    entries = occasions_of(dataset) if any(effect.arrivals for effect in dataset.effects) else ()
    for occasion in (occasion for occasions in entries for occasion in occasions):
        if occasion.moves_arrivals and (occasion.segments is None or segment.name in occasion.segments):
            parts.append(occasion.factors(dataset.grain, periods))
    if not parts:
        return None
    factors = parts[0]
    for part in parts[1:]:
        factors = factors * part
    return factors


def cohort_factors(dataset: Dataset, segment: Segment) -> Floats | None:
    """Return the factors of all periods in which units may arrive later, shape (cohorts, periods of a cohort); None where
    as many arrive in every period."""
    length = dataset.grain.cohort
    periods = dataset.first + 1 + np.arange(COHORTS * length, dtype=np.int64)
    factors = arrival_factors(dataset, segment, periods)
    return None if factors is None else factors.reshape(COHORTS, length)


def cohort_sizes(dataset: Dataset, segment: Segment) -> Floats:
    """Return how many units of a segment arrive in each cohort on average, shape (cohorts,); 0 where arrivals end."""
    if not isinstance(segment.arrival, OngoingArrival):
        return np.zeros(COHORTS)
    rate, factors = segment.arrival.per_period * dataset.scale, cohort_factors(dataset, segment)
    if factors is None:
        return np.full(COHORTS, rate * dataset.grain.cohort)
    sizes: Floats = rate * np.cumsum(factors, axis=1)[:, -1]
    return sizes
