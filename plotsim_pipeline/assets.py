"""The one asset factory: every stage and table of a dataset, as an asset whose body is one call of the core."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg
import pyarrow as pa

from plotsim_core import ConfigError, Plan, UsageError, batches
from plotsim_core.plan.plan import TablePlan
from plotsim_core.tables.stages import stage_names, stage_table
from plotsim_pipeline.beside import stored_periods
from plotsim_pipeline.catalogue import STAGE, TABLE, entry_of_all, entry_of_table
from plotsim_pipeline.lineage import upstream
from plotsim_pipeline.parameters import CODE_VERSION, NOTHING, Parameters, plan_with, refuse_mixture, said
from plotsim_pipeline.partitions import backfill_policy, periods_of
from plotsim_pipeline.stores import store_with
from plotsim_pipeline.stores.duckdb import DuckDBStore
from plotsim_pipeline.stores.store import Store


@dataclass(frozen=True)
class Needs:
    """What the assets of a dataset ask of their code location: the names of their resources, the kind of the store, and the
    pool that runs which write to the same store share. A store that takes several writers at once needs no pool."""

    store: str = "store"
    store_kind: str = DuckDBStore.kind
    parameters: str = "parameters"
    pool: str | None = "plotsim_store"


SHARED = Needs()
"""What the datasets of this package's own code location have in common."""


def asked(context: dg.AssetExecutionContext, plan: Plan, needs: Needs) -> tuple[Plan, Store, dict[str, Any]]:
    """Return the plan, the store and the parameters of a run. Raises Failure for parameters that are wrong, or contradict
    what is stored."""
    resource: Parameters = getattr(context.resources, needs.parameters)
    parameters = resource.given()
    store = store_with(getattr(context.resources, needs.store), parameters)
    try:
        made = plan_with(plan, parameters)
    except (ConfigError, UsageError) as error:
        raise dg.Failure(str(error), allow_retries=False) from None
    if made.digest != plan.digest:
        keys = context.partition_keys if context.has_partition_key or context.has_partition_key_range else []
        refuse_mixture(made, store, (key.path[-1] for key in selected(context)), keys)
    return made, store, parameters


def selected(context: dg.AssetExecutionContext) -> Iterable[dg.AssetKey]:
    """Return all assets that the run makes."""
    return context.run.asset_selection or context.job_def.asset_layer.selected_asset_keys


def stage_assets(
    plan: Plan, partitions: dg.TimeWindowPartitionsDefinition, needs: Needs = SHARED
) -> list[dg.AssetsDefinition]:
    """Return the engine's stages as assets, of each kind of unit each after the one before it."""
    return [_asset(plan, stage_table(plan, name), partitions, STAGE, needs) for name in stage_names(plan)]


def table_assets(
    plan: Plan, partitions: dg.TimeWindowPartitionsDefinition, needs: Needs = SHARED
) -> list[dg.AssetsDefinition]:
    """Return the tables of the config as assets."""
    return [_asset(plan, table, partitions, TABLE, needs) for table in plan.tables]


def asset_of_all(
    plan: Plan,
    name: str,
    says: str,
    above: Sequence[str],
    kind: str,
    needs: Needs,
    tell: Callable[[Plan, Store, int, int], dict[str, Any]],
) -> dg.AssetsDefinition:
    """Return an asset about all that is stored of a dataset, without partitions: `tell(plan, store, first, stop)`
    gives its metadata for the periods that there are."""
    entry = entry_of_all(plan, says, kind)

    @dg.asset(
        key=dg.AssetKey([plan.name, name]),
        group_name=entry.group,
        description=entry.description,
        kinds=entry.kinds,
        owners=entry.owners,
        tags=entry.tags,
        metadata=entry.metadata,
        deps=[dg.AssetKey([plan.name, other]) for other in above],
        backfill_policy=dg.BackfillPolicy.single_run(),
        code_version=plan.digest,
        pool=needs.pool,
        required_resource_keys={needs.store},
        resource_defs={needs.parameters: NOTHING},
    )
    def _materialise(context: dg.AssetExecutionContext):  # type: ignore[no-untyped-def] # as below
        made, store, parameters = asked(context, plan, needs)
        span = stored_periods(made, store)
        told = {"stored": "no partition of any table yet"} if span is None else tell(made, store, *span)
        return dg.MaterializeResult(metadata={**told, **said(made, parameters)}, tags={CODE_VERSION: made.digest})

    return _materialise


def _asset(
    plan: Plan, table: TablePlan, partitions: dg.TimeWindowPartitionsDefinition, layer: str, needs: Needs
) -> dg.AssetsDefinition:
    entry = entry_of_table(plan, table, layer, needs.store_kind)

    @dg.asset(
        key=dg.AssetKey([plan.name, table.name]),
        group_name=entry.group,
        description=entry.description,
        kinds=entry.kinds,
        owners=entry.owners,
        tags=entry.tags,
        metadata=entry.metadata,
        deps=[dg.AssetKey([plan.name, name]) for name in upstream(plan, table)],
        partitions_def=partitions,
        backfill_policy=backfill_policy(),
        code_version=plan.digest,
        pool=needs.pool,
        io_manager_key=needs.store,
        required_resource_keys={needs.store},
        resource_defs={needs.parameters: NOTHING},
    )
    def _materialise(context: dg.AssetExecutionContext):  # type: ignore[no-untyped-def] # an annotation would fix the output's type
        made, _, parameters = asked(context, plan, needs)
        first, stop = periods_of(plan, partitions, context.partition_keys)
        reader = pa.RecordBatchReader.from_batches(*batches(made, table.name, first, stop))
        return dg.MaterializeResult(
            value=reader,
            data_version=dg.DataVersion(f"{made.digest}-{table.name}"),
            metadata=said(made, parameters),
            tags={CODE_VERSION: made.digest},
        )

    return _materialise
