"""`grows: reading, along: read_at, per: meter`: never less than in an earlier row of the same group."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from plotsim_core.config.data_rule import DataRule, KnownTables, Reading, RuleRows, add_rule
from plotsim_core.config.model import Flag, Name
from plotsim_core.config.words import enumeration
from plotsim_core.errors import Problem
from plotsim_core.plan.sql import quoted
from plotsim_core.rules.names import Groups, repeated
from plotsim_core.rules.tally import all_present, columns_text, row_tally

_EARLIER = quoted("largest before")
"""A column alias that no table has."""


@add_rule
class GrowsRule(DataRule):
    """A column that `grows`: in the rows of a group, it is never less than in one that comes before `along` another column.
    Rows with a null in either are passed over."""

    word: ClassVar = "grows"
    example: ClassVar = "{ grows: reading, along: read_at, per: meter }"

    grows: Name
    """The column that grows: numbers, dates or moments."""
    along: Name
    """The column that says which row comes first."""
    per: Groups = ()
    """The column, or the columns, whose values make a group; all rows are one without them."""
    strictly: Flag = False
    """That it is never the same as in an earlier row either."""

    @property
    def statement(self) -> str:
        suffix = f", per {enumeration(self.per)}" if self.per else ""
        return f"{self.grows} grows{' strictly' if self.strictly else ''} along {self.along}{suffix}"

    @property
    def noun(self) -> str:
        return f"rows have {'no more than' if self.strictly else 'less than'} an earlier one"

    def readings(self) -> Iterator[Reading]:
        yield Reading("grows", "", self.grows, "ordered")
        yield Reading("along", "", self.along, "ordered")
        yield from (Reading(f"per[{index}]", "", name) for index, name in enumerate(self.per))

    def problems(self, known: KnownTables) -> Iterator[Problem]:
        yield from repeated("per", self.per)
        if self.grows == self.along:
            yield Problem("along", f"{self.grows} grows along itself, whatever it is", "name the column of the order")
        if {self.grows, self.along} & {*self.per}:
            yield Problem("per", f"expected other columns than {self.grows} and {self.along}")

    def query(self, rows: RuleRows) -> str:
        groups = f"PARTITION BY {columns_text(self.per)} " if self.per else ""
        value, along = quoted(self.grows), quoted(self.along)
        frame = "RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW EXCLUDE GROUP"
        compared = (
            f"(SELECT *, max({value}) OVER ({groups}ORDER BY {along} {frame}) AS {_EARLIER} "
            f"FROM {rows.all_rows} WHERE {all_present((self.grows, self.along))})"
        )
        sign = "<=" if self.strictly else "<"
        return row_tally(rows, compared, rows.is_judged, f"coalesce({value} {sign} {_EARLIER}, FALSE)")
