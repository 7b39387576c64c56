"""Histories: bands that a metric's expected value runs through, and since when it has been in the one it is in.

The expected value knows the trajectory, the unit's size and its own level, but no season, no shock and no noise, so
a band changes when the unit really moves and not from one period to the next.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from plotsim_core.engine.block import Block
from plotsim_core.engine.correlated import levels
from plotsim_core.engine.memory import stage
from plotsim_core.engine.metrics import shifted_positions, unseasoned
from plotsim_core.engine.replay import state_before
from plotsim_core.engine.roster import Units, spells, take
from plotsim_core.numerics.arrays import Floats
from plotsim_core.plan.plan import Population

Bands = NDArray[np.int64]


def expected_shares(population: Population, metric: int, units: Units, periods: NDArray[np.int64]) -> Floats:
    """Return where the expected value lies between the metric's means at position 0 (0) and 1 (1); periods in a row."""
    spec = population.metrics[metric]
    mean = unseasoned(spec, units, shifted_positions(population, metric, units, periods))
    low, high = spec.spec.means
    return (spec.quantiles.lookup(mean, levels(population, metric, units, periods)) - low) / (high - low)


def bands(population: Population, metric: int, edges: tuple[float, ...], units: Units, periods: NDArray[np.int64]) -> Bands:
    """Return the band (0 to len(edges)) of each unit in each of some consecutive periods; -1 where it is not known, at some
    times at which the unit is not present."""
    unit_bands = np.full((len(periods), len(units)), -1, dtype=np.int64)
    for span, present in spells(units, periods):
        if len(present):
            present_units = units if len(present) == len(units) else take(units, present)
            shares = expected_shares(population, metric, present_units, periods[span])
            unit_bands[span, present] = np.searchsorted(np.array(edges), shares, side="right")
    return unit_bands


@stage
def bands_of(block: Block, metric: int, edges: tuple[float, ...]) -> Bands:
    """Return the band of each cell of a block, shape (periods, units)."""
    return bands(block.population, metric, edges, block.units, block.periods)


@stage
def band_starts(block: Block, metric: int, edges: tuple[float, ...]) -> Bands:
    """Return, for each cell of a block, the period since which the unit has been in its band (its arrival at first): the
    first of the version of its row."""
    population = block.population

    def initial(units: Units) -> tuple[Bands, Bands]:
        return np.full(len(units), -1, dtype=np.int64), units.arrival

    def advance(units: Units, state: tuple[Bands, Bands], first: int, stop: int) -> tuple[Bands, Bands]:
        return _band_starts(population, metric, edges, units, np.arange(first, stop, dtype=np.int64), state)[1]

    before = state_before(population, f"bands {metric} {edges}", block.units, block.slice.first, initial, advance)
    return _band_starts(population, metric, edges, block.units, block.periods, before)[0]


def _band_starts(
    population: Population,
    metric: int,
    edges: tuple[float, ...],
    units: Units,
    periods: NDArray[np.int64],
    state: tuple[Bands, Bands],
) -> tuple[Bands, tuple[Bands, Bands]]:
    """Return the starts in consecutive periods, and the (band, start) of each unit after them, from those before them."""
    band, start = state
    has_arrived = units.arrival[None, :] <= periods[:, None]
    known_bands = np.where(has_arrived, bands(population, metric, edges, units, periods), band[None, :])
    is_changed = known_bands != np.concatenate([band[None, :], known_bands[:-1]])
    starts = np.maximum.accumulate(np.where(is_changed, periods[:, None], start[None, :]), axis=0)
    return starts, (known_bands[-1], starts[-1])
