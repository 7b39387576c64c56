"""Parquet by a layout: a file per partition of time, as the Parquet store of the Dagster side lays them."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from plotsim_core.config.layout import partition_file, state_file, template
from plotsim_core.output.format import Batches
from plotsim_core.output.parquet import encoding_of, write_parquet
from plotsim_core.output.partitions import whole_partitions, write_partitions
from plotsim_core.plan.plan import Plan, TablePlan


def write_by_layout(plan: Plan, table: TablePlan, batches: Batches, directory: Path, first: int, stop: int) -> None:
    """Write the rows of the periods `first` to `stop` into a file for each of their partitions, with rows or without.

    Raises UsageError where the periods begin or end within a partition, whose file would lose its other rows.
    """
    layout = template(plan.dataset.output.layout, plan.partition)
    encoding = encoding_of(plan, (column.name for column in table.columns))

    def write_file(file: str, schema: pa.Schema, rows: Batches) -> int:
        path = directory / file
        path.parent.mkdir(parents=True, exist_ok=True)
        return write_parquet(path, schema, rows, encoding)

    def write_partition(key: str, schema: pa.Schema, rows: Batches) -> int:
        return write_file(partition_file(layout, plan.name, table.name, key), schema, rows)

    if table.time is None:
        write_file(state_file(layout, plan.name, table.name), plan.schema(table), batches)
    else:
        partitions = whole_partitions(plan, table.name, table.time, first, stop)
        write_partitions(partitions, plan.schema(table), batches, write_partition)
