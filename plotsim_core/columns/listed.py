"""The rows of listed tables as references read them: all of them, made once."""

from __future__ import annotations

from functools import lru_cache

from plotsim_core.arrow import ArrowArray
from plotsim_core.columns.row_kind import row_kind
from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import fill
from plotsim_core.engine.block import Block
from plotsim_core.engine.slice import Slice
from plotsim_core.plan.plan import Population


def listed_values(population: Population, name: str, column_name: str) -> ArrowArray:
    """Return a column of a listed table, a value for each row."""
    table = population.table(name)
    return fill(table.column(column_name), table, _rows(population, name))


@lru_cache(maxsize=8)
def _rows(population: Population, name: str) -> Rows:
    """Return the rows of a listed table."""
    table = population.table(name)
    return row_kind(table).rows_in(table, Block(population, Slice(population.first, population.first + 1, 0, 0)))
