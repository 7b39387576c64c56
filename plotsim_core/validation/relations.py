"""Checks of relations between rows of tables: details and totals, order in time, lookups, matching references."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from plotsim_core.columns.primary_key import key_column
from plotsim_core.columns.row_relations import parent_of
from plotsim_core.columns.version import ROW_ID
from plotsim_core.config.column_source import LookupPath
from plotsim_core.config.tables import changes_by_version, changing_sources, is_number
from plotsim_core.plan.plan import ColumnPlan, Population, TablePlan
from plotsim_core.plan.sql import quoted
from plotsim_core.validation.check import CHECKS, NO_TABLES, Check, Finding
from plotsim_core.validation.row_counts import link_columns, unit_column
from plotsim_core.validation.store import StoredData
from plotsim_core.validation.structure import period_of
from plotsim_core.validation.table_scan import tally_finding

_TOLERANCE = 1e-9
"""The relative tolerance of a sum: numbers stored as texts are rounded."""
_FAULT, _SUM = quoted("is wrong"), quoted("sum of parts")
"""Column aliases that no table has."""


@dataclass(frozen=True)
class Relation:
    """A rule between the rows of a table and those of `others`; `judge` applies it where all tables are stored."""

    others: tuple[str, ...]
    judge: Callable[[StoredData], Finding]


def _relations_of(population: Population, table: TablePlan) -> Iterator[Relation]:
    for column in () if table.shown_table else table.columns:
        source = column.spec.source
        if source.target_name is not None:
            yield from _reference_relations(population, table, column, population.table(source.target_name))
        if source.lookup_path is not None:
            yield from _lookup_relations(population, table, column, source.lookup_path)
        if source.summand is not None:
            yield from _total_relations(population, table, column, *source.summand)


def _other_tables(population: Population, table: TablePlan) -> frozenset[str] | None:
    relations = list(_relations_of(population, table))
    return frozenset(name for relation in relations for name in relation.others) if relations else None


def _relation_findings(store: StoredData, table: TablePlan) -> Iterator[Finding]:
    for relation in _relations_of(store.population, table):
        if all(name in store.relations for name in relation.others):
            other_tables = tuple(name for name in relation.others if name != table.name)
            yield replace(relation.judge(store), tables=other_tables)


def _reference_relations(
    population: Population, table: TablePlan, column: ColumnPlan, other: TablePlan
) -> Iterator[Relation]:
    if column.spec.source.matched_columns:
        yield from _match_relations(population, table, column, other)
    key, unit = key_column(other.spec), unit_column(population, table)
    if key is None or column.name in link_columns(table):
        return
    join = f"t.{quoted(column.name)} = o.{quoted(key.name)}"
    other_unit, is_child = unit_column(population, other), other.spec.is_of_units and not other.spec.is_unit_dimension
    if (other.spec.has_keyed_rows or is_child) and unit is not None and other_unit is not None:
        fault, noun = f"t.{quoted(unit)} <> o.{quoted(other_unit)}", "rows refer to a row of another unit"
        if other.name == parent_of(table) and table.time and other.time:
            fault, noun = (
                f"{fault} OR t.{quoted(table.time)} <> o.{quoted(other.time)}",
                "rows are not of their row's unit and time",
            )
        elif other.spec.has_keyed_rows and not parent_of(table):
            fault, noun = (
                f"{fault} OR {_earlier_condition(population, table, other)}",
                "rows refer to what is of another unit or comes later",
            )
        yield _join_relation(table, f"{table.name}.{column.name} > {other.name}", other, join, fault, noun)


def _match_relations(population: Population, table: TablePlan, column: ColumnPlan, other: TablePlan) -> Iterator[Relation]:
    """Yield the relation of matching references: an attribute of the referred row equals one of the unit, as of the time of
    the row where the attribute has versions."""
    units = population.dimension
    unit_key, listed_key = key_column(units.spec), key_column(other.spec)
    unit_name = unit_column(population, table) if units is not table or unit_key is None else unit_key.name
    if unit_key is None or listed_key is None or unit_name is None:
        return
    ((listed_column, unit_attribute),) = column.spec.source.matched_columns.items()
    is_versioned = next(c for c in units.columns if c.name == unit_attribute).spec.source.history is not None
    version_filter = _version_condition(population, table, units) if is_versioned else ""
    if version_filter is None:
        return
    types = [
        c.type
        for dimension, name in ((units, unit_attribute), (other, listed_column))
        for c in dimension.columns
        if c.name == name
    ]
    is_numeric = all(is_number(type_) for type_ in types)
    pair = [f"u.{quoted(unit_attribute)}", f"o.{quoted(listed_column)}"]
    unit_value, listed_value = pair if is_numeric else [f"CAST({value} AS VARCHAR)" for value in pair]
    unit_join, listed_join = (
        f"t.{quoted(unit_name)} = u.{quoted(unit_key.name)}{version_filter}",
        f"t.{quoted(column.name)} = o.{quoted(listed_key.name)}",
    )
    unit_columns = "*" if is_versioned else f"DISTINCT {quoted(unit_key.name)}, {quoted(unit_attribute)}"
    noun = f"rows do not refer to a row whose {listed_column} is the {unit_attribute} of {units.name}"

    def judge(store: StoredData, units: TablePlan = units) -> Finding:
        sql = (
            f"SELECT {period_of(table)} AS date_key, count(*) AS checked, count(*) FILTER (WHERE {_FAULT}) AS faults FROM "
            f"(SELECT t.*, {unit_value} IS DISTINCT FROM {listed_value} AS {_FAULT} FROM {store.relation(table)} AS t "
            f"JOIN (SELECT {unit_columns} FROM {store.full_relation(units)}) AS u ON {unit_join} "
            f"LEFT JOIN {store.full_relation(other)} AS o ON {listed_join}) GROUP BY 1 ORDER BY 1"
        )
        return tally_finding(f"{table.name}.{column.name}", noun, store.arrow(sql))

    yield Relation((other.name, units.name), judge)


def _version_condition(population: Population, table: TablePlan, units: TablePlan) -> str | None:
    """Return the SQL condition that a version `u` is valid at the time of a row `t` (SCD2); None for rows without time."""
    begin, end = (units.version_columns.get(part) for part in ("valid_from", "valid_to"))
    if table.time is None or begin is None or end is None:
        return None
    date_format = "%Y%m%d%H" if population.grain.name == "hour" else "%Y%m%d"
    starts, stops = (f"CAST(strftime(u.{quoted(name)}, '{date_format}') AS BIGINT)" for name in (begin, end))
    time = f"t.{quoted(table.time)}"
    return f" AND {time} >= {starts} AND ({stops} IS NULL OR {time} < {stops})"


def _earlier_condition(population: Population, table: TablePlan, other: TablePlan) -> str:
    """Return the SQL condition that a row is earlier than the row it refers to: by their moments if both tables have them
    without jitter, else by date."""
    moments = [[c.name for c in row_table.columns if c.spec.source.is_moment][:1] for row_table in (table, other)]
    condition = f"t.{quoted(table.time or '')} < o.{quoted(other.time or '')}"
    has_moments = all(moments) and population.dataset.noise.temporal_jitter == 0
    return f"{condition} OR t.{quoted(moments[0][0])} <= o.{quoted(moments[1][0])}" if has_moments else condition


def _lookup_relations(population: Population, table: TablePlan, column: ColumnPlan, path: LookupPath) -> Iterator[Relation]:
    other, name = population.table(path.table), path.column
    references = [c.name for c in table.columns if c.spec.source.target_name == other.name and path.by in (None, c.name)]
    other_key = key_column(other.spec)
    key = other_key.name if other_key is not None else ""
    other_spec = next(c.spec for c in other.columns if c.name == name)
    has_states = not other.spec.has_keyed_rows
    if has_states and not changes_by_version(other_spec, other.spec):
        return  # the other table holds the state of the latest period
    if has_states and changing_sources(other_spec, other.spec):
        references = [c.name for c in table.columns if c.spec.source.version_part == "row_id"]
        key = ROW_ID
    if not references or not key:
        return
    join = f"t.{quoted(references[0])} = o.{quoted(key)}"
    fault = f"t.{quoted(column.name)} IS DISTINCT FROM o.{quoted(name)}"
    yield _join_relation(
        table, f"{table.name}.{column.name}", other, join, fault, f"values are not those of {other.name}.{name}"
    )


def _join_relation(table: TablePlan, subject: str, other: TablePlan, join: str, fault: str, noun: str) -> Relation:
    def judge(store: StoredData) -> Finding:
        sql = (
            f"SELECT {period_of(table)} AS date_key, count(*) AS checked, count(*) FILTER (WHERE {_FAULT}) AS faults FROM "
            f"(SELECT t.*, {fault} AS {_FAULT} FROM {store.relation(table)} AS t "
            f"JOIN {store.full_relation(other)} AS o ON {join}) "
            "GROUP BY 1 ORDER BY 1"
        )
        return tally_finding(subject, noun, store.arrow(sql))

    return Relation((other.name,), judge)


def _total_relations(
    population: Population, table: TablePlan, column: ColumnPlan, detail_table: str, summand: str | None
) -> Iterator[Relation]:
    other = population.table(detail_table)
    column_pairs = _join_columns(population, table, other)
    if not column_pairs or table.time is None or other.time is None:
        return
    aggregate = "count(*)" if summand is None else f"coalesce(sum({quoted(summand)}), 0)"
    total, detail_columns = f"t.{quoted(column.name)}", ", ".join(quoted(detail_column) for _, detail_column in column_pairs)
    join = " AND ".join(
        f"t.{quoted(total_column)} = parts.{quoted(detail_column)}" for total_column, detail_column in column_pairs
    )
    time, detail_time = quoted(table.time), quoted(other.time)

    def judge(store: StoredData) -> Finding:
        sql = (
            f"WITH parts AS (SELECT {detail_columns}, {aggregate} AS {_SUM} FROM {store.relation(other)} "
            f"GROUP BY {detail_columns}), "
            f"there AS (SELECT DISTINCT {detail_time} FROM {store.relation(other)}) "
            f"SELECT t.{time} AS date_key, count(*) AS checked, count(*) FILTER (WHERE {total} IS NULL OR "
            f"abs({total} - coalesce({_SUM}, 0)) > {_TOLERANCE} * (1 + abs({total}))) AS faults "
            f"FROM {store.relation(table)} AS t LEFT JOIN parts ON {join} "
            f"WHERE t.{time} IN (FROM there) GROUP BY 1 ORDER BY 1"
        )
        return tally_finding(f"{table.name}.{column.name}", f"values are not the sum over {other.name}", store.arrow(sql))

    yield Relation((other.name,), judge)


def _join_columns(population: Population, table: TablePlan, other: TablePlan) -> list[tuple[str, str]]:
    """Return the (total, detail) columns that join a table with its detail table: the key, or unit and date."""
    key = key_column(table.spec)
    if key is not None:
        return [(key.name, c.name) for c in other.columns if c.spec.source.target_name == table.name][:1]
    pairs = [(unit_column(population, table), unit_column(population, other)), (table.time, other.time)]
    return [
        (total_column, detail_column)
        for total_column, detail_column in pairs
        if total_column is not None and detail_column is not None
    ]


CHECKS.add(
    "relations_hold",
    Check(
        "structure",
        "Rows fit the rows they belong to and refer to, totals their parts.",
        True,
        _relation_findings,
        _other_tables,
        lambda *args: _other_tables(*args) or NO_TABLES,
    ),
)
