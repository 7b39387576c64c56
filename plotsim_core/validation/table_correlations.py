"""Plain correlations of stored rows (Pearson, Spearman), beside the partial ones given the trajectory."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from plotsim_core.numerics.arrays import Flags, Floats
from plotsim_core.numerics.estimates import correlation, rank_correlation
from plotsim_core.plan.correlations import Correlations, connection_masks
from plotsim_core.plan.plan import TablePlan
from plotsim_core.plan.sql import quoted
from plotsim_core.validation.residuals import fact_of_metric, residuals
from plotsim_core.validation.store import StoredData
from plotsim_core.validation.table_scan import table_scan

_ROWS = 400_000
"""The largest number of rows of a table; of a larger one, a sample of units is read."""


def table_correlations(store: StoredData) -> Iterator[Correlations]:
    """Yield the correlations of each connection of one kind of unit in the stored rows. Connections with a metric that is
    not stored are left out."""
    population = store.population
    if not population.dataset.connections and not population.dataset.connection_phases:
        return
    sample = residuals(store)
    periods = np.arange(store.first, store.stop, dtype=np.int64)
    connections = connection_masks(population, periods)
    sample_connections = connection_masks(population, sample.periods)
    for (connection, phase, in_force), (_, _, sample_in_force) in zip(connections, sample_connections, strict=True):
        pair = population.metric_index(connection.metric_a), population.metric_index(connection.metric_b)
        if pair[0] in sample.stored and pair[1] in sample.stored:
            conditional = correlation(sample.stored[pair[0]][sample_in_force], sample.stored[pair[1]][sample_in_force])
            first, second = _cells(store, pair, in_force)
            yield Correlations(connection, phase, conditional, correlation(first, second), rank_correlation(first, second))


@dataclass(frozen=True, eq=False)
class _Rows:
    """The rows of a fact by unit and date: `codes`, unit × periods + period, rising, and the `values` of its metrics."""

    codes: NDArray[np.int64]
    values: dict[int, Floats]


def _cells(store: StoredData, pair: tuple[int, int], in_force: Flags) -> tuple[Floats, Floats]:
    """Return the stored values of two metrics in the rows that have both, in the judged periods of a mask, shape (rows of a
    unit, units), NaN where a unit has no more rows."""
    metric_rows = _metric_rows(store)
    first, second = (metric_rows[metric] for metric in pair)
    codes, values = first.codes, [first.values[pair[0]], second.values[pair[1]]]
    if not np.array_equal(codes, second.codes):
        codes, *places = np.intersect1d(codes, second.codes, return_indices=True)
        values = [metric_values[place] for metric_values, place in zip(values, places, strict=True)]
    is_kept = in_force[codes % len(in_force)] & np.isfinite(values[0]) & np.isfinite(values[1])
    units = codes[is_kept] // len(in_force)
    begins = np.flatnonzero(np.diff(units, prepend=-1))
    counts = np.diff(begins, append=len(units))
    cell = np.arange(len(units)) - np.repeat(begins, counts), np.repeat(np.arange(len(begins)), counts)
    layers = np.full((2, int(counts.max(initial=0)), len(begins)), np.nan)
    for layer, metric_values in zip(layers, values, strict=True):
        layer[cell] = metric_values[is_kept]
    return layers[0], layers[1]


def _metric_rows(store: StoredData) -> dict[int, _Rows]:
    """Return the rows of the fact of each metric, read once per store: of a sample of units where there are many."""
    return store.cached("rows of facts", lambda: dict(_read_rows(store)))


def _read_rows(store: StoredData) -> Iterator[tuple[int, _Rows]]:
    population = store.population
    fact_metrics: dict[str, list[int]] = {}
    for metric in residuals(store).stored:
        fact_metrics.setdefault(fact_of_metric(population, metric) or "", []).append(metric)
    facts = {name: population.table(name) for name in fact_metrics}
    counts = [int(pc.sum(table_scan(store, table)["rows"]).as_py() or 0) for table in facts.values()]
    modulus = max(1, math.ceil(max(counts, default=0) / _ROWS))
    rows = {name: store.arrow(_rows_sql(store, table, fact_metrics[name], modulus)) for name, table in facts.items()}
    keys: set[Any] = set().union(*(table["unit"].unique().to_pylist() for table in rows.values()))
    dates = population.grain.keys(np.arange(store.first, store.stop, dtype=np.int64))
    for name, table in rows.items():
        unit = pc.index_in(table["unit"], value_set=pa.array(sorted(keys), table["unit"].type)).to_numpy().astype(np.int64)
        date = table["date"].to_numpy()
        period = np.minimum(np.searchsorted(dates, date), len(dates) - 1)
        codes = unit * len(dates) + period
        order = np.argsort(codes)
        order = order[dates[period[order]] == date[order]]
        metric_values = {metric: table[f"value {metric}"].to_numpy()[order] for metric in fact_metrics[name]}
        yield from ((metric, _Rows(codes[order], metric_values)) for metric in fact_metrics[name])


def _rows_sql(store: StoredData, table: TablePlan, metrics: Sequence[int], modulus: int) -> str:
    """Return the SQL of the values of some metrics in a fact, by unit and date, of one of `modulus` parts of the units."""
    unit, date = (quoted(column) for column in table.key)
    columns = {stored: quoted(column) for column, stored in table.stored_metrics.items()}
    values = [f'{columns[store.population.metrics[metric].name]}::DOUBLE AS "value {metric}"' for metric in metrics]
    return (
        f"SELECT {unit} AS unit, {date} AS date, {', '.join(values)} FROM {store.relation(table)} "
        f"WHERE {unit} IS NOT NULL AND {date} IS NOT NULL AND hash({unit}) % {modulus} = 0"
    )
