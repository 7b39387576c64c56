"""The dimension of the unit (`per: unit`): one row per unit that has arrived, or one per version of it.

With an `scd` column it is a history (SCD2, a slowly changing dimension of type 2): versions with contiguous half-open
intervals, as far as they are known at the end of the slice. No row knows the future. The last version of a unit whose life
has ended is closed: it is valid to the period after its last, and no version of it is current.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from plotsim_core.columns.row_kind import Targets
from plotsim_core.columns.rows import CURRENT, Rows
from plotsim_core.columns.version import ROW_ID
from plotsim_core.config.absent_words import Absence
from plotsim_core.config.column_source import History
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.read_columns import column
from plotsim_core.config.scope import Scope
from plotsim_core.config.table_kind import Knowledge, Section
from plotsim_core.config.table_shape import Shape, Spelling, spelled
from plotsim_core.config.tables import Column
from plotsim_core.engine.block import Block
from plotsim_core.engine.lifetimes import alive, ends
from plotsim_core.engine.roster import Units
from plotsim_core.engine.slice import Slice, lives
from plotsim_core.engine.tiers import band_before, band_starts, bands, bands_of
from plotsim_core.errors import Problem
from plotsim_core.numerics.arrays import Floats, Integers
from plotsim_core.plan.plan import ColumnPlan, Population, TablePlan
from plotsim_core.tables.estimate import remaining_share
from plotsim_core.tables.estimate_sample import Sample
from plotsim_core.tables.kind import TableKind, add_kind, column_types, needs_key


@add_kind
class UnitDimension(TableKind):
    """One row per unit, or one per version of it."""

    kind: ClassVar[str] = "unit"
    older: ClassVar[frozenset[str]] = frozenset({"per"})
    section: ClassVar[Section] = "dimensions"
    config_key: ClassVar[str] = "unit"
    knows: ClassVar[frozenset[Knowledge]] = frozenset({"unit", "period", "history", "key"})
    is_dimension: ClassVar[bool] = True
    is_unit_dimension: ClassVar[bool] = True
    is_of_units: ClassVar[bool] = True
    comes_with_units: ClassVar[bool] = True
    is_state: ClassVar[bool] = True
    is_sampled: ClassVar[bool] = False
    shape_words: ClassVar[tuple[str, ...]] = ("per",)
    absent: ClassVar[Mapping[str, Absence]] = {
        "where": Absence(
            "has no place here: the units are those of the segments", "some of them are a further table, with `rows: 1`"
        )
    }

    per: Literal["unit"] = "unit"
    """That its rows are units, as it is unless a dimension says otherwise."""

    @classmethod
    def recognise(cls, raw: Mapping[str, Any], unit: str) -> bool:
        return raw.get("per") == "unit" and "count" not in raw and not refers_to_a_dimension(raw)

    @classmethod
    def of_shape(cls, shape: Shape) -> Spelling | None:
        return spelled(shape, per="unit") if shape.is_of_units else None

    def key_columns(self, dataset: Dataset) -> tuple[str, ...]:
        return (ROW_ID,) if self.history is not None else super().key_columns(dataset)

    def added_columns(self, dataset: Dataset) -> tuple[Column, ...]:
        if self.history is None:
            return ()
        parts = {"row_id": ROW_ID, "valid_from": "valid_from", "valid_to": "valid_to", "is_current": "is_current"}
        declared_parts = {existing.source.version_part for existing in self.columns}
        return tuple(column(name, f"version.{part}") for part, name in parts.items() if part not in declared_parts)

    def describe(self, dataset: Dataset) -> str:
        row_noun = "version" if self.history is not None else dataset.unit.replace("_", " ")
        return f"{dataset.plural.capitalize()}, one row per {row_noun}."

    def check(self, scope: Scope) -> Iterable[Problem]:
        return needs_key(self)

    def cut(self, population: Population, slice_: Slice) -> Iterator[Slice]:
        return lives(population, slice_)

    def rows_in(self, table: TablePlan, block: Block) -> Rows:
        if self.history is not None:
            return _versions(block, self.history)
        unit = np.flatnonzero(block.units.arrival < block.slice.stop)
        return Rows(block=block, address=block.units.address[unit], unit=unit, period=block.units.arrival[unit])

    def changed_rows(self, table: TablePlan, block: Block) -> Rows | None:
        """Return the units that arrive in a block; of a history the versions that begin or end in it."""
        if self.history is not None:
            return _changed_versions(block, self.history)
        unit = np.flatnonzero(arrives_in(block))
        return Rows(block=block, address=block.units.address[unit], unit=unit, period=block.units.arrival[unit])

    def targets(self, column: ColumnPlan, table: TablePlan, rows: Rows, parent: TablePlan) -> Targets:
        """Return the units of the rows."""
        units = rows.block.units
        parent_rows = Rows(
            block=rows.block, address=units.address, unit=np.arange(len(units), dtype=np.int64), period=units.arrival
        )
        return Targets(parent, parent_rows, rows.unit)

    def expect(self, table: TablePlan, sample: Sample) -> Floats:
        units, history = sample.total(sample.has_arrived), self.history
        if history is None:
            return units
        changes = sample.total(lambda units: _changes(sample, units, history))
        return units + np.cumsum(changes * remaining_share(sample))


def _changes(sample: Sample, units: Units, history: History) -> NDArray[np.bool_]:
    """Return in which periods a version of units begins after another one, shape (periods, units)."""
    is_present = sample.is_present(units)
    metric = sample.population.metric_index(history.tracks)
    band = sample.by_period(lambda periods: bands(sample.population, metric, history.at, units, periods))
    is_start = np.zeros(is_present.shape, dtype=np.bool_)
    is_start[1:] = is_present[:-1] & is_present[1:] & (band[1:] != band[:-1])
    return is_start


def refers_to_a_dimension(raw: object) -> bool:
    """Return whether a table as written refers to a dimension other than the date's, and other than itself."""
    own_type = f"ref.{raw.get('name')}" if isinstance(raw, dict) else ""
    return any(type_.startswith("ref.") and type_ not in ("ref.dim_date", own_type) for type_ in column_types(raw))


def arrives_in(block: Block) -> NDArray[np.bool_]:
    """Return which units of a block arrive in its periods, shape (units,)."""
    is_new: NDArray[np.bool_] = (block.units.arrival >= block.slice.first) & (block.units.arrival < block.slice.stop)
    return is_new


def _versions(block: Block, history: History) -> Rows:
    """Return the versions of units in a block that has their lives so far."""
    unit, period_index = np.nonzero(_begins(block, history).T)
    band = bands_of(block, block.population.metric_index(history.tracks), history.at)[period_index, unit]
    return _version_rows(block, unit, block.periods[period_index], band)


def _changed_versions(block: Block, history: History) -> Rows:
    """Return the versions that begin or end in a block, of all its units."""
    metric, first = block.population.metric_index(history.tracks), block.slice.first
    earlier_band, since = band_before(block, metric, history.at)  # before the state after the block is kept in its place
    unit, period_index = np.nonzero(_begins(block, history).T)
    band = bands_of(block, metric, history.at)[period_index, unit]
    last_period = ends(block)
    is_ended = (last_period < block.slice.stop - 1) | np.isin(np.arange(len(last_period)), unit)
    ended_unit = np.flatnonzero((block.units.arrival < first) & (last_period >= first - 1) & is_ended)
    all_units = np.concatenate([ended_unit, unit])
    order = np.argsort(all_units, kind="stable")  # the version before the block, then those that begin in it
    starts = np.concatenate([since[ended_unit], block.periods[period_index]])
    bands_in_order = np.concatenate([earlier_band[ended_unit], band])[order]
    return _version_rows(block, all_units[order], starts[order], bands_in_order)


def _begins(block: Block, history: History) -> NDArray[np.bool_]:
    """Return in which cells of a block a version begins."""
    starts = band_starts(block, block.population.metric_index(history.tracks), history.at)
    is_first: NDArray[np.bool_] = alive(block) & (starts == block.periods[:, None])
    return is_first


def _version_rows(block: Block, unit: NDArray[np.intp], since: Integers, band: Integers) -> Rows:
    """Return the rows of versions, by unit and the period in which they begin: each ends where the next of its unit begins,
    the last with its unit."""
    last_period = ends(block)[unit]
    until = np.where(last_period < block.slice.stop - 1, last_period + 1, CURRENT)
    is_continued = unit[1:] == unit[:-1]
    until[:-1][is_continued] = since[1:][is_continued]
    return Rows(
        block=block,
        address=block.units.address[unit],
        unit=unit,
        period=block.units.arrival[unit],
        version_first=since,
        version_stop=until,
        band=band,
    )
