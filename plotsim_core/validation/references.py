"""Rules of references beyond that they resolve: they match, are valid at the time, differ among siblings, and make trees."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pyarrow as pa

from plotsim_core.columns.primary_key import key_column
from plotsim_core.columns.row_relations import inherited_column, parent_of
from plotsim_core.config.tables import changing_sources, is_number, matched_origin
from plotsim_core.numerics.calendar import Grain
from plotsim_core.plan.plan import ColumnPlan, Population, TablePlan
from plotsim_core.plan.sql import quoted
from plotsim_core.validation.check import Finding
from plotsim_core.validation.moments import moment_column
from plotsim_core.validation.row_counts import unit_column
from plotsim_core.validation.store import StoredData
from plotsim_core.validation.structure import period_of
from plotsim_core.validation.table_scan import tally_finding

FAULT = quoted("is wrong")
"""A column alias that no table has."""


@dataclass(frozen=True)
class Relation:
    """A rule between the rows of a table and those of `others`; `judge` applies it where all tables are stored."""

    others: tuple[str, ...]
    judge: Callable[[StoredData], Finding]


def referred_column(table: TablePlan, column: ColumnPlan) -> str:
    """Return the column of the target that a reference has the value of."""
    return next(key for name, _, key in table.references if name == column.name)


def _reference_join(table: TablePlan, column: ColumnPlan) -> str:
    """Return the SQL condition that a row `t` refers to a row `o`."""
    return f"t.{quoted(column.name)} = o.{quoted(referred_column(table, column))}"


def _judged(store: StoredData, table: TablePlan, fault: str, joins: str) -> str:
    """Return the SQL of how many rows `t` of a table, joined with others, are at fault in each period."""
    return (
        f"SELECT {period_of(table)} AS date_key, count(*) AS checked, count(*) FILTER (WHERE {FAULT}) AS faults FROM "
        f"(SELECT t.*, {fault} AS {FAULT} FROM {store.relation(table)} AS t {joins}) GROUP BY 1 ORDER BY 1"
    )


def match_relations(population: Population, table: TablePlan, column: ColumnPlan, other: TablePlan) -> Iterator[Relation]:
    """Yield the relation of matching references: a column of the referred row equals one of the row, of one that it belongs
    to or of its unit, as of the time of the row where that has versions; a row whose value is listed refers to a row."""
    source = column.spec.source
    ((listed_column, source_name),) = source.matched_columns.items()
    owner_name, name = matched_origin(source_name, table.spec, population.dataset.own_unit_dimension)
    owner = table if owner_name == table.name else population.table(owner_name)
    join = _owner_join(population, table, owner, name)
    is_stored = owner.holds(name) and other.holds(listed_column)
    if join is None or not is_stored:
        return
    columns = [
        c.type
        for dimension, column_name in ((owner, name), (other, listed_column))
        for c in dimension.columns
        if c.name == column_name
    ]
    pair = [f"u.{quoted(name)}" if owner is not table else f"t.{quoted(name)}", f"o.{quoted(listed_column)}"]
    listed_value = quoted(listed_column)
    if not all(is_number(type_) for type_ in columns):
        pair = [f"CAST({value} AS VARCHAR)" for value in pair]
        listed_value = f"CAST({listed_value} AS VARCHAR)"
    nouns = f"the {name} of {owner.name}" if owner is not table else f"their {name}"
    noun = f"rows do not refer to a row whose {listed_column} is {nouns}"

    def judge(store: StoredData) -> Finding:
        listed = store.full_relation(other)
        lacks = "FALSE" if column.spec.nulls is not None else f"{pair[0]} IN (SELECT {listed_value} FROM {listed})"
        fault = f"CASE WHEN t.{quoted(column.name)} IS NULL THEN {lacks} ELSE {pair[0]} IS DISTINCT FROM {pair[1]} END"
        joins = f"{join(store)} LEFT JOIN {listed} AS o ON {_reference_join(table, column)}"
        return tally_finding(f"{table.name}.{column.name}", noun, store.arrow(_judged(store, table, fault, joins)))

    yield Relation(tuple(dict.fromkeys((other.name, owner.name))), judge)


def _owner_join(population: Population, table: TablePlan, owner: TablePlan, name: str) -> Callable[[StoredData], str] | None:
    """Return what gives the SQL that joins rows `t` with the rows `u` that have their source column: nothing where they have
    it themselves; None where no column leads there, or the stored value is of another time."""
    units = population.dimension if population.has_units else None
    owner_key = key_column(owner.spec)
    if owner is table and owner is not units:
        return lambda store: ""
    if owner_key is None:
        return None
    if owner is not units:
        references = (c.name for c in table.columns if c.spec.source.target_name == owner.name)
        reference = next(references, None)
        condition = f"t.{quoted(reference or '')} = u.{quoted(owner_key.name)}"
        return None if reference is None else lambda store: f"JOIN {store.full_relation(owner)} AS u ON {condition}"
    unit_name = unit_column(population, table) if units is not table else owner_key.name
    source_column = next(c for c in units.columns if c.name == name)
    is_versioned = source_column.spec.source.history is not None
    version_filter = _version_condition(population, table, units) if is_versioned else ""
    if unit_name is None or version_filter is None:
        return None
    if not is_versioned and changing_sources(source_column.spec, units.spec):
        return None
    columns = "*" if is_versioned else f"DISTINCT {quoted(owner_key.name)}, {quoted(name)}"
    condition = f"t.{quoted(unit_name)} = u.{quoted(owner_key.name)}{version_filter}"
    return lambda store: f"JOIN (SELECT {columns} FROM {store.full_relation(units)}) AS u ON {condition}"


def _version_condition(population: Population, table: TablePlan, units: TablePlan) -> str | None:
    """Return the SQL condition that a version `u` is valid at the time of a row `t` (SCD2); None for rows without time."""
    begin, end = (units.version_columns.get(part) for part in ("valid_from", "valid_to"))
    if table.time is None or begin is None or end is None:
        return None
    date_format = population.grain.key_format
    starts, stops = (f"CAST(strftime(u.{quoted(name)}, '{date_format}') AS BIGINT)" for name in (begin, end))
    time = f"t.{quoted(table.time)}"
    return f" AND {time} >= {starts} AND ({stops} IS NULL OR {time} < {stops})"


def validity_relations(
    population: Population, table: TablePlan, column: ColumnPlan, other: TablePlan, validity: tuple[str, str]
) -> Iterator[Relation]:
    """Yield the relation of references by time: the referred row is valid at the moment of the row, or at the start of its
    period; somewhen in its period where its moment is not recorded."""
    if table.time is None or not all(map(other.holds, validity)):
        return
    date_format = population.grain.key_format
    start = f"strptime(CAST(t.{quoted(table.time)} AS VARCHAR), '{date_format}')"
    stop = f"{start} + {_interval(population.grain)}"
    moment = moment_column(table, "dataset")
    has_moments = "event" in table.spec.knows
    if moment is not None and has_moments and population.dataset.noise.temporal_jitter == 0:
        first = last = f"t.{quoted(moment.name)}"
    else:
        first, last = start, f"({stop} - INTERVAL 1 microsecond)" if has_moments else start
    begin, end = (f"o.{quoted(name)}" for name in validity)
    fault = f"{begin} > {last} OR {end} <= {first}"

    def judge(store: StoredData) -> Finding:
        joins = f"JOIN {store.full_relation(other)} AS o ON {_reference_join(table, column)}"
        noun = "rows refer to a row that is not valid at the time"
        return tally_finding(
            f"{table.name}.{column.name} > {other.name}", noun, store.arrow(_judged(store, table, fault, joins))
        )

    yield Relation((other.name,), judge)


def _interval(grain: Grain) -> str:
    """Return the length of a period as an interval of SQL."""
    if grain.minutes is not None:
        return f"INTERVAL {grain.minutes} MINUTE"
    return "INTERVAL 3 MONTH" if grain.name == "quarter" else f"INTERVAL 1 {grain.name}"


def sibling_relations(population: Population, table: TablePlan, column: ColumnPlan) -> Iterator[Relation]:
    """Yield the relation of distinct references: rows of one parent row, or of one unit, refer to different rows."""
    parent_name = parent_of(table)
    if parent_name is not None and inherited_column(column, table, population) is not None:
        return
    references = (c.name for c in table.columns if c.spec.source.target_name == parent_name)
    parent = next(references, None) if parent_name is not None else unit_column(population, table)
    if parent is None:
        return
    siblings = f"PARTITION BY t.{quoted(parent)}, t.{quoted(column.name)}"
    fault = f"t.{quoted(column.name)} IS NOT NULL AND count(*) OVER ({siblings}) > 1"

    def judge(store: StoredData) -> Finding:
        noun = "rows refer to what a sibling refers to"
        return tally_finding(f"{table.name}.{column.name}", noun, store.arrow(_judged(store, table, fault, "")))

    yield Relation((), judge)


def tree_relations(table: TablePlan, column: ColumnPlan) -> Iterator[Relation]:
    """Yield the relation of a table that refers to itself: whoever follows its references comes to a row that refers to
    none."""
    if table.spec.history is not None:
        return
    key, reference = quoted(referred_column(table, column)), quoted(column.name)

    def judge(store: StoredData) -> Finding:
        rows = store.relation(table)
        sql = (
            f"WITH RECURSIVE reached AS (SELECT {key} AS k FROM {rows} WHERE {reference} IS NULL UNION ALL "
            f"SELECT t.{key} FROM {rows} AS t JOIN reached ON t.{reference} = reached.k) "
            f"SELECT NULL::BIGINT AS date_key, count(*) AS checked, "
            f"count(*) FILTER (WHERE {key} NOT IN (SELECT k FROM reached)) AS faults FROM {rows}"
        )
        noun = "rows lead back to themselves, or to nothing"
        return tally_finding(f"{table.name}.{column.name}", noun, store.arrow(sql))

    yield Relation((), judge)


def _says_time(type_: pa.DataType | None) -> bool:
    """Return whether values of a stored column are dates or moments."""
    return type_ is not None and (pa.types.is_date(type_) or pa.types.is_timestamp(type_))


def bound_relations(
    population: Population, table: TablePlan, column: ColumnPlan, begin: str | None, end: str | None
) -> Iterator[Relation]:
    """Yield the relation of moments with the stored columns of their rows that they come after, or lie between."""
    value, types = f"t.{quoted(column.name)}", {c.name: c.type for c in table.columns}
    has_zones = population.grain.zone is not None or column.spec.source.clock == "row"
    stored = [types[name] for name in (column.name, begin, end) if name in types]
    is_typed = [pa.types.is_timestamp(type_) and type_.tz is not None for type_ in stored]
    if not all(is_typed) and (any(is_typed) or has_zones):
        return  # clocks that are set back do not say which moment is earlier
    as_type = "DATE" if pa.types.is_date(column.type) else "TIMESTAMPTZ" if all(is_typed) else "TIMESTAMP"
    first, last = (
        f"CAST(t.{quoted(name)} AS {as_type})" if name is not None and _says_time(types.get(name)) else ""
        for name in (begin, end)
    )
    if column.spec.hidden or not _says_time(column.type) or not first:
        return
    faults = [f"{value} < {first}"]
    if last:  # a span that ends before it begins has the moment at which it begins
        faults.append(f"{value} > greatest({first}, {last})")
    subject, place = f"{table.name}.{column.name}", f"after {begin}" if end is None else f"between {begin} and {end}"

    def judge(store: StoredData) -> Finding:
        counts = store.arrow(_judged(store, table, " OR ".join(faults), ""))
        return tally_finding(subject, f"moments do not lie {place}", counts)

    yield Relation((), judge)
