"""Partitions of time: the one place that splits rows into them, for the files of a run and for stores."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby, pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from plotsim_core.arrow import ArrowArray, ArrowField, schema_of
from plotsim_core.errors import UsageError
from plotsim_core.numerics.calendar import Grain
from plotsim_core.output.format import Batches
from plotsim_core.plan.plan import SINCE, UNTIL, Plan

WHOLE = "whole"
"""The key of the one partition of a dataset without a window, and the moment of a state that is of no moment."""


@dataclass(frozen=True)
class TimePartitions:
    """Partitions of a table that follow each other: `keys[i]` is that of the rows with `bounds[i] <= time < bounds[i + 1]`.

    The column `time` holds whole numbers (20240301), or dates and moments that `time_format` writes as such.
    """

    table: str
    time: str
    keys: tuple[str, ...]
    bounds: tuple[int, ...]
    time_format: str = "%Y%m%d"

    def split(self, batches: Batches) -> Iterator[tuple[str, pa.RecordBatch]]:
        """Yield (key, rows) of batches whose rows come in the order of time, for each partition that a batch has rows of.

        Raises UsageError for rows outside the partitions, in another order, or without a time.
        """
        last_time = None
        for batch in batches:
            times = self._numbers(batch.column(self.time))
            if not len(times):
                continue
            if np.any(times[1:] < times[:-1]) or (last_time is not None and times[0] < last_time):
                raise UsageError(f"{self.table}: its rows do not come in the order of {self.time}: sort them")
            last_time = times[-1]
            edges = np.searchsorted(times, np.array(self.bounds), side="left").tolist()
            if edges[0] != 0 or edges[-1] != len(times):
                raise UsageError(f"{self.table}: rows outside the partitions {self.keys[0]} to {self.keys[-1]}")
            for key, (begin, end) in zip(self.keys, pairwise(edges), strict=True):
                if end > begin:
                    yield key, batch.slice(begin, end - begin)

    def row_counts(self, times: NDArray[np.int64], counts: NDArray[np.int64]) -> dict[str, int]:
        """Return the rows of each partition, from the rows of each number of the time column."""
        partitions = np.searchsorted(np.array(self.bounds), times, side="right") - 1
        totals = np.bincount(partitions, weights=counts, minlength=len(self.keys)).astype(int)
        return dict(zip(self.keys, totals.tolist(), strict=True))

    def _numbers(self, column: ArrowArray) -> NDArray[np.int64]:
        """Return a time column in the unit of the bounds."""
        if column.null_count:
            raise UsageError(f"{self.table}: {column.null_count} rows have no {self.time}, so they are of no partition")
        if pa.types.is_temporal(column.type):
            column = pc.cast(pc.strftime(column, format=self.time_format), pa.int64())
        numbers: NDArray[np.int64] = column.to_numpy()
        return numbers


def write_partitions(
    partitions: TimePartitions, schema: pa.Schema, batches: Batches, write: Callable[[str, pa.Schema, Batches], int]
) -> dict[str, int]:
    """Write the rows of each partition by `write(key, schema, rows)`, which returns how many they are, and the partitions
    without rows after the others; return the rows of each key, in the order of keys.

    The schema of a partition has those columns that are there in its time. Raises UsageError as `TimePartitions.split`.
    """
    edges = zip(partitions.keys, pairwise(partitions.bounds), strict=True)
    schemas = {key: columns_between(schema, begin, end) for key, (begin, end) in edges}
    row_counts = dict.fromkeys(partitions.keys, 0)
    for key, pieces in groupby(partitions.split(batches), key=lambda piece: piece[0]):
        row_counts[key] = write(key, schemas[key], (rows for _, rows in pieces))
    for key in [key for key, count in row_counts.items() if count == 0]:
        write(key, schemas[key], ())
    return row_counts


def columns_between(schema: pa.Schema, begin: int, end: int) -> pa.Schema:
    """Return the schema of rows between two date keys: a renamed column ends where its successor begins."""
    limits = (SINCE.encode(), UNTIL.encode())

    def is_present(field: ArrowField) -> bool:
        validity = {name.decode(): int(value) for name, value in (field.metadata or {}).items() if name in limits}
        return validity.get(SINCE, begin) < end and begin < validity.get(UNTIL, end)

    return schema_of((field for field in schema if is_present(field)), schema)


def key_format(partition: Grain) -> str:
    """Return the format of the keys of partitions of some length: that of their first moment."""
    return "%Y-%m-%d-%H:%M" if partition.is_part_of_day else "%Y-%m-%d"


def keys_between(plan: Plan, first: int, stop: int) -> list[str]:
    """Return the keys of the partitions that hold the periods `first` to `stop` (exclusive), in their order."""
    if not plan.has_window:
        return [WHOLE]
    starts = _partition_starts(plan, first, stop)[:-1]
    return [moment.strftime(key_format(plan.partition)) for moment in starts.tolist()]


def whole_partitions(plan: Plan, table: str, time: str, first: int, stop: int) -> TimePartitions:
    """Return the partitions of a table that the periods `first` to `stop` (exclusive) make up; `time` is its column of date
    keys. Raises UsageError where the periods begin or end within a partition, whose file would lose its other rows."""
    edges = plan.grain.holding(_partition_starts(plan, first, stop))
    if edges[0] != first or edges[-1] != stop:
        message = f"the periods cut a partition, a {plan.partition.noun}: with `output.layout` whole partitions are written"
        raise UsageError(message)
    return TimePartitions(table, time, tuple(keys_between(plan, first, stop)), tuple(plan.grain.keys(edges).tolist()))


def _partition_starts(plan: Plan, first: int, stop: int) -> NDArray[np.datetime64]:
    """Return the starts of the partitions that hold some periods, and the end of the last one."""
    if stop <= first:
        return np.zeros(0, dtype="datetime64[s]")
    ends = plan.partition.holding(plan.grain.civil_starts(np.array([first, stop - 1], dtype=np.int64)))
    return plan.partition.civil_starts(np.arange(ends[0], ends[1] + 2, dtype=np.int64))
