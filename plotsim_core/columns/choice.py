"""`static.<value>` or `static.<value>,<value>,...`: given values.

In a reference dimension a list is its rows, in order. Anywhere else each row has one of the list.

`choice` with `values: [...]` and `weights: [...]`: each row of any table has one of the values, as often as the weights say.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator

from plotsim_core.columns.exact import places_of
from plotsim_core.columns.rows import Integers, Rows, picked
from plotsim_core.columns.source import Source, add_source
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.model import LARGEST, Part, Scalar
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, SourceWords, Table
from plotsim_core.config.words import begun, phrase, several
from plotsim_core.errors import Problem, Wrong, shown
from plotsim_core.numerics.random import Floats
from plotsim_core.plan.plan import ColumnPlan, TablePlan


class Options(Part):
    """`values` are the values, separated by commas."""

    values: str


def listed(column: Column) -> list[str]:
    """Return the values of a static column as they are written."""
    options = column.source
    assert isinstance(options, Options)
    return [value.strip() for value in options.values.split(",")]


Weights = Annotated[
    tuple[Annotated[float, Field(ge=0, le=LARGEST, strict=True)], ...], Field(min_length=1, max_length=1_000_000)
]
"""How often each of some things is drawn, relative to the others."""


class Choice(Part):
    """The `values` to choose from, and how often each is chosen relative to the others (`weights`; evenly without)."""

    values: Annotated[tuple[Scalar, ...], Field(min_length=1, max_length=1000)]
    weights: Weights | None = None

    @model_validator(mode="after")
    def _fits(self) -> Choice:
        problems = [*wrong_weights(self.weights, len(self.values), "values")]
        if len(set(map(str, self.values))) != len(self.values):
            problems.append(Problem("values", f"two values are the same in {shown(list(self.values))}"))
        if problems:
            raise Wrong(*problems)
        return self


def wrong_weights(weights: tuple[float, ...] | None, count: int, noun: str) -> Iterable[Problem]:
    """Yield what is wrong with the weights of `count` things."""
    if weights is not None and len(weights) != count:
        yield Problem("weights", f"expected {count} weights, one for each of the {noun}, found {len(weights)}")
    if weights is not None and sum(weights) == 0:
        yield Problem("weights", "expected a weight above 0")


@lru_cache(maxsize=256)
def _edges(weights: tuple[float, ...]) -> Floats:
    total = np.cumsum(np.array(weights))
    edges: Floats = total[:-1] / total[-1]
    return edges


def weighted(drawn: Floats, weights: tuple[float, ...]) -> Integers:
    """Return which of some things each uniform draws, in proportion to their `weights`."""
    places: Integers = np.searchsorted(_edges(weights), drawn, side="right").astype(np.int64)
    return places


def drawn_from(rows: Rows, table: TablePlan, column: ColumnPlan, count: int, weights: tuple[float, ...] | None) -> Integers:
    """Return which of `count` things each row has, in proportion to their weights or evenly."""
    if weights is None:
        return rows.choose(table, column, count)
    return weighted(rows.uniforms(table, column), weights)


def common_type(values: list[Any]) -> pa.DataType:
    """Return the narrowest of integer, float, boolean and text that holds all values."""
    if all(isinstance(value, bool) for value in values):
        return pa.bool_()
    if all(isinstance(value, int) and not isinstance(value, bool) for value in values):
        return pa.int64()
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return pa.float64()
    return pa.string()


def most_places(values: Iterable[Any]) -> int | None:
    """Return how many decimals numbers have at most, each a number or a text of one; None where one is not finite."""
    found = [places_of(value.strip() if isinstance(value, str) else float(value)) for value in values]
    return None if None in found else max(place for place in found if place is not None)


def typed(texts: list[str]) -> list[Any]:
    """Return texts as whole numbers if all are, else as numbers if all are, else as they are."""
    for read in (int, float):
        try:
            return [read(text) for text in texts]
        except ValueError:
            continue
    return list(texts)


def _arrow(options: Options, column: Column, dataset: Dataset) -> pa.DataType:
    return common_type(typed(listed(column)))


def _check(options: Options, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
    if not all(listed(column)):
        yield Problem("type", f"an empty value in {shown(options.values)}", "write values between commas: static.low,high")


def _decimals(options: Options, dataset: Dataset) -> int | None:
    """Return 2 for prices: numbers all written with two decimals."""
    prices = all(text.strip()[-3:-2] == "." for text in options.values.split(","))
    return 2 if prices and common_type(typed([text.strip() for text in options.values.split(",")])) == pa.float64() else None


def _describe(options: Options, column: Column, table: Table, dataset: Dataset) -> str:
    values = list(dict.fromkeys(listed(column)))
    return f"{begun(phrase(column.name))}, {'one of' if len(values) > 1 else 'always'} {several(values)}."


def _fill(column: ColumnPlan, table: TablePlan, rows: Rows) -> pa.Array:
    values = typed(listed(column.spec))
    if len(values) == 1:
        return pa.repeat(pa.scalar(values[0], column.type), len(rows))
    places = rows.ordinal % len(values) if table.kind == "reference" else rows.choose(table, column, len(values))
    return picked(values, places, column.type)


add_source(
    "static",
    SourceWords(
        options=Options,
        arrow=_arrow,
        example="static.bronze,silver,gold",
        argument="values",
        check=_check,
        describe=_describe,
        decimals=_decimals,
        places=lambda options, dataset: most_places(options.values.split(",")),
    ),
    Source(_fill),
)


def _fill_choice(column: ColumnPlan, table: TablePlan, rows: Rows) -> pa.Array:
    options = column.spec.source
    assert isinstance(options, Choice)
    values = [str(value) for value in options.values] if column.type == pa.string() else list(options.values)
    return picked(values, drawn_from(rows, table, column, len(values), options.weights), column.type)


add_source(
    "choice",
    SourceWords(
        options=Choice,
        arrow=lambda options, column, dataset: common_type(list(options.values)),
        example="choice",
        places=lambda options, dataset: most_places(options.values),
        describe=lambda options, column, table, dataset: f"{begun(phrase(column.name))}, one of {several(options.values)}.",
    ),
    Source(_fill_choice),
)
