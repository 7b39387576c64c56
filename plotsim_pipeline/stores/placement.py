"""Where rows of an asset go in a store. An asset carries its placement inside the definition metadata `row_key`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise
from typing import Any

import dagster as dg
import pyarrow as pa

from plotsim_core import Plan
from plotsim_core.config.layout import BY_TABLE, template
from plotsim_core.output.parquet import DEFAULT_ENCODING, Encoding, encoding_of
from plotsim_core.output.partitions import WHOLE, TimePartitions
from plotsim_core.plan.sql import quoted, text

_EXPRESSION, _SCHEMA = "partition_expr", "schema"
"""What the IO managers of dagster-duckdb and its kin read: an SQL expression of a row's moment, and a schema's name."""
ROW_KEY = "row_key"
LINEAGE = "dagster/column_lineage"
PARAMETERS = "parameters"
"""The metadata of a materialisation that says what its run makes otherwise than the config."""


@dataclass(frozen=True)
class Placement:
    """Where rows of a table lie in a store, and which of them: its dataset and name, the column `time` that places a row
    in time (None for a state), the columns `key` that tell rows apart.

    A read or a write covers partitions, each with a key; `bounds` lie between them in the numbers of the time column:
    partition i holds bounds[i] <= time < bounds[i + 1]. A state is as of the end of its partitions (`as_of`). All that is
    stored has neither keys nor bounds. A read of partitions that do not follow each other has in `gaps` what lies between
    them, (begin, end) each.

    A write of what has changed since the state of an earlier moment has that moment in `since`.

    `layout` says where files lie, as a text with placeholders, and `encoding` how rows become Parquet: stores that are no
    files, or no Parquet, need neither. `time_format` writes a date or a timestamp as a number of the bounds. `measures` are
    the columns whose means are told of each partition.
    """

    dataset: str
    table: str
    time: str | None
    key: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    bounds: tuple[int, ...] = ()
    as_of: str = WHOLE
    since: str | None = None
    layout: str = BY_TABLE
    encoding: Encoding = DEFAULT_ENCODING
    time_format: str = "%Y%m%d"
    gaps: tuple[tuple[int, int], ...] = ()
    measures: tuple[str, ...] = ()

    @property
    def full_name(self) -> str:
        """The table with its dataset, as people and SQL name it."""
        return f"{self.dataset}.{self.table}"

    @property
    def sorting(self) -> tuple[str, ...]:
        """The columns that rows are read in the order of: time, and then the key."""
        return self.key if self.time is None else tuple(dict.fromkeys((self.time, *self.key)))

    @property
    def is_empty(self) -> bool:
        """Whether no partition at all is read. A state is whole whatever partitions are asked for."""
        return self.time is not None and bool(self.bounds) and not self.keys

    @property
    def partitions(self) -> TimePartitions | None:
        """The partitions of time that are written; None for a state."""
        if self.time is None:
            return None
        return TimePartitions(self.full_name, self.time, self.keys, self.bounds, self.time_format)

    def split(self, batch: pa.RecordBatch) -> Iterator[tuple[str, pa.RecordBatch]]:
        """Yield (key, rows) of a batch; those of a state with the last key, or WHOLE if it has none."""
        if self.partitions is None:
            yield (self.keys[-1] if self.keys else WHOLE, batch)
        else:
            yield from self.partitions.split([batch])


class RowKey(str):
    """The columns that tell a table's rows apart, as the catalogue shows them, with all that a store has to know of it
    (`placement`), which is for the store and nobody else."""

    placement: Placement

    def __new__(cls, placement: Placement) -> "RowKey":
        row_key = super().__new__(cls, ", ".join(placement.key))
        row_key.placement = placement
        return row_key


def placement_metadata(
    plan: Plan,
    table: str,
    time: str | None,
    key: Sequence[str],
    columns: Sequence[str] = (),
    measures: Sequence[str] = (),
) -> dict[str, Any]:
    """Return the definition metadata that places a table of that time column, key and columns in a store, and tells
    Dagster's IO managers what they need to read it; `measures` as in Placement."""
    placement = Placement(
        plan.name,
        table,
        time,
        tuple(key),
        layout=template(plan.dataset.output.layout, plan.partition),
        encoding=encoding_of(plan, columns),
        time_format=plan.grain.key_format,
        measures=tuple(measures),
    )
    return {_EXPRESSION: _moment_of_a_row(placement), _SCHEMA: plan.name, ROW_KEY: RowKey(placement)}


def _moment_of_a_row(placement: Placement) -> str:
    """Return the SQL by which Dagster's IO managers place a row in time, for `<it> >= 'begin' AND <it> < 'end'`.

    A state is the same whatever partition of it is asked for, so its condition is true of every row and partition.
    """
    if placement.time is None:
        return "TRUE OR NULL::TIMESTAMP"
    return f"strptime({quoted(placement.time)}::VARCHAR, {text(placement.time_format)})"


def placement_of(context: dg.OutputContext | dg.InputContext) -> Placement:
    """Return the placement of what an IO manager is asked to write or read. Raises Failure for a table with partitions that
    nothing places in time."""
    placement = _table_placement(context)
    if not context.has_asset_partitions:
        # an output without partitions is a state, whatever places its rows in time
        return replace(placement, time=None) if isinstance(context, dg.OutputContext) else placement
    definition = context.asset_partitions_def
    if attached_placement(context) is None:
        _refuse_unplaced(context, definition, placement.time)
    if _wants_all(context):
        return placement
    keys = tuple(context.asset_partition_keys)
    time_partitions = definition if isinstance(definition, dg.TimeWindowPartitionsDefinition) else None
    windows = [time_partitions.time_window_for_partition_key(key) for key in keys] if time_partitions else []
    edges = [window.start for window in windows] + [window.end for window in windows[-1:]]
    if attached_placement(context) is None and any(edge.hour or edge.minute for edge in edges):
        time_format = "%Y%m%d%H%M" if any(edge.minute for edge in edges) else "%Y%m%d%H"
        placement = replace(placement, time_format=time_format)
    breaks = [(before.end, after.start) for before, after in pairwise(windows) if before.end != after.start]

    def number(moment: datetime) -> int:
        return int(moment.strftime(placement.time_format))

    return replace(
        placement,
        keys=keys,
        bounds=tuple(map(number, edges)) if keys else (0,),
        as_of=f"{_civil(time_partitions, windows[-1].end):%Y-%m-%d %H:%M:%S}" if time_partitions and windows else WHOLE,
        gaps=tuple((number(begin), number(end)) for begin, end in breaks),
    )


def _civil(definition: dg.TimeWindowPartitionsDefinition, edge: datetime) -> datetime:
    """Return the beginning of a partition as its key says it: where clocks leave midnight out, its day begins later."""
    return datetime.strptime(edge.strftime(definition.fmt), definition.fmt)


def _table_placement(context: dg.OutputContext | dg.InputContext) -> Placement:
    """Return the placement of all that is stored of a table: the one that its asset has, or for people's own assets one by
    Dagster's `schema`, and by `partition_expr` where that is a column of time."""
    placement = attached_placement(context)
    if placement is not None:
        return placement
    metadata = _definition_metadata(context)
    *prefix, table = context.asset_key.path
    expression = str(metadata.get(_EXPRESSION, ""))
    dataset = str(metadata.get(_SCHEMA) or (prefix[-1] if prefix else "public"))
    return Placement(dataset, table, expression if expression.isidentifier() else None)


def attached_placement(context: dg.OutputContext | dg.InputContext) -> Placement | None:
    """Return the placement that an asset of this package has among its definition metadata; None for people's own."""
    row_key = _definition_metadata(context).get(ROW_KEY)
    return row_key.placement if isinstance(row_key, RowKey) else None


def _definition_metadata(context: dg.OutputContext | dg.InputContext) -> Mapping[str, Any]:
    source = context if isinstance(context, dg.OutputContext) else context.upstream_output
    return {} if source is None else source.definition_metadata


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


def missing_error(placement: Placement, keys: Sequence[str] = ()) -> FileNotFoundError:
    """Return the error of reading what was not made: some partitions, or a table."""
    subject = f"{', '.join(keys[:3])} is" if keys else "it is"
    return FileNotFoundError(f"{placement.full_name}: {subject} not materialised")
