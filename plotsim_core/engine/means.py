"""Means so far: what the values of a unit's life come to at the end of a block."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from plotsim_core.engine.block import Block
from plotsim_core.engine.lifetimes import alive
from plotsim_core.engine.memory import Memory, stage
from plotsim_core.numerics.arrays import Floats


class Means(Block):
    """A block of the last period of another (`history`), in which every value is the mean of the unit's values from its
    arrival to then (or to its end), rounded like the values; missing ones do not count. `history` has all periods from the
    window's first."""

    def __init__(self, of: Block) -> None:
        Memory.__init__(self)
        self.history = of
        self.population, self.units, self.draw = of.population, of.units, of.draw
        self.slice = replace(of.slice, first=of.slice.stop - 1)
        self.periods = of.periods[-1:]
        self.has_chosen_units = True  # it is of no slice alone: what is before it counts

    @stage
    def positions(self) -> Floats:
        """The mean trajectory position."""
        return self._mean(self.history.positions(), None)

    @stage
    def centres(self, metric: int) -> Floats:
        """The mean of the means that values are drawn around."""
        return self._mean(self.history.centres(metric), None)

    @stage
    def correlated(self, metric: int) -> Floats:
        """The mean true value of a metric."""
        return self._mean(self.history.correlated(metric), metric)

    @stage
    def noised(self, metric: int) -> Floats:
        """The mean stored value of a metric; NaN where all are missing."""
        return self._mean(self.history.noised(metric), metric)

    def _mean(self, values: Floats, metric: int | None) -> Floats:
        is_present = alive(self.history) & ~np.isnan(values)
        # added up period by period: the order must not depend on how many units there are
        total, count = (np.cumsum(part, axis=0)[-1:] for part in (np.where(is_present, values, 0.0), is_present))
        mean = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
        means: Floats = mean if metric is None else np.round(mean, self.population.metrics[metric].spec.decimals or 0)
        return means
