"""Members of the family of row counts, each one class: a range, a metric, exactly so many, a number for each segment. Those
that are drawn lie beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import Field

from plotsim_core.config import (  # noqa: F401 - members of the family
    case_row_counts,
    drawn_row_counts,
    listed_row_counts,
    step_row_counts,
)
from plotsim_core.config.model import MOST_NUMBERED, ROWS, Group, Name, is_name, without_fraction
from plotsim_core.config.row_count import (
    MOST,
    SHORT,
    Bounds,
    Level,
    RowCount,
    Scale,
    WrittenRowCount,
    add_row_count,
    driver_problems,
)
from plotsim_core.config.words import phrase, range_text
from plotsim_core.errors import Problem, value_text
from plotsim_core.families import did_you_mean
from plotsim_core.numerics.arrays import Floats, Integers
from plotsim_core.numerics.exact_children import ExactChildren
from plotsim_core.numerics.random import Words, choose, key, uniforms

if TYPE_CHECKING:
    from plotsim_core.config.scope import Scope
    from plotsim_core.config.tables import Table

_DIGITS = 9
"""Decimals of a product that count: 1.1 x 10 is 11, whatever the last bit says."""


@add_row_count
class Between(RowCount):
    """From the least to the most, each as likely; or always the same, where both are one number."""

    word = "between"
    example = "[1, 5]"

    between: tuple[Annotated[int, Field(ge=0, strict=True), ROWS], Annotated[int, Field(ge=1, le=MOST, strict=True), ROWS]]
    """The least and the most rows."""

    @property
    def bounds(self) -> tuple[int, int]:
        return self.between

    @property
    def mean(self) -> float:
        return sum(self.between) / 2

    def check(self, table: Table, scope: Scope) -> Iterable[Problem]:
        if self.between[0] > self.between[1]:
            yield Problem("rows.between", f"expected [least, most], found {value_text(list(self.between))}")

    def describe(self) -> str:
        return range_text(self.between)

    def drawn(
        self, seed: int, stream: str, address: Words, level: Level | None = None, factors: Floats | None = None
    ) -> Integers:
        low, high = self.between
        return low + choose(key(seed, "children", stream), address, high - low + 1)


@add_row_count
class Following(RowCount):
    """As many rows as the true value of a metric in the period, or for rows that belong to units or to rows of a table as a
    column of theirs says, times `scale`: exact where the product is whole, and rounded up or down by chance, right on
    average, where it is not."""

    word = "metric"
    example = "visits"

    metric: Name
    """The metric, or the column of the parent, that the number follows."""
    scale: Scale = 1.0
    """How many rows there are per unit of it."""

    @property
    def driver(self) -> str:
        return self.metric

    @property
    def mean(self) -> float:
        return self.scale

    def check(self, table: Table, scope: Scope) -> Iterable[Problem]:
        yield from driver_problems(self.metric, "rows.metric", self.scale, table, scope)

    def describe(self) -> str:
        return f"in proportion to {phrase(self.metric)} ({self.scale:g} for each on average)"

    def drawn(
        self, seed: int, stream: str, address: Words, level: Level | None = None, factors: Floats | None = None
    ) -> Integers:
        assert level is not None  # a metric or a column has values
        true_values = np.round(level.values, level.decimals)
        means = np.round(np.maximum(true_values, 0.0) * self.scale, _DIGITS)
        return np.floor(means + uniforms(key(seed, "rows", stream), address)).astype(np.int64)


@add_row_count
class Exactly(RowCount):
    """So many that there are exactly that many in all, of rows that belong to those of a plain table: as many for each
    parent but for chance, or unequal. Where these have moments, so many for those of each span of the window."""

    word = "exact"
    example = "{ exact: 5000 }"

    exact: Annotated[int, Field(ge=1, le=MOST_NUMBERED, strict=True), ROWS]
    """How many there are in all."""
    shape: Annotated[float, Field(ge=0.01, le=1000, strict=True)] | None = None
    """How unequal parents are: their counts are negative binomial with that shape, the more unequal the smaller it is."""
    zipf: Annotated[float, Field(gt=0, le=10, strict=True)] | None = None
    """How unequal parents are: they have ranks, in an order of chance, and rows in proportion to the rank to the power of
    minus this."""
    between: Bounds | None = None
    """The least and the most rows of each."""

    @property
    def total(self) -> int:
        return self.exact

    @property
    def bounds(self) -> tuple[int, int | None]:
        return (0, None) if self.between is None else self.between

    @property
    def options_in_all(self) -> Mapping[str, Any]:
        return self.model_dump(exclude={"exact"}, exclude_none=True)

    @property
    def mean(self) -> float:
        raise TypeError("a number of rows in all has a mean only together with its parents")

    def check(self, table: Table, scope: Scope) -> Iterable[Problem]:
        declared = scope.tables.get(table.parent_name or "")
        parent = declared.table if declared is not None else None
        if self.shape is not None and self.zipf is not None:
            yield Problem("rows.zipf", "give either `shape` or `zipf`")
        elif table.parent_name is not None and parent is None:
            return  # reported elsewhere
        elif parent is None or not (parent.is_listed or parent.rows_per_span):
            message = f"rows are dealt out to those of a plain table, and {table.name} has rows of others"
            yield Problem("rows.exact", message, "give the rows of each, as in { poisson: 2.1 }")
        elif parent.filter is not None:
            message = f"{parent.name} keeps some of its rows (`where`), and what is dealt out to others is dropped with them"
            yield Problem("rows.exact", message, "give the rows of each, as in { poisson: 2.1 }")
        else:
            least, most = self.bounds
            length = parent.rows_per_span or parent.length
            low, high = length * least, length * (self.exact if most is None else most)
            if least > (most or least):
                yield Problem("rows.between", f"expected [least, most], found {value_text([least, most])}")
            elif not low <= self.exact <= high:
                message = f"{length:,} rows of {parent.name} can have {low:,} to {high:,}, found {self.exact:,}"
                yield Problem("rows.exact", message, "choose another number, in the file or by --rows, or other bounds")

    def describe(self) -> str:
        return f"{self.exact:,} in all, dealt out"

    def drawn(
        self, seed: int, stream: str, address: Words, level: Level | None = None, factors: Floats | None = None
    ) -> Integers:
        raise TypeError("a number of rows in all is dealt out to numbered parents")

    def dealt(self, seed: int, stream: str, parents: Integers, parent_count: int) -> Integers:
        least, most = self.bounds
        children = ExactChildren(seed, f"rows of {stream}", self.exact, parent_count, self.shape, self.zipf, least, most)
        is_run = (
            len(parents) > 0 and int(parents[-1] - parents[0]) == len(parents) - 1 and bool(np.all(np.diff(parents) == 1))
        )
        return children.counts(range(int(parents[0]), int(parents[-1]) + 1) if is_run else parents)


@add_row_count
class OfSegments(RowCount):
    """Another number for the units of each segment."""

    word = "segments"
    example = "{ segments: { small: 2, large: [10, 40] } }"

    segments: Annotated[dict[Group, WrittenRowCount], Field(min_length=1)]
    """The number of each segment."""

    @property
    def driver(self) -> str | None:
        return next((count.driver for count in self.segments.values() if count.driver is not None), None)

    @property
    def drivers(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for count in self.segments.values() for name in count.drivers))

    @property
    def bounds(self) -> tuple[int, int | None]:
        bounds = [count.bounds for count in self.segments.values()]
        largest = [most for _, most in bounds if most is not None]
        return min(least for least, _ in bounds), max(largest) if len(largest) == len(bounds) else None

    @property
    def mean(self) -> float:
        raise TypeError("numbers of segments have a mean only together with their units")

    def of_segment(self, name: str) -> RowCount:
        return self.segments[name]

    def check(self, table: Table, scope: Scope) -> Iterable[Problem]:
        if not table.comes_with_units:
            message = f"{table.name} has no rows per unit, so segments have no numbers of theirs"
            yield Problem("rows.segments", message, "give one number for all")
            return
        names = [segment.name for segment in scope.segments]
        for name, count in self.segments.items():
            path = f"rows.segments.{name}"
            if names and name not in names:
                yield Problem(path, f"no segment is named '{name}'", did_you_mean(name, names))
            elif count.total is not None or count.deciding is not None or count.step_names or isinstance(count, OfSegments):
                yield Problem(path, "expected how many rows each unit has", "a number, or [least, most]")
            else:
                yield from (replace(p, path=p.path.replace("rows", path, 1)) for p in count.check(table, scope))
        missing_names = [name for name in names if name not in self.segments]
        if missing_names:
            yield Problem("rows.segments", f"the segment {missing_names[0]} has no number", "give one for each segment")

    def describe(self) -> str:
        texts = dict.fromkeys(count.describe() for count in self.segments.values())
        return f"{' or '.join(texts)} by the segment"

    def drawn(
        self, seed: int, stream: str, address: Words, level: Level | None = None, factors: Floats | None = None
    ) -> Integers:
        raise TypeError("the number of a segment is drawn for its units")


def between(count: int | tuple[int, int]) -> Between:
    """Return a number of rows, or a range of it, as a member of the family."""
    return Between(between=count if isinstance(count, tuple) else (count, count))


def _number(value: Any) -> Between | None:
    number = without_fraction(value)
    return Between(between=(number, number)) if type(number) is int and 1 <= number <= MOST else None


def _pair(value: Any) -> Between | None:
    ends = [without_fraction(end) for end in value] if isinstance(value, list | tuple) else []
    is_pair = len(ends) == 2 and all(type(end) is int for end in ends)
    return Between(between=(ends[0], ends[1])) if is_pair and 0 <= ends[0] <= ends[1] <= MOST and ends[1] else None


def _name(value: Any) -> Following | None:
    return Following(metric=value) if is_name(value) else None


SHORT.extend([_number, _pair, _name])
