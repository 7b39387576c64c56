"""`static.<value>`, `static.<value>,<value>,...` or `static` with `values: [...]`: given values.

In a reference dimension a list is its rows, in order. Anywhere else each row has one of the list.

`choice` with `values: [...]` and `weights: [...]`: each row of any table has one of the values, as often as the weights say.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
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
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.model import LARGEST, MOST_ROWS, Scalar, storable
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, Table
from plotsim_core.config.texts import typed_values
from plotsim_core.config.words import capitalised, enumeration, phrase
from plotsim_core.errors import Problem, ProblemError, value_text
from plotsim_core.numerics.arrays import Floats, Integers
from plotsim_core.plan.plan import ColumnPlan, TablePlan


def _values(values: Any) -> Any:
    if isinstance(values, str):
        return values
    if not isinstance(values, list | tuple) or not 0 < len(values) <= MOST_ROWS:
        raise ValueError(f"expected a list of 1 to {MOST_ROWS:,} values, found {value_text(values)}")
    values = [value.isoformat() if isinstance(value, date) else value for value in values]
    invalid_value = next(
        (value for value in values if value is not None and not isinstance(value, str | int | float | bool)), None
    )
    if invalid_value is not None:
        raise ValueError(f"expected texts, numbers or true/false, found {value_text(invalid_value)}")
    return tuple(map(storable, values))


@add_source
class Static(ColumnSource):
    """`values` are the values: between commas after the dot, those with commas in double quotes, or a list of any texts,
    numbers and truths. `value_type` says that texts are days (2024-01-31) or moments, or that all values are texts."""

    word = "static"
    example = "static.bronze,silver,gold"
    argument = "values"
    beside = True
    in_structs = True

    values: Annotated[str | tuple[str | int | float | bool | None, ...], BeforeValidator(_values)]
    """The values: between commas after the dot, those with commas in double quotes, or a list of any texts, numbers and
    truths."""
    value_type: Literal["text", "date", "timestamp"] | None = None
    """That texts are days (2024-01-31) or moments, or that all values are texts."""

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

    def possible_values(self, table: Table, scope: Scope) -> list[Any]:
        return self.row_values()

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
        prices = isinstance(self.values, str) and all(text[-3:-2] == "." for text in self.texts)
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


Weights = Annotated[
    tuple[Annotated[float, Field(ge=0, le=LARGEST, strict=True)], ...], Field(min_length=1, max_length=1_000_000)
]
"""Relative frequency of each option."""


@add_source
class Choice(ColumnSource):
    """The `values` to choose from, and how often each is chosen relative to the others (`weights`; evenly without)."""

    word = "choice"
    example = "choice"

    values: Annotated[tuple[Scalar, ...], Field(min_length=1, max_length=1000)]
    """The values to choose from."""
    weights: Weights | None = None
    """How often each is chosen, relative to the others."""

    @model_validator(mode="after")
    def _check_values(self) -> Choice:
        problems = [*weight_problems(self.weights, len(self.values), "values")]
        if len(set(map(str, self.values))) != len(self.values):
            problems.append(Problem("values", f"two values are the same in {value_text(list(self.values))}"))
        if problems:
            raise ProblemError(*problems)
        return self

    def arrow_type(self, column: Column, dataset: Dataset) -> pa.DataType:
        return common_type(list(self.values))

    def possible_values(self, table: Table, scope: Scope) -> list[Any]:
        return common_values(list(self.values))

    def describe(self, column: Column, table: Table, dataset: Dataset) -> str:
        return f"{capitalised(phrase(column.name))}, one of {enumeration(self.values)}."

    def decimal_places(self, dataset: Dataset) -> int | None:
        return max_decimals(self.values)

    def fill(self, column: ColumnPlan, table: TablePlan, rows: Rows) -> ArrowArray:
        values = [str(value) for value in self.values] if column.type == pa.string() else list(self.values)
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
