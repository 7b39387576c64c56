"""Silence: stretches of periods in which a unit makes no rows, though it is there and goes on as ever.

Whether a stretch begins in a period, and how long it lasts, is drawn at the address of the unit and the period. So a cell
looks back for as long as a stretch of its segment can last, and no further.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from plotsim_core.engine.memory import stage
from plotsim_core.numerics.arrays import Flags, Floats, Integers
from plotsim_core.numerics.random import fold, key, uniforms, words
from plotsim_core.plan.plan import Population

if TYPE_CHECKING:
    from plotsim_core.engine.block import Block
    from plotsim_core.engine.roster import Units

_CELLS = 1 << 18
"""Cells whose draws are made together."""


def may_be_silent(population: Population) -> bool:
    """Return whether some units of a population have silent stretches."""
    return any(segment.spec.silence is not None for segment in population.segments)


@stage
def silent(block: Block) -> Flags:
    """Return in which cells units are silent, shape (periods, units)."""
    return silent_cells(block.population, block.units, block.slice.first, block.slice.stop)


def silent_cells(population: Population, units: Units, first: int, stop: int) -> Flags:
    """Return in which of the periods `first` to `stop` (exclusive) each unit is silent, shape (periods, units)."""
    is_silent = np.zeros((stop - first, len(units)), dtype=np.bool_)
    for index, segment in enumerate(population.segments):
        members = np.flatnonzero(units.segment == index)
        spec = segment.spec.silence
        if spec is None or not len(members):
            continue
        address = units.address[members]
        least, most = spec.lengths
        stretch_stop = np.full(len(members), first, dtype=np.int64)
        step = max(1, _CELLS // len(members))
        for start in range(first - most + 1, stop, step):
            periods = np.arange(start, min(start + step, stop), dtype=np.int64)
            cells = fold(address[None, :], words(periods)[:, None])
            begins = np.nonzero(uniforms(key(population.seed, "silence"), cells) < spec.rate)
            draws = uniforms(key(population.seed, "length of silence"), cells[begins])
            stops = np.full(cells.shape, first, dtype=np.int64)
            stops[begins] = periods[begins[0]] + _lengths(least, most, draws)
            stops[0] = np.maximum(stops[0], stretch_stop)
            stops = np.maximum.accumulate(stops, axis=0)
            stretch_stop = stops[-1]
            judged = periods >= first
            is_silent[periods[judged][:, None] - first, members[None, :]] = (stops > periods[:, None])[judged]
    return is_silent


def _lengths(least: int, most: int, draws: Floats) -> Integers:
    """Return how many periods stretches last, each of the numbers from `least` to `most` as likely."""
    lengths: Integers = least + (draws * (most - least + 1)).astype(np.int64)
    return lengths
