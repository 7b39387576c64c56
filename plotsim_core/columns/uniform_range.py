"""`range` with `range: [low, high]`: a number between two others, whole (both ends included) if both are whole."""

from __future__ import annotations

from typing import Annotated, Any

import pyarrow as pa
from pydantic import AfterValidator, BeforeValidator

from plotsim_core.arrow import ArrowArray
from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import ColumnSource, add_source
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.model import LARGEST, pair, rising
from plotsim_core.config.tables import Column, Table
from plotsim_core.config.words import capitalised, number_text, phrase
from plotsim_core.errors import value_text
from plotsim_core.plan.plan import ColumnPlan, TablePlan

_DECIMALS = 4


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= LARGEST:
        raise ValueError(f"expected a number of at most {value_text(LARGEST)}, found {value_text(value)}")
    return value


_Number = Annotated[int | float, BeforeValidator(_number)]


@add_source
class UniformRange(ColumnSource):
    """`range` is [low, high]."""

    word = "range"
    example = "range"
    decimals_hint = "give an end of the range a fraction: [1.0, 20.0]"

    range: Annotated[tuple[_Number, _Number], BeforeValidator(pair), AfterValidator(rising)]
    """[low, high]."""

    @property
    def is_whole(self) -> bool:
        """Whether the numbers are whole."""
        return all(isinstance(end, int) for end in self.range)

    def arrow_type(self, column: Column, dataset: Dataset) -> pa.DataType:
        return pa.int64() if self.is_whole else pa.float64()

    def describe(self, column: Column, table: Table, dataset: Dataset) -> str:
        return (
            f"{capitalised(phrase(column.name))}, evenly drawn between {number_text(self.range[0])} "
            f"and {number_text(self.range[1])}."
        )

    def decimal_places(self, dataset: Dataset) -> int | None:
        return _DECIMALS

    def fill(self, column: ColumnPlan, table: TablePlan, rows: Rows) -> ArrowArray:
        low, high = self.range
        if self.is_whole:
            return pa.array(int(low) + rows.choose(table, column, int(high - low) + 1))
        return pa.array((low + (high - low) * rows.uniforms(table, column)).round(_DECIMALS))
