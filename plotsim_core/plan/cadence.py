"""Cadence: what a delivery of a table to a warehouse holds, and how a consumer loads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from plotsim_core.config.table_kind import CadenceName
from plotsim_core.plan.plan import TablePlan

Load = Literal["append", "merge", "replace"]


@dataclass(frozen=True)
class Cadence:
    """What a delivery for some periods holds, and how it is loaded.

    An `increment` has the new rows of the periods, a `snapshot` a whole dimension at the end of each that is due (`every`),
    a `change log` what was done to a dimension in them: their rows are appended, a period that comes again in the place of
    its rows; where `quality` restates rows or delivers them again, they are merged. A `history` has versions and a `state`
    rows as of the last period: they are merged by the table's key (a new key is inserted, a known one updated) where no row
    ever goes, and replaced as a whole elsewhere.
    """

    name: CadenceName | Literal["history", "state"]
    load: Load
    every: str | None = None

    def __str__(self) -> str:
        return f"{self.name}{'' if self.every is None else f' ({self.every})'}, {self.load}"


_REPEATING_ISSUES = ("redelivery", "restatement")
"""Issues that deliver a row more than once."""


def cadence(table: TablePlan, grain: str) -> Cadence:
    """Return the cadence of a table; `grain` is the name of the dataset's periods."""
    if table.time is not None:
        name = table.spec.cadence
        every = (table.spec.interval or grain) if name == "snapshot" else None
        has_repeats = any(issue.issue in _REPEATING_ISSUES for _, issue in table.issues)
        return Cadence(name, "merge" if has_repeats else "append", every)
    if any(column.spec.source.version_part == "valid_from" for column in table.columns):
        return Cadence("history", "merge")
    return Cadence("state", "merge" if table.spec.comes_with_units else "replace")
