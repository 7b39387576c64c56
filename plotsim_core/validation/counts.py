"""The check of counts of events: as many rows as their driver metric gives.

It judges the sampled cells of `residuals`. The expected count of a cell is the mean of the driver times the scale and the
rhythm of the period, if the unit is there. Where rows are thinned for lack of a row to refer to, or the metric may be
negative, the rows are generated anew, and their count is the expected one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from plotsim_core.engine.block import Block
from plotsim_core.engine.lifetimes import recording
from plotsim_core.numerics.arrays import Flags, Floats
from plotsim_core.numerics.estimates import ratio
from plotsim_core.plan.plan import Population, TablePlan
from plotsim_core.tables.kind import table_kind
from plotsim_core.validation.cell_samples import stored_cells
from plotsim_core.validation.check import CHECKS, NO_TABLES, Check, Finding
from plotsim_core.validation.judgement import Measurement
from plotsim_core.validation.residuals import Residuals, residuals
from plotsim_core.validation.row_counts import is_thinned, unit_column
from plotsim_core.validation.store import StoredData
from plotsim_core.validation.trajectory import BANDS, band_finding, units_in

COUNT_BIAS = 0.02
"""The allowed bias of counts: values are rounded, means interpolated."""


@dataclass(frozen=True, eq=False)
class Cells:
    """The `expected` rows of each cell, a mask `is_alive` of cells with a living unit, and the number of `rows`, each of
    shape (periods, units)."""

    expected: Floats
    is_alive: Flags
    rows: Floats


def driver_tables(population: Population, table: TablePlan) -> frozenset[str] | None:
    """Return the tables that are read to judge how many rows a metric drives: none; None for a table without a driver."""
    return NO_TABLES if table.spec.row_driver and unit_column(population, table) else None


def _counts(store: StoredData, table: TablePlan) -> Iterator[Finding]:
    cells = counted_cells(residuals(store), table, stored_counts(store, table))
    bands = {"overall": None, **{f"band {n}": n for n in range(BANDS)}}
    measures = {label: partial(_measure, table=table, original=cells, band=band) for label, band in bands.items()}
    yield band_finding(store, table.name, {label: (measure, COUNT_BIAS) for label, measure in measures.items()})


def stored_counts(store: StoredData, table: TablePlan) -> Floats:
    """Return the number of stored rows of each sampled cell, shape (periods, units)."""
    sample = residuals(store)
    blocks = [Block(store.population, unit_slice) for unit_slice in sample.slices]
    unit = unit_column(store.population, table) or ""
    cells = stored_cells(store, table, unit, blocks, "count(*) AS n", "GROUP BY ALL")
    counts = np.zeros((len(sample.periods), len(sample.segments)))
    counts[cells["period index"].to_numpy(), cells["unit index"].to_numpy()] = cells["n"].to_numpy()
    return counts


def _measure(sample: Residuals, table: TablePlan, original: Cells, band: int | None) -> Measurement | None:
    """Measure the ratio of rows to expected rows; of a replica, with its generated rows."""
    cells = original if sample.original else counted_cells(sample, table, None)
    present, expected = cells.is_alive, cells.expected
    if not present.any():
        return None
    if band is not None:
        edges = np.quantile(expected[present], np.linspace(0, 1, BANDS + 1))
        present = present & (expected >= edges[band]) & ((expected < edges[band + 1]) | (band == BANDS - 1))
    value, error = ratio(cells.rows, expected, present, 1.0)
    return Measurement(value, 1.0, error, units_in(present))


def counted_cells(sample: Residuals, table: TablePlan, stored_rows: Floats | None) -> Cells:
    """Return the sampled cells with their stored rows, or else with generated ones."""
    blocks = [Block(sample.population, unit_slice) for unit_slice in sample.slices]
    expected = np.concatenate([_expected_counts(table, block) for block in blocks], axis=1)
    present = np.concatenate([recording(block) for block in blocks], axis=1)
    rows = np.concatenate([_made_counts(table, block) for block in blocks], axis=1) if stored_rows is None else stored_rows
    return Cells(expected, present, rows)


def _expected_counts(table: TablePlan, block: Block) -> Floats:
    driver, scale = table.spec.row_driver or ("", 0.0)
    metric = block.population.metrics[block.population.metric_index(driver)]
    if is_thinned(block.population, table) or not metric.spec.positive:
        return _made_counts(table, block)
    factors = table_kind(table).row_factors(block.population, block.units, block.periods)
    counts = scale * block.centres(block.population.metric_index(driver))
    return counts if factors is None else counts * factors


def _made_counts(table: TablePlan, block: Block) -> Floats:
    cells = table_kind(table).rows_in(table, block).cell
    return np.bincount(cells, minlength=len(block.periods) * len(block.units)).reshape(block.slice.shape).astype(np.float64)


CHECKS.add(
    "events_follow_driver",
    Check(
        "behaviour",
        "There are as many rows of what happens as the metric that drives them lets expect.",
        False,
        _counts,
        driver_tables,
    ),
)
