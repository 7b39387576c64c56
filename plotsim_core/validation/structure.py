"""Checks of structure and values: keys, references, the date spine, nulls, ranges, histories. Each is one query."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from plotsim_core.plan.plan import TablePlan
from plotsim_core.validation.check import CHECKS, Check, Finding, counted
from plotsim_core.validation.store import Store

_NULL_DEVIATIONS = 4.0
"""How many standard deviations a null count may lie from its rate."""


def _period(table: TablePlan) -> str:
    return f'"{table.time}"' if table.time else "NULL"


def _keys(store: Store) -> Iterator[Finding]:
    for table in store.tables:
        columns = ", ".join(f'"{name}"' for name in table.key)
        nulls = " OR ".join(f'"{name}" IS NULL' for name in table.key)
        sql = (
            f"SELECT period AS date_key, sum(n) AS checked, sum(CASE WHEN missing THEN n ELSE n - 1 END) AS faults "
            f"FROM (SELECT {_period(table)} AS period, count(*) AS n, ({nulls}) AS missing "
            f"FROM {store.relation(table)} GROUP BY {_period(table)}, {columns}) GROUP BY period ORDER BY period"
        )
        yield counted(store, f"{table.name}({', '.join(table.key)})", "rows repeat a key", sql)


def _references(store: Store) -> Iterator[Finding]:
    for table in store.tables:
        for column, parent, key in table.references:
            if parent not in store.relations:
                yield Finding(f"{table.name}.{column}", False, f"{parent} is not there")
                continue
            sql = (
                f"SELECT {_period(table)} AS date_key, count(*) AS checked, "
                f'count(*) FILTER (WHERE "{column}" IS NOT NULL AND "{column}" NOT IN '
                f'(SELECT "{key}" FROM {store.relations[parent]} WHERE "{key}" IS NOT NULL)) AS faults '
                f"FROM {store.relation(table)} GROUP BY 1 ORDER BY 1"
            )
            yield counted(store, f"{table.name}.{column} > {parent}.{key}", "rows refer to nothing", sql)


def _date_spine(store: Store) -> Iterator[Finding]:
    for table in (table for table in store.tables if table.kind == "date"):
        wanted = store.plan.grain.keys(np.arange(store.first, store.stop, dtype=np.int64)).tolist()
        found = store.arrow(f'SELECT "{table.time}" AS k FROM {store.relation(table)}')["k"].to_pylist()
        missing = sorted(set(wanted) - set(found))
        strange = sorted(set(found) - set(wanted))
        passed = sorted(found) == wanted
        message = (
            f"{len(wanted)} periods" if passed else f"missing {missing[:3]}, unexpected {strange[:3]}, {len(found)} rows"
        )
        yield Finding(table.name, passed, message, {"expected": len(wanted), "missing": len(missing)})


def _nulls(store: Store) -> Iterator[Finding]:
    rate = store.plan.dataset.noise.mcar_rate
    for table in store.tables:
        for column in table.columns:
            sql = (
                f'SELECT {_period(table)} AS date_key, count(*) AS checked, count(*) - count("{column.name}") AS faults '
                f"FROM {store.relation(table)} GROUP BY 1 ORDER BY 1"
            )
            found = counted(store, f"{table.name}.{column.name}", "rows are null", sql)
            if not column.nullable:
                yield found
            elif column.spec.word == "metric":
                yield _null_rate(found, rate)


def _null_rate(found: Finding, rate: float) -> Finding:
    rows, nulls = found.numbers["checked"], found.numbers["faults"]
    allowed = _NULL_DEVIATIONS * np.sqrt(max(rows * rate * (1 - rate), 1.0)) + 1.0
    passed = abs(nulls - rows * rate) <= allowed
    message = f"{nulls:.0f} of {rows:.0f} are null, {rows * rate:.0f} \u00b1 {allowed:.0f} expected"
    return Finding(
        found.subject, bool(passed), message, {**found.numbers, "expected": rows * rate, "allowed": float(allowed)}
    )


def _ranges(store: Store) -> Iterator[Finding]:
    metrics = {metric.name: metric.spec for metric in store.plan.metrics}
    for table in store.tables:
        for column in table.columns:
            if column.spec.word != "metric":
                continue
            metric = metrics[column.spec.type.partition(".")[2]]
            bounds = metric.bounds or ((0.0, float("inf")) if metric.positive else None)
            if bounds is None:
                continue
            low, high = (f"'{end}'::DOUBLE" for end in bounds)
            sql = (
                f'SELECT {_period(table)} AS date_key, count("{column.name}") AS checked, '
                f'count(*) FILTER (WHERE "{column.name}" < {low} OR "{column.name}" > {high}) AS faults '
                f"FROM {store.relation(table)} GROUP BY 1 ORDER BY 1"
            )
            yield counted(store, f"{table.name}.{column.name}", f"values outside [{bounds[0]:g}, {bounds[1]:g}]", sql)


def _histories(store: Store) -> Iterator[Finding]:
    for table in store.tables:
        history = {column.spec.type: column.name for column in table.columns if column.spec.word == "version"}
        if "version.valid_from" not in history:
            continue
        unit = next(column.name for column in table.columns if column.spec.word == "id")
        begin, end, current = (history[f"version.{part}"] for part in ("valid_from", "valid_to", "is_current"))
        sql = (
            f"SELECT NULL AS date_key, count(*) AS checked, count(*) FILTER (WHERE following IS DISTINCT FROM "
            f'"{end}" OR "{current}" != ("{end}" IS NULL) OR "{begin}" >= "{end}") AS faults FROM '
            f'(SELECT *, lead("{begin}") OVER (PARTITION BY "{unit}" ORDER BY "{begin}") AS following '
            f"FROM {store.relations[table.name]})"
        )
        yield counted(store, table.name, "versions overlap, leave a gap, or are wrongly current", sql)


for _name, _check in {
    "keys_unique": Check("structure", "No two rows share a key, and no key is null.", True, _keys),
    "references_resolve": Check("structure", "Every reference finds its row.", True, _references),
    "date_spine_whole": Check("structure", "The date dimension has every period, once.", True, _date_spine),
    "histories_contiguous": Check("structure", "Versions of a unit follow each other without gap.", True, _histories),
    "nulls_only_where_configured": Check("values", "Nulls are where, and as many as, the config says.", True, _nulls),
    "values_in_range": Check("values", "Values lie inside the declared ranges.", True, _ranges),
}.items():
    CHECKS.add(_name, _check)
