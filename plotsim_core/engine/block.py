"""A block: the stages of one slice, each computed when first asked for and kept while the block lives."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from plotsim_core.config.effects import missing_on, noise_of
from plotsim_core.engine.correlated import Draws, draws_of, scores
from plotsim_core.engine.memory import Memory, Recent, stage
from plotsim_core.engine.metrics import centres, shifted_positions
from plotsim_core.engine.noised import noised
from plotsim_core.engine.roster import Units, codes
from plotsim_core.engine.silence import may_be_silent, silent
from plotsim_core.engine.slice import CHUNK, Slice
from plotsim_core.engine.staying import staying_units, whole_units
from plotsim_core.engine.trajectories import positions
from plotsim_core.numerics.arrays import Floats
from plotsim_core.numerics.random import Words, fold, words
from plotsim_core.plan.plan import Population


class Block(Memory):
    """The stages of `slice_`. Arrays are (periods, units), read only by everyone. A block that was given its units
    `has_chosen_units`, which need not be all of the slice."""

    def __init__(self, population: Population, slice_: Slice, units: Units | None = None) -> None:
        """`units` are those of the slice, or only some of them."""
        super().__init__()
        self.population = population
        self.slice = slice_
        self.periods: NDArray[np.int64] = slice_.periods
        self.units: Units = _units_of(population, slice_) if units is None else units
        self.has_chosen_units = units is not None
        self.draw = draws_of(population, self.units) if units is None else Draws(population, self.units)

    @property
    def shape(self) -> tuple[int, int]:
        """(periods, units)."""
        return len(self.periods), len(self.units)

    @property
    @stage
    def address(self) -> Words:
        """The address of each cell."""
        return fold(self.units.address[None, :], words(self.periods)[:, None])

    @property
    def tenured(self) -> NDArray[np.bool_]:
        """Which cells lie within the tenures of their units, shape (periods, units); events may end lives before."""
        periods = self.periods[:, None]
        return (periods >= self.units.arrival[None, :]) & (periods <= self.units.last_period[None, :])

    @property
    @stage
    def codes(self) -> NDArray[np.str_]:
        """The part of keys that is each unit's own, shape (units,)."""
        return _CODES.value((self.population, self.units), lambda: codes(self.population, self.units))

    def positions(self) -> Floats:
        """Trajectory positions."""
        return self._positions_in(self.periods)

    def _positions_in(self, periods: NDArray[np.int64]) -> Floats:
        key = "positions", int(periods[0]), len(periods)
        return self.cached(key, lambda: positions(self.population, self.units, periods))

    @stage
    def metric_positions(self, metric: int) -> Floats:
        """The positions that a metric reads."""
        return shifted_positions(self.population, metric, self.units, self.periods, self._positions_in)

    @stage
    def centres(self, metric: int) -> Floats:
        """The mean each value of a metric is drawn around."""
        return centres(
            self.population, self.population.metrics[metric], self.units, self.periods, self.metric_positions(metric)
        )

    @stage
    def scores(self, metric: int) -> Floats:
        """The standard normal score of each value of a metric."""
        return scores(self.population, metric, self.units, self.periods, self.draw)

    @stage
    def correlated(self, metric: int) -> Floats:
        """The true values of a metric, before noise."""
        return self.population.metrics[metric].quantiles.lookup(self.centres(metric), self.scores(metric))

    @stage
    def noised(self, metric: int) -> Floats:
        """The values of a metric as they are stored; NaN where one is missing, or its unit is silent."""
        population, spec = self.population, self.population.metrics[metric]
        driver = missing_on(population.dataset, spec.spec)
        values = noised(
            population.seed,
            noise_of(population.dataset, spec.spec),
            spec,
            self.address,
            self.correlated(metric),
            self.positions(),
            None if driver is None else self.scores(population.metric_index(driver)),
        )
        return np.where(silent(self), np.nan, values) if may_be_silent(population) else values


def _units_of(population: Population, slice_: Slice) -> Units:
    places = slice_.unit_first, slice_.unit_stop
    if slice_.staying:
        return staying_units(population, *places, slice_.first, slice_.stop - 1)
    return whole_units(population, *places)


def _cells(block: Block) -> int:
    periods, units = block.shape
    return periods * units


_CODES: Recent[NDArray[np.str_]] = Recent(least=1, most=32, limit=1 << 17, size=len)
"""The codes of the last units of this process."""
_BLOCKS: Recent[Block] = Recent(least=1, most=32, limit=CHUNK // 4, size=_cells)
"""The last blocks of this process."""


def block(population: Population, slice_: Slice) -> Block:
    """Return the block of a slice; the last ones are kept, so that tables of one slice share its stages."""
    return _BLOCKS.value((population, slice_), lambda: Block(population, slice_))
