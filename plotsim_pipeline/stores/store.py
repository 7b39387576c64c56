"""What a store is: an IO manager that takes and gives Arrow, and lets the report read what it holds.

An asset tells its store how to keep it by definition metadata (`placed`), so a store knows nothing of plans: which
column places a row in time and how that column's numbers are written, or that the table is a state as of some moment.
"""

import contextlib
import time
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from itertools import pairwise
from typing import Any, ClassVar

import dagster as dg
import numpy as np
import pyarrow as pa

from plotsim_core import Plan
from plotsim_core.config.layout import BY_TABLE, template
from plotsim_core.output.parquet import USUAL, Encoding, encoding_of
from plotsim_core.plan.plan import DIGEST, PARTITION
from plotsim_core.validation.store import Store as Stored
from plotsim_pipeline.dead import note_host
from plotsim_pipeline.metadata import add_by_partition
from plotsim_pipeline.stores.failures import explained
from plotsim_pipeline.stores.log import (
    KEPT,
    Writing,
    append_file,
    compared,
    complaint,
    completed,
    failed,
    passing,
    read_files,
)

_TIME = "partition_expr"
_TIME_FORMAT = "plotsim/time_format"
_KEY = "row_key"
_LAYOUT = "plotsim/layout"
_LINEAGE = "dagster/column_lineage"
_ENCODING = "plotsim/encoding"
_TARGET_ROWS = "plotsim/target_rows"
_INTERNAL = "plotsim/"
"""What the names of metadata begin with that a store reads and the catalogue does not show."""
PARAMETERS = "parameters"
"""The metadata of a materialisation that says what its run makes otherwise than the config."""


class RowKey(str):
    """The columns that tell a table's rows apart, as the catalogue shows them, with all that a store is told (`where`)."""

    where: Mapping[str, Any]

    def __new__(cls, key: Sequence[str], where: Mapping[str, Any]) -> "RowKey":
        made = super().__new__(cls, ", ".join(key))
        made.where = {**where, _KEY: list(key)}
        return made


def placed(
    plan: Plan,
    time: str | None,
    key: Sequence[str],
    columns: Sequence[str] = (),
    target_rows: Callable[[Mapping[str, Any]], int] | None = None,
) -> dict[str, Any]:
    """Return the definition metadata that tells a store how to keep a table of that time column, key and columns.
    `target_rows` gives the rows that a run with some parameters wants the whole dataset to have, for the run log."""
    where: dict[str, Any] = {} if time is None else {_TIME: time}
    where[_LAYOUT] = template(plan.dataset.output.layout, plan.partition)
    where[_ENCODING] = asdict(encoding_of(plan, columns))
    where |= {_TIME_FORMAT: "%Y%m%d%H" if plan.grain.name == "hour" else "%Y%m%d", _TARGET_ROWS: target_rows}
    shown = {name: value for name, value in where.items() if not name.startswith(_INTERNAL)}
    return {**shown, _KEY: RowKey(key, where)}


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
    source = context if isinstance(context, dg.OutputContext) else context.upstream_output
    shown = {} if source is None else source.definition_metadata
    key = shown.get(_KEY)
    return {**shown, **key.where} if isinstance(key, RowKey) else shown


def _said(context: dg.OutputContext) -> dict[str, Any]:
    """Return what an asset says of a write for the run log: the run's parameters and target rows."""
    given = (context.output_metadata or {}).get(PARAMETERS)
    parameters = given.value if given is not None else {}
    target_rows = _definition_metadata(context).get(_TARGET_ROWS)
    return {"parameters": parameters, "target_rows": None if target_rows is None else target_rows(parameters)}


def _of_a_state(written: Mapping[str, int], row: pa.Table) -> dict[str, Any]:
    """Return what a materialisation says of a state: its rows and moment, and whether they are from this run at all."""
    ((moment, rows),) = written.items()
    stays = row["status"][0].as_py() == KEPT
    later = {"state": f"a later state stays, and nothing was written: as of {moment}"} if stays else {}
    return {"dagster/row_count": rows, "written": not stays, "as_of": moment, **later}


def _by_partition(context: dg.OutputContext, where: Placement, written: Mapping[str, int]) -> dict[str, dict[str, Any]]:
    """Return what the materialisation of each partition says alone: the rows of it, and the last one the column lineage of
    all, which would be long in every one."""
    rows: dict[str, dict[str, Any]] = {}
    if where.time is not None:
        rows = {key: {"dagster/partition_row_count": count} for key, count in written.items()}
    lineage = context.definition_metadata.get(_LINEAGE)
    if lineage is not None and where.keys:
        rows[where.keys[-1]] = {**rows.get(where.keys[-1], {}), _LINEAGE: dg.MetadataValue.column_lineage(lineage)}
    return rows


def _asked(where: Placement, store: "Store", parameters: Mapping[str, Any]) -> tuple[Placement, "Store"]:
    """Return where and into what a run writes that was given parameters."""
    from plotsim_pipeline.stores import store_with  # which knows all stores

    if "compression" in parameters:
        where = replace(where, encoding=replace(where.encoding, compression=parameters["compression"]))
    return where, store_with(store, parameters)


def _moment(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S")


class Store(dg.ConfigurableIOManager):
    """An IO manager for Arrow tables and record batch readers.

    `path` is where the store lies. A write replaces the partitions it covers, all of them and nothing else; a
    state replaces itself unless what is stored is as of a later moment. Reading gives the partitions in key order.
    """

    kind: ClassVar[str]
    """What the catalogue calls the store."""
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
        where, store = _asked(placement(context), self, said.get("parameters", {}))
        reader = obj.to_reader() if isinstance(obj, pa.Table) else obj
        begin = time.perf_counter()
        writing = Writing(where.dataset, where.table, where.keys, where.time is None, context.run_id, reader.schema, said)
        try:
            written, row = store.write_logged(where, passing(writing, reader, where.pieces), writing)
        except BaseException as error:
            with contextlib.suppress(Exception):  # the error is what matters
                store.log(failed(writing, error))
            tried = context.step_context.previous_attempt_count
            if told := explained(error, f"{where.dataset}.{where.table}", store.path, tried):
                raise told from told.__cause__ or error
            raise
        if wrong := complaint(row):
            context.log.error(f"{where.dataset}.{where.table}: {wrong}")
            context.add_output_metadata({"other_content": wrong})
        context.add_output_metadata(
            {
                "dagster/uri": store.uri(where),
                "dagster/table_name": f"{where.dataset}.{where.table}",
                "seconds": round(time.perf_counter() - begin, 3),
            }
        )
        if where.time is None:
            context.add_output_metadata(_of_a_state(written, row))
        add_by_partition(context, _by_partition(context, where, written))

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


def length_of(schema: pa.Schema) -> str:
    """Return the length of the partitions that a schema carries; empty for one period each."""
    found = (schema.metadata or {}).get(PARTITION.encode(), b"")
    return bytes(found).decode()


def of_another_length(where: Placement, stored: str, asked: str, remedy: str) -> dg.Failure:
    """Return the failure of writing partitions among others that are longer or shorter: a key would mean either."""
    was, now = (f"a {length}" if length else "one period" for length in (stored, asked))
    return dg.Failure(
        f"{where.dataset}.{where.table} is stored in partitions of {was}, and `window.partition` now asks for {now}. "
        f"Write the old length down again, or take the table away and materialise it anew: {remedy}"
    )


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
