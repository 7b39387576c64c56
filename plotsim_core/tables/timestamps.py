"""When within a period an event happens: evenly spread, or in the rhythm that it has, and not after the unit's end."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Table
from plotsim_core.engine.block import Block
from plotsim_core.engine.lifetimes import first_crossings
from plotsim_core.engine.rhythm import days_of, rhythm_of
from plotsim_core.errors import Problem
from plotsim_core.numerics.arrays import Floats, Integers
from plotsim_core.numerics.clock_changes import ClockChanges, clock_changes
from plotsim_core.numerics.random import key, uniforms
from plotsim_core.numerics.rhythm import Rhythm, place_shares
from plotsim_core.plan.plan import TablePlan
from plotsim_core.tables.fact import needs_references
from plotsim_core.tables.kind import needs_key, needs_key_or_place

MICROSECONDS = 1_000_000


def check_event(table: Table, scope: Scope) -> Iterable[Problem]:
    """Yield a problem for each thing that every event needs and this one lacks."""
    yield from needs_references(table, scope)
    yield from needs_key(table) if table.parent_name is None else needs_key_or_place(table, scope)


def available_lengths(block: Block) -> Integers:
    """Return, per cell, for how many microseconds of the period the unit is there."""
    period_lengths = (block.population.grain.seconds(block.periods) * MICROSECONDS)[:, None]
    result = np.broadcast_to(period_lengths, block.shape).copy()
    for ending in block.population.endings:
        last = first_crossings(block, ending.crossing)
        cell = np.flatnonzero((block.periods[:, None] == last[None, :]).ravel())
        end_offsets = offsets_to_end(block, block.population.table(ending.table), cell)
        result.ravel()[cell] = np.minimum(result.ravel()[cell], end_offsets)
    return result


def end_shares(block: Block, table: str) -> Floats:
    """Return, per cell, how far into the period a threshold event happens, if nothing ends before."""
    return uniforms(key(block.population.seed, "moment", table), block.address)


def offsets_to_end(block: Block, table: TablePlan, cell: Integers) -> Integers:
    """Return how many microseconds into the periods of some cells a threshold event that ends units happens."""
    period_lengths = (block.population.grain.seconds(block.periods) * MICROSECONDS)[cell // len(block.units)]
    return offsets_within(block, table, cell, end_shares(block, table.name).ravel()[cell], period_lengths)


def offsets_within(block: Block, table: TablePlan, cell: Integers, share: Floats, available: Integers) -> Integers:
    """Return how many microseconds into its period each of some rows of a table happens.

    `share` is in (0, 1), `available` the microseconds of the period in which rows of its cell can happen. The result rises
    with `share` and is below `available`. Without a rhythm, or within an hour, it is even.
    """
    rhythm = rhythm_of(block.population, table.spec.row_rhythm)
    if rhythm is None or block.population.grain.is_part_of_day:
        return (available * share).astype(np.int64)
    return place_shares(rhythm, _days(block, rhythm), cell // len(block.units), share, available, _clock_changes(block))


def _days(block: Block, rhythm: Rhythm) -> Floats:
    return block.cached(("days", rhythm), lambda: days_of(block.population, rhythm, block.periods))


def _clock_changes(block: Block) -> ClockChanges | None:
    return block.cached("clock changes", lambda: clock_changes(block.population.grain, block.periods))


def moments(block: Block, period: Integers, microseconds: Integers) -> NDArray[np.datetime64]:
    """Return the moments, in UTC, that lie `microseconds` after the beginnings of periods (indices in the block)."""
    starts = block.population.grain.instants(block.periods)
    moments_within: NDArray[np.datetime64] = starts[period] + microseconds.astype("timedelta64[us]")
    return moments_within
