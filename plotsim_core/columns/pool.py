"""`pool.<attribute>`: one of the values that the segment of the row's unit lists for an attribute."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from plotsim_core.columns.choice import common_type
from plotsim_core.columns.rows import Rows, picked
from plotsim_core.columns.source import Source, add_source
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.model import Name, Part
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, SourceWords, Table
from plotsim_core.errors import Problem
from plotsim_core.families import did_you_mean
from plotsim_core.plan.plan import ColumnPlan, TablePlan


class Options(Part):
    """`attribute` names the attribute."""

    attribute: Name


def _arrow(options: Options, column: Column, dataset: Dataset) -> pa.DataType:
    return common_type([value for segment in dataset.segments for value in segment.attributes[options.attribute]])


def _check(options: Options, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
    for segment in scope.segments:
        if options.attribute not in segment.attributes:
            hint = did_you_mean(options.attribute, list(segment.attributes))
            yield Problem("type", f"segment {segment.name} has no attribute '{options.attribute}'", hint)
            return


def _fill(column: ColumnPlan, table: TablePlan, rows: Rows) -> pa.Array:
    options = column.spec.source
    assert isinstance(options, Options)
    lists = [segment.spec.attributes[options.attribute] for segment in rows.block.plan.segments]
    sizes = np.array([len(values) for values in lists])
    firsts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    segment = rows.block.units.segment[rows.unit]
    places = firsts[segment] + rows.choose(table, column, sizes[segment])
    flat = [value if column.type != pa.string() else str(value) for values in lists for value in values]
    return picked(flat, places, column.type)


add_source(
    "pool",
    SourceWords(
        options=Options,
        arrow=_arrow,
        example="pool.industry",
        argument="attribute",
        needs=frozenset({"unit"}),
        check=_check,
        describe=lambda options, dataset: f"One of the segment's values for {options.attribute}.",
    ),
    Source(_fill),
)
