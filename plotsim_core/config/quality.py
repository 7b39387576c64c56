"""`quality`: what is broken on purpose, and how often."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from plotsim_core.config.model import Name, Offset, Part, Share
from plotsim_core.errors import Problem, Wrong

MOST = 50
"""So many issues may be declared."""

LEDGER = "quality_ledger"
"""The table that lists everything that was broken."""

ARRIVAL = "_arrival_period"
"""The column that says when a late row arrived."""

Kind = Literal[
    "null_injection",
    "duplicate_rows",
    "type_mismatch",
    "late_arrival",
    "schema_drift",
    "volume_anomaly",
    "orphaned_keys",
]

_OF_A_COLUMN = ("null_injection", "type_mismatch", "schema_drift", "orphaned_keys")
_READS: dict[str, tuple[str, ...]] = {
    "mode": ("volume_anomaly",),
    "period": ("volume_anomaly", "schema_drift"),
    "periods": ("volume_anomaly",),
}
"""Word to the issues that read it."""


class Issue(Part):
    """One issue: `rate` of the rows (or of the rows of some periods) of `table` have it. Another `seed_offset` gives it to
    other rows. `period` and `periods` count from the window's start, from 0.

    `issue`: what is wrong. `column`: where. `mode`: whether a volume anomaly has too many rows (`spike`) or too few
    (`drop`).

    `table`: which table is broken. `rate`: the share of its rows. `seed_offset`: another number breaks other rows.
    `period`: the period of a volume anomaly, or the first with the new column of a drift. `periods`: several
    periods of a volume anomaly.
    """

    table: Name
    issue: Kind
    rate: Share
    column: Name | None = None
    seed_offset: Annotated[int, Field(ge=0, le=2**32 - 1, strict=True)] = 0
    mode: Literal["spike", "drop"] | None = None
    period: Offset | None = None
    periods: Annotated[tuple[Offset, ...], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _sound(self) -> Self:
        problems = []
        if self.issue in _OF_A_COLUMN and self.column is None:
            problems.append(Problem("column", f"is missing: {self.issue} is about one column"))
        if self.issue not in _OF_A_COLUMN and self.column is not None:
            problems.append(Problem("column", f"has no effect: {self.issue} is about whole rows"))
        for word, issues in _READS.items():
            if getattr(self, word) is not None and self.issue not in issues:
                problems.append(Problem(word, f"has no effect on {self.issue}, only on {' and '.join(issues)}"))
        if self.issue == "volume_anomaly":
            if self.mode is None:
                problems.append(Problem("mode", "is missing", "spike (more rows) or drop (fewer)"))
            if self.period is None and self.periods is None:
                problems.append(Problem("period", "is missing: which period, or `periods` for several"))
            if self.period is not None and self.periods is not None:
                problems.append(Problem("periods", "says the same as period; give one of them"))
        if problems:
            raise Wrong(*problems)
        return self

    @property
    def offsets(self) -> tuple[int, ...]:
        """The periods of a volume anomaly, counted from the window's start."""
        return self.periods if self.periods is not None else () if self.period is None else (self.period,)

    @property
    def draws(self) -> tuple[str | int, ...]:
        """What tells the draws of one issue from those of another."""
        return self.table, self.issue, self.column or "", self.mode or "", self.seed_offset

    @property
    def copies(self) -> bool:
        """Whether it adds copies of rows."""
        return self.issue == "duplicate_rows" or self.mode == "spike"

    @property
    def drops(self) -> bool:
        """Whether it takes rows away."""
        return self.mode == "drop"


def drifted(column: str) -> str:
    """Return the name of the column that the values of another one drift to."""
    return f"{column}_v2"
