"""Checks of links: the cardinality of bridges, and source systems with their map of keys (entity resolution)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from plotsim_core.config.sources import MAP, SourceSystem, attribute_columns, name_column
from plotsim_core.plan.plan import Population, TablePlan
from plotsim_core.plan.sql import quoted, text
from plotsim_core.tables.bridge import Bridge
from plotsim_core.tables.sources import source_of
from plotsim_core.validation.chance import comparison_hit_bounds
from plotsim_core.validation.check import CHECKS, NO_TABLES, Check, Finding, unjudged
from plotsim_core.validation.store import StoredData
from plotsim_core.validation.table_scan import tally_finding


def _linked_tables(population: Population, table: TablePlan) -> frozenset[str] | None:
    return frozenset({table.spec.left, table.spec.right}) if isinstance(table.spec, Bridge) else None


def _bridges(store: StoredData, table: TablePlan) -> Iterator[Finding]:
    assert isinstance(table.spec, Bridge)
    yield _pair_finding(store, table, table.spec)
    if table.spec.left in store.relations and table.spec.right in store.relations:
        yield _bounds_finding(store, table, table.spec)


def _pair_finding(store: StoredData, table: TablePlan, spec: Bridge) -> Finding:
    left, right = (quoted(name) for name in table.key)
    ends = (left, right) if spec.directed else (f"least({left}, {right})", f"greatest({left}, {right})")
    sql = (
        f"SELECT NULL::BIGINT AS date_key, sum(n) AS checked, sum(CASE WHEN {spec.left == spec.right} AND l = r THEN n "
        f"ELSE n - 1 END) AS faults FROM (SELECT {ends[0]} AS l, {ends[1]} AS r, count(*) AS n "
        f"FROM {store.relation(table)} GROUP BY ALL)"
    )
    return tally_finding(f"{table.name} pairs", "links are there twice, or of a row to itself", store.arrow(sql))


def _bounds_finding(store: StoredData, table: TablePlan, spec: Bridge) -> Finding:
    """Judge the number of links of each row; of an undirected bridge, links at either end count."""
    low, high = spec.cardinality
    left, right = (f"SELECT {quoted(name)} AS k FROM {store.relation(table)}" for name in table.key)
    all_links = left if spec.directed else f"{left} UNION ALL {right}"
    too_few, too_many = f"coalesce(touched.n, 0) < {_min_links(store, spec)}", f"coalesce(own.n, 0) > {high}"
    sql = (
        f"SELECT NULL::BIGINT AS date_key, count(*) AS checked, count(*) FILTER (WHERE {too_many} OR {too_few}) AS faults "
        f"FROM {_key_relation(store, spec.left)} AS rows "
        f"LEFT JOIN (SELECT k, count(*) AS n FROM ({left}) GROUP BY k) AS own USING (k) "
        f"LEFT JOIN (SELECT k, count(*) AS n FROM ({all_links}) GROUP BY k) AS touched USING (k)"
    )
    noun = f"rows of {spec.left} have fewer than {low} or more than {high} links"
    return tally_finding(f"{table.name} {spec.left}", noun, store.arrow(sql))


def _key_relation(store: StoredData, name: str) -> str:
    """Return an SQL relation with the distinct keys (`k`) of a dimension: one per unit, whatever its versions."""
    table = store.population.table(name)
    key = next(column.name for column in table.columns if column.spec.source.is_key)
    return f"(SELECT DISTINCT {quoted(key)} AS k FROM {store.full_relation(table)})"


def _min_links(store: StoredData, spec: Bridge) -> int:
    """Return the least number of links of a row: fewer than declared if the other side has too few rows, none if units may
    end early."""
    right = store.population.table(spec.right)
    if not right.spec.is_listed and store.population.endings:
        return 0
    count = int(store.connection.sql(f"SELECT count(*) FROM {_key_relation(store, spec.right)}").fetchall()[0][0])
    return min(spec.cardinality[0], count - (spec.left == spec.right))


def _counterpart_tables(population: Population, table: TablePlan) -> frozenset[str] | None:
    return frozenset({MAP, table.shown_table}) if table.spec.is_source else None


def _map_relation(store: StoredData, table: TablePlan, source: SourceSystem) -> str:
    """Return an SQL relation with each row of a source or of its map: the key in the source (`k`), the key of the unit
    (`unit`, null if not mapped) and whether the row is in the source (`held`)."""
    population = store.population
    unit_key = _unit_key(population, table)
    return (
        f"(SELECT k, unit, held IS NOT NULL AS held FROM (SELECT {quoted(table.key[0])}::VARCHAR AS k, true AS held "
        f"FROM {store.full_relation(table)}) FULL JOIN (SELECT source_key AS k, {quoted(unit_key)} AS unit "
        f"FROM {store.full_relation(population.table(MAP))} WHERE source = {text(source.name)}) USING (k))"
    )


def _unit_key(population: Population, table: TablePlan) -> str:
    """Return the name of the key of the dimension behind the table of a source."""
    return next(column.name for column in population.table(table.shown_table).columns if column.spec.source.is_key)


def _map_findings(store: StoredData, table: TablePlan) -> Iterator[Finding]:
    if not {MAP, table.shown_table} <= store.relations.keys():
        return
    sql = (
        "SELECT NULL::BIGINT AS date_key, count(*) AS checked, count(*) FILTER (WHERE NOT held OR unit IS NULL OR "
        f"unit NOT IN (SELECT k FROM {_key_relation(store, table.shown_table)})) AS faults "
        f"FROM {_map_relation(store, table, source_of(store.population, table))}"
    )
    noun = f"rows of {table.name} or {MAP} have no counterpart"
    yield replace(tally_finding(table.name, noun, store.arrow(sql)), tables=(MAP,))


def _map_table(population: Population, table: TablePlan) -> frozenset[str]:
    return frozenset({MAP}) if table.spec.is_source else NO_TABLES


def _drift_findings(store: StoredData, table: TablePlan) -> Iterator[Finding]:
    if not {MAP, table.shown_table} <= store.relations.keys():
        return
    source = source_of(store.population, table)
    mapped_rows = f"{_map_relation(store, table, source)} WHERE held AND unit IS NOT NULL"
    sql = (
        "SELECT count(*), count(*) FILTER (WHERE n IS NULL), count(*) FILTER (WHERE n > 1) "
        f"FROM {_key_relation(store, table.shown_table)} "
        f"LEFT JOIN (SELECT unit, count(*) AS n FROM {mapped_rows} GROUP BY unit) ON k = unit"
    )
    units, missing, duplicates = store.connection.sql(sql).fetchall()[0]
    yield _share_finding(store.population, f"{table.name} missing", "units are missing", missing, units, source.missing_rate)
    yield _share_finding(
        store.population, f"{table.name} twice", "units are there twice", duplicates, units - missing, source.duplicate_rate
    )
    yield from _column_findings(store, table, source)


def _column_findings(store: StoredData, table: TablePlan, source: SourceSystem) -> Iterator[Finding]:
    units = store.population.table(table.shown_table)
    name_attribute = name_column(units.spec)
    rates = {} if name_attribute is None else {name_attribute.name: source.name_drift_rate}
    text_columns = attribute_columns(units.spec, {column.name: column.type for column in units.columns})
    rates |= {column.name: source.attribute_drift_rate for column in text_columns}
    current = units.version_columns.get("is_current")
    current_filter = f" WHERE units.{quoted(current)}" if current else ""
    source_key, unit_key = quoted(table.key[0]), quoted(_unit_key(store.population, table))
    map_join = f"{store.full_relation(store.population.table(MAP))} AS map ON map.source = {text(source.name)}"
    join = (
        f"FROM {store.full_relation(table)} AS held JOIN {map_join} AND map.source_key = held.{source_key}::VARCHAR "
        f"JOIN {store.full_relation(units)} AS units ON units.{unit_key} = map.{unit_key}{current_filter}"
    )
    for name, rate in rates.items():
        column = quoted(name)
        value_count = f"count(*) FILTER (WHERE units.{column} IS NOT NULL)"
        drift_count = f"count(*) FILTER (WHERE units.{column} IS NOT NULL AND held.{column} IS DISTINCT FROM units.{column})"
        rows, drifted = store.connection.sql(f"SELECT {value_count}, {drift_count} {join}").fetchall()[0]
        yield _share_finding(store.population, f"{table.name}.{name}", "values drifted", drifted, rows, rate)


def _share_finding(population: Population, subject: str, noun: str, count: int, total: int, rate: float) -> Finding:
    """Judge a count out of a total against a declared rate, by binomial bounds."""
    least, most = comparison_hit_bounds(population, total, rate)
    numbers = {"found": float(count), "of": float(total), "expected": total * rate, "least": least, "most": most}
    if 0 < rate < 1 and (least, most) == (0, total):
        return unjudged(subject, f"too few rows, {count} of {total} {noun}", numbers)
    message = f"{count} of {total} {noun}, {least:.0f} to {most:.0f} expected"
    return Finding(subject, least <= count <= most, message, numbers)


for _name, _check in {
    "bridges_within_bounds": Check(
        "structure",
        "Every row has as many links as its bridge allows, none twice and none to itself.",
        True,
        _bridges,
        _linked_tables,
    ),
    "sources_mapped": Check(
        "structure",
        "Every row of a source is mapped to the unit that it is.",
        True,
        _map_findings,
        _counterpart_tables,
        _map_table,
    ),
    "sources_as_declared": Check(
        "values", "Sources lack, repeat and misspell as many units as declared.", False, _drift_findings, _counterpart_tables
    ),
}.items():
    CHECKS.add(_name, _check)
