"""Parameters with the range in which they make sense; load refuses what lies outside and tests draw from inside."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Bound:
    """A parameter: its default and the closed range in which it makes sense.

    With `relative`, the default is in units of the width of the metric's range (a normal's sigma, say).
    """

    default: float
    low: float
    high: float
    relative: bool = False
