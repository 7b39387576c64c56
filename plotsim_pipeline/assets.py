"""The one asset factory: every stage and table of a dataset, as an asset whose body is one call of the core."""

import dagster as dg
import pyarrow as pa

from plotsim_core import Plan, batches
from plotsim_core.config.holdout import FEATURES
from plotsim_core.config.quality import LEDGER
from plotsim_core.plan.plan import TablePlan
from plotsim_core.tables.stages import STAGES, stage_names, stage_table
from plotsim_pipeline.metadata import column_lineage, column_schema, stage_of, stage_prefix
from plotsim_pipeline.partitions import periods_of
from plotsim_pipeline.stores.store import placed

LAYER = "layer"
STAGE, TABLE, REPORT = "stage", "table", "report"
POOL = "plotsim_store"
"""Assets that write share a pool: DuckDB has one writer, and an instance may limit the pool to one."""


def stage_assets(plan: Plan, partitions: dg.TimeWindowPartitionsDefinition) -> list[dg.AssetsDefinition]:
    """Return the engine's stages as assets, each after the one before it."""
    names = stage_names(plan)
    before = {name: [] if place % len(STAGES) == 0 else [names[place - 1]] for place, name in enumerate(names)}
    return [_asset(plan, stage_table(plan, name), partitions, before[name], STAGE) for name in names]


def table_assets(plan: Plan, partitions: dg.TimeWindowPartitionsDefinition) -> list[dg.AssetsDefinition]:
    """Return the tables of the config as assets."""
    return [_asset(plan, table, partitions, upstream(plan, table), TABLE) for table in plan.tables]


def upstream(plan: Plan, table: TablePlan) -> list[str]:
    """Return what a table is made from, as lineage: the stage its values come from and the dimensions it refers to."""
    columns = [stage for column in table.columns if (stage := stage_of(plan, table, column)) is not None]
    drives = {"proportional": "correlated_metrics", "variable": "correlated_metrics", "threshold": "noised_metrics"}
    rows = [stage_prefix(plan, table) + drives[table.kind]] if table.kind in drives else []
    shown = [table.of] if table.of and any(other.name == table.of for other in plan.tables) else []
    parents = [parent for _, parent, _ in table.references if parent != table.name]
    if table.kind == LEDGER:
        shown = [other.name for other in plan.tables if other.issues and not other.of]
    if table.kind == FEATURES:
        rows = ["trajectories", "noised_metrics"]
    return list(dict.fromkeys([*rows, *columns, *shown, *parents]))


def _asset(
    plan: Plan,
    table: TablePlan,
    partitions: dg.TimeWindowPartitionsDefinition,
    before: list[str],
    layer: str,
) -> dg.AssetsDefinition:
    @dg.asset(
        key=dg.AssetKey([plan.name, table.name]),
        group_name=plan.name,
        description=table.description,
        deps=[dg.AssetKey([plan.name, name]) for name in before],
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        code_version=plan.digest,
        tags={LAYER: layer},
        kinds={"python"},
        pool=POOL,
        io_manager_key="store",
        metadata={
            **placed(plan, table.time, table.key),
            "dagster/column_schema": column_schema(plan, table),
            "dagster/column_lineage": column_lineage(plan, table),
        },
    )
    def _materialise(context: dg.AssetExecutionContext):  # type: ignore[no-untyped-def] # an annotation would fix the output's type
        first, stop = periods_of(plan, partitions, context.partition_keys)
        reader = pa.RecordBatchReader.from_batches(*batches(plan, table.name, first, stop))
        return dg.MaterializeResult(value=reader, data_version=dg.DataVersion(f"{plan.digest}-{table.name}"))

    return _materialise
