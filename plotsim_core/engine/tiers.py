"""Histories: bands that a metric's expected value runs through, and since when it has been in the one it is in.

The expected value knows the trajectory, the unit's size and its own level, but no season, no shock and no noise, so
a band changes when the unit really moves and not from one period to the next.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from plotsim_core.engine.block import Block
from plotsim_core.engine.correlated import levels
from plotsim_core.engine.memory import stage
from plotsim_core.engine.metrics import shifted_positions, unseasoned
from plotsim_core.engine.replay import Replay, replayed, state_after, state_before
from plotsim_core.engine.roster import Units, spells, take
from plotsim_core.engine.state_cache import State
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


def band_starts(block: Block, metric: int, edges: tuple[float, ...]) -> Bands:
    """Return, for each cell of a block, the period since which the unit has been in its band (its arrival at first): the
    first of the version of its row."""
    replay = _band_replay(metric, edges)
    later_state = state_after(block.population, replay, block.units, block.slice.stop)
    if later_state is not None and np.all(later_state[1] <= block.slice.first):  # no unit has changed its band since
        return np.broadcast_to(later_state[1], block.shape)
    return replayed(block, replay)


def band_before(block: Block, metric: int, edges: tuple[float, ...]) -> tuple[Bands, Bands]:
    """Return the band of each unit before a block, and the period since which it is in it; the band is -1 and the period
    its arrival where it has none."""
    band, start = state_before(block.population, _band_replay(metric, edges), block.units, block.slice.first)
    return band, start


def _band_replay(metric: int, edges: tuple[float, ...]) -> Replay[Bands]:
    return Replay(f"bands {metric} {edges}", _no_band, partial(_band_starts, metric, edges))


def _no_band(units: Units) -> State:
    return np.full(len(units), -1, dtype=np.int64), units.arrival


def _band_starts(metric: int, edges: tuple[float, ...], block: Block, state: State) -> tuple[Bands, State]:
    """Return the starts in the periods of a block, and the state: the band of each unit and its start."""
    band, start = state
    periods = block.periods
    has_arrived = block.units.arrival[None, :] <= periods[:, None]
    known_bands = np.where(has_arrived, bands_of(block, metric, edges), band[None, :])
    is_changed = known_bands != np.concatenate([band[None, :], known_bands[:-1]])
    starts = np.maximum.accumulate(np.where(is_changed, periods[:, None], start[None, :]), axis=0)
    return starts, (known_bands[-1], starts[-1])
