"""`segment.<fact>`: a fact of the segment of the row's unit: its `name`, the `count` of its units, or the arm of its
`treatment` that the unit is in (null where the segment has none)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import pyarrow as pa

from plotsim_core.columns.rows import Rows, gathered
from plotsim_core.columns.source import Source, add_source
from plotsim_core.config.model import Part
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, SourceWords, Table
from plotsim_core.config.words import phrase
from plotsim_core.engine.block import Block
from plotsim_core.errors import Problem
from plotsim_core.plan.plan import ColumnPlan, TablePlan

_DESCRIPTIONS = {
    "name": "Name of the {unit}'s segment.",
    "count": "Number of units in the {unit}'s segment.",
    "treatment": "Arm of the experiment that the {unit} is in, null outside it.",
}


class Options(Part):
    """`fact` is name, count or treatment."""

    fact: Literal["name", "count", "treatment"]


def _check(options: Options, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
    if options.fact == "treatment" and scope.segments and all(segment.treatment is None for segment in scope.segments):
        yield Problem("type", "no segment has a `treatment` whose arms it could tell")


def arms(block: Block) -> pa.Array:
    """Return the arm of each unit of a block, null where its segment has no experiment."""
    treatments = [segment.spec.treatment for segment in block.population.segments]
    labels = [
        label
        for treatment in treatments
        for label in ((treatment.control_label, treatment.treatment_label) if treatment else (None, None))
    ]
    return pa.array(labels, pa.string()).take(pa.array(2 * block.units.segment + block.units.treated))


def _fill(column: ColumnPlan, table: TablePlan, rows: Rows) -> pa.Array:
    options = column.spec.source
    assert isinstance(options, Options)
    segments = rows.block.population.segments
    if options.fact == "treatment":
        return arms(rows.block).take(pa.array(rows.unit)).cast(column.type)
    values = [segment.spec.name if options.fact == "name" else segment.count for segment in segments]
    return gathered(values, rows.block.units.segment[rows.unit], column.type)


add_source(
    "segment",
    SourceWords(
        options=Options,
        arrow=lambda options, column, dataset: pa.int64() if options.fact == "count" else pa.string(),
        example="segment.name",
        argument="fact",
        needs=frozenset({"unit"}),
        check=_check,
        nullable=lambda options, dataset: (
            options.fact == "treatment" and any(segment.treatment is None for segment in dataset.segments)
        ),
        describe=lambda options, column, table, dataset: _DESCRIPTIONS[options.fact].format(unit=phrase(dataset.unit)),
    ),
    Source(_fill),
)
