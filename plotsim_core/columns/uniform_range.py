"""`range` with `range: [low, high]`: a number between two others, whole (both ends included) if both are whole."""

from __future__ import annotations

from typing import Annotated, Any

import pyarrow as pa
from pydantic import AfterValidator, BeforeValidator

from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import Source, add_source
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.model import LARGEST, Part, pair, rising
from plotsim_core.config.tables import Column, SourceWords
from plotsim_core.config.words import capitalised, number_text, phrase
from plotsim_core.errors import value_text
from plotsim_core.plan.plan import ColumnPlan, TablePlan

_DECIMALS = 4


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= LARGEST:
        raise ValueError(f"expected a number of at most {value_text(LARGEST)}, found {value_text(value)}")
    return value


_Number = Annotated[int | float, BeforeValidator(_number)]


class Options(Part):
    """`range` is [low, high]."""

    range: Annotated[tuple[_Number, _Number], BeforeValidator(pair), AfterValidator(rising)]

    @property
    def whole(self) -> bool:
        """Whether the numbers are whole."""
        return all(isinstance(end, int) for end in self.range)


def _arrow(options: Options, column: Column, dataset: Dataset) -> pa.DataType:
    return pa.int64() if options.whole else pa.float64()


def _fill(column: ColumnPlan, table: TablePlan, rows: Rows) -> pa.Array:
    options = column.spec.source
    assert isinstance(options, Options)
    low, high = options.range
    if options.whole:
        return pa.array(int(low) + rows.choose(table, column, int(high - low) + 1))
    return pa.array((low + (high - low) * rows.uniforms(table, column)).round(_DECIMALS))


add_source(
    "range",
    SourceWords(
        options=Options,
        arrow=_arrow,
        example="range",
        places=lambda options, dataset: _DECIMALS,
        describe=lambda options, column, table, dataset: (
            f"{capitalised(phrase(column.name))}, evenly drawn between {number_text(options.range[0])} "
            f"and {number_text(options.range[1])}."
        ),
    ),
    Source(_fill),
)
