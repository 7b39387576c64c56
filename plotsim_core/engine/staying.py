"""The units that blocks are of: all with some places of the roster or, where tenures end, those that are there about then.

Where units arrive and leave, most of those that ever came have left. A block without them is as large as who is there, and
not as all who ever were. Who is there is told for so many periods together, so that blocks which follow each other are
mostly of the same units.
"""

from __future__ import annotations

import numpy as np

from plotsim_core.engine.memory import Recent
from plotsim_core.engine.roster import Units, select, take
from plotsim_core.plan.plan import Population

_TOGETHER = 32
"""Periods for which it is told together who is there."""
_WORTHWHILE = 0.8
"""All units stay in a block if at least this share of them is there."""
_UNITS: Recent[Units] = Recent(least=2, most=64, limit=1 << 17, size=len)
"""The last units of this process."""


def may_leave(population: Population) -> bool:
    """Return whether some units have tenures."""
    return any(segment.spec.tenure is not None for segment in population.segments)


def whole_units(population: Population, start: int, stop: int) -> Units:
    """Return all units with places from `start` to `stop` of the roster; the last ones are kept."""
    return _UNITS.value((population, start, stop), lambda: select(population, start, stop))


def staying_units(population: Population, start: int, stop: int, first: int, last: int) -> Units:
    """Return those of units `start` to `stop` of the roster that are there, by arrival and tenure, in some of the periods
    from the one before `first` to `last`, and some more; one at least. The last ones are kept."""
    begin, end = (first - 1) // _TOGETHER * _TOGETHER, last // _TOGETHER * _TOGETHER + _TOGETHER
    return _UNITS.value(
        (population, start, stop, begin, end), lambda: _there_between(whole_units(population, start, stop), begin, end)
    )


def _there_between(units: Units, begin: int, end: int) -> Units:
    is_there = (units.last_period >= begin) & (units.arrival < end)
    is_there[0] |= not is_there.any()
    return units if is_there.mean() >= _WORTHWHILE else take(units, np.flatnonzero(is_there))
