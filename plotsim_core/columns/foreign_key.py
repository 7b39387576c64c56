"""`ref.<dimension>`: a foreign key, the key of a row of a dimension, recomputed rather than looked up.

To the date dimension: the row's period. To the unit's dimension: the row's unit. To a dimension of the unit's children:
one of this unit's children. To the dimension of another kind of unit: one that lives in the row's period, in
proportion to its size. To a listed dimension: any row, or with `matching: {plan_name: plan}` one whose
`plan_name` equals the `plan` of the row's unit, which is constant or a tier. To a fact or event with keys: an earlier row
of the same unit. A detail row (`parent_table`) has the target of its parent row where both have a column of one name and
type. `roads.py` lists which of these is tried when.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import numpy as np
import pyarrow as pa
from pydantic import Field

from plotsim_core.columns.earlier_rows import KEYED_KINDS, check_row_reference, earlier_targets, is_row
from plotsim_core.columns.matching import check_matching, matching_rows
from plotsim_core.columns.popularity import Popularity, check_popularity, popular_indexes, popular_rows
from plotsim_core.columns.primary_key import key_column
from plotsim_core.columns.roads import RESOLVERS, Targets, targets_of
from plotsim_core.columns.rows import Integers, Rows
from plotsim_core.columns.source import Source, add_source
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.model import Name
from plotsim_core.config.scope import Scope
from plotsim_core.config.segments import OngoingArrival, Segment
from plotsim_core.config.tables import KIND_WORDS, SOURCE_WORDS, Column, SourceWords, Table, may_be_null, row_noun
from plotsim_core.config.words import enumeration, phrase
from plotsim_core.errors import Problem
from plotsim_core.numerics.random import choose, fold, key, words
from plotsim_core.plan.plan import ColumnPlan, Population, TablePlan


class Options(Popularity):
    """`table` is the table; `matching` ties a listed dimension to a column of the unit's; `within` is how many
    periods back a fact or event may lie."""

    table: Name
    matching: dict[Name, Name] | None = None
    within: Annotated[int, Field(ge=0, le=1000, strict=True)] | None = None


def referenced_table(name: str, dataset: Dataset) -> Table:
    """Return the table of that name."""
    tables = [table for kind in (dataset, *dataset.units) for table in kind.tables]
    return next(table for table in tables if table.name == name)


def child_counts(population: Population, table: Table, unit_address: np.ndarray) -> Integers:
    """Return the number of children of each unit in a dimension of children."""
    low, high = table.per_unit  # type: ignore[attr-defined]
    return low + choose(key(population.seed, "children", table.name), unit_address, high - low + 1)


def history_column(dataset: Dataset) -> tuple[Table, Column] | None:
    """Return the unit dimension and its history column (SCD2), if it has one."""
    pairs = ((table, column) for table in dataset.dimensions for column in table.sourced("scd"))
    return next(pairs, None)


def _arrow(options: Options, column: Column, dataset: Dataset) -> pa.DataType:
    id_column = key_column(referenced_table(options.table, dataset))
    return (
        pa.string()
        if id_column is None
        else SOURCE_WORDS["id"].arrow(id_column.source, id_column, _kind_of(options.table, dataset))
    )


def _kind_of(name: str, dataset: Dataset) -> Dataset:
    """Return the kind of unit that has a table: the dataset itself, or one of its units."""
    return next(kind for kind in (dataset, *dataset.units) if any(table.name == name for table in kind.tables))


def _refers(options: Options, dataset: Dataset) -> tuple[str, str]:
    table = referenced_table(options.table, dataset)
    id_column = key_column(table)
    return table.name, id_column.name if id_column is not None else ""


def _nullable(options: Options, dataset: Dataset) -> bool:
    """Nulls come from a parent row's null, from a matched column with nulls, and from periods in which no unit of another
    kind lives."""
    if any(may_be_null(column, dataset) for column in _parent_columns(options, dataset)):
        return True
    if options.matching is not None:
        source_name = next(iter(options.matching.values()))
        units = (t for t in dataset.dimensions if getattr(t, "per", None) == "unit" and not hasattr(t, "count"))
        unit_columns = (other for table in units for other in table.columns if other.name == source_name)
        return any(may_be_null(other, dataset) for other in unit_columns)
    kinds = [kind for kind in dataset.units if any(table.name == options.table for table in kind.dimensions)]
    table_names = {table.name for table in dataset.tables}
    return options.table not in table_names and any(
        all(_may_be_empty(segment) for segment in kind.segments) or any(getattr(e, "ends_unit", False) for e in kind.events)
        for kind in kinds
    )


def _parent_columns(options: Options, dataset: Dataset) -> list[Column]:
    """Return the columns that a reference is copied from: those of its name and type in the parent table."""
    parents = [
        (parent, other) for parent, table in dataset.belonging for other in table.sourced("ref") if other.source is options
    ]
    return [
        other
        for parent, column in parents
        for other in parent.sourced("ref")
        if (other.name, other.type) == (column.name, column.type)
    ]


def _describe(options: Options, column: Column, table: Table, dataset: Dataset) -> str:
    target_table = referenced_table(options.table, dataset)
    noun = dataset.window.grain.name if getattr(target_table, "per", None) == "period" else row_noun(target_table)
    pairs = [
        f"its {target_name} is the {phrase(dataset.unit)}'s {source_name}"
        for target_name, source_name in (options.matching or {}).items()
    ]
    return f"Key of the {noun} in {options.table}{f': {enumeration(pairs)}' if pairs else ''}."


def _may_be_empty(segment: Segment) -> bool:
    """Return whether a segment may have no living unit at some time."""
    return segment.tenure is not None or not (segment.arrival is None or isinstance(segment.arrival, OngoingArrival))


def _check(options: Options, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
    if is_row(options.table, scope):
        if options.matching is not None:
            yield Problem("matching", f"{options.table} is not a reference dimension")
        yield from check_row_reference(options.table, options.within, column, table, scope)
        yield from check_popularity(options, options.table, "row", None)
        return
    if options.within is not None:
        yield Problem("within", f"has no effect: {options.table} is no fact or event whose rows have a moment")
    problems = scope.unknown_table(options.table, "type")
    yield from problems
    if options.table in scope.foreign:
        if "period" not in KIND_WORDS[scope.tables[table.name].kind or ""].knows:
            yield Problem("type", f"a row of {table.name} has no period in which there could be one of {options.table}")
        if options.matching is not None:
            yield Problem("matching", f"{options.table} is not a reference dimension")
        yield from check_popularity(options, options.table, "foreign", None)
        return
    declared = scope.tables.get(options.table)
    if problems or declared is None or declared.table is None or declared.kind is None:
        return
    if declared.table is table:
        yield Problem("type", f"{table.name} refers to itself")
    capabilities = KIND_WORDS[scope.tables[table.name].kind or ""].knows
    if declared.kind == "date" and "period" not in capabilities:
        yield Problem("type", f"a row of {table.name} has no period that {options.table} could give the date of")
    hourly = scope.window is None or scope.window.grain.name == "hour"
    if declared.kind == "time" and "event" not in capabilities and not (hourly and "period" in capabilities):
        yield Problem("type", f"a row of {table.name} has no moment that {options.table} could give the time of day of")
    if declared.kind in ("unit", "child") and "unit" not in capabilities:
        yield Problem("type", f"a row of {table.name} has no {scope.unit} that it could refer to")
    if options.matching is not None:
        yield from check_matching(options.matching, column, table, declared.kind, declared.table, scope)
        for name in options.said:
            yield Problem(name, "has no effect: `matching` says which row is referred to")
    else:
        yield from check_popularity(options, declared.name, declared.kind, declared.table)


def _to_date(column: ColumnPlan, table: TablePlan, rows: Rows, parent: TablePlan) -> Targets:
    first = int(rows.period.min(initial=np.iinfo(np.int64).max)) if len(rows) else 0
    periods = np.arange(first, int(rows.period.max()) + 1 if len(rows) else 0)
    return Targets(parent, Rows(block=rows.block, address=words(periods), period=periods), rows.period - first)


def _to_unit(column: ColumnPlan, table: TablePlan, rows: Rows, parent: TablePlan) -> Targets:
    units = rows.block.units
    parent_rows = Rows(
        block=rows.block, address=units.address, unit=np.arange(len(units), dtype=np.int64), period=units.arrival
    )
    return Targets(parent, parent_rows, rows.unit)


def _to_child(column: ColumnPlan, table: TablePlan, rows: Rows, parent: TablePlan) -> Targets:
    block = rows.block
    options = column.spec.source
    assert isinstance(options, Options)
    counts = child_counts(block.population, parent.spec, block.units.address)[rows.unit]
    numbers = popular_indexes(options, counts, rows.uniforms(table, column))
    child_rows = Rows(
        block=block,
        address=fold(block.units.address[rows.unit], words(numbers)),
        unit=rows.unit,
        period=block.units.arrival[rows.unit],
        ordinal=numbers,
    )
    return Targets(parent, child_rows, np.arange(len(rows), dtype=np.int64))


def _to_listed(column: ColumnPlan, table: TablePlan, rows: Rows, parent: TablePlan) -> Targets:
    options = column.spec.source
    assert isinstance(options, Options)
    indexes = np.arange(parent.spec.length, dtype=np.int64)  # type: ignore[attr-defined]
    parent_rows = Rows(block=rows.block, address=words(indexes), ordinal=indexes)
    if options.matching is None:
        return Targets(parent, parent_rows, popular_rows(options, parent.spec, rows.uniforms(table, column)))
    return Targets(parent, parent_rows, matching_rows(options.matching, column, table, rows, parent.spec))


for _kind, _resolve in (("date", _to_date), ("unit", _to_unit), ("child", _to_child), ("reference", _to_listed)):
    RESOLVERS.add(_kind, _resolve)


for _kind in KEYED_KINDS:
    RESOLVERS.add(_kind, lambda column, table, rows, parent: Targets(parent, *earlier_targets(column, table, rows, parent)))


def _fill(column: ColumnPlan, table: TablePlan, rows: Rows) -> pa.Array:
    target = targets_of(column, table, rows)
    id_column = next(column for column in target.table.columns if column.spec.word == "id")
    return target.values(id_column)


add_source(
    "ref",
    SourceWords(
        options=Options,
        arrow=_arrow,
        example="ref.dim_company",
        argument="table",
        check=_check,
        nullable=_nullable,
        refers=_refers,
        describe=_describe,
    ),
    Source(_fill),
)
