"""When within a period an event happens: evenly spread, and not after the unit's end."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from plotsim_core.columns.identity import key_column
from plotsim_core.columns.rows import Integers
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Table
from plotsim_core.engine.block import Block
from plotsim_core.engine.life import first_crossings
from plotsim_core.errors import Problem
from plotsim_core.numerics.random import Floats, key, uniforms
from plotsim_core.tables.fact import needs_references

MICROSECONDS = 1_000_000


def check_event(table: Table, scope: Scope) -> Iterable[Problem]:
    """Yield a problem for each thing that every event needs and this one lacks."""
    yield from needs_references(table, scope)
    if key_column(table) is None:
        yield Problem("columns", f"{table.name} has no column of type id, so its rows have no key")


def lengths(block: Block) -> Integers:
    """Return, per cell, for how many microseconds of the period the unit is there."""
    whole = (block.plan.grain.seconds(block.periods) * MICROSECONDS)[:, None]
    result = np.broadcast_to(whole, block.slice.shape).copy()
    for ending in block.plan.endings:
        last = first_crossings(block.plan, ending.crossing, block.units, block.slice.stop)
        ending_now = block.periods[:, None] == last[None, :]
        share = end_shares(block, ending.table)
        result = np.where(ending_now, np.minimum(result, (whole * share).astype(np.int64)), result)
    return result


def end_shares(block: Block, table: str) -> Floats:
    """Return, per cell, how far into the period a threshold event happens."""
    return uniforms(key(block.plan.seed, "moment", table), block.address)


def moments(block: Block, period: Integers, microseconds: Integers) -> NDArray[np.datetime64]:
    """Return the moments that lie `microseconds` after the beginnings of periods (places in the block)."""
    starts = block.plan.grain.starts(block.periods).astype("datetime64[us]")
    return starts[period] + microseconds.astype("timedelta64[us]")
