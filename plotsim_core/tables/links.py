"""Links of a bridge: how many each unit has by now, since when, and to which rows of the other table.

A unit begins with the smallest number of links and has more the higher it has stood so far. The number follows a mean over
its life, so it may fall again; the last link is then the first to go, and comes back where it was. A link is drawn when its
number is first reached, from the rows that are there then, without replacement.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from plotsim_core.columns.rows import Integers, Rows, numbered
from plotsim_core.engine.block import Block
from plotsim_core.engine.history import expected_shares
from plotsim_core.engine.life import NEVER, alive, ends
from plotsim_core.engine.race import NOBODY, Field, Free, Streams, winners
from plotsim_core.numerics.permutation import shuffled
from plotsim_core.numerics.random import Words, fold, key, uniforms, words

_DECIMALS = 9
_CELLS = 1 << 20
"""At most so many pairs are looked at at once."""


@dataclass(frozen=True, eq=False)
class Targets:
    """The rows that a bridge links to. Rows that arrive run for each link; listed rows (`who` is None) are always there."""

    rows: Rows
    who: Field | None = None


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
    if to.who is None:
        return Links(left, shuffled(number, len(to.rows), keys[left]), began)
    last = np.minimum(ends(block)[unit[left]], block.slice.stop - 1)
    right, began = _won(to.who, block.plan.seed, keys, own, left, number, began)
    found = (right != NOBODY) & (began <= last)
    return Links(left[found], right[found], began[found])


def _won(
    who: Field, seed: int, keys: Words, own: Integers, left: Integers, number: Integers, began: Integers
) -> tuple[Integers, Integers]:
    """Return the place of the row that each link leads to, and when it begins.

    A link goes to who wins its race among those that are there, but for the row itself and those of earlier links of it. If
    nobody is, it goes to one who was there, else it begins with the next one who arrives.
    """
    result = np.full(len(left), NOBODY, dtype=np.int64)
    begin = began.copy()
    start = np.zeros(len(keys), dtype=np.int64)
    zeroth = np.flatnonzero(number == 0)
    start[left[zeroth]] = zeroth
    streams = partial(key, seed, "link")
    for place in range(int(number.max(initial=-1)) + 1):
        here = np.flatnonzero(number == place)
        address = fold(keys[left[here]], words(np.full(1, place)))

        def free(places: Integers, runners: Integers, here: Integers = here, place: int = place) -> NDArray[np.bool_]:
            row = left[here[places]]
            may = runners != own[row]
            for earlier in range(place):
                may &= runners != result[start[row] + earlier]
            return may

        winner = winners(who, streams, address, began[here], free)
        none = np.flatnonzero(winner == NOBODY)
        if len(none):
            winner[none], begin[here[none]] = _next(who, streams, address[none], began[here[none]], none, place, free)
        result[here] = winner
    return result, begin


def _next(
    who: Field, streams: Streams, address: Words, period: Integers, places: Integers, taken: int, free: Free
) -> tuple[Integers, Integers]:
    """Return who there is for links that find nobody, and since when: who was there, or the next one who arrives."""
    order = np.argsort(who.arrival, kind="stable")
    arrival = who.arrival[order]
    result, since = np.full(len(address), NOBODY, dtype=np.int64), period.copy()
    if not len(order):
        return result, since
    enough = arrival[min(taken + 1, len(order) - 1)]  # by then one is free: the row itself and `taken` others are not
    reach = np.searchsorted(arrival, np.maximum(enough, period), side="right")
    step = max(1, _CELLS // int(reach.max()))
    for begin in range(0, len(address), step):
        part = slice(begin, min(begin + step, len(address)))
        some, shape = order[: int(reach[part].max())], (part.stop - begin, int(reach[part].max()))
        may = free(np.repeat(places[part], shape[1]), np.tile(some, shape[0])).reshape(shape)
        when = np.where(may, np.maximum(who.arrival[some], period[part, None]), NEVER)
        soonest = when.min(axis=1)
        draw = uniforms(streams("next"), fold(address[part, None], who.address[some]))
        best = np.where(when == soonest[:, None], draw, 2.0).argmin(axis=1)
        result[part] = np.where(soonest < NEVER, some[best], NOBODY)
        since[part] = soonest
    return result, since
