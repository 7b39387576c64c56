"""Links of a bridge: how many each unit has by now, since when, and to which rows of the other table.

A unit begins with the smallest number of links and has more the higher it has stood so far. The number follows a mean over
its life, so it may fall again; the last link is then the first to go, and comes back where it was. A link is drawn when its
number is first reached, from the rows that are there by then, without replacement.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from plotsim_core.columns.rows import Integers, Rows, numbered
from plotsim_core.engine.block import Block
from plotsim_core.engine.history import expected_shares
from plotsim_core.engine.life import NEVER, alive, ends
from plotsim_core.numerics.permutation import shuffled
from plotsim_core.numerics.random import Words

_DECIMALS = 9
_NOBODY = -1


@dataclass(frozen=True, eq=False)
class Targets:
    """The rows that a bridge links to: `rows` of all, and for rows that arrive, their places in the order of `arrival`.

    `slots` has, for each place that can be drawn, the place in `rows` or -1; `least` so many of the first slots of each unit
    are no gaps, `most` is how many slots a unit has. Listed rows (`arrival` is empty) are always there.
    """

    rows: Rows
    slots: Integers
    arrival: Integers
    least: int = 1
    most: int = 1


@dataclass(frozen=True, eq=False)
class Links:
    """Links as parallel arrays: the `left` row (a place), the place of the row it is linked to, the period it began in."""

    left: Integers
    right: Integers
    since: Integers


def begun(block: Block, driver: int | None, low: int, high: int) -> tuple[Integers, Integers]:
    """Return how many links each unit has at the end of the block, shape (units,), and the periods in which they began, unit
    by unit. The block has all periods from the window's first."""
    here = alive(block)
    share = block.positions() if driver is None else expected_shares(block.plan, driver, block.units, block.periods)
    so_far = np.cumsum(np.where(here, share, 0.0), axis=0) / np.maximum(np.cumsum(here, axis=0), 1)
    reached = low + np.rint((high - low) * np.clip(so_far, 0.0, 1.0).round(_DECIMALS)).astype(np.int64)
    reached[block.periods[:, None] < block.units.arrival[None, :]] = 0
    rises = np.diff(np.maximum.accumulate(reached, axis=0), axis=0, prepend=0)
    now = reached[-1]
    every = np.repeat(np.broadcast_to(block.periods, rises.T.shape).ravel(), rises.T.ravel())
    _, number = numbered(rises.sum(axis=0))
    return now, every[number < np.repeat(now, rises.sum(axis=0))]


def linked(
    block: Block, unit: Integers, keys: Words, own: Integers, counts: Integers, since: Integers, to: Targets
) -> Links:
    """Return the links of some left rows: of `unit`, with a key each; `own` is the place of the row itself among the targets
    (-1: it is none of them). `counts` and `since` are those of `begun`."""
    left, number = numbered(counts[unit])
    first = np.cumsum(counts) - counts
    began = since[first[unit[left]] + number]
    if not len(to.arrival):
        return Links(left, to.slots[shuffled(number, len(to.slots), keys[left])], began)
    began = np.maximum(began, _enough(to, number, own[left] != _NOBODY))
    there = began <= np.minimum(ends(block)[unit[left]], block.slice.stop - 1)
    right = _drawn(keys, own, left, number, np.searchsorted(to.arrival, np.where(there, began, -NEVER), side="right"), to)
    found = right != _NOBODY
    return Links(left[found], right[found], began[found])


def _enough(to: Targets, number: Integers, among: np.ndarray) -> Integers:
    """Return when there are rows enough for a link of this number; NEVER where there never are. `among` says whether one of
    them is the row itself."""
    needed = -(-(number + 1 + among) // to.least) - 1
    when = np.append(to.arrival, NEVER)
    return when[np.minimum(needed, len(to.arrival))]


def _drawn(keys: Words, own: Integers, left: Integers, number: Integers, there: Integers, to: Targets) -> Integers:
    """Return the place of the row that each link leads to, -1 where `there` (units that have arrived) is 0.

    A link takes the first slot in the order of its left row's key that holds a row, is not the row itself and is not taken
    by an earlier link of it. The order is that of the slots which are there, so it is begun where the last link left off.
    """
    result = np.full(len(left), _NOBODY, dtype=np.int64)
    first = np.flatnonzero(number == 0)
    begin = np.zeros(len(keys), dtype=np.int64)
    start = np.zeros(len(keys), dtype=np.int64)
    start[left[first]] = first
    for place in range(int(number.max(initial=-1)) + 1):
        waiting = np.flatnonzero((number == place) & (there > 0))
        while len(waiting):
            row, size = left[waiting], there[waiting] * to.most
            candidate = to.slots[shuffled(begin[row] % size, size, keys[row])]
            begin[row] += 1
            free = (candidate != _NOBODY) & (candidate != own[row])
            for earlier in range(place):
                free &= result[start[row] + earlier] != candidate
            result[waiting[free]] = candidate[free]
            waiting = waiting[~free]
    return result
