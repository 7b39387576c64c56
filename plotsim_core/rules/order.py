"""`order: [ordered_at, paid_at, shipped_at]`: in every row, none of these comes before one that stands before it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Annotated, ClassVar

from pydantic import Field

from plotsim_core.config.conversions import noun_of
from plotsim_core.config.data_rule import DataRule, KnownTables, Reading, RuleRows, add_rule, is_of_sort
from plotsim_core.config.formula_kinds import kind_of_type
from plotsim_core.config.model import Flag, Name
from plotsim_core.config.words import enumeration
from plotsim_core.errors import Problem
from plotsim_core.plan.sql import quoted
from plotsim_core.rules.names import repeated
from plotsim_core.rules.tally import row_tally


@add_rule
class OrderRule(DataRule):
    """Columns of moments, dates or numbers that come in this order in every row. A null among them is passed over."""

    word: ClassVar = "order"
    example: ClassVar = "{ order: [ordered_at, paid_at, shipped_at] }"

    order: Annotated[tuple[Name, ...], Field(min_length=2, max_length=20)]
    """The columns, in their order."""
    strictly: Flag = False
    """That no two of them are the same in a row."""

    @property
    def statement(self) -> str:
        return (" < " if self.strictly else " <= ").join(self.order)

    @property
    def noun(self) -> str:
        return "rows are out of order"

    def readings(self) -> Iterator[Reading]:
        yield from (Reading(f"order[{index}]", "", name, "ordered") for index, name in enumerate(self.order))

    def problems(self, known: KnownTables) -> Iterator[Problem]:
        yield from repeated("order", self.order)
        types = {name: known.column(self.table, name).type for name in self.order}
        kinds = {"number" if is_of_sort(type_, "number") else kind_of_type(type_) for type_ in types.values()}
        if len(kinds) > 1:
            nouns = enumeration(f"{name} is {noun_of(type_)}" for name, type_ in types.items())
            yield Problem("order", f"cannot compare these: {nouns}")

    def query(self, rows: RuleRows) -> str:
        sign = ">=" if self.strictly else ">"
        pairs = list(combinations(map(quoted, self.order), 2))
        is_checked = " OR ".join(f"({a} IS NOT NULL AND {b} IS NOT NULL)" for a, b in pairs)
        return row_tally(rows, rows.rows, is_checked, " OR ".join(f"coalesce({a} {sign} {b}, FALSE)" for a, b in pairs))
