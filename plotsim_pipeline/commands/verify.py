"""Stored rows against the rows that the config makes: what counts and sizes cannot tell, since they are right.

Nothing but the config is needed for it, as any partition can be made alone: each is made again in memory, and compared.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pyarrow as pa

from plotsim_core import Plan, batches
from plotsim_core.plan.plan import TablePlan
from plotsim_core.plan.sql import quoted
from plotsim_core.validation.store import StoredData
from plotsim_pipeline.commands.status import TableStatus
from plotsim_pipeline.partitions import partition_of, periods_between
from plotsim_pipeline.stores.store import Store

_CHUNK_PARTITIONS = 31
"""So many partitions are compared at a time."""


def verified_statuses(plan: Plan, store: Store, keys: Sequence[str], tables: Sequence[TableStatus]) -> list[TableStatus]:
    """Return the status of tables by what is in them: partitions whose rows are not those that the config makes count as
    missing. The report is left as it is, since it is made from the others."""
    plans = {table.name: table for table in plan.tables}
    return [
        _verified_status(plan, store, keys, status, plans[status.table]) if status.table in plans else status
        for status in tables
    ]


def _verified_status(plan: Plan, store: Store, keys: Sequence[str], status: TableStatus, table: TablePlan) -> TableStatus:
    different_keys: set[str] = set()
    for stretch in _stretches(keys, set(status.made_keys)):
        first, stop = periods_between(plan, stretch)
        with store.open_tables(plan, first, stop) as stored:
            different_keys.update(_different_partitions(plan, stored, table, stretch))
    made_keys = tuple(key for key in status.made_keys if key not in different_keys)
    missing_keys = tuple(key for key in keys if key in different_keys or key in status.missing)
    return replace(status, made_keys=made_keys, missing=missing_keys)


def _stretches(keys: Sequence[str], made_keys: set[str]) -> Iterator[list[str]]:
    """Yield the made partitions as stretches: contiguous keys, at most `_CHUNK_PARTITIONS` each."""
    stretch: list[str] = []
    for key in keys:
        if stretch and (key not in made_keys or len(stretch) == _CHUNK_PARTITIONS):
            yield stretch
            stretch = []
        if key in made_keys:
            stretch.append(key)
    if stretch:
        yield stretch


def _different_partitions(plan: Plan, stored: StoredData, table: TablePlan, keys: Sequence[str]) -> set[str]:
    """Return the partitions whose stored rows differ from those made now (symmetric difference of multisets)."""
    if table.name not in stored.relations:
        return set(keys)
    schema, made_batches = batches(plan, table.name, stored.first, stored.stop)
    stored.connection.register("rows made", pa.Table.from_batches(made_batches, schema))
    columns = ", ".join(quoted(name) for name in schema.names)
    time = quoted(table.time) if table.time else "NULL"
    low, high = stored.key_range
    time_filter = f"WHERE {time} BETWEEN {low} AND {high}" if table.time else ""
    stored_rows, made_rows = (
        f"SELECT {columns} FROM {stored.relations[table.name]} {time_filter}",
        f'SELECT {columns} FROM "rows made"',
    )
    difference = f"(({stored_rows}) EXCEPT ALL ({made_rows})) UNION ALL (({made_rows}) EXCEPT ALL ({stored_rows}))"
    days = [day for (day,) in stored.connection.sql(f"SELECT DISTINCT {time} FROM ({difference})").fetchall()]
    return {key for day in days for key in ([partition_of(plan, day)] if table.time else keys) if key is not None}
