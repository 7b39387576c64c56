"""How many rows a table has for each of what it is per: what a member of the family of row counts answers.

A member is one class in `row_counts.py`, or in a file that it imports. It is written as a number, a list, a name or a
mapping whose first key is the word of the member: `3`, `[1, 5]`, `visits`, `{ poisson: 2.1 }`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeVar

from pydantic import BeforeValidator, Field

from plotsim_core.config.model import LARGEST, ROWS, Part
from plotsim_core.config.pydantic_errors import number_hint, validated
from plotsim_core.errors import Problem, ProblemError, value_text
from plotsim_core.families import Family, UnknownMember, did_you_mean
from plotsim_core.numerics.arrays import Floats, Integers
from plotsim_core.numerics.random import Words

if TYPE_CHECKING:
    from plotsim_core.config.scope import Scope
    from plotsim_core.config.tables import Table


MOST = 1_000_000
"""The most rows that a parent is expected to have."""

Scale = Annotated[float, Field(gt=0, le=100, strict=True)]
Mean = Annotated[float, Field(gt=0, le=MOST, strict=True)]
Number = Annotated[int, Field(ge=0, le=MOST, strict=True), ROWS]
Bounds = tuple[Number, Annotated[int, Field(ge=1, le=MOST, strict=True), ROWS]]
Weight = Annotated[float, Field(ge=0, le=LARGEST, strict=True)]


@dataclass(frozen=True, eq=False)
class Level:
    """What a number of rows follows: a value for each parent (`values`), the `usual` one, None where that is not known, and
    the `decimals` that count."""

    values: Floats
    usual: float | None
    decimals: int

    def take(self, positions: Integers | slice) -> Level:
        """Return the level of the parents at `positions`."""
        return replace(self, values=self.values[positions])


class RowCount(Part):
    """How many rows there are for each of what a table is per: a number, a range, a name, or a mapping that begins with the
    word of a distribution. The same parent has the same number of rows in whatever slice it is asked for."""

    word: ClassVar[str]
    """The first key of a mapping that says it, and its name in the family."""
    example: ClassVar[str]
    """How it is written."""

    @classmethod
    def member_of(cls, written: Mapping[Any, Any]) -> type[Part] | None:
        return next((ROW_COUNTS[str(word)] for word in written if str(word) in ROW_COUNTS), None)

    @abstractmethod
    def drawn(
        self, seed: int, stream: str, address: Words, level: Level | None = None, factors: Floats | None = None
    ) -> Integers:
        """Return how many rows of the table `stream` each of some parents has, of what it follows (`level`, None for what
        follows nothing). `factors`, one for each parent, multiply the mean of what is drawn around one."""

    @property
    def driver(self) -> str | None:
        """The metric that the number follows, or the column of the parent for rows that belong to rows of a table; None for
        what follows neither."""
        return None

    @property
    def drivers(self) -> tuple[str, ...]:
        """All that it follows, where segments have numbers of their own."""
        return () if self.driver is None else (self.driver,)

    @property
    def deciding(self) -> str | None:
        """The column of the parent, or of its unit, by which the numbers differ; None where they do not."""
        return None

    @property
    def read_columns(self) -> tuple[str, ...]:
        """The columns of the parent that it reads, of rows that belong to units or to rows of a table."""
        return self.drivers if self.deciding is None else (*self.drivers, self.deciding)

    @property
    def case_keys(self) -> tuple[str, ...]:
        """The values of the deciding column that have a number of their own, as texts."""
        return ()

    def of_value(self, value: str | None) -> RowCount | None:
        """Return the number of parents with a value of the deciding column, None for all values without one of their own;
        None where they have no rows."""
        return self

    @property
    def step_names(self) -> tuple[str, ...]:
        """The names of the steps that rows are, in their order; empty where rows are no steps."""
        return ()

    @property
    def chance_columns(self) -> tuple[str, ...]:
        """The columns of the parent that say shares of steps."""
        return ()

    def shares(self, columns: Mapping[str, Floats]) -> Iterator[tuple[str, Floats | float]]:
        """Yield each step with its share, of what parents have in the columns that say shares."""
        return iter(())

    def uniforms(self, seed: int, stream: str, step: str, address: Words) -> Floats:
        """Return the uniform by which each parent takes a step, of a number of rows that are steps."""
        raise TypeError(f"{self.word} has no steps")

    def reached(self, seed: int, stream: str, address: Words, columns: Mapping[str, Floats]) -> Integers:
        """Return how many steps of the table `stream` each of some parents takes, of what they have in the columns that say
        shares."""
        raise TypeError(f"{self.word} has no steps")

    @property
    def total(self) -> int | None:
        """How many rows there are in all; None where that follows from what each parent has."""
        return None

    def dealt(self, seed: int, stream: str, parents: Integers, parent_count: int) -> Integers:
        """Return how many rows of the table `stream` each of some parents has, by their numbers among `parent_count`, of a
        number that says how many there are in all."""
        raise TypeError(f"{self.word} deals out nothing")

    @property
    def is_drawn(self) -> bool:
        """Whether it is drawn around a mean, which a rhythm moves."""
        return False

    @property
    def bounds(self) -> tuple[int, int | None]:
        """The least and the most rows of each; None: there is no bound."""
        return 0, None

    @property
    @abstractmethod
    def mean(self) -> float:
        """The mean number of rows of each; of what follows a metric, the rows for each unit of that."""

    @property
    def options_in_all(self) -> Mapping[str, Any]:
        """The options of a number of rows in all that takes the place of this one: the bounds of each parent, unless all
        parents have the same number."""
        least, most = self.bounds
        return {} if most is None or least == most else {"between": [least, most]}

    def of_segment(self, name: str) -> RowCount:
        """Return the number of rows of each unit of a segment: itself, where segments do not differ."""
        return self

    def check(self, table: Table, scope: Scope) -> Iterable[Problem]:
        """Yield what is wrong with it in this place, with paths that begin at the table."""
        return ()

    @abstractmethod
    def describe(self) -> str:
        """Return how many rows there are, in words."""


ROW_COUNTS: Family[type[RowCount]] = Family("number of rows", "docs/tables.md")
"""Numbers of rows: classes whose instances are the options of one, by their word."""

Member = TypeVar("Member", bound=type[RowCount])


def add_row_count(member: Member) -> Member:
    """Register a number of rows under its `word`, as a decorator of the class. Raises ValueError if the word is taken."""
    ROW_COUNTS.add(member.word, member)
    return member


SHORT: list[Callable[[Any], RowCount | None]] = []
"""Readers of the short ways to write a number of rows, each of which gives None for what it does not know."""


def read_row_count(value: Any) -> RowCount:
    """Return a number of rows as written. Raises ProblemError, with paths that begin at it, if it is none."""
    if isinstance(value, RowCount):
        return value
    count = next((count for read in SHORT if (count := read(value)) is not None), None)
    if count is not None:
        return count
    if isinstance(value, Mapping) and value:
        return _member(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise ProblemError(Problem("", f"expected a whole number of rows, 1 to {MOST:,}, found {value_text(value)}"))
    if isinstance(value, list | tuple):
        raise ProblemError(Problem("", f"expected [least, most], the least first, found {value_text(value)}"))
    examples = ", ".join(["3", *(member.example for _, member in ROW_COUNTS.items())])
    hint = number_hint(value) or f"one of {examples}"
    raise ProblemError(Problem("", f"expected how many rows, found {value_text(value)}", hint))


def _member(value: Mapping[Any, Any]) -> RowCount:
    words = [str(key) for key in value]
    word = next((word for word in words if word in ROW_COUNTS), words[0])
    try:
        member = ROW_COUNTS[word]
    except UnknownMember as unknown:
        raise ProblemError(Problem(word, unknown.message, unknown.hint)) from None
    problems: list[Problem] = []
    count: RowCount | None = validated(member.model_validate, dict(value), "", member, problems)
    if count is None:
        hint = f"write it like {member.example}"
        raise ProblemError(*(Problem(p.path.removeprefix("."), p.message, p.hint or hint) for p in problems))
    return count


WrittenRowCount = Annotated[RowCount, BeforeValidator(read_row_count)]
"""A number of rows, as a field of a model."""


def driver_problems(name: str, path: str, scale: float, table: Table, scope: Scope) -> Iterable[Problem]:
    """Yield a problem if there is no metric of a name, or if it calls for too many rows; for rows that belong to those of a
    table, if these have no column of the name, or one that is named like a metric."""
    if table.parent_name is not None:
        parent = scope.tables.get(table.parent_name)
        is_column, is_metric = parent is not None and name in parent.columns, name in scope.metrics
        if parent is not None and is_column and is_metric:
            column = f"{parent.path}.columns[{parent.columns.index(name)}]"
            metric_path = f"metrics[{list(scope.metrics).index(name)}]"
            message = f"'{name}' is a column of {parent.name}, {column}, and a metric, {metric_path}"
            yield Problem(path, message, "rename the column")
        if parent is None or parent.is_open or is_column:
            return
        if is_metric:
            yield Problem("rows", f"a row of {parent.name} has no {name} of its own", "give a number")
        else:
            yield Problem(path, f"{parent.name} has no column '{name}'", did_you_mean(name, list(parent.columns)))
        return
    units = scope.declared_units
    if name not in scope.metrics and units is not None and (name in units.columns or units.is_open):
        if not table.is_state and name in units.columns:
            message = f"'{name}' is a column of {units.name}, and no column says how many rows there are in a period"
            yield Problem(path, message, "give a number, [least, most], a distribution or a metric")
        return
    yield from scope.unknown_metric(name, path)
    metric = scope.metrics.get(name)
    if metric is not None and metric.means[1] * scale > MOST:
        message = f"found about {value_text(round(metric.means[1] * scale))} at position 1"
        yield Problem(
            "rows.scale", f"expected at most {MOST} rows per {scope.unit} and period, {message}", "make it smaller"
        )
