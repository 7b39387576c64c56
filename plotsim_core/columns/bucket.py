"""`bucket` with `labels`: the label of the band of a row's position on the curve, or with `metric` of that metric's
stored value.

The range from 0 to 1 is cut into equal bands, one for each label. In a dimension the label is a state: that of the row's
latest period.
"""

from __future__ import annotations

from typing import Annotated

import pyarrow as pa
from pydantic import Field, model_validator

from plotsim_core.columns.as_of import Band, band_indexes, check_metric, may_be_missing, quantity_name, scaled_values
from plotsim_core.columns.rows import Rows
from plotsim_core.columns.source import Source, add_source
from plotsim_core.config.model import Name, Part
from plotsim_core.config.tables import SourceWords
from plotsim_core.config.words import enumeration
from plotsim_core.errors import Problem, ProblemError, value_text
from plotsim_core.plan.plan import ColumnPlan, TablePlan


class Options(Part):
    """The `labels` from low to high, and the `metric` that they are bands of (the position on the curve without one)."""

    labels: Annotated[tuple[Band, ...], Field(min_length=2, max_length=20)]
    metric: Name | None = None

    @model_validator(mode="after")
    def _check_labels(self) -> Options:
        if len(set(self.labels)) != len(self.labels):
            raise ProblemError(Problem("labels", f"two bands have one label in {value_text(list(self.labels))}"))
        return self


def _fill(column: ColumnPlan, table: TablePlan, rows: Rows) -> pa.Array:
    options = column.spec.source
    assert isinstance(options, Options)
    bands, is_missing = band_indexes(scaled_values(rows, options.metric), len(options.labels))
    return pa.array(options.labels, pa.string()).take(pa.array(bands, mask=is_missing))


add_source(
    "bucket",
    SourceWords(
        options=Options,
        arrow=lambda options, column, dataset: pa.string(),
        example="bucket",
        needs=frozenset({"unit"}),
        check=lambda options, column, table, scope: check_metric(options.metric, scope),
        nullable=lambda options, dataset: may_be_missing(options.metric, dataset),
        describe=lambda options, column, table, dataset: (
            f"Band of {quantity_name(options.metric)}: {enumeration(options.labels)}."
        ),
        moves=lambda options: True,
    ),
    Source(_fill),
)
