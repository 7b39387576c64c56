"""Words of the section `tables` that some of its tables have not: why, and what to do instead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from plotsim_core.config.column_source import are_types_known
from plotsim_core.config.pydantic_errors import unknown_key
from plotsim_core.config.written_tables import WHEN, columns_of
from plotsim_core.errors import Problem


@dataclass(frozen=True)
class Absence:
    """Why a table has not a word that others have, and what to do instead."""

    message: str
    hint: str


MOMENT_OF_UNITS = Absence("has no place here: it is a moment of a unit", "give the table rows per kind of unit")
"""Why rows of no unit have no `when`."""


def one_for_each(noun: str, where_hint: str) -> Mapping[str, Absence]:
    """Return the words that a table has not which has one row for each of something, with the hint for `where`."""
    message = f"has no place here: there is a row for each {noun}"
    return {"when": MOMENT_OF_UNITS, "where": Absence(message, where_hint), "rows": Absence(message, "leave it out")}


def unknown_word_problems(
    raw: Mapping[str, Any], unknown_words: Sequence[Any], absent: Mapping[str, Absence], words: list[str]
) -> Iterator[Problem]:
    """Yield the problems of words that a table as written has, and its kind, which has `words`, has not. What other kinds
    have is left out where a column could not be read, which may be the one that makes the table of that kind."""
    are_columns_known = are_types_known(columns_of(raw))
    for word in unknown_words:
        absence = absent.get(word)
        if word in WHEN and isinstance(raw.get("when"), Mapping):
            yield Problem(word, "has no place here: it says something of the moment", "write it under `when`")
        elif absence is None:
            yield unknown_key(str(word), str(word), words)
        elif are_columns_known:
            yield Problem(word, absence.message, absence.hint)
