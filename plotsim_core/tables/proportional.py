"""A proportional event: as many rows per unit and period as a Poisson draw around `scale` times a metric's true value.

Rows of one unit and period are in the order of time, and numbered in it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from plotsim_core.columns.rows import Integers, Rows
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.model import Name
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, KindWords, Table
from plotsim_core.engine.block import Block
from plotsim_core.engine.life import alive
from plotsim_core.numerics.quantiles import quantile_table
from plotsim_core.numerics.random import fold, key, normals, uniforms, words
from plotsim_core.plan.plan import TablePlan
from plotsim_core.tables.child import numbered
from plotsim_core.tables.date import key_name
from plotsim_core.tables.fact import cut, date_column, version_column
from plotsim_core.tables.kind import Kind, add_kind
from plotsim_core.tables.moments import check_event, lengths, moments


class ProportionalEvent(Table):
    """`scale` rows per unit of the metric `driver`, on average."""

    trigger: Literal["proportional"]
    driver: Name
    scale: Annotated[float, Field(gt=0, le=100)] = 1.0


def _check(table: ProportionalEvent, scope: Scope) -> Iterable[str]:
    yield from check_event(table, scope)
    yield from scope.unknown_metric(table.driver)


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
    Kind(cut, _rows, state=False),
)
