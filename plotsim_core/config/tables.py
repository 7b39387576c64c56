"""Tables and columns. What kinds of table and what sources of values there are is open: each is a member of a family.

A *kind* decides which rows a table has; a *source* fills one column of any rows. The words of both are declared here
by the files that do the work (`plotsim_core/tables/*.py`, `plotsim_core/columns/*.py`). Which source fits which kind
follows from one rule: a kind says what its rows know, a source says what it needs to know of a row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import pyarrow as pa
from pydantic import Field

from plotsim_core.config.model import Name, Part
from plotsim_core.config.table_kind import Knowledge, TableWords
from plotsim_core.config.words import phrase
from plotsim_core.errors import Problem
from plotsim_core.families import Family
from plotsim_core.numerics.decimals import PRECISION

if TYPE_CHECKING:
    from plotsim_core.config.dataset import Dataset
    from plotsim_core.config.scope import Scope

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
    """A column: its name, the words of its source, and what the source was told. `pii_note` says what of a person it tells;
    it is published with the schema.

    `name`: what it is called. `type`: where its values come from. `description`: a sentence that is published with
    the schema. `decimals`: makes its numbers exact decimals of so many places, rounded half away from zero.
    """

    name: Name
    type: str
    description: str | None = None
    decimals: Annotated[int, Field(ge=0, le=9, strict=True)] | None = None
    pii_note: Annotated[str, Field(min_length=1, max_length=500)] | None = None
    source: Part

    @property
    def word(self) -> str:
        """The source's name in its family."""
        return self.type.partition(".")[0]


class Table(Part, TableWords):
    """What every table says; each kind adds its own words.

    `name`: what it is called. `columns`: in their order. `description`: a sentence that is published with the
    schema.
    """

    name: Name
    columns: Annotated[tuple[Column, ...], Field(min_length=1)]
    description: str | None = None

    def sourced(self, word: str) -> list[Column]:
        """Return the columns whose source is `word`."""
        return [column for column in self.columns if column.word == word]

    def all_columns(self, dataset: Dataset) -> tuple[Column, ...]:
        """Return its columns, with those that come by themselves."""
        return (*self.leading_columns(dataset), *self.columns, *self.added_columns(dataset))


def _empty_tuple(*_: Any) -> tuple[Any, ...]:
    return ()


def _none(*_: Any) -> None:
    return None


def _false(*_: Any) -> bool:
    return False


def _empty_text(*_: Any) -> str:
    return ""


@dataclass(frozen=True)
class SourceWords:
    """The words of a column source, and what its columns are before any value is made.

    `options` models what stands beside name and type; the text after the dot of the type goes into its field
    `argument` (None: the word takes no argument); with `beside` it may stand beside the type
    instead, as a list. `check(options, column, table, scope)` gives what is wrong in this
    place, with paths that begin at the column. `arrow(options, column, dataset)` is the type, `nullable(options, dataset)`
    whether nulls belong there (`sometimes(column, dataset)` where the column's name tells that), `refers(options,
    dataset)` the (table, column) it points to, `describe(options, column, table, dataset)` what the published schema says
    of it where the config does not: a sentence, the noun first,
    `decimals(options, dataset)` with how many decimals its numbers are written as text (None: as many as they have),
    `places(options, dataset)` how many decimals its fractions have at most (None: those of a double),
    `reads(options, table)` the (table, column) pairs it is made from, `wrong(options, table, dataset)` what can only be
    seen to be wrong in a dataset that is sound otherwise, `notes(options, table, dataset)` what is to be known of a sound
    one, `variety(options, table, dataset)` how many different texts it has, in words (empty: that is no question),
    `moves(options)` whether what it says of a unit changes with time, so that in a dimension it is a state.
    """

    options: type[Part]
    arrow: Callable[[Any, Column, Dataset], pa.DataType]
    example: str
    argument: str | None = None
    beside: bool = False
    needs: frozenset[Knowledge] = frozenset()
    check: Callable[[Any, Column, Table, Scope], Iterable[Problem]] = _empty_tuple
    nullable: Callable[[Any, Dataset], bool] = _false
    sometimes: Callable[[Column, Dataset], bool] = _false
    refers: Callable[[Any, Dataset], tuple[str, str] | None] = _none
    describe: Callable[[Any, Column, Table, Dataset], str] = _empty_text
    decimals: Callable[[Any, Dataset], int | None] = _none
    places: Callable[[Any, Dataset], int | None] = _none
    reads: Callable[[Any, Table], Iterable[tuple[str, str]]] = _empty_tuple
    wrong: Callable[[Any, Table, Dataset], Iterable[Problem]] = _empty_tuple
    notes: Callable[[Any, Table, Dataset], Iterable[Problem]] = _empty_tuple
    variety: Callable[[Any, Table, Dataset], str] = _empty_text
    moves: Callable[[Any], bool] = _false


SOURCE_WORDS: Family[SourceWords] = Family("column type", "docs/language.md")


def may_be_null(column: Column, dataset: Dataset) -> bool:
    """Return whether a column may have nulls."""
    words = SOURCE_WORDS[column.word]
    return words.nullable(column.source, dataset) or words.sometimes(column, dataset)


def column_type(column: Column, dataset: Dataset) -> pa.DataType:
    """Return the type of a column's values."""
    if column.decimals is not None:
        return pa.decimal128(PRECISION, column.decimals)
    return SOURCE_WORDS[column.word].arrow(column.source, column, dataset)


def column_decimals(column: Column, dataset: Dataset) -> int | None:
    """Return with how many decimals a column's numbers are written as text (None: as many as they have)."""
    return SOURCE_WORDS[column.word].decimals(column.source, dataset) if column.decimals is None else column.decimals


def column_places(column: Column, dataset: Dataset) -> int | None:
    """Return how many decimals a column's numbers have at most; None: those of a double, or it has no numbers."""
    type_ = column_type(column, dataset)
    if pa.types.is_decimal(type_):
        places: int = type_.scale
        return places
    if pa.types.is_integer(type_) or pa.types.is_boolean(type_):
        return 0
    return SOURCE_WORDS[column.word].places(column.source, dataset) if pa.types.is_floating(type_) else None


def is_number(type_: pa.DataType) -> bool:
    """Return whether values of a type are numbers: whole ones, doubles or decimals."""
    return bool(pa.types.is_integer(type_) or pa.types.is_floating(type_) or pa.types.is_decimal(type_))


def changing_types(column: Column, table: Table) -> set[str]:
    """Return the column types that make a column's values change with time: its own, and those of the columns it reads."""
    visited: set[str] = set()
    types: set[str] = set()
    queue = [column]
    while queue:
        current = queue.pop()
        words = SOURCE_WORDS[current.word]
        if current.word == "scd" or words.moves(current.source):
            types.add(current.word)
        visited.add(current.name)
        source_names = {name for owner, name in words.reads(current.source, table) if owner == table.name} - visited
        queue += [other for other in table.columns if other.name in source_names]
    return types


def row_noun(table: Table) -> str:
    """Return the noun for a row of a table: the stem of its key, or of the table's name."""
    key = next(iter(table.sourced("id")), None)
    stem = key.name.removesuffix("_id").removesuffix("_key") if key is not None else ""
    return phrase(stem if stem not in ("", "id", "key") else table.name.partition("_")[2] or table.name)


class NoOptions(Part):
    """The options of a source that has none."""


@dataclass(frozen=True)
class DeclaredTable:
    """A table as far as it could be read: `kind` is None where none recognises it, `table` when something in it is wrong."""

    name: str
    path: str
    kind: type[Table] | None
    table: Table | None
    columns: tuple[str, ...] = field(default=())
