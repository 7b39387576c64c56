"""Numbers of rows that are drawn around a mean, which a metric or a column may say: a class for each distribution."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import BeforeValidator, Field

from plotsim_core.config.model import Name
from plotsim_core.config.row_count import (
    Bounds,
    Level,
    Mean,
    RowCount,
    Scale,
    add_row_count,
    driver_problems,
)
from plotsim_core.config.words import phrase, range_text
from plotsim_core.errors import Problem, value_text
from plotsim_core.numerics.arrays import Floats, Integers
from plotsim_core.numerics.bounds import Bound
from plotsim_core.numerics.count_families import COUNT_FAMILIES
from plotsim_core.numerics.quantiles import quantile_table
from plotsim_core.numerics.random import Words, key, normals, uniforms
from plotsim_core.numerics.row_counts import RowCounts

if TYPE_CHECKING:
    from plotsim_core.config.scope import Scope
    from plotsim_core.config.tables import Table


def _parameter(family: str, name: str) -> Bound:
    return COUNT_FAMILIES[family].parameters[name]


def _in_bounds(family: str, name: str) -> Any:
    bound = _parameter(family, name)
    return Field(ge=bound.low, le=bound.high, strict=True)


Shape = Annotated[float, _in_bounds("negative_binomial", "shape")]
Spread = Annotated[float, _in_bounds("lognormal", "s")]


def _with_parameter(family: str, name: str) -> Callable[[Any], Any]:
    """Return a reader of a mean with its parameter, a pair, or a mean alone, which gets the default."""
    default = _parameter(family, name).default
    return lambda value: value if isinstance(value, list | tuple) else (value, default)


class Drawn(RowCount):
    """A draw from a family of counts. Its mean is a number, or `scale` times the true value of a metric in the period; with
    `between` counts lie between two bounds, and have that mean there.
    """

    scale: Scale = 1.0
    """How many rows there are per unit of the mean, on average."""
    between: Bounds | None = None
    """The least and the most rows; the mean is the one between them."""

    @property
    def given_mean(self) -> float | str:
        """The mean as written: a number, or the metric that it follows."""
        raise NotImplementedError(f"{type(self).__name__} has no mean")

    @property
    def parameters(self) -> tuple[tuple[str, float], ...]:
        """The parameters of the family, beside the mean."""
        return ()

    @property
    def counts(self) -> RowCounts:
        """What is drawn."""
        return RowCounts(self.word, self.parameters, self.between)

    @property
    def is_drawn(self) -> bool:
        return True

    @property
    def driver(self) -> str | None:
        return self.given_mean if isinstance(self.given_mean, str) else None

    @property
    def bounds(self) -> tuple[int, int | None]:
        return (0, None) if self.between is None else self.between

    @property
    def mean(self) -> float:
        return self.scale if isinstance(self.given_mean, str) else self.given_mean * self.scale

    def check(self, table: Table, scope: Scope) -> Iterable[Problem]:
        path = f"rows.{self.word}"
        if self.between is not None and self.between[0] >= self.between[1]:
            message = f"expected [least, most], the first below the second, found {value_text(list(self.between))}"
            yield Problem("rows.between", message)
        if isinstance(self.given_mean, str):
            yield from driver_problems(self.given_mean, path, self.scale, table, scope)
        elif self.between is not None and self.between[0] < self.between[1]:
            low, high = self.counts.reach()
            if not low <= self.mean <= high:
                text = f"{phrase(self.word)} counts from {self.between[0]} to {self.between[1]} have means from"
                yield Problem(path, f"{text} {low:.4g} to {high:.4g}, found {self.mean:g}", "choose another mean or bounds")

    def describe(self) -> str:
        text = "" if self.between is None else f", {range_text(self.between)}"
        if isinstance(self.given_mean, str):
            return f"in proportion to {phrase(self.given_mean)} ({self.scale:g} for each on average{text})"
        return f"{self.mean:g} on average{text}"

    def drawn(
        self, seed: int, stream: str, address: Words, level: Level | None = None, factors: Floats | None = None
    ) -> Integers:
        mean: Floats | float = self.mean if level is None else np.maximum(level.values, 0.0) * self.scale
        return self.counts.draw(uniforms(key(seed, "events", stream), address), mean if factors is None else mean * factors)


@add_row_count
class Poisson(Drawn):
    """A draw from a Poisson distribution: what happens by chance, each by itself."""

    word = "poisson"
    example = "{ poisson: visits }"

    poisson: Mean | Name
    """The mean, a number or a metric."""

    @property
    def given_mean(self) -> float | str:
        return self.poisson

    def drawn(
        self, seed: int, stream: str, address: Words, level: Level | None = None, factors: Floats | None = None
    ) -> Integers:
        if level is None or level.usual is None or self.between is not None:
            return super().drawn(seed, stream, address, level, factors)
        usual_mean = level.usual * self.scale
        means = np.maximum(level.values, 0.0) * self.scale
        means = means if factors is None else means * factors
        poisson = quantile_table("poisson", (), None, (max(usual_mean, 1e-3), max(usual_mean, 1e-3)))
        counts = poisson.lookup(means, normals(key(seed, "events", stream), address))
        return np.where(means > 0, counts, 0.0).astype(np.int64)


@add_row_count
class Geometric(Drawn):
    """A draw from a geometric distribution: each further row is as likely as the one before it was."""

    word = "geometric"
    example = "{ geometric: 2.1, between: [1, 12] }"

    geometric: Mean | Name
    """The mean, a number or a metric."""

    @property
    def given_mean(self) -> float | str:
        return self.geometric


@add_row_count
class NegativeBinomial(Drawn):
    """A draw from a negative binomial distribution: Poisson counts around means that differ as a gamma distribution of a
    shape does, the more the smaller that is."""

    word = "negative_binomial"
    example = "{ negative_binomial: [3, 0.5] }"

    negative_binomial: Annotated[tuple[Mean | Name, Shape], BeforeValidator(_with_parameter("negative_binomial", "shape"))]
    """The mean, a number or a metric, and the shape (2 unless it is given)."""

    @property
    def given_mean(self) -> float | str:
        return self.negative_binomial[0]

    @property
    def parameters(self) -> tuple[tuple[str, float], ...]:
        return (("shape", self.negative_binomial[1]),)

    @property
    def options_in_all(self) -> Mapping[str, Any]:
        return {**super().options_in_all, "shape": self.negative_binomial[1]}


@add_row_count
class Lognormal(Drawn):
    """A draw from a lognormal distribution, rounded up or down by chance: few parents have many rows."""

    word = "lognormal"
    example = "{ lognormal: [8, 0.8], between: [1, 200] }"

    lognormal: Annotated[tuple[Mean | Name, Spread], BeforeValidator(_with_parameter("lognormal", "s"))]
    """The mean, a number or a metric, and the standard deviation of the logarithm (0.4 unless it is given)."""

    @property
    def given_mean(self) -> float | str:
        return self.lognormal[0]

    @property
    def parameters(self) -> tuple[tuple[str, float], ...]:
        return (("s", self.lognormal[1]),)
