"""When within a period an event happens: evenly spread, or in the rhythm that it has, and not after the unit's end."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from plotsim_core.columns.rows import Integers
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Table
from plotsim_core.engine.block import Block
from plotsim_core.engine.life import first_crossings
from plotsim_core.engine.rhythm import days_of, rhythm_of
from plotsim_core.errors import Problem
from plotsim_core.numerics.random import Floats, key, uniforms
from plotsim_core.numerics.rhythm import Rhythm, placed
from plotsim_core.plan.plan import TablePlan
from plotsim_core.tables.date import needs_key
from plotsim_core.tables.fact import needs_references

MICROSECONDS = 1_000_000


def check_event(table: Table, scope: Scope) -> Iterable[Problem]:
    """Yield a problem for each thing that every event needs and this one lacks."""
    yield from needs_references(table, scope)
    yield from needs_key(table, scope)


def lengths(block: Block) -> Integers:
    """Return, per cell, for how many microseconds of the period the unit is there."""
    whole = (block.plan.grain.seconds(block.periods) * MICROSECONDS)[:, None]
    result = np.broadcast_to(whole, block.slice.shape).copy()
    for ending in block.plan.endings:
        last = first_crossings(block.plan, ending.crossing, block.units, block.slice.stop)
        cell = np.flatnonzero((block.periods[:, None] == last[None, :]).ravel())
        ends = ends_within(block, block.plan.table(ending.table), cell)
        result.ravel()[cell] = np.minimum(result.ravel()[cell], ends)
    return result


def end_shares(block: Block, table: str) -> Floats:
    """Return, per cell, how far into the period a threshold event happens, if nothing ends before."""
    return uniforms(key(block.plan.seed, "moment", table), block.address)


def ends_within(block: Block, table: TablePlan, cell: Integers) -> Integers:
    """Return how many microseconds into the periods of some cells a threshold event that ends units happens."""
    whole = (block.plan.grain.seconds(block.periods) * MICROSECONDS)[cell // len(block.units)]
    return within(block, table, cell, end_shares(block, table.name).ravel()[cell], whole)


def within(block: Block, table: TablePlan, cell: Integers, share: Floats, left: Integers) -> Integers:
    """Return how many microseconds into its period each of some rows of a table happens.

    `share` is in (0, 1), `left` the microseconds of the period in which rows of its cell can happen. The result rises with
    `share` and is below `left`. Without a rhythm, or within an hour, it is even.
    """
    shape = rhythm_of(block.plan, getattr(table.spec, "rhythm", None))
    if shape is None or block.plan.grain.name == "hour":
        return (left * share).astype(np.int64)
    return placed(shape, _days(block, shape), cell // len(block.units), share, left)


def _days(block: Block, shape: Rhythm) -> Floats:
    found: Floats = block.kept("days", shape, lambda: days_of(block.plan, shape, block.periods))
    return found


def moments(block: Block, period: Integers, microseconds: Integers) -> NDArray[np.datetime64]:
    """Return the moments that lie `microseconds` after the beginnings of periods (places in the block)."""
    starts = block.plan.grain.starts(block.periods).astype("datetime64[us]")
    return starts[period] + microseconds.astype("timedelta64[us]")
