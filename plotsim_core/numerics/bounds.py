"""Parameters with the range in which they make sense; load refuses what lies outside and tests draw from inside."""

from __future__ import annotations

from dataclasses import dataclass

_TINY, _HUGE = 1e-9, 1e9


@dataclass(frozen=True)
class Bound:
    """A parameter: its default and the closed range in which it makes sense.

    With `relative`, the default is in units of the width of the metric's range (a normal's sigma, say).
    """

    default: float
    low: float
    high: float
    relative: bool = False

    @property
    def limits(self) -> str:
        """The range in words: very small and very large ends are no limits to people."""
        least = "above 0" if 0 < self.low <= _TINY else f"from {self.low:g}" if self.low > -_HUGE else ""
        most = f"to {self.high:g}" if self.high < _HUGE else ""
        return " ".join(part for part in (least, most) if part)
