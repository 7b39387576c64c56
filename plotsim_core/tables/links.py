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

from plotsim_core.columns.rows import Rows, sibling_numbers
from plotsim_core.engine.block import Block
from plotsim_core.engine.lifetimes import NEVER, alive, ends
from plotsim_core.engine.race import NOBODY, Field, Free, Streams, winners
from plotsim_core.engine.tiers import expected_shares
from plotsim_core.numerics.arrays import Integers
from plotsim_core.numerics.permutation import shuffled
from plotsim_core.numerics.random import Words, fold, key, uniforms, words

_DECIMALS = 9
_CELLS = 1 << 20
"""Most pairs that are looked at at once."""


@dataclass(frozen=True, eq=False)
class Targets:
    """The rows that a bridge links to. Rows that arrive run for each link; listed rows (`entrants` is None) are always
    there."""

    rows: Rows
    entrants: Field | None = None


@dataclass(frozen=True, eq=False)
class Links:
    """Links as parallel arrays: indices of the `left` row and of the `right` row it is linked to, the period it began in."""

    left: Integers
    right: Integers
    start_period: Integers


def link_counts(block: Block, driver: int | None, low: int, high: int) -> tuple[Integers, Integers]:
    """Return how many links each unit has at the end of the block, shape (units,), and the periods in which they began, unit
    by unit. The block has all periods from the window's first."""
    is_alive = alive(block)
    share = block.positions() if driver is None else expected_shares(block.population, driver, block.units, block.periods)
    mean_share = np.cumsum(np.where(is_alive, share, 0.0), axis=0) / np.maximum(np.cumsum(is_alive, axis=0), 1)
    counts = low + np.rint((high - low) * np.clip(mean_share, 0.0, 1.0).round(_DECIMALS)).astype(np.int64)
    counts[block.periods[:, None] < block.units.arrival[None, :]] = 0
    rises = np.diff(np.maximum.accumulate(counts, axis=0), axis=0, prepend=0)
    last_counts = counts[-1]
    start_periods = np.repeat(np.broadcast_to(block.periods, rises.T.shape).ravel(), rises.T.ravel())
    _, number = sibling_numbers(rises.sum(axis=0))
    return last_counts, start_periods[number < np.repeat(last_counts, rises.sum(axis=0))]


def links_of(
    block: Block,
    unit: Integers,
    keys: Words,
    self_target: Integers,
    counts: Integers,
    start_periods: Integers,
    targets: Targets,
) -> Links:
    """Return the links of some left rows: of `unit`, with a key each; `self_target` is the index of the row itself among the
    targets (-1: it is none of them). `counts` and `start_periods` are those of `link_counts`."""
    left, number = sibling_numbers(counts[unit])
    first = np.cumsum(counts) - counts
    starts = start_periods[first[unit[left]] + number]
    if targets.entrants is None:
        return Links(left, shuffled(number, len(targets.rows), keys[left]), starts)
    last_period = np.minimum(ends(block)[unit[left]], block.slice.stop - 1)
    right, starts = _race_winners(targets.entrants, block.population.seed, keys, self_target, left, number, starts)
    is_valid = (right != NOBODY) & (starts <= last_period)
    return Links(left[is_valid], right[is_valid], starts[is_valid])


def _race_winners(
    entrants: Field, seed: int, keys: Words, self_target: Integers, left: Integers, number: Integers, starts: Integers
) -> tuple[Integers, Integers]:
    """Return the index of the row that each link leads to, and when it begins.

    A link goes to who wins its race among those that are there, but for the row itself and those of earlier links of it. If
    none is left, it goes to one that was present, else it begins with the next one that arrives.
    """
    result = np.full(len(left), NOBODY, dtype=np.int64)
    link_starts = starts.copy()
    first_link = np.zeros(len(keys), dtype=np.int64)
    first_numbers = np.flatnonzero(number == 0)
    first_link[left[first_numbers]] = first_numbers
    streams = partial(key, seed, "link")
    for link_number in range(int(number.max(initial=-1)) + 1):
        links = np.flatnonzero(number == link_number)
        address = fold(keys[left[links]], words(np.full(1, link_number)))

        def free(
            positions: Integers, runners: Integers, links: Integers = links, link_number: int = link_number
        ) -> NDArray[np.bool_]:
            row = left[links[positions]]
            is_free: NDArray[np.bool_] = runners != self_target[row]
            for earlier in range(link_number):
                is_free &= runners != result[first_link[row] + earlier]
            return is_free

        winner = winners(entrants, streams, address, starts[links], free)
        vacant = np.flatnonzero(winner == NOBODY)
        if len(vacant):
            winner[vacant], link_starts[links[vacant]] = _next_free(
                entrants, streams, address[vacant], starts[links[vacant]], vacant, link_number, free
            )
        result[links] = winner
    return result, link_starts


def _next_free(
    entrants: Field, streams: Streams, address: Words, period: Integers, positions: Integers, taken_count: int, free: Free
) -> tuple[Integers, Integers]:
    """Return a row for each link without a free one, and since when: one that was present, or the next that arrives."""
    order = np.argsort(entrants.arrival, kind="stable")
    arrival = entrants.arrival[order]
    result, since = np.full(len(address), NOBODY, dtype=np.int64), period.copy()
    if not len(order):
        return result, since
    free_from = arrival[
        min(taken_count + 1, len(order) - 1)
    ]  # by then one is free: the row itself and `taken_count` others are not
    reach = np.searchsorted(arrival, np.maximum(free_from, period), side="right")
    step = max(1, _CELLS // int(reach.max()))
    for begin in range(0, len(address), step):
        part = slice(begin, min(begin + step, len(address)))
        candidates, shape = order[: int(reach[part].max())], (part.stop - begin, int(reach[part].max()))
        is_free = free(np.repeat(positions[part], shape[1]), np.tile(candidates, shape[0])).reshape(shape)
        meeting = np.where(is_free, np.maximum(entrants.arrival[candidates], period[part, None]), NEVER)
        earliest = meeting.min(axis=1)
        draw = uniforms(streams("next"), fold(address[part, None], entrants.address[candidates]))
        winner_index = np.where(meeting == earliest[:, None], draw, 2.0).argmin(axis=1)
        result[part] = np.where(earliest < NEVER, candidates[winner_index], NOBODY)
        since[part] = earliest
    return result, since
