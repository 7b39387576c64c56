"""The one asset factory: every stage and table of a dataset, as an asset whose body is one call of the core."""

from collections.abc import Callable, Sequence
from typing import Any

import dagster as dg
import pyarrow as pa

from plotsim_core import Plan, batches
from plotsim_core.plan.plan import TablePlan
from plotsim_core.tables.stages import stage_names, stage_table
from plotsim_pipeline.beside import stored_periods
from plotsim_pipeline.lineage import column_lineage, upstream
from plotsim_pipeline.metadata import column_schema
from plotsim_pipeline.partitions import periods_of
from plotsim_pipeline.stores.store import Store, placed

LAYER = "layer"
STAGE, TABLE, REPORT = "stage", "table", "report"
POOL = "plotsim_store"
"""Assets that write share a pool: DuckDB has one writer, and an instance may limit the pool to one."""


def stage_assets(plan: Plan, partitions: dg.TimeWindowPartitionsDefinition) -> list[dg.AssetsDefinition]:
    """Return the engine's stages as assets, of each kind of unit each after the one before it."""
    return [_asset(plan, stage_table(plan, name), partitions, STAGE) for name in stage_names(plan)]


def table_assets(plan: Plan, partitions: dg.TimeWindowPartitionsDefinition) -> list[dg.AssetsDefinition]:
    """Return the tables of the config as assets."""
    return [_asset(plan, table, partitions, TABLE) for table in plan.tables]


def asset_of_all(
    plan: Plan, name: str, says: str, above: Sequence[str], kind: str, tell: Callable[[Store, int, int], dict[str, Any]]
) -> dg.AssetsDefinition:
    """Return an asset about all that is stored of a dataset, without partitions: `tell(store, first, stop)` gives its
    metadata for the periods that there are."""

    @dg.asset(
        key=dg.AssetKey([plan.name, name]),
        group_name=plan.name,
        description=says,
        deps=[dg.AssetKey([plan.name, other]) for other in above],
        backfill_policy=dg.BackfillPolicy.single_run(),
        code_version=plan.digest,
        tags={LAYER: REPORT},
        kinds={kind},
        pool=POOL,
        required_resource_keys={"store"},
    )
    def _materialise(context: dg.AssetExecutionContext):  # type: ignore[no-untyped-def] # as below
        store: Store = context.resources.store
        span = stored_periods(plan, store)
        told = {"stored": "no partition of any table yet"} if span is None else tell(store, *span)
        return dg.MaterializeResult(metadata=told)

    return _materialise


def _asset(plan: Plan, table: TablePlan, partitions: dg.TimeWindowPartitionsDefinition, layer: str) -> dg.AssetsDefinition:
    @dg.asset(
        key=dg.AssetKey([plan.name, table.name]),
        group_name=plan.name,
        description=table.description,
        deps=[dg.AssetKey([plan.name, name]) for name in upstream(plan, table)],
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        code_version=plan.digest,
        tags={LAYER: layer},
        kinds={"python"},
        pool=POOL,
        io_manager_key="store",
        metadata={
            **placed(plan, table.time, table.key),
            "dagster/column_schema": column_schema(table),
            "dagster/column_lineage": column_lineage(plan, table),
        },
    )
    def _materialise(context: dg.AssetExecutionContext):  # type: ignore[no-untyped-def] # an annotation would fix the output's type
        first, stop = periods_of(plan, partitions, context.partition_keys)
        reader = pa.RecordBatchReader.from_batches(*batches(plan, table.name, first, stop))
        return dg.MaterializeResult(value=reader, data_version=dg.DataVersion(f"{plan.digest}-{table.name}"))

    return _materialise
