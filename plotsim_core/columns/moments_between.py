"""`between: [started_at, ended_at]` beside a timestamp: moments in a span that columns of the row say. Those of rows that
belong to one row are in the order of these.

Each row draws a uniform at its own address; of n rows that belong to one row, the one with number k takes the k-th smallest
of theirs, so that the moments are those of n independent draws, in order.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from plotsim_core.columns.dependencies import circle_of
from plotsim_core.columns.moment_inputs import (
    instants_in,
    may_lack_moments,
    moment_name_problems,
    moment_text,
    moment_type_problems,
)
from plotsim_core.columns.row_relations import rows_of_parents
from plotsim_core.columns.rows import Rows
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, Table
from plotsim_core.engine.steps import Step
from plotsim_core.errors import Problem
from plotsim_core.numerics.arrays import Floats
from plotsim_core.plan.plan import ColumnPlan, TablePlan


@dataclass(frozen=True)
class Between:
    """Moments from that of the column `begin` to that of the column `end`."""

    begin: str
    end: str

    @property
    def statement(self) -> str:
        return f"between {self.begin} and {self.end}"

    @property
    def inputs(self) -> tuple[str, ...]:
        return self.begin, self.end

    @property
    def bounds(self) -> tuple[str, str]:
        return self.begin, self.end

    def check(self, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
        problems = [
            problem
            for index, name in enumerate(self.inputs)
            for problem in moment_name_problems(name, f"between[{index}]", column, table, scope)
        ]
        if self.begin == self.end:
            problems.append(Problem("between[1]", f"{self.end} is where it begins", "name where it ends"))
        yield from problems
        if not problems and (circle := circle_of(column, table, scope)):
            yield Problem("between", circle)

    def problems(self, table: Table, dataset: Dataset) -> Iterable[Problem]:
        for index, name in enumerate(self.inputs):
            yield from moment_type_problems(name, f"between[{index}]", table, dataset)

    def may_have_nulls(self, table: Table, dataset: Dataset) -> bool:
        return may_lack_moments(self.inputs, table, dataset)

    def moments(self, column: ColumnPlan, table: TablePlan, rows: Rows) -> Floats:
        """Return the moments of rows, in microseconds of UTC. A span that ends before it begins has the moment at which it
        begins; one without an end or a beginning has none: NaN."""
        begins, ends = (instants_in(name, table, rows) for name in self.inputs)
        spans = np.maximum(ends - begins, 0.0)
        places: Floats = begins + np.floor(ordered_uniforms(column, table, rows) * spans)
        return places

    def row_steps(self, column: ColumnPlan, table: TablePlan, row: Rows) -> list[Step]:
        zone = row.block.population.grain.zone
        begins, ends = (moment_text(instants_in(name, table, row), zone) for name in self.inputs)
        note = "of the span, drawn"
        if row.parent is not None:
            note += f"; the {row.ordinal[0] + 1}. smallest of those of the rows that belong to one row"
        return [
            Step(self.begin, begins, "the span begins"),
            Step(self.end, ends, "the span ends"),
            Step("share", float(ordered_uniforms(column, table, row)[0]), note),
        ]


def ordered_uniforms(column: ColumnPlan, table: TablePlan, rows: Rows) -> Floats:
    """Return a uniform for each row; those of rows that belong to one row are in the order of these."""
    if rows.parent is None:
        return rows.uniforms(table, column, "between")
    siblings = rows_of_parents(table, rows.parent)
    draws = siblings.uniforms(table, column, "between")
    ordered_draws = draws[np.lexsort((draws, siblings.owner))]
    counts = np.bincount(siblings.owner, minlength=len(rows.parent))
    ordered: Floats = ordered_draws[(np.cumsum(counts) - counts)[rows.owner] + rows.ordinal]
    return ordered
