"""Dagster's event log on SQLite, written in batches: what a range of partitions costs is mostly this log.

Dagster's own writes each event in two transactions, with a connection and a statement made anew for each; a range of a
thousand partitions is two thousand events per asset. This one takes the events of a step at once, into the same files, so it
can be switched on and off at any time. `instance.yaml` names it; benchmarks/bookkeeping.md has what it saves.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

# Dagster publishes no class of its storages: these are the names that its own dagster.yaml refers to, and the two tables.
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
from dagster._record import copy
from dagster._serdes import ConfigurableClassData
from sqlalchemy import func, select

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
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> "BatchedEventLog":
        os.environ.setdefault(_BATCH_VARIABLE, _BATCH)
        return cls(base_dir=os.path.join(config_value["base_dir"], *_HISTORY), inst_data=inst_data)

    def store_event_batch(self, events: Sequence[dg.EventLogEntry]) -> None:
        """Store events of one run: those of assets in one transaction of the run's file and one of the index."""
        batch = [event for event in events if event.dagster_event_type in _OF_ASSETS]
        super().store_event_batch([event for event in events if event.dagster_event_type not in _OF_ASSETS])
        if not batch:
            return
        rows = [self._event_to_row(event) for event in batch]
        with self.run_connection(batch[0].run_id) as connection:
            connection.execute(SqlEventLogStorageTable.insert(), rows)
        with self.index_transaction() as connection:
            connection.execute(SqlEventLogStorageTable.insert(), rows)
            # the transaction has the lock of the only writer, so the numbers of its rows have no gap
            last = connection.execute(select(func.max(SqlEventLogStorageTable.c.id))).scalar_one()
            numbers = range(last - len(batch) + 1, last + 1)
            self._store_asset_event_tags(connection, batch, numbers)
            latest = {
                (event.get_dagster_event().asset_key, event.dagster_event_type): place for place, event in enumerate(batch)
            }
            for place in sorted(latest.values()):
                self._store_asset_event(connection, batch[place], numbers[place])

    def _store_asset_check_evaluation_planned(self, event: dg.EventLogEntry, event_id: int | None) -> None:
        """Plan a check of a range once. Dagster's own plans it once per partition, which nothing ever completes: a range has
        one evaluation."""
        step = event.get_dagster_event()
        planned = step.asset_check_planned_data
        if planned.partitions_subset is not None and len(planned.partitions_subset) > 1:
            once = step._replace(event_specific_data=copy(planned, partitions_subset=None))
            event = event._replace(dagster_event=once)
        super()._store_asset_check_evaluation_planned(event, event_id)


__all__ = ["BatchedEventLog"]
