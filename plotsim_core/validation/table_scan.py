"""One scan per table: counts by period that several checks share."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from plotsim_core.arrow import ArrowChunks
from plotsim_core.plan.plan import ColumnPlan, Population, TablePlan
from plotsim_core.plan.sql import quoted
from plotsim_core.validation.check import TALLY, Finding
from plotsim_core.validation.moments import moment_sql
from plotsim_core.validation.store import StoredData

_TOLERANCE = 1e-9
"""The tolerance of ranges, as a share of the larger bound: bounds are rounded to decimals."""


def bounds_of(population: Population, table: TablePlan, column: ColumnPlan) -> tuple[float, float] | None:
    """Return the closed range of the values of a metric column; None for other columns, for those of
    another type than the metric's, and for unbounded metrics."""
    metric = column.spec.source.stored_metric
    if metric is None or column.spec.as_type is not None:
        return None
    spec = population.metrics[population.metric_index(metric)].spec
    bounds = None if "crowd" in table.spec.knows and spec.sized else spec.bounds  # a sum may exceed them
    return bounds or ((0.0, float("inf")) if spec.positive else None)


def table_scan(store: StoredData, table: TablePlan) -> pa.Table:
    """Return the counts of one scan, a row per period (one with a null date_key for a table without time).

    `rows` counts all rows; for column number i, `there i` counts its values, `beyond i` its values outside the range, and
    `from i` and `to i` are its first and last moment.
    """
    return store.cached(f"scan {table.name}", lambda: _scan(store, table))


def _scan(store: StoredData, table: TablePlan) -> pa.Table:
    expressions = ["count(*) AS rows"]
    for index, column in enumerate(table.columns):
        name = quoted(column.name)
        expressions.append(f'count({name}) AS "there {index}"')
        bounds = bounds_of(store.population, table, column)
        if bounds is not None:
            tolerance = _TOLERANCE * max(1.0, *(abs(end) for end in bounds if math.isfinite(end)))
            low, high = (f"'{end}'::DOUBLE" for end in (bounds[0] - tolerance, bounds[1] + tolerance))
            expressions.append(f'count(*) FILTER (WHERE {name} < {low} OR {name} > {high}) AS "beyond {index}"')
        if pa.types.is_timestamp(column.type):
            moment = moment_sql(column)
            expressions += [f'min({moment}) AS "from {index}"', f'max({moment}) AS "to {index}"']
    period = quoted(table.time) if table.time else "NULL::BIGINT"
    sql = f"SELECT {period} AS date_key, {', '.join(expressions)} FROM {store.relation(table)} GROUP BY 1 ORDER BY 1"
    return store.arrow(sql)


def count_finding(scan: pa.Table, subject: str, noun: str, checked: ArrowChunks, faults: ArrowChunks) -> Finding:
    """Return the finding of counts by period, passed if there are no faults."""
    return tally_finding(subject, noun, pa.table([scan["date_key"], checked, faults], names=TALLY.names))


def tally_finding(subject: str, noun: str, table: pa.Table) -> Finding:
    """Return the finding of a table with the columns of `TALLY`."""
    tally = table.cast(TALLY)
    checked, faults = (int(pc.sum(tally[name]).as_py() or 0) for name in ("checked", "faults"))
    message = f"{faults} of {checked} {noun}" if faults else f"{checked} checked"
    return Finding(subject, faults == 0, message, {"checked": checked, "faults": faults}, tally)


def no_faults(scan: pa.Table) -> ArrowChunks:
    """Return a fault count of zero for each period."""
    return pa.chunked_array([pa.array(np.zeros(len(scan), dtype=np.int64))])
