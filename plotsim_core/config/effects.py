"""What acts on top of trajectories: seasons, noise, and the lifecycle read off a metric."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field, field_validator, model_validator

from plotsim_core.config.model import Flag, Name, Number, Part, Share, member, member_of
from plotsim_core.config.partial import refuse
from plotsim_core.errors import Problem, ProblemError, value_text
from plotsim_core.numerics.arrays import Floats, Integers
from plotsim_core.numerics.calendar import Grain
from plotsim_core.numerics.noise import NOISE, PRESETS

if TYPE_CHECKING:
    from plotsim_core.config.dataset import Dataset
    from plotsim_core.config.metrics import Metric

Month = Annotated[int, Field(ge=1, le=12, strict=True)]


class Season(Part):
    """In these months means are multiplied by 1 + strength (times the sensitivities); overlapping seasons add."""

    months: Annotated[tuple[Month, ...], Field(min_length=1)]
    """From 1 for January."""
    strength: Annotated[float, Field(gt=-1, le=10, strict=True)]
    """0.3 is 30 % more, -0.3 is 30 % less."""

    @field_validator("months")
    @classmethod
    def _check_months(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(value)) != len(value):
            raise ValueError(f"a month stands twice in {value_text(value)}")
        return value


def season_strengths(seasons: Sequence[Season], grain: Grain, periods: Integers) -> Floats:
    """Return the strengths of the seasons of each period, added up, shape (periods,)."""
    return month_strengths(seasons)[grain.civil_starts(periods).astype("datetime64[M]").astype(np.int64) % 12 + 1]


def month_strengths(seasons: Sequence[Season]) -> Floats:
    """Return the strengths of the seasons of each month, added up, by its number from 1 on; there is a 0 before them."""
    strengths = np.zeros(13)
    for season in seasons:
        strengths[list(season.months)] += season.strength
    return strengths


class Noise(Part):
    """Measurement noise on stored values: jitter relative to the value, outliers, and missing values.

    `mcar_rate` of the values are missing whatever they are (completely at random). `mar_rate` are missing the more often
    the higher (or lower, with `mar_when`) the true value of the metric `mar_on` is among what it could have been at its
    mean: with probability 2 * mar_rate * q, q being its quantile. The metric `mar_on` itself is not subject to that.
    """

    short_form: ClassVar[str] = "the name of a preset"

    gaussian_sigma: Annotated[float, Field(ge=0, le=5, strict=True)] = 0.0
    """The deviation of the jitter, as a share of the value."""
    outlier_rate: Share = 0.0
    """The share of values that are several times too large."""
    mcar_rate: Share = 0.0
    """The share of values that are missing completely at random."""
    mar_rate: Annotated[float, Field(ge=0, le=0.5, strict=True)] = 0.0
    """The share that are missing by the value of another metric."""
    mar_on: Name | None = None
    """The metric by whose value they are missing."""
    mar_when: Literal["high", "low"] = "high"
    """Whether they are missing where it is high or where it is low."""
    scale_with_trajectory: Flag = False
    """The jitter grows with the unit's position."""
    noise_family: Annotated[str, member_of(NOISE)] = "gaussian"
    """How the jitter is spread."""
    degrees_of_freedom: Annotated[float, Field(ge=1, le=1000, strict=True)] | None = None
    """Of `student_t`; fewer have heavier tails."""
    temporal_jitter: Annotated[Number, Field(ge=0, le=366)] = 0.0
    """The standard deviation, in days, by which moments of events are recorded too early or too late, within their
    period."""

    @model_validator(mode="before")
    @classmethod
    def _preset(cls, value: Any) -> Any:
        if isinstance(value, str):
            sigma, outlier_rate, missing_rate = member(PRESETS, value.strip().lower().replace(" ", "_"))
            return {"gaussian_sigma": sigma, "outlier_rate": outlier_rate, "mcar_rate": missing_rate}
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Noise:
        refuse(self._jitter_problems(), self._missing_problems())
        return self

    def _jitter_problems(self) -> Iterator[Problem]:
        if (self.degrees_of_freedom is not None) != (self.noise_family == "student_t"):
            yield Problem("degrees_of_freedom", "goes with noise_family: student_t, and only with it")
        if self.gaussian_sigma == 0 and (self.scale_with_trajectory or self.noise_family != "gaussian"):
            yield Problem("", "without `gaussian_sigma` above 0, noise_family and scale_with_trajectory have no effect")

    def _missing_problems(self) -> Iterator[Problem]:
        if self.mar_rate > 0 and self.mar_on is None:
            yield Problem("mar_on", "is missing", "the metric that it depends on which values are missing")
        if self.mar_rate == 0:
            message = "has no effect without `mar_rate` above 0: the share of values missing by another value"
            yield from (Problem(name, message) for name in ("mar_on", "mar_when") if name in self.model_fields_set)


def noise_of(dataset: Dataset, metric: Metric) -> Noise:
    """Return the noise on a metric: its own, or the dataset's."""
    return dataset.noise if metric.noise is None else metric.noise


def missing_on(dataset: Dataset, metric: Metric) -> str | None:
    """Return the name of the metric that a metric's missing values depend on, None if on none."""
    cause = noise_of(dataset, metric).mar_on
    return None if cause == metric.name else cause


def may_be_null(dataset: Dataset, metric: Metric) -> bool:
    """Return whether some of a metric's stored values may be missing, by noise or as a unit is silent."""
    return null_rate(dataset, metric) > 0 or any(segment.silence is not None for segment in dataset.segments)


def null_rate(dataset: Dataset, metric: Metric) -> float:
    """Return the share of a metric's stored values that are expected to be missing, 0 to 1."""
    noise = noise_of(dataset, metric)
    mar_rate = 0.0 if missing_on(dataset, metric) is None else noise.mar_rate
    return 1.0 - (1.0 - noise.mcar_rate) * (1.0 - mar_rate)


class Stage(Part):
    """A stage of the lifecycle, the level of the tracked metric at which it begins, and the one below which it is left."""

    name: Annotated[str, Field(min_length=1)]
    """What it is called."""
    threshold: Share
    """The level from which a unit is in it."""
    threshold_exit: Share | None = None
    """The level below which it is left."""

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        if isinstance(value, dict) and len(value) == 1 and "name" not in value:
            name, threshold = next(iter(value.items()))
            return {"name": name, "threshold": threshold}
        if isinstance(value, list | tuple) and len(value) == 2:
            return dict(zip(("name", "threshold"), value, strict=True))
        return value


class Lifecycle(Part):
    """Stages read off a metric. The column `stage` is added to the first fact that holds the metric.

    Thresholds are shares of the metric's range (of the way from its mean at position 0 to that at position 1 for a
    metric without one). A row is in the highest stage whose threshold its value has reached, below all of them in the
    first. With `enforce_order` a unit keeps the highest stage it has reached; with a `downgrade_delay` as well it goes
    back after so many periods in a row below the threshold of its stage, with exits after so many (1) below its exit.
    """

    track: Name
    """The metric that stages are read off."""
    stages: Annotated[tuple[Stage, ...], Field(min_length=2)]
    """From the lowest to the highest, each `{ name: ..., threshold: ... }` or short `{ new: 0.2 }`."""
    enforce_order: Flag = False
    """With `enforce_order` a unit keeps the highest stage it has reached."""
    downgrade_delay: Annotated[int, Field(ge=1, le=120, strict=True)] | None = None
    """With a `downgrade_delay` as well it goes back after so many periods in a row below the threshold of its stage,
    with exits after so many (1) below its exit."""

    @field_validator("stages")
    @classmethod
    def _check_stages(cls, value: tuple[Stage, ...]) -> tuple[Stage, ...]:
        thresholds = [stage.threshold for stage in value]
        if thresholds != sorted(set(thresholds)):
            raise ValueError(f"the thresholds must rise, found {value_text(thresholds)}")
        names = [stage.name for stage in value]
        duplicate = next((name for name in names if names.count(name) > 1), None)
        if duplicate is not None:
            raise ValueError(f"two stages are named '{duplicate}'")
        return value

    @model_validator(mode="after")
    def _check_modes(self) -> Lifecycle:
        problems = list(self._mode_problems())
        if problems:
            raise ProblemError(*problems)
        return self

    def _mode_problems(self) -> Iterator[Problem]:
        exits = [stage.threshold_exit is not None for stage in self.stages]
        requirement = "`enforce_order: true`, without which each row has the stage of its own value"
        if not self.enforce_order:
            if self.downgrade_delay is not None:
                yield Problem("downgrade_delay", f"has no effect without {requirement}")
            for index in (index for index, has_exit in enumerate(exits) if has_exit):
                yield Problem(f"stages[{index}].threshold_exit", f"has no effect without {requirement}")
            return
        if exits[0]:
            yield Problem("stages[0].threshold_exit", "has no effect: there is no stage before the first")
        for index in range(1, len(exits)):
            stage, previous = self.stages[index], self.stages[index - 1]
            path = f"stages[{index}].threshold_exit"
            if stage.threshold_exit is None and index < len(exits) - 1 and any(exits[1:]):
                reason = f"{stage.name} has none, and other stages have one"
                yield Problem(path, f"is missing: {reason}", "give all stages between the first and the last one, or none")
            elif stage.threshold_exit is not None and not previous.threshold <= stage.threshold_exit <= stage.threshold:
                expected = f"expected {previous.threshold:g} to {stage.threshold:g}, from the stage before to its own"
                yield Problem(path, f"{expected}, found {stage.threshold_exit:g}")

    @property
    def leaves_below(self) -> tuple[float, ...] | None:
        """The level below which each stage is left for a lower one, minus infinity where it never is; None where each row
        has the stage of its own value."""
        if not self.enforce_order:
            return None
        no_exit = float("-inf")
        if any(stage.threshold_exit is not None for stage in self.stages):
            return tuple(no_exit if stage.threshold_exit is None else stage.threshold_exit for stage in self.stages)
        return tuple(no_exit if self.downgrade_delay is None else stage.threshold for stage in self.stages)
