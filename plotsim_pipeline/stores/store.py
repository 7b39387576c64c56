"""What a store is: an IO manager that takes and gives Arrow, and lets the report read what it holds.

An asset tells its store how to keep it by definition metadata (`placed`), so a store knows nothing of plans: which
column places a row in time and how that column's numbers are written, or that the table is a state as of some moment.
"""

import contextlib
import time
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from itertools import pairwise
from typing import Any, NamedTuple

import dagster as dg
import numpy as np
import pyarrow as pa

from plotsim_core import Plan
from plotsim_core.config.layout import BY_TABLE, template
from plotsim_core.output.parquet import USUAL, Encoding, encoding_of
from plotsim_core.plan.plan import DIGEST, PARTITION
from plotsim_core.validation.store import Store as Stored
from plotsim_pipeline.dead import note_host
from plotsim_pipeline.metadata import add_row_counts
from plotsim_pipeline.stores.failures import explained
from plotsim_pipeline.stores.log import Writing, append_file, compared, complaint, completed, failed, passing, read_files

_TIME = "partition_expr"
_TIME_FORMAT = "plotsim/time_format"
_KEY = "plotsim/key"
_LAYOUT = "plotsim/layout"
_ENCODING = "plotsim/encoding"
SAID = "plotsim/said/"
"""What the names of an asset's metadata begin with that go into the run log."""


def placed(plan: Plan, time: str | None, key: Sequence[str], columns: Sequence[str] = ()) -> dict[str, Any]:
    """Return the definition metadata that tells a store how to keep a table of that time column, key and columns."""
    where: dict[str, Any] = {} if time is None else {_TIME: time}
    where[_LAYOUT] = template(plan.dataset.output.layout, plan.partition)
    where[_ENCODING] = asdict(encoding_of(plan, columns))
    return {**where, _TIME_FORMAT: "%Y%m%d%H" if plan.grain.name == "hour" else "%Y%m%d", _KEY: list(key)}


@dataclass(frozen=True)
class Placement:
    """Where a write goes: dataset and table, and the partitions that it covers as a key each, with `bounds` between
    them in the numbers of the time column: partition i holds bounds[i] <= time < bounds[i + 1].

    Without a `time` column the table is a state; `as_of` is the end of the partitions. `layout` says where files lie, as a
    text with placeholders, and `encoding` how rows become Parquet: stores that are no files, or no Parquet, need neither.
    """

    dataset: str
    table: str
    time: str | None
    order: tuple[str, ...]
    keys: tuple[str, ...]
    bounds: tuple[int, ...]
    as_of: str
    layout: str = BY_TABLE
    encoding: Encoding = USUAL

    def tally(self, times: np.ndarray, counts: np.ndarray) -> dict[str, int]:
        """Return the rows of each partition, from the rows of each number of the time column."""
        places = np.searchsorted(np.array(self.bounds), times, side="right") - 1
        totals = np.bincount(places, weights=counts, minlength=len(self.keys)).astype(int)
        return dict(zip(self.keys, totals.tolist(), strict=True))

    def pieces(self, batch: pa.RecordBatch) -> Iterator[tuple[str, pa.RecordBatch]]:
        """Yield (key, rows) of a batch; those of a state with the last key."""
        if self.time is None:
            yield (self.keys[-1] if self.keys else "", batch)
        else:
            yield from ((self.keys[place], rows) for place, rows in split(self, [batch]))


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
    encoding: Mapping[str, Any] = metadata.get(_ENCODING, {})
    edges = [window.start for window in windows] + [window.end for window in windows[-1:]]
    return Placement(
        dataset=dataset,
        table=table,
        time=metadata.get(_TIME),
        order=tuple(metadata.get(_KEY, ())),
        keys=tuple(keys),
        bounds=tuple(int(edge.strftime(form)) for edge in edges),
        as_of=_moment(windows[-1].end) if windows else "",
        layout=str(metadata.get(_LAYOUT, BY_TABLE)),
        encoding=Encoding(**{**encoding, "sort_by": tuple(encoding.get("sort_by", ()))}),
    )


def _definition_metadata(context: dg.OutputContext | dg.InputContext) -> Mapping[str, Any]:
    if isinstance(context, dg.OutputContext):
        return context.definition_metadata
    upstream = context.upstream_output
    return upstream.definition_metadata if upstream is not None else {}


def _said(context: dg.OutputContext) -> dict[str, Any]:
    """Return what an asset says of a write for the run log."""
    told = context.output_metadata or {}
    return {name.removeprefix(SAID): value.value for name, value in told.items() if name.startswith(SAID)}


class Partition(NamedTuple):
    """A partition that a store holds: how many rows, and the digest of what they were made from."""

    rows: int
    digest: str


Partitions = dict[str, dict[str, Partition]]
"""Table to partition key to what is held of it, keys in order. A state has one partition, whose key is its moment."""


def _moment(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S")


class Store(dg.ConfigurableIOManager):
    """An IO manager for Arrow tables and record batch readers.

    `path` is where the store lies. A write replaces the partitions it covers, all of them and nothing else; a
    state replaces itself unless what is stored is as of a later moment. Reading gives the partitions in key order.
    """

    path: str

    @property
    def one_writer(self) -> bool:
        """Whether runs that write have to queue: object stores have no locks."""
        return "://" in self.path

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        if context.instance is not None and context.run is not None:
            note_host(context.instance, context.run.run_id)

    def handle_output(self, context: dg.OutputContext, obj: pa.Table | pa.RecordBatchReader) -> None:
        said = _said(context)
        where = placement(context)
        if "compression" in (parameters := said.get("parameters", {})):
            where = replace(where, encoding=replace(where.encoding, compression=parameters["compression"]))
        reader = obj.to_reader() if isinstance(obj, pa.Table) else obj
        begin = time.perf_counter()
        writing = Writing(where.dataset, where.table, where.keys, where.time is None, context.run_id, reader.schema, said)
        try:
            written, row = self.write_logged(where, passing(writing, reader, where.pieces), writing)
        except BaseException as error:
            with contextlib.suppress(Exception):  # the error is what matters
                self.log(failed(writing, error))
            tried = context.step_context.previous_attempt_count
            if told := explained(error, f"{where.dataset}.{where.table}", self.path, tried):
                raise told from told.__cause__ or error
            raise
        if wrong := complaint(row):
            context.log.error(f"{where.dataset}.{where.table}: {wrong}")
            context.add_output_metadata({"other_content": wrong})
        context.add_output_metadata(
            {
                "dagster/uri": self.uri(where),
                "dagster/table_name": f"{where.dataset}.{where.table}",
                "seconds": round(time.perf_counter() - begin, 3),
            }
        )
        if where.time is not None:
            add_row_counts(context, written)
        else:
            context.add_output_metadata({"dagster/row_count": sum(written.values())})

    def load_input(self, context: dg.InputContext) -> pa.Table:
        return self.read(placement(context))

    @property
    def folder(self) -> str:
        """The folder that files beside the tables belong to: the store itself, if it is one."""
        return self.path

    def write_logged(
        self, where: Placement, batches: pa.RecordBatchReader, writing: Writing
    ) -> tuple[dict[str, int], pa.Table]:
        """Write, and add a row to the run log; return the rows of each key, and that row. Here the log comes after the rows;
        a store with transactions writes both in one."""
        replaces = self.has(where)
        written = self.write(where, batches)
        row = completed(writing, self.files(where))
        row = compared(self.path, row) if replaces else row
        self.log(row)
        return written, row

    def log(self, row: pa.Table) -> None:
        """Add a row to the run log."""
        append_file(self.path, row)

    def logged(self) -> pa.Table:
        """Return the run log."""
        return read_files(self.path)

    def has(self, where: Placement) -> bool:
        """Return whether any of the partitions at `where` may be there already."""
        return True

    def files(self, where: Placement) -> list[str]:
        """Return the files that hold the partitions at `where`, for people."""
        return [self.uri(where)]

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
    def records(self, dataset: str) -> Partitions:
        """Return what the partition records of a dataset say, without a look at the rows."""

    @abstractmethod
    def made(self, dataset: str) -> Partitions:
        """Return the partitions of a dataset that are made: those that the records name and of which the store holds the
        recorded count of rows, zero included. This is what status, runs, schedules and refusals go by."""

    @abstractmethod
    def version(self, dataset: str) -> str:
        """Return a text that changes whenever what is stored of a dataset does, without a look inside; empty for nothing."""

    @abstractmethod
    def obstacle(self, dataset: str, table: str, time: str | None, schema: pa.Schema) -> str | None:
        """Return why the stored partitions of a table cannot take further ones with that schema; None where they can, or
        nothing is stored. A state is replaced as a whole and takes any."""

    @abstractmethod
    def drop(self, dataset: str, table: str) -> None:
        """Take a table away, with the records of its partitions."""

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


def length_of(schema: pa.Schema) -> str:
    """Return the length of the partitions that a schema carries; empty for one period each."""
    found = (schema.metadata or {}).get(PARTITION.encode(), b"")
    return bytes(found).decode()


def split(where: Placement, batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Yield (partition, rows) of batches whose rows come in the order of time; empty pieces are left out."""
    for batch in batches:
        times = batch.column(where.time).to_numpy()
        edges = np.searchsorted(times, np.array(where.bounds), side="left")
        if len(times) and (edges[0] != 0 or edges[-1] != len(times)):
            raise dg.Failure(f"{where.table}: rows outside the partitions {where.keys[0]} to {where.keys[-1]}")
        for place, (begin, end) in enumerate(pairwise(edges)):
            if end > begin:
                yield place, batch.slice(begin, end - begin)
