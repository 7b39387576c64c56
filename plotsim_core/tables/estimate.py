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
from plotsim_core.engine.life import alive
from plotsim_core.engine.roster import part
from plotsim_core.engine.slice import Slice, blocks
from plotsim_core.numerics.random import Floats
from plotsim_core.plan.plan import TablePlan
from plotsim_core.tables.kind import KINDS
from plotsim_core.tables.sample import Sample

_COUNTED = 1 << 19
"""At most about so many cells are looked at, and so many rows counted, for one table."""
_STRETCHES = 32
"""What is reckoned is set right for so many stretches of time by themselves."""
_NOTHING = 1e-9


def expected(table: TablePlan, sample: Sample) -> Floats:
    """Return the expected rows of each of the sample's periods, shape (periods,): how many there are, or of a state, how
    many there are at the end of the period."""
    kind = KINDS[table.kind]
    reckoned = kind.expect(table, sample)
    if not kind.sampled:
        return reckoned
    some = _some(sample, float(np.mean(reckoned)) * _length(sample))
    counted, told = _counted(table, some), _between(kind.expect(table, some), some)
    if told.sum() <= 0.0:
        return np.full(len(reckoned), counted.mean())
    edges = np.linspace(0, len(told), min(_STRETCHES, len(told)) + 1).round().astype(np.int64)[:-1]
    share = np.add.reduceat(counted, edges) / np.maximum(np.add.reduceat(told, edges), _NOTHING)
    stretch = np.searchsorted(edges, sample.periods - sample.periods[0], side="right") - 1
    rows = reckoned * np.where(np.add.reduceat(told, edges) > _NOTHING, share, 0.0)[stretch]
    short = counted.sum() / told.sum() * _between(reckoned, sample).sum() / max(_between(rows, sample).sum(), _NOTHING)
    return rows * short


def remaining(sample: Sample) -> Floats:
    """Return the share of those who are there by arrival and tenure that no event has ended, in each of the sample's
    periods."""
    if not sample.plan.endings:
        return np.ones(len(sample.periods))
    some = _some(sample, 0.0)
    there, stay = np.zeros(_length(sample)), np.zeros(_length(sample))
    for weight, slice_ in _slices(some):
        for piece in blocks(sample.plan, slice_):
            here = Block(sample.plan, piece)
            at = slice(piece.first - int(sample.periods[0]), piece.stop - int(sample.periods[0]))
            there[at] += weight * here.tenured.sum(axis=1)
            stay[at] += weight * alive(here).sum(axis=1)
    share: Floats = (stay / np.maximum(there, _NOTHING))[sample.periods - sample.periods[0]]
    return share


def delivered_after(issue: Issue, sample: Sample, rows: Floats) -> Floats:
    """Return how many of `rows` that are delivered late or again are so in each of the sample's periods."""
    come = np.zeros(len(rows))
    for delay in range(1, issue.delay + 1):
        there = sample.periods - delay
        come += np.where(there >= sample.plan.first, np.interp(there, sample.periods, rows), 0.0) / issue.delay
    return come


def _length(sample: Sample) -> int:
    return int(sample.periods[-1] - sample.periods[0]) + 1


def _between(rows: Floats, sample: Sample) -> Floats:
    """Return rows in the sample's periods as rows in all periods from the first to the last."""
    return np.interp(np.arange(sample.periods[0], sample.periods[-1] + 1), sample.periods, rows)


def _some(sample: Sample, rows: float) -> Sample:
    """Return some units of each part of a sample, of which all together have about so many `rows`."""
    cells = sum(len(units) for _, units in sample.parts) * _length(sample)
    stands = sum(weight * len(units) for weight, units in sample.parts) * _length(sample)
    share = min(1.0, _COUNTED / max(cells, rows * cells / max(stands, 1.0), 1.0))
    parts = []
    for weight, units in sample.parts:
        count = max(1, round(share * len(units)))
        parts.append((weight * len(units) / count, part(units, units.start, units.start + count)))
    return replace(sample, parts=tuple(parts))


def _slices(sample: Sample) -> list[tuple[float, Slice]]:
    first, stop = int(sample.periods[0]), int(sample.periods[-1]) + 1
    return [(weight, Slice(first, stop, own.start, own.start + len(own))) for weight, own in sample.parts]


def _counted(table: TablePlan, sample: Sample) -> Floats:
    """Return how many rows the units of a sample stand for in each of all periods."""
    kind, plan = KINDS[table.kind], sample.plan.clean or sample.plan
    clean = plan.table(table.name) if table.issues else table
    found = np.zeros(_length(sample))
    for weight, slice_ in _slices(sample):
        for piece in kind.cut(plan, slice_):
            rows = kind.rows(clean, block(plan, piece))
            found += weight * np.bincount(rows.period - sample.periods[0], minlength=len(found))
    return found
