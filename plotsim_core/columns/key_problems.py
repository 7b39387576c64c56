"""What is wrong with keys of whole numbers: bounds that do not suffice, or that have no effect."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise

import numpy as np

from plotsim_core.columns.key_numbers import (
    NumberedKey,
    first_place,
    key_numbers,
    most_rows,
    numbered_parent,
    room_of,
    unit_options,
)
from plotsim_core.config.arrivals import cohort_sizes
from plotsim_core.config.dataset import Dataset
from plotsim_core.config.segments import OngoingArrival, Segment
from plotsim_core.config.tables import Table
from plotsim_core.config.words import phrase
from plotsim_core.errors import Problem
from plotsim_core.numerics.codes import COHORT, COHORTS
from plotsim_core.numerics.pairing import pair_numbers

_TIMES, _MORE = 8, 16
"""A cell is taken to have at most so many times its mean number of rows, and so many more."""


def number_problems(options: NumberedKey, table: Table, dataset: Dataset) -> Iterator[Problem]:
    """Yield why the rows of a table cannot have the numbers that its key asks for."""
    if options.dense and not table.is_dense:
        message = f"rows of {table.name} cannot be counted: each has its key without a look at the others"
        yield Problem(
            "dense",
            message,
            "leave it out: keys are unique, and in the order of periods; plain rows are dense",
        )
        return
    yield from _idle_options(options, table, dataset)
    parent = numbered_parent(table, dataset)
    if parent is not None and key_numbers(parent) is None:
        message = f"a row of {table.name} is numbered after its row of {parent.name}, which has no number"
        yield Problem(options.word_of_number, message, f"give the key of {parent.name} a `start`")
        return
    if options.most is None and most_rows(table) is None:
        owner = f"row of {parent.name}" if parent is not None else phrase(dataset.unit)
        message = f"a {owner} has any number of rows"
        yield Problem(options.word_of_number, message, "say with `most` how many at most: the numbers have room for so many")
        return
    yield from _too_few(options, table, dataset)
    room = room_of(table, options, dataset)
    limit, first = 2**63 if table.is_dense else options.limit, options.first_number
    if options.capacity is not None and room.total > options.capacity:
        message = f"there are {options.capacity:,} keys of this form, and there may be {room.text(dataset)}"
        yield Problem(options.word_of_number, message, _way_out(options, table, dataset))
    elif first + room.total > limit:
        message = f"there may be {room.text(dataset)}: from {first:,} on there are not so many numbers below {limit:,}"
        yield Problem(options.word_of_number, message, _way_out(options, table, dataset))
    elif table.has_unit_rows and parent is None and unit_options(table, dataset) is None:
        yield from _overlaps(room.units, options, table, dataset)


def _idle_options(options: NumberedKey, table: Table, dataset: Dataset) -> Iterator[Problem]:
    if options.most is not None and table.row_count is None:
        yield Problem("most", f"has no effect: {'the list says' if table.is_listed else 'there is never more than'} one row")
    if options.units is None:
        return
    if not table.has_unit_rows:
        yield Problem("units", f"has no effect: rows of {table.name} belong to no {phrase(dataset.unit)}")
    elif table.parent_name is not None:
        yield Problem("units", f"has no effect: the key of {table.parent_name} says it")
    elif unit_options(table, dataset) is not None:
        yield Problem("units", f"has no effect: the key of {dataset.unit_dimension.name} says it")


def _too_few(options: NumberedKey, table: Table, dataset: Dataset) -> Iterator[Problem]:
    """Yield a problem where a unit or a row has more rows than `most`, or may be taken to have."""
    if options.most is None or table.row_count is None or table.row_count.total is not None:
        return
    least = most_rows(table)
    if least is None:
        usual = next((metric.means[1] for metric in dataset.metrics if metric.name == table.row_count.driver), 1.0)
        least = int(_TIMES * usual * table.row_count.mean) + _MORE
    if options.most < least:
        yield Problem("most", f"expected at least {least:,}, which {table.name} may have, found {options.most:,}")


def _way_out(options: NumberedKey, table: Table, dataset: Dataset) -> str:
    ways = ["a smaller `start`"] if options.start is not None and options.start > options.limit // 2 else []
    ways += ["a smaller `most`"] if options.most is not None else []
    ways += [f"a longer {options.word_of_number}"] if options.capacity is not None else []
    above = table.parent_name or (dataset.unit_dimension.name if unit_options(table, dataset) is not None else None)
    ways += [f"a smaller `units` in the key of {above}"] if above is not None else []
    ways += ["a smaller `units`"] if above is None and table.has_unit_rows else []
    return f"give it {' or '.join(ways)}" if ways else ""


def _overlaps(units: int, options: NumberedKey, table: Table, dataset: Dataset) -> Iterable[Problem]:
    """Yield a problem where units of two segments, or of two parts of one, would have one number."""
    spans = sorted(span for segment in dataset.segments for span in _spans(segment, units, dataset))
    path = "units" if options.units is not None else options.word_of_number
    needed = sum(length for _, length, _ in spans)
    has_room = options.units is not None or options.capacity is None
    hint = "make `units` larger" if has_room else f"give it a longer {options.word_of_number}"
    if needed > units:
        message = f"there is room for {units:,} {dataset.plural}, and there may be {needed:,}"
        return [Problem(path, message, hint)]
    if not spans:
        return []  # no segment could be read
    around = [*spans, (spans[0][0] + units, 0, spans[0][2])]
    for (first, length, name), (next_first, _, next_name) in pairwise(around):
        if first + length > next_first:
            message = f"{dataset.plural} of {name} and of {next_name} would share numbers: there is room for {units:,}"
            return [Problem(path, message, f"{hint}, or rename one of the segments")]
    return []


def _spans(segment: Segment, units: int, dataset: Dataset) -> Iterator[tuple[int, int, str]]:
    """Yield the first place of each part of a segment, how many places it has, and the segment's name."""
    count = max(1, round(segment.count * dataset.scale))
    yield first_place(segment.name, "start", units), count, segment.name
    if isinstance(segment.arrival, OngoingArrival):
        cohort_periods, stop = dataset.grain.cohort, dataset.stop
        cohorts = COHORTS if stop is None else min(COHORTS, -(-(stop - dataset.first) // cohort_periods))
        last = np.minimum(cohort_sizes(dataset, segment)[:cohorts], COHORT).astype(np.int64)
        greatest = int(pair_numbers(np.arange(cohorts, dtype=np.int64), last).max())
        yield first_place(segment.name, "later", units), greatest + 1, segment.name
