"""Popularity of a dimension's rows as targets of references: uniform, by given weights, or falling with the rank (Zipf)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from plotsim_core.columns.choice import weighted_indexes
from plotsim_core.columns.primary_key import WIDTH, key_column, prefix
from plotsim_core.config.model import LARGEST, Part
from plotsim_core.config.tables import Table
from plotsim_core.errors import Problem
from plotsim_core.families import did_you_mean
from plotsim_core.numerics.arrays import Floats, Integers

Weight = Annotated[float, Field(ge=0, le=LARGEST, strict=True)]
WeightsOf = Annotated[dict[str | int | float, Weight], Field(min_length=1)]
"""How often each value of a key or of a static column is referred to, relative to the others."""

_HEAD, _SHARE = 0.2, 0.8
"""With `head_tail`, the first fifth of the rows gets four fifths of the references."""


class Popularity(Part):
    """`weights` says how often each value of the key or of a static column is referred to, `distribution` how often the
    rows are in their order: evenly (uniform), as 1 / rank**`exponent` (zipf), or the first fifth of them four times in five
    (head_tail)."""

    weights: WeightsOf | None = None
    """How often each value of the key or of a static column is referred to."""
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
    elif options.weights is not None and rows is not None:
        yield from _check_weights(options.weights, rows)


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
        texts[id_column.name] = id_column.source.row_texts() or [
            f"{prefix(table)}-{index + 1:0{WIDTH}d}" for index in range(count)
        ]
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


def popular_rows(options: Popularity, table: Table, uniforms: Floats) -> Integers:
    """Return the row of a listed dimension that each uniform draws."""
    if options.weights is not None:
        return weighted_indexes(uniforms, _weights_of_rows(options.weights, table))
    return popular_indexes(options, np.full(len(uniforms), table.length, dtype=np.int64), uniforms)


def popular_indexes(options: Popularity, counts: Integers, uniforms: Floats) -> Integers:
    """Return the index below `counts` that each uniform draws."""
    if options.distribution in (None, "uniform"):
        positions: Integers = (uniforms * counts).astype(np.int64)
        return positions
    indexes = np.zeros(len(uniforms), dtype=np.int64)
    for count in np.unique(counts).tolist():
        has_count = counts == count
        indexes[has_count] = weighted_indexes(
            uniforms[has_count], _rank_weights(str(options.distribution), options.exponent or 1.0, count)
        )
    return indexes
