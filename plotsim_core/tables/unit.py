"""The dimension of the unit (`per: unit`): one row per unit that has arrived, or one per version of it.

With an `scd` column it is a history (SCD2, a slowly changing dimension of type 2): versions with contiguous half-open
intervals, as far as they are known at the end of the slice. No row knows the future. The last version of a unit whose life
has ended is closed: it is valid to the period after its last, and no version of it is current.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from plotsim_core.columns.rows import CURRENT, Rows
from plotsim_core.columns.version import ROW_ID, column
from plotsim_core.config.column_source import History
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.tables import Column, KindWords, Table
from plotsim_core.engine.block import Block
from plotsim_core.engine.lifetimes import alive, ends
from plotsim_core.engine.roster import Units
from plotsim_core.engine.slice import Slice, lives
from plotsim_core.engine.tiers import bands
from plotsim_core.numerics.random import Floats
from plotsim_core.plan.plan import Plan, TablePlan
from plotsim_core.tables.date import key_name, needs_key
from plotsim_core.tables.estimate import remaining_share
from plotsim_core.tables.estimate_sample import Sample
from plotsim_core.tables.kind import Kind, add_kind, column_types


class UnitDimension(Table):
    """One row per unit, or one per version of it.

    `per`: that its rows are units, as it is unless a dimension says otherwise.
    """

    per: Literal["unit"] = "unit"


def refers_to_a_dimension(raw: object) -> bool:
    """Return whether a table as written refers to a dimension other than the date's."""
    return any(type_.startswith("ref.") and type_ != "ref.dim_date" for type_ in column_types(raw))


def _added(table: UnitDimension, dataset: Dataset) -> tuple[Column, ...]:
    if table.history is None:
        return ()
    parts = {"row_id": ROW_ID, "valid_from": "valid_from", "valid_to": "valid_to", "is_current": "is_current"}
    declared_parts = {existing.source.version_part for existing in table.columns}
    return tuple(column(part, name) for part, name in parts.items() if part not in declared_parts)


def _cut(plan: Plan, slice_: Slice) -> Iterator[Slice]:
    return lives(plan, slice_)


def _rows(table: TablePlan, block: Block) -> Rows:
    history = table.spec.history
    if history is not None:
        return _versions(block, history)
    unit = np.flatnonzero(block.units.arrival < block.slice.stop)
    return Rows(block=block, address=block.units.address[unit], unit=unit, period=block.units.arrival[unit])


def _versions(block: Block, history: History) -> Rows:
    plan, units = block.plan, block.units
    band = bands(plan, plan.metric_index(history.tracks), history.at, units, block.periods)
    is_alive = alive(block)
    is_start = is_alive.copy()
    is_start[1:] &= ~is_alive[:-1] | (band[1:] != band[:-1])
    unit, period_index = np.nonzero(is_start.T)
    since = np.maximum(block.periods[period_index], units.arrival[unit])
    last_period = ends(block)[unit]
    until = np.where(last_period < block.slice.stop - 1, last_period + 1, CURRENT)
    continued = unit[1:] == unit[:-1]
    until[:-1][continued] = since[1:][continued]
    return Rows(
        block=block,
        address=units.address[unit],
        unit=unit,
        period=units.arrival[unit],
        since=since,
        until=until,
        band=band[period_index, unit],
    )


def _expect(table: TablePlan, sample: Sample) -> Floats:
    units, history = sample.total(sample.arrived), table.spec.history
    if history is None:
        return units
    metric, edges = sample.plan.metric_index(history.tracks), history.at

    def changed(units: Units) -> NDArray[np.bool_]:
        is_present = sample.there(units)
        band = sample.by_period(lambda periods: bands(sample.plan, metric, edges, units, periods))
        is_start = np.zeros(is_present.shape, dtype=np.bool_)
        is_start[1:] = is_present[:-1] & is_present[1:] & (band[1:] != band[:-1])
        return is_start

    return units + np.cumsum(sample.total(changed) * remaining_share(sample))


def _key(table: Table, dataset: Dataset) -> tuple[str, ...]:
    return (ROW_ID,) if table.history is not None else (key_name(table),)


def _describe(table: Table, dataset: Dataset) -> str:
    row_noun = "version" if table.history is not None else dataset.unit.replace("_", " ")
    return f"{dataset.plural.capitalize()}, one row per {row_noun}."


add_kind(
    "unit",
    KindWords(
        section="dimensions",
        recognise=lambda raw, unit: raw.get("per") == "unit" and "count" not in raw and not refers_to_a_dimension(raw),
        model=UnitDimension,
        knows=frozenset({"unit", "period", "history", "key"}),
        key=_key,
        describe=_describe,
        check=needs_key,
        added=_added,
    ),
    Kind(_cut, _rows, _expect, state=True),
)
