"""A threshold event: a row when a stored metric has been above (or below) a level for some periods, the first time.

With `refire` there is one each time that this has come true anew, after it had not been. With `ends_unit` the event ends
the life of its unit: after it, the unit makes no rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AliasChoices, Field, model_validator

from plotsim_core.columns.primary_key import key_column
from plotsim_core.columns.rows import Rows
from plotsim_core.config.calendar import Rhythm
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.model import Flag, Name, Number
from plotsim_core.config.output import Event
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, CrossingWords, KindWords, row_noun
from plotsim_core.config.words import capitalised, phrase
from plotsim_core.engine.block import Block
from plotsim_core.engine.lifetimes import alive, first_crossings, repeat_crossings
from plotsim_core.engine.roster import Units
from plotsim_core.engine.slice import Slice
from plotsim_core.errors import Problem, ProblemError
from plotsim_core.numerics.random import Floats
from plotsim_core.plan.plan import TablePlan
from plotsim_core.plan.resolve import crossing
from plotsim_core.tables.estimate_sample import Sample
from plotsim_core.tables.fact import cut, date_column, needs_references, reference_to, version_column
from plotsim_core.tables.kind import Kind, add_kind
from plotsim_core.tables.timestamps import available_lengths, end_shares, moments, offsets_to_end, offsets_within

_REPLAYED = 1 << 17
"""Cells of each segment in which crossings are counted for an estimate."""


_FOR = AliasChoices("for", "for_periods")


class ThresholdEvent(Event):
    """The first time that `metric` has been `above` or `below` a level `for` so many periods in a row. Without a column of
    type id, a row is told by its unit and its date.

    With `refire`, each time that this comes true again after it was broken, but not within `again_after` periods.

    `trigger`: what makes it happen. `periods`: how many periods in a row; written `for`, or
    `for_periods`. `ends_unit`: a unit has no
    rows after it. `rhythm`: weekdays and hours of its own; what it leaves open is the dataset's.
    """

    trigger: Literal["threshold"]
    metric: Name
    above: Number | None = None
    below: Number | None = None
    periods: Annotated[int, Field(ge=1, le=1000, strict=True, alias="for", validation_alias=_FOR)] = 1
    ends_unit: Flag = False
    refire: Flag = False
    again_after: Annotated[int, Field(ge=2, le=10_000, strict=True)] | None = None
    rhythm: Rhythm | None = None

    @model_validator(mode="before")
    @classmethod
    def _once(cls, value: Any) -> Any:
        if isinstance(value, dict) and {*_FOR.choices} <= value.keys():
            raise ProblemError(Problem("for_periods", "says the same as for; give one of them"))
        return value

    @model_validator(mode="after")
    def _one_side(self) -> ThresholdEvent:
        if (self.above is None) == (self.below is None):
            raise ValueError("give either `above` or `below`: the level that the metric has to cross")
        if self.refire and self.ends_unit:
            raise ProblemError(Problem("refire", "has no effect with `ends_unit`: a unit ends once"))
        if self.again_after is not None and not self.refire:
            raise ProblemError(Problem("again_after", "has no effect without `refire`"))
        if self.again_after is not None and self.again_after <= self.periods + 1:
            reason = f"two crossings of {self.periods} periods each are never closer than {self.periods + 1}"
            raise ProblemError(Problem("again_after", f"has no effect: {reason}"))
        return self


def words(table: ThresholdEvent) -> CrossingWords:
    """Return the crossing that a threshold event waits for."""
    return CrossingWords(table.metric, table.above, table.below, table.periods)


def _check(table: ThresholdEvent, scope: Scope) -> Iterable[Problem]:
    yield from needs_references(table, scope)
    yield from scope.unknown_metric(table.metric, "metric")
    metric = scope.metrics.get(table.metric)
    side, level = ("above", table.above) if table.above is not None else ("below", table.below)
    if metric is not None and level is not None:
        low, high = metric.bounds or (0.0 if metric.positive else -math.inf, math.inf)
        if not low < level < high and not (side == "above" and level == low):
            message = f"lies in [{low:g}, {high:g}] and never crosses" if metric.bounds else "is never below"
            yield Problem(side, f"{table.metric} {message} {level:g}")
    window = scope.window
    if window is not None and window.stop is not None and table.periods > window.stop - window.first:
        yield Problem("for", f"expected at most the window's {window.stop - window.first} periods, found {table.periods}")


def _rows(table: TablePlan, block: Block) -> Rows:
    assert isinstance(table.spec, ThresholdEvent)
    event_crossing = crossing(block.population.dataset, words(table.spec))
    if table.spec.refire:
        is_fired = repeat_crossings(block, event_crossing, table.spec.again_after or 1)
    else:
        is_fired = (
            block.periods[:, None]
            == first_crossings(block.population, event_crossing, block.units, block.slice.stop)[None, :]
        )
    cell = np.flatnonzero((is_fired & alive(block)).ravel())
    available = available_lengths(block).ravel()[cell]
    if table.spec.ends_unit:
        offset = offsets_to_end(block, table, cell)
        is_first = offset <= available  # of two events that would end a unit in one period, the earlier does
        cell, offset = cell[is_first], offset[is_first]
    else:
        offset = offsets_within(block, table, cell, end_shares(block, table.name).ravel()[cell], available)
    period, unit = np.divmod(cell, len(block.units))
    return Rows(
        block=block,
        address=block.address.ravel()[cell],
        unit=unit,
        period=block.periods[period],
        cell=cell,
        moment=moments(block, period, offset),
    )


def _expect(table: TablePlan, sample: Sample) -> Floats:
    """At most one row per unit, in an unknown period, so it is spread over the unit's time. With `refire`, the rows of some
    units of each segment are counted."""
    if table.spec.refire:  # type: ignore[attr-defined]
        return sample.total(lambda units: sample.there(units).astype(np.float64) * _rate(table, sample, units))

    def share(units: Units) -> Floats:
        course = units.begin + units.course
        end = np.minimum(np.where(course > sample.periods[0], course, sample.periods[-1] + 1), units.leaves)
        remaining = np.maximum(end - np.maximum(units.arrival, sample.periods[0]), 1)
        return sample.there(units) / remaining

    return sample.total(share)


def _rate(table: TablePlan, sample: Sample, units: Units) -> float:
    """Return how many rows a unit has per period of its life."""
    first, stop = int(sample.periods[0]), int(sample.periods[-1]) + 1
    count = max(1, min(len(units), _REPLAYED // (stop - sample.population.first)))
    block = Block(sample.population, Slice(first, stop, units.start, units.start + count))
    unit_periods = int(np.count_nonzero(block.periods[:, None] >= block.units.arrival[None, :]))
    return len(_rows(table, block)) / max(1, unit_periods)


def _key(table: ThresholdEvent, dataset: Dataset) -> tuple[str, ...]:
    key = key_column(table)
    return (key.name,) if key is not None else tuple(reference_to(kind, table, dataset) for kind in ("unit", "date"))


def _added(table: ThresholdEvent, dataset: Dataset) -> tuple[Column, ...]:
    return version_column(table, dataset)


def _describe(table: ThresholdEvent, dataset: Dataset) -> str:
    side, level = ("above", table.above) if table.above is not None else ("below", table.below)
    frequency = "each time that" if table.refire else "the first time that"
    grain = dataset.window.grain.name
    duration = f"{table.periods} {grain}s" if table.periods > 1 else f"one {grain}"
    subject = f"{capitalised(row_noun(table))} of the {phrase(dataset.unit)}"
    return f"{subject}, {frequency} {phrase(table.metric)} has been {side} {level:g} for {duration}."


add_kind(
    "threshold",
    KindWords(
        section="events",
        recognise=lambda raw, unit: raw.get("trigger") == "threshold",
        model=ThresholdEvent,
        knows=frozenset({"unit", "period", "cell", "metrics", "event", "key"}),
        key=_key,
        describe=_describe,
        check=_check,
        time=date_column,
        added=_added,
        ending=lambda table: words(table) if table.ends_unit else None,
    ),
    Kind(cut, _rows, _expect, state=False, sampled=True),
)
