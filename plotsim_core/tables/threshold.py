"""A threshold event: a row when a stored metric has been above (or below) a level for some periods, the first time.

With `refire` there is one each time that this has come true anew, after it had not been. With `ends_unit` the event ends
the life of its unit: after it, the unit makes no rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import AliasChoices, Field, model_validator

from plotsim_core.columns.primary_key import key_column
from plotsim_core.columns.rows import Rows
from plotsim_core.config.absent_words import Absence
from plotsim_core.config.calendar import Rhythm
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.model import Flag, Name, Number
from plotsim_core.config.output import Event
from plotsim_core.config.partial import refuse
from plotsim_core.config.scope import Scope
from plotsim_core.config.table_kind import CrossingWords, Knowledge, Section
from plotsim_core.config.table_shape import UNIT, Shape, Spelling, spelled
from plotsim_core.config.tables import Column, row_noun
from plotsim_core.config.words import capitalised, phrase
from plotsim_core.config.written_tables import WHEN
from plotsim_core.engine.block import Block
from plotsim_core.engine.lifetimes import alive, first_crossings, repeat_crossings
from plotsim_core.engine.roster import Units
from plotsim_core.engine.slice import Slice
from plotsim_core.errors import Problem, ProblemError
from plotsim_core.numerics.arrays import Floats
from plotsim_core.plan.plan import TablePlan
from plotsim_core.plan.resolve import crossing
from plotsim_core.tables.estimate_sample import Sample
from plotsim_core.tables.fact import needs_references, reference_to, version_column
from plotsim_core.tables.kind import TableKind, add_kind
from plotsim_core.tables.timestamps import available_lengths, end_shares, moments, offsets_to_end, offsets_within

_REPLAYED = 1 << 17
"""Cells of each segment in which crossings are counted for an estimate."""


_FOR = AliasChoices("for", "for_periods")


@add_kind
class ThresholdEvent(TableKind, Event):
    """The first time that `metric` has been `above` or `below` a level `for` so many periods in a row. Without a column of
    type id, a row is told by its unit and its date.

    With `refire`, each time that this comes true again after it was broken, but not within `again_after` periods.
    """

    kind: ClassVar[str] = "threshold"
    older: ClassVar[frozenset[str]] = frozenset({"trigger", "for_periods", *WHEN})
    section: ClassVar[Section] = "events"
    knows: ClassVar[frozenset[Knowledge]] = frozenset({"unit", "period", "cell", "metrics", "event", "key"})
    row_stage: ClassVar[str | None] = "noised_metrics"
    has_moments: ClassVar[bool] = True
    has_keyed_rows: ClassVar[bool] = True
    shape_words: ClassVar[tuple[str, ...]] = ("per", "when")
    absent: ClassVar[Mapping[str, Absence]] = {
        word: Absence("has no place here: `when` says which rows there are", "leave it out") for word in ("rows", "where")
    }

    trigger: Literal["threshold"]
    """What makes it happen."""
    metric: Name
    """The metric that is watched."""
    above: Number | None = None
    """The level that the metric has to be above."""
    below: Number | None = None
    """The level that the metric has to be below."""
    periods: Annotated[int, Field(ge=1, le=1000, strict=True, alias="for", validation_alias=_FOR)] = 1
    """How many periods in a row."""
    ends_unit: Flag = False
    """A unit has no rows after it."""
    refire: Flag = False
    """Whether there is a row each time that this comes true again after it was broken."""
    again_after: Annotated[int, Field(ge=2, le=10_000, strict=True)] | None = None
    """How many periods at least lie between two rows of a unit, with `refire`."""
    rhythm: Rhythm | None = None
    """Weekdays and hours of its own; what it leaves open is the dataset's."""

    @model_validator(mode="before")
    @classmethod
    def _once(cls, value: Any) -> Any:
        if isinstance(value, dict) and {*_FOR.choices} <= value.keys():
            raise ProblemError(Problem("for_periods", "says the same as for; give one of them"))
        return value

    @model_validator(mode="after")
    def _consistent(self) -> ThresholdEvent:
        refuse(self._side_problems(), self._refire_problems())
        return self

    def _side_problems(self) -> Iterator[Problem]:
        if (self.above is None) == (self.below is None):
            yield Problem("", "give either `above` or `below`: the level that the metric has to cross")

    def _refire_problems(self) -> Iterator[Problem]:
        if self.refire and self.ends_unit:
            yield Problem("refire", "has no effect with `ends_unit`: a unit ends once")
        if self.again_after is not None and not self.refire:
            yield Problem("again_after", "has no effect without `refire`")
        elif self.again_after is not None and self.again_after <= self.periods + 1:
            reason = f"two crossings of {self.periods} periods each are never closer than {self.periods + 1}"
            yield Problem("again_after", f"has no effect: {reason}")

    @classmethod
    def recognise(cls, raw: Mapping[str, Any], unit: str) -> bool:
        return raw.get("trigger") == "threshold"

    @classmethod
    def of_shape(cls, shape: Shape) -> Spelling | None:
        when = shape.raw.get("when")
        if shape.per != (UNIT,) or not isinstance(when, Mapping):
            return None
        spelling = spelled(shape, trigger="threshold", **{str(word): value for word, value in when.items()})
        raw = {word: value for word, value in spelling.raw.items() if word != "when"}
        return Spelling(raw, {word: f"when.{word}" for word in (*when, *WHEN) if isinstance(word, str)})

    @property
    def crossing(self) -> CrossingWords:
        """The crossing that it waits for."""
        return CrossingWords(self.metric, self.above, self.below, self.periods)

    @property
    def is_single(self) -> bool:
        return not self.refire

    @property
    def row_rhythm(self) -> Rhythm | None:
        return self.rhythm

    def ending(self) -> CrossingWords | None:
        return self.crossing if self.ends_unit else None

    def key_columns(self, dataset: Dataset) -> tuple[str, ...]:
        key = key_column(self)
        if key is not None:
            return (key.name,)
        return reference_to(dataset.unit_dimension, self), reference_to(dataset.date_dimension, self)

    def added_columns(self, dataset: Dataset) -> tuple[Column, ...]:
        return version_column(self, dataset)

    def describe(self, dataset: Dataset) -> str:
        side, level = ("above", self.above) if self.above is not None else ("below", self.below)
        frequency = "each time that" if self.refire else "the first time that"
        grain = dataset.grain
        duration = f"{self.periods} {grain.plural}" if self.periods > 1 else f"one {grain.noun}"
        subject = f"{capitalised(row_noun(self))} of the {phrase(dataset.unit)}"
        return f"{subject}, {frequency} {phrase(self.metric)} has been {side} {level:g} for {duration}."

    def check(self, scope: Scope) -> Iterable[Problem]:
        yield from needs_references(self, scope)
        yield from scope.unknown_metric(self.metric, "metric")
        metric = scope.metrics.get(self.metric)
        side, level = ("above", self.above) if self.above is not None else ("below", self.below)
        if metric is not None and level is not None:
            low, high = metric.bounds or (0.0 if metric.positive else -math.inf, math.inf)
            if not low < level < high and not (side == "above" and level == low):
                message = f"lies in [{low:g}, {high:g}] and never crosses" if metric.bounds else "is never below"
                yield Problem(side, f"{self.metric} {message} {level:g}")
        window = scope.window
        if window is not None and window.stop is not None and self.periods > window.stop - window.first:
            length = window.stop - window.first
            yield Problem("for", f"expected at most the window's {length} periods, found {self.periods}")

    def rows_in(self, table: TablePlan, block: Block) -> Rows:
        event_crossing = crossing(block.population.dataset, self.crossing)
        if self.refire:
            is_fired = repeat_crossings(block, event_crossing, self.again_after or 1)
        else:
            is_fired = block.periods[:, None] == first_crossings(block, event_crossing)[None, :]
        cell = np.flatnonzero((is_fired & alive(block)).ravel())
        available = available_lengths(block).ravel()[cell]
        if self.ends_unit:
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

    def expect(self, table: TablePlan, sample: Sample) -> Floats:
        """At most one row per unit, in an unknown period, so it is spread over the unit's time. With `refire`, the rows of
        some units of each segment are counted."""
        if self.refire:
            return sample.total(lambda units: sample.is_present(units).astype(np.float64) * self._rate(table, sample, units))

        def share(units: Units) -> Floats:
            course = units.curve_start + units.course
            end = np.minimum(np.where(course > sample.periods[0], course, sample.periods[-1] + 1), units.last_period)
            remaining = np.maximum(end - np.maximum(units.arrival, sample.periods[0]), 1)
            rates: Floats = sample.is_present(units) / remaining
            return rates

        return sample.total(share)

    def _rate(self, table: TablePlan, sample: Sample, units: Units) -> float:
        """Return how many rows a unit has per period of its life."""
        first, stop = int(sample.periods[0]), int(sample.periods[-1]) + 1
        count = max(1, min(len(units), _REPLAYED // (stop - sample.population.first)))
        block = Block(sample.population, Slice(first, stop, units.start, units.start + count))
        unit_periods = int(np.count_nonzero(block.periods[:, None] >= block.units.arrival[None, :]))
        return len(self.rows_in(table, block)) / max(1, unit_periods)
