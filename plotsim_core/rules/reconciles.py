"""`reconciles: amount, with: payments.amount`: the sum over a table is that over another one, in all or per group."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar

from pydantic import Field

from plotsim_core.config.data_rule import ColumnOf, DataRule, KnownTables, Reading, RuleRows, Tolerance, add_rule
from plotsim_core.config.model import Name
from plotsim_core.config.words import enumeration
from plotsim_core.errors import Problem
from plotsim_core.plan.sql import quoted
from plotsim_core.rules.names import Groups, repeated, split
from plotsim_core.rules.tally import columns_text, differs


@add_rule
class ReconcilesRule(DataRule):
    """The sum of a column that `reconciles` `with` that of a column of another table: of all rows, or of those of each
    group that columns of both tables make."""

    word: ClassVar = "reconciles"
    example: ClassVar = "{ reconciles: amount, with: payments.amount, per: customer }"
    needs_all: ClassVar = True

    reconciles: Name
    """The column that is added up."""
    other: Annotated[ColumnOf, Field(alias="with")]
    """The column of the other table, TABLE.COLUMN."""
    per: Groups = ()
    """The column, or the columns, that both tables have, and whose values make a group."""
    tolerance: Tolerance = 0.0
    """How far two sums may lie apart."""

    @property
    def statement(self) -> str:
        per = f", per {enumeration(self.per)}" if self.per else ""
        within = f", within {self.tolerance:g}" if self.tolerance else ""
        return f"the sum of {self.reconciles} is that of {self.other}{per}{within}"

    @property
    def noun(self) -> str:
        return "sums differ"

    def readings(self) -> Iterator[Reading]:
        table, column = split(self.other)
        yield Reading("reconciles", "", self.reconciles, "number")
        yield Reading("with", table, column, "number")
        for index, name in enumerate(self.per):
            yield Reading(f"per[{index}]", "", name)
            yield Reading(f"per[{index}]", table, name)

    def problems(self, known: KnownTables) -> Iterator[Problem]:
        yield from repeated("per", self.per)
        if split(self.other)[0] == self.table:
            yield Problem("with", f"{self.table} is the table itself", "name another, or write a formula")

    def query(self, rows: RuleRows) -> str:
        table, column = split(self.other)
        sides = ((rows.all_rows, self.reconciles), (rows.others(table), column))
        groups = columns_text(self.per) or "1 AS one"
        own_sums, other_sums = (
            f"(SELECT {groups}, coalesce(sum({quoted(name)}), 0) AS {quoted('the sum')} FROM {relation} "
            f"{f'GROUP BY {columns_text(self.per)}' if self.per else ''})"
            for relation, name in sides
        )
        join = " AND ".join(f"a.{quoted(name)} IS NOT DISTINCT FROM b.{quoted(name)}" for name in self.per)
        a, b = (f"coalesce({side}.{quoted('the sum')}, 0)" for side in "ab")
        fault = differs(a, b, self.tolerance)
        return (
            f"SELECT NULL::BIGINT AS date_key, count(*) AS checked, count(*) FILTER (WHERE {fault}) AS faults "
            f"FROM {own_sums} AS a FULL JOIN {other_sums} AS b ON {join or 'a.one = b.one'}"
        )
