"""Standardised residuals: stored values minus their means by the trajectory, in standard deviations of the metric.

The checks of behaviour judge them in a bounded, stratified sample of cells: the latest periods (a year at least, if there
is one) of some units of each segment. The means come from the plan, the values from the store. The effect of noise and of
endings is measured on true and noised values of a part of the sample. Standard errors are clustered by unit, since the
values of a unit depend on each other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plotsim_core.engine.block import Block
from plotsim_core.engine.slice import Slice
from plotsim_core.engine.strata import strata
from plotsim_core.numerics.arrays import Flags, Floats
from plotsim_core.numerics.estimates import correlation
from plotsim_core.plan.plan import Population, TablePlan
from plotsim_core.plan.sql import quoted
from plotsim_core.validation.cell_samples import sampled_blocks, stored_cells
from plotsim_core.validation.store import StoredData

_CELLS = 400_000
_SHARE = 0.05
"""The largest number of sampled cells, and their share of a large dataset."""
_PROBED = 40_000
"""The number of probed cells, whose true values are generated anew; also the least number of sampled cells."""
_YEAR = 400
"""The largest number of periods that the sample has for the sake of a whole year."""
_LIMIT = 5.0
"""The limit at which residuals are clipped (winsorised), so that a few outliers do not decide."""


@dataclass(frozen=True, eq=False)
class Residuals:
    """Stored values of each metric in the sampled cells, shape (periods, units), NaN where there is no value.

    `stored` are residuals, `values` the raw values, `centres` the means they were drawn around; `fidelity` is the
    correlation between residuals of true values and of noised ones. `periods` are period numbers, `segments` the segment of
    each unit. `true` and `noised` are values before and after noise of the `probed` units (indexes); `true` is NaN before a
    unit arrives, `noised` also where no row is stored. `slices` have the sampled units, in their order. `original` is True
    for stored data, False for a replica with another seed."""

    population: Population
    stored: dict[int, Floats]
    fidelity: dict[int, float]
    values: dict[int, Floats]
    centres: dict[int, Floats]
    periods: NDArray[np.int64]
    segments: NDArray[np.intp]
    probed: NDArray[np.intp]
    true: dict[int, Floats]
    noised: dict[int, Floats]
    slices: tuple[Slice, ...]
    original: bool

    def standardised(self, metric: int, values: Floats, probed: bool = False) -> Floats:
        """Return the standardised residuals of values in the sampled (or the probed) cells."""
        center = self.centres[metric][:, self.probed] if probed else self.centres[metric]
        return np.clip((values - center) / self.population.metrics[metric].quantiles.deviation(center), -_LIMIT, _LIMIT)

    def stored_true_values(self, metric: int) -> Floats:
        """Return the true values of the probed units, NaN where no value is stored."""
        return np.where(np.isfinite(self.noised[metric]), self.true[metric], np.nan)


def residuals(store: StoredData) -> Residuals:
    """Return the residuals of the metrics of all stored facts, computed once per store."""
    return store.cached("residuals", lambda: _residuals(store))


def _residuals(store: StoredData) -> Residuals:
    population = store.population
    length = store.stop - store.first
    units = sum(part.count for part in strata(population, store.first, store.stop))
    cells = int(np.clip(units * length * _SHARE, _PROBED, _CELLS))
    year = min(_YEAR, math.ceil(population.grain.per_year) + 1)
    periods = min(length, max(year, cells // units))
    blocks = [block for _, block in sampled_blocks(population, store.stop - periods, store.stop, cells // periods)]
    probes = [b for _, b in sampled_blocks(population, store.stop - periods, store.stop, min(cells, _PROBED) // periods)]
    probes = [
        full_block if full_block.slice == part.slice else part for full_block, part in zip(blocks, probes, strict=True)
    ]
    edges = np.cumsum([0, *(len(block.units) for block in blocks)])
    probed = np.concatenate([first + np.arange(len(part.units)) for first, part in zip(edges, probes, strict=False)])
    rows, values = _values(store, blocks)
    return residuals_of(population, blocks, rows, values, probes, probed, original=True)


def residuals_of(
    population: Population,
    blocks: list[Block],
    rows: dict[int, Flags],
    values: dict[int, Floats],
    probes: list[Block],
    probed: NDArray[np.intp],
    original: bool,
) -> Residuals:
    """Return the residuals of the `values` of the units of some blocks, shape (periods, units); `rows` are masks of the
    cells with a row. `probes` are blocks of the `probed` units (indexes), whose true values are generated anew."""
    centres = {metric: np.concatenate([block.centres(metric) for block in blocks], axis=1) for metric in values}
    true: dict[int, Floats] = {}
    noised_values: dict[int, Floats] = {}
    for metric in values:
        tenures = [probe.tenured for probe in probes]
        pairs = zip(probes, tenures, strict=True)
        true[metric] = np.concatenate(
            [np.where(is_tenured, probe.correlated(metric), np.nan) for probe, is_tenured in pairs], axis=1
        )
        noised = np.concatenate([probe.noised(metric) for probe in probes], axis=1)
        noised_values[metric] = np.where(rows[metric][:, probed], noised, np.nan)
    segments = np.concatenate([block.units.segment for block in blocks])
    slices = tuple(block.slice for block in blocks)
    sample = Residuals(
        population, {}, {}, values, centres, blocks[0].periods, segments, probed, true, noised_values, slices, original
    )
    for metric in values:
        sample.stored[metric] = sample.standardised(metric, values[metric])
        residual_pair = [
            sample.standardised(metric, layer, probed=True)
            for layer in (sample.stored_true_values(metric), noised_values[metric])
        ]
        sample.fidelity[metric] = correlation(residual_pair[0], residual_pair[1])[0]
    return sample


def _values(store: StoredData, blocks: list[Block]) -> tuple[dict[int, Flags], dict[int, Floats]]:
    """Return (masks of cells with a row, values) by metric, each from the first fact with the metric."""
    rows: dict[int, Flags] = {}
    values: dict[int, Floats] = {}
    for table in (table for table in store.tables if table.spec.is_per_cell):
        metrics = {name: store.population.metric_index(metric) for name, metric in table.stored_metrics.items()}
        metrics = {name: metric for name, metric in metrics.items() if metric not in values}
        if not metrics:
            continue
        selection = ", ".join(f"{quoted(name)}::DOUBLE AS {quoted(name)}" for name in metrics)
        cells = stored_cells(store, table, table.key[0], blocks, selection)
        shape = (len(blocks[0].periods), sum(len(block.units) for block in blocks))
        indexes = cells["period index"].to_numpy(), cells["unit index"].to_numpy()
        present = np.zeros(shape, dtype=np.bool_)
        present[indexes] = True
        for name, metric in metrics.items():
            grid = np.full(shape, np.nan)
            grid[indexes] = cells[name].to_numpy()
            rows[metric], values[metric] = present, grid
    return rows, values


def metrics_judged_by(population: Population, table: TablePlan) -> list[int]:
    """Return the metrics that are judged by a table: those of a fact that no earlier fact has."""
    facts = [fact for fact in population.unit_tables if fact.spec.is_per_cell]
    names = [fact.name for fact in facts]
    earlier_facts = facts[: names.index(table.name)] if table.name in names else None
    if earlier_facts is None:
        return []
    earlier_metrics = {population.metric_index(metric) for fact in earlier_facts for metric in fact.stored_metrics.values()}
    metrics = dict.fromkeys(map(population.metric_index, table.stored_metrics.values()))
    return [metric for metric in metrics if metric not in earlier_metrics]


def judged_metrics(sample: Residuals, table: TablePlan) -> list[int]:
    """Return the metrics of `metrics_judged_by` whose values are stored."""
    return [metric for metric in metrics_judged_by(sample.population, table) if metric in sample.values]


def fact_of_metric(population: Population, metric: int) -> str | None:
    """Return the fact that a metric is judged by; None if no fact has it."""
    return next((table.name for table in population.unit_tables if metric in metrics_judged_by(population, table)), None)


def metric_facts(population: Population) -> frozenset[str]:
    """Return the facts that metrics are judged by."""
    return frozenset(table.name for table in population.unit_tables if metrics_judged_by(population, table))
