"""Targets with a tolerance: `share`, `mean`, `sum` and `count` of a table's rows.

A target speaks of all rows that there will be: of a closed window nothing is judged before every period is stored.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import Annotated, ClassVar

import pyarrow as pa
from pydantic import Field

from plotsim_core.config.data_rule import (
    DataRule,
    Formula,
    KnownTables,
    Reading,
    RuleRows,
    RuleVerdict,
    Tolerance,
    add_rule,
)
from plotsim_core.config.model import Name
from plotsim_core.errors import Problem
from plotsim_core.plan.sql import quoted
from plotsim_core.rules.tally import ROUNDING

Target = Annotated[float, Field(strict=True, ge=-1e15, le=1e15)]


class Statistic(DataRule):
    """A number that is computed of all rows, and is a target, give or take a `tolerance`."""

    needs_all: ClassVar = True

    tolerance: Tolerance
    """How far it may lie from the target."""

    @property
    @abstractmethod
    def target(self) -> float:
        """The target."""

    @property
    @abstractmethod
    def measured(self) -> str:
        """What is measured."""

    @property
    def statement(self) -> str:
        return f"{self.measured} is {self.target:.15g}{f', within {self.tolerance:.15g}' if self.tolerance else ''}"

    @property
    def name_words(self) -> str:
        return self.measured if self.where is None else f"{self.measured} where {self.where}"

    @abstractmethod
    def value(self) -> tuple[str, str]:
        """Return the SQL of the number, and of how many rows it is of."""

    def relation(self, rows: RuleRows) -> str:
        """Return the relation that the number is computed of."""
        return rows.all_rows

    def query(self, rows: RuleRows) -> str:
        value, count = self.value()
        return f"SELECT CAST({value} AS DOUBLE) AS value, {count} AS checked FROM {self.relation(rows)}"

    def verdict(self, result: pa.Table) -> RuleVerdict:
        value, checked = (result[name][0].as_py() for name in ("value", "checked"))
        if value is None:
            return RuleVerdict(True, "", reason="there is no row that it speaks of")
        allowed = self.tolerance + ROUNDING * (1 + abs(self.target))
        passed = abs(value - self.target) <= allowed
        message = f"{value:.6g} in {checked} rows, {self.target:.6g} ± {self.tolerance:.6g} declared"
        numbers = {"value": value, "expected": self.target, "allowed": self.tolerance, "checked": checked}
        return RuleVerdict(passed, message, numbers)


def _endless_problems(rule: Statistic, path: str, known: KnownTables) -> Iterator[Problem]:
    """Yield why a number that grows with every period has no target in an open window."""
    table, dataset = known.table(rule.table)
    if dataset.window is not None and dataset.stop is None and table.time_column() is not None:
        message = f"the window has no end, and rows of {rule.table} come with every period"
        yield Problem(path, message, "a `share` and a `mean` have a target however many rows there are")


@add_rule
class ShareRule(Statistic):
    """The `share` of rows in which the formula `of` is true, among those in which it is true or false."""

    word: ClassVar = "share"
    example: ClassVar = "{ share: 0.08, of: \"status == 'returned'\", tolerance: 0.02 }"

    share: Annotated[float, Field(ge=0, le=1, strict=True)]
    """The target, from 0 to 1."""
    of: Formula
    """What is true in that share of the rows: a formula over columns of the row."""

    @property
    def target(self) -> float:
        return self.share

    @property
    def measured(self) -> str:
        return f"the share of {self.of}"

    def formulas(self) -> Iterator[tuple[str, str]]:
        yield from super().formulas()
        yield "of", self.of

    def problems(self, known: KnownTables) -> Iterator[Problem]:
        if self.tolerance >= max(self.share, 1 - self.share):
            yield Problem(
                "tolerance", f"no share is farther from {self.share:g} than {self.tolerance:g}, so it always holds"
            )

    def relation(self, rows: RuleRows) -> str:
        return f"(SELECT CAST({rows.truth(self.of)} AS INTEGER) AS truth FROM {rows.all_rows})"

    def value(self) -> tuple[str, str]:
        return "avg(truth)", "count(truth)"


@add_rule
class MeanRule(Statistic):
    """The `mean` of a column, over the rows in which it is not null."""

    word: ClassVar = "mean"
    example: ClassVar = "{ mean: 52.4, of: amount, tolerance: 0.5 }"

    mean: Target
    """The target."""
    of: Name
    """The column of numbers."""

    @property
    def target(self) -> float:
        return self.mean

    @property
    def measured(self) -> str:
        return f"the mean of {self.of}"

    def readings(self) -> Iterator[Reading]:
        yield Reading("of", "", self.of, "number")

    def problems(self, known: KnownTables) -> Iterator[Problem]:
        column = known.column(self.table, self.of)
        bounds = column.column.source.number_range(column.dataset) if column.column.as_type is None else None
        if bounds is not None and not bounds[0] - self.tolerance <= self.mean <= bounds[1] + self.tolerance:
            yield Problem("mean", f"values of {self.of} lie from {bounds[0]:g} to {bounds[1]:g}, found {self.mean:g}")

    def value(self) -> tuple[str, str]:
        return f"avg({quoted(self.of)})", f"count({quoted(self.of)})"


@add_rule
class SumRule(Statistic):
    """The `sum` of a column, over all rows."""

    word: ClassVar = "sum"
    example: ClassVar = "{ sum: 250000, of: amount, tolerance: 2500 }"

    sum: Target
    """The target."""
    of: Name
    """The column of numbers."""

    @property
    def target(self) -> float:
        return self.sum

    @property
    def measured(self) -> str:
        return f"the sum of {self.of}"

    def readings(self) -> Iterator[Reading]:
        yield Reading("of", "", self.of, "number")

    def problems(self, known: KnownTables) -> Iterator[Problem]:
        yield from _endless_problems(self, "sum", known)

    def value(self) -> tuple[str, str]:
        return f"coalesce(sum({quoted(self.of)}), 0)", f"count({quoted(self.of)})"


@add_rule
class CountRule(Statistic):
    """The `count` of rows."""

    word: ClassVar = "count"
    example: ClassVar = "{ count: 2000, tolerance: 0, where: is_paid }"

    count: Annotated[float, Field(ge=0, le=1e15, strict=True)]
    """The target."""

    @property
    def target(self) -> float:
        return self.count

    @property
    def measured(self) -> str:
        return "the number of rows"

    def problems(self, known: KnownTables) -> Iterator[Problem]:
        yield from _endless_problems(self, "count", known)

    def value(self) -> tuple[str, str]:
        return "count(*)", "count(*)"
