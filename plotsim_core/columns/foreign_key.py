"""`ref.<dimension>`: a foreign key, the key of a row of a dimension, recomputed rather than looked up.

To the date dimension: the row's period. To the unit's dimension: the row's unit. To a dimension of the unit's children:
one of this unit's children, or with `of` one of anybody's. To the dimension of another kind of unit: one that lives in the
row's period, in proportion to its size. To a listed dimension: any row, or with `matching: {plan_name: plan}` one whose
`plan_name` equals the `plan` of the row, or with `during` one that is valid at the time. To plain rows with moments: any
that came before. To a fact or event with keys: an earlier row of the same unit. To its own table: a row before it. A detail
row (`parent_table`) has the target of its parent row where both have a column of one name and type. `roads.py` lists which
of these is tried when.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from plotsim_core.arrow import ArrowArray
from plotsim_core.columns.dependencies import nullable_in, type_in
from plotsim_core.columns.earlier_rows import WITHIN
from plotsim_core.columns.popularity import may_run_out
from plotsim_core.columns.primary_key import key_column
from plotsim_core.columns.reference_options import ReferenceOptions, referenced_table
from plotsim_core.columns.roads import targets_before_nulls
from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import add_source
from plotsim_core.config.column_source import History, Origin, Owners
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.segments import OngoingArrival, Segment
from plotsim_core.config.tables import Column, Table, matched_origin, may_be_null, row_noun
from plotsim_core.config.words import capitalised, enumeration, phrase
from plotsim_core.plan.plan import ColumnPlan, TablePlan


@add_source
class Reference(ReferenceOptions):
    """`table` is the table, and `column` the unique column of it whose value is the reference, rather than its key. With
    `key: true` it is the key of its own table too.

    `matching` ties a listed dimension to a column of the row or its unit, `during` to the row's time; with `distinct`
    siblings refer to different rows. `of` says whose children, `roots` how many rows of a table that refers to itself refer
    to none, `within` how many periods back a fact or event may lie."""

    word = "ref"
    example = "ref.dim_company"
    argument = "table"
    is_drifting = False

    def arrow_type(self, column: Column, dataset: Dataset) -> pa.DataType:
        if self.column is not None:
            return type_in(self.table, self.column, dataset)
        id_column = key_column(referenced_table(self.table, dataset))
        if id_column is None:
            return pa.string()
        return id_column.source.arrow_type(id_column, _kind_of(self.table, dataset))

    def describe(self, column: Column, table: Table, dataset: Dataset) -> str:
        target_table = referenced_table(self.table, dataset)
        noun = dataset.grain.noun if target_table.is_date_dimension else row_noun(target_table)
        pairs = [
            f"its {target_name} is {self._source_noun(source_name, table, dataset)}"
            for target_name, source_name in (self.matching or {}).items()
        ]
        if self.during is not None:
            pairs.append(f"the row's time is from its {self.during['from']} and before its {self.during['to']}")
        if target_table is table:
            pairs.append("a row before this one")
        elif target_table.is_timed and not belongs_to(self.table, table, dataset):
            pairs.append("one that came before")
        subject = "Key" if self.column is None else capitalised(phrase(self.column))
        return f"{subject} of the {noun} in {self.table}{f': {enumeration(pairs)}' if pairs else ''}."

    def _source_noun(self, source_name: str, table: Table, dataset: Dataset) -> str:
        """Return what a source column of `matching` is, in words."""
        owner, name = matched_origin(source_name, table, dataset.own_unit_dimension)
        if dataset.has_units and owner == dataset.unit_dimension.name:
            return f"the {phrase(dataset.unit)}'s {name}"
        return f"the row's {name}" if owner == table.name else f"the {name} of its row of {owner}"

    def is_nullable(self, column: Column, dataset: Dataset) -> bool:
        """Nulls come from a parent row's null, from a matched column with nulls or values that are not listed, from periods
        in which no unit of another kind lives or no listed row is valid or before which nothing came, and from roots."""
        if any(may_be_null(column, dataset) for column in _parent_columns(self, dataset)):
            return True
        if self.during is not None or self.owners != "own":
            return True
        if self.distinct and may_run_out(self, referenced_table(self.table, dataset)):
            return True
        table = next((table for table in dataset.all_tables if any(other.source is self for other in table.columns)), None)
        if table is not None and table.name == self.table:
            return True
        if table is not None and _may_find_none(referenced_table(self.table, dataset), table, dataset):
            return True
        if self.matching is not None and table is not None:
            owner, name = matched_origin(next(iter(self.matching.values())), table, dataset.own_unit_dimension)
            owners = (other for other in dataset.all_tables if other.name == owner)
            source_columns = (other for source_table in owners for other in source_table.columns if other.name == name)
            return self.is_open(table, dataset) or any(may_be_null(other, dataset) for other in source_columns)
        kinds = [kind for kind in dataset.units if any(table.name == self.table for table in kind.all_dimensions)]
        table_names = {table.name for table in dataset.all_tables}
        is_foreign = self.table not in table_names
        return (is_foreign and any(map(_may_lack_units, kinds))) or self._is_target_nullable(dataset)

    def _is_target_nullable(self, dataset: Dataset) -> bool:
        """Return whether the column that is referred to may be null."""
        return self.column is not None and nullable_in(self.table, self.column, dataset)

    def target(self, dataset: Dataset) -> Origin | None:
        table = referenced_table(self.table, dataset)
        id_column = key_column(table)
        return table.name, self.column or (id_column.name if id_column is not None else "")

    def key_range(self, table: Table, dataset: Dataset) -> tuple[int, int] | None:
        target = referenced_table(self.table, dataset)
        key = key_column(target)
        return None if key is None else key.source.key_range(target, _kind_of(self.table, dataset))

    @property
    def is_key(self) -> bool:
        return self.key

    @property
    def target_name(self) -> str:
        return self.table

    @property
    def owners(self) -> Owners:
        return self.of or "own"

    @property
    def is_distinct(self) -> bool:
        return self.distinct

    @property
    def validity(self) -> tuple[str, str] | None:
        return None if self.during is None else (self.during["from"], self.during["to"])

    @property
    def matched_columns(self) -> Mapping[str, str]:
        return self.matching or {}

    @property
    def look_back(self) -> int:
        return WITHIN if self.within is None else self.within

    def stored_bytes(self, type_: pa.DataType) -> float:
        return 0.8 if type_ == pa.string() else 0.02

    def fill(self, column: ColumnPlan, table: TablePlan, rows: Rows) -> ArrowArray:
        target = targets_before_nulls(column, table, rows)
        id_column = next((other for other in target.table.columns if other.spec.source.is_key), None)
        if self.column is not None or id_column is None:
            return target.values(target.table.column(self.column or ""))
        return target.values(id_column)


def history_dimension(dataset: Dataset) -> tuple[Table, History] | None:
    """Return the unit dimension and its history (SCD2), if it has one."""
    pairs = ((table, table.history) for table in dataset.all_dimensions)
    return next(((table, history) for table, history in pairs if history is not None), None)


def _kind_of(name: str, dataset: Dataset) -> Dataset:
    """Return the kind of unit that has a table: the dataset itself, or one of its units."""
    return next(kind for kind in (dataset, *dataset.units) if any(table.name == name for table in kind.all_tables))


def belongs_to(name: str, table: Table, dataset: Dataset) -> bool:
    """Return whether rows of a table belong to rows of the table `name`, directly or through others."""
    return any(other.name == name for other in dataset.lineage(table))


def _may_find_none(target: Table, table: Table, dataset: Dataset) -> bool:
    """Return whether there may be no row of `target` for a row that draws one: none that came before, is kept or is of its
    unit."""
    if belongs_to(target.name, table, dataset):
        return False
    kind = _kind_of(target.name, dataset)
    lineage = [target, *kind.lineage(target)]
    if target.is_timed or any(other.filter is not None for other in lineage):
        return True
    counts = [other.row_count for other in lineage if other.row_count is not None and target.comes_with_units]
    return any(count.of_segment(s.name).bounds[0] == 0 for count in counts for s in kind.segments)


def _parent_columns(options: Reference, dataset: Dataset) -> list[Column]:
    """Return the columns that a reference is copied from: those of its name and type in the parent table."""
    parents = [(parent, other) for parent, table in dataset.belonging for other in table.columns if other.source is options]
    return [
        other
        for parent, column in parents
        for other in parent.columns
        if (other.name, other.type) == (column.name, column.type)
    ]


def _may_lack_units(kind: Dataset) -> bool:
    """Return whether there may be no unit of a kind at some time."""
    return all(map(_may_be_empty, kind.segments)) or any(event.ending() is not None for event in kind.all_tables)


def _may_be_empty(segment: Segment) -> bool:
    """Return whether a segment may have no living unit at some time."""
    return segment.tenure is not None or not (segment.arrival is None or isinstance(segment.arrival, OngoingArrival))


def reference_of(column: ColumnPlan) -> Reference:
    """Return the options of a reference. Raises TypeError for another column."""
    if not isinstance(column.spec.source, Reference):
        raise TypeError(f"{column.name} is no reference")
    return column.spec.source
