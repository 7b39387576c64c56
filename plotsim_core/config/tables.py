"""Tables and columns. What kinds of table and what sources of values there are is open: each is a member of a family.

A *kind* decides which rows a table has (`table_kind.py`, `plotsim_core/tables/*.py`); a *source* fills one column of any
rows (`column_source.py`, `plotsim_core/columns/*.py`); both are classes. Which source fits which kind follows from one rule:
a kind says what its rows know, a source says what it needs to know of a row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import pyarrow as pa
from pydantic import BeforeValidator, Field

from plotsim_core.config.column_source import DeclaredSource, DerivedColumn, History, Origin
from plotsim_core.config.conversions import Conversion, conversion_type
from plotsim_core.config.data_rule import DataRule
from plotsim_core.config.formula import FormulaError, names
from plotsim_core.config.model import Flag, Name, Part
from plotsim_core.config.table_kind import TableWords
from plotsim_core.config.words import phrase
from plotsim_core.errors import Problem
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


def _nulls(value: Any) -> Any:
    return {"rate": value} if isinstance(value, int | float) and not isinstance(value, bool) else value


class Nulls(Part):
    """Which values of a column are null: a share of them (`rate`, also written alone), of the rows `where` a formula is
    true, or all of these."""

    rate: Annotated[float, Field(gt=0, lt=1, strict=True)] | None = None
    """The share of values that are null, each drawn by itself; also written as `nulls: 0.1`."""
    where: Annotated[str, Field(min_length=1)] | None = None
    """A formula over columns of the row: only where it is true are values null."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """The columns that `where` reads; none where it cannot be read."""
        try:
            return () if self.where is None else tuple(names(self.where))
        except FormulaError:  # reported at the formula
            return ()


class Column(Part):
    """A column: its name, its type as it is written, and its source with the options.

    A table lists its columns, or maps their names to types: `{ price: static.2.5, total: = price * quantity }`, or to a type
    with options. A type that begins with `=` is a formula.
    """

    name: Name
    """What it is called."""
    type: str
    """Where its values come from."""
    description: str | None = None
    """A sentence that is published with the schema."""
    decimals: Annotated[int, Field(ge=0, le=9, strict=True)] | None = None
    """Makes its numbers exact decimals of so many places, rounded half away from zero: short for `as: decimal(18, n)`."""
    as_type: Annotated[Conversion | None, Field(alias="as")] = None
    """What its values are stored as: integer, number, decimal(p, s), boolean, text, date, time or enum."""
    nulls: Annotated[Nulls | None, BeforeValidator(_nulls)] = None
    """Which of its values are null: a share, or those where a formula is true."""
    hidden: Flag = False
    """That it is made for other columns to read, and not stored."""
    pii_note: Annotated[str, Field(min_length=1, max_length=500)] | None = None
    """What of a person it tells; it is published with the schema."""
    source: DeclaredSource

    @property
    def word(self) -> str:
        """The source's name in its family, for texts: whatever else is to be known of a column, its source answers."""
        return self.type.partition(".")[0]

    def reads(self, table: Table) -> Iterator[Origin]:
        """Yield the columns that it is made of in a table: those that its source reads, and those that say where it is
        null."""
        yield from self.source.reads(table)
        if self.nulls is not None:
            yield from ((table.name, name) for name in self.nulls.inputs if name != self.name)

    def depends_on(self, table: Table) -> Iterator[Origin]:
        """Yield the columns without which it cannot be made: those that it reads, and the references that lead there."""
        yield from self.reads(table)
        path = self.source.lookup_path
        if path is not None:
            yield from (
                (table.name, other.name) for other in table.references_to(path.table) if path.by in (None, other.name)
            )
        if self.source.target_name is not None and table.parent_name is not None:
            yield table.parent_name, self.name


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
    checks: tuple[DataRule, ...] = ()
    """Rules about its rows. Loading reads them as those of the dataset, so a table that is read has none."""
    parent_keys: tuple[str, ...] = ()
    """The columns that say what its rows belong to, as the section `tables` reads them."""
    added_keys: tuple[str, ...] = ()
    """Those of them that come by themselves, before all others."""
    unwritten: ClassVar[tuple[str, ...]] = ("parent_keys", "added_keys")

    def references_to(self, name: str) -> list[Column]:
        """Return the columns that refer to rows of the table `name`."""
        return [column for column in self.columns if column.source.target_name == name]

    def made_references(self, name: str, scope: Scope) -> Sequence[str]:
        """Return the columns that the table itself makes, beside its own, that refer to rows of the table `name`."""
        return ()

    @property
    def history(self) -> History | None:
        """The bands whose changes give its rows versions; None for a table without versions."""
        histories = (column.source.history for column in self.columns)
        return next((history for history in histories if history is not None), None)

    def all_columns(self, dataset: Dataset) -> tuple[Column, ...]:
        """Return its columns, with those that come by themselves."""
        return (*self.leading_columns(dataset), *self.ordered_columns, *self.added_columns(dataset))

    @property
    def ordered_columns(self) -> tuple[Column, ...]:
        """Its columns as they are stored: keys that come by themselves stand first."""
        return tuple(sorted(self.columns, key=lambda column: column.name not in self.added_keys))

    def stored_columns(self, dataset: Dataset) -> tuple[Column, ...]:
        """Return its columns without those that are hidden."""
        return tuple(column for column in self.all_columns(dataset) if not column.hidden)


def matched_origin(name: str, table: Table, unit: Table | None) -> Origin:
    """Return the table and the column that a source column of `matching` in a `table` names, where its unit's dimension is
    `unit`."""
    owner, _, column_name = name.rpartition(".")
    if owner:
        return owner, column_name
    is_of_unit = unit is not None and any(column.name == name for column in unit.columns)
    return (unit.name if unit is not None and is_of_unit else table.name), name


def may_be_null(column: Column, dataset: Dataset) -> bool:
    """Return whether a column may have nulls."""
    return column.nulls is not None or column.source.is_nullable(column, dataset)


def column_type(column: Column, dataset: Dataset) -> pa.DataType:
    """Return the type of a column's values."""
    if column.decimals is not None:
        return pa.decimal128(PRECISION, column.decimals)
    if column.as_type is not None:
        return conversion_type(column.as_type)
    return column.source.arrow_type(column, dataset)


def column_decimals(column: Column, dataset: Dataset) -> int | None:
    """Return with how many decimals a column's numbers are written as text (None: as many as they have)."""
    type_ = column_type(column, dataset)
    if pa.types.is_decimal(type_) and (column.decimals is not None or column.as_type is not None):
        scale: int = type_.scale
        return scale
    return column.source.text_decimals(dataset) if column.as_type is None else None


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
        if current.source.history is not None or current.source.changes_over_time or _follows_units(current.source, table):
            sources.append(current.source)
        visited.add(current.name)
        source_names = {name for owner, name in current.reads(table) if owner == table.name} - visited
        queue += [other for other in table.columns if other.name in source_names]
    return sources


def _follows_units(source: DeclaredSource, table: Table) -> bool:
    """Return whether a column of a dimension of units shows another unit, which may leave."""
    path = source.lookup_path
    return table.is_unit_dimension and table.name in (source.target_name, path.table if path is not None else None)


def changes_by_version(column: Column, table: Table) -> bool:
    """Return whether a column's values change with the versions of a row alone, if they do."""
    return all(source.history is not None for source in changing_sources(column, table))


def extreme_keys(name: str, table: Table, dataset: Dataset) -> tuple[str | int, ...] | None:
    """Return the keys of a table that has its own, or the least and the greatest of those that are whole numbers; None for
    texts that are made. They stand in the column `name`."""
    source = next((column.source for column in table.columns if column.name == name), None)
    keys = None if source is None else source.row_values()
    if source is None or keys is not None:
        return None if keys is None else tuple(keys)
    return source.key_range(table, dataset)


def row_noun(table: Table) -> str:
    """Return the noun for a row of a table: the stem of its key, or of the table's name."""
    key = next((column for column in table.columns if column.source.is_key), None)
    stem = key.name.removesuffix("_id").removesuffix("_key") if key is not None else ""
    return phrase(stem if stem not in ("", "id", "key") else table.name.partition("_")[2] or table.name)


@dataclass(frozen=True)
class DeclaredTable:
    """A table as far as it could be read: `kind` is None where none recognises it, `table` when something in it is wrong.

    `rest` is then the table of the columns that could be read (None if that is not known either), `partial_columns` are
    those of which something could be. `columns` are the names of all columns, empty where they could not be read; with
    `is_open` they are not all known. So is `name`. `written` maps paths within the table, in the words of its kind, to those
    as written.
    """

    name: str
    path: str
    kind: type[Table] | None
    table: Table | None
    columns: tuple[str, ...] = ()
    rest: Table | None = None
    partial_columns: tuple[Column, ...] = ()
    is_open: bool = False
    written: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_dimension(self) -> bool:
        """Whether its rows are members of what there is."""
        return self.path.startswith("dimensions") if self.kind is None else self.kind.is_dimension

    def placed(self, problem: Problem) -> Problem:
        """Return a problem of the table, whose path begins at it, with its path in the file."""
        words = {**(self.kind.written if self.kind is not None else {}), **self.written}
        return replace(problem, path=as_written(problem.path.removeprefix("."), words)).under(self.path)


def as_written(path: str, words: Mapping[str, str]) -> str:
    """Return a path within a table as written, where `words` maps paths to what is written in their place."""
    for start, word in words.items():
        if path == start or path.startswith((f"{start}.", f"{start}[")):
            return f"{word}{path[len(start) :]}"
    return path
