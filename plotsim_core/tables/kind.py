"""What a table kind is: the answers of the language (`config/table_kind.py`), and the work: how a slice is cut for a table
of the kind, and which rows a block of it has. Each file of this folder that calls `add_kind` is a member.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, Literal, TypeVar

import numpy as np
import pyarrow as pa

from plotsim_core.columns.earlier_rows import earlier_targets
from plotsim_core.columns.primary_key import key_column, parent_table
from plotsim_core.columns.row_kind import RowKind, Targets
from plotsim_core.columns.rows import Rows
from plotsim_core.columns.sequence import place_column
from plotsim_core.config.column_source import Origin
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.scope import Scope
from plotsim_core.config.star_schema import DATE_DIMENSION
from plotsim_core.config.table_kind import TABLE_FORMS, declared_forms, form_name
from plotsim_core.config.tables import Table
from plotsim_core.engine.block import Block
from plotsim_core.engine.roster import Units
from plotsim_core.engine.slice import Slice, blocks, by_unit
from plotsim_core.errors import Problem, UsageError
from plotsim_core.numerics.arrays import Floats, Integers
from plotsim_core.plan.plan import ColumnPlan, Plan, Population, TablePlan
from plotsim_core.plan.schemas import DERIVED
from plotsim_core.tables.estimate_sample import Sample

Cut = Literal["periods", "units", "rows"]
"""What the rows of a table can be cut by, so that the parts put one after the other are the whole."""


class TableKind(RowKind):
    """A kind of table. A member says `kind`, `section`, `knows`, `recognise` and `describe`, and gives `rows_in`; the rest
    has defaults, those of a table whose rows belong to units.

    Where a population and a slice are given, they are the table's own.
    """

    is_sampled: ClassVar[bool] = True
    """Whether only making rows tells how many there are: then some are counted for estimates."""
    is_derived: ClassVar[bool] = False
    """Whether its rows are made of those of other tables, all of a slice by `batches`."""
    is_constant: ClassVar[bool] = False
    """Whether it is a state whose rows are the same at all times: they know no unit and no period."""

    @classmethod
    def is_otherwise_unknown(cls, raw: Mapping[str, Any], unit: str) -> bool:
        """Return whether no other class of the section recognises a table as written: what the one of a section recognises
        that has no word of its own."""
        siblings = declared_forms(cls.section).values()
        return not any(kind.recognise(raw, unit) for kind in siblings if kind is not cls)

    def key_columns(self, dataset: Dataset) -> tuple[str, ...]:
        """Return its own key, or that of the row that its rows belong to and their place in it."""
        parent, place = parent_table(self, dataset), place_column(self)
        if key_column(self) is not None or parent is None or place is None:
            return (key_name(self),)
        references = (*self.leading_columns(dataset), *self.references_to(parent.name))
        return *(column.name for column in references), place.name

    def time_column(self) -> str | None:
        return None if self.is_state else date_reference(self)

    def cuts(self, population: Population, table: TablePlan) -> tuple[Cut, ...]:
        """Return what a table can be cut by, the best first. Rows that belong to periods and units are in the order of
        periods, so they can be cut by units within a period."""
        if table.time is not None:
            return ("periods", "units") if self.has_unit_rows else ("periods",)
        return ("units",) if self.has_unit_rows else ()

    def unit_step(self) -> int:
        """Return the number of units whose rows stay together: a cut by units is at its multiples."""
        return 1

    def cut(self, population: Population, slice_: Slice) -> Iterator[Slice]:
        """Yield the blocks of a slice in the order of the rows."""
        if not self.is_state:
            return blocks(population, slice_)
        return by_unit(Slice(slice_.stop - 1, slice_.stop, slice_.unit_first, slice_.unit_stop))

    def row_total(self, population: Population) -> int:
        """Return how many rows there are to cut by, of a table that is cut by rows: its own, or those of the plain table
        that its rows belong to in the end."""
        raise UsageError(f"rows of {self.name} have no numbers to be cut by")

    def changed_rows(self, table: TablePlan, block: Block) -> Rows | None:
        """Return those rows of a state at the end of a block that are not the same before it, by what happens to their
        units; None where nothing but the whole state tells."""
        return None

    def ranks(self, table: TablePlan, rows: Rows) -> Integers:
        """Return the number of each row among those of its period, of a table that is of no unit. `rows` are all it has in
        their block."""
        return numbers_in_period(rows)

    def numbered_rows(self, table: TablePlan, block: Block, numbers: Integers) -> Rows:
        """Return the rows of a plain table of this kind that have some numbers."""
        raise UsageError(f"rows of {table.name} have no numbers")

    def targets(self, column: ColumnPlan, table: TablePlan, rows: Rows, parent: TablePlan) -> Targets:
        if self.has_keyed_rows:
            return Targets(parent, *earlier_targets(column, table, rows, parent))
        return super().targets(column, table, rows, parent)

    def expect(self, table: TablePlan, sample: Sample) -> Floats:
        """Return an estimate of the rows of each of the sample's periods, shape (periods,): how many there are, or of a
        state, how many there are at the end of the period."""
        return sample.total(sample.has_arrived if self.is_state else sample.is_present)

    def rows_between(self, population: Population, first: int, stop: int) -> float | None:
        """Return how many rows there are in the periods `first` to `stop`, where the number of plain rows that they are or
        belong to is known; None where each period is estimated."""
        return None

    def declared_rows(self, table: TablePlan, population: Population, periods: Integers) -> Integers | None:
        """Return how many rows there are in each of some periods, or of a state at the end of each, where the config says
        exactly how many; None where it does not."""
        return None

    def row_factors(self, population: Population, units: Units, periods: Integers) -> Floats | None:
        """Return what the number of rows that is drawn around a mean is multiplied by in each cell, shape (periods, units)
        or, where units do not differ, (periods, 1); None: by nothing."""
        return None

    @classmethod
    def derive(cls, dataset: Dataset, declared: tuple[TablePlan, ...]) -> Iterable[TablePlan]:
        """Yield the plans of the tables of a kind that no section declares, from those of the declared tables."""
        raise NotImplementedError(f"no section declares {cls.__name__}, and it derives no tables")

    def batches(self, plan: Plan, table: TablePlan, slice_: Slice) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a table that is made of the rows of others."""
        raise UsageError(f"{table.name} has rows of its own")

    def read_tables(self, plan: Plan, table: TablePlan) -> Iterable[str]:
        """Yield the tables whose rows decide which rows it has, beside those that it refers to or shows."""
        return ()

    def origins(self, plan: Plan, table: TablePlan, column: ColumnPlan) -> Iterable[Origin]:
        """Yield what a column is made of, beside what its source reads and what it refers to."""
        return ()


Kind = TypeVar("Kind", bound=TableKind)


class DerivedKind(TableKind):
    """A kind of table whose rows are made of those of other tables."""

    is_sampled: ClassVar[bool] = False
    is_derived: ClassVar[bool] = True
    has_unit_rows: ClassVar[bool] = False


def numbers_in_period(rows: Rows) -> Integers:
    """Return the number of each row among those of its period, of rows in the order of periods."""
    positions = np.arange(len(rows), dtype=np.int64)
    is_first = np.append(True, np.diff(rows.period) != 0)[: len(rows)]
    return positions - np.maximum.accumulate(np.where(is_first, positions, 0))


def add_kind(kind: type[Kind]) -> type[Kind]:
    """Make a kind, or a form of one, known, and return it: in a dataset are the tables of it that sections declare, or that
    it derives. Raises ValueError if there is one of its name."""
    TABLE_FORMS.add(form_name(kind), kind)
    if kind.section is None:
        DERIVED.add(kind.kind, kind.derive)
    return kind


def table_kind(table: TablePlan) -> TableKind:
    """Return a table's kind, which does the work."""
    if not isinstance(table.spec, TableKind):
        raise TypeError(f"{table.name} is of no table kind: {type(table.spec).__name__}")
    return table.spec


def key_name(table: Table) -> str:
    """Return the name of a table's own key column."""
    column = key_column(table)
    assert column is not None
    return column.name


def needs_key(table: Table) -> Iterable[Problem]:
    """Yield a problem if a table that others refer to has no key."""
    if key_column(table) is None:
        yield Problem("columns", f"{table.name} has no column of type id, so its rows have no key")


def sibling_key(table: Table) -> tuple[str, ...]:
    """Return the columns that tell the rows of a table of the section `tables` apart: its key, or the key of what they
    belong to and their number in that."""
    key, place = key_column(table), place_column(table)
    if key is not None:
        return (key.name,)
    return table.parent_keys if place is None else (*table.parent_keys, place.name)


def needs_number(table: Table) -> Iterable[Problem]:
    """Yield a problem if the rows of a table that belong to one parent cannot be told apart."""
    if key_column(table) is None and place_column(table) is None:
        message = f"rows of {table.name} cannot be told apart: it has no column of type id, and none that numbers them"
        yield Problem("columns", message, "add a key, `type: id`, or their number in what they belong to, `type: sequence`")


def needs_key_or_place(table: Table, scope: Scope) -> Iterable[Problem]:
    """Yield a problem if nothing tells rows apart that belong to other rows or to units: they have no key, nor a place in a
    row with a key."""
    parent = scope.unit_dimension if table.is_of_units else scope.declared_table(table.parent_name)
    if place_column(table) is None:
        yield from needs_key(table)
    elif parent is None:
        return  # reported elsewhere
    elif key_column(table) is None and key_column(parent) is None and place_column(parent) is None:
        message = f"rows of {table.name} have a place in rows of {parent.name}, which have no key of their own"
        yield Problem("columns", message, "give one of the two a column of type id")


def date_reference(table: Table) -> str | None:
    """Return the name of a table's first reference to the date dimension."""
    return next((column.name for column in table.references_to(DATE_DIMENSION)), None)


def column_types(raw: object) -> list[str]:
    """Return the types of the columns of a table as written, as far as they can be read."""
    columns = raw.get("columns") if isinstance(raw, dict) else None
    items = columns if isinstance(columns, list | tuple) else []
    return [str(item.get("type")) for item in items if isinstance(item, dict)]
