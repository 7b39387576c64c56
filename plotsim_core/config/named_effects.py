"""Named effects: what happens on some days, and multiplies the means of metrics or the rows of tables then."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from plotsim_core.config.day_rules import Day, is_date, is_never
from plotsim_core.config.model import Flag, Name, Part
from plotsim_core.config.occasions import Occasion
from plotsim_core.config.partial import known_problems
from plotsim_core.config.pydantic_errors import validated
from plotsim_core.errors import Problem, ProblemError

if TYPE_CHECKING:
    from plotsim_core.config.dataset import Dataset
    from plotsim_core.config.tables import Table

_LONGEST_RAMP = 366
_FADED = 7
"""After so many half-lives, below a hundredth of an effect, nothing is left of it."""

Factor = Annotated[float, Field(ge=0, le=1000, strict=True)]


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value]


Names = Annotated[tuple[Name, ...], Field(min_length=1), BeforeValidator(_as_list)]
SegmentNames = Annotated[tuple[str, ...], Field(min_length=1), BeforeValidator(_as_list)]


class HalfLife(Part):
    """A ramp that halves: of an effect, half is left `half_life` periods away from it, a quarter twice as far."""

    half_life: Annotated[float, Field(gt=0, le=52, strict=True)]
    """After how many periods half of it is left. Seven times as far away it ends."""

    @property
    def weights(self) -> tuple[float, ...]:
        """What is left of an effect one period away from it, two periods and so on."""
        distances = range(1, max(1, int(_FADED * self.half_life)) + 1)
        return tuple(0.5 ** (distance / self.half_life) for distance in distances)


Ramp = Annotated[int, Field(ge=1, le=_LONGEST_RAMP, strict=True)] | HalfLife


def _ramp_weights(ramp: int | HalfLife | None) -> tuple[float, ...]:
    if isinstance(ramp, HalfLife):
        return ramp.weights
    length = ramp or 0
    return tuple(1.0 - distance / (length + 1) for distance in range(1, length + 1))


class EffectRow(Part):
    """A row of the table of an effect: when it is, and what it has of its own. All else is that of the effect."""

    start: Day
    """Its first day, or days of every year."""
    end: Day | None = None
    """Its last day; the first one unless it is written."""
    factor: Factor | None = None
    """What it multiplies by."""
    name: Annotated[str, Field(min_length=1)] | None = None
    """What it is called."""
    metric: Name | None = None
    """The metric that it acts on."""
    segment: str | None = None
    """The segment that it acts on."""
    table: Name | None = None
    """The table that it acts on."""

    @model_validator(mode="after")
    def _consistent(self) -> EffectRow:
        problems = [*_range_problems(self.start, self.end), *_factor_problems(self.factor)]
        if problems:
            raise ProblemError(*problems)
        return self


ROW_COLUMNS = tuple(EffectRow.model_fields)
"""The columns that the table of an effect may have."""


def _range_problems(start: str | None, end: str | None) -> Iterator[Problem]:
    for name, text in (("start", start), ("end", end)):
        if text is not None and is_never(text):
            yield Problem(name, f"there is no day {text}")
            return
    if start is None or end is None:
        return
    if is_date(start) != is_date(end):
        yield Problem(
            "end", f"expected {'a date' if is_date(start) else 'a day of every year'}, as `start` is, found '{end}'"
        )
    elif is_date(start) and end < start:
        yield Problem("end", f"expected a day from {start} on, the `start`, found {end}")


def _factor_problems(factor: float | None) -> Iterator[Problem]:
    if factor == 1:
        yield Problem("factor", "1 has no effect: nothing would change")


class Effect(Part):
    """What multiplies means, or rows of tables, on some days: a sale, a strike, a campaign.

    It says when by `date`, by `start` and `end`, or by the rows of a listed table (`rows_of`), which may be those of a file.
    The table has a column `start` and any of `end`, `factor`, `name`, `metric`, `segment` and `table`.

    Without `metrics`, `tables` and `arrivals` it acts on the means of all amounts and counts. Effects that meet multiply
    each other.

    A period that is longer than a day has its share: of a factor 3 on one day of thirty, 1 + 2 / 30.
    """

    name: Annotated[str, Field(min_length=1)]
    """What it is called."""
    date: Annotated[tuple[Day, ...], Field(min_length=1), BeforeValidator(_as_list)] | None = None
    """The day: a date, a day of every year (12-24), or a rule (4th friday of november, easter - 2); or a list of them."""
    start: Day | None = None
    """The first day of a range, of one year or of every. A date without an `end`: from then on."""
    end: Day | None = None
    """The last day of a range."""
    rows_of: Name | None = None
    """A listed table, each row of which says when it is."""
    factor: Factor | None = None
    """What it multiplies by: 3 is three times as much. Rows may have one of their own."""
    metrics: Names | None = None
    """The metrics whose means it multiplies; amounts and counts unless it is written."""
    segments: SegmentNames | None = None
    """The segments that it acts on, all unless it is written."""
    tables: Names | None = None
    """The tables whose number of rows it multiplies, those that are drawn around a mean or spread over time."""
    arrivals: Flag = False
    """Whether it multiplies how many units arrive, those by lot or ongoing."""
    ramp_in: Ramp | None = None
    """How it begins before its first period: in a line over so many periods, or by a half-life."""
    ramp_out: Ramp | None = None
    """How it fades after its last period."""

    @model_validator(mode="after")
    def _consistent(self) -> Effect:
        problems = [*known_problems(self._time_problems()), *known_problems(self._strength_problems())]
        if problems:
            raise ProblemError(*problems)
        return self

    def _time_problems(self) -> Iterator[Problem]:
        times = {
            "date": self.date is not None,
            "start": self.start is not None or self.end is not None,
            "rows_of": self.rows_of is not None,
        }
        words = [word for word, is_written in times.items() if is_written]
        if not words:
            yield Problem("date", "is missing", "when it is: a `date`, a `start` and an `end`, or `rows_of` a table")
        for word in words[1:]:
            place = "end" if word == "start" and self.start is None else word
            yield Problem(place, f"does not go with `{words[0]}`", "give each an effect of its own")
        for index, text in enumerate(self.date or ()):
            if is_never(text):
                yield Problem(f"date[{index}]", f"there is no day {text}")
        yield from _range_problems(self.start, self.end)
        for name, other_name in (("start", "end"), ("end", "start")):
            edge = getattr(self, name)
            if edge is not None and getattr(self, other_name) is None and not is_date(edge):
                yield Problem(other_name, "is missing", f"a range of every year has both; its {name} is '{edge}'")

    def _strength_problems(self) -> Iterator[Problem]:
        yield from _factor_problems(self.factor)
        if self.factor is None and self.rows_of is None:
            yield Problem("factor", "is missing", "what it multiplies by: 3 is three times as much")

    def occasions(self, rows: Iterable[EffectRow]) -> tuple[Occasion, ...]:
        """Return the effect as occasions: one, or one for each of the `rows` of its table."""
        if self.rows_of is None:
            return (self._occasion(self.date or (), self.start, self.end, EffectRow(start="01-01")),)
        return tuple(self._occasion((), row.start, row.end or row.start, row) for row in rows)

    def _occasion(self, dates: tuple[str, ...], start: str | None, end: str | None, row: EffectRow) -> Occasion:
        factor = self.factor if row.factor is None else row.factor
        tables = self.tables or () if row.table is None else (row.table,)
        metrics = self.metrics if row.metric is None else (row.metric,)
        return Occasion(
            name=row.name or self.name,
            dates=dates,
            start=start,
            end=end,
            factor=1.0 if factor is None else factor,
            metrics=() if metrics is None and (tables or self.arrivals) else metrics,
            segments=self.segments if row.segment is None else (row.segment,),
            tables=tables,
            before=_ramp_weights(self.ramp_in),
            after=_ramp_weights(self.ramp_out),
            moves_arrivals=self.arrivals,
        )


def occasions_of(dataset: Dataset) -> tuple[tuple[Occasion, ...], ...]:
    """Return the occasions of each effect of a dataset, in the order in which effects are declared."""
    tables = dataset.named_tables
    return tuple(
        effect.occasions(() if effect.rows_of is None else table_rows(tables[effect.rows_of])) for effect in dataset.effects
    )


def table_rows(table: Table) -> list[EffectRow]:
    """Return the rows of a listed table as those of an effect. Raises ProblemError for those that are none."""
    columns = {column.name: column.source.row_values() for column in table.columns if column.name in ROW_COLUMNS}
    listed_columns = {name: values for name, values in columns.items() if values}
    problems: list[Problem] = []
    rows = []
    for index in range(table.length):
        written = {name: _written(values[index % len(values)]) for name, values in listed_columns.items()}
        row_problems: list[Problem] = []
        known = {name: value for name, value in written.items() if value is not None}
        rows.append(validated(EffectRow.model_validate, known, "", EffectRow, row_problems))
        problems += (
            Problem("", f"row {index + 1}, {problem.path.lstrip('.')}: {problem.message}") for problem in row_problems
        )
    if problems:
        raise ProblemError(*problems)
    return rows


def _written(value: Any) -> Any:
    """Return a value of a listed column as it would be written for a row."""
    if isinstance(value, datetime):
        return value.date().isoformat()
    return value.isoformat() if isinstance(value, date) else value
