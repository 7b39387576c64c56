"""`quality`: what is broken on purpose, and how often."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from itertools import count
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from plotsim_core.config.model import Name, Offset, Part, Share
from plotsim_core.config.window import Day
from plotsim_core.errors import Problem, ProblemError

MOST_ISSUES = 50
"""The most issues of a config."""

LEDGER = "quality_ledger"
"""The table that lists everything that was broken."""

ARRIVAL = "_arrival_period"
"""The column that says when a late row arrived."""

DELIVERED = "_delivered_date_key"
"""The column that says when a row was delivered, in tables with an issue of delivery; their partitions go by it."""

USUAL_DELAY = 5
"""The longest delay of a delivery, in periods, unless `up_to` is written."""

Kind = Literal[
    "null_injection",
    "duplicate_rows",
    "type_mismatch",
    "late_arrival",
    "schema_drift",
    "volume_anomaly",
    "orphaned_keys",
    "late_delivery",
    "redelivery",
    "restatement",
]

LOST = "-X"
"""What is appended to the key that an orphan refers to: no key that is made ends so."""

DELIVERY_ISSUES = ("late_delivery", "redelivery", "restatement")
"""Issues that say when rows are delivered."""
_OF_A_COLUMN = ("null_injection", "type_mismatch", "schema_drift", "orphaned_keys", "restatement")
_READS: dict[str, tuple[str, ...]] = {
    "mode": ("volume_anomaly", "schema_drift"),
    "period": ("volume_anomaly", "schema_drift"),
    "periods": ("volume_anomaly",),
    "up_to": DELIVERY_ISSUES,
}
"""Word to the issues that read it."""


@lru_cache(maxsize=64)
def orphan_mark(keys: tuple[str | int, ...] | None) -> str | int | None:
    """Return the mark that makes an orphan of a key, for any number of issues: the end appended to a text, the number added
    to a whole number; None where that would leave the numbers of 64 bits. `keys` are those of a listed table's own.
    """
    if keys is None:
        return LOST
    texts = [key for key in keys if isinstance(key, str)]
    if texts:
        return LOST * next(repeats for repeats in count(1) if not any(text.endswith(LOST * repeats) for text in texts))
    numbers = [key for key in keys if isinstance(key, int)]
    step = max(numbers) - min(numbers) + 1
    return step if max(numbers) + MOST_ISSUES * step < 2**63 else None


class Issue(Part):
    """One issue: `rate` of the rows (or of the rows of some periods) of `table` have it: of those that a segment has in a
    period exactly that share, rounded up or down. Another `seed_offset` gives it to other rows. `period` and `periods` count
    from the window's start, from 0; `since` is a date."""

    table: Name
    """Which table is broken."""
    issue: Kind
    """What is wrong."""
    rate: Share
    """The share of its rows."""
    column: Name | None = None
    """Where."""
    seed_offset: Annotated[int, Field(ge=0, le=2**32 - 1, strict=True)] = 0
    """Another number breaks other rows."""
    mode: Literal["spike", "drop", "rename"] | None = None
    """Whether a volume anomaly has too many rows (`spike`) or too few (`drop`), or that a column drifts in all rows, so
    that files of a partition have either name (`rename`)."""
    period: Offset | None = None
    """The period of a volume anomaly, or the first with the new column of a drift (the first of all; of a rename, the
    middle of the span)."""
    periods: Annotated[tuple[Offset, ...], Field(min_length=1)] | None = None
    """Several periods of a volume anomaly."""
    since: Day | None = None
    """Only rows of the period of this date and of later ones have the issue."""
    up_to: Annotated[int, Field(ge=1, le=366, strict=True)] | None = None
    """So many periods later a row is delivered, or delivered again, at most (5 unless it is said)."""

    @model_validator(mode="after")
    def _check_words(self) -> Self:
        problems = []
        if self.issue in _OF_A_COLUMN and self.column is None:
            problems.append(Problem("column", f"is missing: {self.issue} is about one column"))
        if self.issue not in _OF_A_COLUMN and self.column is not None:
            problems.append(Problem("column", f"has no effect: {self.issue} is about whole rows"))
        for word, issues in _READS.items():
            if getattr(self, word) is not None and self.issue not in issues:
                readers = " and ".join(filter(None, (", ".join(issues[:-1]), issues[-1])))
                problems.append(Problem(word, f"has no effect on {self.issue}, only on {readers}"))
        if self.issue == "volume_anomaly":
            if self.mode in (None, "rename"):
                message = "is missing" if self.mode is None else f"has no effect on {self.issue}"
                problems.append(Problem("mode", message, "spike (more rows) or drop (fewer)"))
            if self.period is None and self.periods is None and self.since is None:
                message = "is missing: which period, `periods` for several, or `since` for all from a date on"
                problems.append(Problem("period", message))
            if self.period is not None and self.periods is not None:
                problems.append(Problem("periods", "says the same as period; give one of them"))
        if self.issue == "schema_drift" and self.mode not in (None, "rename"):
            problems.append(Problem("mode", f"{self.mode} has no effect on schema_drift", "rename, or leave it out"))
        if self.mode == "rename" and self.rate < 1:
            problems.append(Problem("rate", f"expected 1, found {self.rate:g}", "what is renamed is so in all rows"))
        if self.since is not None and (self.period is not None or self.periods is not None):
            word = "period" if self.period is not None else "periods"
            problems.append(Problem("since", f"says when, and so does {word}; give one of them"))
        if problems:
            raise ProblemError(*problems)
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

    @property
    def delivers(self) -> bool:
        """Whether it says when rows are delivered."""
        return self.issue in DELIVERY_ISSUES

    @property
    def delay(self) -> int:
        """How many periods later it delivers at most; 0 for an issue that does not deliver."""
        return (USUAL_DELAY if self.up_to is None else self.up_to) if self.delivers else 0


def longest_delay(issues: Iterable[Issue]) -> int:
    """Return the most periods from a row's period to its delivery in a table with these issues: the delay of a late delivery
    plus that of a second one."""
    listed = list(issues)
    late_delay = max((issue.delay for issue in listed if issue.issue == "late_delivery"), default=0)
    return late_delay + max((issue.delay for issue in listed if issue.issue != "late_delivery"), default=0)


def drift_column(column: str) -> str:
    """Return the name of the column that the values of another one drift to."""
    return f"{column}_v2"
