"""Which rows an issue is about: its share of those of each period, exactly, by their ranks (tables/rank.py)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plotsim_core.columns.rows import Rows
from plotsim_core.config.quality import Issue
from plotsim_core.numerics.arrays import Integers
from plotsim_core.numerics.random import choose, key
from plotsim_core.numerics.shares import in_share
from plotsim_core.plan.plan import Population, TablePlan
from plotsim_core.plan.quality import first_period
from plotsim_core.tables.rank import addresses


@dataclass(frozen=True, eq=False)
class Hit:
    """The `rows` that issue `number` may be about, the `mask` of those that it is about, and what its draws are addressed
    by."""

    number: int
    issue: Issue
    rows: Rows
    mask: NDArray[np.bool_]
    names: tuple[int | str, ...]

    @property
    def column(self) -> str:
        """The column that the issue is about."""
        return self.issue.column or ""

    def stream(self, purpose: str) -> np.uint64:
        """Return the key of one of the issue's streams."""
        return key(self.rows.block.population.seed, *self.names, purpose)

    def delay(self) -> Integers:
        """Return for each row how many periods later an issue of delivery delivers it: 1 to `up_to`."""
        return 1 + choose(self.stream("periods"), self.rows.address, self.issue.delay)


def find_hits(table: TablePlan, rows: Rows, number: int, issue: Issue, periods: Integers | None = None) -> Hit:
    """Return which rows with ranks an issue is about. `periods` decide on it, by default the rows' own.

    The same issue a second time has draws of its own.
    """
    population = rows.block.population
    earlier = sum(other.draws == issue.draws for other_number, other in table.issues if other_number < number)
    names = ("quality", *issue.draws, earlier)
    mask = in_share(rows.rank, issue.rate, key(population.seed, *names), addresses(rows))
    return Hit(number, issue, rows, mask & covers(population, issue, rows.period if periods is None else periods), names)


def covers(population: Population, issue: Issue, periods: Integers) -> NDArray[np.bool_]:
    """Return which periods an issue is about."""
    if issue.offsets and issue.issue == "volume_anomaly":
        return np.isin(periods, population.first + np.array(issue.offsets, dtype=np.int64))
    return np.asarray(periods >= first_period(population, issue))
