"""The units as several systems hold them (`sources`): `dim_<x>_<source>` for each, and `source_entity_map`, which says what
belongs together.

A system has its own keys and its own order of rows, both keyed permutations that tell nothing of another system's. It may
lack a unit, or have it twice under two keys; names and attributes drift, each row by itself. What a row drifts to depends on
the seed, the source and the unit, so it stays as it is while units are added and time goes on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from plotsim_core.columns.identity import key_column
from plotsim_core.columns.rows import Integers, Rows
from plotsim_core.columns.scd import Options as History
from plotsim_core.columns.source import fill
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.sources import MAP, SourceSystem, attribute_columns, name_column
from plotsim_core.config.tables import Column, NoOptions, Table
from plotsim_core.config.words import phrase
from plotsim_core.engine.block import Block, block
from plotsim_core.engine.history import bands
from plotsim_core.engine.life import ends
from plotsim_core.engine.slice import Slice
from plotsim_core.numerics.codes import segment_number
from plotsim_core.numerics.permutation import permute
from plotsim_core.numerics.random import Floats, Words, fold, key, uniforms, words
from plotsim_core.plan.plan import ColumnPlan, Plan, TablePlan
from plotsim_core.plan.schemas import DERIVED
from plotsim_core.tables.batch import batch_of
from plotsim_core.tables.drift import ATTRIBUTE_WAYS, NAME_WAYS, drifted
from plotsim_core.tables.kind import KINDS, made_of_others
from plotsim_core.tables.sample import Sample

HOLDING = "source"
"""The kind of the tables that are made here."""
_BITS = 52
_ORDINAL_BITS = 28
_DIGITS = 16
_TOGETHER = 1 << 16
"""So many units of the roster have their rows in one order; a larger dataset is made in parts."""
_OUT_OF_DATE = 0.3
"""The share of drifted attributes that are another value rather than the same one written otherwise."""


def _derive(dataset: Dataset, declared: tuple[TablePlan, ...]) -> Iterable[TablePlan]:
    if not dataset.sources:
        return
    units = next(table for table in declared if table.kind == "unit")
    own = key_column(units.spec)
    assert own is not None
    for source in dataset.sources:
        type_ = pa.int64() if source.key_scheme == "numeric" else pa.string()
        key_plan = _column(f"{own.name}_{source.name}", type_, f"Key of the row in {source.name}.")
        columns = tuple(_held(column, own, key_plan) for column in units.columns if column.spec.word != "version")
        yield TablePlan(
            spec=Table(name=f"{units.name}_{source.name}", columns=tuple(column.spec for column in columns)),
            kind=HOLDING,
            columns=columns,
            key=(key_plan.name,),
            time=None,
            references=tuple(reference for reference in units.references if reference[1] != units.name),
            description=f"{dataset.plural.capitalize()} as {source.name} holds them.",
            of=units.name,
        )
    linking = (
        _column("source", pa.string(), "Name of the source that has the row."),
        _column("source_key", pa.string(), "Key of the row in the source, as a text."),
        _column(own.name, pa.string(), f"Key of the {phrase(dataset.unit)} that the row is, in {units.name}."),
    )
    yield TablePlan(
        spec=Table(name=MAP, columns=tuple(column.spec for column in linking)),
        kind=MAP,
        columns=linking,
        key=("source", "source_key"),
        time=None,
        references=((own.name, units.name, own.name),),
        description=f"Which rows of the sources are which {dataset.unit}.",
    )


def _column(name: str, type_: pa.DataType, says: str) -> ColumnPlan:
    return ColumnPlan(Column(name=name, type="source.key", source=NoOptions()), type_, False, says)


def _held(column: ColumnPlan, own: Column, key_plan: ColumnPlan) -> ColumnPlan:
    return key_plan if column.spec is own else column


@dataclass(frozen=True, eq=False)
class Held:
    """What a source has of some units: the place of each row's unit among them, its number (0, or 1 for a second entry) and
    the number that its key says, in the order of these."""

    place: Integers
    copy: Integers
    number: Words


def held(plan: Plan, source: SourceSystem, made: Block, there: Integers) -> Held:
    """Return the rows that a source has of the units `there` of a block."""
    address = made.units.address[there]
    kept = uniforms(key(plan.seed, "source", source.name, "missing"), address) >= source.missing_rate
    twice = kept & (uniforms(key(plan.seed, "source", source.name, "twice"), address) < source.duplicate_rate)
    place = np.concatenate([np.flatnonzero(kept), np.flatnonzero(twice)])
    copy = np.repeat(np.array([0, 1], dtype=np.int64), [int(kept.sum()), int(twice.sum())])
    segments = np.array([segment_number(segment.spec.name) for segment in plan.segments], dtype=np.uint64)
    unit = there[place]
    code = (segments[made.units.segment[unit]] << np.uint64(_ORDINAL_BITS)) | made.units.ordinal[unit].astype(np.uint64)
    number = permute((code << np.uint64(1)) | copy.astype(np.uint64), _BITS, key(plan.seed, "source", source.name, "key"))
    order = np.argsort(number)
    return Held(place[order], copy[order], number[order])


def key_values(plan: Plan, source: SourceSystem, number: Words) -> pa.Array:
    """Return keys in the scheme of a source: `SHOP-0123456789012345`, a whole number, or 13 hexadecimal digits."""
    if source.key_scheme == "uuid_short":
        places = np.arange(_BITS - 4, -1, -4, dtype=np.uint64)
        digits = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)[
            ((number[:, None] >> places) & np.uint64(15)).astype(np.intp)
        ]
        return pa.array(np.ascontiguousarray(digits).view(f"S{len(places)}").ravel().astype(f"U{len(places)}"), pa.string())
    whole = pa.array(number.astype(np.int64))
    if source.key_scheme == "numeric":
        return whole
    return pc.binary_join_element_wise(
        pa.scalar(plan.unit.upper()), pc.utf8_lpad(whole.cast(pa.string()), _DIGITS, "0"), "-"
    )


def _parts(plan: Plan, slice_: Slice) -> Iterator[Slice]:
    """Cut a slice at every `_TOGETHER`th unit of the roster: where it is cut must not depend on where it begins."""
    start = slice_.unit_first
    while start < slice_.unit_stop:
        stop = min((start // _TOGETHER + 1) * _TOGETHER, slice_.unit_stop)
        yield Slice(slice_.stop - 1, slice_.stop, start, stop)
        start = stop


def _arrived(made: Block) -> Integers:
    return np.flatnonzero(made.units.arrival < made.slice.stop)


def _batches(plan: Plan, table: TablePlan, slice_: Slice) -> Iterator[pa.RecordBatch]:
    source = next(source for source in plan.dataset.sources if table.name == f"{table.of}_{source.name}")
    units = plan.table(table.of)
    own = key_column(units.spec)
    assert own is not None
    types = {column.name: column.type for column in units.columns}
    named = name_column(units.spec)
    attributes = {column.name for column in attribute_columns(units.spec, types)}
    for part in _parts(plan, slice_):
        made = block(plan, part)
        rows = _units(plan, units, made, _arrived(made))
        found = held(plan, source, made, rows.unit)
        arrays = []
        for column, theirs in zip((c for c in units.columns if c.spec.word != "version"), table.columns, strict=True):
            if column.spec is own:
                arrays.append(key_values(plan, source, found.number).cast(theirs.type))
                continue
            values = fill(column, units, rows)
            if named is not None and column.name == named.name and source.name_drift_rate:
                values = _drifting(values, column, units, rows, found, source, named=True)
            elif column.name in attributes and source.attribute_drift_rate:
                values = _drifting(values, column, units, rows, found, source, named=False)
            else:
                values = values.take(pa.array(found.place))
            arrays.append(values)
        yield batch_of(table, arrays)


def _units(plan: Plan, table: TablePlan, made: Block, there: Integers) -> Rows:
    """Return the rows of units, one of each, in the state they are in at the end of the block."""
    units = made.units
    band = np.empty(0, dtype=np.int64)
    history = table.spec.sourced("scd")
    if history:
        options = history[0].source
        assert isinstance(options, History)
        last = np.minimum(ends(made), made.slice.stop - 1)
        band = np.zeros(len(units), dtype=np.int64)
        for period in np.unique(last).tolist():  # few: the end of the slice, and the ends of lives before it
            at = bands(plan, plan.metric_index(options.tracks), options.at, units, np.array([period], dtype=np.int64))[0]
            band = np.where(last == period, at, band)
        band = band[there]
    return Rows(block=made, address=units.address[there], unit=there, period=units.arrival[there], band=band)


def _drifting(
    values: pa.Array, column: ColumnPlan, units: TablePlan, rows: Rows, found: Held, source: SourceSystem, *, named: bool
) -> pa.Array:
    """Return the values of a column as a source has them, one for each of its rows."""
    address = fold(rows.address[found.place], words(found.copy))

    def draw(what: str) -> Floats:
        return uniforms(key(rows.block.plan.seed, "drift", source.name, column.name, what), address)

    rate = source.name_drift_rate if named else source.attribute_drift_rate
    held = values.take(pa.array(found.place))
    drifts = np.flatnonzero(draw("whether") < rate)
    before = held.take(pa.array(drifts))
    after = drifted(before, NAME_WAYS if named else ATTRIBUTE_WAYS, draw("way")[drifts], draw("place")[drifts])
    if not named and len(drifts):
        stale = draw("stale")[drifts] < _OUT_OF_DATE
        taken = rows.taken(found.place[drifts])
        another = fill(
            column, units, replace(taken, address=fold(taken.address, words(np.ones(1, dtype=np.int64))), _kept={})
        )
        stale &= ~np.asarray(pc.fill_null(pc.equal(another, before), True))
        after = pc.if_else(pa.array(stale), another, after)
    mask = np.zeros(len(held), dtype=np.bool_)
    mask[drifts] = True
    return pc.replace_with_mask(held, pa.array(mask), after)


def _mapping(plan: Plan, table: TablePlan, slice_: Slice) -> Iterator[pa.RecordBatch]:
    units = next(own for own in plan.own if own.kind == "unit")
    key_plan = next(column for column in units.columns if column.spec.word == "id")
    for part in _parts(plan, slice_):
        made = block(plan, part)
        rows = _units(plan, units, made, _arrived(made))
        keys = fill(key_plan, units, rows)
        for source in plan.dataset.sources:
            found = held(plan, source, made, rows.unit)
            arrays = [
                pa.repeat(pa.scalar(source.name), len(found.place)),
                key_values(plan, source, found.number).cast(pa.string()),
                keys.take(pa.array(found.place)),
            ]
            yield batch_of(table, arrays)


def _expect(table: TablePlan, sample: Sample) -> Floats:
    sources = sample.plan.dataset.sources
    own = [source for source in sources if table.kind == MAP or table.name == f"{table.of}_{source.name}"]
    return sample.total(sample.arrived) * sum((1 - s.missing_rate) * (1 + s.duplicate_rate) for s in own)


DERIVED.add("sources", _derive)
KINDS.add(HOLDING, made_of_others(_batches, _expect, state=True))
KINDS.add(MAP, made_of_others(_mapping, _expect, state=True))
