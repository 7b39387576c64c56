"""A block: the stages of one slice, each computed when first asked for and kept while the block lives."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plotsim_core.config.effects import missing_on, noise_of
from plotsim_core.engine.correlated import drawing, scores
from plotsim_core.engine.metrics import centres, shifted_positions
from plotsim_core.engine.noised import noised
from plotsim_core.engine.roster import Units, codes, select
from plotsim_core.engine.slice import Slice
from plotsim_core.engine.trajectories import positions
from plotsim_core.numerics.random import Floats, Words, fold, words
from plotsim_core.plan.plan import Population


class Block:
    """The stages of `slice_`. Arrays are (periods, units), read only by everyone."""

    def __init__(self, population: Population, slice_: Slice, units: Units | None = None) -> None:
        """`units` are those of the slice, or only some of them."""
        self.population = population
        self.slice = slice_
        self.periods: NDArray[np.int64] = slice_.periods
        self.units: Units = select(population, slice_.unit_first, slice_.unit_stop) if units is None else units
        self.draw = drawing(population, self.units)
        self._kept: dict[tuple[str, Any], Any] = {}

    def kept(self, name: str, part: Any, make: Callable[[], Any]) -> Any:
        """Return what `make()` gives, made once for (name, part)."""
        if (name, part) not in self._kept:
            self._kept[name, part] = make()
        return self._kept[name, part]

    @property
    def address(self) -> Words:
        """The address of each cell."""
        address: Words = self.kept("address", None, lambda: fold(self.units.address[None, :], words(self.periods)[:, None]))
        return address

    @property
    def tenured(self) -> NDArray[np.bool_]:
        """Which cells lie within the tenures of their units, shape (periods, units); events may end lives before."""
        periods = self.periods[:, None]
        return (periods >= self.units.arrival[None, :]) & (periods <= self.units.leaves[None, :])

    @property
    def codes(self) -> NDArray[np.str_]:
        """The part of keys that is each unit's own, shape (units,)."""
        unit_codes: NDArray[np.str_] = self.kept("codes", None, lambda: codes(self.population, self.units))
        return unit_codes

    def positions(self) -> Floats:
        """Trajectory positions."""
        return self._positions_in(self.periods)

    def _positions_in(self, periods: NDArray[np.int64]) -> Floats:
        trajectory: Floats = self.kept(
            "positions", (int(periods[0]), len(periods)), lambda: positions(self.population, self.units, periods)
        )
        return trajectory

    def reads(self, metric: int) -> Floats:
        """The positions that a metric reads."""
        read_positions: Floats = self.kept(
            "reads", metric, lambda: shifted_positions(self.population, metric, self.units, self.periods, self._positions_in)
        )
        return read_positions

    def centres(self, metric: int) -> Floats:
        """The mean each value of a metric is drawn around."""
        spec = self.population.metrics[metric]
        means: Floats = self.kept(
            "centres",
            metric,
            lambda: centres(self.population, spec, self.units, self.periods, self.reads(metric)),
        )
        return means

    def scores(self, metric: int) -> Floats:
        """The standard normal score of each value of a metric."""
        normal_scores: Floats = self.kept(
            "scores", metric, lambda: scores(self.population, metric, self.units, self.periods, self.draw)
        )
        return normal_scores

    def correlated(self, metric: int) -> Floats:
        """The true values of a metric, before noise."""
        table = self.population.metrics[metric].quantiles
        true_values: Floats = self.kept(
            "correlated", metric, lambda: table.lookup(self.centres(metric), self.scores(metric))
        )
        return true_values

    def noised(self, metric: int) -> Floats:
        """The values of a metric as they are stored; NaN where one is missing."""
        spec = self.population.metrics[metric]
        driver = missing_on(self.population.dataset, spec.spec)
        stored_values: Floats = self.kept(
            "noised",
            metric,
            lambda: noised(
                self.population.seed,
                noise_of(self.population.dataset, spec.spec),
                spec,
                self.address,
                self.correlated(metric),
                self.positions(),
                None if driver is None else self.scores(self.population.metric_index(driver)),
            ),
        )
        return stored_values


@lru_cache(maxsize=2)
def block(population: Population, slice_: Slice) -> Block:
    """Return the block of a slice; the last ones are kept, so that tables of one slice share its stages."""
    return Block(population, slice_)
