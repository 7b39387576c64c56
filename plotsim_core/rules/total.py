"""`total: lines.amount, equals: net`: the sum over the rows that refer to a row is what the row says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from pydantic import Field

from plotsim_core.config.data_rule import (
    DataRule,
    KnownTables,
    Reading,
    RuleRows,
    TableOrColumn,
    Tolerance,
    add_rule,
)
from plotsim_core.config.model import Name
from plotsim_core.config.words import enumeration
from plotsim_core.errors import Problem
from plotsim_core.plan.sql import quoted
from plotsim_core.rules.names import split
from plotsim_core.rules.tally import PERIOD, differs


@add_rule
class TotalRule(DataRule):
    """The `total` of a column of another table, over its rows that refer to a row, which a column of the row `equals`. Of a
    table without a column, its rows are counted. A row that none refers to has a total of 0."""

    word: ClassVar = "total"
    example: ClassVar = "{ total: lines.amount, equals: net }"

    total: TableOrColumn
    """The column that is added up, TABLE.COLUMN; or a table whose rows are counted."""
    equals: Name
    """The column of this table."""
    by: Name | None = None
    """The column of the other table that refers here, where several do."""
    tolerance: Tolerance = Field(default=0.0)
    """How far the two may lie apart."""

    @property
    def statement(self) -> str:
        table, column = split(self.total)
        noun = f"the total of {self.total}" if column else f"the number of {table}"
        by = f" by {self.by}" if self.by is not None else ""
        return f"{self.equals} is {noun}{by}{f', within {self.tolerance:g}' if self.tolerance else ''}"

    @property
    def noun(self) -> str:
        return f"rows have another {self.equals}"

    @property
    def other_tables(self) -> tuple[str, ...]:
        return (split(self.total)[0],)

    def readings(self) -> Iterator[Reading]:
        table, column = split(self.total)
        yield Reading("total", table, column, "number")
        yield Reading("equals", "", self.equals, "number")
        if self.by is not None:
            yield Reading("by", table, self.by)

    def problems(self, known: KnownTables) -> Iterator[Problem]:
        (owner, dataset), (table, other_dataset) = known.table(self.table), known.table(split(self.total)[0])
        if table.name == self.table:
            yield Problem("total", f"{table.name} is the table itself", "name one whose rows refer here")
            return
        if owner.history is not None or len(owner.key_columns(dataset)) != 1:
            message = f"{self.table} has several rows of one key, and rows of {table.name} refer to all of them"
            yield Problem("total", message, "let a table with a row for each key say it")
            return
        names = [c.name for c in table.stored_columns(other_dataset) if c.source.target_name == self.table]
        if not names:
            yield Problem("total", f"rows of {table.name} do not refer to {self.table}", "name a table whose rows do")
        elif self.by is None and len(names) > 1:
            yield Problem("total", f"{enumeration(names)} of {table.name} refer to {self.table}", "say by which, with `by`")
        elif self.by is not None and self.by not in names:
            yield Problem("by", f"{table.name}.{self.by} does not refer to {self.table}", f"known: {', '.join(names)}")
        elif self.by is not None and len(names) == 1:
            yield Problem("by", f"has no effect: {self.by} is the only one that refers here", "leave it out")

    def query(self, rows: RuleRows) -> str:
        table, column = split(self.total)
        references = rows.references(table)
        reference, key = next((pair for pair in references if self.by in (None, pair[0])), references[0])
        value = f"coalesce(sum({quoted(column)}), 0)" if column else "count(*)"
        parts = f"(SELECT {quoted(reference)} AS k, {value} AS v FROM {rows.others(table)} GROUP BY 1)"
        return (
            f"SELECT t.{PERIOD} AS date_key, count(*) AS checked, "
            f"count(*) FILTER (WHERE {differs('t.v', 'coalesce(parts.v, 0)', self.tolerance)}) AS faults FROM "
            f"(SELECT {rows.period} AS {PERIOD}, {quoted(key)} AS k, {quoted(self.equals)} AS v FROM {rows.rows} "
            f"WHERE {quoted(self.equals)} IS NOT NULL) AS t LEFT JOIN {parts} AS parts ON t.k = parts.k "
            "GROUP BY 1 ORDER BY 1"
        )
