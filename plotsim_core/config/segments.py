"""Segments: groups of units that share an archetype, when their units arrive, and how far they differ."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from plotsim_core.config.archetypes import Archetype
from plotsim_core.config.calendar import Rhythm
from plotsim_core.config.growth import Growth
from plotsim_core.config.model import Count, Group, Name, Number, Offset, Part, Scalar, Share, rising
from plotsim_core.config.tenure import Tenure
from plotsim_core.errors import Problem, ProblemError, value_text
from plotsim_core.families import nearest

BASELINES = {"high": (2 / 3, 1.0), "mid": (1 / 3, 2 / 3), "low": (0.0, 1 / 3)}
"""Words of a baseline to the part of the way between a metric's two means."""


def _word_or_means(value: object) -> object:
    if isinstance(value, str) and value in BASELINES:
        return value
    if isinstance(value, list | tuple) and len(value) == 2 and all(type(mean) in (int, float) for mean in value):
        return rising((value[0], value[1]))
    nearest_word = nearest(value, list(BASELINES)) if isinstance(value, str) else None
    hint = f"did you mean '{nearest_word}'?" if nearest_word else ""
    raise ProblemError(
        Problem("", f"expected {', '.join(BASELINES)} or two means, [low, high], found {value_text(value)}", hint)
    )


Baseline = Annotated[Literal["high", "mid", "low"] | tuple[Number, Number], BeforeValidator(_word_or_means)]
"""What positions mean for a metric in a segment: a third of its way, or means of the segment's own."""

LEAST_LIFE = 2
"""So many periods of the span units have at least that arrive by lot, where no end is written."""


StretchLength = (
    Annotated[int, Field(ge=1, le=10_000, strict=True)]
    | tuple[Annotated[int, Field(ge=1, le=10_000, strict=True)], Annotated[int, Field(ge=1, le=10_000, strict=True)]]
)
"""A number of periods, or the fewest and the most; no more, as a cell looks back so far."""
_MOST_SILENT = 0.5
"""Units are silent in no more of their periods."""


class MovedArrival(Part):
    """Arrivals of which there are more in some periods and fewer in others."""

    kind: Literal["uniform", "linear", "ongoing"]
    seasonal_sensitivity: Annotated[float, Field(ge=-100, le=100, strict=True)] = 0.0
    """How much of a season's strength the number of arrivals takes."""
    rhythm: Rhythm | None = None
    """On which weekdays and holidays more or fewer arrive, and in periods of an hour at which hours."""


class _LotArrival(MovedArrival):
    """Arrivals by lot, from one period to before another."""

    kind: Literal["uniform", "linear"]
    start: Offset = 0
    """The first period in which units arrive."""
    end: Offset | None = None
    """The first in which they do not any more."""

    def stop(self, span: int) -> int:
        """Return the first period after the start of a span of so many periods in which nobody arrives any more."""
        return max(self.start + 1, span - LEAST_LIFE) if self.end is None else self.end


class UniformArrival(_LotArrival):
    """Units arrive evenly from period `start` on and before period `end` (both counted from 0 at the window's start): with
    `start: 0, end: 10` in periods 0 to 9. Without an `end` they arrive early enough to have two periods of the span."""

    kind: Literal["uniform"]
    """Which arrival it is."""


class LinearArrival(_LotArrival):
    """Ever more (`increasing`) or ever fewer units arrive from period `start` on and before period `end`, as with
    `uniform`."""

    kind: Literal["linear"]
    """Which arrival it is."""
    direction: Literal["increasing", "decreasing"] = "increasing"
    """Whether arrivals get more or fewer."""


class StepBlock(Part):
    """The share of a segment that arrives at one period."""

    period: Offset
    """Counted from 0 at the window's start."""
    fraction: Annotated[float, Field(gt=0, le=1, strict=True)]
    """The share that arrives then."""


class StepArrival(Part):
    """Shares of the segment arrive at given periods; the shares add up to 1.

    They are exact: of 60 units with fractions 0.5, 0.3 and 0.2, 30, 18 and 12 arrive; what is no whole number is rounded up
    or down. More units leave those before them as they are.
    """

    kind: Literal["step"]
    """Which arrival it is."""
    blocks: Annotated[tuple[StepBlock, ...], Field(min_length=1)]
    """The shares, in the order of time."""

    @model_validator(mode="after")
    def _check_blocks(self) -> StepArrival:
        total = sum(block.fraction for block in self.blocks)
        if abs(total - 1) > 0.001:
            raise ProblemError(Problem("blocks", f"the fractions add up to {total:g}, expected 1"))
        periods = [block.period for block in self.blocks]
        if periods != sorted(set(periods)):
            raise ProblemError(Problem("blocks", f"the periods must rise, found {value_text(periods)}"))
        return self


class ExplicitArrival(Part):
    """The arrival period of each unit; a scaled dataset repeats the list."""

    kind: Literal["explicit"]
    """Which arrival it is."""
    start_periods: Annotated[tuple[Offset, ...], Field(min_length=1)]
    """One number for each unit, from 0 at the window's start."""


class OngoingArrival(MovedArrival):
    """Units keep arriving, for as long as the window is: the segment's `count` are there at the start, and so many more come
    in each period on average. Each runs its curve over a whole span from its own arrival on.

    With `ages: mixed` those who are there at the start came at different times before it: as long ago as a unit is there on
    average that has stayed until now (by the `tenure`; without one, up to a span ago). So the first year is like the fifth.
    With `ages: new` all begin with the window.
    """

    kind: Literal["ongoing"]
    """Which arrival it is."""
    per_period: Annotated[float, Field(gt=0, le=1e6, strict=True)]
    """How many units arrive in a period, on average."""
    growth: Growth | None = None
    """The rate by which that number grows from the window's start on: 5% a year."""
    ages: Literal["mixed", "new"] = "mixed"
    """Whether those there at the start are as old as units of any later time, or new."""


Arrival = Annotated[
    UniformArrival | LinearArrival | StepArrival | ExplicitArrival | OngoingArrival, Field(discriminator="kind")
]


class Silence(Part):
    """Stretches of periods in which a unit makes no rows, neither in facts nor in events; then it goes on. It is there in
    between: its dimension has it, its metrics go on, and nothing of them is stored.

    A stretch begins in each period with the chance `rate`, and may begin within another, which it then prolongs. Shorter and
    longer lengths are as likely.
    """

    rate: Annotated[float, Field(gt=0, lt=1, strict=True)]
    """The chance that a stretch begins in a period."""
    length: StretchLength
    """For how many periods it lasts: a number, or [least, most]."""

    @property
    def lengths(self) -> tuple[int, int]:
        """The shortest and the longest length of a stretch, in periods."""
        return (self.length, self.length) if isinstance(self.length, int) else self.length

    @property
    def share(self) -> float:
        """The share of its periods in which a unit is silent, 0 to 1: none of those that may reach into one has begun."""
        least, most = self.lengths
        reaching = (min(1.0, (most - age) / (most - least + 1)) for age in range(most))
        return 1.0 - math.prod(1.0 - self.rate * chance for chance in reaching)

    @model_validator(mode="after")
    def _check_share(self) -> Silence:
        if self.lengths[0] > self.lengths[1]:
            raise ProblemError(Problem("length", f"expected [least, most], found {value_text(self.length)}"))
        if self.share > _MOST_SILENT:
            message = f"units would be silent in {self.share:.0%} of their periods, expected at most {_MOST_SILENT:.0%}"
            raise ProblemError(Problem("rate", message, "let stretches begin less often, or be shorter"))
        return self


class Variation(Part):
    """How far the units of a segment differ.

    All three hold for all metrics of the segment. Rare counts need a small `level`: with a mean of 0.2, the default makes
    units differ by 100 % of it, 0.03 by 39 %.
    """

    level: Annotated[float, Field(ge=0, le=0.95, strict=True)] = 0.2
    """The share of a metric's variance (given the trajectory) that lies between units rather than within them."""
    timing: Annotated[float, Field(ge=0, le=0.5, strict=True)] = 0.04
    """Standard deviation of the shift of a unit's curve, as a share of its span."""
    size: Annotated[float, Field(ge=0, le=3, strict=True)] = 0.25
    """Standard deviation of the logarithm of a unit's size, which multiplies the means of its amounts and counts and
    averages to 1."""


class Treatment(Part):
    """An experiment: a share of a segment's units is treated, the others are its control.

    From period `start_period` of the window on (counted from 0), the position p of a treated unit has its log odds
    log(p / (1 - p)) raised by `lift_log_odds`; positions 0 and 1 stay. `fraction` is the share that is treated: of every
    ten units in the order of the segment that share, give or take one, by lot. So 16 units may have arms of 7 and 9, while
    halves of 20 are exact: take multiples of ten. With `target_metric` only what that metric
    reads is raised (and followers read that of it), otherwise the whole trajectory. The labels are what
    `segment.treatment` calls the arms.
    """

    fraction: Share
    """The share that is treated."""
    lift_log_odds: Annotated[float, Field(ge=-20, le=20, strict=True)]
    """What is added to the log odds of their positions."""
    start_period: Offset = 0
    """When it begins, from 0 at the window's start."""
    treatment_label: Annotated[str, Field(min_length=1)] = "treatment"
    """What the treated are called."""
    control_label: Annotated[str, Field(min_length=1)] = "control"
    """What the others are called."""
    target_metric: Name | None = None
    """The only metric it acts on."""

    @model_validator(mode="after")
    def _check_effect(self) -> Treatment:
        problems = []
        if self.fraction == 0:
            problems.append(Problem("fraction", "0 has no effect: no unit would be treated"))
        if self.lift_log_odds == 0:
            problems.append(Problem("lift_log_odds", "0 has no effect: treated units would be like the others"))
        if self.treatment_label == self.control_label:
            problems.append(Problem("control_label", f"both arms are called {value_text(self.control_label)}", "rename one"))
        if problems:
            raise ProblemError(*problems)
        return self


class Segment(Part):
    """A group of units with one archetype."""

    name: Group
    """What it is called."""
    count: Count
    """How many units it has (with ongoing arrivals: at the start)."""
    archetype: Archetype
    """The curve that their trajectories follow."""
    label: str | None = None
    """What it is called in descriptions."""
    attributes: dict[Name, tuple[Scalar, ...]] = Field(default_factory=dict)
    """Values that its units have one of each, for columns of type pool."""
    baseline: dict[Name, Baseline] = Field(default_factory=dict)
    """Metric to the third of the way between its two means that positions 0 to 1 run over (of means 10 and 100, `low` is
    10 to 40, `mid` 40 to 70, `high` 70 to 100), or to two means of the segment's own, [at position 0, at position 1]."""
    seasonal_sensitivity: Annotated[float, Field(ge=-100, le=100, strict=True)] = 1.0
    """How much of a season's strength they take (5 for those who live by it, 0 for none, below 0 for the opposite)."""
    arrival: Arrival | None = None
    """When they arrive (each runs its whole curve from then to the end of the span, so late ones run through it faster,
    unless arrivals are ongoing), all from the start unless it is written."""
    tenure: Tenure | None = None
    """How long they stay, for ever unless it is written."""
    span: Annotated[Offset, Field(ge=1)] | None = None
    """In how many periods they run through their curve, that of the window unless it is written."""
    after: Literal["hold", "repeat", "restart"] = "hold"
    """What comes after it: they stay where the curve ended (`hold`), run through it again and again, a span each
    (`repeat`), or with a new shift of their own each time (`restart`); curves that follow the calendar (`seasonal`) go
    on without a break."""
    silence: Silence | None = None
    """Stretches in which they make no rows, none unless it is written."""
    variation: Variation = Variation()
    """How far they differ."""
    treatment: Treatment | None = None
    """An experiment on some of them."""

    @field_validator("attributes", mode="before")
    @classmethod
    def _as_lists(cls, value: Any) -> Any:
        """A single value is a list of one."""
        if not isinstance(value, dict):
            return value
        lists = {key: item if isinstance(item, list | tuple) else [item] for key, item in value.items()}
        empty = [Problem(str(key), "expected at least one value") for key, item in lists.items() if not item]
        if empty:
            raise ProblemError(*empty)
        return lists

    @field_validator("variation", mode="before")
    @classmethod
    def _read_word(cls, value: Any) -> Any:
        if value == "none":
            return Variation(level=0, timing=0, size=0)
        if isinstance(value, str):
            raise ValueError(f"expected level, timing and size, or the word none, found {value_text(value)}")
        return value

    @model_validator(mode="after")
    def _check_explicit(self) -> Segment:
        if isinstance(self.arrival, ExplicitArrival) and len(self.arrival.start_periods) != self.count:
            count = len(self.arrival.start_periods)
            raise ProblemError(
                Problem("arrival.start_periods", f"expected {self.count} periods, one per unit, found {count}")
            )
        return self
