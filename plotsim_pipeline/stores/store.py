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
from typing import Any, ClassVar, NamedTuple

import dagster as dg
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from plotsim_core import Plan
from plotsim_core.config.layout import BY_TABLE, template
from plotsim_core.output.parquet import USUAL, Encoding, encoding_of
from plotsim_core.plan.plan import DIGEST, PARTITION
from plotsim_core.plan.sql import quoted, text
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
    means,
    passing,
    read_files,
)
from plotsim_pipeline.stores.types import reader_of, storable, type_of_input

_TIME = "plotsim/time_column"
_TIME_FORMAT = "plotsim/time_format"
_EXPRESSION, _SCHEMA = "partition_expr", "schema"
"""What the IO managers of dagster-duckdb and its kin read: an SQL expression of a row's moment, and a schema's name."""
_KEY = "row_key"
_LAYOUT = "plotsim/layout"
_LINEAGE = "dagster/column_lineage"
_ENCODING = "plotsim/encoding"
WHOLE = "whole"
"""The moment of a state that is of no moment: a table without partitions."""
_TARGET_ROWS = "plotsim/target_rows"
_MEASURES = "plotsim/measures"
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
    measures: Sequence[str] = (),
) -> dict[str, Any]:
    """Return the definition metadata that tells a store how to keep a table of that time column, key and columns.
    `target_rows` gives the rows that a run with some parameters wants the whole dataset to have, for the run log; `measures`
    are the columns whose mean each partition tells."""
    form = "%Y%m%d%H" if plan.grain.name == "hour" else "%Y%m%d"
    where: dict[str, Any] = {} if time is None else {_TIME: time}
    where |= {_EXPRESSION: _moment_of_a_row(time, form), _SCHEMA: plan.name}
    where[_LAYOUT] = template(plan.dataset.output.layout, plan.partition)
    where[_ENCODING] = asdict(encoding_of(plan, columns))
    where |= {_TIME_FORMAT: form, _TARGET_ROWS: target_rows, _MEASURES: tuple(measures)}
    shown = {name: value for name, value in where.items() if not name.startswith(_INTERNAL)}
    return {**shown, _KEY: RowKey(key, where)}


def _moment_of_a_row(time: str | None, form: str) -> str:
    """Return the SQL by which Dagster's IO managers place a row in time, for `<it> >= 'begin' AND <it> < 'end'`.

    A state is the same whatever partition of it is asked for, so its condition is true of every row and partition.
    """
    return "TRUE OR NULL::TIMESTAMP" if time is None else f"strptime({quoted(time)}::VARCHAR, {text(form)})"


@dataclass(frozen=True)
class Placement:
    """Where a write goes: dataset and table, and the partitions that it covers as a key each, with `bounds` between
    them in the numbers of the time column: partition i holds bounds[i] <= time < bounds[i + 1].

    Without a `time` column the table is a state; `as_of` is the end of the partitions. `layout` says where files lie, as a
    text with placeholders, and `encoding` how rows become Parquet: stores that are no files, or no Parquet, need neither.
    `form` writes a date or a timestamp as such a number. A read of all that is stored has neither keys nor bounds; one of
    partitions that do not follow each other has in `gaps` what lies between them, (begin, end) each. `measures` are the
    columns whose means are told.
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
    form: str = "%Y%m%d"
    gaps: tuple[tuple[int, int], ...] = ()
    measures: tuple[str, ...] = ()

    @property
    def sorting(self) -> tuple[str, ...]:
        """The columns that rows are read in the order of: time, and then the key."""
        return self.order if self.time is None else tuple(dict.fromkeys((self.time, *self.order)))

    @property
    def is_empty(self) -> bool:
        """Whether no partition at all is read. A state is whole whatever partitions are asked for."""
        return self.time is not None and bool(self.bounds) and not self.keys

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
    """Return the placement of what an IO manager is asked to write or read. Raises Failure for a table with partitions that
    nothing places in time."""
    metadata: Mapping[str, Any] = _definition_metadata(context)
    *prefix, table = context.asset_key.path
    partitioned = context.has_asset_partitions
    whole = not partitioned or _wants_all(context)
    keys = [] if whole else list(context.asset_partition_keys)
    definition = context.asset_partitions_def if partitioned else None
    time = _time_column(metadata)
    if partitioned and _KEY not in metadata:
        _refuse_unplaced(context, definition, time)
    if not partitioned and isinstance(context, dg.OutputContext):
        time = None
    timed = definition if isinstance(definition, dg.TimeWindowPartitionsDefinition) else None
    windows = [timed.time_window_for_partition_key(key) for key in keys] if timed else []
    edges = [window.start for window in windows] + [window.end for window in windows[-1:]]
    form = str(metadata.get(_TIME_FORMAT) or ("%Y%m%d%H" if any(edge.hour for edge in edges) else "%Y%m%d"))
    numbers = tuple(int(edge.strftime(form)) for edge in edges)
    apart = [(one.end, other.start) for one, other in pairwise(windows) if one.end != other.start]
    encoding: Mapping[str, Any] = metadata.get(_ENCODING, {})
    return Placement(
        dataset=str(metadata.get(_SCHEMA) or (prefix[-1] if prefix else "public")),
        table=table,
        time=time,
        order=tuple(metadata.get(_KEY, ())),
        keys=tuple(keys),
        bounds=numbers if keys or whole else (0,),
        as_of=_moment(windows[-1].end) if windows else WHOLE,
        layout=str(metadata.get(_LAYOUT, BY_TABLE)),
        encoding=Encoding(**{**encoding, "sort_by": tuple(encoding.get("sort_by", ()))}),
        form=form,
        gaps=tuple((int(begin.strftime(form)), int(end.strftime(form))) for begin, end in apart),
        measures=tuple(metadata.get(_MEASURES, ())),
    )


def _time_column(metadata: Mapping[str, Any]) -> str | None:
    """Return the column that places a row in time: the one that our own key names, or Dagster's, where it is a column."""
    expression = str(metadata.get(_EXPRESSION, ""))
    return metadata.get(_TIME) or (expression if expression.isidentifier() and _KEY not in metadata else None)


def _wants_all(context: dg.OutputContext | dg.InputContext) -> bool:
    """Return whether an asset without partitions asks for every partition, by which it means what is stored."""
    if isinstance(context, dg.OutputContext):
        return False
    try:
        reads_partitions = context.step_context.entity_partitions_def is not None
    except dg.DagsterInvariantViolationError:  # outside of a run
        return False
    return not reads_partitions and len(context.asset_partition_keys) == context.asset_partitions_def.get_num_partitions()


def _refuse_unplaced(
    context: dg.OutputContext | dg.InputContext, definition: dg.PartitionsDefinition[Any] | None, time: str | None
) -> None:
    if time is None or not isinstance(definition, dg.TimeWindowPartitionsDefinition):
        lacks = "no column that places a row in time" if time is None else "partitions that are not of time"
        raise dg.Failure(
            f"{context.asset_key.to_user_string()} has {lacks}, so the store cannot tell its partitions apart. Say in its "
            f'metadata which column does, {{"{_EXPRESSION}": "day"}}, for partitions of time; or give it no partitions.',
            allow_retries=False,
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
    """Return what a materialisation says of a state: its moment, and whether it is from this run at all."""
    (moment,) = written
    stays = row["status"][0].as_py() == KEPT
    later = {"state": f"a later state stays, and nothing was written: as of {moment}"} if stays else {}
    return {"written": not stays, "as_of": moment, **later}


def _by_partition(
    context: dg.OutputContext, where: Placement, written: Mapping[str, int], writing: Writing, of_all: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """Return what the materialisation of each partition says alone: its rows, where these are not one a period, and the mean
    of each measure; and the last one what is `of_all`, with the column lineage, which would be long in every one."""
    metadata: dict[str, dict[str, Any]] = {}
    if where.time is not None:
        counted = where.order != (where.time,)
        rows = {key: {"dagster/partition_row_count": count} if counted else {} for key, count in written.items()}
        metadata = {key: {**count, **means(writing, key)} for key, count in rows.items()}
    lineage = context.definition_metadata.get(_LINEAGE)
    lines = {} if lineage is None else {_LINEAGE: dg.MetadataValue.column_lineage(lineage)}
    if where.keys:
        metadata[where.keys[-1]] = {**of_all, **lines, **metadata.get(where.keys[-1], {})}
    return metadata


class Partition(NamedTuple):
    """A partition that a store holds: how many rows, and the digest of what they were made from."""

    rows: int
    digest: str


Partitions = dict[str, dict[str, Partition]]
"""Table to partition key to what is held of it, keys in order. A state has one partition, whose key is its moment."""


def _moment(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S")


class Store(dg.ConfigurableIOManager):
    """An IO manager for tables of every type that types.py has; an input comes in the type that it is annotated with.

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

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        said = _said(context)
        where = placement(context)
        if "compression" in (parameters := said.get("parameters", {})):
            where = replace(where, encoding=replace(where.encoding, compression=parameters["compression"]))
        reader = reader_of(obj, where.time, f"{where.dataset}.{where.table}")
        if _KEY not in context.definition_metadata:
            reader = storable(reader, f"{where.dataset}.{where.table}")
        begin = time.perf_counter()
        measures = tuple(name for name in where.measures if name in reader.schema.names)
        writing = Writing(
            where.dataset, where.table, where.keys, where.time is None, context.run_id, reader.schema, said, measures
        )
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
            }
        )
        of_all: dict[str, Any] = {"seconds": round(time.perf_counter() - begin, 3)}
        if where.time is None:
            of_all["dagster/row_count"] = sum(written.values())
            context.add_output_metadata(_of_a_state(written, row))
        if not where.keys:
            context.add_output_metadata(of_all)
        partitions = _by_partition(context, where, written, writing, of_all)
        last = partitions.pop(where.keys[-1]) if where.keys else None
        add_by_partition(context, partitions)
        if last is not None:  # the asset itself has told something of this partition already
            context.step_context.add_asset_metadata(last, asset_key=context.asset_key, partition_key=where.keys[-1])

    def load_input(self, context: dg.InputContext) -> Any:
        table_type = type_of_input(context)
        return table_type.from_reader(self.stream(placement(context)))

    def read(self, where: Placement) -> pa.Table:
        """Return the rows of the partitions at `where`, or the state, ordered by key."""
        return self.stream(where).read_all()

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
    def stream(self, where: Placement) -> pa.RecordBatchReader:
        """Return the rows of the partitions at `where`, or the state, ordered by key, in batches that are read when they are
        asked for. Raises FileNotFoundError for partitions that are not stored."""

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


def not_stored(where: Placement, keys: Sequence[str] = ()) -> FileNotFoundError:
    """Return the error of reading what was not made: some partitions, or a table."""
    return FileNotFoundError(f"{where.dataset}.{where.table}: {', '.join(keys[:3]) or 'nothing'} is not materialised")


def split(where: Placement, batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Yield (partition, rows) of batches whose rows come in the order of time; empty pieces are left out.

    Raises Failure for rows outside the partitions, or in another order.
    """
    latest = None
    for batch in batches:
        times = _numbers(where, batch.column(where.time))
        if not len(times):
            continue
        if np.any(times[1:] < times[:-1]) or (latest is not None and times[0] < latest):
            raise dg.Failure(
                f"{where.table}: its rows do not come in the order of {where.time}: sort them", allow_retries=False
            )
        latest = times[-1]
        edges = np.searchsorted(times, np.array(where.bounds), side="left")
        if edges[0] != 0 or edges[-1] != len(times):
            raise dg.Failure(f"{where.table}: rows outside the partitions {where.keys[0]} to {where.keys[-1]}")
        for place, (begin, end) in enumerate(pairwise(edges)):
            if end > begin:
                yield place, batch.slice(begin, end - begin)


def _numbers(where: Placement, column: pa.Array) -> np.ndarray:
    """Return a column of time as the numbers of the bounds."""
    if column.null_count:
        raise dg.Failure(f"{where.table}: {column.null_count} rows have no {where.time}, so they are of no partition")
    if pa.types.is_temporal(column.type):
        column = pc.cast(pc.strftime(column, format=where.form), pa.int64())
    numbers: np.ndarray = column.to_numpy()
    return numbers
