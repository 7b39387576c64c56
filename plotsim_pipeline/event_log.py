"""Dagster's event log on SQLite, written in batches: what a range of partitions costs is mostly this log.

Dagster's own writes each event in two transactions, with a connection and a statement made anew for each; a range of a
thousand partitions is two thousand events per asset. This one takes the events of a step at once, into the same files, and
keeps its connections, so it can be switched on and off at any time. Who uses it: `home.batched_instance`, and a
`dagster.yaml` that names it. benchmarks/bookkeeping.md has what it saves.

A batch needs names that Dagster does not publish. Where one is missing, this is Dagster's own log under another name.
"""

import os
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import dagster as dg

# This name is in the settings that Dagster writes for its own instances; the others below are looked for.
from dagster._core.storage.event_log import SqliteEventLogStorage
from sqlalchemy import Connection, Engine, create_engine, func, select

try:
    from dagster._core.storage.event_log.schema import SqlEventLogStorageTable as _TABLE  # noqa: N814
except ImportError:
    _TABLE = None  # type: ignore[assignment] # it is there in the version that is checked

_METHODS = ("run_connection", "index_transaction", "_event_to_row", "_store_asset_event_tags", "_store_asset_event")
BATCHES = _TABLE is not None and all(hasattr(SqliteEventLogStorage, name) for name in _METHODS)
"""Whether this version of Dagster has what batches are made of."""
_CONNECTS = all(
    hasattr(SqliteEventLogStorage, name) for name in ("_connect", "_initdb", "conn_string_for_shard", "dispose", "wipe")
)
"""Whether it has what connections are kept by."""
_KEPT, _BUSY_SECONDS = 2, 30
"""The files of which a connection is kept, the index and that of the run; the seconds that it waits for another process, as
Dagster does."""
_BATCH_VARIABLE = "DAGSTER_EVENT_BATCH_SIZE"
_BATCH = "1000"
"""Events of a batch, as Dagster reads it from the environment; without it, it hands over one at a time."""
_HISTORY = "history", "runs"
_OF_ASSETS = {
    dg.DagsterEventType.ASSET_MATERIALIZATION,
    dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
    dg.DagsterEventType.ASSET_OBSERVATION,
}


class BatchedEventLog(SqliteEventLogStorage):
    """The event log of the instance at `base_dir` (`DAGSTER_HOME`), where Dagster's own keeps it by default."""

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Mapping[str, Any]) -> "BatchedEventLog":
        if BATCHES:
            os.environ.setdefault(_BATCH_VARIABLE, _BATCH)
        return cls(base_dir=os.path.join(config_value["base_dir"], *_HISTORY), inst_data=inst_data)

    def __init__(self, base_dir: str, inst_data: Any = None) -> None:
        self._engines: OrderedDict[str, Engine] = OrderedDict()
        super().__init__(base_dir, inst_data)

    if _CONNECTS:

        @contextmanager
        def _connect(self, shard: str) -> Iterator[Connection]:
            """Give a connection to a file, in a transaction: the one of before, with the statements that it knows."""
            with self._db_lock, self._engine(shard).connect() as connection, connection.begin():
                yield connection

        def dispose(self) -> None:
            self._forget()
            super().dispose()

        def wipe(self) -> None:
            self._forget()
            super().wipe()

    def _engine(self, shard: str) -> Engine:
        if shard not in self._engines:
            arguments = {"timeout": _BUSY_SECONDS, "check_same_thread": False}
            engine = create_engine(self.conn_string_for_shard(shard), pool_size=1, connect_args=arguments)
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            self._engines[shard] = engine
        self._engines.move_to_end(shard)
        while len(self._engines) > _KEPT:
            self._engines.popitem(last=False)[1].dispose()
        return self._engines[shard]

    def _forget(self) -> None:
        while self._engines:
            self._engines.popitem()[1].dispose()

    def store_event_batch(self, events: Sequence[dg.EventLogEntry]) -> None:
        """Store events of one run: those of assets in one transaction of the index and one of the run's file.

        The index, where most private names are needed, comes first: if it fails nothing of the batch is stored, and Dagster
        hands the events over again one by one.
        """
        batch = [event for event in events if BATCHES and event.dagster_event_type in _OF_ASSETS]
        super().store_event_batch([event for event in events if not BATCHES or event.dagster_event_type not in _OF_ASSETS])
        if not batch:
            return
        rows = [self._event_to_row(event) for event in batch]
        with self.index_transaction() as connection:
            connection.execute(_TABLE.insert(), rows)
            # the transaction has the lock of the only writer, so the numbers of its rows have no gap
            last_id = connection.execute(select(func.max(_TABLE.c.id))).scalar_one()
            event_ids = range(last_id - len(batch) + 1, last_id + 1)
            self._store_asset_event_tags(connection, batch, event_ids)
            last_indexes = {
                (event.get_dagster_event().asset_key, event.dagster_event_type): index for index, event in enumerate(batch)
            }
            for index in sorted(last_indexes.values()):
                self._store_asset_event(connection, batch[index], event_ids[index])
        with self.run_connection(batch[0].run_id) as connection:
            connection.execute(_TABLE.insert(), rows)

    def _store_asset_check_evaluation_planned(self, event: dg.EventLogEntry, event_id: int | None) -> None:
        super()._store_asset_check_evaluation_planned(_single_plan_event(event), event_id)


def _single_plan_event(event: dg.EventLogEntry) -> dg.EventLogEntry:
    """Return an event that plans a check of a range once. Dagster plans it once per partition, but a range has one
    evaluation, so those plans are never completed. An event whose parts have other names is returned unchanged."""
    try:
        dagster_event = event.get_dagster_event()
        plan_data = dagster_event.asset_check_planned_data
        if plan_data.partitions_subset is None or len(plan_data.partitions_subset) < 2:
            return event
        single_plan = type(plan_data)(asset_key=plan_data.asset_key, check_name=plan_data.check_name)
        return event._replace(dagster_event=dagster_event._replace(event_specific_data=single_plan))
    except (AttributeError, TypeError):
        return event


__all__ = ["BATCHES", "BatchedEventLog"]
