"""What a store is: an IO manager that takes and gives Arrow, and lets the report read what it holds.

An asset tells its store how to keep it by definition metadata (`placed`), so a store knows nothing of plans: which
column places a row in time and how that column's numbers are written, or that the table is a state as of some moment.
"""

import time
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

import dagster as dg
import numpy as np
import pyarrow as pa

from plotsim_core import Plan
from plotsim_core.plan.plan import DIGEST
from plotsim_core.validation.store import Store as Stored

_TIME = "partition_expr"
_TIME_FORMAT = "plotsim/time_format"
_KEY = "plotsim/key"


def placed(plan: Plan, time: str | None, key: Sequence[str]) -> dict[str, Any]:
    """Return the definition metadata that tells a store how to keep a table with that time column and key."""
    where = {} if time is None else {_TIME: time}
    return {**where, _TIME_FORMAT: "%Y%m%d%H" if plan.grain.name == "hour" else "%Y%m%d", _KEY: list(key)}


@dataclass(frozen=True)
class Placement:
    """Where a write goes: dataset and table, and the partitions that it covers as a key each, with `bounds` between
    them in the numbers of the time column: partition i holds bounds[i] <= time < bounds[i + 1].

    Without a `time` column the table is a state; `as_of` is the end of the partitions.
    """

    dataset: str
    table: str
    time: str | None
    order: tuple[str, ...]
    keys: tuple[str, ...]
    bounds: tuple[int, ...]
    as_of: str

    def tally(self, times: np.ndarray, counts: np.ndarray) -> dict[str, int]:
        """Return the rows of each partition, from the rows of each number of the time column."""
        places = np.searchsorted(np.array(self.bounds), times, side="right") - 1
        totals = np.bincount(places, weights=counts, minlength=len(self.keys)).astype(int)
        return dict(zip(self.keys, totals.tolist(), strict=True))


def placement(context: dg.OutputContext | dg.InputContext) -> Placement:
    """Return the placement of what an IO manager is asked to write or read."""
    metadata: Mapping[str, Any] = _definition_metadata(context)
    *_, dataset, table = context.asset_key.path
    partitioned = context.has_asset_partitions
    keys = list(context.asset_partition_keys) if partitioned else []
    definition = context.asset_partitions_def if partitioned else None
    timed = definition if isinstance(definition, dg.TimeWindowPartitionsDefinition) else None
    windows = [timed.time_window_for_partition_key(key) for key in keys] if timed else []
    form = str(metadata.get(_TIME_FORMAT, "%Y%m%d"))
    edges = [window.start for window in windows] + [window.end for window in windows[-1:]]
    return Placement(
        dataset=dataset,
        table=table,
        time=metadata.get(_TIME),
        order=tuple(metadata.get(_KEY, ())),
        keys=tuple(keys),
        bounds=tuple(int(edge.strftime(form)) for edge in edges),
        as_of=_moment(windows[-1].end) if windows else "",
    )


def _definition_metadata(context: dg.OutputContext | dg.InputContext) -> Mapping[str, Any]:
    if isinstance(context, dg.OutputContext):
        return context.definition_metadata
    upstream = context.upstream_output
    return upstream.definition_metadata if upstream is not None else {}


def _moment(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S")


class Store(dg.ConfigurableIOManager):
    """An IO manager for Arrow tables and record batch readers.

    `path` is where the store lies. A write replaces the partitions it covers, all of them and nothing else; a
    state replaces itself unless what is stored is as of a later moment. Reading gives the partitions in key order.
    """

    path: str

    def handle_output(self, context: dg.OutputContext, obj: pa.Table | pa.RecordBatchReader) -> None:
        where = placement(context)
        reader = obj.to_reader() if isinstance(obj, pa.Table) else obj
        begin = time.perf_counter()
        written = self.write(where, reader)
        context.add_output_metadata(
            {
                "dagster/uri": self.uri(where),
                "dagster/table_name": f"{where.dataset}.{where.table}",
                "seconds": round(time.perf_counter() - begin, 3),
            }
        )
        if where.time is not None:
            for key, rows in written.items():
                context.step_context.add_asset_metadata(
                    metadata={"dagster/partition_row_count": rows}, asset_key=context.asset_key, partition_key=key
                )
        else:
            context.add_output_metadata({"dagster/row_count": sum(written.values())})

    def load_input(self, context: dg.InputContext) -> pa.Table:
        return self.read(placement(context))

    @property
    def folder(self) -> str:
        """The folder that files beside the tables belong to: the store itself, if it is one."""
        return self.path

    @abstractmethod
    def write(self, where: Placement, batches: pa.RecordBatchReader) -> dict[str, int]:
        """Replace the partitions (or the state) at `where` in one step; return the rows of each key."""

    @abstractmethod
    def read(self, where: Placement) -> pa.Table:
        """Return the rows of the partitions at `where`, or the state, ordered by key."""

    @abstractmethod
    def uri(self, where: Placement) -> str:
        """Return where a table lies, for people."""

    @abstractmethod
    def held(self, dataset: str) -> dict[str, dict[str, tuple[int, str]]]:
        """Return what is held of a dataset: table to partition key to (rows, digest). A state's key is its moment."""

    @abstractmethod
    def opened(self, plan: Plan, first: int, stop: int) -> AbstractContextManager[Stored]:
        """Give the stored tables of a dataset to the checks, which judge the periods `first` to `stop`."""

    @abstractmethod
    def query(self, sql: str, datasets: Sequence[str]) -> str:
        """Return the result of a query over stored tables, named `dataset.table`, as text."""


def digest_of(schema: pa.Schema) -> str:
    """Return the digest that a schema carries; empty without one."""
    found = (schema.metadata or {}).get(DIGEST.encode(), b"")
    return bytes(found).decode()


def split(where: Placement, batches: pa.RecordBatchReader) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Yield (partition, rows) of batches whose rows come in the order of time; empty pieces are left out."""
    for batch in batches:
        times = batch.column(where.time).to_numpy()
        edges = np.searchsorted(times, np.array(where.bounds), side="left")
        if len(times) and (edges[0] != 0 or edges[-1] != len(times)):
            raise dg.Failure(f"{where.table}: rows outside the partitions {where.keys[0]} to {where.keys[-1]}")
        for place, (begin, end) in enumerate(pairwise(edges)):
            if end > begin:
                yield place, batch.slice(begin, end - begin)
