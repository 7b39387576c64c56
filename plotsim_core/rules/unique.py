"""`unique: [customer, ordered_on]`: no two rows have the same values there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar

from pydantic import Field

from plotsim_core.config.data_rule import DataRule, KnownTables, Reading, RuleRows, add_rule
from plotsim_core.config.model import Name
from plotsim_core.config.words import enumeration
from plotsim_core.errors import Problem
from plotsim_core.plan.sql import quoted
from plotsim_core.rules.names import ONE_OR_SEVERAL, repeated
from plotsim_core.rules.tally import all_present, columns_text, row_tally

_SAME = quoted("rows alike")
"""A column alias that no table has."""


@add_rule
class UniqueRule(DataRule):
    """Columns, one or several, whose values together stand in one row only. Rows with a null among them are not compared."""

    word: ClassVar = "unique"
    example: ClassVar = "{ unique: [customer, ordered_on] }"

    unique: Annotated[tuple[Name, ...], Field(min_length=1, max_length=20), ONE_OR_SEVERAL]
    """The column, or the columns."""

    @property
    def statement(self) -> str:
        return (
            f"{enumeration(self.unique)} unique" if len(self.unique) == 1 else f"{enumeration(self.unique)} together unique"
        )

    @property
    def noun(self) -> str:
        return f"rows share their {enumeration(self.unique)} with another"

    def readings(self) -> Iterator[Reading]:
        yield from (Reading(f"unique[{index}]", "", name) for index, name in enumerate(self.unique))

    def problems(self, known: KnownTables) -> Iterator[Problem]:
        yield from repeated("unique", self.unique)

    def query(self, rows: RuleRows) -> str:
        present = all_present(self.unique)
        counted = (
            f"(SELECT *, count(*) OVER (PARTITION BY {columns_text(self.unique)}) AS {_SAME} "
            f"FROM {rows.all_rows} WHERE {present})"
        )
        return row_tally(rows, counted, rows.is_judged, f"{_SAME} > 1")
