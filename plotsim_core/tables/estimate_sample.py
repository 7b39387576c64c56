"""A sample of units and periods, to estimate what a table will hold before it is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plotsim_core.engine.roster import Units, select
from plotsim_core.engine.slice import Slice
from plotsim_core.engine.strata import strata
from plotsim_core.numerics.arrays import Floats
from plotsim_core.plan.plan import Population, TablePlan

_PERIODS = 400
"""Most periods of a sample: a year of days is sampled whole."""
_CELLS = 1 << 17


@dataclass(frozen=True, eq=False)
class Sample:
    """Some units of each stratum, each standing for `weight` units, and `periods` spread evenly over a slice. `broken` are
    the tables of the population with issues."""

    population: Population
    periods: NDArray[np.int64]
    parts: tuple[tuple[float, Units], ...]
    broken: tuple[TablePlan, ...] = ()

    def of(self, population: Population) -> Sample:
        """Return a sample of the same periods of another population."""
        other = sample(population, Slice(int(self.periods[0]), int(self.periods[-1]) + 1, 0, 0))
        return replace(other, periods=self.periods)

    def total(self, per_unit: Callable[[Units], Floats | NDArray[np.bool_] | NDArray[np.int64]]) -> Floats:
        """Return what `per_unit` (shape (periods, units)) adds up to over all units, shape (periods,)."""
        sums = [weight * per_unit(units).sum(axis=1, dtype=np.float64) for weight, units in self.parts]
        totals: Floats = np.sum(sums, axis=0)
        return totals

    def by_period(self, values: Callable[[NDArray[np.int64]], NDArray[Any]]) -> NDArray[Any]:
        """Return `values(periods)`, shape (periods, units), of what is known of consecutive periods only."""
        if self.periods[-1] - self.periods[0] < len(self.periods):
            return values(self.periods)
        return np.concatenate([values(self.periods[index : index + 1]) for index in range(len(self.periods))])

    def has_arrived(self, units: Units) -> NDArray[np.bool_]:
        """Return who has arrived, shape (periods, units)."""
        return self.periods[:, None] >= units.arrival[None, :]

    def is_present(self, units: Units) -> NDArray[np.bool_]:
        """Return who has arrived and is not past its tenure, shape (periods, units)."""
        return self.has_arrived(units) & (self.periods[:, None] <= units.last_period[None, :])

    def is_recording(self, units: Units) -> Floats:
        """Return the chance that a unit makes rows, by arrival, tenure and silence, shape (periods, units)."""
        silences = [segment.spec.silence for segment in self.population.segments]
        shares = np.array([1.0 - (0.0 if silence is None else silence.share) for silence in silences])
        chances: Floats = self.is_present(units) * shares[units.segment]
        return chances


def sample(population: Population, slice_: Slice, broken: tuple[TablePlan, ...] = ()) -> Sample:
    """Return a sample of a slice: every period of short windows and every unit of small segments."""
    count = min(slice_.shape[0], _PERIODS)
    periods = np.linspace(slice_.first, slice_.stop - 1, count).round().astype(np.int64)
    layers = strata(population, population.first, slice_.stop)
    limit = max(1, _CELLS * len(population.segments) // max(1, len(layers)) // count)
    parts = []
    for part in layers:
        unit_count = min(part.count, limit)
        parts.append((part.count / unit_count, select(population, part.first, part.first + unit_count)))
    return Sample(population, periods, tuple(parts), broken)
