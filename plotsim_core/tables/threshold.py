"""A threshold event: a row when a stored metric has been above (or below) a level for some periods, the first time.

With `ends_unit` the event ends the life of its unit: after it, the unit makes no rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from plotsim_core.columns.rows import Rows
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.model import Name
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, CrossingWords, KindWords, Table
from plotsim_core.engine.block import Block
from plotsim_core.engine.life import alive, first_crossings
from plotsim_core.plan.plan import TablePlan
from plotsim_core.plan.resolve import crossing
from plotsim_core.tables.date import key_name
from plotsim_core.tables.fact import cut, date_column, version_column
from plotsim_core.tables.kind import Kind, add_kind
from plotsim_core.tables.moments import check_event, end_shares, lengths, moments


class ThresholdEvent(Table):
    """The first time that `metric` has been `above` or `below` a level `for` so many periods in a row."""

    trigger: Literal["threshold"]
    metric: Name
    above: float | None = None
    below: float | None = None
    periods: Annotated[int, Field(ge=1, le=1000, strict=True, alias="for")] = 1
    ends_unit: bool = False

    @model_validator(mode="after")
    def _one_side(self) -> ThresholdEvent:
        if (self.above is None) == (self.below is None):
            raise ValueError("give either `above` or `below`: the level that the metric has to cross")
        return self


def words(table: ThresholdEvent) -> CrossingWords:
    """Return the crossing that a threshold event waits for."""
    return CrossingWords(table.metric, table.above, table.below, table.periods)


def _check(table: ThresholdEvent, scope: Scope) -> Iterable[str]:
    yield from check_event(table, scope)
    yield from scope.unknown_metric(table.metric)
    metric = scope.metrics.get(table.metric)
    level = table.above if table.above is not None else table.below
    if metric is not None and metric.bounds is not None and level is not None:
        low, high = metric.bounds
        if not low < level < high:
            yield f"{table.metric} lies in [{low:g}, {high:g}] and never crosses {level:g}"


def _rows(table: TablePlan, block: Block) -> Rows:
    assert isinstance(table.spec, ThresholdEvent)
    fired = first_crossings(block.plan, crossing(block.plan.dataset, words(table.spec)), block.units, block.slice.stop)
    cell = np.flatnonzero(((block.periods[:, None] == fired[None, :]) & alive(block)).ravel())
    period, unit = np.divmod(cell, len(block.units))
    whole = block.plan.grain.seconds(block.periods)[period] * 1_000_000
    available = whole if table.spec.ends_unit else lengths(block).ravel()[cell]
    share = end_shares(block, table.name).ravel()[cell]
    return Rows(
        block=block,
        address=block.address.ravel()[cell],
        unit=unit,
        period=block.periods[period],
        cell=cell,
        moment=moments(block, period, (available * share).astype(np.int64)),
    )


def _added(table: ThresholdEvent, dataset: Dataset) -> tuple[Column, ...]:
    return version_column(table, dataset)


def _describe(table: ThresholdEvent, dataset: Dataset) -> str:
    side, level = ("above", table.above) if table.above is not None else ("below", table.below)
    return f"When {table.metric} has been {side} {level:g} for {table.periods} {dataset.window.grain.name}(s)."


add_kind(
    "threshold",
    KindWords(
        section="events",
        recognise=lambda raw, unit: raw.get("trigger") == "threshold",
        model=ThresholdEvent,
        knows=frozenset({"unit", "period", "cell", "event", "key"}),
        key=lambda table, dataset: (key_name(table),),
        describe=_describe,
        check=_check,
        time=date_column,
        added=_added,
        ending=lambda table: words(table) if table.ends_unit else None,
    ),
    Kind(cut, _rows, state=False),
)
