"""Units of another kind, as rows refer to them: one that is there at the time, in proportion to size."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from plotsim_core.engine.block import Block
from plotsim_core.engine.cohorts import units_by
from plotsim_core.engine.lifetimes import NEVER, first_crossings_before
from plotsim_core.engine.race import Field, Streams, race_field, winners
from plotsim_core.engine.slice import Slice
from plotsim_core.numerics.random import Words
from plotsim_core.plan.plan import Population

Places = NDArray[np.int64]


def all_units(population: Population, stop: int) -> Block:
    """Return a block of all units of a kind that may arrive before the period `stop`, in the window's first period."""
    return _first_units(population, units_by(population, stop))


@lru_cache(maxsize=8)
def _first_units(population: Population, units: int) -> Block:
    return Block(population, Slice(population.first, population.first + 1, 0, units))


def drawn_units(population: Population, periods: Places, streams: Streams, address: Words) -> Places:
    """Return the place in the roster of a unit for each (period, address): one that arrived by that period and is there
    to its end; -1 where there is none. A unit is drawn in proportion to its size."""
    if not len(periods):
        return np.empty(0, dtype=np.int64)
    return winners(_units_by_size(population, int(periods.max()) + 1), streams, address, periods)


def last_periods(population: Population, stop: int) -> Places:
    """Return the last period to whose end each unit is there, NEVER where it does not end before the period `stop`."""
    units, crossing = all_units(population, stop).units, _ending_crossings(population, stop)
    return np.minimum(units.last_period, np.where(crossing == NEVER, NEVER, crossing - 1))


def periods_of_ends(population: Population, stop: int) -> Places:
    """Return the period in which each unit ends, the last in which it has rows, NEVER where that is not before the period
    `stop`."""
    return np.minimum(all_units(population, stop).units.last_period, _ending_crossings(population, stop))


def _ending_crossings(population: Population, stop: int) -> Places:
    """Return the period of the first crossing that ends each unit, NEVER where there is none before the period `stop`."""
    units = all_units(population, stop).units
    periods = np.full(len(units), NEVER, dtype=np.int64)
    for ending in population.endings:
        periods = np.minimum(periods, first_crossings_before(population, ending.crossing, units, stop))
    return periods


@lru_cache(maxsize=8)
def _units_by_size(population: Population, stop: int) -> Field:
    """Return the units that may arrive before `stop`, each with its size as its weight."""
    units = all_units(population, stop).units
    counts = np.ones(len(units), dtype=np.int64)
    return race_field(population, counts, units.size, units.address, units.arrival, last_periods(population, stop))
