"""Parquet by a layout: a file per partition of time, as the Parquet store of the Dagster side lays them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby, pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa

from plotsim_core.config.layout import partition_file, state_file, template
from plotsim_core.errors import UsageError
from plotsim_core.output.format import Batches
from plotsim_core.output.parquet import columns_between, encoding_of, write_parquet
from plotsim_core.plan.plan import Plan, TablePlan


def write_by_layout(plan: Plan, table: TablePlan, batches: Batches, directory: Path, first: int, stop: int) -> None:
    """Write the rows of the periods `first` to `stop` into a file for each of their partitions, with rows or without.

    Raises UsageError where the periods begin or end within a partition, whose file would lose its other rows.
    """
    layout = template(plan.dataset.output.layout, plan.partition)
    encoding = encoding_of(plan, (column.name for column in table.columns))
    if table.time is None:
        write_parquet(
            _with_folder(directory / state_file(layout, plan.name, table.name)), plan.schema(table), batches, encoding
        )
        return
    keys, bounds = _partitions(plan, first, stop)
    files = [directory / partition_file(layout, plan.name, table.name, key) for key in keys]
    written_indexes: set[int] = set()
    for index, pieces in groupby(_pieces(batches, table.time, bounds), key=lambda piece: piece[0]):
        partition_schema = columns_between(plan.schema(table), bounds[index], bounds[index + 1])
        write_parquet(_with_folder(files[index]), partition_schema, (rows for _, rows in pieces), encoding)
        written_indexes.add(index)
    for index in set(range(len(files))) - written_indexes:
        partition_schema = columns_between(plan.schema(table), bounds[index], bounds[index + 1])
        write_parquet(_with_folder(files[index]), partition_schema, [], encoding)


def _partitions(plan: Plan, first: int, stop: int) -> tuple[list[str], np.ndarray]:
    """Return the keys of the partitions that some periods make up, and the date keys between them."""
    ends = plan.partition.holding(plan.grain.starts(np.array([first, stop - 1], dtype=np.int64)))
    moments = plan.partition.starts(np.arange(ends[0], ends[1] + 2, dtype=np.int64))
    edges = plan.grain.holding(moments)
    if edges[0] != first or edges[-1] != stop:
        message = f"the periods cut a partition, a {plan.partition.name}: with `output.layout` whole partitions are written"
        raise UsageError(message)
    key_format = "%Y-%m-%d-%H:%M" if plan.partition.name == "hour" else "%Y-%m-%d"
    return [moment.strftime(key_format) for moment in moments[:-1].tolist()], plan.grain.keys(edges)


def _pieces(batches: Batches, time: str, bounds: np.ndarray) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Yield (partition, rows); rows come in the order of time."""
    for batch in batches:
        edges = np.searchsorted(batch.column(time).to_numpy(), bounds, side="left").tolist()
        for index, (begin, end) in enumerate(pairwise(edges)):
            if end > begin:
                yield index, batch.slice(begin, end - begin)


def _with_folder(file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    return file
