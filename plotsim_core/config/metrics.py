"""Metrics: what is measured, how it moves with the trajectory, and how its values are spread."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from plotsim_core.config.effects import Noise
from plotsim_core.config.growth import Growth
from plotsim_core.config.model import Name, Number, Pair, Part, member_of
from plotsim_core.config.partial import known_problems
from plotsim_core.errors import Problem, ProblemError, value_text
from plotsim_core.families import Family, did_you_mean
from plotsim_core.numerics.distributions import DISTRIBUTIONS
from plotsim_core.numerics.quantiles import reachable

_LONGEST_KERNEL = 40
"""The length at which a geometric kernel is cut: further weights are below the last digit of a number."""


@dataclass(frozen=True)
class MetricType:
    """A metric type: whether it takes a range, its decimals (None: whole numbers), whether a unit's size multiplies it."""

    range: Literal["required", "optional", "forbidden"]
    decimals: int | None
    sized: bool = False
    default_range: tuple[float, float] | None = None
    default_mean: tuple[float, float] | None = None

    def distribution(self, bounds: tuple[float, float] | None) -> str:
        """Return the family a metric of this type has unless its config names one."""
        if self.decimals is None:
            return "poisson"
        if self is METRIC_TYPES["score"]:
            return "beta"
        if self is METRIC_TYPES["index"] or bounds is None:
            return "normal"
        return "lognormal" if bounds[0] == 0 or bounds[1] / bounds[0] >= 10 else "beta"


ALIASES = {"lognorm": "lognormal"}
"""Names of distributions in SciPy, and in files written for plotsim, to their own."""

KERNELS: Family[Callable[[int], NDArray[np.floating]]] = Family("decay kernel")
"""Kernel word to the weights of a window of so many periods, the nearest first."""
KERNELS.add("geometric", lambda window: 0.5 ** np.arange(min(window, _LONGEST_KERNEL), dtype=np.float64))
KERNELS.add("linear", lambda window: np.arange(window, 0, -1, dtype=np.float64))

METRIC_TYPES: Family[MetricType] = Family("metric type")
METRIC_TYPES.add("score", MetricType("optional", 4, default_range=(0.0, 1.0)))
METRIC_TYPES.add("amount", MetricType("required", 2, sized=True))
METRIC_TYPES.add("count", MetricType("forbidden", None, sized=True, default_mean=(0.5, 5.0)))
METRIC_TYPES.add("index", MetricType("required", 2))


def _width(raw: Mapping[str, Any]) -> float | None:
    """Return the width of the range of a metric as written; None where it has none that can be read."""
    type_ = raw.get("type")
    default_range = METRIC_TYPES[type_].default_range if isinstance(type_, str) and type_ in METRIC_TYPES else None
    low, high = (
        written_range
        if isinstance(written_range := raw.get("range"), list | tuple) and len(written_range) == 2
        else default_range or (None, None)
    )
    return high - low if isinstance(low, int | float) and isinstance(high, int | float) else None


class Metric(Part):
    """One measured quantity. Its mean runs from `mean[0]` at trajectory position 0 to `mean[1]` at position 1.

    A `negative` polarity turns that round. With a `range`, values lie inside it and the means follow from it unless
    they are given. `follows` and `delay` make a metric read what another one really did `delay` periods before;
    `strength` is the correlation of the two at that distance. With a `decay_window` it reads the average of so many periods,
    weighted by a kernel that falls by half with every period (`geometric`) or in a line (`linear`).

    A follower reads the position of its driver as well: the one of `delay` periods before. The size of a unit multiplies
    the means of its amounts and counts, not of scores and indices.
    """

    name: Name
    """What it is called, in columns too."""
    type: Annotated[str, member_of(METRIC_TYPES)]
    """What its values are like: a score in [0, 1], an amount of money or time, a count, or an index of any sign."""
    polarity: Literal["positive", "negative"]
    """Whether it rises or falls with the trajectory."""
    label: str | None = None
    """How it is called in descriptions."""
    range: Pair | None = None
    """[low, high], which all values lie in."""
    mean: Pair | None = None
    """[at position 0, at position 1]."""
    follows: Name | None = None
    """The metric that it reads."""
    delay: Annotated[int, Field(ge=1, le=3650, strict=True)] | None = None
    """How many periods before."""
    decay_window: Annotated[int, Field(ge=2, le=1000, strict=True)] | None = None
    """Over how many periods it averages."""
    decay_kernel: Annotated[str, member_of(KERNELS)] = "geometric"
    """`geometric` or `linear`."""
    strength: Annotated[float, Field(ge=0, le=0.99, strict=True)] = 0.7
    """The correlation with what it follows, at that distance."""
    seasonal_sensitivity: Annotated[float, Field(ge=-100, le=100, strict=True)] = 1.0
    """How much of a season's strength it takes; 0 none, below 0 the opposite."""
    rhythm_sensitivity: Annotated[float, Field(ge=-10, le=10, strict=True)] | None = None
    """The same for weekdays, hours and holidays; 1 for amounts and counts, otherwise 0, unless it is written."""
    growth: Growth | None = None
    """The rate by which its mean grows from the window's start on, beside what its units do: 5% a year."""
    persistence: Annotated[float, Field(ge=0, le=0.95, strict=True)] = 0.3
    """The correlation of what is left of two periods in a row when the trajectory is taken away."""
    distribution: Annotated[str, member_of(DISTRIBUTIONS)] | None = None
    """The family its values are spread by (unless it is written `beta` for a score, `poisson` for a count, `normal` for
    an index, and `lognormal` for an amount, or `beta` if its range begins above 0 and ends below ten times that)."""
    distribution_params: dict[str, Number] = Field(default_factory=dict)
    """The shape of that family, which has to be written too."""
    noise: Noise | None = None
    """Noise of its own, in place of the dataset's."""

    @model_validator(mode="before")
    @classmethod
    def _read_aliases(cls, value: Any) -> Any:
        """A distribution may be named as in SciPy; `alpha` and `beta` say a beta's precision, which is their sum, and its
        `scale` is the width of the range."""
        if not isinstance(value, dict) or not isinstance(value.get("distribution"), str):
            return value
        value = {**value, "distribution": ALIASES.get(value["distribution"], value["distribution"])}
        parameters = value.get("distribution_params")
        if value["distribution"] != "beta" or not isinstance(parameters, dict):
            return value
        alpha, beta = parameters.get("alpha"), parameters.get("beta")
        if isinstance(alpha, int | float) and isinstance(beta, int | float):
            other_parameters = {name: item for name, item in parameters.items() if name not in ("alpha", "beta")}
            parameters = {**other_parameters, "precision": alpha + beta}
        if parameters.get("scale") == _width(value):
            parameters = {name: item for name, item in parameters.items() if name != "scale"}
        return {**value, "distribution_params": parameters}

    @model_validator(mode="after")
    def _consistent(self) -> Metric:
        problems = [*known_problems(self._range_problems()), *known_problems(self._parameter_problems())]
        problems += [] if problems else known_problems(self._family_problems())
        problems += known_problems(self._mean_problems(is_sound=not problems))
        problems += known_problems(self._lag_problems())
        if problems:
            raise ProblemError(*problems)
        return self

    def _range_problems(self) -> Iterator[Problem]:
        if self.range is not None and self.range[0] >= self.range[1]:
            yield Problem("range", f"expected low < high, found {value_text(self.range)}")
        requirement = METRIC_TYPES[self.type].range
        if requirement == "required" and self.range is None:
            yield Problem("range", "is missing", f"a metric of type {self.type} needs one: [low, high]")
        if requirement == "forbidden" and self.range is not None:
            yield Problem("range", f"a metric of type {self.type} takes none", "give `mean: [low, high]` instead")

    def _lag_problems(self) -> Iterator[Problem]:
        if self.follows is not None and self.delay is None:
            yield Problem("delay", "is missing", "how many periods after the metric it follows, 1 or more")
        if self.follows is None:
            for name in ("delay", "strength", "decay_window", "decay_kernel"):
                if name in self.model_fields_set:
                    yield Problem(name, "has no effect without `follows`: the metric that this one follows")
        elif self.decay_window is None and "decay_kernel" in self.model_fields_set:
            yield Problem("decay_kernel", "has no effect without `decay_window`: over how many periods it decays")

    def _parameter_problems(self) -> Iterator[Problem]:
        if self.distribution is None and self.distribution_params:
            hint = f"write `distribution: {self.family}` beside it: the family it has anyway"
            yield Problem("distribution_params", "has no effect without `distribution`", hint)
            return
        family = DISTRIBUTIONS[self.family]
        for name, value in self.distribution_params.items():
            path = f"distribution_params.{name}"
            if name not in family.parameters:
                hint = did_you_mean(name, list(family.parameters))
                yield Problem(path, f"a {self.family} distribution has no such parameter", hint)
            elif not family.parameters[name].low <= value <= family.parameters[name].high:
                bound = family.parameters[name]
                yield Problem(path, f"expected {bound.low:g} to {bound.high:g}, found {value:g}")

    def _family_problems(self) -> Iterator[Problem]:
        family = DISTRIBUTIONS[self.family]
        is_count = METRIC_TYPES[self.type].decimals is None
        if (family.support == "count") != is_count:
            fitting = [name for name, other in DISTRIBUTIONS.items() if (other.support == "count") == is_count]
            message = f"a {self.family} distribution does not make values of type {self.type}"
            yield Problem("distribution", message, f"these do: {', '.join(fitting)}")
        elif family.support == "positive" and self.bounds is not None and self.bounds[0] < 0:
            message = f"a {self.family} distribution is positive, but the range begins at {self.bounds[0]:g}"
            yield Problem("distribution", message, "normal and beta fit any range")
        elif family.inflated and self.bounds is not None and self.bounds[0] > 0:
            message = f"a {self.family} distribution makes zeros, but the range begins at {self.bounds[0]:g}"
            yield Problem("distribution", message, "let the range begin at 0")

    def _mean_problems(self, is_sound: bool) -> Iterator[Problem]:
        if self.mean is None:
            return
        if self.mean[0] >= self.mean[1]:
            yield Problem(
                "mean", f"expected low < high, found {value_text(self.mean)}", "a falling metric has negative polarity"
            )
        elif not is_sound:
            return
        elif self.bounds is not None and not (self.bounds[0] < self.mean[0] and self.mean[1] < self.bounds[1]):
            yield Problem("mean", f"{value_text(self.mean)} does not lie inside the range {value_text(self.bounds)}")
        elif DISTRIBUTIONS[self.family].support in ("positive", "count") and self.mean[0] <= 0:
            yield Problem("mean", f"the means of a {self.family} distribution are above 0, found {self.mean[0]:g}")

    @property
    def bounds(self) -> tuple[float, float] | None:
        """The closed range that values lie in, or None if they are not bounded."""
        return self.range or METRIC_TYPES[self.type].default_range

    @property
    def family(self) -> str:
        """Name of the distribution family."""
        return self.distribution or METRIC_TYPES[self.type].distribution(self.bounds)

    @property
    def means(self) -> tuple[float, float]:
        """The means at position 0 and at position 1, before polarity."""
        if self.mean is not None:
            return self.mean
        if self.bounds is None:
            return METRIC_TYPES[self.type].default_mean or (0.0, 1.0)
        low, high = DISTRIBUTIONS[self.family].means
        _, zero_share = DISTRIBUTIONS[self.family].split(self.parameters)
        width = (self.bounds[1] - self.bounds[0]) * (1.0 - zero_share)
        default_means = self.bounds[0] + low * width, self.bounds[0] + high * width
        return reachable(self.family, self.parameters, self.bounds, default_means)

    @property
    def parameters(self) -> tuple[tuple[str, float], ...]:
        """The family's shape parameters, defaults filled in."""
        width = self.bounds[1] - self.bounds[0] if self.bounds else 1.0
        defaults = {
            name: bound.default * (width if bound.relative else 1.0)
            for name, bound in DISTRIBUTIONS[self.family].parameters.items()
        }
        return tuple(sorted({**defaults, **self.distribution_params}.items()))

    @property
    def kernel(self) -> tuple[float, ...]:
        """The weights with which the driver is read `delay`, `delay` + 1 ... periods before; they add up to 1."""
        weights = KERNELS[self.decay_kernel](self.decay_window or 1)
        return tuple((weights / np.sum(weights)).tolist())

    @property
    def sized(self) -> bool:
        """Whether a unit's size multiplies the metric's means."""
        return METRIC_TYPES[self.type].sized

    @property
    def follows_rhythm(self) -> float:
        """How strongly the rhythm of days and hours moves the metric's means: amounts and counts fully, others not."""
        return (1.0 if self.sized else 0.0) if self.rhythm_sensitivity is None else self.rhythm_sensitivity

    @property
    def positive(self) -> bool:
        """Whether no value lies below zero."""
        return DISTRIBUTIONS[self.family].support in ("positive", "count")

    @property
    def decimals(self) -> int | None:
        """Decimals that values are rounded to; None for whole numbers."""
        return METRIC_TYPES[self.type].decimals
