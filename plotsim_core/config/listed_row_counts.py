"""Numbers of rows that follow nothing: ranks by Zipf's law, and weights of each number."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import Field

from plotsim_core.config.model import without_fraction
from plotsim_core.config.pydantic_errors import validated
from plotsim_core.config.row_count import (
    SHORT,
    Bounds,
    Level,
    Number,
    RowCount,
    Weight,
    add_row_count,
)
from plotsim_core.config.words import range_text
from plotsim_core.errors import Problem, ProblemError, value_text
from plotsim_core.numerics.arrays import Floats, Integers
from plotsim_core.numerics.random import Words, key, uniforms
from plotsim_core.numerics.row_counts import weighted_counts, zipf_counts

if TYPE_CHECKING:
    from plotsim_core.config.scope import Scope
    from plotsim_core.config.tables import Table


class Listed(RowCount):
    """A draw that follows nothing, with a least and a most."""

    @property
    def bounds(self) -> tuple[int, int]:
        raise NotImplementedError(f"{type(self).__name__} has no bounds")

    def drawn_at(self, level: Floats) -> Integers:
        """Return the number of rows that each level in (0, 1) stands for."""
        raise NotImplementedError(f"{type(self).__name__} draws nothing")

    def describe(self) -> str:
        return f"{range_text(self.bounds)}, {self.mean:.3g} on average"

    def drawn(
        self, seed: int, stream: str, address: Words, level: Level | None = None, factors: Floats | None = None
    ) -> Integers:
        return self.drawn_at(uniforms(key(seed, "children", stream), address))


@add_row_count
class Zipf(Listed):
    """A draw between two bounds, where n rows are as likely as n to the power of minus the exponent."""

    word = "zipf"
    example = "{ zipf: 1.5, between: [1, 100] }"

    zipf: Annotated[float, Field(gt=0, le=10, strict=True)]
    """The exponent: the larger, the rarer are many rows."""
    between: Bounds
    """The least rows, at least 1, and the most."""

    @property
    def bounds(self) -> tuple[int, int]:
        return self.between

    @property
    def mean(self) -> float:
        counts = np.arange(self.between[0], self.between[1] + 1, dtype=np.float64)
        weights = counts**-self.zipf
        return float(np.sum(counts * weights) / np.sum(weights))

    def check(self, table: Table, scope: Scope) -> Iterable[Problem]:
        if not 1 <= self.between[0] < self.between[1]:
            message = (
                f"expected [least, most], at least 1 and the first below the second, found {value_text(list(self.between))}"
            )
            yield Problem("rows.between", message)

    def drawn_at(self, level: Floats) -> Integers:
        return zipf_counts(level, self.zipf, *self.between)


@add_row_count
class Weighted(Listed):
    """One of some numbers, by their weights: `{ 1: 9, 2: 1 }` is one row nine times in ten, else two."""

    word = "weights"
    example = "{ 1: 9, 2: 1 }"

    weights: Annotated[dict[Number, Weight], Field(min_length=1)]
    """How often each number of rows is drawn, relative to the others."""

    @property
    def bounds(self) -> tuple[int, int]:
        drawn = [number for number, weight in self.weights.items() if weight > 0]
        return min(drawn, default=0), max(drawn, default=0)

    @property
    def mean(self) -> float:
        return sum(number * weight for number, weight in self.weights.items()) / (sum(self.weights.values()) or 1.0)

    def check(self, table: Table, scope: Scope) -> Iterable[Problem]:
        if self.bounds[1] == 0:
            yield Problem("rows", "gives no row to anything", "give a number above 0 a weight")

    def drawn_at(self, level: Floats) -> Integers:
        return weighted_counts(level, tuple(self.weights), tuple(self.weights.values()))


def _weights(value: Any) -> Weighted | None:
    weights = {without_fraction(number): weight for number, weight in value.items()} if isinstance(value, Mapping) else {}
    if not weights or not all(type(number) is int for number in weights):
        return None
    problems: list[Problem] = []
    count: Weighted | None = validated(Weighted.model_validate, {"weights": weights}, "", Weighted, problems)
    if count is None:
        raise ProblemError(*(Problem("", p.message, p.hint) for p in problems))
    return count


SHORT.append(_weights)
