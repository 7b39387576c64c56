"""`formula: total == net + tax`: true in every row. A rule that is a text is this one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from plotsim_core.config.data_rule import DataRule, Formula, RuleRows, add_rule
from plotsim_core.rules.tally import row_tally


@add_rule
class FormulaRule(DataRule):
    """A `formula` over columns of the row that is true in every row. Where it is null, nothing is said of the row."""

    word: ClassVar = "formula"
    example: ClassVar = "total == net + tax"
    short_form: ClassVar = "a formula"

    formula: Formula
    """What is true in every row."""

    @property
    def statement(self) -> str:
        return self.formula

    @property
    def noun(self) -> str:
        return f"rows are not so: {self.formula}"

    def formulas(self) -> Iterator[tuple[str, str]]:
        yield from super().formulas()
        yield "formula", self.formula

    def query(self, rows: RuleRows) -> str:
        return row_tally(rows, rows.rows, "TRUE", f"NOT {rows.truth(self.formula)}")
