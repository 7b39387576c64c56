"""Plain correlations of stored rows (Pearson, Spearman), beside the partial ones given the trajectory."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from plotsim_core.numerics.arrays import Flags, Floats
from plotsim_core.numerics.estimates import correlation, rank_correlation
from plotsim_core.plan.correlations import Correlations, connection_masks
from plotsim_core.plan.plan import TablePlan
from plotsim_core.plan.sql import quoted
from plotsim_core.validation.residuals import fact_of_metric, residuals
from plotsim_core.validation.store import StoredData

_ROWS = 400_000
"""The largest number of rows of a table; of a larger one, a sample of units is read."""
_NAMES = ("first", "second")


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
            first, second = _cells(store, pair, periods[in_force])
            yield Correlations(connection, phase, conditional, correlation(first, second), rank_correlation(first, second))


def _cells(store: StoredData, pair: tuple[int, int], periods: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Return the stored values of two metrics in the rows that have both, shape (rows of a unit, units), NaN where a unit
    has no more rows."""
    population = store.population
    first, second = (population.table(fact_of_metric(population, metric) or "") for metric in pair)
    ((count,),) = store.connection.sql(f"SELECT count(*) FROM {store.relation(first)}").fetchall()
    modulus = max(1, math.ceil(count / _ROWS))
    queries = (
        _values_sql(store, table, metric, name) for table, metric, name in zip((first, second), pair, _NAMES, strict=True)
    )
    cells = store.arrow(
        f"SELECT date, first, second, dense_rank() OVER (ORDER BY unit) - 1 AS unit, "
        f"row_number() OVER (PARTITION BY unit ORDER BY date) - 1 AS place "
        f"FROM ({') JOIN ('.join(queries)}) USING (unit, date) "
        f"WHERE hash(unit) % {modulus} = 0 AND first IS NOT NULL AND second IS NOT NULL"
    )
    in_periods: Flags = np.isin(cells["date"].to_numpy(), store.population.grain.keys(periods))
    index, unit_index = (cells[name].to_numpy()[in_periods] for name in ("place", "unit"))
    shape = (int(index.max(initial=-1)) + 1, int(unit_index.max(initial=-1)) + 1)
    layers = np.full((2, *shape), np.nan)
    for layer, name in zip(layers, _NAMES, strict=True):
        layer[index, unit_index] = cells[name].to_numpy()[in_periods]
    return layers[0], layers[1]


def _values_sql(store: StoredData, table: TablePlan, metric: int, name: str) -> str:
    """Return the SQL of the values of a metric in a fact, by unit and date, named `name`."""
    unit, date = (quoted(column) for column in table.key)
    metric_name = store.population.metrics[metric].name
    column = quoted(next(column for column, stored in table.stored_metrics.items() if stored == metric_name))
    return f"SELECT {unit} AS unit, {date} AS date, {column}::DOUBLE AS {name} FROM {store.relation(table)}"
