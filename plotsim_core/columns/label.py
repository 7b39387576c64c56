"""`label` with `odds: "0.8 * late - income / 50000"` and `rate: 0.04`: true or false, with odds that follow the row.

The chance that a row's label is true is 1 / (1 + exp(-(intercept + odds))), logistic regression the other way round. `rate`
is the share of the rows with odds that are true: the intercept that gives it is solved when a config is loaded, on a sample
of rows that does not change with how many there are (`tables/label_solver.py`). A null in what the odds read gives null.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import numpy as np
import pyarrow as pa
from pydantic import Field

from plotsim_core.arrow import ArrowArray
from plotsim_core.columns.dependencies import column_in, table_with
from plotsim_core.columns.formula_problems import input_kinds, may_have_nulls, name_problems, value_problems
from plotsim_core.columns.formula_values import formula_value, inputs_of
from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import ColumnSource, add_source, fill
from plotsim_core.config.column_source import Origin
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.formula import FormulaError, draws_of, names, parse_formula
from plotsim_core.config.formula_kinds import kind_of
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, Table
from plotsim_core.config.words import capitalised, enumeration, number_text, phrase
from plotsim_core.engine.steps import Step
from plotsim_core.errors import Problem
from plotsim_core.numerics.arrays import Floats
from plotsim_core.numerics.log_odds import chances
from plotsim_core.plan.plan import ColumnPlan, Intercept, TablePlan

_CHANCE = "give it a chance of its own: = chance(0.04)"


@add_source
class Label(ColumnSource):
    """`odds` are the log odds of being true, a formula over columns of the row, but for the intercept: that is solved so
    that a share `rate` of the rows with odds is true."""

    word = "label"
    example = "label"
    is_measure = True

    odds: Annotated[str, Field(min_length=1)]
    """What a row's features add to its log odds, as a formula; each unit multiplies the odds by e."""
    rate: Annotated[float, Field(gt=0, lt=1, strict=True)]
    """The share of the rows with odds that are true."""

    @property
    def formula_texts(self) -> tuple[str, ...]:
        return (self.odds,)

    def arrow_type(self, column: Column, dataset: Dataset) -> pa.DataType:
        return pa.bool_()

    def check(self, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
        yield from name_problems(self.odds, "odds", column, table, scope)

    def problems(self, table: Table, dataset: Dataset) -> Iterable[Problem]:
        problems = list(value_problems(self.odds, "odds", table, dataset))
        yield from problems
        if problems:
            return
        kind = kind_of(parse_formula(self.odds), input_kinds(self.odds, table, dataset))
        if kind not in ("whole", "number", "bool"):
            yield Problem("odds", "expected a formula of numbers: the log odds", "a truth counts as 0 or 1: 0.8 * is_new")
        elif draws_of(self.odds):
            yield Problem("odds", "takes chance, which a label has anyway", "draw it in a hidden column, and read that")
        elif not names(self.odds):
            yield Problem("odds", "reads no column, so it is the same in every row", _CHANCE)
        for name in names(self.odds):
            if column_in(table.name, name, dataset)[0].source.is_unique(table):
                message = f"{name} is another value in each row, so no sample tells of which rows there are"
                yield Problem("odds", message, "read columns whose values come again")

    @property
    def _share(self) -> str:
        """The share that is true, in words: in a sample of as many units of each segment."""
        return f"{number_text(100 * self.rate)} % of those with odds are"

    def describe(self, column: Column, table: Table, dataset: Dataset) -> str:
        name, inputs = capitalised(phrase(column.name)), enumeration(name for _, name in self.reads(table))
        return f"{name}, with odds that follow {inputs}; {self._share} true."

    def is_nullable(self, column: Column, dataset: Dataset) -> bool:
        return may_have_nulls(self.odds, table_with(self, dataset), dataset)

    def reads(self, table: Table) -> Iterable[Origin]:
        try:
            yield from ((table.name, name) for name in names(self.odds))
        except FormulaError:
            return  # reported at the formula

    def log_odds(self, table: TablePlan, rows: Rows) -> Floats:
        """Return the odds of rows without the intercept, NaN where they are null."""
        columns = {name: table.column(name) for name in names(self.odds)}
        values = {name: fill(other, table, rows) for name, other in columns.items()}
        decimals = {name: other.decimal_places for name, other in columns.items()}
        inputs = inputs_of(values, decimals, len(rows), rows.block.population.dataset.calendar)
        with np.errstate(all="ignore"):
            log_odds: Floats = formula_value(parse_formula(self.odds), inputs)
        return np.where(np.isfinite(log_odds), log_odds, np.nan)

    def chances(self, column: ColumnPlan, table: TablePlan, rows: Rows) -> Floats:
        """Return the chance of each row to be true, NaN where it has none."""
        return chances(self.log_odds(table, rows), solved(column).value)

    def fill(self, column: ColumnPlan, table: TablePlan, rows: Rows) -> ArrowArray:
        row_chances = self.chances(column, table, rows)
        is_true = rows.uniforms(table, column) < row_chances
        labels: ArrowArray = pa.array(is_true, mask=np.isnan(row_chances))
        return labels

    def row_steps(self, column: ColumnPlan, table: TablePlan, row: Rows) -> list[Step]:
        intercept, log_odds = solved(column), float(self.log_odds(table, row)[0])
        if np.isnan(log_odds):
            return [Step("odds", None, f"{self.odds} has no value")]
        chance = float(self.chances(column, table, row)[0])
        uniform = float(row.uniforms(table, column)[0])
        solution = f"solved on {intercept.rows:,} rows, so that {self._share} true"
        return [
            Step("odds", log_odds, f"{self.odds}, on the scale of logarithms"),
            Step("intercept", intercept.value, solution),
            Step("chance", chance, "1 / (1 + exp(-(intercept + odds)))"),
            Step("uniform", uniform, "drawn at the row's address; below the chance is true"),
        ]


def solved(column: ColumnPlan) -> Intercept:
    """Return the intercept of a column of labels. Raises TypeError where none is solved."""
    if column.intercept is None:
        raise TypeError(f"{column.name} has no intercept: the odds of its labels are not solved")
    return column.intercept
