"""A threshold event: a row when a stored metric has been above (or below) a level for some periods, the first time.

With `ends_unit` the event ends the life of its unit: after it, the unit makes no rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from plotsim_core.columns.rows import Rows
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.model import Flag, Name, Number
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, CrossingWords, KindWords, Table
from plotsim_core.engine.block import Block
from plotsim_core.engine.life import alive, first_crossings
from plotsim_core.engine.roster import Units
from plotsim_core.errors import Problem
from plotsim_core.numerics.random import Floats
from plotsim_core.plan.plan import TablePlan
from plotsim_core.plan.resolve import crossing
from plotsim_core.tables.date import key_name
from plotsim_core.tables.fact import cut, date_column, version_column
from plotsim_core.tables.kind import Kind, add_kind
from plotsim_core.tables.moments import MICROSECONDS, check_event, end_shares, lengths, moments
from plotsim_core.tables.sample import Sample


class ThresholdEvent(Table):
    """The first time that `metric` has been `above` or `below` a level `for` so many periods in a row."""

    trigger: Literal["threshold"]
    metric: Name
    above: Number | None = None
    below: Number | None = None
    periods: Annotated[int, Field(ge=1, le=1000, strict=True, alias="for")] = 1
    ends_unit: Flag = False

    @model_validator(mode="after")
    def _one_side(self) -> ThresholdEvent:
        if (self.above is None) == (self.below is None):
            raise ValueError("give either `above` or `below`: the level that the metric has to cross")
        return self


def words(table: ThresholdEvent) -> CrossingWords:
    """Return the crossing that a threshold event waits for."""
    return CrossingWords(table.metric, table.above, table.below, table.periods)


def _check(table: ThresholdEvent, scope: Scope) -> Iterable[Problem]:
    yield from check_event(table, scope)
    yield from scope.unknown_metric(table.metric, "metric")
    metric = scope.metrics.get(table.metric)
    side, level = ("above", table.above) if table.above is not None else ("below", table.below)
    if metric is not None and level is not None:
        low, high = metric.bounds or (0.0 if metric.positive else -math.inf, math.inf)
        if not low < level < high and not (side == "above" and level == low):
            inside = f"lies in [{low:g}, {high:g}] and never crosses" if metric.bounds else "is never below"
            yield Problem(side, f"{table.metric} {inside} {level:g}")
    window = scope.window
    if window is not None and window.stop is not None and table.periods > window.stop - window.first:
        yield Problem("for", f"expected at most the window's {window.stop - window.first} periods, found {table.periods}")


def _rows(table: TablePlan, block: Block) -> Rows:
    assert isinstance(table.spec, ThresholdEvent)
    fired = first_crossings(block.plan, crossing(block.plan.dataset, words(table.spec)), block.units, block.slice.stop)
    cell = np.flatnonzero(((block.periods[:, None] == fired[None, :]) & alive(block)).ravel())
    period, unit = np.divmod(cell, len(block.units))
    left = lengths(block).ravel()[cell]
    share = end_shares(block, table.name).ravel()[cell]
    if table.spec.ends_unit:
        whole = block.plan.grain.seconds(block.periods)[period] * MICROSECONDS
        within = (whole * share).astype(np.int64)
        first = within <= left  # of two events that would end a unit in one period, the earlier does
        cell, period, unit, within = cell[first], period[first], unit[first], within[first]
    else:
        within = (left * share).astype(np.int64)
    return Rows(
        block=block,
        address=block.address.ravel()[cell],
        unit=unit,
        period=block.periods[period],
        cell=cell,
        moment=moments(block, period, within),
    )


def _expect(table: TablePlan, sample: Sample) -> Floats:
    """At most one row per unit; when is not known, so they are spread over its time."""
    stop = sample.plan.first + sample.plan.span

    def share(units: Units) -> Floats:
        left = np.maximum(stop - np.maximum(units.arrival, sample.periods[0]), 1)
        return sample.arrived(units) / left

    return sample.total(share)


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
    Kind(cut, _rows, _expect, state=False),
)
