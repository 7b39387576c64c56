"""`included: { country: countries.code }`: the values of each row are those of a row of another table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar

from pydantic import Field

from plotsim_core.config.conversions import noun_of
from plotsim_core.config.data_rule import ColumnOf, DataRule, KnownTables, Reading, RuleRows, add_rule, is_of_sort
from plotsim_core.config.formula_kinds import kind_of_type
from plotsim_core.config.model import Name
from plotsim_core.config.words import enumeration
from plotsim_core.errors import Problem
from plotsim_core.plan.sql import quoted
from plotsim_core.rules.names import split
from plotsim_core.rules.tally import PERIOD, all_present


@add_rule
class IncludedRule(DataRule):
    """Columns whose values, in each row, are those that a row of another table has in columns of its own. Several are looked
    for in one row together. Rows with a null among them are not looked for."""

    word: ClassVar = "included"
    example: ClassVar = "{ included: { country: countries.code } }"

    included: Annotated[dict[Name, ColumnOf], Field(min_length=1, max_length=20)]
    """Each column of this table, with the column of the other one: `country: countries.code`."""

    @property
    def statement(self) -> str:
        return f"{enumeration(self.included)} in {enumeration(self.included.values())}"

    @property
    def noun(self) -> str:
        return f"rows have what is no {enumeration(self.included.values())}"

    def readings(self) -> Iterator[Reading]:
        for column, other in self.included.items():
            yield Reading(f"included.{column}", "", column)
            yield Reading(f"included.{column}", *split(other))

    def problems(self, known: KnownTables) -> Iterator[Problem]:
        tables = {split(other)[0]: column for column, other in self.included.items()}
        if len(tables) > 1:
            message = f"expected columns of one table, found those of {enumeration(tables)}"
            yield Problem("included", message, "write a rule for each table")
            return
        for name, other in self.included.items():
            own_column, other_column = known.column(self.table, name), known.column(*split(other))
            if other == f"{self.table}.{name}":
                yield Problem(f"included.{name}", f"{other} has its own values", "name a column of another table")
            kinds = [kind_of_type(column.type) for column in (own_column, other_column)]
            are_numbers = all(is_of_sort(column.type, "number") for column in (own_column, other_column))
            if (kinds[0] != kinds[1] or None in kinds) and not are_numbers and own_column.type != other_column.type:
                message = f"{name} is {noun_of(own_column.type)}, and {other} is {noun_of(other_column.type)}"
                yield Problem(f"included.{name}", message)

    def query(self, rows: RuleRows) -> str:
        names = [quoted(split(other)[1]) for other in self.included.values()]
        table = split(next(iter(self.included.values())))[0]
        keys = [quoted(name) for name in self.included]
        listed = f"(SELECT DISTINCT {', '.join(names)} FROM {rows.others(table)})"
        match = " AND ".join(f"t.{key} = o.{name}" for key, name in zip(keys, names, strict=True))
        return (
            f"SELECT t.{PERIOD} AS date_key, count(*) AS checked, "
            f"count(*) FILTER (WHERE o.{names[0]} IS NULL) AS faults FROM "
            f"(SELECT {rows.period} AS {PERIOD}, {', '.join(keys)} FROM {rows.rows} "
            f"WHERE {all_present(self.included)}) AS t LEFT JOIN {listed} AS o ON {match} GROUP BY 1 ORDER BY 1"
        )
