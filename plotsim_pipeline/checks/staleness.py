"""Stale partitions where Dagster shows none: it tells of a partition whether its config has changed, of an asset with
partitions it does not. So a check says of the whole dataset what was made from another config, whenever it is asked."""

from datetime import UTC, datetime

import dagster as dg

from plotsim_core import Plan
from plotsim_pipeline.assets.report import OVERVIEW
from plotsim_pipeline.assets.tables import SHARED_RESOURCES, Needs
from plotsim_pipeline.commands.status import ranges, statuses
from plotsim_pipeline.partitions import window_keys

CURRENT = "made_from_this_config"


def current_check(plan: Plan, needs: Needs = SHARED_RESOURCES) -> dg.AssetChecksDefinition:
    """Return the check that nothing of a dataset is stored that was made from another config; missing partitions are told,
    and are no fault."""

    @dg.asset_check(
        asset=dg.AssetKey([plan.name, OVERVIEW]),
        name=CURRENT,
        description="No stored partition is made from another config than this one.",
        required_resource_keys={needs.store},
    )
    def _check(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        keys = window_keys(plan, datetime.now(UTC))
        tables = statuses(plan, getattr(context.resources, needs.store), keys)
        records = [
            dg.TableRecord(
                {
                    "table": table.table,
                    "stale": "; ".join(
                        f"{ranges(keys, stale_keys)} ({digest})" for digest, stale_keys in table.stale.items()
                    ),
                    "missing": ranges(keys, table.missing),
                }
            )
            for table in tables
        ]
        stale_tables = [table.table for table in tables if table.stale]
        message = (
            f"{', '.join(stale_tables)}: stale; plotsim materialize {plan.name} makes them again"
            if stale_tables
            else "nothing is stale"
        )
        return dg.AssetCheckResult(
            passed=not stale_tables,
            severity=dg.AssetCheckSeverity.WARN,
            description=message,
            metadata={"tables": dg.MetadataValue.table(records), "config_hash": plan.digest},
        )

    return _check
