"""How often the rows of a dimension are referred to: evenly, by given weights, or more the earlier they stand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from plotsim_core.columns.choice import spelled, weighted
from plotsim_core.columns.identity import WIDTH, key_column, own_keys, prefix
from plotsim_core.columns.rows import Integers
from plotsim_core.config.model import LARGEST, Part
from plotsim_core.config.tables import Table
from plotsim_core.errors import Problem
from plotsim_core.families import did_you_mean
from plotsim_core.numerics.random import Floats

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
    distribution: Literal["uniform", "zipf", "head_tail"] | None = None
    exponent: Annotated[float, Field(gt=0, le=10, strict=True)] | None = None

    @property
    def said(self) -> list[str]:
        """What of it is said."""
        return [name for name in Popularity.model_fields if getattr(self, name) is not None]


_DRAWN = {"reference": ("weights", "distribution", "exponent"), "child": ("distribution", "exponent")}
"""What can be said of tables of a kind: of others, which row is referred to is not drawn."""


def check_popularity(options: Popularity, table: str, kind: str, rows: Table | None) -> Iterable[Problem]:
    """Yield what is wrong with what a reference to a table of a kind says of popularity."""
    said = options.said
    for name in said:
        if name not in _DRAWN.get(kind, ()):
            yield Problem(name, f"has no effect: which row of {table} is referred to is not drawn so")
            return
    if options.weights is not None and options.distribution is not None:
        yield Problem("distribution", "give either `weights` or `distribution`")
    elif options.exponent is not None and options.distribution != "zipf":
        yield Problem("exponent", "has no effect without `distribution: zipf`")
    elif options.weights is not None and rows is not None:
        yield from _check_weights(options.weights, rows)


def _check_weights(weights: Mapping[str | int | float, float], table: Table) -> Iterable[Problem]:
    names = {str(value) for value in weights}
    columns = _columns(table)
    best = max(columns, key=lambda name: len(names & set(columns[name])), default="")
    values = columns.get(best, [])
    unknown = [name for name in map(str, weights) if name not in values]
    if unknown:
        known = list(dict.fromkeys(value for own in columns.values() for value in own))
        says = f"{best} of {table.name} has no value '{unknown[0]}'"
        yield Problem(f"weights.{unknown[0]}", says, did_you_mean(unknown[0], known[:1000]))
        return
    missing = [value for value in dict.fromkeys(values) if value not in names]
    if missing:
        yield Problem("weights", f"{best} of {table.name} has the value '{missing[0]}' too", "give it a weight, perhaps 0")
    elif sum(weights.values()) == 0:
        yield Problem("weights", "expected a weight above 0")


def _columns(table: Table) -> dict[str, list[str]]:
    """Return the values, as texts, that each row of a listed dimension has in its key and in its static columns."""
    count: int = table.length  # type: ignore[attr-defined]
    found = {}
    for column in table.sourced("static"):
        values = spelled(column)
        found[column.name] = [values[place % len(values)] for place in range(count)]
    own = key_column(table)
    if own is not None:
        found[own.name] = own_keys(own) or [f"{prefix(table)}-{place + 1:0{WIDTH}d}" for place in range(count)]
    return found


def _weights_of_rows(weights: Mapping[str | int | float, float], table: Table) -> tuple[float, ...]:
    """Return the weight of each row; rows of one value share its weight."""
    named = {str(value): float(weight) for value, weight in weights.items()}
    values = next(values for values in _columns(table).values() if set(values) == set(named))
    times = {value: values.count(value) for value in named} if len(named) < len(values) else dict.fromkeys(named, 1)
    return tuple(named[value] / times[value] for value in values)


@lru_cache(maxsize=256)
def _falling(distribution: str, exponent: float, count: int) -> tuple[float, ...]:
    """Return the weights of `count` rows, in their order."""
    ranks = np.arange(1, count + 1, dtype=np.float64)
    if distribution == "zipf":
        return tuple((ranks**-exponent).tolist())
    head = max(1, round(_HEAD * count))
    if head == count:
        return (1.0,) * count
    return tuple(np.where(ranks <= head, _SHARE / head, (1 - _SHARE) / (count - head)).tolist())


def popular_row(options: Popularity, table: Table, drawn: Floats) -> Integers:
    """Return which row of a listed dimension each uniform refers to."""
    if options.weights is not None:
        return weighted(drawn, _weights_of_rows(options.weights, table))
    return popular_of(options, np.full(len(drawn), table.length, dtype=np.int64), drawn)  # type: ignore[attr-defined]


def popular_of(options: Popularity, counts: Integers, drawn: Floats) -> Integers:
    """Return which of `counts` rows in their order each uniform refers to."""
    if options.distribution in (None, "uniform"):
        evenly: Integers = (drawn * counts).astype(np.int64)
        return evenly
    places = np.zeros(len(drawn), dtype=np.int64)
    for count in np.unique(counts).tolist():
        here = counts == count
        places[here] = weighted(drawn[here], _falling(str(options.distribution), options.exponent or 1.0, count))
    return places
