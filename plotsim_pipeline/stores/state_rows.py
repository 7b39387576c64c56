"""A state on its way into a store: as a whole, or as the rows that have changed since the state that the store holds."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc

from plotsim_core.arrow import ArrowArray, joined
from plotsim_pipeline.stores.placement import Placement

_BETWEEN = "\x1f"
"""Stands between the columns of a key of several: no text has it."""


@dataclass(frozen=True)
class StateRows:
    """The rows of a state, with the columns of `schema`. A store that holds the state of the moment `since`, made from the
    same config, needs only the `changes`."""

    since: str
    schema: pa.Schema
    changes: Callable[[], pa.RecordBatchReader]
    whole: Callable[[], pa.RecordBatchReader]


def merged_state(
    stored_rows: pa.RecordBatchReader, changes: pa.RecordBatchReader, key: Sequence[str]
) -> pa.RecordBatchReader:
    """Return the rows of a stored state in their order, without those whose key has changed, and then the changes."""
    changed_rows = changes.read_all()
    changed_keys = _identities(changed_rows, key)

    def merged_batches() -> Iterator[pa.RecordBatch]:
        for batch in stored_rows:
            rows = pa.Table.from_batches([batch])
            kept_rows = rows.filter(pc.invert(pc.is_in(_identities(rows, key), value_set=changed_keys)))
            yield from kept_rows.select(changes.schema.names).cast(changes.schema).to_batches()
        yield from changed_rows.to_batches()

    return pa.RecordBatchReader.from_batches(changes.schema, merged_batches())


def require_state(placement: Placement, stored_moment: str | None) -> None:
    """Raise Failure unless the state whose changes are to be written is still the one that is stored."""
    if stored_moment != placement.since:
        raise dg.Failure(
            f"{placement.full_name} was written by another run while this one made what has changed since "
            f"{placement.since}: nothing of this run is stored. Run it again."
        )


def _identities(rows: pa.Table, key: Sequence[str]) -> ArrowArray:
    """Return the key of each row as one text."""
    columns = [rows[name].combine_chunks().cast(pa.string()) for name in key]
    return joined(*columns, between=_BETWEEN) if len(columns) > 1 else columns[0]
