"""Where rows of an asset go in a store: the definition metadata by which an asset tells it, and what is made of it.

Most of it is hidden inside the metadata `row_key`, since it is for the store and nobody else.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

import dagster as dg
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from plotsim_core import Plan
from plotsim_core.config.layout import BY_TABLE, template
from plotsim_core.output.parquet import DEFAULT_ENCODING, Encoding, encoding_of
from plotsim_core.plan.sql import quoted, text

_TIME = "plotsim/time_column"
_TIME_FORMAT = "plotsim/time_format"
_EXPRESSION, _SCHEMA = "partition_expr", "schema"
"""What the IO managers of dagster-duckdb and its kin read: an SQL expression of a row's moment, and a schema's name."""
ROW_KEY = "row_key"
_LAYOUT = "plotsim/layout"
LINEAGE = "dagster/column_lineage"
_ENCODING = "plotsim/encoding"
WHOLE = "whole"
"""The moment of a state that is of no moment: a table without partitions."""
TARGET_ROWS = "plotsim/target_rows"
_MEASURES = "plotsim/measures"
_INTERNAL = "plotsim/"
"""What the names of metadata begin with that a store reads and the catalogue does not show."""
PARAMETERS = "parameters"
"""The metadata of a materialisation that says what its run makes otherwise than the config."""


class RowKey(str):
    """The columns that tell a table's rows apart, as the catalogue shows them, with all that a store is told (`where`)."""

    where: Mapping[str, Any]

    def __new__(cls, key: Sequence[str], where: Mapping[str, Any]) -> "RowKey":
        row_key = super().__new__(cls, ", ".join(key))
        row_key.where = {**where, ROW_KEY: list(key)}
        return row_key


def placement_metadata(
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
    time_format = "%Y%m%d%H" if plan.grain.name == "hour" else "%Y%m%d"
    store_metadata: dict[str, Any] = {} if time is None else {_TIME: time}
    store_metadata |= {_EXPRESSION: _moment_of_a_row(time, time_format), _SCHEMA: plan.name}
    store_metadata[_LAYOUT] = template(plan.dataset.output.layout, plan.partition)
    store_metadata[_ENCODING] = asdict(encoding_of(plan, columns))
    store_metadata |= {_TIME_FORMAT: time_format, TARGET_ROWS: target_rows, _MEASURES: tuple(measures)}
    catalogue_metadata = {name: value for name, value in store_metadata.items() if not name.startswith(_INTERNAL)}
    return {**catalogue_metadata, ROW_KEY: RowKey(key, store_metadata)}


def _moment_of_a_row(time: str | None, time_format: str) -> str:
    """Return the SQL by which Dagster's IO managers place a row in time, for `<it> >= 'begin' AND <it> < 'end'`.

    A state is the same whatever partition of it is asked for, so its condition is true of every row and partition.
    """
    return "TRUE OR NULL::TIMESTAMP" if time is None else f"strptime({quoted(time)}::VARCHAR, {text(time_format)})"


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
    encoding: Encoding = DEFAULT_ENCODING
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
        partitions = np.searchsorted(np.array(self.bounds), times, side="right") - 1
        totals = np.bincount(partitions, weights=counts, minlength=len(self.keys)).astype(int)
        return dict(zip(self.keys, totals.tolist(), strict=True))

    def pieces(self, batch: pa.RecordBatch) -> Iterator[tuple[str, pa.RecordBatch]]:
        """Yield (key, rows) of a batch; those of a state with the last key."""
        if self.time is None:
            yield (self.keys[-1] if self.keys else "", batch)
        else:
            yield from ((self.keys[index], rows) for index, rows in partition_batches(self, [batch]))


def placement_of(context: dg.OutputContext | dg.InputContext) -> Placement:
    """Return the placement of what an IO manager is asked to write or read. Raises Failure for a table with partitions that
    nothing places in time."""
    metadata: Mapping[str, Any] = definition_metadata(context)
    *prefix, table = context.asset_key.path
    is_partitioned = context.has_asset_partitions
    is_whole = not is_partitioned or _wants_all(context)
    keys = [] if is_whole else list(context.asset_partition_keys)
    definition = context.asset_partitions_def if is_partitioned else None
    time = _time_column(metadata)
    if is_partitioned and ROW_KEY not in metadata:
        _refuse_unplaced(context, definition, time)
    if not is_partitioned and isinstance(context, dg.OutputContext):
        time = None
    time_partitions = definition if isinstance(definition, dg.TimeWindowPartitionsDefinition) else None
    windows = [time_partitions.time_window_for_partition_key(key) for key in keys] if time_partitions else []
    edges = [window.start for window in windows] + [window.end for window in windows[-1:]]
    time_format = str(metadata.get(_TIME_FORMAT) or ("%Y%m%d%H" if any(edge.hour for edge in edges) else "%Y%m%d"))
    bounds = tuple(int(edge.strftime(time_format)) for edge in edges)
    breaks = [(before.end, after.start) for before, after in pairwise(windows) if before.end != after.start]
    encoding: Mapping[str, Any] = metadata.get(_ENCODING, {})
    return Placement(
        dataset=str(metadata.get(_SCHEMA) or (prefix[-1] if prefix else "public")),
        table=table,
        time=time,
        order=tuple(metadata.get(ROW_KEY, ())),
        keys=tuple(keys),
        bounds=bounds if keys or is_whole else (0,),
        as_of=_moment_text(windows[-1].end) if windows else WHOLE,
        layout=str(metadata.get(_LAYOUT, BY_TABLE)),
        encoding=Encoding(**{**encoding, "sort_by": tuple(encoding.get("sort_by", ()))}),
        form=time_format,
        gaps=tuple((int(begin.strftime(time_format)), int(end.strftime(time_format))) for begin, end in breaks),
        measures=tuple(metadata.get(_MEASURES, ())),
    )


def _time_column(metadata: Mapping[str, Any]) -> str | None:
    """Return the time column: the one that `plotsim/time_column` names, or Dagster's `partition_expr` if it is a column."""
    expression = str(metadata.get(_EXPRESSION, ""))
    return metadata.get(_TIME) or (expression if expression.isidentifier() and ROW_KEY not in metadata else None)


def _wants_all(context: dg.OutputContext | dg.InputContext) -> bool:
    """Return whether an unpartitioned asset reads every partition of its input, which means all that is stored."""
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
        problem = "no column that places a row in time" if time is None else "partitions that are not of time"
        raise dg.Failure(
            f"{context.asset_key.to_user_string()} has {problem}, so the store cannot tell its partitions apart. Say in its "
            f'metadata which column does, {{"{_EXPRESSION}": "day"}}, for partitions of time; or give it no partitions.',
            allow_retries=False,
        )


def definition_metadata(context: dg.OutputContext | dg.InputContext) -> Mapping[str, Any]:
    """Return the definition metadata of what an IO manager is asked to write or read, with what is not shown of it."""
    source = context if isinstance(context, dg.OutputContext) else context.upstream_output
    metadata = {} if source is None else source.definition_metadata
    key = metadata.get(ROW_KEY)
    return {**metadata, **key.where} if isinstance(key, RowKey) else metadata


def _moment_text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def missing_error(where: Placement, keys: Sequence[str] = ()) -> FileNotFoundError:
    """Return the error of reading what was not made: some partitions, or a table."""
    subject = f"{', '.join(keys[:3])} is" if keys else "it is"
    return FileNotFoundError(f"{where.dataset}.{where.table}: {subject} not materialised")


def partition_batches(where: Placement, batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Yield (partition, rows) of batches whose rows come in the order of time; empty pieces are left out.

    Raises Failure for rows outside the partitions, or in another order.
    """
    last_time = None
    for batch in batches:
        times = _time_numbers(where, batch.column(where.time))
        if not len(times):
            continue
        if np.any(times[1:] < times[:-1]) or (last_time is not None and times[0] < last_time):
            raise dg.Failure(
                f"{where.table}: its rows do not come in the order of {where.time}: sort them", allow_retries=False
            )
        last_time = times[-1]
        edges = np.searchsorted(times, np.array(where.bounds), side="left")
        if edges[0] != 0 or edges[-1] != len(times):
            raise dg.Failure(f"{where.table}: rows outside the partitions {where.keys[0]} to {where.keys[-1]}")
        for index, (begin, end) in enumerate(pairwise(edges)):
            if end > begin:
                yield index, batch.slice(begin, end - begin)


def _time_numbers(placement: Placement, column: pa.Array) -> np.ndarray:
    """Return a time column as numbers, in the unit of the bounds."""
    if column.null_count:
        raise dg.Failure(
            f"{placement.table}: {column.null_count} rows have no {placement.time}, so they are of no partition"
        )
    if pa.types.is_temporal(column.type):
        column = pc.cast(pc.strftime(column, format=placement.form), pa.int64())
    numbers: np.ndarray = column.to_numpy()
    return numbers
