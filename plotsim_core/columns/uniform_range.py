"""`range` with `range: [low, high]`: a number between two others, whole (both ends included) if both are whole.

With `unique` no two rows have the same whole number.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

import pyarrow as pa
from pydantic import AfterValidator, BeforeValidator

from plotsim_core.arrow import ArrowArray
from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import ColumnSource, add_source
from plotsim_core.columns.unique import check_unique, collision_notes, unique_indexes, unique_problems
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.model import LARGEST, Flag, pair, rising
from plotsim_core.config.pydantic_errors import number_hint
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, Table
from plotsim_core.config.words import capitalised, number_text, phrase
from plotsim_core.errors import Problem, ProblemError, value_text
from plotsim_core.plan.plan import ColumnPlan, TablePlan

_DECIMALS = 4


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ProblemError(Problem("", f"expected a number, found {value_text(value)}", number_hint(value)))
    if not abs(value) <= LARGEST:
        raise ValueError(f"expected a number of at most {value_text(LARGEST)}, found {value_text(value)}")
    return value


_Number = Annotated[int | float, BeforeValidator(_number)]


@add_source
class UniformRange(ColumnSource):
    """`range` is [low, high]."""

    word = "range"
    in_cases = True
    example = "range"
    decimals_hint = "give an end of the range a fraction: [1.0, 20.0]"

    range: Annotated[tuple[_Number, _Number], BeforeValidator(pair), AfterValidator(rising)]
    """[low, high]."""
    unique: Flag = False
    """That no two units, children or listed rows have the same whole number."""

    @property
    def is_whole(self) -> bool:
        """Whether the numbers are whole."""
        return all(isinstance(end, int) for end in self.range)

    @property
    def _count(self) -> int:
        """How many whole numbers there are."""
        return int(self.range[1] - self.range[0]) + 1

    def check(self, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
        if self.unique and not self.is_whole:
            yield Problem(
                "unique", "has no place here: fractions have no number of their own", "give both ends as whole numbers"
            )
        elif self.unique:
            yield from check_unique(table)

    def problems(self, table: Table, dataset: Dataset) -> Iterable[Problem]:
        return unique_problems(self._count, "the range", table, dataset) if self.unique else ()

    def notes(self, table: Table, dataset: Dataset) -> Iterable[Problem]:
        return collision_notes(self._count, table, dataset) if self.unique else ()

    def arrow_type(self, column: Column, dataset: Dataset) -> pa.DataType:
        return pa.int64() if self.is_whole else pa.float64()

    def is_unique(self, table: Table) -> bool:
        return self.unique

    def describe(self, column: Column, table: Table, dataset: Dataset) -> str:
        drawn = "no two the same, between" if self.unique else "evenly drawn between"
        return f"{capitalised(phrase(column.name))}, {drawn} {number_text(self.range[0])} and {number_text(self.range[1])}."

    def decimal_places(self, dataset: Dataset) -> int | None:
        return _DECIMALS

    def number_range(self, dataset: Dataset) -> tuple[float, float]:
        return self.range

    def fill(self, column: ColumnPlan, table: TablePlan, rows: Rows) -> ArrowArray:
        low, high = self.range
        if self.unique:
            return pa.array(int(low) + unique_indexes(self._count, column, table, rows))
        if self.is_whole:
            return pa.array(int(low) + rows.choose(table, column, self._count))
        return pa.array((low + (high - low) * rows.uniforms(table, column)).round(_DECIMALS))
