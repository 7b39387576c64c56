"""`step`: the name of the step of a funnel that a row is (`rows: { steps: { view: 1, cart: 0.4 } }`)."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

import numpy as np
import pyarrow as pa

from plotsim_core.arrow import ArrowArray
from plotsim_core.columns.row_relations import parent_of, rows_of_units
from plotsim_core.columns.rows import Rows, gathered
from plotsim_core.columns.source import ColumnSource, add_source
from plotsim_core.columns.step_chances import chances_of
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, Table
from plotsim_core.config.words import capitalised, enumeration, phrase
from plotsim_core.engine.roster import take
from plotsim_core.engine.steps import Step as WayStep
from plotsim_core.errors import Problem
from plotsim_core.plan.plan import ColumnPlan, TablePlan


def step_names(table: Table) -> tuple[str, ...]:
    """Return the names of the steps that rows of a table are; empty where they are none."""
    return () if table.row_count is None else table.row_count.step_names


@add_source
class Step(ColumnSource):
    """The name of the step that a row is, of a table whose `rows` are `steps`."""

    word = "step"
    example = "step"
    instead = "`sequence` numbers rows that belong to one row"
    needs = frozenset({"number"})

    def arrow_type(self, column: Column, dataset: Dataset) -> pa.DataType:
        return pa.string()

    def check(self, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
        if not step_names(table):
            yield Problem("type", f"rows of {table.name} are no steps", "write rows: { steps: { view: 1, order: 0.3 } }")

    def describe(self, column: Column, table: Table, dataset: Dataset) -> str:
        return f"{capitalised(phrase(column.name))}: {enumeration(step_names(table))}, in this order."

    def text_count(self, table: Table, dataset: Dataset) -> int | None:
        return len(step_names(table))

    def possible_values(self, table: Table, scope: Scope) -> list[str] | None:
        return list(step_names(table))

    def fill(self, column: ColumnPlan, table: TablePlan, rows: Rows) -> ArrowArray:
        return gathered(list(step_names(table.spec)), rows.ordinal, column.type)

    def row_steps(self, column: ColumnPlan, table: TablePlan, row: Rows) -> list[WayStep]:
        count, population = table.spec.row_count, row.block.population
        assert count is not None  # of a table with steps
        if row.parent is not None:
            parent = row.parent.take(row.owner)
            stream, parent_table = table.stream, population.table(parent_of(table) or "")
        else:
            parent = rows_of_units(population, take(row.block.units, row.unit))
            stream, parent_table = table.name, population.dimension
        shares = count.shares(chances_of(count, parent_table, parent))
        ways = []
        for name, share in islice(shares, int(row.ordinal[0]) + 1):  # those that were taken, the row's own the last
            uniform = float(count.uniforms(population.seed, stream, name, parent.address)[0])
            text = f"the chance of who reached the step before; the uniform {uniform:.4f} is below it"
            ways.append(WayStep(name, float(np.broadcast_to(share, 1)[0]), text))
        return ways
