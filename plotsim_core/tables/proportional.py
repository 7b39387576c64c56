"""A proportional event: as many rows per unit and period as a Poisson draw around `scale` times a metric's true value.

Rows of one unit and period are in the order of time, and numbered in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

import numpy as np
from pydantic import Field
from scipy.special import ndtri

from plotsim_core.columns.rows import Integers, Rows
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.model import Name
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, KindWords, Table
from plotsim_core.engine.block import Block
from plotsim_core.engine.life import alive
from plotsim_core.engine.metrics import centres, reads
from plotsim_core.engine.roster import Units
from plotsim_core.engine.slice import CHUNK, Slice, blocks
from plotsim_core.errors import Problem, shown
from plotsim_core.numerics.quantiles import quantile_table
from plotsim_core.numerics.random import Floats, fold, key, normals, uniforms, words
from plotsim_core.plan.plan import Plan, TablePlan
from plotsim_core.tables.child import numbered
from plotsim_core.tables.date import key_name
from plotsim_core.tables.fact import date_column, version_column
from plotsim_core.tables.kind import Kind, add_kind
from plotsim_core.tables.moments import check_event, lengths, moments
from plotsim_core.tables.sample import Sample

_CROWD = 8
"""How many rows a cell is taken to have when blocks are cut."""
_LEVELS = 15
"""How many quantiles stand for a distribution where its mean says too little."""


_MOST = 1_000_000


class ProportionalEvent(Table):
    """`scale` rows per unit of the metric `driver`, on average."""

    trigger: Literal["proportional"]
    driver: Name
    scale: Annotated[float, Field(gt=0, le=100, strict=True)] = 1.0


def _check(table: ProportionalEvent, scope: Scope) -> Iterable[Problem]:
    yield from check_event(table, scope)
    yield from scope.unknown_metric(table.driver, "driver")
    metric = scope.metrics.get(table.driver)
    if metric is not None and metric.means[1] * table.scale > _MOST:
        found = f"found about {shown(round(metric.means[1] * table.scale))} at position 1"
        yield Problem("scale", f"expected at most {_MOST} rows per {scope.unit} and period, {found}", "make it smaller")


def event_counts(table: TablePlan, block: Block) -> Integers:
    """Return how many rows each cell of a block has, shape (periods, units)."""
    spec = table.spec
    assert isinstance(spec, ProportionalEvent)
    place = block.plan.metric_index(spec.driver)
    usual = block.plan.metrics[place].spec.means[1] * spec.scale
    poisson = quantile_table("poisson", (), None, (max(usual, 1e-3), max(usual, 1e-3)))
    mean = np.maximum(block.correlated(place), 0.0) * spec.scale
    drawn = poisson.lookup(mean, normals(key(block.plan.seed, "events", table.name), block.address))
    return np.where(alive(block) & (mean > 0), drawn, 0.0).astype(np.int64)


def _rows(table: TablePlan, block: Block) -> Rows:
    cell, number = numbered(event_counts(table, block).ravel())
    drawn = fold(block.address.ravel()[cell], words(number))
    share = uniforms(key(block.plan.seed, "moment", table.name), drawn)
    share = share[np.lexsort((share, cell))]
    period, unit = np.divmod(cell, len(block.units))
    return Rows(
        block=block,
        address=drawn,
        unit=unit,
        period=block.periods[period],
        cell=cell,
        ordinal=number,
        moment=moments(block, period, (share * lengths(block).ravel()[cell]).astype(np.int64)),
    )


def _expect(table: TablePlan, sample: Sample) -> Floats:
    spec = table.spec
    assert isinstance(spec, ProportionalEvent)
    plan, place = sample.plan, sample.plan.metric_index(spec.driver)
    metric = plan.metrics[place]
    scores = ndtri((np.arange(_LEVELS) + 0.5) / _LEVELS)

    def rows(units: Units) -> Floats:
        every = np.arange(sample.periods[0], sample.periods[-1] + 1)
        read = reads(plan, place, units, every)[sample.periods - every[0]]
        centre = centres(plan, metric, units, sample.periods, read)
        if not metric.spec.positive:  # there are no rows where the metric is negative, whatever its mean
            centre = np.mean([np.maximum(metric.quantiles.lookup(centre, score), 0.0) for score in scores], axis=0)
        return sample.arrived(units) * centre * spec.scale

    return sample.total(rows)


def _cut(plan: Plan, slice_: Slice) -> Iterator[Slice]:
    """Cut a slice so that a block has about as many rows as the blocks of other tables have cells."""
    return blocks(slice_, CHUNK // _CROWD)


def _added(table: ProportionalEvent, dataset: Dataset) -> tuple[Column, ...]:
    return version_column(table, dataset)


add_kind(
    "proportional",
    KindWords(
        section="events",
        recognise=lambda raw, unit: raw.get("trigger") == "proportional",
        model=ProportionalEvent,
        knows=frozenset({"unit", "period", "cell", "event", "key"}),
        key=lambda table, dataset: (key_name(table),),
        describe=lambda table, dataset: f"Events in proportion to {table.driver}.",
        check=_check,
        time=date_column,
        added=_added,
    ),
    Kind(_cut, _rows, _expect, state=False),
)
