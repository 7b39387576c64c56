"""Whether an open window keeps up, judged by partition: a backfill of an old day makes nothing fresh.

Dagster's freshness policies look at when an asset was last made, and its checks of time partitions ask its own records by a
run. This check asks the store, and its sensor needs no run, so that it turns red when nothing runs at all.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import dagster as dg

from plotsim_core import Plan
from plotsim_core.tables.stages import stage_names
from plotsim_pipeline.assets.tables import SHARED_RESOURCES, Needs, resource_keys, run_of
from plotsim_pipeline.checks.evaluations import FRESH
from plotsim_pipeline.partitions import key_of, keys_made, latest_complete, zone_of
from plotsim_pipeline.schedules import increment_cron
from plotsim_pipeline.sensors.reconcile import time_columns
from plotsim_pipeline.stores.duckdb_lock import wait_limit
from plotsim_pipeline.stores.store import Store

_SHORT_GRACE, _USUAL_GRACE = timedelta(minutes=20), timedelta(hours=2)
"""After the increment's tick a run has so long where partitions are parts of a day, and elsewhere."""
_INTERVAL_SECONDS, _WAIT_SECONDS = 300, 5.0
_TICK_FORMAT = "%Y-%m-%d %H:%M"
_PART_OF_DAY = 15
_DAYS = {"day": 40, "week": 70, "month": 190, "quarter": 400, "year": 1500}
"""How many days before a tick of the increment is looked for, by the length of a partition."""
_DESCRIPTION = (
    "The latest partition that is due is in the store. It is due after the increment's tick and some time to make it."
)


@dataclass(frozen=True)
class Freshness:
    """What is due of a dataset: the partition `key`, since the moment `deadline`, and which tables have it."""

    key: str
    deadline: datetime
    is_made: dict[str, bool]

    def results(self, plan: Plan) -> Iterator[dg.AssetCheckResult]:
        """Yield the result of the check for each table."""
        for table, is_made in self.is_made.items():
            yield dg.AssetCheckResult(
                asset_key=dg.AssetKey([plan.name, table]),
                check_name=FRESH,
                passed=is_made,
                severity=dg.AssetCheckSeverity.WARN,
                description=f"{self.key} is {'made' if is_made else 'due, and is not made'}",
                metadata={"due": self.key, "deadline": dg.MetadataValue.timestamp(self.deadline)},
            )


def freshness(plan: Plan, store: Store, now: datetime, cron: str | None = None) -> Freshness | None:
    """Return what is due of a dataset at a moment; None where nothing was made yet, or nothing is due."""
    grace = _SHORT_GRACE if plan.partition.is_part_of_day else _USUAL_GRACE
    tick = _latest_tick(plan, cron or increment_cron(plan.partition), now - grace)
    latest_period = plan.first - 1 if tick is None else latest_complete(plan, tick)
    partitions = store.intact_partitions(plan.name)
    if tick is None or latest_period < plan.first or not any(partitions.values()):
        return None
    due_key = key_of(plan, latest_period)
    columns = time_columns(plan)
    tables = {
        name: bool(keys_made(plan, [due_key], partitions.get(name, {}), columns[name] is None))
        for name in _judged_tables(plan)
    }
    return Freshness(due_key, tick + grace, tables)


def _latest_tick(plan: Plan, cron: str, moment: datetime) -> datetime | None:
    """Return the latest moment before another at which a cron line ticks; None where it did not for long."""
    begin = moment.astimezone(ZoneInfo(zone_of(plan))) - timedelta(days=_DAYS.get(plan.partition.name, _PART_OF_DAY))
    ticks = dg.TimeWindowPartitionsDefinition(
        start=begin.strftime(_TICK_FORMAT), fmt=_TICK_FORMAT, cron_schedule=cron, timezone=zone_of(plan)
    )
    keys = ticks.get_partition_keys(current_time=moment)
    return ticks.time_window_for_partition_key(keys[-1]).end if keys else None


def _judged_tables(plan: Plan) -> list[str]:
    """Return the names of what the increment makes: the tables of a dataset and its report."""
    return [name for name in time_columns(plan) if name not in stage_names(plan)]


def freshness_of(plan: Plan, needs: Needs = SHARED_RESOURCES, cron: str | None = None) -> dg.Definitions:
    """Return the checks `fresh` of a dataset whose window is open, and the sensor that evaluates them; nothing for another.
    `cron` says when the increment runs, if not at its usual time."""
    if plan.stop is not None:
        return dg.Definitions()
    assets = [dg.AssetKey([plan.name, name]) for name in _judged_tables(plan)]

    @dg.multi_asset_check(
        name=f"{plan.name}__fresh",
        specs=[dg.AssetCheckSpec(FRESH, asset=asset, description=_DESCRIPTION) for asset in assets],
        can_subset=True,
        required_resource_keys=resource_keys(plan, needs),
        pool=needs.pool,
        description=f"Whether the latest partition of {plan.name} is made.",
    )
    def _check(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        state = freshness(plan, run_of(context, plan, needs).store, datetime.now(UTC), cron)
        for key in context.selected_asset_check_keys:
            table = key.asset_key.path[-1]
            if state is not None:
                yield next(result for result in state.results(plan) if result.asset_key == key.asset_key)
            else:
                message = f"nothing of {plan.name} is due yet"
                yield dg.AssetCheckResult(
                    asset_key=dg.AssetKey([plan.name, table]), check_name=FRESH, passed=True, description=message
                )

    @dg.sensor(
        name=f"{plan.name}_fresh",
        minimum_interval_seconds=_INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        required_resource_keys={needs.store},
        description=f"Evaluates the checks `{FRESH}` of {plan.name} from the store, without a run.",
    )
    def _sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        store: Store = getattr(context.resources, needs.store)
        with wait_limit(_WAIT_SECONDS):
            state = freshness(plan, store, datetime.now(UTC), cron)
        if state is None:
            return dg.SkipReason(f"nothing of {plan.name} is due yet")
        cursor = json.dumps([state.key, state.is_made])
        if cursor == context.cursor:
            return dg.SkipReason(f"nothing has changed: {state.key} is due")
        return dg.SensorResult(asset_events=list(evaluations_of(plan, state)), cursor=cursor)

    return dg.Definitions(asset_checks=[_check], sensors=[_sensor])


def evaluations_of(plan: Plan, state: Freshness) -> Iterator[dg.AssetCheckEvaluation]:
    """Yield the evaluations by which an instance learns without a run what is fresh."""
    for result in state.results(plan):
        assert result.asset_key is not None
        yield dg.AssetCheckEvaluation(
            asset_key=result.asset_key,
            check_name=FRESH,
            passed=result.passed,
            severity=result.severity,
            description=result.description,
            metadata=result.metadata,
            blocking=False,
        )
