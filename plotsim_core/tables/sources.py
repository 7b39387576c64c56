"""The units as several systems hold them (`sources`): `dim_<x>_<source>` for each, and `source_entity_map`, which says what
belongs together.

A system has its own keys and its own order of rows, both keyed permutations that tell nothing of another system's. It may
lack a unit, or have it twice under two keys; names and attributes drift, each row by itself. What a row drifts to depends on
the seed, the source and the unit, so it stays as it is while units are added and time goes on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from plotsim_core.arrow import ArrowArray, joined
from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import fill
from plotsim_core.config.column_source import Origin
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.sources import MAP, SourceSystem, attribute_columns, name_column
from plotsim_core.config.words import phrase
from plotsim_core.engine.block import Block, block
from plotsim_core.engine.lifetimes import ends
from plotsim_core.engine.memory import Memory
from plotsim_core.engine.slice import Slice
from plotsim_core.engine.tiers import bands
from plotsim_core.numerics.arrays import Floats, Integers
from plotsim_core.numerics.codes import ORDINAL_BITS, segment_number
from plotsim_core.numerics.permutation import permute
from plotsim_core.numerics.random import Words, fold, key, uniforms, words
from plotsim_core.plan.plan import ColumnPlan, Plan, Population, TablePlan, made_column
from plotsim_core.tables.batch import batch_of
from plotsim_core.tables.estimate_sample import Sample
from plotsim_core.tables.kind import Cut, DerivedKind, add_kind, key_name
from plotsim_core.tables.text_drift import ATTRIBUTE_WAYS, NAME_WAYS, drift_texts

_BITS = 52
_DIGITS = 16
_TOGETHER = 1 << 16
"""Units of the roster whose rows have one order; a larger dataset is made in parts."""
_OUT_OF_DATE = 0.3
"""The share of drifted attributes that are another value rather than the same one written otherwise."""


class _Together(DerivedKind):
    """What source systems say of units, in an order of their own among those of a part of the roster."""

    config_key: ClassVar[str] = "sources"
    is_state: ClassVar[bool] = True

    def cuts(self, population: Population, table: TablePlan) -> tuple[Cut, ...]:
        return ("units",)

    def unit_step(self) -> int:
        return _TOGETHER


@add_kind
class SourceTable(_Together):
    """The units as a source holds them."""

    kind: ClassVar[str] = "source"
    is_source: ClassVar[bool] = True

    @classmethod
    def derive(cls, dataset: Dataset, declared: tuple[TablePlan, ...]) -> Iterable[TablePlan]:
        if not dataset.sources:
            return
        units, unit_key = _unit_dimension(declared)
        for source in dataset.sources:
            type_ = pa.int64() if source.key_scheme == "numeric" else pa.string()
            key_plan = _column(f"{unit_key.name}_{source.name}", type_, f"Key of the row in {source.name}.")
            columns = tuple(
                _source_column(column, unit_key, key_plan)
                for column in units.columns
                if column.spec.source.version_part is None
            )
            yield TablePlan(
                spec=cls(name=f"{units.name}_{source.name}", columns=tuple(column.spec for column in columns)),
                columns=columns,
                key=(key_plan.name,),
                time=None,
                references=tuple(reference for reference in units.references if reference[1] != units.name),
                description=f"{dataset.plural.capitalize()} as {source.name} holds them.",
                shown_table=units.name,
            )

    def batches(self, plan: Plan, table: TablePlan, slice_: Slice) -> Iterator[pa.RecordBatch]:
        population = plan.population_of(table)
        source = source_of(population, table)
        units = population.table(table.shown_table)
        unit_key = _unit_key(units)
        types = {column.name: column.type for column in units.columns}
        label_column = name_column(units.spec)
        attributes = {column.name for column in attribute_columns(units.spec, types)}
        for part in _parts(slice_):
            unit_block = block(population, part)
            rows = _units(population, units, unit_block, _arrived_units(unit_block))
            entries = source_rows(population, source, unit_block, rows.unit)
            arrays = []
            columns = (column for column in units.columns if column.spec.source.version_part is None)
            for column, target in zip(columns, table.columns, strict=True):
                if column is unit_key:
                    arrays.append(key_values(population, source, entries.number).cast(target.type))
                    continue
                values = fill(column, units, rows)
                if label_column is not None and column.name == label_column.name and source.name_drift_rate:
                    values = _drifting(values, column, units, rows, entries, source, is_name=True)
                elif column.name in attributes and source.attribute_drift_rate:
                    values = _drifting(values, column, units, rows, entries, source, is_name=False)
                else:
                    values = values.take(entries.unit_index)
                arrays.append(values)
            yield batch_of(table, arrays)

    def expect(self, table: TablePlan, sample: Sample) -> Floats:
        return sample.total(sample.has_arrived) * _rows_per_unit(source_of(sample.population, table))

    def origins(self, plan: Plan, table: TablePlan, column: ColumnPlan) -> Iterable[Origin]:
        """Yield the key of the unit for its own key, the one column that it has for itself."""
        return [(table.shown_table, key_name(plan.table(table.shown_table).spec))] if column.name in table.key else []


@add_kind
class SourceMap(_Together):
    """Which rows of the sources are which units."""

    kind: ClassVar[str] = MAP

    @classmethod
    def derive(cls, dataset: Dataset, declared: tuple[TablePlan, ...]) -> Iterable[TablePlan]:
        if not dataset.sources:
            return
        units, unit_key = _unit_dimension(declared)
        columns = (
            _column("source", pa.string(), "Name of the source that has the row."),
            _column("source_key", pa.string(), "Key of the row in the source, as a text."),
            _column(unit_key.name, unit_key.type, f"Key of the {phrase(dataset.unit)} that the row is, in {units.name}."),
        )
        yield TablePlan(
            spec=cls(name=MAP, columns=tuple(column.spec for column in columns)),
            columns=columns,
            key=("source", "source_key"),
            time=None,
            references=((unit_key.name, units.name, unit_key.name),),
            description=f"Which rows of the sources are which {dataset.unit}.",
        )

    def batches(self, plan: Plan, table: TablePlan, slice_: Slice) -> Iterator[pa.RecordBatch]:
        population = plan.population_of(table)
        units = population.dimension
        key_plan = _unit_key(units)
        for part in _parts(slice_):
            unit_block = block(population, part)
            rows = _units(population, units, unit_block, _arrived_units(unit_block))
            keys = fill(key_plan, units, rows)
            for source in population.dataset.sources:
                entries = source_rows(population, source, unit_block, rows.unit)
                arrays = [
                    pa.repeat(pa.scalar(source.name), len(entries.unit_index)),
                    key_values(population, source, entries.number).cast(pa.string()),
                    keys.take(entries.unit_index),
                ]
                yield batch_of(table, arrays)

    def expect(self, table: TablePlan, sample: Sample) -> Floats:
        return sample.total(sample.has_arrived) * sum(_rows_per_unit(source) for source in sample.population.dataset.sources)

    def origins(self, plan: Plan, table: TablePlan, column: ColumnPlan) -> Iterable[Origin]:
        """Yield the keys of all sources for the key in the source."""
        if column.name != table.key[1]:
            return []
        return [(other.name, other.key[0]) for other in plan.tables if other.spec.is_source]


def source_of(population: Population, table: TablePlan) -> SourceSystem:
    """Return the source system of a table."""
    return next(source for source in population.dataset.sources if table.name == f"{table.shown_table}_{source.name}")


def _rows_per_unit(source: SourceSystem) -> float:
    return (1 - source.missing_rate) * (1 + source.duplicate_rate)


def _unit_dimension(declared: tuple[TablePlan, ...]) -> tuple[TablePlan, ColumnPlan]:
    """Return the dimension of the units, and its key."""
    units = next(table for table in declared if table.spec.is_unit_dimension)
    return units, _unit_key(units)


def _unit_key(units: TablePlan) -> ColumnPlan:
    return next(column for column in units.columns if column.spec.source.is_key)


def _column(name: str, type_: pa.DataType, description: str) -> ColumnPlan:
    return made_column(name, type_, description, word="source.key")


def _source_column(column: ColumnPlan, unit_key: ColumnPlan, key_plan: ColumnPlan) -> ColumnPlan:
    return key_plan if column is unit_key else column


@dataclass(frozen=True, eq=False)
class SourceRows:
    """Rows of a source for some units: the `unit_index` of each row's unit among them, the `copy` (0, or 1 for a second
    entry) and the `number` in its key, in the order of these."""

    unit_index: Integers
    copy: Integers
    number: Words


def source_rows(population: Population, source: SourceSystem, unit_block: Block, unit_indices: Integers) -> SourceRows:
    """Return the rows that a source has of the units `unit_indices` of a block."""
    address = unit_block.units.address[unit_indices]
    has_row = uniforms(key(population.seed, "source", source.name, "missing"), address) >= source.missing_rate
    has_second = has_row & (uniforms(key(population.seed, "source", source.name, "twice"), address) < source.duplicate_rate)
    index = np.concatenate([np.flatnonzero(has_row), np.flatnonzero(has_second)])
    copy = np.repeat(np.array([0, 1], dtype=np.int64), [int(has_row.sum()), int(has_second.sum())])
    segments = np.array([segment_number(segment.spec.name) for segment in population.segments], dtype=np.uint64)
    unit = unit_indices[index]
    code = (segments[unit_block.units.segment[unit]] << np.uint64(ORDINAL_BITS)) | unit_block.units.ordinal[unit].astype(
        np.uint64
    )
    number = permute(
        (code << np.uint64(1)) | copy.astype(np.uint64), _BITS, key(population.seed, "source", source.name, "key")
    )
    order = np.argsort(number)
    return SourceRows(index[order], copy[order], number[order])


def key_values(population: Population, source: SourceSystem, number: Words) -> ArrowArray:
    """Return keys in the scheme of a source: `SHOP-0123456789012345`, a whole number, or 13 hexadecimal digits."""
    if source.key_scheme == "uuid_short":
        shifts = np.arange(_BITS - 4, -1, -4, dtype=np.uint64)
        digits = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)[
            ((number[:, None] >> shifts) & np.uint64(15)).astype(np.intp)
        ]
        return pa.array(np.ascontiguousarray(digits).view(f"S{len(shifts)}").ravel().astype(f"U{len(shifts)}"), pa.string())
    whole_numbers = pa.array(number.astype(np.int64))
    if source.key_scheme == "numeric":
        return whole_numbers
    return joined(
        pa.scalar(population.unit.upper()), pc.utf8_lpad(whole_numbers.cast(pa.string()), _DIGITS, "0"), between="-"
    )


def _parts(slice_: Slice) -> Iterator[Slice]:
    """Cut a slice at every `_TOGETHER`th unit of the roster: where it is cut must not depend on where it begins."""
    start = slice_.unit_first
    while start < slice_.unit_stop:
        stop = min((start // _TOGETHER + 1) * _TOGETHER, slice_.unit_stop)
        yield Slice(slice_.stop - 1, slice_.stop, start, stop)
        start = stop


def _arrived_units(unit_block: Block) -> Integers:
    return np.flatnonzero(unit_block.units.arrival < unit_block.slice.stop)


def _units(population: Population, table: TablePlan, unit_block: Block, unit_indices: Integers) -> Rows:
    """Return the rows of units, one of each, in the state they are in at the end of the block."""
    units = unit_block.units
    band = np.empty(0, dtype=np.int64)
    history = table.spec.history
    if history is not None:
        last_period = np.minimum(ends(unit_block), unit_block.slice.stop - 1)
        band = np.zeros(len(units), dtype=np.int64)
        for period in np.unique(last_period).tolist():  # few: the end of the slice, and the ends of lives before it
            period_band = bands(
                population, population.metric_index(history.tracks), history.at, units, np.array([period], dtype=np.int64)
            )[0]
            band = np.where(last_period == period, period_band, band)
        band = band[unit_indices]
    return Rows(
        block=unit_block,
        address=units.address[unit_indices],
        unit=unit_indices,
        period=units.arrival[unit_indices],
        band=band,
    )


def _drifting(
    values: ArrowArray,
    column: ColumnPlan,
    units: TablePlan,
    rows: Rows,
    entries: SourceRows,
    source: SourceSystem,
    *,
    is_name: bool,
) -> ArrowArray:
    """Return the values of a column as a source has them, one for each of its rows."""
    address = fold(rows.address[entries.unit_index], words(entries.copy))

    def draw(stream: str) -> Floats:
        return uniforms(key(rows.block.population.seed, "drift", source.name, column.name, stream), address)

    rate = source.name_drift_rate if is_name else source.attribute_drift_rate
    source_values = values.take(entries.unit_index)
    drifted_rows = np.flatnonzero(draw("whether") < rate)
    before = source_values.take(drifted_rows)
    after = drift_texts(
        before, NAME_WAYS if is_name else ATTRIBUTE_WAYS, draw("way")[drifted_rows], draw("place")[drifted_rows]
    )
    if not is_name and len(drifted_rows):
        is_stale = draw("stale")[drifted_rows] < _OUT_OF_DATE
        rows_drifted = rows.take(entries.unit_index[drifted_rows])
        other_values = fill(
            column,
            units,
            replace(rows_drifted, address=fold(rows_drifted.address, words(np.ones(1, dtype=np.int64))), memory=Memory()),
        )
        is_stale &= ~np.asarray(pc.equal(other_values, before).fill_null(True))
        after = pc.if_else(pa.array(is_stale), other_values, after)
    mask = np.zeros(len(source_values), dtype=np.bool_)
    mask[drifted_rows] = True
    drifted_values: ArrowArray = pc.replace_with_mask(source_values, pa.array(mask), after)
    return drifted_values
