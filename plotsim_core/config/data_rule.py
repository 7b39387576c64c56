"""`checks`: rules that the author of a dataset declares about its data. What kinds of rule there are is open: each is a
member of a family (`plotsim_core/rules/`), a class whose fields are its words and that answers what is asked of it.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Protocol

import pyarrow as pa
from pydantic import Field

from plotsim_core.config.formula import FormulaError, names
from plotsim_core.config.formula_kinds import kind_of_type
from plotsim_core.config.model import Name, Part, pattern
from plotsim_core.errors import Problem
from plotsim_core.families import Family

if TYPE_CHECKING:
    from plotsim_core.config.dataset import Dataset
    from plotsim_core.config.tables import Column, Table

MOST_RULES = 200
"""The most rules of a config."""
BUILT_IN_NAMES = frozenset(
    {
        "columns_as_declared",
        "keys_unique",
        "references_resolve",
        "date_spine_whole",
        "periods_complete",
        "rows_as_expected",
        "rows_as_declared",
        "relations_hold",
        "quality_as_declared",
        "life_spans_kept",
        "moments_in_period",
        "histories_contiguous",
        "logs_in_order",
        "snapshots_agree",
        "stages_as_declared",
        "crossings_found",
        "nulls_only_where_configured",
        "values_in_range",
        "effects_as_declared",
        "growth_as_declared",
        "labels_follow_odds",
        "levels_stay",
        "polarity_as_declared",
        "means_follow_trajectory",
        "seasons_as_declared",
        "rhythm_as_declared",
        "correlations_as_declared",
        "lags_found",
        "events_follow_driver",
        "segments_separable",
        "bridges_within_bounds",
        "sources_mapped",
        "sources_as_declared",
        "steps_as_declared",
        "in_store",
        "fresh",
        "nothing_broken",
        "made_from_this_config",
    }
)
"""Names of checks that every dataset may have."""
_NAME = "[A-Za-z_][A-Za-z0-9_]{0,62}"
ColumnOf = Annotated[str, Field(pattern=pattern(rf"^(?:{_NAME})\.{_NAME}$", "a table and its column: payments.amount"))]
"""A column of another table."""
TableOrColumn = Annotated[
    str, Field(pattern=pattern(rf"^{_NAME}(\.{_NAME})?$", "a table or a column of one: lines, or lines.amount"))
]
Formula = Annotated[str, Field(min_length=1)]
Tolerance = Annotated[float, Field(ge=0, le=1e15, strict=True)]

Sort = Literal["any", "number", "ordered", "text"]
"""What the values of a column have to be: anything; numbers; numbers, dates or moments; texts."""


@dataclass(frozen=True)
class Reading:
    """A column that a rule reads: the `path` of the word that names it, its table (empty: the rule's own), and the `sort` of
    its values."""

    path: str
    table: str
    column: str
    sort: Sort = "any"


@dataclass(frozen=True)
class KnownColumn:
    """A stored column of a sound table, as the config knows it."""

    column: Column
    table: Table
    dataset: Dataset
    type: pa.DataType


class KnownTables(Protocol):
    """The sound tables of a config, as far as rules read them."""

    def table(self, name: str) -> tuple[Table, Dataset]:
        """Return a table, and the dataset of its kind of unit."""

    def column(self, table: str, name: str) -> KnownColumn:
        """Return a stored column of a table."""


class RuleRows(Protocol):
    """The SQL relations of the rows that a rule is judged by."""

    @property
    def rows(self) -> str:
        """The judged rows of the rule's table that its `where` names."""

    @property
    def all_rows(self) -> str:
        """All stored rows of the rule's table that its `where` names."""

    @property
    def period(self) -> str:
        """The date key of a row; null in a table without time."""

    @property
    def is_judged(self) -> str:
        """The condition that a row of `all_rows` is judged."""

    def others(self, name: str) -> str:
        """Return all stored rows of another table."""

    def truth(self, formula: str) -> str:
        """Return the expression of a formula over columns of the rule's table: true, false or null."""

    def references(self, name: str) -> list[tuple[str, str]]:
        """Return the columns of another table that refer to the rule's, each with the column that it refers to."""


@dataclass(frozen=True)
class RuleVerdict:
    """What is found of a rule. `tally` has the rows checked and the faults by period; `reason` says why nothing could be
    judged."""

    passed: bool
    message: str
    numbers: dict[str, float] = field(default_factory=dict)
    tally: pa.Table | None = None
    reason: str = ""


class DataRule(Part):
    """A rule about the rows of a table. Each kind of rule is known by a word of its own, and has these beside it."""

    # A member answers what it reads (`readings`, `formulas`, `other_tables`), what is wrong with it (`problems`), what it
    # says (`statement`), and how it is judged: `query` is SQL over `RuleRows`, `verdict` what its result means.
    word: ClassVar[str] = ""
    example: ClassVar[str] = ""
    needs_all: ClassVar[bool] = False
    """Whether it speaks of the whole of its tables, so that nothing is judged before all periods are stored."""

    table: Name = ""
    """The table whose rows it is about. A rule that stands in a table is about that one."""
    name: Name | None = None
    """What it is called in reports and in Dagster; otherwise its table and what it says, as a name."""
    where: Formula | None = None
    """A formula over columns of the row: only rows for which it is true are judged."""
    severity: Literal["error", "warn"] = "error"
    """Whether data that breaks it is broken, and blocks what is made of it, or is only to be looked at."""

    @property
    @abstractmethod
    def statement(self) -> str:
        """What has to be so, without `where`."""

    @property
    def noun(self) -> str:
        """The noun of rows that break it."""
        return "rows break it"

    @property
    def subject(self) -> str:
        """What it says of which rows."""
        return f"{self.table}: {self.statement}{'' if self.where is None else f', where {self.where}'}"

    @property
    def check_name(self) -> str:
        """Its name, given or derived."""
        return self.name or derived_name(self.table, self.name_words)

    @property
    def name_words(self) -> str:
        """The words of a derived name."""
        return self.statement if self.where is None else f"{self.statement} where {self.where}"

    def readings(self) -> Iterator[Reading]:
        """Yield the columns that it reads beside those of its formulas."""
        yield from ()

    def formulas(self) -> Iterator[tuple[str, str]]:
        """Yield the formulas over columns of its table, each with its path: they are true or false."""
        if self.where is not None:
            yield "where", self.where

    def problems(self, known: KnownTables) -> Iterator[Problem]:
        """Yield what is wrong with it where all that it reads is known, and of the right sort."""
        yield from ()

    @property
    def other_tables(self) -> tuple[str, ...]:
        """The other tables that it reads."""
        return tuple(dict.fromkeys(reading.table for reading in self.readings() if reading.table not in ("", self.table)))

    @abstractmethod
    def query(self, rows: RuleRows) -> str:
        """Return the SQL that judges it. Unless `verdict` says otherwise, its result has a row per period: `date_key`,
        `checked` and `faults`."""

    def verdict(self, result: pa.Table) -> RuleVerdict:
        """Return what the result of the query means."""
        checked, faults = (sum(value or 0 for value in result[name].to_pylist()) for name in ("checked", "faults"))
        if not checked:
            return RuleVerdict(True, "", reason="there is no row that it speaks of")
        message = f"{faults} of {checked} {self.noun}" if faults else f"{checked} checked"
        return RuleVerdict(faults == 0, message, {"checked": checked, "faults": faults}, result)

    @classmethod
    def member_of(cls, written: Mapping[Any, Any]) -> type[Part] | None:
        words = [word for word in DATA_RULES if word in written]
        return DATA_RULES[words[0]] if len(words) == 1 else None


DATA_RULES: Family[type[DataRule]] = Family("rule", "docs/rules.md")


def add_rule(rule: type[DataRule]) -> type[DataRule]:
    """Add a kind of rule to the family, under its word."""
    return DATA_RULES.add(rule.word, rule)


_SIGNS = {
    "==": "is",
    "!=": "is not",
    "<=": "at most",
    ">=": "at least",
    "<": "below",
    ">": "above",
    "+": "plus",
    "-": "minus",
    "**": "to the",
    "*": "times",
    "//": "over",
    "/": "over",
    "%": "modulo",
}
_MOST_LETTERS = 63


def derived_name(table: str, statement: str) -> str:
    """Return a table and what a rule says of it as a name, with words for signs."""
    signs = "|".join(re.escape(sign) for sign in sorted(_SIGNS, key=len, reverse=True))
    words = re.sub(signs, lambda match: f" {_SIGNS[match[0]]} ", statement)
    return re.sub("[^A-Za-z0-9]+", "_", f"{table} {words}").strip("_")[:_MOST_LETTERS].rstrip("_")


def formula_inputs(rule: DataRule) -> Iterator[Reading]:
    """Yield the columns that the formulas of a rule read; of one that cannot be read, none."""
    for path, formula in rule.formulas():
        try:
            yield from (Reading(path, "", name) for name in names(formula))
        except FormulaError:  # reported at the formula
            continue


def is_of_sort(type_: pa.DataType, sort: Sort) -> bool:
    """Return whether values of a type are of a sort."""
    kind = kind_of_type(type_)
    if sort == "number":
        return kind in ("whole", "number")
    if sort == "ordered":
        return kind in ("whole", "number", "date", "moment")
    return sort == "any" or kind == "text"
