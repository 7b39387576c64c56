"""Who a dimension holds, and how their rows stand in given periods: what snapshots, change logs and expected states are
made of. A source system has a unit from the period in which it arrives to the last of its life.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field

from plotsim_core.columns.identity import key_column
from plotsim_core.columns.reference import children
from plotsim_core.columns.rows import Integers, Rows
from plotsim_core.columns.scd import Options as History
from plotsim_core.columns.source import fill
from plotsim_core.config.model import Name
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, moved_by
from plotsim_core.engine.block import Block, block
from plotsim_core.engine.history import bands_of
from plotsim_core.engine.life import alive
from plotsim_core.engine.roster import Units
from plotsim_core.engine.slice import Slice, of_kind
from plotsim_core.errors import Problem
from plotsim_core.numerics.random import Floats
from plotsim_core.plan.plan import ColumnPlan, Plan, TablePlan
from plotsim_core.tables.estimate import remaining
from plotsim_core.tables.kind import KINDS
from plotsim_core.tables.sample import Sample

_LISTED = "reference"


def _by_themselves(columns: Any) -> Any:
    if columns:
        raise ValueError("has no effect: the columns come by themselves, from the dimension")
    return columns


NoColumns = Annotated[tuple[Column, ...], Field(max_length=0), BeforeValidator(_by_themselves)]
"""The columns of a table that shows a dimension: none are written."""


def columns_of(dimension: TablePlan) -> tuple[ColumnPlan, ...]:
    """Return the columns of a dimension that tell how a row stands, which those of versions do not."""
    return tuple(column for column in dimension.columns if column.spec.word != "version")


def moving(dimension: TablePlan) -> tuple[ColumnPlan, ...]:
    """Return the columns that say something else of one row as time goes on."""
    return tuple(column for column in columns_of(dimension) if moved_by(column.spec, dimension.spec))


def key_of(dimension: TablePlan) -> ColumnPlan:
    """Return the column that tells what a dimension holds apart; in a history it tells units apart, not their versions."""
    own = key_column(dimension.spec)
    return next(column for column in dimension.columns if column.spec is own)


def holding(plan: Plan, table: TablePlan, slice_: Slice) -> tuple[Plan, TablePlan, Slice]:
    """Return (plan of the kind of unit, dimension, slice of its units) of a table that shows a dimension."""
    whole = plan.clean or plan
    own = whole.owner(table.name)
    dimension = own.table(table.of)
    if dimension.kind == _LISTED:
        return own, dimension, replace(slice_, unit_first=0, unit_stop=1)
    return own, dimension, slice_ if own is whole else of_kind(own, slice_)


def members(dimension: TablePlan, block: Block) -> Rows:
    """Return a row for everything of a block that has come by its end, however long it stays."""
    if dimension.kind != "unit":
        return KINDS[dimension.kind].rows(dimension, block)
    unit = np.flatnonzero(block.units.arrival < block.slice.stop)
    return Rows(block=block, address=block.units.address[unit], unit=unit, period=block.units.arrival[unit])


def present(held: Rows) -> NDArray[np.bool_]:
    """Return which members are there at the end of each period of their block, shape (periods, members)."""
    if len(held.unit) == len(held):
        return alive(held.block)[:, held.unit]
    return np.ones((len(held.block.periods), len(held)), dtype=np.bool_)


def standing(dimension: TablePlan, held: Rows, place: Integers, which: Integers) -> Rows:
    """Return the rows of members `which` as they stand at the end of the periods `place` (places in the block)."""
    block, rows = held.block, held.taken(which)
    if len(held.unit) < len(held):
        return rows
    history = dimension.spec.sourced("scd")
    band = rows.band
    if history:
        options = history[0].source
        assert isinstance(options, History)
        band = bands_of(block, block.plan.metric_index(options.tracks), options.at)[place, rows.unit]
    return replace(rows, until=block.periods[place] + 1, band=band)


def whole_rows(plan: Plan, dimension: TablePlan, part: Slice) -> tuple[Integers, list[pa.Array]]:
    """Return all that is there at the end of each period of a slice: the place of each row's period, and its columns."""
    held = members(dimension, block(plan, part))
    place, which = np.nonzero(present(held))
    rows, moved, at = standing(dimension, held, place, which), moving(dimension), pa.array(which)
    columns = columns_of(dimension)
    return place, [fill(c, dimension, rows) if c in moved else fill(c, dimension, held).take(at) for c in columns]


def expected_members(dimension: TablePlan, sample: Sample) -> Floats:
    """Return about how many members there are at the end of each of a sample's periods."""
    if dimension.kind == _LISTED:
        return KINDS[dimension.kind].expect(dimension, sample)

    def here(units: Units) -> Floats:
        each = 1 if dimension.kind == "unit" else children(sample.plan, dimension.spec, units.address)
        found: Floats = np.multiply(sample.there(units), each, dtype=np.float64)
        return found

    return sample.total(here) * remaining(sample)


def check_shown(field: str, name: Name, kinds: tuple[str, ...], taken: Any, scope: Scope) -> Iterable[Problem]:
    """Yield what is wrong with showing the dimension `name`: it must be of one of `kinds`, and have no column of its own
    whose name `taken(dimension)` lists."""
    unknown = scope.unknown_table(name, field)
    yield from unknown
    if not unknown and name in scope.foreign:
        yield Problem(field, f"{name} is a dimension of another kind of unit", "write this table beside it, under `units`")
    declared = scope.tables.get(name)
    if unknown or declared is None or declared.kind is None or declared.table is None:
        return
    if not declared.path.startswith("dimensions"):
        return
    if declared.kind not in kinds:
        fitting = [table.name for table in scope.tables.values() if table.kind in kinds]
        says = f"{name} is no dimension that changes with time: rows never leave it and stay what they are"
        yield Problem(field, says, f"name one of {', '.join(fitting)}" if fitting else "")
    own = key_column(declared.table)
    for other in taken(declared.columns, own.name if own is not None else ""):
        yield Problem(field, f"{name} has a column '{other}', which this table gets by itself", "give that one another name")
