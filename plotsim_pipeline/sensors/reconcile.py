"""The Dagster instance against the store: partitions that another machine made are reported, those that are lost turn red.

The store is right. What it holds and the instance does not know is reported as materialised, without a run; what the
instance takes for made and the store does not hold fails the check `in_store` of that partition.
"""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

import dagster as dg

from plotsim_core import Plan
from plotsim_core.output.partitions import WHOLE
from plotsim_core.tables.stages import stage_names, stage_table
from plotsim_pipeline.assets.metadata import CODE_VERSION, DATA_VERSION
from plotsim_pipeline.checks.evaluations import IN_STORE, Broken, broken_in, evaluation, latest
from plotsim_pipeline.partitions import end_of, keys_until, window_keys
from plotsim_pipeline.runs import in_progress
from plotsim_pipeline.stores.duckdb_lock import wait_limit
from plotsim_pipeline.stores.store import Partition, Partitions, Store

SENSOR = "plotsim_reconcile"
VALIDATION_REPORT, REPORT_TIME = "validation_report", "date_key"
_MAX_EVENTS = 400
"""So many events are reported by a tick; the next one goes on."""
_INTERVAL_SECONDS, _WAIT_SECONDS = 60, 5.0
_RELOOK_SECONDS = 600.0
"""Seconds after which a store is looked at that seems unchanged: somebody may have wiped an asset of the instance."""

Event = dg.AssetMaterialization | dg.AssetCheckEvaluation


@dataclass(frozen=True)
class Difference:
    """What differs of one table between store and instance: partitions that only the store has, with what they hold, and
    those that only the instance takes for made, the latest one of a state."""

    table: str
    unreported: Mapping[str, Partition]
    lost: tuple[str, ...]


def report_time(plan: Plan) -> str | None:
    """Return the time column of the report of a dataset; None without a window, where it is a state."""
    return REPORT_TIME if plan.has_window else None


def time_columns(plan: Plan) -> dict[str, str | None]:
    """Return the time column of each partitioned asset of a dataset, None for a state, by name."""
    stages = [stage_table(plan, name) for name in stage_names(plan)]
    return {**{table.name: table.time for table in (*stages, *plan.tables)}, VALIDATION_REPORT: report_time(plan)}


def differences(plan: Plan, store: Store, instance: dg.DagsterInstance, names: Sequence[str] = ()) -> list[Difference]:
    """Return what differs of the assets of a dataset, or of some of them, but for partitions that a run makes now."""
    keys = window_keys(plan, datetime.now(UTC))
    partitions = store.intact_partitions(plan.name)
    settled_keys = set(keys) - in_progress(plan, instance, keys)
    table_differences = []
    for name, time_column in time_columns(plan).items():
        if names and name not in names:
            continue
        known_keys = _known_keys(plan, instance, dg.AssetKey([plan.name, name]))
        stored_partitions = partitions.get(name, {})
        made_partitions = (
            stored_partitions if time_column is not None else state_keys(plan, partitions, stored_partitions, keys)
        )
        unreported = {
            key: partition for key, partition in made_partitions.items() if key in settled_keys and key not in known_keys
        }
        lost_keys = tuple(key for key in keys if key in settled_keys and key in known_keys and key not in made_partitions)
        table_differences.append(Difference(name, unreported, lost_keys if time_column is not None else lost_keys[-1:]))
    return table_differences


def _known_keys(plan: Plan, instance: dg.DagsterInstance, asset: dg.AssetKey) -> set[str]:
    """Return the partitions of an asset that an instance takes for made; WHOLE for one without partitions."""
    if plan.has_window:
        return instance.get_materialized_partitions(asset)
    return set() if instance.get_latest_materialization_event(asset) is None else {WHOLE}


def state_keys(
    plan: Plan, partitions: Partitions, stored: Mapping[str, Partition], keys: Sequence[str]
) -> dict[str, Partition]:
    """Return the partitions that a state stands for: those up to its moment that are made of any table, and the one that
    ends with it."""
    moment, partition = next(iter(stored.items()), ("", Partition(0, "")))
    made_keys = set().union(*partitions.values())
    keys = keys_until(plan, keys, moment)
    if keys and end_of(plan, keys[-1]) == moment:
        made_keys.add(keys[-1])
    return {key: partition for key in keys if key in made_keys}


def lost_partitions(plan: Plan, store: Store, instance: dg.DagsterInstance, name: str) -> list[str]:
    """Return the partitions of an asset that the instance takes for made and the store does not hold."""
    return [key for difference in differences(plan, store, instance, [name]) for key in difference.lost]


def events_for(plan: Plan, instance: dg.DagsterInstance, difference: Difference) -> Iterator[Event]:
    """Yield what an instance has to be told so that it agrees with the store: materialisations, and the check `in_store`
    where partitions are lost, or there again."""
    asset = dg.AssetKey([plan.name, difference.table])
    for key, partition in difference.unreported.items():
        yield dg.AssetMaterialization(
            asset,
            description="Made elsewhere, and reported from the store.",
            partition=key if plan.has_window else None,
            metadata={f"dagster/{'partition_' if plan.has_window else ''}row_count": partition.rows},
            tags={CODE_VERSION: partition.digest, DATA_VERSION: f"{partition.digest}-{difference.table}"},
        )
    check, broken = dg.AssetCheckKey(asset, IN_STORE), Broken(difference.lost)
    previous = broken_in(latest(instance, check))
    if previous != broken:
        remedy = "make them again, or wipe them by `plotsim reconcile --wipe`"
        message = f"made, and not in the store: {broken}; {remedy}" if broken.keys else f"in the store again: {previous}"
        yield evaluation(check, broken, not broken.keys, message, dg.AssetCheckSeverity.ERROR, True)


def reconcile(plan: Plan, store: Store, instance: dg.DagsterInstance, wipe: bool) -> Iterator[str]:
    """Tell an instance what a store holds of a dataset, and yield what was reported, a line per asset that differed. With
    `wipe`, assets that have lost partitions are wiped, and what is there of them is reported again."""
    table_differences = differences(plan, store, instance)
    if wipe and (assets := [dg.AssetKey([plan.name, one.table]) for one in table_differences if one.lost]):
        instance.wipe_assets(assets)
        table_differences = differences(plan, store, instance)
    in_sync = True
    for difference in table_differences:
        for event in events_for(plan, instance, difference):
            instance.report_runless_asset_event(event)
        parts = [f"{len(difference.unreported)} partitions reported"] if difference.unreported else []
        parts += [f"{len(difference.lost)} lost"] if difference.lost else []
        if parts:
            in_sync = False
            yield f"{plan.name}.{difference.table}: {', '.join(parts)}"
    if in_sync and store.records(plan.name):
        yield f"{plan.name}: the instance knows what the store holds"


def reconcile_sensor(plans: Sequence[Plan], store_key: str, name: str = SENSOR) -> dg.SensorDefinition:
    """Return the sensor that tells an instance what the store holds, once a minute where the store has changed."""

    @dg.sensor(
        name=name,
        minimum_interval_seconds=_INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        required_resource_keys={store_key},
        description="Reports partitions that were made elsewhere, and those that are lost, as the store has them.",
    )
    def _sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        store: Store = getattr(context.resources, store_key)
        versions: dict[str, list[str | float]] = json.loads(context.cursor or "{}")
        events: list[Event] = []
        with wait_limit(_WAIT_SECONDS):
            for plan in plans:
                version, now = store.version(plan.name), time.time()
                last_version, last_time = versions.get(plan.name, ("", 0.0))
                if version == last_version and now - float(last_time) < _RELOOK_SECONDS:
                    continue
                new_events = (
                    e for d in differences(plan, store, context.instance) for e in events_for(plan, context.instance, d)
                )
                events += islice(new_events, _MAX_EVENTS - len(events))
                if len(events) == _MAX_EVENTS:
                    break
                versions[plan.name] = [version, now]
        return dg.SensorResult(asset_events=events, cursor=json.dumps(versions))

    return _sensor
