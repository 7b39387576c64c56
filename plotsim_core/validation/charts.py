"""The pictures of a report: declared and stored behaviour over time.

Large datasets are sampled (stratified by segment): as many units as `_CELLS` allows. Long windows are drawn in at
most 120 points, each of several periods.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from plotsim_core.arrow import ArrowArray
from plotsim_core.columns.primary_key import unit_keys
from plotsim_core.engine.block import Block
from plotsim_core.engine.lifetimes import alive
from plotsim_core.numerics.arrays import Floats
from plotsim_core.numerics.estimates import correlation
from plotsim_core.plan.plan import Population, TablePlan
from plotsim_core.validation.cell_samples import sampled_blocks
from plotsim_core.validation.report import Report
from plotsim_core.validation.residuals import Residuals, residuals
from plotsim_core.validation.store import StoredData
from plotsim_core.validation.svg import bins, correlogram, fan, glance, intervals, lines, matrix

_CELLS = 200_000
"""The approximate number of sampled cells (period x unit) of a picture."""
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_FOLDED_FANS = 48
_PAIRS = 40
_EXTRA_LAGS = 5
"""The number of lags shown beyond the declared one."""
_STANDARD_ERRORS = 3.0


@dataclass(frozen=True)
class Picture:
    """Drawings (SVG) of one subject, with a title and a caption (`description`). Those of details are folded (`is_folded`);
    `glance` is a sparkline, if there is one."""

    name: str
    title: str
    description: str
    drawings: tuple[str, ...]
    is_folded: bool = False
    glance: str = ""


def pictures(store: StoredData, report: Report) -> list[Picture]:
    """Return the pictures of a store and its report; empty ones are left out."""
    kinds = [kind for kind in store.kinds if kind.population.has_units]
    unit_pictures = [picture for kind in kinds for picture in _kind_pictures(kind, kind is not store)]
    return [picture for picture in (*unit_pictures, declared_against_found(report), rows(store)) if picture.drawings]


def _kind_pictures(store: StoredData, is_other_kind: bool) -> list[Picture]:
    """Return the pictures of one kind of unit; those of a further kind are named after it."""
    sample = sample_of(store.population, store.first, store.stop)
    residual_sample = residuals(store)
    unit_pictures = [
        trajectories(sample),
        units(sample),
        *metrics(store, sample),
        correlations(store.population, residual_sample),
        lags(store.population, residual_sample),
    ]
    unit = store.population.unit
    return [replace(p, name=f"{unit}_{p.name}", title=f"{p.title} ({unit})") if is_other_kind else p for p in unit_pictures]


def sample_of(population: Population, first: int, stop: int, cells: int = _CELLS) -> list[Block]:
    """Return a block per stratum with the first of its units, about `cells` cells in all."""
    return [block for _, block in sampled_blocks(population, first, stop, cells / (stop - first))]


def by_segment(sample: Sequence[Block], values: Callable[[Block], NDArray[Any]]) -> dict[int, Floats]:
    """Return the sum of `values`, shape (periods,), over the blocks of each segment."""
    sums: dict[int, Floats] = {}
    for block in sample:
        segment = int(block.units.segment[0])
        sums[segment] = sums.get(segment, 0.0) + values(block).astype(np.float64)
    return sums


def trajectories(sample: Sequence[Block]) -> Picture:
    """Return the picture of the mean position of each segment over time."""
    sums = by_segment(sample, lambda block: np.where(block.tenured, block.positions(), 0.0).sum(axis=1))
    counts = by_segment(sample, lambda block: block.tenured.sum(axis=1))
    names = [segment.spec.name for segment in sample[0].population.segments]
    series = {names[s]: np.where(n > 0, sums[s] / np.maximum(n, 1), np.nan).tolist() for s, n in counts.items()}
    drawing = lines("Mean position by segment", _ticks(sample[0]), series)
    caption = "Where each segment's units are on their curve, from 0 to 1; all metrics follow from it."
    return Picture("trajectories", "Trajectories by segment", caption, (drawing,), glance=glance(list(series.values())))


def units(sample: Sequence[Block]) -> Picture:
    """Return the picture of the living units of each segment over time."""
    population = sample[0].population
    living = by_segment(sample, lambda block: alive(block).sum(axis=1))
    counts = by_segment(sample, lambda block: np.full(1, len(block.units) if block.units.start < population.units else 0))
    series = {population.segments[s].spec.name: (n / counts[s]).tolist() for s, n in living.items()}
    drawing = lines("Share of the segment's units", _ticks(sample[0]), series)
    return Picture(
        "units",
        "Units that are there",
        "Units arrive and leave; this is how many are there, of as many as the segment has by itself.",
        (drawing,),
    )


def metrics(store: StoredData, sample: Sequence[Block]) -> list[Picture]:
    """Return the fan charts of each metric: quantiles of stored values over time, with the expected mean, of all units and
    of each segment."""
    overall_fans: list[str] = []
    segment_fans: list[str] = []
    ticks = _ticks(sample[0])
    for metric, quantiles in _quantiles(store, sample).items():
        name = store.population.metrics[metric].name
        centres = partial(_centres, metric)
        sums = np.array(list(by_segment(sample, centres).values()))
        counts = np.array(list(by_segment(sample, lambda block: alive(block).sum(axis=1)).values()))
        overall_fans.append(fan(name, ticks, quantiles[-1], _binned_mean(sums.sum(axis=0), counts.sum(axis=0))))
        for index, segment in enumerate(store.population.segments):
            line = _binned_mean(sums[index], counts[index])
            segment_fans.append(fan(f"{name}, {segment.spec.name}", ticks, quantiles[index], line, colour=index))
    caption = (
        "Half of the stored values lie in the dark band, nine of ten in the light one; the line is their median, "
        "the dashes are the mean that the config lets expect."
    )
    overall_picture = Picture("metrics", "Metrics over time", caption, tuple(overall_fans))
    segment_picture = Picture(
        "metricsby_segment", "Metrics over time, by segment", caption, tuple(segment_fans), is_folded=True
    )
    return (
        [overall_picture, segment_picture]
        if len(store.population.segments) > 1 and len(segment_fans) <= _FOLDED_FANS
        else [overall_picture]
    )


def _centres(metric: int, block: Block) -> Floats:
    sums: Floats = np.where(alive(block), block.centres(metric), 0.0).sum(axis=1)
    return sums


def _quantiles(store: StoredData, sample: Sequence[Block]) -> dict[int, list[list[Floats]]]:
    """Return the quantiles of each stored metric in each bin of periods: of each segment, and last of all units."""
    population, periods = store.population, sample[0].periods
    bin_indexes = bins(len(periods))
    _register(store, "picture periods", key=pa.array(population.grain.keys(periods)), bin=pa.array(bin_indexes))
    quantiles: dict[int, list[list[Floats]]] = {}
    for table, columns in _metric_facts(store):
        unit, date = table.key
        keys = [unit_keys(block) for block in sample]
        segments = np.concatenate([block.units.segment for block in sample])
        _register(store, "picture units", key=pa.concat_arrays(keys), owner=pa.array(segments))
        expressions = ", ".join(
            f'quantile_cont("{name}"::DOUBLE, {list(_QUANTILES)}) AS m{metric}' for metric, name in columns
        )
        rows = store.arrow(
            f"SELECT bin, coalesce(owner, {len(population.segments)}) AS owner, {expressions} "
            f"FROM {store.relation(table)} AS facts "
            f'JOIN "picture units" AS units ON facts."{unit}" = units.key '
            f'JOIN "picture periods" AS periods ON facts."{date}" = periods.key GROUP BY GROUPING SETS ((bin), (bin, owner))'
        )
        positions = rows["owner"].to_numpy(), rows["bin"].to_numpy()
        for metric, _ in columns:
            grid = np.full((len(population.segments) + 1, int(bin_indexes[-1]) + 1, len(_QUANTILES)), np.nan)
            values = [row if row is not None else [np.nan] * len(_QUANTILES) for row in rows[f"m{metric}"].to_pylist()]
            grid[positions] = np.array(values, dtype=np.float64).reshape(len(values), len(_QUANTILES))
            quantiles[metric] = [list(part.T) for part in grid]
    return dict(sorted(quantiles.items()))


def _metric_facts(store: StoredData) -> list[tuple[TablePlan, list[tuple[int, str]]]]:
    """Return the facts with their metrics as (metric, column), each metric in the first fact that has it."""
    population, known_metrics, facts = store.population, set[int](), []
    for table in (table for table in store.tables if table.spec.is_per_cell):
        columns = {population.metric_index(metric): name for name, metric in table.stored_metrics.items()}
        new_columns = [(metric, name) for metric, name in columns.items() if metric not in known_metrics]
        known_metrics.update(columns)
        if new_columns:
            facts.append((table, new_columns))
    return facts


def correlations(population: Population, residual_sample: Residuals) -> Picture:
    """Return the matrix of partial correlations given the trajectory: declared above the diagonal, stored below."""
    stored_metrics = sorted(residual_sample.stored)
    above = np.full((len(population.metrics), len(population.metrics)), np.nan)
    for connection in population.dataset.connections:
        pair = sorted(population.metric_index(name) for name in (connection.metric_a, connection.metric_b))
        above[pair[0], pair[1]] = connection.coefficient
    names = [population.metrics[metric].name for metric in stored_metrics]
    grid = np.ix_(stored_metrics, stored_metrics)
    drawing = matrix("Correlations given the trajectory", names, above[grid], stored_correlations(residual_sample))
    caption = (
        "Above the diagonal what the config declares (empty: nothing), below it what is stored, given the trajectory; "
        "blue is positive, red negative. Noise weakens what is found."
    )
    return Picture("correlations", "Declared and found correlations", caption, (drawing,) if len(stored_metrics) > 1 else ())


def stored_correlations(residual_sample: Residuals) -> Floats:
    """Return the correlation matrix of residuals of the stored metrics, in their order, over pairwise complete cells."""
    stored_metrics = sorted(residual_sample.stored)
    sums = np.zeros((5, len(stored_metrics), len(stored_metrics)))
    for cells in zip(*(residual_sample.stored[metric] for metric in stored_metrics), strict=True):
        values = np.array(cells)
        present = np.isfinite(values).astype(np.float64)
        values = np.where(present > 0, values, 0.0)
        squares = values * values
        sums += [present @ present.T, values @ present.T, present @ values.T, squares @ present.T, values @ values.T]
    count = np.maximum(sums[0], 1.0)
    covariance = sums[4] / count - sums[1] * sums[2] / count**2
    variance = sums[3] / count - (sums[1] / count) ** 2
    scale = np.sqrt(np.maximum(variance * variance.T, 0.0))
    return np.where(scale > 0, covariance / np.where(scale > 0, scale, 1.0), np.nan)


def lags(population: Population, residual_sample: Residuals) -> Picture:
    """Return the correlograms of metrics that follow another: their cross-correlation at each lag."""
    drawings = []
    for index, metric in enumerate(population.metrics):
        if metric.driver is None or metric.driver not in residual_sample.stored or index not in residual_sample.stored:
            continue
        driver, follower = residual_sample.stored[metric.driver], residual_sample.stored[index]
        thin = slice(None, None, max(1, driver.size // _CELLS))
        pairs = [
            correlation(driver[: len(driver) - lag, thin], follower[lag:, thin])
            for lag in range(min(metric.delay + _EXTRA_LAGS + 1, len(driver)))
        ]
        title = f"{metric.name} after {population.metrics[metric.driver].name}"
        values, chance = [values for values, _ in pairs], [_STANDARD_ERRORS * error for _, error in pairs]
        drawings.append(correlogram(title, values, chance, metric.delay))
    caption = (
        "How a metric goes with what its driver did so many periods before; the declared lag is red, "
        "and the grey band is what chance gives (three standard errors)."
    )
    return Picture("lags", "Lags", caption, tuple(drawings))


def declared_against_found(report: Report) -> Picture:
    """Return the picture of expected and stored correlations and lags with their allowed deviation; of many, those that
    are farthest off."""
    pairs = {
        finding.subject: (finding.numbers["expected"], finding.numbers["found"], finding.numbers["allowed"])
        for check in ("correlations_as_declared", "lags_found")
        for finding in report.findings_of(check)
        if {"expected", "found", "allowed"} <= set(finding.numbers)
    }
    farthest = sorted(pairs, key=lambda name: -abs(pairs[name][1] - pairs[name][0]))[:_PAIRS]
    shown_pairs = {name: pair for name, pair in pairs.items() if name in farthest}
    remark = f" Of {len(pairs)} pairs, the {_PAIRS} that are furthest off." if len(pairs) > _PAIRS else ""
    caption = f"A tick is what is expected, noise included, a dot what is found, and a bar what chance allows.{remark}"
    drawing = intervals("Correlations given the trajectory", shown_pairs)
    return Picture("expected", "Expected and found", caption, (drawing,) if shown_pairs else ())


def rows(store: StoredData) -> Picture:
    """Return the picture of the row counts of each table over time; an empty one where there is no window."""
    if not store.plan.has_window:
        return Picture("rows", "Rows over time", "", ())
    keys = store.population.grain.keys(np.arange(store.first, store.stop, dtype=np.int64))
    ticks = store.population.grain.label(store.first), store.population.grain.label(store.stop - 1)
    bin_indexes = bins(len(keys))
    edges = np.flatnonzero(np.diff(bin_indexes, prepend=-1))
    drawings = []
    for table in (table for kind in store.kinds for table in kind.tables if table.time is not None):
        table_counts = store.arrow(f'SELECT "{table.time}" AS time, count(*) AS n FROM {store.relation(table)} GROUP BY 1')
        period = np.searchsorted(keys, table_counts["time"].to_numpy(), side="right") - 1
        counts = np.bincount(period, table_counts["n"].to_numpy(), minlength=len(keys))
        low, high = np.minimum.reduceat(counts, edges), np.maximum.reduceat(counts, edges)
        middle = np.add.reduceat(counts, edges) / np.bincount(bin_indexes)
        drawings.append(fan(table.name, ticks, [low, middle, high], colour=4, base=0.0))
    bin_note = (
        f" (a point is {int(np.sum(bin_indexes == 0))} periods; the band, the least and the most of them)"
        if len(edges) < len(keys)
        else ""
    )
    caption = f"How many rows each table has of each {store.population.grain.noun}{bin_note}; a gap is a missing partition."
    return Picture("rows", "Rows over time", caption, tuple(drawings))


def _binned_mean(sums: Floats, counts: NDArray[np.int64]) -> Floats:
    """Return the mean in each bin of periods, from sums and counts by period; NaN for an empty bin."""
    bin_indexes = bins(len(sums))
    totals, bin_counts = np.bincount(bin_indexes, sums), np.bincount(bin_indexes, counts)
    return np.where(bin_counts > 0, totals / np.maximum(bin_counts, 1), np.nan)


def _register(store: StoredData, relation: str, **columns: ArrowArray) -> None:
    store.connection.register(relation, pa.table(columns))


def _ticks(block: Block) -> tuple[str, str]:
    return block.population.grain.label(block.slice.first), block.population.grain.label(block.slice.stop - 1)
