"""A block: the stages of one slice, each computed when first asked for and kept while the block lives."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plotsim_core.config.effects import missing_on, noise_of
from plotsim_core.engine.correlated import drawing, scores
from plotsim_core.engine.metrics import centres, reads
from plotsim_core.engine.noised import noised
from plotsim_core.engine.roster import Units, codes, select
from plotsim_core.engine.slice import Slice
from plotsim_core.engine.trajectories import positions
from plotsim_core.numerics.random import Floats, Words, fold, words
from plotsim_core.plan.plan import Plan


class Block:
    """The stages of `slice_`. Arrays are (periods, units), read only by everyone."""

    def __init__(self, plan: Plan, slice_: Slice, units: Units | None = None) -> None:
        """`units` are those of the slice, or only some of them."""
        self.plan = plan
        self.slice = slice_
        self.periods: NDArray[np.int64] = slice_.periods
        self.units: Units = select(plan, slice_.unit_first, slice_.unit_stop) if units is None else units
        self.draw = drawing(plan, self.units)
        self._kept: dict[tuple[str, Any], Any] = {}

    def kept(self, what: str, which: Any, make: Callable[[], Any]) -> Any:
        """Return what `make()` gives, made once for (what, which)."""
        if (what, which) not in self._kept:
            self._kept[what, which] = make()
        return self._kept[what, which]

    @property
    def address(self) -> Words:
        """The address of each cell."""
        found: Words = self.kept("address", None, lambda: fold(self.units.address[None, :], words(self.periods)[:, None]))
        return found

    @property
    def tenured(self) -> NDArray[np.bool_]:
        """Which cells lie within the tenures of their units, shape (periods, units); events may end lives before."""
        periods = self.periods[:, None]
        return (periods >= self.units.arrival[None, :]) & (periods <= self.units.leaves[None, :])

    @property
    def codes(self) -> NDArray[np.str_]:
        """The part of keys that is each unit's own, shape (units,)."""
        found: NDArray[np.str_] = self.kept("codes", None, lambda: codes(self.plan, self.units))
        return found

    def positions(self) -> Floats:
        """Trajectory positions."""
        return self._positions_in(self.periods)

    def _positions_in(self, periods: NDArray[np.int64]) -> Floats:
        found: Floats = self.kept(
            "positions", (int(periods[0]), len(periods)), lambda: positions(self.plan, self.units, periods)
        )
        return found

    def reads(self, metric: int) -> Floats:
        """The positions that a metric reads."""
        found: Floats = self.kept(
            "reads", metric, lambda: reads(self.plan, metric, self.units, self.periods, self._positions_in)
        )
        return found

    def centres(self, metric: int) -> Floats:
        """The mean each value of a metric is drawn around."""
        spec = self.plan.metrics[metric]
        found: Floats = self.kept(
            "centres",
            metric,
            lambda: centres(self.plan, spec, self.units, self.periods, self.reads(metric)),
        )
        return found

    def scores(self, metric: int) -> Floats:
        """The standard normal score of each value of a metric."""
        found: Floats = self.kept("scores", metric, lambda: scores(self.plan, metric, self.units, self.periods, self.draw))
        return found

    def correlated(self, metric: int) -> Floats:
        """The true values of a metric, before noise."""
        table = self.plan.metrics[metric].quantiles
        found: Floats = self.kept("correlated", metric, lambda: table.lookup(self.centres(metric), self.scores(metric)))
        return found

    def noised(self, metric: int) -> Floats:
        """The values of a metric as they are stored; NaN where one is missing."""
        spec = self.plan.metrics[metric]
        on = missing_on(self.plan.dataset, spec.spec)
        found: Floats = self.kept(
            "noised",
            metric,
            lambda: noised(
                self.plan.seed,
                noise_of(self.plan.dataset, spec.spec),
                spec,
                self.address,
                self.correlated(metric),
                self.positions(),
                None if on is None else self.scores(self.plan.metric_index(on)),
            ),
        )
        return found


@lru_cache(maxsize=2)
def block(plan: Plan, slice_: Slice) -> Block:
    """Return the block of a slice; the last ones are kept, so that tables of one slice share its stages."""
    return Block(plan, slice_)
