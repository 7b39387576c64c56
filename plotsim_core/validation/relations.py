"""Checks of relations between rows of tables: details and totals, order in time, lookups, matching references."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from plotsim_core.columns.foreign_key import belongs_to
from plotsim_core.columns.primary_key import key_column
from plotsim_core.columns.row_relations import parent_of
from plotsim_core.columns.sequence import place_column
from plotsim_core.columns.version import ROW_ID
from plotsim_core.config.column_source import LookupPath
from plotsim_core.config.tables import changes_by_version, changing_sources
from plotsim_core.plan.plan import ColumnPlan, Population, TablePlan
from plotsim_core.plan.sql import quoted
from plotsim_core.validation.check import CHECKS, NO_TABLES, Check, Finding
from plotsim_core.validation.moments import moment_sql, ordered_column
from plotsim_core.validation.references import (
    FAULT,
    Relation,
    bound_relations,
    match_relations,
    referred_column,
    sibling_relations,
    tree_relations,
    validity_relations,
)
from plotsim_core.validation.row_counts import link_columns, unit_column
from plotsim_core.validation.store import StoredData
from plotsim_core.validation.structure import period_of, target_relation
from plotsim_core.validation.table_scan import tally_finding

_TOLERANCE = 1e-9
"""The relative tolerance of a sum: numbers stored as texts are rounded."""
_SUM = quoted("sum of parts")
"""A column alias that no table has."""
_LAST = quoted("last of parts")
"""Another one."""


def _relations_of(population: Population, table: TablePlan) -> Iterator[Relation]:
    for column in () if table.shown_table else table.columns:
        source = column.spec.source
        if source.target_name is not None:
            yield from _reference_relations(population, table, column, population.table(source.target_name))
        if source.lookup_path is not None:
            yield from _lookup_relations(population, table, column, source.lookup_path)
        if source.summand is not None:
            yield from _total_relations(population, table, column, *source.summand)
        if source.last_path is not None:
            yield from _last_relations(population, table, column, *source.last_path)
        if source.divided is not None:
            yield from _part_relations(population, table, column, *source.divided)
        if source.value_bounds != (None, None):
            yield from bound_relations(population, table, column, *source.value_bounds)


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
    source = column.spec.source
    if source.matched_columns:
        yield from match_relations(population, table, column, other)
    if source.validity is not None:
        yield from validity_relations(population, table, column, other, source.validity)
    if source.is_distinct:
        yield from sibling_relations(population, table, column)
    if other.name == table.name and not other.spec.is_timed:
        yield from tree_relations(table, column)
    key, unit = key_column(other.spec), unit_column(population, table)
    if key is None or column.name in link_columns(table):
        return
    join = f"t.{quoted(column.name)} = o.{quoted(referred_column(table, column))}"
    if other.spec.is_timed and table.time and not belongs_to(other.name, table.spec, population.dataset):
        fault = _earlier_condition(population, table, other)
        if other.name == table.name:  # moments of two rows may be the same
            fault = f"t.{quoted(table.time)} < o.{quoted(table.time)}"
        subject = f"{table.name}.{column.name} > {other.name}"
        yield _join_relation(table, subject, other, join, fault, "rows refer to what comes later", column.name)
    other_unit, is_child = unit_column(population, other), other.spec.is_of_units and not other.spec.is_unit_dimension
    is_own = source.owners != "any" and other.population == table.population
    if (other.spec.has_keyed_rows or is_child) and unit is not None and other_unit is not None and is_own:
        fault, noun = f"t.{quoted(unit)} <> o.{quoted(other_unit)}", "rows refer to a row of another unit"
        if source.owners == "others":
            fault, noun = f"t.{quoted(unit)} = o.{quoted(other_unit)}", "rows refer to a row of their own unit"
        elif other.name == parent_of(table) and table.time and other.time:
            fault, noun = (
                f"{fault} OR t.{quoted(table.time)} <> o.{quoted(other.time)}",
                "rows are not of their row's unit and time",
            )
        elif other.spec.has_keyed_rows and not parent_of(table):
            fault, noun = (
                f"{fault} OR {_earlier_condition(population, table, other)}",
                "rows refer to what is of another unit or comes later",
            )
        subject = f"{table.name}.{column.name} > {other.name}"
        yield _join_relation(table, subject, other, join, fault, noun, column.name)


def _earlier_condition(population: Population, table: TablePlan, other: TablePlan) -> str:
    """Return the SQL condition that a row is earlier than the row it refers to: by their moments if both tables have them
    without jitter, else by date."""
    moment, other_moment = (ordered_column(population, row_table) for row_table in (table, other))
    condition = f"t.{quoted(table.time or '')} < o.{quoted(other.time or '')}"
    if moment is None or other_moment is None or population.dataset.noise.temporal_jitter > 0:
        return condition
    return f"{condition} OR {moment_sql(moment, 't.')} <= {moment_sql(other_moment, 'o.')}"


def _lookup_relations(population: Population, table: TablePlan, column: ColumnPlan, path: LookupPath) -> Iterator[Relation]:
    other, name = population.table(path.table), path.column
    references = [c.name for c in table.columns if c.spec.source.target_name == other.name and path.by in (None, c.name)]
    other_key = key_column(other.spec)
    key = other_key.name if other_key is not None else ""
    other_spec = other.column(name).spec
    has_states = not other.spec.has_keyed_rows
    if has_states and not changes_by_version(other_spec, other.spec):
        return  # the other table holds the state of the latest period
    if has_states and changing_sources(other_spec, other.spec):
        references = [c.name for c in table.columns if c.spec.source.version_part == "row_id"]
        key = ROW_ID
    if not references or not key or other_spec.hidden:
        return
    join = f"t.{quoted(references[0])} = o.{quoted(key)}"
    value = f"t.{quoted(column.name)}"
    fault = f"{value} IS DISTINCT FROM o.{quoted(name)}"
    if column.spec.nulls is not None:
        fault = f"{value} <> o.{quoted(name)}"
    noun = f"values are not those of {other.name}.{name}"
    yield _join_relation(table, f"{table.name}.{column.name}", other, join, fault, noun, references[0])


def _join_relation(
    table: TablePlan, subject: str, other: TablePlan, join: str, fault: str, noun: str, reference: str
) -> Relation:
    """Return the relation of rows to those of another table; `reference` is the column that leads to them."""

    def judge(store: StoredData) -> Finding:
        sql = (
            f"SELECT {period_of(table)} AS date_key, count(*) AS checked, count(*) FILTER (WHERE {FAULT}) AS faults FROM "
            f"(SELECT t.*, {fault} AS {FAULT} FROM {store.relation(table)} AS t "
            f"JOIN {target_relation(store, table, reference, other)} AS o ON {join}) "
            "GROUP BY 1 ORDER BY 1"
        )
        return tally_finding(subject, noun, store.arrow(sql))

    return Relation((other.name,), judge)


def _total_relations(
    population: Population, table: TablePlan, column: ColumnPlan, detail_table: str, summand: str | None
) -> Iterator[Relation]:
    other = population.table(detail_table)
    column_pairs = _join_columns(population, table, other)
    is_hidden = summand is not None and other.column(summand).spec.hidden
    if not column_pairs or (table.time is None) != (other.time is None) or is_hidden:
        return
    aggregate = "count(*)" if summand is None else f"coalesce(sum({quoted(summand)}), 0)"
    missing = "" if column.spec.nulls is not None else f"t.{quoted(column.name)} IS NULL OR "
    total, detail_columns = f"t.{quoted(column.name)}", ", ".join(quoted(detail_column) for _, detail_column in column_pairs)
    join = " AND ".join(
        f"t.{quoted(total_column)} = parts.{quoted(detail_column)}" for total_column, detail_column in column_pairs
    )

    def judge(store: StoredData) -> Finding:
        details, is_stored = store.relation(other), _stored_condition(store, table, other)
        sql = (
            f"WITH parts AS (SELECT {detail_columns}, {aggregate} AS {_SUM} FROM {details} GROUP BY {detail_columns}) "
            f"SELECT {period_of(table)} AS date_key, count(*) AS checked, count(*) FILTER (WHERE {missing}"
            f"abs({total} - coalesce({_SUM}, 0)) > {_TOLERANCE} * (1 + abs({total}))) AS faults "
            f"FROM {store.relation(table)} AS t LEFT JOIN parts ON {join} {is_stored}GROUP BY 1 ORDER BY 1"
        )
        return tally_finding(f"{table.name}.{column.name}", f"values are not the sum over {other.name}", store.arrow(sql))

    yield Relation((other.name,), judge)


def _last_relations(
    population: Population, table: TablePlan, column: ColumnPlan, detail_table: str, shown_name: str
) -> Iterator[Relation]:
    """Yield the relation of a column with the last row of each row, of detail tables that store which that is."""
    other = population.table(detail_table)
    shown, place = other.column(shown_name), place_column(other.spec)
    column_pairs = _join_columns(population, table, other)
    is_stored = not shown.spec.hidden and place is not None and not place.hidden and shown.type == column.type
    if not column_pairs or table.time is None or other.time is None or not is_stored or place is None:
        return
    joined_columns = ", ".join(quoted(detail_column) for _, detail_column in column_pairs)
    join = " AND ".join(f"t.{quoted(key)} = parts.{quoted(detail_column)}" for key, detail_column in column_pairs)
    value, time = f"t.{quoted(column.name)}", quoted(table.time)
    fault = f"{value} <> {_LAST}" if column.spec.nulls is not None else f"{value} IS DISTINCT FROM {_LAST}"

    order = f"{quoted(place.name)} {'DESC' if place.source.number_step < 0 else 'ASC'}"

    def judge(store: StoredData) -> Finding:
        sql = (
            f"WITH parts AS (SELECT {joined_columns}, last({quoted(shown_name)} ORDER BY {order}) "
            f"AS {_LAST} FROM {store.relation(other)} GROUP BY {joined_columns}) "
            f"SELECT t.{time} AS date_key, count(*) AS checked, count(*) FILTER (WHERE {fault}) AS faults "
            f"FROM {store.relation(table)} AS t LEFT JOIN parts ON {join} "
            f"{_stored_condition(store, table, other)}GROUP BY 1 ORDER BY 1"
        )
        return tally_finding(
            f"{table.name}.{column.name}", f"values are not those of the last row of {other.name}", store.arrow(sql)
        )

    yield Relation((other.name,), judge)


def _part_relations(
    population: Population, table: TablePlan, column: ColumnPlan, parent: str, name: str
) -> Iterator[Relation]:
    """Yield the relation of parts with the number that they are of, in rows that others belong to."""
    other = population.table(parent)
    column_pairs = _join_columns(population, other, table)
    if not column_pairs or other.column(name).spec.hidden or column.spec.hidden:
        return
    columns = ", ".join(quoted(child_column) for _, child_column in column_pairs)
    join = " AND ".join(f"o.{quoted(key)} = parts.{quoted(child_column)}" for key, child_column in column_pairs)
    whole = f"o.{quoted(name)}"

    def judge(store: StoredData) -> Finding:
        sql = (
            f"SELECT parts.k AS date_key, count(*) AS checked, "
            f"count(*) FILTER (WHERE abs({whole} - {_SUM}) > {_TOLERANCE} * (1 + abs({whole}))) AS faults "
            f"FROM (SELECT {period_of(table)} AS k, {columns}, sum({quoted(column.name)}) AS {_SUM} "
            f"FROM {store.relation(table)} GROUP BY ALL) AS parts JOIN {store.full_relation(other)} AS o ON {join} "
            "GROUP BY 1 ORDER BY 1"
        )
        return tally_finding(f"{table.name}.{column.name}", f"rows of {parent} have parts of another sum", store.arrow(sql))

    yield Relation((other.name,), judge)


def _stored_condition(store: StoredData, table: TablePlan, other: TablePlan) -> str:
    """Return the SQL condition of the rows of a table whose details may be judged: those of periods that are stored of
    `other` too. Without a record of partitions all of them are."""
    if table.time is None or store.stored_keys is None:
        return ""
    keys = sorted(store.stored_keys_of(other))
    return f"WHERE {period_of(table)} IN ({', '.join(map(str, keys)) or 'NULL'}) "


def _join_columns(population: Population, table: TablePlan, other: TablePlan) -> list[tuple[str, str]]:
    """Return the (total, detail) columns that join a table with its detail table: the key, or unit and date."""
    key = key_column(table.spec)
    if key is not None:
        return [(key.name, c.name) for c in other.columns if c.spec.source.target_name == table.name][:1]
    if other.spec.parent_name == table.name and place_column(table.spec) is not None:
        return [(name, name) for name in table.key]
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
