"""Slices: which periods of which units. Any slice can be computed alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plotsim_core.errors import UsageError
from plotsim_core.plan.plan import Plan

CHUNK = 1 << 19
"""Cells (period x unit) of a block: what bounds memory. No value depends on it."""


@dataclass(frozen=True)
class Slice:
    """Periods `first` to `stop` (exclusive) of units `unit_first` to `unit_stop` (exclusive) of the roster."""

    first: int
    stop: int
    unit_first: int
    unit_stop: int

    @property
    def periods(self) -> NDArray[np.int64]:
        """The period numbers."""
        return np.arange(self.first, self.stop, dtype=np.int64)

    @property
    def shape(self) -> tuple[int, int]:
        """(periods, units)."""
        return self.stop - self.first, self.unit_stop - self.unit_first


def whole(plan: Plan, first: int | None = None, stop: int | None = None) -> Slice:
    """Return the slice of all units in periods `first` to `stop`, by default the plan's window.

    Raises UsageError for periods outside the window, and for an open window without `stop`.
    """
    begin = plan.first if first is None else first
    end = stop if stop is not None else plan.stop
    if end is None:
        raise UsageError("an open window has no end: say which periods, for example --periods A..B")
    if begin < plan.first or begin >= end or (plan.stop is not None and end > plan.stop):
        last = plan.grain.label(plan.stop - 1) if plan.stop is not None else "..."
        raise UsageError(
            f"periods {plan.grain.label(begin)} to {plan.grain.label(end - 1)} are not in the window "
            f"{plan.grain.label(plan.first)} to {last}"
        )
    return Slice(begin, end, 0, plan.units)


def blocks(slice_: Slice, chunk: int = CHUNK) -> Iterator[Slice]:
    """Cut a slice into blocks of about `chunk` cells, so that their rows follow each other period by period."""
    units = slice_.shape[1]
    if units <= chunk:
        step = max(1, chunk // units)
        for first in range(slice_.first, slice_.stop, step):
            yield Slice(first, min(first + step, slice_.stop), slice_.unit_first, slice_.unit_stop)
        return
    for first in range(slice_.first, slice_.stop):
        for start in range(slice_.unit_first, slice_.unit_stop, chunk):
            yield Slice(first, first + 1, start, min(start + chunk, slice_.unit_stop))


def by_unit(slice_: Slice, chunk: int = CHUNK) -> Iterator[Slice]:
    """Cut a slice into runs of units with all their periods: for what is read along time."""
    periods, _ = slice_.shape
    step = max(1, chunk // periods)
    for start in range(slice_.unit_first, slice_.unit_stop, step):
        yield Slice(slice_.first, slice_.stop, start, min(start + step, slice_.unit_stop))
