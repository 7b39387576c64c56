"""How a table comes into a warehouse: what a delivery of it holds, and what a consumer does with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from plotsim_core.plan.plan import TablePlan

CadenceName = Literal["increment", "snapshot", "change log", "history", "state"]
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

    name: CadenceName
    load: Load
    every: str | None = None

    def __str__(self) -> str:
        return f"{self.name}{'' if self.every is None else f' ({self.every})'}, {self.load}"


_BY_KIND: dict[str, CadenceName] = {"snapshot": "snapshot", "changes": "change log"}
_AGAIN = ("redelivery", "restatement")
"""Issues by which a row comes more than once."""
_KEPT = ("unit", "child")
"""Kinds of dimension of which no row ever goes."""


def cadence(table: TablePlan, grain: str) -> Cadence:
    """Return how a table comes; `grain` is the name of the dataset's periods."""
    if table.time is not None:
        name = _BY_KIND.get(table.kind, "increment")
        every = (getattr(table.spec, "every", None) or grain) if name == "snapshot" else None
        again = any(issue.issue in _AGAIN for _, issue in table.issues)
        return Cadence(name, "merge" if again else "append", every)
    if any(column.spec.type == "version.valid_from" for column in table.columns):
        return Cadence("history", "merge")
    return Cadence("state", "merge" if table.kind in _KEPT else "replace")
