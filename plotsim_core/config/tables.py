"""Tables and columns. What kinds of table and what sources of values there are is open: each is a member of a family.

A *kind* decides which rows a table has; a *source* fills one column of any rows. The words of kinds are declared here by the
files that do the work (`plotsim_core/tables/*.py`), sources are classes (`column_source.py`, `plotsim_core/columns/*.py`).
Which source fits which kind follows from one rule: a kind says what its rows know, a source says what it needs to know of a
row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pyarrow as pa
from pydantic import Field

from plotsim_core.config.column_source import DeclaredSource, History
from plotsim_core.config.extensions import load_extensions
from plotsim_core.config.model import Name, Part
from plotsim_core.config.words import phrase
from plotsim_core.errors import Problem
from plotsim_core.families import Family
from plotsim_core.numerics.decimals import PRECISION

if TYPE_CHECKING:
    from plotsim_core.config.dataset import Dataset
    from plotsim_core.config.scope import Scope

Knowledge = Literal["unit", "period", "cell", "metrics", "crowd", "event", "calendar", "history", "key", "number", "list"]
"""What a row can know: its unit, its period, both together (cell), values of metrics, that it is of all units (crowd), that
it is an event, that it is a date, that it has versions, that it has a key of its own, that it is
numbered among others, that it is one of a listed few."""

Section = Literal["dimensions", "facts", "events", "bridges"]
SECTIONS: tuple[Section, ...] = ("dimensions", "facts", "events", "bridges")

RESERVED = {
    "trajectories",
    "metrics",
    "correlated_metrics",
    "noised_metrics",
    "validation_report",
    "overview",
    "manifest",
    "_partitions",
    "_origin",
}
"""Names of what is made beside tables."""


class Column(Part):
    """A column: its name, its type as it is written, and its source with the options. `pii_note` says what of a person it
    tells; it is published with the schema.

    `name`: what it is called. `type`: where its values come from. `description`: a sentence that is published with
    the schema. `decimals`: makes its numbers exact decimals of so many places, rounded half away from zero.
    """

    name: Name
    type: str
    description: str | None = None
    decimals: Annotated[int, Field(ge=0, le=9, strict=True)] | None = None
    pii_note: Annotated[str, Field(min_length=1, max_length=500)] | None = None
    source: DeclaredSource

    @property
    def word(self) -> str:
        """The source's name in its family, for texts: whatever else is to be known of a column, its source answers."""
        return self.type.partition(".")[0]


class Table(Part):
    """What every table says; each kind adds its own words.

    `name`: what it is called. `columns`: in their order. `description`: a sentence that is published with the
    schema.
    """

    name: Name
    columns: Annotated[tuple[Column, ...], Field(min_length=1)]
    description: str | None = None

    def references_to(self, name: str) -> list[Column]:
        """Return the columns that refer to rows of the table `name`."""
        return [column for column in self.columns if column.source.target_name == name]

    @property
    def history(self) -> History | None:
        """The bands whose changes give its rows versions; None for a table without versions."""
        histories = (column.source.history for column in self.columns)
        return next((history for history in histories if history is not None), None)


def _empty_tuple(*_: Any) -> tuple[Any, ...]:
    return ()


def _none(*_: Any) -> None:
    return None


def _false(*_: Any) -> bool:
    return False


def _empty_text(*_: Any) -> str:
    return ""


@dataclass(frozen=True)
class CrossingWords:
    """A metric above (or below) a level for a number of periods in a row."""

    metric: str
    above: float | None
    below: float | None
    periods: int


@dataclass(frozen=True)
class KindWords:
    """The words of a table kind, and what its tables are before any row is made.

    `recognise(raw, unit)` tells it from its siblings in the section. `key(table, dataset)` are the columns that tell
    rows apart, `time(table)` the column that places a row in time (None: the rows are a state as of some moment),
    `leading(table, dataset)` and `added(table, dataset)` the columns that come by themselves, before and after those that
    are declared, `describe(table, dataset)` one sentence,
    `ending(table)` the crossing that ends a unit, `check(table, scope)` what is wrong, with paths that begin at the table,
    `of(table)` the dimension whose columns it has rather than columns of its own.
    """

    section: Section
    recognise: Callable[[Mapping[str, Any], str], bool]
    model: type[Table]
    knows: frozenset[Knowledge]
    key: Callable[[Any, Dataset], tuple[str, ...]]
    describe: Callable[[Any, Dataset], str]
    check: Callable[[Any, Scope], Iterable[Problem]] = _empty_tuple
    time: Callable[[Any], str | None] = _none
    leading: Callable[[Any, Dataset], tuple[Column, ...]] = _empty_tuple
    added: Callable[[Any, Dataset], tuple[Column, ...]] = _empty_tuple
    ending: Callable[[Any], CrossingWords | None] = _none
    of: Callable[[Any], str | None] = _none


KIND_WORDS: Family[KindWords] = Family("table kind", complete=load_extensions)


def may_be_null(column: Column, dataset: Dataset) -> bool:
    """Return whether a column may have nulls."""
    return column.source.is_nullable(column, dataset)


def column_type(column: Column, dataset: Dataset) -> pa.DataType:
    """Return the type of a column's values."""
    if column.decimals is not None:
        return pa.decimal128(PRECISION, column.decimals)
    return column.source.arrow_type(column, dataset)


def column_decimals(column: Column, dataset: Dataset) -> int | None:
    """Return with how many decimals a column's numbers are written as text (None: as many as they have)."""
    return column.source.text_decimals(dataset) if column.decimals is None else column.decimals


def column_places(column: Column, dataset: Dataset) -> int | None:
    """Return how many decimals a column's numbers have at most; None: those of a double, or it has no numbers."""
    type_ = column_type(column, dataset)
    if pa.types.is_decimal(type_):
        places: int = type_.scale
        return places
    if pa.types.is_integer(type_) or pa.types.is_boolean(type_):
        return 0
    return column.source.places(dataset) if pa.types.is_floating(type_) else None


def is_number(type_: pa.DataType) -> bool:
    """Return whether values of a type are numbers: whole ones, doubles or decimals."""
    return bool(pa.types.is_integer(type_) or pa.types.is_floating(type_) or pa.types.is_decimal(type_))


def changing_sources(column: Column, table: Table) -> list[DeclaredSource]:
    """Return the sources that make a column's values change with time: its own, and those of the columns it reads."""
    visited: set[str] = set()
    sources: list[DeclaredSource] = []
    queue = [column]
    while queue:
        current = queue.pop()
        if current.source.history is not None or current.source.changes_over_time:
            sources.append(current.source)
        visited.add(current.name)
        source_names = {name for owner, name in current.source.reads(table) if owner == table.name} - visited
        queue += [other for other in table.columns if other.name in source_names]
    return sources


def changes_by_version(column: Column, table: Table) -> bool:
    """Return whether a column's values change with the versions of a row alone, if they do."""
    return all(source.history is not None for source in changing_sources(column, table))


def row_noun(table: Table) -> str:
    """Return the noun for a row of a table: the stem of its key, or of the table's name."""
    key = next((column for column in table.columns if column.source.is_key), None)
    stem = key.name.removesuffix("_id").removesuffix("_key") if key is not None else ""
    return phrase(stem if stem not in ("", "id", "key") else table.name.partition("_")[2] or table.name)


@dataclass(frozen=True)
class DeclaredTable:
    """A table as far as it could be read: `table` is None when something in it is wrong."""

    name: str
    path: str
    kind: str | None
    table: Table | None
    columns: tuple[str, ...] = field(default=())
