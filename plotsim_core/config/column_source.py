"""A column source as the config declares it: its options, its words, and what its columns are before any value is made.

A member is one class in a file of `plotsim_core/columns/`; the fields of the class are the options that stand beside name
and type. Whatever another part of the package wants to know of a source it asks here; a member overrides the answers that
are not the usual ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import pyarrow as pa

from plotsim_core.config.extensions import load_extensions
from plotsim_core.config.model import Part
from plotsim_core.config.words import capitalised, phrase
from plotsim_core.errors import Problem
from plotsim_core.families import Family

if TYPE_CHECKING:
    from plotsim_core.config.dataset import Dataset
    from plotsim_core.config.scope import Scope
    from plotsim_core.config.table_kind import Knowledge
    from plotsim_core.config.tables import Column, Table

Origin = tuple[str, str]
"""A table or stage, and a column of it."""

POSITION: Origin = ("trajectories", "trajectory")
Clock = Literal["dataset", "utc", "row"]
"""Whose clocks show the moments of a column."""
Owners = Literal["own", "any", "others"]
"""The units whose children rows refer to: their own, any, or any but their own."""
MEANS, TRUE_VALUES, STORED_VALUES = "metrics", "correlated_metrics", "noised_metrics"
"""Stages that have a column for each metric."""


@dataclass(frozen=True)
class History:
    """Bands of a metric whose changes give the rows of a dimension versions (SCD2): the metric it `tracks`, the names
    `tiers` from low to high, and the edges `at` between them, as shares of the way between the metric's means."""

    tracks: str
    tiers: tuple[str, ...]
    at: tuple[float, ...]


@dataclass(frozen=True)
class LookupPath:
    """Where a lookup reads: a `column` of a `table`, and the reference `by` which it gets there (None: the only one)."""

    table: str
    column: str
    by: str | None


USUAL_SOURCES = "a type says where values come from: choice, range, faker.word, timestamp, or a formula `= a + b`"
"""What to write in the place of a type that says how values are stored."""


class DeclaredSource(Part):
    """The language part of a column source; an instance is the options of one column.

    `word` is its name in the family, and begins the type of its columns. The text after the dot of the type goes into the
    field `argument` (None: the word takes no argument); with `beside` it may stand beside the type instead, as a list.
    `example` is a type of such a column, `needs` what each has to know of a row.
    """

    word: ClassVar[str]
    argument: ClassVar[str | None] = None
    beside: ClassVar[bool] = False
    example: ClassVar[str]
    needs: ClassVar[frozenset[Knowledge]] = frozenset()

    is_old_spelling: ClassVar[bool] = False
    """Whether another source says the same today; the reference leaves it out."""
    numbers_rows: ClassVar[bool] = False
    """Whether a column holds the number of a row in what it belongs to, which tells it from its siblings."""
    is_stage: ClassVar[bool] = False
    """Whether a column holds the stage of the lifecycle that a row is in."""
    is_measure: ClassVar[bool] = False
    """Whether the mean of a column tells something over time: a catalogue plots it."""
    has_life_mean: ClassVar[bool] = False
    """Whether it shows a value of a unit in a period, which has a mean over the life of a unit."""
    is_breakable: ClassVar[bool] = True
    """Whether an issue of `quality` may break a column."""
    is_drifting: ClassVar[bool] = True
    """Whether source systems may write texts of a column otherwise."""
    in_wide_tables: ClassVar[bool] = True
    """Whether a wide table shows such a column of a dimension."""
    in_cases: ClassVar[bool] = False
    """Whether a case may be of it: a value for some rows that nothing asks about by the name of the column."""
    in_structs: ClassVar[bool] = False
    """Whether a field of a struct may be of it."""
    in_texts: ClassVar[bool] = False
    """Whether a slot of a text may be of it."""
    sets_locale: ClassVar[bool] = False
    """Whether values decide of which locale the texts of other columns of the row are."""
    instead: ClassVar[str] = ""
    """What to write where it has no place."""
    decimals_hint: ClassVar[str] = "leave it out"
    """What to write instead of `decimals` where a column has whole numbers."""

    @classmethod
    def todays_words(cls, column: Mapping[str, Any], is_listed: bool) -> Mapping[str, Any]:
        """Return a column as written in today's words, which give the same values and schema; `is_listed` says that its
        table is. An old spelling that cannot be read stays as it is."""
        return column

    @classmethod
    def offers(cls, word: str) -> bool:
        """Return whether a word that is no type is an argument of it that people write alone: `name` for `faker.name`."""
        return False

    def arrow_type(self, column: Column, dataset: Dataset) -> pa.DataType:
        """Return the type of a column's values, before its `decimals`."""
        raise NotImplementedError(f"{type(self).__name__} has no type")

    def check(self, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
        """Yield what is wrong with a column in this place, with paths that begin at the column."""
        return ()

    def problems(self, table: Table, dataset: Dataset) -> Iterable[Problem]:
        """Yield what can only be seen to be wrong in a dataset that is sound otherwise."""
        return ()

    def notes(self, table: Table, dataset: Dataset) -> Iterable[Problem]:
        """Yield what is to be known of a column in a sound dataset."""
        return ()

    def describe(self, column: Column, table: Table, dataset: Dataset) -> str:
        """Return what the published schema says of a column where the config does not: a sentence, the noun first."""
        return f"{capitalised(phrase(column.name))}, of the column type {self.word}."

    def variety(self, table: Table, dataset: Dataset) -> str:
        """Return how many different texts a column has, in words; empty where that is no question."""
        return ""

    def text_count(self, table: Table, dataset: Dataset) -> int | None:
        """Return how many different texts a column has at most; None where the config does not say."""
        return None

    def is_nullable(self, column: Column, dataset: Dataset) -> bool:
        """Return whether a column may have nulls."""
        return False

    def text_decimals(self, dataset: Dataset) -> int | None:
        """Return with how many decimals numbers are written as text (None: as many as they have)."""
        return None

    def decimal_places(self, dataset: Dataset) -> int | None:
        """Return how many decimals fractions have at most (None: those of a double)."""
        return None

    def stored_bytes(self, type_: pa.DataType) -> float | None:
        """Return the compressed bytes of a value of the column's type, in a Parquet file; None: those usual for the type."""
        return None

    def key_range(self, table: Table, dataset: Dataset) -> tuple[int, int] | None:
        """Return the least and the greatest number that the keys of a table may be; None for texts and for given keys."""
        return None

    def pinned(self, table: Table) -> DeclaredSource:
        """Return a source that gives in a table of another name the values that this one gives in `table`."""
        return self

    def is_unique(self, table: Table) -> bool:
        """Return whether no two rows of a table, nor two things that its rows are versions of, can have one value."""
        return self.is_key

    def reads(self, table: Table) -> Iterable[Origin]:
        """Yield the columns that a column of a table is made from."""
        return ()

    def stage_origin(self, dataset: Dataset) -> Origin | None:
        """Return the stage, and its column, that values come from; None if they come from no stage."""
        return None

    def target(self, dataset: Dataset) -> Origin | None:
        """Return the table, and its column, that a column refers to; None if it refers to nothing."""
        return None

    @property
    def needed(self) -> frozenset[Knowledge]:
        """What a column with these options has to know of a row."""
        return self.needs

    @property
    def is_moment(self) -> bool:
        """Whether a column holds the recorded moments of rows, which lie in their periods."""
        return False

    @property
    def value_bounds(self) -> tuple[str | None, str | None]:
        """The columns of the row whose moments come before and after the value; None for those that no column says."""
        return None, None

    @property
    def clock(self) -> Clock:
        """Whose clocks show the moments of a column: those of the dataset, UTC as its type says, or those of the row's
        place."""
        return "dataset"

    @property
    def is_key(self) -> bool:
        """Whether a column is the key of its table."""
        return False

    @property
    def has_rising_keys(self) -> bool:
        """Whether keys of a unit in a period rise with the moments of rows: as numbers, or by the digits at their end."""
        return False

    @property
    def target_name(self) -> str | None:
        """The table whose rows a reference names by their key; None for what is no reference."""
        return None

    @property
    def matched_columns(self) -> Mapping[str, str]:
        """Columns of the target of a reference, and those of the row, of one that it belongs to or of its unit that they
        equal."""
        return {}

    @property
    def owners(self) -> Owners:
        """The units whose children a reference to a dimension of children goes to."""
        return "own"

    @property
    def is_distinct(self) -> bool:
        """Whether siblings refer to different rows."""
        return False

    @property
    def validity(self) -> tuple[str, str] | None:
        """The columns of the target of a reference between which the row's time lies; None where time plays no part."""
        return None

    @property
    def root_count(self) -> int | None:
        """The number of rows that refer to none, of a reference to its own table; None for what is no reference."""
        return None

    @property
    def look_back(self) -> int | None:
        """The number of periods that a reference to earlier rows looks back; None for what is no reference."""
        return None

    @property
    def lookup_path(self) -> LookupPath | None:
        """Where values are looked up; None for what is no lookup."""
        return None

    @property
    def summand(self) -> tuple[str, str | None] | None:
        """The detail table that is added up, and its column (None: its rows are counted); None for what is no total."""
        return None

    @property
    def number_step(self) -> int:
        """What a number of a row is above that of the row before it, of a column that numbers rows; 0 for others."""
        return 0

    @property
    def last_path(self) -> tuple[str, str] | None:
        """The detail table, and the column of its last row that is shown; None for what shows none."""
        return None

    @property
    def detail_table(self) -> str | None:
        """The table whose rows that belong to a row its value is made of; None for what is made of none."""
        path = self.summand or self.last_path
        return None if path is None else path[0]

    @property
    def divided(self) -> Origin | None:
        """The table that rows belong to, and its column that they have parts of; None for what divides none."""
        return None

    @property
    def shown_metric(self) -> str | None:
        """The metric whose value, true value or mean a column shows in the row's own period."""
        return None

    @property
    def stored_metric(self) -> str | None:
        """The metric whose stored value a column shows in the row's own period."""
        return None

    @property
    def formula_texts(self) -> tuple[str, ...]:
        """The formulas that values are computed by."""
        return ()

    @property
    def changes_over_time(self) -> bool:
        """Whether values of one unit change with time, so that in a dimension they are a state."""
        return False

    @property
    def history(self) -> History | None:
        """The bands whose changes give the rows of a dimension versions."""
        return None

    def date_part(self, column: Column) -> str | None:
        """Return the part of a date, or of a time of day, that a column has; None for what is none."""
        return None

    @property
    def version_part(self) -> str | None:
        """The part of a version (SCD2) that a column has: row_id, valid_from, valid_to or is_current."""
        return None

    @property
    def change_part(self) -> str | None:
        """The part of the record of a row's changes (CDC) that a column has: inserted_at, updated_at or op."""
        return None

    @property
    def attributes(self) -> tuple[str, ...]:
        """The attributes of segments that a column shows."""
        return ()

    @property
    def has_locale(self) -> bool:
        """Whether values follow the locale."""
        return False

    @property
    def branches(self) -> tuple[Column, ...]:
        """The columns of which it has the values of one in each row, each with a name of its own; empty for what has values
        of its own."""
        return ()

    def holds(self, source: DeclaredSource) -> bool:
        """Return whether it is a source itself, or one of its branches is."""
        return self is source or any(branch.source.holds(source) for branch in self.branches)

    @property
    def is_name(self) -> bool:
        """Whether values are names of a person or a company."""
        return False

    @property
    def row_count(self) -> int:
        """The number of rows that the values of a column give a listed table; 0: it lists none."""
        return 0

    def row_values(self) -> list[Any] | None:
        """Return the values of a column that lists the rows of a table; None if it lists none."""
        return None

    def row_texts(self) -> list[str]:
        """Return the values of a column that lists the rows of a table, as they are written; empty if it lists none."""
        return []

    def number_range(self, dataset: Dataset) -> tuple[float, float] | None:
        """Return the least and the largest number that a column may have; None where the config does not say."""
        return None

    def listed_texts(self, dataset: Dataset) -> list[str]:
        """Return all texts that a column may have, each once in their order; empty where the config does not list them."""
        return []

    def possible_values(self, table: Table, scope: Scope) -> list[Any] | None:
        """Return the values that a column of the unit's dimension can have, each unit one for life or its tier; None if they
        are not known from the config, or change otherwise."""
        return None


class DerivedColumn(DeclaredSource):
    """Source of the columns of a derived table, which the table makes itself; their plans have their types."""


def with_options(column: Mapping[str, Any], type_: str, **options: Any) -> dict[str, Any]:
    """Return a column as written with another type, and options behind it."""
    parts = ([("type", type_), *options.items()] if key == "type" else [(key, value)] for key, value in column.items())
    return dict(pair for pairs in parts for pair in pairs)


SOURCES: Family[type[DeclaredSource]] = Family("column type", "docs/language.md", load_extensions)


def are_types_known(columns: Iterable[tuple[str, str]]) -> bool:
    """Return whether columns, as (name, type), all have a type that there is."""
    return all(type_.startswith("=") or type_.partition(".")[0] in SOURCES for _, type_ in columns)
