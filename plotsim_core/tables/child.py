"""A dimension of the unit's children (`per: unit` with a reference to the unit's dimension): a company's users, say.

Children arrive with their unit. `count` is how many each unit has: a number, [low, high], or one of these for each segment.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import BeforeValidator

from plotsim_core.columns.any_child import any_child
from plotsim_core.columns.distinct import distinct_positions
from plotsim_core.columns.foreign_key import reference_of
from plotsim_core.columns.kept_rows import kept_rows
from plotsim_core.columns.popularity import popular_indexes
from plotsim_core.columns.row_kind import Targets
from plotsim_core.columns.row_relations import child_counts
from plotsim_core.columns.rows import Rows, sibling_numbers
from plotsim_core.config.column_source import Origin
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.filtered import FilteredTable
from plotsim_core.config.model import Group, number_pair_or_groups
from plotsim_core.config.row_count import RowCount, WrittenRowCount
from plotsim_core.config.row_counts import OfSegments, between
from plotsim_core.config.scope import Scope
from plotsim_core.config.table_kind import Knowledge, Section
from plotsim_core.config.table_shape import UNIT, Shape, Spelling, spelled
from plotsim_core.config.tables import row_noun
from plotsim_core.config.words import capitalised, phrase, plural
from plotsim_core.engine.block import Block
from plotsim_core.errors import Problem, value_text
from plotsim_core.numerics.arrays import Floats, Integers
from plotsim_core.numerics.random import fold, words
from plotsim_core.plan.plan import ColumnPlan, TablePlan
from plotsim_core.tables.estimate_sample import Sample
from plotsim_core.tables.kind import TableKind, add_kind, needs_key_or_place
from plotsim_core.tables.rows_of_rows import CHILDREN
from plotsim_core.tables.unit import arrives_in, refers_to_a_dimension
from plotsim_core.tables.unit_targets import targets_of_units

_MOST = 100_000
_Number = int | tuple[int, int]


def _bounds(count: RowCount) -> tuple[int, int]:
    least, most = count.bounds
    return least, _MOST if most is None else most


class UnitRows(TableKind):
    """Some rows per unit, as many as `number_of_rows` says."""

    kind: ClassVar[str] = CHILDREN
    is_dimension: ClassVar[bool] = True
    knows: ClassVar[frozenset[Knowledge]] = frozenset({"unit", "period", "key", "number"})
    is_of_units: ClassVar[bool] = True
    comes_with_units: ClassVar[bool] = True
    is_state: ClassVar[bool] = True
    is_sampled: ClassVar[bool] = False
    popularity: ClassVar[tuple[str, ...]] = ("distribution", "exponent")

    @property
    def row_count(self) -> RowCount:
        raise NotImplementedError(f"{type(self).__name__} has no number of rows")

    @property
    def per_unit(self) -> tuple[int, int]:
        """The least and the most rows per unit."""
        return _bounds(self.row_count)

    def per_unit_of(self, segment: str) -> tuple[int, int]:
        return _bounds(self.row_count.of_segment(segment))

    def describe(self, dataset: Dataset) -> str:
        return f"{capitalised(plural(row_noun(self)))}, {self.row_count.describe()} for each {phrase(dataset.unit)}."

    def check(self, scope: Scope) -> Iterable[Problem]:
        yield from needs_key_or_place(self, scope)
        yield from self.row_count.check(self, scope)
        is_referred_to = any(
            declared.table.references_to(self.name) for declared in scope.tables.values() if declared.table is not None
        )
        is_counted = not self.row_count.read_columns and self.row_count.total is None
        if is_counted and self.per_unit[0] == 0 and is_referred_to:
            message = f"{value_text(self.per_unit)} leaves units without rows, but other tables refer to them"
            yield Problem("rows", message, "begin at 1")

    def rows_in(self, table: TablePlan, block: Block) -> Rows:
        return self.rows_of_units(table, block, np.flatnonzero(block.units.arrival < block.slice.stop))

    def changed_rows(self, table: TablePlan, block: Block) -> Rows | None:
        """Return the rows of the units that arrive in a block."""
        return self.rows_of_units(table, block, np.flatnonzero(arrives_in(block)))

    def rows_of_units(self, table: TablePlan, block: Block, units: Integers) -> Rows:
        owner, ordinal = sibling_numbers(child_counts(block.population, self, block.units)[units])
        unit = units[owner]
        rows = Rows(
            block=block,
            address=fold(block.units.address[unit], words(ordinal)),
            unit=unit,
            period=block.units.arrival[unit],
            ordinal=ordinal,
        )
        return kept_rows(table, rows)

    def targets(self, column: ColumnPlan, table: TablePlan, rows: Rows, parent: TablePlan) -> Targets:
        """Return one of the children of each row's unit, or of any unit."""
        block, options = rows.block, reference_of(column)
        if options.owners != "own":
            return any_child(column, table, rows, parent, options.owners)
        if self.filter is not None:
            return targets_of_units(column, table, rows, parent)
        counts = child_counts(block.population, self, block.units)[rows.unit]
        some = np.maximum(counts, 1)  # of none there is nothing to draw
        if options.distinct:
            numbers = distinct_positions(rows, some, rows.stream(table, column))
        else:
            numbers = popular_indexes(options, some, rows.uniforms(table, column))
        child_rows = Rows(
            block=block,
            address=fold(block.units.address[rows.unit], words(numbers)),
            unit=rows.unit,
            period=block.units.arrival[rows.unit],
            ordinal=numbers,
        )
        return Targets(parent, child_rows, np.where(counts > 0, np.arange(len(rows), dtype=np.int64), -1))

    def expect(self, table: TablePlan, sample: Sample) -> Floats:
        return sample.total(lambda units: sample.has_arrived(units) * child_counts(sample.population, self, units))


@add_kind
class UnitChildren(UnitRows, FilteredTable):
    """Some rows per unit, which are there as long as the unit is: a company's users, a customer's cards."""

    form: ClassVar[str] = "children of units"
    section: ClassVar[Section] = "tables"
    shape_words: ClassVar[tuple[str, ...]] = ("per", "when")

    rows: WrittenRowCount
    """How many each unit has."""

    @classmethod
    def of_shape(cls, shape: Shape) -> Spelling | None:
        if shape.per != (UNIT,) or shape.is_of_units or "when" in shape.raw:
            return None
        return spelled(shape, rows=shape.raw.get("rows", 1))

    @property
    def row_count(self) -> RowCount:
        return self.rows

    def row_origins(self) -> Iterator[Origin]:
        yield from super().row_origins()
        unit_tables = {column.source.target_name for column in self.columns if column.name in self.parent_keys} - {None}
        yield from ((str(table), name) for table in unit_tables for name in self.rows.read_columns)

    def check(self, scope: Scope) -> Iterable[Problem]:
        yield from super().check(scope)
        metric = next((name for name in self.rows.drivers if name in scope.metrics), None)
        if metric is not None:
            message = f"{metric} is of one period, and rows of {self.name} are there for as long as their {scope.unit}"
            yield Problem("rows", message, f"give a number, or rows per {scope.unit} and period")
        elif self.rows.driver is None and self.rows.total is None and self.rows.bounds[1] is None:
            yield Problem(
                "rows", "has no bound, so that nothing can be said of the keys of its rows", "add between: [0, 20]"
            )


@add_kind
class ChildDimension(UnitRows):
    """Some rows per unit. It is a short way to say `rows: count` of a table per unit."""

    form: ClassVar[str] = "child"
    section: ClassVar[Section] = "dimensions"
    written: ClassVar[Mapping[str, str]] = {"rows.segments": "count", "rows": "count"}

    per: Literal["unit"] = "unit"
    """That its rows belong to units, as it is unless a dimension says otherwise."""
    count: Annotated[_Number | dict[Group, _Number], BeforeValidator(number_pair_or_groups(_MOST))] = 1
    """How many each unit has, a number or [low, high], or one of these for each segment: {segment: number}."""

    @classmethod
    def recognise(cls, raw: Mapping[str, Any], unit: str) -> bool:
        return raw.get("per") == "unit" and not raw.get("reference") and ("count" in raw or refers_to_a_dimension(raw))

    @property
    def row_count(self) -> RowCount:
        if isinstance(self.count, dict):
            return OfSegments(segments={name: between(count) for name, count in self.count.items()})
        return between(self.count)

    def check(self, scope: Scope) -> Iterable[Problem]:
        yield from super().check(scope)
        unit = scope.unit_dimension
        is_single = self.per_unit == (1, 1) and not refers_to_a_dimension(self.model_dump())
        if unit is not None and not is_single and not self.references_to(unit.name):
            yield Problem("columns", f"{self.name} has rows per {scope.unit}, so it needs a column of type ref.{unit.name}")
