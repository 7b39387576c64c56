"""`scd`: a tier that follows a metric, up and down; a dimension that has one keeps its history (SCD type 2, SCD2).

`at` are the edges between tiers, as shares of the way from the metric's mean at position 0 to that at position 1.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import pyarrow as pa
from pydantic import Field, model_validator

from plotsim_core.columns.rows import Rows, gathered
from plotsim_core.columns.source import Source, add_source
from plotsim_core.config.model import Name, Part
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, SourceWords, Table
from plotsim_core.config.words import enumeration, phrase
from plotsim_core.errors import Problem, ProblemError, value_text
from plotsim_core.plan.plan import ColumnPlan, TablePlan


class Options(Part):
    """The metric `tracks`, the `tiers` from low to high, and the edges `at` between them.

    It reads the expected value, without season, shock and noise, so a tier changes when a unit moves.
    """

    tracks: Name
    tiers: Annotated[tuple[str, ...], Field(min_length=2, max_length=20)]
    at: tuple[Annotated[float, Field(gt=0, lt=1, strict=True)], ...]

    @model_validator(mode="after")
    def _check_tiers(self) -> Options:
        if len(self.at) != len(self.tiers) - 1:
            raise ProblemError(
                Problem("at", f"{len(self.tiers)} tiers have {len(self.tiers) - 1} edges, found {len(self.at)}")
            )
        if list(self.at) != sorted(set(self.at)):
            raise ProblemError(Problem("at", f"the edges must rise, found {value_text(self.at)}"))
        if len(set(self.tiers)) != len(self.tiers):
            raise ProblemError(Problem("tiers", f"two tiers have one name in {value_text(self.tiers)}"))
        return self


def _check(options: Options, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
    yield from scope.unknown_metric(options.tracks, "tracks")
    if table.sourced("scd")[0] is not column:
        yield Problem("type", f"{table.name} has more than one scd column")


def _fill(column: ColumnPlan, table: TablePlan, rows: Rows) -> pa.Array:
    options = column.spec.source
    assert isinstance(options, Options)
    return gathered(list(options.tiers), rows.band, pa.string())


add_source(
    "scd",
    SourceWords(
        options=Options,
        arrow=lambda options, column, dataset: pa.string(),
        example="scd",
        needs=frozenset({"history"}),
        check=_check,
        describe=lambda options, column, table, dataset: (
            f"Tier that follows {phrase(options.tracks)}, a new version with each change: {enumeration(options.tiers)}."
        ),
    ),
    Source(_fill),
)
