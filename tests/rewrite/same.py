"""Whether two plans make the same: all but tables is equal, schemas are, and so are rows of columns spelt otherwise."""

from __future__ import annotations

from typing import Any

from plotsim_core import Plan
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.table_kind import SECTIONS
from plotsim_core.plan.plan import TablePlan
from tests.laws.made import made_table

PERIODS = 3
"""So many periods are made of a table, where no more tell anything new."""


def schema(table: TablePlan) -> list[Any]:
    """Return all that a table says, but for how its columns are spelt."""
    columns = [(c.name, c.type, c.nullable, c.description, c.decimals, c.decimal_places) for c in table.columns]
    return [table.name, table.description, table.key, table.references, columns]


def differences(plan: Plan, other: Plan) -> list[str]:
    """Return the names of what two plans make otherwise."""
    names = [
        f"{first.dataset.unit}.{name}"
        for first, second in zip(plan.populations, other.populations, strict=True)
        for name in Dataset.model_fields
        if name not in (*SECTIONS, "units") and getattr(first.dataset, name) != getattr(second.dataset, name)
    ]
    if plan.digest != other.digest:
        names.append("digest")
    others = {table.name: table for table in other.tables}
    names += sorted({table.name for table in plan.tables} ^ others.keys())
    for first in plan.tables:
        second = others.get(first.name, first)
        is_same = schema(first) == schema(second)
        if is_same and _spellings(first) != _spellings(second):
            start, stop = plan.population.first, plan.population.first + PERIODS
            stop = min(stop, plan.population.stop or stop)
            rows, other_rows = (made_table(each, first.name, start, stop) for each in (plan, other))
            is_same = rows.equals(other_rows)
        if not is_same:
            names.append(first.name)
    return names


def _spellings(table: TablePlan) -> list[Any]:
    """Return what a table and its columns are made by."""
    return [type(table.spec), *(column.spec for column in table.columns)]
