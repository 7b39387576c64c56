"""`static` with `values: [...]`: given values, the rows of a listed table, in order. `static.<value>`: that of every row.

Several values after the dot are an old spelling, and so is a list anywhere else, of which each row has one.

`choice` with `values: [...]` and `weights: [...]`: each row of any table has one of the values, as often as the weights say.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from functools import cached_property, lru_cache
from typing import Annotated, Any, Literal

import numpy as np
import pyarrow as pa
from pydantic import BeforeValidator, Field, model_validator

from plotsim_core.arrow import ArrowArray, repeated
from plotsim_core.columns.exact import decimal_count
from plotsim_core.columns.rows import Rows, gathered
from plotsim_core.columns.source import ColumnSource, add_source
from plotsim_core.columns.unique import check_unique, collision_notes, unique_indexes, unique_problems
from plotsim_core.config.column_source import with_options
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.model import LARGEST, MOST_ROWS, Flag, Scalar, storable
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, Table
from plotsim_core.config.texts import typed_values
from plotsim_core.config.words import capitalised, enumeration, phrase
from plotsim_core.errors import Problem, ProblemError, key_text, value_text
from plotsim_core.numerics.arrays import Floats, Integers
from plotsim_core.plan.plan import ColumnPlan, TablePlan


def _values(values: Any) -> Any:
    if isinstance(values, str):
        return values
    if not isinstance(values, list | tuple) or not 0 < len(values) <= MOST_ROWS:
        raise ValueError(f"expected a list of 1 to {MOST_ROWS:,} values, found {value_text(values)}")
    values = [value.isoformat() if isinstance(value, date) else value for value in values]
    problems = [
        Problem(f"[{index}]", f"expected a text, a number or true/false, found {value_text(value)}")
        for index, value in enumerate(values)
        if value is not None and not isinstance(value, str | int | float | bool)
    ]
    if problems:
        raise ProblemError(*problems)
    return tuple(map(storable, values))


@add_source
class Static(ColumnSource):
    """`values` are those of the rows of a listed table, in order; a value after the dot is that of every row. `value_type`
    says that texts are days (2024-01-31) or moments, or that all values are texts."""

    word = "static"
    in_cases = True
    example = "static.silver"
    argument = "values"
    beside = True
    in_structs = True

    values: Annotated[str | tuple[str | int | float | bool | None, ...], BeforeValidator(_values)]
    """A list of texts, numbers and truths. Prices may stand between commas after the dot: CSV has them with two decimals."""
    value_type: Literal["text", "date", "timestamp"] | None = None
    """That texts are days (2024-01-31) or moments, or that all values are texts."""

    @classmethod
    def todays_words(cls, column: Mapping[str, Any], is_listed: bool) -> Mapping[str, Any]:
        """Several values are a list, and those of which each row has any are a choice. Prices between commas stay there, as
        CSV has them with two decimals; so do numbers that are not written as YAML has them."""
        dot, text = column["type"].partition(".")[1:]
        if dot:
            texts = [value for value, _ in _split(text) or ()]
            has_quotes = any(is_quoted for _, is_quoted in _split(text) or ())
            typed = texts if has_quotes or column.get("value_type") == "text" else typed_values(texts)
            has_prices = isinstance(typed[0], float) and _are_prices(texts) if typed else False
            is_same = len(texts) > 1 and all(texts) and list(map(str, typed)) == texts and not has_prices
            if not is_same or "values" in column:
                return column
            column = with_options(column, cls.word, values=list(typed))
        values = column.get("values")
        if (
            is_listed
            or {"value_type", "unique"} & column.keys()
            or not isinstance(values, list | tuple)
            or not 1 < len(values) <= _MOST_CHOICES
        ):
            return column
        is_drawn = all(type(value) in (str, int, float) for value in values) and len({*map(str, values)}) == len(values)
        return {**column, "type": Choice.word} if is_drawn else column

    @model_validator(mode="after")
    def _check_values(self) -> Static:
        if isinstance(self.values, str) and _split(self.values) is None:
            raise ProblemError(Problem("values", f"a quote is not closed before a comma in {value_text(self.values)}"))
        if self.value_type in _FORMATS:
            for value in self.parsed_values:
                if value is not None and _parsed_moment(value, self.value_type) is None:
                    raise ProblemError(
                        Problem("value_type", f"{value_text(value)} is no {self.value_type}", _FORMATS[self.value_type])
                    )
        return self

    @property
    def texts(self) -> list[str]:
        """The values as they are written."""
        return (
            [text for text, _ in _split(self.values) or ()] if isinstance(self.values, str) else list(map(str, self.values))
        )

    @cached_property
    def parsed_values(self) -> list[Any]:
        """The values, numbers as numbers, days and moments as texts."""
        if not isinstance(self.values, str):
            return list(self.values)
        if self.value_type == "text" or any(quoted for _, quoted in _split(self.values) or ()):
            return list(self.texts)
        return list(typed_values(self.texts))

    @property
    def row_count(self) -> int:
        return len(self.parsed_values)

    def row_values(self) -> list[Any]:
        if self.value_type in _FORMATS:
            return [None if value is None else _parsed_moment(value, self.value_type) for value in self.parsed_values]
        if self._type() == pa.string():
            return [
                None if value is None else value if isinstance(value, str) else _text(value) for value in self.parsed_values
            ]
        return self.parsed_values

    def row_texts(self) -> list[str]:
        return self.texts

    def is_unique(self, table: Table) -> bool:
        values = self.row_values()
        return table.is_listed and len(values) == table.length == len(set(values)) and None not in values

    def possible_values(self, table: Table, scope: Scope) -> list[Any]:
        return self.row_values()

    def number_range(self, dataset: Dataset) -> tuple[float, float] | None:
        return _number_range(self.row_values())

    def listed_texts(self, dataset: Dataset) -> list[str]:
        return list(dict.fromkeys(value for value in self.row_values() if isinstance(value, str)))

    def _type(self) -> pa.DataType:
        types: dict[str, pa.DataType] = {"text": pa.string(), "date": pa.date32(), "timestamp": pa.timestamp("us")}
        if self.value_type is not None:
            return types[self.value_type]
        return common_type([value for value in self.parsed_values if value is not None])

    def arrow_type(self, column: Column, dataset: Dataset) -> pa.DataType:
        return self._type()

    def check(self, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
        if isinstance(self.values, str) and not all(text or quoted for text, quoted in _split(self.values) or ()):
            yield Problem(
                "type", f"an empty value in {value_text(self.values)}", "write values between commas: static.low,high"
            )

    def describe(self, column: Column, table: Table, dataset: Dataset) -> str:
        values = list(dict.fromkeys(self.texts))
        return f"{capitalised(phrase(column.name))}, {'one of' if len(values) > 1 else 'always'} {enumeration(values)}."

    def is_nullable(self, column: Column, dataset: Dataset) -> bool:
        return None in self.parsed_values

    def text_decimals(self, dataset: Dataset) -> int | None:
        """Return 2 for prices: numbers all written with two decimals."""
        prices = isinstance(self.values, str) and _are_prices(self.texts)
        return 2 if prices and self._type() == pa.float64() else None

    def decimal_places(self, dataset: Dataset) -> int | None:
        return max_decimals(
            self.texts if isinstance(self.values, str) else [value for value in self.parsed_values if value is not None]
        )

    def fill(self, column: ColumnPlan, table: TablePlan, rows: Rows) -> ArrowArray:
        values = self.row_values()
        if len(values) == 1:
            return repeated(values[0], column.type, len(rows))
        indexes = rows.ordinal % len(values) if table.spec.is_listed else rows.choose(table, column, len(values))
        return gathered(values, indexes, column.type)


def _are_prices(texts: Iterable[str]) -> bool:
    """Return whether texts of numbers are all written with two decimals."""
    return all(text[-3:-2] == "." for text in texts)


_FORMATS = {"date": "write it like 2024-01-31", "timestamp": "write it like 2024-01-31T09:30:00"}
_ITEM = re.compile(r'\s*(?:"((?:[^"]|"")*)"\s*|([^",][^,]*|))(?:,|$)')


def _split(values: str) -> list[tuple[str, bool]] | None:
    """Return (text, is quoted) for each item between commas; None for a quote that is not closed."""
    items = []
    position, has_next = 0, True
    while has_next:
        match = _ITEM.match(values, position)
        if match is None:
            return None
        items.append((match[1].replace('""', '"'), True) if match[1] is not None else (match[2].strip(), False))
        position, has_next = match.end(), match[0].endswith(",")
    return items


def _parsed_moment(value: Any, value_type: str | None) -> date | datetime | None:
    try:
        return date.fromisoformat(value) if value_type == "date" else datetime.fromisoformat(value).replace(tzinfo=None)
    except (TypeError, ValueError):
        return None


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


_MOST_CHOICES = 1000
"""The most values to choose from."""

Weights = Annotated[
    tuple[Annotated[float, Field(ge=0, le=LARGEST, strict=True)], ...], Field(min_length=1, max_length=1_000_000)
]
"""Relative frequency of each option."""


def _or_weighted(schema: dict[str, Any]) -> None:
    """Let the JSON Schema of a list take a mapping of values to weights as well."""
    words: dict[str, Any] = {key: schema.pop(key) for key in ("title", "description") if key in schema}
    weights = {"type": "object", "minProperties": 1, "additionalProperties": {"type": "number", "minimum": 0}}
    options = [dict(schema), weights]
    schema.clear()
    schema.update({"anyOf": options, **words})


@add_source
class Choice(ColumnSource):
    """The `values` to choose from, and how often each is chosen relative to the others: `{ free: 8, paid: 2 }`, or a list of
    values with a list of `weights` (evenly without)."""

    word = "choice"
    in_cases = True
    example = "choice"

    values: Annotated[tuple[Scalar, ...], Field(min_length=1, max_length=_MOST_CHOICES, json_schema_extra=_or_weighted)]
    """The values to choose from; or each with how often it is chosen."""
    weights: Weights | None = None
    """How often each is chosen, relative to the others."""
    unique: Flag = False
    """That no two units, children or listed rows have the same of them."""

    @model_validator(mode="before")
    @classmethod
    def _with_weights(cls, value: Any) -> Any:
        """Return the options with a mapping of values to weights as two lists."""
        weighted_values = value.get("values") if isinstance(value, dict) else None
        if not isinstance(weighted_values, dict):
            return value
        if value.get("weights") is not None:
            raise ProblemError(Problem("weights", "says the same as the numbers of `values`; give one of them"))
        problems = [
            Problem(
                f"values.{key_text(name)}", f"expected how often it is chosen, a number from 0, found {value_text(weight)}"
            )
            for name, weight in weighted_values.items()
            if isinstance(weight, bool) or not isinstance(weight, int | float) or weight < 0
        ]
        if problems:
            raise ProblemError(*problems)
        return {**value, "values": list(weighted_values), "weights": list(weighted_values.values())}

    @model_validator(mode="after")
    def _check_values(self) -> Choice:
        problems = [*weight_problems(self.weights, len(self.values), "values")]
        if self.unique and self.weights is not None:
            problems.append(Problem("weights", "have no effect: no value is chosen twice", "leave out `unique`"))
        if len(set(map(str, self.values))) != len(self.values):
            problems.append(Problem("values", f"two values are the same in {value_text(list(self.values))}"))
        if problems:
            raise ProblemError(*problems)
        return self

    def check(self, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
        return check_unique(table) if self.unique else ()

    def is_unique(self, table: Table) -> bool:
        return self.unique

    def problems(self, table: Table, dataset: Dataset) -> Iterable[Problem]:
        return unique_problems(len(self.values), "the list", table, dataset) if self.unique else ()

    def notes(self, table: Table, dataset: Dataset) -> Iterable[Problem]:
        return collision_notes(len(self.values), table, dataset) if self.unique else ()

    def arrow_type(self, column: Column, dataset: Dataset) -> pa.DataType:
        return common_type(list(self.values))

    def possible_values(self, table: Table, scope: Scope) -> list[Any]:
        return common_values(list(self.values))

    def number_range(self, dataset: Dataset) -> tuple[float, float] | None:
        return _number_range(list(self.values))

    def listed_texts(self, dataset: Dataset) -> list[str]:
        return list(map(str, self.values))

    def describe(self, column: Column, table: Table, dataset: Dataset) -> str:
        suffix = ", no two rows the same" if self.unique else ""
        return f"{capitalised(phrase(column.name))}, one of {enumeration(self.values)}{suffix}."

    def decimal_places(self, dataset: Dataset) -> int | None:
        return max_decimals(self.values)

    def fill(self, column: ColumnPlan, table: TablePlan, rows: Rows) -> ArrowArray:
        values = [str(value) for value in self.values] if column.type == pa.string() else list(self.values)
        if self.unique:
            return gathered(values, unique_indexes(len(values), column, table, rows), column.type)
        return gathered(values, option_indexes(rows, table, column, len(values), self.weights), column.type)


def weight_problems(weights: tuple[float, ...] | None, count: int, noun: str) -> Iterable[Problem]:
    """Yield the problems of the weights of `count` options."""
    if weights is not None and len(weights) != count:
        yield Problem("weights", f"expected {count} weights, one for each of the {noun}, found {len(weights)}")
    if weights is not None and sum(weights) == 0:
        yield Problem("weights", "expected a weight above 0")


@lru_cache(maxsize=256)
def _edges(weights: tuple[float, ...]) -> Floats:
    cumulative = np.cumsum(np.array(weights))
    edges: Floats = cumulative[:-1] / cumulative[-1]
    return edges


def weighted_indexes(uniforms: Floats, weights: tuple[float, ...]) -> Integers:
    """Return the index that each uniform draws, in proportion to the `weights` (inverse CDF)."""
    indexes: Integers = np.searchsorted(_edges(weights), uniforms, side="right").astype(np.int64)
    return indexes


def option_indexes(
    rows: Rows, table: TablePlan, column: ColumnPlan, count: int, weights: tuple[float, ...] | None
) -> Integers:
    """Return the index below `count` that each row draws, in proportion to the weights or evenly."""
    if weights is None:
        return rows.choose(table, column, count)
    return weighted_indexes(rows.uniforms(table, column), weights)


def _number_range(values: list[Any]) -> tuple[float, float] | None:
    """Return the least and the largest of values that are all numbers, but for nulls; None for others."""
    numbers = [float(value) for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    return (min(numbers), max(numbers)) if numbers and len(numbers) == len([v for v in values if v is not None]) else None


def common_type(values: list[Any]) -> pa.DataType:
    """Return the narrowest of integer, float, boolean and text that holds all values."""
    if all(isinstance(value, bool) for value in values):
        return pa.bool_()
    if all(isinstance(value, int) and not isinstance(value, bool) for value in values):
        return pa.int64()
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return pa.float64()
    return pa.string()


def common_values(values: list[Any]) -> list[Any]:
    """Return values as one column has them: as texts if their types differ."""
    return [str(value) for value in values] if common_type(values) == pa.string() else values


def max_decimals(values: Iterable[Any]) -> int | None:
    """Return the largest number of decimals of numbers, or of texts of numbers; None where one is not finite."""
    decimals = [decimal_count(value.strip() if isinstance(value, str) else float(value)) for value in values]
    return None if None in decimals else max(digits for digits in decimals if digits is not None)
