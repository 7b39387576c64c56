"""Growth: a rate by which a mean, or how many units arrive, rises or falls from the window's start on."""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator

from plotsim_core.config.model import Part
from plotsim_core.errors import Problem, ProblemError, value_text
from plotsim_core.numerics.arrays import Floats, Integers
from plotsim_core.numerics.calendar import Grain, grain_named

TEXT = r"([+-]?\d+(?:\.\d+)?) ?% (?:a|an|per) (hour|day|week|month|quarter|year)"
"""The regular expression of a growth as text."""


_MOST = 60.0
"""The logarithm of what growth comes to at most: no number of a dataset is so large."""


class Growth(Part):
    """A rate that compounds: `5% a year` is the factor 1.05 after a year, 1.1025 after two, from the window's start on. In
    between it rises evenly in its logarithm, from period to period. A year has 12 months, 4 quarters or 365.25 days."""

    short_form: ClassVar[str] = "a text such as 5% a year"

    rate: Annotated[float, Field(gt=-1, le=10, strict=True)]
    """0.05 is 5 % more each time, -0.1 is 10 % less."""
    per: Literal["hour", "day", "week", "month", "quarter", "year"] = "year"
    """After which time."""

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        if isinstance(value, dict | Growth):
            return value
        match = re.fullmatch(TEXT, value) if isinstance(value, str) else None
        if match is None:
            message = f"expected a rate and a time, found {value_text(value)}"
            raise ProblemError(Problem("", message, "write 5% a year, or { rate: 0.05, per: year }"))
        return {"rate": float(match[1]) / 100, "per": match[2]}

    @model_validator(mode="after")
    def _check_rate(self) -> Growth:
        if self.rate == 0:
            raise ProblemError(Problem("rate", "0 has no effect: nothing would grow"))
        return self

    def factors(self, grain: Grain, first: int, periods: Integers) -> Floats:
        """Return what it has come to in each period, 1 in the period `first`, shape (periods,)."""
        times = (periods - first) / grain.per_year * grain_named(self.per).per_year
        factors: Floats = np.exp(np.clip(np.log1p(self.rate) * times, -_MOST, _MOST))
        return factors

    def text(self) -> str:
        """Return it in words: 5 % a year."""
        return f"{self.rate * 100:g} % {'an' if self.per == 'hour' else 'a'} {self.per}"
