"""How many rows tables are expected to have: what a kind reckons, set right by the rows that some units really have.

A kind reckons with means and with everybody who has arrived. Who leaves by an event, and which rows find nothing to refer
to, only making them tells. So the rows of some units of each stratum are counted (they are not filled), of all of them while
there are few, and what the kind reckons of the same units is set in proportion.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from plotsim_core.config.quality import Issue
from plotsim_core.engine.block import Block, block
from plotsim_core.engine.lifetimes import alive
from plotsim_core.engine.roster import slice_units
from plotsim_core.engine.slice import Slice, blocks, full_slice
from plotsim_core.numerics.arrays import Floats
from plotsim_core.plan.plan import TablePlan
from plotsim_core.tables.estimate_sample import Sample
from plotsim_core.tables.kind import table_kind

_CELLS = 1 << 19
"""Most cells that are looked at, and most rows that are counted, for one table."""
_STRETCHES = 32
"""Number of stretches of time whose estimates are corrected separately."""
_TINY = 1e-9


def expected_rows(table: TablePlan, sample: Sample) -> Floats:
    """Return the expected rows of each of the sample's periods, shape (periods,): how many there are, or of a state, how
    many there are at the end of the period."""
    kind = table_kind(table)
    estimate = kind.expect(table, sample)
    if not kind.is_sampled:
        return estimate if table.spec.filter is None else estimate * _kept_share(table, sample)
    subsample = _subsample(sample, float(np.mean(estimate)) * _length(sample))
    counts, estimates = _row_counts(table, subsample), _interpolated(kind.expect(table, subsample), subsample)
    if estimates.sum() <= 0.0:
        return np.full(len(estimate), counts.mean())
    edges = np.linspace(0, len(estimates), min(_STRETCHES, len(estimates)) + 1).round().astype(np.int64)[:-1]
    share = np.add.reduceat(counts, edges) / np.maximum(np.add.reduceat(estimates, edges), _TINY)
    stretch = np.searchsorted(edges, sample.periods - sample.periods[0], side="right") - 1
    rows = estimate * np.where(np.add.reduceat(estimates, edges) > _TINY, share, 0.0)[stretch]
    correction = (
        counts.sum()
        / estimates.sum()
        * _interpolated(estimate, sample).sum()
        / max(_interpolated(rows, sample).sum(), _TINY)
    )
    corrected: Floats = rows * correction
    return corrected


def _kept_share(table: TablePlan, sample: Sample) -> float:
    """Return the share of rows that a table keeps, in the first block of the sample's last period; 1 where it has none."""
    kind, population = table_kind(table), sample.population
    last = int(sample.periods[-1])
    piece = next(iter(kind.cut(population, full_slice(population, last, last + 1))), None)
    if piece is None:
        return 1.0
    last_block = block(population, piece)
    whole_table = replace(table.clean, spec=table.spec.model_copy(update={"where": None}))
    candidates = table_kind(whole_table).rows_in(whole_table, last_block)
    return len(kind.rows_in(table.clean, last_block)) / len(candidates) if len(candidates) else 1.0


def remaining_share(sample: Sample) -> Floats:
    """Return the share of those who are there by arrival and tenure that no event has ended, in each of the sample's
    periods."""
    if not sample.population.endings:
        return np.ones(len(sample.periods))
    subsample = _subsample(sample, 0.0)
    tenured_units, living_units = np.zeros(_length(sample)), np.zeros(_length(sample))
    for weight, slice_ in _slices(subsample):
        for piece in blocks(sample.population, slice_):
            piece_block = Block(sample.population, piece)
            span = slice(piece.first - int(sample.periods[0]), piece.stop - int(sample.periods[0]))
            tenured_units[span] += weight * piece_block.tenured.sum(axis=1)
            living_units[span] += weight * alive(piece_block).sum(axis=1)
    share: Floats = (living_units / np.maximum(tenured_units, _TINY))[sample.periods - sample.periods[0]]
    return share


def delivered_after(issue: Issue, sample: Sample, rows: Floats) -> Floats:
    """Return how many of `rows` that are delivered late or again are so in each of the sample's periods."""
    deliveries = np.zeros(len(rows))
    for delay in range(1, issue.delay + 1):
        origins = sample.periods - delay
        deliveries += (
            np.where(origins >= sample.population.first, np.interp(origins, sample.periods, rows), 0.0) / issue.delay
        )
    return deliveries


def _length(sample: Sample) -> int:
    return int(sample.periods[-1] - sample.periods[0]) + 1


def _interpolated(rows: Floats, sample: Sample) -> Floats:
    """Return rows in the sample's periods as rows in all periods from the first to the last."""
    return np.interp(np.arange(sample.periods[0], sample.periods[-1] + 1), sample.periods, rows)


def _subsample(sample: Sample, rows: float) -> Sample:
    """Return some units of each part of a sample, which have about `rows` rows together."""
    cells = sum(len(units) for _, units in sample.parts) * _length(sample)
    represented = sum(weight * len(units) for weight, units in sample.parts) * _length(sample)
    share = min(1.0, _CELLS / max(cells, rows * cells / max(represented, 1.0), 1.0))
    parts = []
    for weight, units in sample.parts:
        count = max(1, round(share * len(units)))
        parts.append((weight * len(units) / count, slice_units(units, units.start, units.start + count)))
    return replace(sample, parts=tuple(parts))


def _slices(sample: Sample) -> list[tuple[float, Slice]]:
    first, stop = int(sample.periods[0]), int(sample.periods[-1]) + 1
    return [(weight, Slice(first, stop, units.start, units.stop)) for weight, units in sample.parts]


def _row_counts(table: TablePlan, sample: Sample) -> Floats:
    """Return how many rows the units of a sample stand for in each of all periods, of a state as of their ends."""
    kind, population = table_kind(table), sample.population
    counts = np.zeros(_length(sample))
    for weight, slice_ in _slices(sample):
        for piece in kind.cut(population, slice_):
            rows = kind.rows_in(table.clean, block(population, piece))
            since = np.maximum(rows.period - sample.periods[0], 0)  # those of a state were there before
            counts += weight * np.bincount(since, minlength=len(counts))
    return np.cumsum(counts) if table.spec.is_state else counts
