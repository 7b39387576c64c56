"""The window: from when to when, in periods of which length."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

import numpy as np
from pydantic import BeforeValidator, Field, model_validator

from plotsim_core.config.model import Count, Part
from plotsim_core.families import UnknownMember
from plotsim_core.numerics.calendar import ADVERBS, GRAINS, Grain


def _day_text(value: Any) -> Any:
    """YAML reads 2024-01-31 as a date and 2024-01 as text; from here on both are text."""
    return value.isoformat() if type(value) is date else value


Day = Annotated[str, BeforeValidator(_day_text), Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?$")]


class Window(Part):
    """The time a dataset covers. `start` and `end` are dates (`2023-01` or `2023-01-15`) and both belong to it.

    Without `end` the window is open and grows with the calendar; then `span` says in how many periods an archetype
    runs its course. A closed window's span is its length unless it is written.
    """

    start: Day
    end: Day | None = None
    every: str = "month"
    span: Count | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_list(cls, value: Any) -> Any:
        if isinstance(value, list | tuple):
            if not 2 <= len(value) <= 3:
                raise ValueError("expected [start, end] or [start, end, every]")
            return dict(zip(("start", "end", "every"), value, strict=False))
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Window:
        try:
            GRAINS[ADVERBS.get(self.every, self.every)]
        except UnknownMember as unknown:
            raise ValueError(f"every: {unknown}") from None
        for name, text in (("start", self.start), ("end", self.end)):
            if text is not None:
                try:
                    np.datetime64(text)
                except ValueError:
                    raise ValueError(f"{name}: there is no day {text}") from None
        if self.end is None:
            if self.span is None:
                raise ValueError("a window without an end needs `span`: in how many periods archetypes run their course")
        elif (self.stop or 0) <= self.first:
            raise ValueError(f"the window from {self.start} to {self.end} holds no whole {self.grain.name}")
        self._aligned("start", self.start, np.datetime64(self.start))
        if self.end is not None:
            self._aligned("end", self.end, np.datetime64(self.end) + 1)
        return self

    def _aligned(self, name: str, text: str, moment: np.datetime64) -> None:
        """Refuse a day that cuts a period in two. Months and weeks never align, so a window of months holds the weeks
        that begin in it."""
        if self.grain.name == "week" and len(text) == 7:
            return
        edge = moment.astype("datetime64[s]")
        begins = self.grain.starts(self.grain.holding(np.array([edge])))[0]
        if begins != edge:
            side = "first" if name == "start" else "last"
            near = begins.astype("datetime64[D]") - (0 if name == "start" else 1)
            raise ValueError(f"{name}: {text} is not the {side} day of a {self.grain.name}; the nearest before is {near}")

    @property
    def grain(self) -> Grain:
        """The length of a period."""
        return GRAINS[ADVERBS.get(self.every, self.every)]

    @property
    def first(self) -> int:
        """Number of the first period: the first that begins on or after `start`."""
        start = np.array([np.datetime64(self.start).astype("datetime64[s]")])
        holding = self.grain.holding(start)
        return int(holding[0]) + int(self.grain.starts(holding)[0] < start[0])

    @property
    def stop(self) -> int | None:
        """Number of the period after the last: the first that begins after `end`. None for an open window."""
        if self.end is None:
            return None
        after = np.datetime64(self.end) + 1
        return int(self.grain.holding(np.array([after.astype("datetime64[s]") - 1]))[0]) + 1

    @property
    def length(self) -> int:
        """The span that archetypes are scaled by, in periods."""
        if self.span is not None:
            return self.span
        assert self.stop is not None
        return self.stop - self.first
