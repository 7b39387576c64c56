"""What a store is: an IO manager that takes and gives Arrow, and lets the report read what it holds.

An asset tells its store how to keep it by definition metadata (placement.py), so a store knows nothing of plans: which
column places a row in time and how that column's numbers are written, or that the table is a state as of some moment.
"""

import contextlib
import time
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, ClassVar, NamedTuple

import dagster as dg
import pyarrow as pa

from plotsim_core import Plan
from plotsim_core.plan.plan import DIGEST, PARTITION
from plotsim_core.validation.store import StoredData
from plotsim_pipeline.assets.metadata import add_partition_metadata
from plotsim_pipeline.sensors.killed_runs import tag_host
from plotsim_pipeline.stores.failures import failure_of
from plotsim_pipeline.stores.placement import (
    LINEAGE,
    PARAMETERS,
    Placement,
    attached_placement,
    placement_of,
)
from plotsim_pipeline.stores.run_log import (
    KEPT,
    Writing,
    append_file,
    compared_row,
    completed_row,
    failed_row,
    means,
    measured_batches,
    problem_of,
    read_files,
)
from plotsim_pipeline.stores.state_rows import StateRows
from plotsim_pipeline.stores.types import reader_of, storable, type_of_input


def _run_parameters(context: dg.OutputContext) -> dict[str, Any]:
    """Return what the run of a write makes otherwise than the config says."""
    metadata = (context.output_metadata or {}).get(PARAMETERS)
    return dict(metadata.value) if isinstance(metadata, dg.JsonMetadataValue) and isinstance(metadata.value, Mapping) else {}


def _state_metadata(row_counts: Mapping[str, int], row: pa.Table) -> dict[str, Any]:
    """Return the metadata of a state: its moment, and whether this run wrote it."""
    (moment,) = row_counts
    is_kept = row["status"][0].as_py() == KEPT
    note = {"state": f"a later state stays, and nothing was written: as of {moment}"} if is_kept else {}
    return {"written": not is_kept, "as_of": moment, **note}


def _partition_metadata(
    context: dg.OutputContext,
    placement: Placement,
    row_counts: Mapping[str, int],
    writing: Writing,
    write_metadata: Mapping[str, Any],
) -> dict[str, dict[str, Any]]:
    """Return the metadata of each partition: its row count, unless each period is one row, and the mean of each measure. The
    last partition has `write_metadata` and the column lineage too, which would be long in every one."""
    metadata: dict[str, dict[str, Any]] = {}
    if placement.time is not None:
        is_counted = placement.key != (placement.time,)
        rows = {key: {"dagster/partition_row_count": count} if is_counted else {} for key, count in row_counts.items()}
        metadata = {key: {**count, **means(writing, key)} for key, count in rows.items()}
    lineage = context.definition_metadata.get(LINEAGE)
    lineage_metadata = {} if lineage is None else {LINEAGE: dg.MetadataValue.column_lineage(lineage)}
    if placement.keys:
        metadata[placement.keys[-1]] = {**write_metadata, **lineage_metadata, **metadata.get(placement.keys[-1], {})}
    return metadata


class Partition(NamedTuple):
    """A partition that a store holds: how many rows, and the digest of what they were made from."""

    rows: int
    digest: str


Schemas = Mapping[str, tuple[str | None, pa.Schema]]
"""Table to its time column (None for a state) and the schema of rows that are to be stored."""
Partitions = dict[str, dict[str, Partition]]
"""Table to partition key to what is held of it, keys in order. A state has one partition, whose key is its moment."""


class Store(dg.ConfigurableIOManager):
    """An IO manager for tables of every type that types.py has; an input comes in the type that it is annotated with.

    `path` is where the store lies. A write replaces the partitions it covers, all of them and nothing else; a
    state replaces itself unless what is stored is as of a later moment. Reading gives the partitions in key order.
    """

    kind: ClassVar[str]
    """What the catalogue calls the store, and `PLOTSIM_STORE` names."""
    default_path: ClassVar[str]
    """Where it lies in the working directory unless a path is given."""
    path: str

    @property
    def is_single_writer(self) -> bool:
        """Whether runs that write have to queue: object stores have no locks."""
        return "://" in self.path

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        if context.instance is not None and context.run is not None:
            tag_host(context.instance, context.run.run_id)

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        parameters, placement = _run_parameters(context), placement_of(context)
        if "compression" in parameters:
            placement = replace(placement, encoding=replace(placement.encoding, compression=parameters["compression"]))
        if isinstance(obj, StateRows):
            is_known = self.state_moment(placement, obj.schema) == obj.since
            placement = replace(placement, since=obj.since) if is_known else placement
            obj = obj.changes() if is_known else obj.whole()
        reader = reader_of(obj, placement.time, placement.full_name)
        if attached_placement(context) is None:
            reader = storable(reader, placement.full_name)
        start = time.perf_counter()
        measures = tuple(name for name in placement.measures if name in reader.schema.names)
        writing = Writing(
            placement.dataset,
            placement.table,
            placement.keys,
            placement.time is None,
            context.run_id,
            reader.schema,
            parameters,
            parameters.get("target_rows"),
            placement.since,
            measures,
        )
        try:
            row_counts, row = self.write_logged(placement, measured_batches(writing, reader, placement.split), writing)
        except BaseException as error:
            with contextlib.suppress(Exception):  # the error is what matters
                self.log(failed_row(writing, error))
            attempts = context.step_context.previous_attempt_count
            if failure := failure_of(error, placement.full_name, self.path, attempts):
                raise failure from failure.__cause__ or error
            raise
        if problem := problem_of(row):
            context.log.error(f"{placement.full_name}: {problem}")
            context.add_output_metadata({"other_content": problem})
        context.add_output_metadata(
            {
                "dagster/uri": self.uri(placement),
                "dagster/table_name": placement.full_name,
            }
        )
        write_metadata: dict[str, Any] = {"seconds": round(time.perf_counter() - start, 3)}
        if placement.time is None:
            write_metadata["dagster/row_count"] = sum(row_counts.values())
            context.add_output_metadata(_state_metadata(row_counts, row))
        if not placement.keys:
            context.add_output_metadata(write_metadata)
        partitions = _partition_metadata(context, placement, row_counts, writing, write_metadata)
        last_metadata = partitions.pop(placement.keys[-1]) if placement.keys else None
        add_partition_metadata(context, partitions)
        if last_metadata is not None:  # the asset itself has told something of this partition already
            context.step_context.add_asset_metadata(
                last_metadata, asset_key=context.asset_key, partition_key=placement.keys[-1]
            )

    def load_input(self, context: dg.InputContext) -> Any:
        table_type = type_of_input(context)
        return table_type.from_reader(self.stream(placement_of(context)))

    def read(self, placement: Placement) -> pa.Table:
        """Return the rows of the partitions at `placement`, or the state, ordered by key."""
        return self.stream(placement).read_all()

    @property
    def folder(self) -> str:
        """The folder that files beside the tables belong to: the store itself, if it is one."""
        return self.path

    def write_logged(
        self, placement: Placement, batches: pa.RecordBatchReader, writing: Writing
    ) -> tuple[dict[str, int], pa.Table]:
        """Write, and add a row to the run log; return the rows of each key, and that row. Here the log comes after the rows;
        a store with transactions writes both in one."""
        is_replacing = self.has_partitions(placement)
        row_counts = self.write(placement, batches)
        row = completed_row(writing, self.files(placement))
        row = compared_row(self.path, row) if is_replacing else row
        self.log(row)
        return row_counts, row

    def log(self, row: pa.Table) -> None:
        """Add a row to the run log."""
        append_file(self.path, row)

    def run_log(self) -> pa.Table:
        """Return the run log."""
        return read_files(self.path)

    def has_partitions(self, placement: Placement) -> bool:
        """Return whether any of the partitions at `placement` may be there already."""
        return True

    def files(self, placement: Placement) -> list[str]:
        """Return the files that hold the partitions at `placement`, for people."""
        return [self.uri(placement)]

    @abstractmethod
    def write(self, placement: Placement, batches: pa.RecordBatchReader) -> dict[str, int]:
        """Replace the partitions (or the state) at `placement` in one step; return the rows of each key. With
        `placement.since`, the batches are the rows of the state that have changed since then, and the others stay."""

    @abstractmethod
    def state_moment(self, placement: Placement, schema: pa.Schema) -> str | None:
        """Return the moment of the state at `placement` that is stored whole, from the config that made `schema` and with
        its columns; None for none."""

    @abstractmethod
    def stream(self, placement: Placement) -> pa.RecordBatchReader:
        """Return the rows of the partitions at `placement`, or the state, ordered by key, in batches that are read when they
        are asked for. Raises FileNotFoundError for partitions that are not stored."""

    @abstractmethod
    def uri(self, placement: Placement) -> str:
        """Return where a table lies, for people."""

    @abstractmethod
    def records(self, dataset: str) -> Partitions:
        """Return what the partition records of a dataset say, without a look at the rows."""

    def digests(self, dataset: str) -> dict[str, set[str]]:
        """Return the digests that the partition records of each table of a dataset name."""
        return {table: {part.digest for part in parts.values()} for table, parts in self.records(dataset).items()}

    @abstractmethod
    def intact_partitions(self, dataset: str) -> Partitions:
        """Return the partitions of a dataset that are made: those that the records name and of which the store holds the
        recorded count of rows, zero included. This is what status, runs, schedules and refusals go by."""

    @abstractmethod
    def version(self, dataset: str) -> str:
        """Return a text that changes whenever what is stored of a dataset does, without a look inside; empty for nothing."""

    @abstractmethod
    def obstacles(self, dataset: str, schemas: Schemas) -> dict[str, str]:
        """Return by table why its stored partitions cannot take further ones of a schema, of those tables whose cannot. A
        state is replaced as a whole and takes any."""

    @abstractmethod
    def drop(self, dataset: str, table: str) -> None:
        """Take a table away, with the records of its partitions."""

    @abstractmethod
    def open_tables(self, plan: Plan, first: int, stop: int) -> AbstractContextManager[StoredData]:
        """Give the stored tables of a dataset to the checks, which judge the periods `first` to `stop`."""

    @abstractmethod
    def query(self, sql: str, datasets: Sequence[str]) -> str:
        """Return the result of a query over stored tables, named `dataset.table`, as text."""


def digest_of(schema: pa.Schema) -> str:
    """Return the digest that a schema carries; empty without one."""
    digest = (schema.metadata or {}).get(DIGEST.encode(), b"")
    return bytes(digest).decode()


def length_of(schema: pa.Schema) -> str:
    """Return the length of the partitions that a schema carries; empty for one period each."""
    length = (schema.metadata or {}).get(PARTITION.encode(), b"")
    return bytes(length).decode()
