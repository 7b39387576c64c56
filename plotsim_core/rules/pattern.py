"""`pattern: "[A-Z]{3}-[0-9]{4}", column: sku`: the whole of every text matches a regular expression.

Expressions are those of RE2, which takes time in proportion to the text, whatever the expression: none can hang.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import AfterValidator, Field

from plotsim_core.config.data_rule import DataRule, KnownTables, Reading, RuleRows, add_rule
from plotsim_core.config.model import Name
from plotsim_core.errors import Problem, value_text
from plotsim_core.plan.sql import quoted, text
from plotsim_core.rules.tally import row_tally


def _checked(expression: str) -> str:
    """Return a regular expression. Raises ValueError for one that RE2 does not read."""
    try:
        pc.match_substring_regex(pa.nulls(1, pa.string()), expression)  # no array of values, for which Arrow imports pandas
    except pa.ArrowInvalid as error:
        reason = str(error).removeprefix("Invalid regular expression: ").splitlines()[0]
        message = f"expected a regular expression as RE2 reads it, found {value_text(expression)}: {reason}"
        raise ValueError(message) from None
    return expression


@add_rule
class PatternRule(DataRule):
    """A regular expression (RE2) that the whole of every text of a `column` matches. A null is passed over."""

    word: ClassVar = "pattern"
    example: ClassVar = '{ pattern: "[A-Z]{3}-[0-9]{4}", column: sku }'

    pattern: Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_checked)]
    """The expression."""
    column: Name
    """The column of texts."""

    @property
    def statement(self) -> str:
        return f"{self.column} matches {self.pattern}"

    @property
    def name_words(self) -> str:
        return f"{self.column} pattern"

    @property
    def noun(self) -> str:
        return "texts do not match"

    def readings(self) -> Iterator[Reading]:
        yield Reading("column", "", self.column, "text")

    def problems(self, known: KnownTables) -> Iterator[Problem]:
        column = known.column(self.table, self.column)
        texts = column.column.source.listed_texts(column.dataset) if column.column.as_type is None else []
        if not texts or self.where is not None:
            return
        matches = pc.match_substring_regex(pa.array(texts), rf"\A(?:{self.pattern})\z").to_pylist()
        wrong_text = next((value for value, is_match in zip(texts, matches, strict=True) if not is_match), None)
        if wrong_text is not None:
            yield Problem("pattern", f"{self.column} may be {value_text(wrong_text)}, which does not match")

    def query(self, rows: RuleRows) -> str:
        column = quoted(self.column)
        is_match = f"regexp_full_match(CAST({column} AS VARCHAR), {text(self.pattern)})"
        return row_tally(rows, rows.rows, f"{column} IS NOT NULL", f"NOT {is_match}")
