"""`scd`: a tier that follows a metric, up and down; a dimension that has one keeps its history (SCD type 2, SCD2).

`at` are the edges between tiers, as shares of the way from the metric's mean at position 0 to that at position 1.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import pyarrow as pa
from pydantic import Field, model_validator

from plotsim_core.arrow import ArrowArray
from plotsim_core.columns.rows import Rows, gathered
from plotsim_core.columns.source import ColumnSource, add_source
from plotsim_core.config.column_source import POSITION, History, Origin
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.model import Name
from plotsim_core.config.scope import Scope
from plotsim_core.config.tables import Column, Table
from plotsim_core.config.words import enumeration, phrase
from plotsim_core.engine.block import Block, block
from plotsim_core.engine.lifetimes import ends
from plotsim_core.engine.slice import Slice
from plotsim_core.engine.steps import Step, history_steps
from plotsim_core.errors import Problem, ProblemError, value_text
from plotsim_core.plan.plan import ColumnPlan, TablePlan


@add_source
class Tier(ColumnSource):
    """The metric `tracks`, the `tiers` from low to high, and the edges `at` between them.

    It reads the expected value, without season, shock and noise, so a tier changes when a unit moves.
    """

    word = "scd"
    example = "scd"
    needs = frozenset({"history"})
    is_drifting = False

    tracks: Name
    """The metric whose bands are the tiers."""
    tiers: Annotated[tuple[str, ...], Field(min_length=2, max_length=20)]
    """The tiers, from low to high."""
    at: tuple[Annotated[float, Field(gt=0, lt=1, strict=True)], ...]
    """The edges between the tiers."""

    @model_validator(mode="after")
    def _check_tiers(self) -> Tier:
        if len(self.at) != len(self.tiers) - 1:
            raise ProblemError(
                Problem("at", f"{len(self.tiers)} tiers have {len(self.tiers) - 1} edges, found {len(self.at)}")
            )
        if list(self.at) != sorted(set(self.at)):
            raise ProblemError(Problem("at", f"the edges must rise, found {value_text(self.at)}"))
        if len(set(self.tiers)) != len(self.tiers):
            raise ProblemError(Problem("tiers", f"two tiers have one name in {value_text(self.tiers)}"))
        return self

    def arrow_type(self, column: Column, dataset: Dataset) -> pa.DataType:
        return pa.string()

    def check(self, column: Column, table: Table, scope: Scope) -> Iterable[Problem]:
        yield from scope.unknown_metric(self.tracks, "tracks")
        if next(other for other in table.columns if other.source.history is not None) is not column:
            yield Problem("type", f"{table.name} has more than one scd column")

    def describe(self, column: Column, table: Table, dataset: Dataset) -> str:
        return f"Tier that follows {phrase(self.tracks)}, a new version with each change: {enumeration(self.tiers)}."

    def stage_origin(self, dataset: Dataset) -> Origin:
        return POSITION

    @property
    def history(self) -> History:
        return History(self.tracks, self.tiers, self.at)

    def possible_values(self, table: Table, scope: Scope) -> list[str]:
        return list(self.tiers)

    def listed_texts(self, dataset: Dataset) -> list[str]:
        return list(self.tiers)

    def steps(self, cell: Block) -> list[Step]:
        """A history stands still when its unit has left, so it is explained as of the unit's last period at the latest."""
        last_period, unit = int(ends(cell)[0]), cell.slice.unit_first
        valid_block = (
            block(cell.population, Slice(last_period, last_period + 1, unit, unit + 1))
            if last_period < cell.slice.first
            else cell
        )
        return history_steps(valid_block, self.history)

    def fill(self, column: ColumnPlan, table: TablePlan, rows: Rows) -> ArrowArray:
        return gathered(list(self.tiers), rows.band, pa.string())
