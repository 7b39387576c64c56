"""`lag.<metric>` with `periods: N`: the value as stored N periods earlier; null before the unit's series begins.

`lag.<metric>:periods:<N>` is an old spelling.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
from pydantic import Field, WithJsonSchema, model_validator

from plotsim_core.arrow import ArrowArray
from plotsim_core.columns.metric import label, metric_named, money_decimals
from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import ColumnSource, add_source
from plotsim_core.config.column_source import STORED_VALUES, Origin, with_options
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.model import Name
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, Table
from plotsim_core.config.words import phrase
from plotsim_core.engine.block import Block
from plotsim_core.errors import Problem, ProblemError, value_text
from plotsim_core.plan.plan import ColumnPlan, TablePlan

_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]{0,62}(:periods:[1-9][0-9]{0,3})?$"


@add_source
class Lag(ColumnSource):
    """`metric` names the metric, `periods` says how many periods earlier (1 unless it is given)."""

    word = "lag"
    in_cases = True
    example = "lag.revenue"
    argument = "metric"
    needs = frozenset({"cell"})

    metric: Annotated[Name, WithJsonSchema({"type": "string", "pattern": _PATTERN})]
    """The metric that is looked at."""
    periods: Annotated[int, Field(ge=1, le=1000, strict=True)] = 1
    """How many periods earlier; 1 unless it is given."""

    @classmethod
    def todays_words(cls, column: Mapping[str, Any], is_listed: bool) -> Mapping[str, Any]:
        """`periods` stand beside the type."""
        type_, colon, suffix = column["type"].partition(":")
        word, _, number = suffix.partition(":")
        is_old = colon and word == "periods" and number.isdecimal() and number.isascii() and "periods" not in column
        return with_options(column, type_, periods=int(number[:9])) if is_old else column

    @model_validator(mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        """Take the number of periods out of `<metric>:periods:<N>`."""
        if not isinstance(value, dict) or not isinstance(value.get("metric"), str) or ":" not in value["metric"]:
            return value
        name, _, suffix = value["metric"].partition(":")
        word, _, number = suffix.partition(":")
        if word != "periods" or not number.isdecimal() or not number.isascii():
            text = value_text(f"lag.{value['metric']}")
            raise ProblemError(Problem("metric", f"cannot read {text}", "write it like lag.revenue:periods:1"))
        if "periods" in value:
            raise ProblemError(Problem("periods", "the type says it already"))
        return {"metric": name, "periods": int(number[:9])}

    def arrow_type(self, column: Column, dataset: Dataset) -> pa.DataType:
        return pa.int64() if metric_named(self.metric, dataset).decimals is None else pa.float64()

    def check(self, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
        yield from scope.unknown_metric(self.metric, "type")
        window = scope.window
        if window is not None and window.stop is not None and self.periods >= window.stop - window.first:
            length = window.stop - window.first
            yield Problem("periods", f"expected less than the window's {length} periods, found {self.periods}")

    def describe(self, column: Column, table: Table, dataset: Dataset) -> str:
        grain = dataset.grain
        distance = f"{self.periods} {grain.plural}" if self.periods > 1 else f"one {grain.noun}"
        subject = label(metric_named(self.metric, dataset))
        return f"{subject} {distance} earlier; null where the {phrase(dataset.unit)} was not there yet."

    def is_nullable(self, column: Column, dataset: Dataset) -> bool:
        return True

    def text_decimals(self, dataset: Dataset) -> int | None:
        return money_decimals(metric_named(self.metric, dataset))

    def decimal_places(self, dataset: Dataset) -> int | None:
        return metric_named(self.metric, dataset).decimals

    def stage_origin(self, dataset: Dataset) -> Origin:
        return STORED_VALUES, self.metric

    def fill(self, column: ColumnPlan, table: TablePlan, rows: Rows) -> ArrowArray:
        block, index = rows.block, rows.block.population.metric_index(self.metric)

        def earlier_values() -> Any:
            first, stop = block.slice.first - self.periods, block.slice.stop - self.periods
            earlier_slice = replace(block.slice, first=first, stop=stop)
            return Block(block.population, earlier_slice, block.units).noised(index)

        values = block.cached(("lag", index, self.periods), earlier_values).ravel()[rows.cell]
        is_missing = np.isnan(values) | (rows.period - self.periods < block.units.arrival[rows.unit])
        if column.type == pa.int64():
            values = np.where(is_missing, 0.0, values).astype(np.int64)
        return pa.array(values, type=column.type, mask=is_missing)
