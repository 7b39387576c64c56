"""`bucket` with `labels`: the label of the band of a row's position on the curve, or with `metric` of that metric's
stored value.

The range from 0 to 1 is cut into equal bands, one for each label. In a dimension the label is a state: that of the row's
latest period.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import pyarrow as pa
from pydantic import Field, model_validator

from plotsim_core.arrow import ArrowArray, taken
from plotsim_core.columns.as_of import (
    Band,
    band_indexes,
    band_origin,
    check_metric,
    may_be_missing,
    quantity_name,
    scaled_values,
)
from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import ColumnSource, add_source
from plotsim_core.config.column_source import Origin
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.model import Name
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, Table
from plotsim_core.config.words import enumeration
from plotsim_core.errors import Problem, ProblemError, value_text
from plotsim_core.plan.plan import ColumnPlan, TablePlan


@add_source
class Bucket(ColumnSource):
    """The `labels` from low to high, and the `metric` that they are bands of (the position on the curve without one)."""

    word = "bucket"
    in_cases = True
    example = "bucket"
    needs = frozenset({"unit"})

    labels: Annotated[tuple[Band, ...], Field(min_length=2, max_length=20)]
    """The labels, from low to high."""
    metric: Name | None = None
    """The metric that they are bands of; the position on the curve without one."""

    @model_validator(mode="after")
    def _check_labels(self) -> Bucket:
        if len(set(self.labels)) != len(self.labels):
            raise ProblemError(Problem("labels", f"two bands have one label in {value_text(list(self.labels))}"))
        return self

    def arrow_type(self, column: Column, dataset: Dataset) -> pa.DataType:
        return pa.string()

    def check(self, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
        return check_metric(self.metric, scope)

    def describe(self, column: Column, table: Table, dataset: Dataset) -> str:
        return f"Band of {quantity_name(self.metric)}: {enumeration(self.labels)}."

    def is_nullable(self, column: Column, dataset: Dataset) -> bool:
        return may_be_missing(self.metric, dataset)

    def listed_texts(self, dataset: Dataset) -> list[str]:
        return list(self.labels)

    @property
    def changes_over_time(self) -> bool:
        return True

    def stage_origin(self, dataset: Dataset) -> Origin:
        return band_origin(self.metric)

    def fill(self, column: ColumnPlan, table: TablePlan, rows: Rows) -> ArrowArray:
        bands, is_missing = band_indexes(scaled_values(rows, self.metric), len(self.labels))
        return taken(pa.array(self.labels, pa.string()), bands, is_missing)
