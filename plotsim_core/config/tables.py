"""Tables and columns. What kinds of table and what sources of values there are is open: each is a member of a family.

A *kind* decides which rows a table has (`table_kind.py`, `plotsim_core/tables/*.py`); a *source* fills one column of any
rows (`column_source.py`, `plotsim_core/columns/*.py`); both are classes. Which source fits which kind follows from one rule:
a kind says what its rows know, a source says what it needs to know of a row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import pyarrow as pa
from pydantic import Field

from plotsim_core.config.column_source import DeclaredSource, DerivedColumn, History
from plotsim_core.config.model import Name, Part
from plotsim_core.config.table_kind import TableWords
from plotsim_core.config.words import phrase
from plotsim_core.numerics.decimals import PRECISION

if TYPE_CHECKING:
    from plotsim_core.config.dataset import Dataset

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
    """A column: its name, its type as it is written, and its source with the options."""

    name: Name
    """What it is called."""
    type: str
    """Where its values come from."""
    description: str | None = None
    """A sentence that is published with the schema."""
    decimals: Annotated[int, Field(ge=0, le=9, strict=True)] | None = None
    """Makes its numbers exact decimals of so many places, rounded half away from zero."""
    pii_note: Annotated[str, Field(min_length=1, max_length=500)] | None = None
    """What of a person it tells; it is published with the schema."""
    source: DeclaredSource

    @property
    def word(self) -> str:
        """The source's name in its family, for texts: whatever else is to be known of a column, its source answers."""
        return self.type.partition(".")[0]


def derived_column(name: str, word: str, source: DerivedColumn | None = None) -> Column:
    """Return a column that its table makes, by no source of the language. `word` stands in the place of its type."""
    return Column(name=name, type=word, source=source or DerivedColumn())


class Table(Part, TableWords):
    """What every table says; each kind adds its own words."""

    name: Name
    """What it is called."""
    columns: Annotated[tuple[Column, ...], Field(min_length=1)]
    """In their order."""
    description: str | None = None
    """A sentence that is published with the schema."""

    def references_to(self, name: str) -> list[Column]:
        """Return the columns that refer to rows of the table `name`."""
        return [column for column in self.columns if column.source.target_name == name]

    @property
    def history(self) -> History | None:
        """The bands whose changes give its rows versions; None for a table without versions."""
        histories = (column.source.history for column in self.columns)
        return next((history for history in histories if history is not None), None)

    def all_columns(self, dataset: Dataset) -> tuple[Column, ...]:
        """Return its columns, with those that come by themselves."""
        return (*self.leading_columns(dataset), *self.columns, *self.added_columns(dataset))


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


def column_decimal_places(column: Column, dataset: Dataset) -> int | None:
    """Return how many decimals a column's numbers have at most; None: those of a double, or it has no numbers."""
    type_ = column_type(column, dataset)
    if pa.types.is_decimal(type_):
        places: int = type_.scale
        return places
    if pa.types.is_integer(type_) or pa.types.is_boolean(type_):
        return 0
    return column.source.decimal_places(dataset) if pa.types.is_floating(type_) else None


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
    """A table as far as it could be read: `kind` is None where none recognises it, `table` when something in it is wrong.

    `rest` is then the table of the columns that could be read (None if that is not known either). `columns` are the names of
    all columns, empty where they could not be read; with `is_open` they are not all known. So is `name`.
    """

    name: str
    path: str
    kind: type[Table] | None
    table: Table | None
    columns: tuple[str, ...] = ()
    rest: Table | None = None
    is_open: bool = False
