"""A change log (`changes_of`): operations of a source system on the rows of a dimension, as in change data capture (CDC).

A row is inserted (I) when it arrives, updated (U) when anything that its dimension says of it changes, and deleted (D) in
the period after the last of its unit's life. `before` and `after` are the whole row. A change happens at the beginning of
its period, as a version does: the rows of that period refer to what it made.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from plotsim_core.arrow import ArrowArray, joined, plain_type, taken
from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import fill
from plotsim_core.columns.timestamp import TYPE as MOMENT
from plotsim_core.config.column_source import Origin
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.model import Name
from plotsim_core.config.scope import Scope
from plotsim_core.config.table_kind import CadenceName, Section
from plotsim_core.config.table_shape import Shape, Spelling
from plotsim_core.engine.block import block
from plotsim_core.engine.slice import Slice, blocks
from plotsim_core.errors import Problem
from plotsim_core.numerics.arrays import Floats, Integers
from plotsim_core.plan.plan import ColumnPlan, Plan, Population, TablePlan, made_column
from plotsim_core.plan.schemas import DimensionView, date_column
from plotsim_core.tables.batch import batch_of
from plotsim_core.tables.dimension_state import (
    NoColumns,
    changing_columns,
    check_dimension,
    columns_of,
    dimension_states,
    key_of,
    members,
    presence,
    shown_dimension,
)
from plotsim_core.tables.estimate_sample import Sample
from plotsim_core.tables.kind import Cut, DerivedKind, add_kind

SEQUENCE, CHANGED_AT, DATE, OP, BEFORE, AFTER = "sequence", "changed_at", "date_key", "op", "before", "after"
_CHANGE_COLUMNS = frozenset({SEQUENCE, CHANGED_AT, DATE, OP, BEFORE, AFTER})
_OPS = ("I", "U", "D")
_INSERTED, _UPDATED, _DELETED = range(3)
_NO_CHANGE = -1
_KEY_DIGITS = 16
"""Digits of the largest key that is a whole number."""
_SAMPLED_CELLS = 1 << 15
"""Cells of each segment in which changes are counted for an estimate."""


@add_kind
class Changes(DerivedKind, DimensionView):
    """Every change of a dimension's rows, in order; its columns come by themselves."""

    kind: ClassVar[str] = "changes"
    section: ClassVar[Section] = "events"
    cadence: ClassVar[CadenceName] = "change log"

    changes_of: Name
    """The dimension whose changes these are."""
    columns: NoColumns = ()
    """None, they come by themselves."""

    @classmethod
    def recognise(cls, raw: Mapping[str, Any], unit: str) -> bool:
        return "changes_of" in raw

    @classmethod
    def of_shape(cls, shape: Shape) -> Spelling | None:
        return Spelling(shape.raw, {}) if "changes_of" in shape.raw else None

    @property
    def dimension_name(self) -> str:
        return self.changes_of

    def key_columns(self, dataset: Dataset) -> tuple[str, ...]:
        return (SEQUENCE,)

    def time_column(self) -> str:
        return DATE

    def describe(self, dataset: Dataset) -> str:
        return f"Every insert, update and delete of {self.changes_of}."

    def check(self, scope: Scope) -> Iterable[Problem]:
        yield from check_dimension(
            "changes_of", self.changes_of, lambda columns, key: _CHANGE_COLUMNS & {key}, scope, is_changing=True
        )

    def plan(self, dimension: TablePlan, dataset: Dataset) -> TablePlan:
        date, reference = date_column(DATE, "Period at whose beginning the row changed.", self, dataset)
        key, image = key_of(dimension), pa.struct([pa.field(c.name, plain_type(c.type)) for c in columns_of(dimension)])
        columns = (
            _column(SEQUENCE, pa.string(), "Order of all changes, as texts sort; no two are the same."),
            _column(CHANGED_AT, MOMENT, "Moment at which the row changed."),
            date,
            _column(OP, pa.string(), "Kind of change: I for an insert, U for an update, D for a delete."),
            _column(key.name, key.type, f"Key of the row of {dimension.name} that changed."),
            _column(BEFORE, image, "Row before the change; null where it was inserted.", nullable=True),
            _column(AFTER, image, "Row after the change; null where it was deleted.", nullable=True),
        )
        return TablePlan(
            spec=self.model_copy(update={"columns": tuple(column.spec for column in columns)}),
            columns=columns,
            key=(SEQUENCE,),
            time=DATE,
            references=(reference, (key.name, dimension.name, key.name)),
            description=self.description or self.describe(dataset),
            shown_table=dimension.name,
        )

    def cuts(self, population: Population, table: TablePlan) -> tuple[Cut, ...]:
        return ("periods", "units")

    def batches(self, plan: Plan, table: TablePlan, slice_: Slice) -> Iterator[pa.RecordBatch]:
        population = plan.population_of(table)
        dimension, slice_ = shown_dimension(population, table, slice_)
        for part in blocks(population, slice_):
            member_rows, ops = _operations(population, dimension, part)
            period_index, member = np.nonzero(ops != _NO_CHANGE)
            changed = ops[period_index, member]
            yield _batch(population, table, dimension, member_rows, changed, period_index + part.first, member)

    def expect(self, table: TablePlan, sample: Sample) -> Floats:
        """The changes of some units of each segment, scaled up: changes cannot be known in advance."""
        population, dimension = sample.population, sample.population.table(table.shown_table)
        first, stop = int(sample.periods[0]), int(sample.periods[-1]) + 1
        total = np.zeros(stop - first)
        for weight, units in sample.parts:
            count = max(1, min(len(units), _SAMPLED_CELLS // (stop - first)))
            unit_weight = weight * len(units) / count
            for part in blocks(population, Slice(first, stop, units.start, units.start + count)):
                _, ops = _operations(population, dimension, part)
                total[part.first - first : part.stop - first] += unit_weight * (ops != _NO_CHANGE).sum(axis=1)
        is_whole = len(total) == len(sample.periods)
        return total[sample.periods - first] if is_whole else np.full(len(sample.periods), total.mean())

    def origins(self, plan: Plan, table: TablePlan, column: ColumnPlan) -> Iterable[Origin]:
        dimension = plan.table(table.shown_table)
        if column.name in (BEFORE, AFTER):
            return [(dimension.name, other.name) for other in columns_of(dimension)]
        return [(dimension.name, key_of(dimension).name)] if column.name == SEQUENCE else []


def _column(name: str, type_: pa.DataType, description: str, *, nullable: bool = False) -> ColumnPlan:
    return made_column(name, type_, description, word=f"change.{name}", nullable=nullable)


def _operations(population: Population, dimension: TablePlan, part: Slice) -> tuple[Rows, NDArray[np.int8]]:
    """Return the members of a slice and the operation on each in each period, shape (periods, members).

    A row is compared to the period before, so the members' block holds that too.
    """
    member_rows = members(dimension, block(population, replace(part, first=max(part.first - 1, population.first))))
    is_present = presence(member_rows)
    is_different = np.zeros(is_present.shape, dtype=np.bool_)
    moving_columns = changing_columns(dimension)
    period_index, member = np.nonzero(is_present if moving_columns else is_present[:0])
    states = dimension_states(dimension, member_rows, period_index, member)
    for column in moving_columns:
        codes = np.full(is_present.shape, _NO_CHANGE, dtype=np.int64)
        codes[period_index, member] = _codes(fill(column, dimension, states))
        is_different[1:] |= codes[1:] != codes[:-1]
    if part.first == population.first:  # no member before the window
        is_present, is_different = (
            np.concatenate([np.zeros_like(values[:1]), values]) for values in (is_present, is_different)
        )
    before, after = is_present[:-1], is_present[1:]
    ops = np.full(after.shape, _NO_CHANGE, dtype=np.int8)
    ops[after & ~before] = _INSERTED
    ops[before & ~after] = _DELETED
    ops[before & after & is_different[1:]] = _UPDATED
    return member_rows, ops


def _codes(values: ArrowArray) -> Integers:
    """Return a number for each value, equal for equal ones; null is one too."""
    coded = values.cast(plain_type(values.type)).dictionary_encode(null_encoding="encode")
    return np.asarray(coded.indices, dtype=np.int64)


def _batch(
    population: Population,
    table: TablePlan,
    dimension: TablePlan,
    member_rows: Rows,
    ops: NDArray[np.int8],
    period: Integers,
    member: Integers,
) -> pa.RecordBatch:
    key = fill(key_of(dimension), dimension, member_rows.take(member))
    dates = pa.array(population.grain.keys(period))
    columns: dict[str, ArrowArray] = {
        SEQUENCE: joined(dates.cast(pa.string()), _sortable(key), between="-"),
        CHANGED_AT: pa.array(population.grain.civil_starts(period).astype("datetime64[us]"), MOMENT),
        DATE: dates,
        OP: pa.array(_OPS).take(ops),
        BEFORE: _image(dimension, member_rows, ops != _INSERTED, period - 1, member),
        AFTER: _image(dimension, member_rows, ops != _DELETED, period, member),
    }
    arrays = [columns.get(column.name, key) for column in table.columns]
    return batch_of(table, arrays)


def _sortable(key: ArrowArray) -> ArrowArray:
    """Return keys as texts that sort as the keys do: whole numbers get zeros in front."""
    if not pa.types.is_integer(key.type):
        return key
    return pc.utf8_lpad(key.cast(pa.string()), _KEY_DIGITS, "0")


def _image(
    dimension: TablePlan, member_rows: Rows, is_present: NDArray[np.bool_], period: Integers, member: Integers
) -> ArrowArray:
    """Return members as they stand in a period each, as one struct per change; null where they are not present."""
    states = dimension_states(
        dimension, member_rows, (period - member_rows.block.slice.first)[is_present], member[is_present]
    )
    columns = columns_of(dimension)
    images = pa.StructArray.from_arrays(
        [fill(column, dimension, states).cast(plain_type(column.type)) for column in columns],
        fields=[pa.field(c.name, plain_type(c.type)) for c in columns],
    )
    return taken(images, np.cumsum(is_present) - 1, ~is_present)
