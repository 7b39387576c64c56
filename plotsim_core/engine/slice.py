"""Slices: which periods of which units. Any slice can be computed alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from plotsim_core.engine.cohorts import runs, units_by
from plotsim_core.engine.staying import may_leave, staying_units
from plotsim_core.engine.strata import departure_stop
from plotsim_core.errors import UsageError
from plotsim_core.plan.plan import Population

CHUNK = 1 << 18
"""Cells (period x unit) of a block: what bounds memory. No value depends on it."""
WIDTH = 64
"""Columns of a table whose rows are as many in a block as those of a narrow one."""
RUN = CHUNK // 2
"""Cells of a run of units: what is read along time, or cut within a period, looks back no further for being smaller."""


@dataclass(frozen=True)
class Slice:
    """Periods `first` to `stop` (exclusive) of units `unit_first` to `unit_stop` (exclusive) of the roster.

    Of tables that are of no units, `rows` are some of the rows of a plain table, by their numbers (first, stop), or what
    belongs to these; None: all. Where it is `staying`, only those of the units are looked at that are there about then.
    """

    first: int
    stop: int
    unit_first: int
    unit_stop: int
    rows: tuple[int, int] | None = None
    staying: bool = False

    @property
    def periods(self) -> NDArray[np.int64]:
        """The period numbers."""
        return np.arange(self.first, self.stop, dtype=np.int64)

    @property
    def shape(self) -> tuple[int, int]:
        """(periods, units)."""
        return self.stop - self.first, self.unit_stop - self.unit_first


def full_slice(population: Population, first: int | None = None, stop: int | None = None) -> Slice:
    """Return the slice of all units in periods `first` to `stop`, by default the window.

    Raises UsageError for periods outside the window, and for an open window without `stop`.
    """
    begin = population.first if first is None else first
    end = stop if stop is not None else population.stop
    if population.dataset.window is None and (begin, end) != (population.first, population.stop):
        raise UsageError("there are no periods to choose from: the dataset has no window")
    if end is None:
        raise UsageError("an open window has no end: say which periods, for example --periods A..B")
    if begin < population.first or begin >= end or (population.stop is not None and end > population.stop):
        last = population.grain.label(population.stop - 1) if population.stop is not None else "..."
        raise UsageError(
            f"periods {population.grain.label(begin)} to {population.grain.label(end - 1)} are not in the window "
            f"{population.grain.label(population.first)} to {last}"
        )
    return Slice(begin, end, 0, units_by(population, end))


def all_units_in(population: Population, slice_: Slice) -> Slice:
    """Return the periods of a slice with all units of a population."""
    return replace(slice_, unit_first=0, unit_stop=units_by(population, slice_.stop))


def blocks(population: Population, slice_: Slice, chunk: int = CHUNK, run: int = RUN) -> Iterator[Slice]:
    """Cut a slice into blocks of about `chunk` cells, so that their rows follow each other period by period; a period that
    has more, into runs of `run` units. Cohorts that arrive after a block are not in it, nor units that have left before
    it."""
    begin, staying = slice_.unit_first, may_leave(population)
    for first, stop in spans(population, slice_, chunk):
        end = _arriving(population, slice_, stop)
        step = min(run, chunk) if stop - first == 1 and end - begin > chunk else end - begin
        for start in range(begin, end, step):
            yield Slice(first, stop, start, min(start + step, end), staying=staying)


def spans(population: Population, slice_: Slice, chunk: int = CHUNK) -> Iterator[tuple[int, int]]:
    """Cut the periods of a slice into parts (first, stop) of about `chunk` cells of who is there."""
    begin, first, staying = slice_.unit_first, slice_.first, may_leave(population)
    while first < slice_.stop:
        end = _arriving(population, slice_, first + 1)
        units = len(staying_units(population, begin, end, first, first)) if staying else end - begin
        stop = min(first + max(1, chunk // units), slice_.stop)
        yield first, stop
        first = stop


def _arriving(population: Population, slice_: Slice, stop: int) -> int:
    """Return the place after the last unit of a slice that may be there before `stop`; the slice has one unit at least."""
    return max(slice_.unit_first + 1, min(slice_.unit_stop, units_by(population, stop)))


def by_unit(slice_: Slice, chunk: int = RUN) -> Iterator[Slice]:
    """Cut a slice into runs of units with all their periods: for what is read along time."""
    periods, _ = slice_.shape
    step = max(1, chunk // periods)
    for start in range(slice_.unit_first, slice_.unit_stop, step):
        yield Slice(slice_.first, slice_.stop, start, min(start + step, slice_.unit_stop))


def narrowed(chunk: int, columns: int) -> int:
    """Return how many rows a block has of a table with so many columns: of one with many the fewer, the more it has."""
    return max(1, chunk // max(1, columns // WIDTH))


def by_row(slice_: Slice, count: int, chunk: int = CHUNK) -> Iterator[Slice]:
    """Cut the rows of a slice of a plain table with `count` rows into runs of `chunk`: at the end of its periods, of no
    unit."""
    first, stop = slice_.rows or (0, count)
    for start in range(first, stop, chunk):
        yield Slice(slice_.stop - 1, slice_.stop, 0, 0, (start, min(start + chunk, stop)))


def lives(population: Population, slice_: Slice, over: bool = True) -> Iterator[Slice]:
    """Cut the units of a slice into runs with all periods of their lives so far: from the window's first, or the first in
    which their cohort arrives, to the end of the slice, or the period in which the last tenure of a run is `over`."""
    for start, stop, first in runs(population, slice_.unit_first, slice_.unit_stop):
        begin = min(first, slice_.stop - 1)
        end = min(slice_.stop, departure_stop(population, start, stop)) if over else slice_.stop
        yield from by_unit(Slice(begin, max(begin + 1, end), start, stop))
