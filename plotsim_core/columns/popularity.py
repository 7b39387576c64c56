"""Popularity of a dimension's rows as targets of references: uniform, by given weights, or falling with the rank (Zipf)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Annotated, Any, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from plotsim_core.columns.choice import weighted_indexes
from plotsim_core.columns.listed import listed_values
from plotsim_core.columns.primary_key import key_column, listed_keys
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.model import LARGEST, Name, Part
from plotsim_core.config.tables import Table, column_type, is_number
from plotsim_core.errors import Problem
from plotsim_core.families import did_you_mean
from plotsim_core.numerics.arrays import Floats, Integers
from plotsim_core.plan.plan import Population, TablePlan

Weight = Annotated[float, Field(ge=0, le=LARGEST, strict=True)]
WeightsOf = Annotated[dict[str | int | float, Weight], Field(min_length=1)]
"""How often each value of a key or of a static column is referred to, relative to the others."""

_HEAD, _SHARE = 0.2, 0.8
"""With `head_tail`, the first fifth of the rows gets four fifths of the references."""


class Popularity(Part):
    """`weights` says how often each value of the key or of a static column is referred to, or which column of the table
    says it of each row; `distribution` how often the
    rows are in their order: evenly (uniform), as 1 / rank**`exponent` (zipf), or the first fifth of them four times in five
    (head_tail)."""

    weights: WeightsOf | Name | None = None
    """How often each value of the key or of a static column is referred to; or the column of the table with a number for
    each row."""
    distribution: Literal["uniform", "zipf", "head_tail"] | None = None
    """How often rows are referred to, in their order: evenly (uniform), as 1 / rank**`exponent` (zipf), or the first
    fifth of them four times in five (head_tail)."""
    exponent: Annotated[float, Field(gt=0, le=10, strict=True)] | None = None
    """How steeply references fall with the rank (zipf)."""

    @property
    def option_names(self) -> list[str]:
        """Names of the options that are set."""
        return [name for name in Popularity.model_fields if getattr(self, name) is not None]


def check_popularity(options: Popularity, table: str, allowed: tuple[str, ...], rows: Table | None) -> Iterable[Problem]:
    """Yield the problems of the popularity of a reference to a table, where the options `allowed` apply; where its target is
    not drawn, none does."""
    names = options.option_names
    for name in names:
        if name not in allowed:
            yield Problem(name, f"has no effect: which row of {table} is referred to is not drawn so")
            return
    if options.weights is not None and options.distribution is not None:
        yield Problem("distribution", "give either `weights` or `distribution`")
    elif options.exponent is not None and options.distribution != "zipf":
        yield Problem("exponent", "has no effect without `distribution: zipf`")
    elif isinstance(options.weights, str) and rows is not None:
        yield from _check_column(options.weights, rows)
    elif options.weights is not None and not isinstance(options.weights, str) and rows is not None:
        yield from _check_weights(options.weights, rows)


def _check_column(name: str, table: Table) -> Iterable[Problem]:
    """Yield the problems of weights that a column of a listed dimension holds."""
    columns = {column.name: column for column in table.columns}
    if name not in columns:
        yield Problem("weights", f"{table.name} has no column '{name}'", did_you_mean(name, list(columns)))
        return
    values = columns[name].source.row_values() or []
    if any(isinstance(value, int | float) and value < 0 for value in values):
        yield Problem("weights", f"{table.name}.{name} has a number below 0")
    elif values and not any(isinstance(value, int | float) and value > 0 for value in values):
        yield Problem("weights", f"{table.name}.{name} has no number above 0")


def _listed_weights(name: str, table: Table) -> list[Any] | None:
    """Return the values of a column of weights, None where they are not known from the config."""
    return next((column.source.row_values() for column in table.columns if column.name == name), None)


def may_run_out(options: Popularity, table: Table) -> bool:
    """Return whether fewer rows may have a weight than the config says."""
    return isinstance(options.weights, str) and not _listed_weights(options.weights, table)


def weights_problems(options: Popularity, table: Table, dataset: Dataset) -> Iterable[Problem]:
    """Yield a problem where the column of weights of a sound listed dimension holds no numbers."""
    if not isinstance(options.weights, str):
        return
    column = next(column for column in table.columns if column.name == options.weights)
    if not is_number(column_type(column, dataset)):
        yield Problem("weights", f"{table.name}.{column.name} holds no numbers")


def weighted_count(options: Popularity, table: Table) -> int:
    """Return how many rows of a listed dimension can be referred to: those of a weight above zero, and all where weights are
    not known from the config."""
    if isinstance(options.weights, str):
        values = _listed_weights(options.weights, table)
        return sum((values[row % len(values)] or 0) > 0 for row in range(table.length)) if values else table.length
    if options.weights is None:
        return table.length
    return sum(weight > 0 for weight in _weights_of_rows(options.weights, table))


def _check_weights(weights: Mapping[str | int | float, float], table: Table) -> Iterable[Problem]:
    value_texts = {str(value) for value in weights}
    columns = _column_texts(table)
    column_name = max(columns, key=lambda column: len(value_texts & set(columns[column])), default="")
    values = columns.get(column_name, [])
    unknown_values = [text for text in map(str, weights) if text not in values]
    if unknown_values:
        known_values = list(dict.fromkeys(value for texts in columns.values() for value in texts))
        message = f"{column_name} of {table.name} has no value '{unknown_values[0]}'"
        yield Problem(f"weights.{unknown_values[0]}", message, did_you_mean(unknown_values[0], known_values[:1000]))
        return
    missing_values = [value for value in dict.fromkeys(values) if value not in value_texts]
    if missing_values:
        yield Problem(
            "weights",
            f"{column_name} of {table.name} has the value '{missing_values[0]}' too",
            "give it a weight, perhaps 0",
        )
    elif sum(weights.values()) == 0:
        yield Problem("weights", "expected a weight above 0")


def _column_texts(table: Table) -> dict[str, list[str]]:
    """Return the values, as texts, that each row of a listed dimension has in its key and in its static columns."""
    count = table.length
    texts = {}
    for column in table.columns:
        values = column.source.row_texts()
        if values and not column.source.is_key:
            texts[column.name] = [values[index % len(values)] for index in range(count)]
    id_column = key_column(table)
    if id_column is not None:
        texts[id_column.name] = listed_keys(table)
    return texts


def _weights_of_rows(weights: Mapping[str | int | float, float], table: Table) -> tuple[float, ...]:
    """Return the weight of each row; rows of one value share its weight."""
    weight_of = {str(value): float(weight) for value, weight in weights.items()}
    values = next(values for values in _column_texts(table).values() if set(values) == set(weight_of))
    row_counts = (
        {value: values.count(value) for value in weight_of} if len(weight_of) < len(values) else dict.fromkeys(weight_of, 1)
    )
    return tuple(weight_of[value] / row_counts[value] for value in values)


@lru_cache(maxsize=256)
def _rank_weights(distribution: str, exponent: float, count: int) -> tuple[float, ...]:
    """Return the weights of `count` rows by rank: a Zipf law, or a head and a tail."""
    ranks = np.arange(1, count + 1, dtype=np.float64)
    if distribution == "zipf":
        return tuple((ranks**-exponent).tolist())
    head = max(1, round(_HEAD * count))
    if head == count:
        return (1.0,) * count
    return tuple(np.where(ranks <= head, _SHARE / head, (1 - _SHARE) / (count - head)).tolist())


def row_weights(options: Popularity, population: Population, table: TablePlan) -> tuple[float, ...] | None:
    """Return how often each row of a listed dimension is referred to; None: all as often."""
    if isinstance(options.weights, str):
        return _column_weights(population, table.name, options.weights)
    if options.weights is not None:
        return _weights_of_rows(options.weights, table.spec)
    return index_weights(options, table.spec.length)


@lru_cache(maxsize=8)
def _column_weights(population: Population, name: str, column_name: str) -> tuple[float, ...]:
    """Return the numbers of a column of a listed dimension as weights. A null or a number below zero is none; where nothing
    is left, all rows are as likely."""
    numbers = listed_values(population, name, column_name).cast(pa.float64()).fill_null(0.0).to_numpy()
    weights = np.where(numbers > 0, numbers, 0.0)
    return tuple((weights if weights.any() else np.ones(len(weights))).tolist())


def index_weights(options: Popularity, count: int) -> tuple[float, ...] | None:
    """Return the weight of each of `count` rows by its rank; None: all as likely."""
    if options.distribution in (None, "uniform"):
        return None
    return _rank_weights(str(options.distribution), options.exponent or 1.0, count)


def popular_indexes(options: Popularity, counts: Integers, uniforms: Floats) -> Integers:
    """Return the index below `counts` that each uniform draws."""
    if options.distribution in (None, "uniform"):
        positions: Integers = (uniforms * counts).astype(np.int64)
        return positions
    indexes = np.zeros(len(uniforms), dtype=np.int64)
    for count in np.unique(counts).tolist():
        has_count = counts == count
        weights = index_weights(options, count) or ()
        indexes[has_count] = weighted_indexes(uniforms[has_count], weights)
    return indexes
