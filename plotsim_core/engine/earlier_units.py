"""Units that came before others, as units refer to each other: an employee to a manager who was there first.

The units of a kind have one order: by arrival, then by their number in their segment. Each refers to one before it in this
order, which is there at the time, by a race among those (`race.py`): a unit that is new takes references, and moves none.
So no chain of references comes back to where it began.

The slots of the race are numbered in each segment and spell of arrivals: the first period, the second, the next two, the
next four and so on. So where few have come yet, the slots of those who come later are few too, or are not looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from plotsim_core.engine.foreign_units import all_units, last_periods
from plotsim_core.engine.race import NOBODY, Blocks, Field, Streams, winners
from plotsim_core.engine.roster import NEVER
from plotsim_core.numerics.arrays import Integers
from plotsim_core.plan.plan import Population

_BASE = 4
"""How much wider a block of slots is than those before it."""


@dataclass(frozen=True, eq=False)
class _Order:
    """The units of a roster as runners whose clock is their order: `rank` is the number of each in it, `last_period` the
    last to whose end it is there."""

    field: Field
    rank: Integers
    last_period: Integers


def earlier_units(
    population: Population, stop: int, places: Integers, periods: Integers, roots: int, streams: Streams
) -> Integers:
    """Return the place in the roster of the unit that each of some units refers to, given by their `places`: one that came
    before it and is there to the end of its period. -1 for the first `roots`, and where there is none. All periods are
    before `stop`."""
    result = np.full(len(places), NOBODY, dtype=np.int64)
    if not len(places):
        return result
    order = _order(population, stop)
    rank = order.rank[places]
    followers = np.flatnonzero(rank >= roots)

    def is_present(positions: Integers, runners: Integers) -> NDArray[np.bool_]:
        is_there: NDArray[np.bool_] = order.last_period[runners] >= periods[followers[positions]]
        return is_there

    address = order.field.address[places[followers]]
    result[followers] = winners(order.field, streams, address, rank[followers] - 1, is_present)
    return result


@lru_cache(maxsize=8)
def _order(population: Population, stop: int) -> _Order:
    """Return the order of the units that may arrive before `stop`."""
    units = all_units(population, stop).units
    rank = np.empty(len(units), dtype=np.int64)
    rank[np.lexsort((units.address, units.ordinal, units.arrival))] = np.arange(len(units))
    spell = np.frexp((units.arrival - population.first).astype(np.float64))[1].astype(np.int64)
    runner = np.lexsort((units.ordinal, spell, units.segment)).astype(np.int64)
    field = Field(
        address=units.address,
        arrival=rank,
        last_period=np.full(len(units), NEVER),
        blocks=_blocks(population, units.segment[runner], spell[runner]),
        runner=runner,
        room=np.ones(len(units)),
        number=np.zeros(len(units), dtype=np.int64),
    )
    return _Order(field, rank, last_periods(population, stop))


def _blocks(population: Population, segment: NDArray[np.intp], spell: Integers) -> Blocks:
    """Return the blocks of slots that units of these segments and spells hold, in order: a unit each."""
    starts = np.flatnonzero(np.diff(segment, prepend=-1) | np.diff(spell, prepend=-1))
    counts = np.diff(starts, append=len(segment))
    names, numbers = [], []
    for start, count in zip(starts.tolist(), counts.tolist(), strict=True):
        segment_name, spell_number = population.segments[segment[start]].spec.name, int(spell[start])
        low, next_low = 0, _BASE
        while low < count:
            names.append((segment_name, spell_number, low))
            numbers.append((low, next_low - low, start, count))
            low, next_low = next_low, next_low * _BASE
    low_numbers, widths, firsts, slot_counts = np.array(numbers, dtype=np.int64).reshape(-1, 4).T
    return Blocks(tuple(names), low_numbers, widths, widths, firsts[:, None], slot_counts[:, None])
