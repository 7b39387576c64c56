"""`pool.<attribute>`: one of the values that the segment of the row's unit lists for an attribute.

Any of them, or with `weights` as often as these say; with `by: trajectory` the one that the position on the unit's curve
points to, the first at 0 and the last at 1. In a dimension that is a state: the value of the latest period.
`pool.<attribute>:trajectory` is an old spelling of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

import numpy as np
import pyarrow as pa
from pydantic import WithJsonSchema, model_validator

from plotsim_core.arrow import ArrowArray
from plotsim_core.columns.as_of import scaled_values
from plotsim_core.columns.choice import Weights, common_type, common_values, max_decimals, weight_problems, weighted_indexes
from plotsim_core.columns.rows import Rows, gathered
from plotsim_core.columns.source import ColumnSource, add_source
from plotsim_core.config.column_source import POSITION, Origin, with_options
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.model import Name
from plotsim_core.config.scope import Scope
from plotsim_core.config.segments import Segment
from plotsim_core.config.tables import Column, Table
from plotsim_core.config.words import capitalised, phrase
from plotsim_core.errors import Problem, ProblemError, value_text
from plotsim_core.families import did_you_mean
from plotsim_core.numerics.arrays import Integers
from plotsim_core.plan.plan import ColumnPlan, TablePlan

_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]{0,62}(:trajectory)?$"


@add_source
class Pool(ColumnSource):
    """`attribute` names the attribute, `by` says what chooses among its values, `weights` how often each is chosen by
    chance."""

    word = "pool"
    in_cases = True
    example = "pool.industry"
    in_texts = True
    argument = "attribute"
    needs = frozenset({"unit"})
    in_structs = True

    attribute: Annotated[Name, WithJsonSchema({"type": "string", "pattern": _PATTERN})]
    """The attribute of the segments whose values these are."""
    by: Literal["chance", "trajectory"] = "chance"
    """What chooses among its values."""
    weights: Weights | None = None
    """How often each is chosen by chance."""

    @classmethod
    def todays_words(cls, column: Mapping[str, Any], is_listed: bool) -> Mapping[str, Any]:
        """`by` stands beside the type."""
        type_, colon, mode = column["type"].partition(":")
        return column if not colon or "by" in column else with_options(column, type_, by=mode)

    @model_validator(mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        """Take the mode out of `<attribute>:<mode>`."""
        if not isinstance(value, dict) or not isinstance(value.get("attribute"), str) or ":" not in value["attribute"]:
            return value
        name, _, mode = value["attribute"].partition(":")
        if mode != "trajectory":
            text = value_text(f"pool.{value['attribute']}")
            raise ProblemError(Problem("attribute", f"cannot read {text}", f"write it like pool.{name}:trajectory"))
        if "by" in value:
            raise ProblemError(Problem("by", "the type says it already"))
        return {**value, "attribute": name, "by": mode}

    @model_validator(mode="after")
    def _check_weights(self) -> Pool:
        if self.weights is not None and self.by == "trajectory":
            raise ProblemError(Problem("weights", "have no effect: the trajectory says which value it is"))
        return self

    def arrow_type(self, column: Column, dataset: Dataset) -> pa.DataType:
        return common_type(self._values(dataset.segments))

    def check(self, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
        for segment in scope.segments:
            values = segment.attributes.get(self.attribute)
            if values is None:
                hint = did_you_mean(self.attribute, list(segment.attributes))
                yield Problem("type", f"segment {segment.name} has no attribute '{self.attribute}'", hint)
                return
            yield from weight_problems(self.weights, len(values), f"values that {segment.name} has")

    def describe(self, column: Column, table: Table, dataset: Dataset) -> str:
        return (
            f"{capitalised(phrase(self.attribute))} that the {phrase(dataset.unit)}'s segment lists, "
            f"{'by the position on the curve' if self.by == 'trajectory' else 'by chance'}."
        )

    def decimal_places(self, dataset: Dataset) -> int | None:
        return max_decimals(self._values(dataset.segments))

    @property
    def changes_over_time(self) -> bool:
        return self.by == "trajectory"

    @property
    def attributes(self) -> tuple[str, ...]:
        return (self.attribute,)

    def stage_origin(self, dataset: Dataset) -> Origin | None:
        return POSITION if self.by == "trajectory" else None

    def possible_values(self, table: Table, scope: Scope) -> list[Any] | None:
        return common_values(self._values(scope.segments)) if self.by == "chance" else None

    def listed_texts(self, dataset: Dataset) -> list[str]:
        return list(dict.fromkeys(map(str, self._values(dataset.segments))))

    def _values(self, segments: Iterable[Segment]) -> list[Any]:
        return [value for segment in segments for value in segment.attributes.get(self.attribute, ())]

    def fill(self, column: ColumnPlan, table: TablePlan, rows: Rows) -> ArrowArray:
        lists = [segment.spec.attributes[self.attribute] for segment in rows.block.population.segments]
        sizes = np.array([len(values) for values in lists])
        firsts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        indexes = firsts[rows.block.units.segment[rows.unit]] + _value_indexes(self, column, table, rows, sizes)
        flat = [value if column.type != pa.string() else str(value) for values in lists for value in values]
        return gathered(flat, indexes, column.type)


def _value_indexes(options: Pool, column: ColumnPlan, table: TablePlan, rows: Rows, sizes: Integers) -> Integers:
    """Return the index of each row's value in its segment's list; `sizes` are the lengths of the lists."""
    if options.weights is not None:
        return weighted_indexes(rows.uniforms(table, column), options.weights)
    count = sizes[rows.block.units.segment[rows.unit]]
    if options.by == "chance":
        return rows.choose(table, column, count)
    return np.minimum((scaled_values(rows, None) * count).astype(np.int64), count - 1)
