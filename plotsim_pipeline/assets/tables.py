"""The asset factories: every stage, table and report of a dataset is an asset whose body is one call of the core, with the
checks of what it stores; what is about all that is stored is an asset without partitions."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import dagster as dg
import pyarrow as pa

from plotsim_core import Plan, batches
from plotsim_core.output.partitions import WHOLE, keys_between
from plotsim_core.plan.plan import TablePlan
from plotsim_core.tables.stages import stage_names, stage_table
from plotsim_core.tables.state_changes import is_kept_by_change, state_changes
from plotsim_core.validation.glances import stage_glance
from plotsim_pipeline.assets.catalogue import STAGE, TABLE, Entry, entry_of_table, overview_entry
from plotsim_pipeline.assets.drawings import drawing_metadata
from plotsim_pipeline.assets.lineage import upstream
from plotsim_pipeline.assets.metadata import CODE_VERSION
from plotsim_pipeline.assets.passes import PASSES, Passes, run_tables
from plotsim_pipeline.assets.report_files import stored_periods
from plotsim_pipeline.checks.findings import FINDINGS, Findings
from plotsim_pipeline.checks.tables import CheckPlan, Judge, StoredCheck, check_plan, evaluations, in_store, table_checks
from plotsim_pipeline.parameters import parameter_metadata, parameters_of, plan_with, refuse_mixture
from plotsim_pipeline.partitions import backfill_policy, moment_of, periods_between
from plotsim_pipeline.runs import PARAMETERS_TAG, run_keys
from plotsim_pipeline.stores import store_from_environment
from plotsim_pipeline.stores.checkpoints import save_checkpoints, take_checkpoints
from plotsim_pipeline.stores.duckdb import DuckDBStore
from plotsim_pipeline.stores.failures import failure_of
from plotsim_pipeline.stores.state_rows import StateRows
from plotsim_pipeline.stores.store import Store


@dataclass(frozen=True)
class Needs:
    """What the assets of a dataset ask of their code location: the name of the resource that is their store and its kind,
    how to find that store without a run (`locate`), and the pool that runs which write to the same store share. A store that
    takes several writers at once needs no pool. `parameters` are the parameters of a run of a plan that has them already."""

    store: str = "store"
    store_kind: str = DuckDBStore.kind
    locate: Callable[[], Store] = store_from_environment
    pool: str | None = "plotsim_store"
    parameters: Mapping[str, Any] = field(default_factory=dict)


SHARED_RESOURCES = Needs()
"""What the datasets of this package's own code location have in common."""


@dataclass(frozen=True)
class Run:
    """What the body of an asset works with: the plan as it is made, the store, the parameters, what the run's checks have
    found so far, and the tables that are made together."""

    context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext
    plan: Plan
    store: Store
    parameters: Mapping[str, Any]
    findings: Findings
    passes: Passes


def run_of(context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext, plan: Plan, needs: Needs) -> Run:
    """Return the run that an asset's body is in."""
    # a run that was made with parameters is re-executed with them: its tags come along
    tag_parameters = {} if needs.parameters else json.loads(context.run.tags.get(PARAMETERS_TAG, "{}"))
    parameters = needs.parameters or tag_parameters or getattr(context.resources, parameters_key(plan))
    store: Store = getattr(context.resources, needs.store)
    run_plan = plan if needs.parameters else plan_with(plan, parameters)
    if tag_parameters and run_plan.digest != plan.digest:  # no launch has compared them with what is stored by now
        names = [asset.path[-1] for asset in context.run.asset_selection or () if asset.path[0] == plan.name]
        refuse_mixture(run_plan, store, store.records(plan.name), names, run_keys(context.run, plan) or ())
    findings, passes = getattr(context.resources, FINDINGS), getattr(context.resources, PASSES)
    return Run(context, run_plan, store, parameters, findings, passes)


def parameters_key(plan: Plan) -> str:
    """Return the name of the resource that has the parameters of a dataset's runs."""
    return f"{plan.name}_parameters"


def resource_keys(plan: Plan, needs: Needs) -> set[str]:
    """Return the names of the resources that the assets of a dataset work with."""
    return {needs.store, parameters_key(plan), FINDINGS, PASSES}


def resources_of(plan: Plan, needs: Needs = SHARED_RESOURCES) -> dict[str, dg.ResourceDefinition]:
    """Return those resources of a dataset that are the same wherever it lives: the parameters of a run, the findings of its
    checks, and the tables that are made together."""
    return {
        parameters_key(plan): parameters_of(plan, needs.locate),
        FINDINGS: Findings.resource,
        PASSES: Passes.resource,
    }


def stage_assets(
    plan: Plan, partitions: dg.TimeWindowPartitionsDefinition | None, needs: Needs = SHARED_RESOURCES
) -> list[dg.AssetsDefinition]:
    """Return the engine's stages as assets, of each kind of unit each after the one before it."""
    return [_table_asset(plan, stage_table(plan, name), partitions, STAGE, needs, None) for name in stage_names(plan)]


def table_assets(
    plan: Plan, partitions: dg.TimeWindowPartitionsDefinition | None, needs: Needs = SHARED_RESOURCES
) -> list[dg.AssetsDefinition]:
    """Return the tables of the config as assets, each with the checks of it that need no table made after it."""
    checks_plan = check_plan(plan)
    return [_table_asset(plan, table, partitions, TABLE, needs, checks_plan) for table in plan.tables]


def asset_of_all(
    plan: Plan,
    name: str,
    description: str,
    deps: Sequence[str],
    kind: str,
    needs: Needs,
    metadata_of: Callable[[Run, int, int], dict[str, Any]],
) -> dg.AssetsDefinition:
    """Return an asset about all that is stored of a dataset, without partitions: `metadata_of(run, first, stop)` gives its
    metadata for the periods that there are."""
    entry = overview_entry(plan, description, kind)

    @dg.asset(
        key=dg.AssetKey([plan.name, name]),
        **entry,
        deps=[dg.AssetKey([plan.name, other]) for other in deps],
        backfill_policy=dg.BackfillPolicy.single_run(),
        code_version=plan.digest,
        pool=needs.pool,
        required_resource_keys=resource_keys(plan, needs),
    )
    def _materialise(context: dg.AssetExecutionContext):  # type: ignore[no-untyped-def] # as below
        run = run_of(context, plan, needs)
        span = stored_periods(run.plan, run.store)
        metadata = {"stored": "no partition of any table yet"} if span is None else metadata_of(run, *span)
        return dg.MaterializeResult(
            metadata={**metadata, **parameter_metadata(run.parameters)}, tags={CODE_VERSION: run.plan.digest}
        )

    return _materialise


def partitioned_asset(
    plan: Plan,
    name: str,
    partitions: dg.TimeWindowPartitionsDefinition | None,
    needs: Needs,
    *,
    entry: Entry,
    deps: Sequence[str],
    checks: Sequence[StoredCheck],
    rows: Callable[[Run, int, int], tuple[pa.Table | pa.RecordBatchReader | StateRows, Mapping[str, Any]]],
) -> dg.AssetsDefinition:
    """Return an asset that stores rows of periods, or without partitions a state, and the checks that judge what is stored
    of it.

    `rows(run, first, stop)` gives the rows, and metadata of them all, which the last partition of a materialisation has. The
    checks are judged when the rows are stored, and alone, of all that is stored, where only they are asked for.
    """
    key, step = dg.AssetKey([plan.name, name]), f"{plan.name}__{name}"

    @dg.multi_asset(
        name=step,
        outs={
            step: dg.AssetOut(
                key=key,
                dagster_type=dg.Any,  # whatever the store takes
                io_manager_key=needs.store,
                is_required=False,
                code_version=plan.digest,
                **entry,
            )
        },
        deps=[dg.AssetKey([plan.name, other]) for other in deps],
        partitions_def=partitions,
        backfill_policy=backfill_policy(),
        pool=needs.pool,
        required_resource_keys=resource_keys(plan, needs),
        check_specs=[check.spec(plan) for check in checks],
        can_subset=True,
    )
    def _materialise(context: dg.AssetExecutionContext):  # type: ignore[no-untyped-def] # an annotation would fix the output's type
        run = run_of(context, plan, needs)
        keys: list[str] | None = None  # where only checks are asked for
        if key in context.selected_asset_keys:
            keys = [WHOLE] if partitions is None else list(context.partition_keys)
        if keys is not None:
            run.findings.forget(name)
            with _as_far_as_can_be(context, "read", run.store):
                take_checkpoints(run.plan, run.store.folder)
            value, range_metadata = rows(run, *periods_between(plan, keys))
            if range_metadata:  # one partition tells what is of all: every one would have a copy
                last_key = None if partitions is None else keys[-1]
                context.add_asset_metadata(range_metadata, asset_key=key, partition_key=last_key)
            yield dg.MaterializeResult(
                asset_key=key,
                value=value,
                data_version=dg.DataVersion(f"{run.plan.digest}-{name}"),
                metadata=parameter_metadata(run.parameters),
                tags={CODE_VERSION: run.plan.digest},
            )
            with _as_far_as_can_be(context, "saved", run.store):
                save_checkpoints(run.plan, run.store.folder)  # the rows are stored by now
        names = {check.name for check in context.selected_asset_check_keys}
        yield from check_results(run, [check for check in checks if check.name in names], keys)

    return _materialise


@contextmanager
def _as_far_as_can_be(context: dg.AssetExecutionContext, action: str, store: Store) -> Iterator[None]:
    """Go on with a warning where a store fails: what is known of earlier periods only saves time."""
    try:
        yield
    except Exception as error:
        if failure_of(error, "a checkpoint", store.path) is None:
            raise
        context.log.warning(f"what is known of earlier periods is not {action}, which costs time only: {error}")


def check_results(run: Run, checks: Sequence[StoredCheck], keys: Sequence[str] | None) -> Iterator[dg.AssetCheckResult]:
    """Yield the results of checks over the partitions `keys`, or over all that is stored."""
    if not checks:
        return
    judge = judge_of(run, keys)
    yield from evaluations(judge, checks)


def judge_of(run: Run, keys: Sequence[str] | None) -> Judge:
    """Return the judge of the partitions `keys` of a run, or of all that is stored."""
    if keys is not None:
        first, stop = periods_between(run.plan, keys)
        return Judge(run.plan, run.store, run.findings, first, stop, tuple(keys), False, run.context.instance)
    first, stop = stored_periods(run.plan, run.store) or (run.plan.first, run.plan.first + 1)
    stored_keys = tuple(keys_between(run.plan, first, stop))
    return Judge(run.plan, run.store, run.findings, first, stop, stored_keys, True, run.context.instance)


def common_check_assets(plan: Plan, needs: Needs = SHARED_RESOURCES) -> list[dg.AssetChecksDefinition]:
    """Return the checks that need several tables, none of which is made from the others, as one step after them all; nothing
    where a config can trigger none."""
    checks_plan = check_plan(plan)
    if not checks_plan.common:
        return []
    table_questions = {
        *checks_plan.further_questions,
        *(question for check in checks_plan.common for question in check.all_questions),
    }
    table_names = sorted({name for question in table_questions for name in (question.table, *question.reads)})

    @dg.multi_asset_check(
        name=f"{plan.name}__checks",
        specs=[check.spec(plan, upstream_tables=table_names) for check in checks_plan.common],
        can_subset=True,
        required_resource_keys=resource_keys(plan, needs),
        pool=needs.pool,
        description=f"Checks of {plan.name} that look at several tables at once.",
    )
    def _judge(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        run = run_of(context, plan, needs)
        selected = context.selected_asset_check_keys
        checks = [check for check in checks_plan.common if check.key(plan) in selected]
        yield from evaluations(judge_of(run, run_keys(context.run, plan)), checks, checks_plan.further_questions)

    return [_judge]


def rows_to_store(plan: Plan, table: TablePlan, first: int, stop: int) -> pa.RecordBatchReader | StateRows:
    """Return the rows of a stage or a table in some periods; of a state that is kept by change, what may be asked for."""

    def whole() -> pa.RecordBatchReader:
        return pa.RecordBatchReader.from_batches(*batches(plan, table.name, first, stop))

    def changes() -> pa.RecordBatchReader:
        return pa.RecordBatchReader.from_batches(plan.schema(table), state_changes(plan, table, first, stop))

    if first == plan.first or not is_kept_by_change(table):
        return whole()
    return StateRows(moment_of(plan, first), plan.schema(table), changes, whole)


def _table_asset(
    plan: Plan,
    table: TablePlan,
    partitions: dg.TimeWindowPartitionsDefinition | None,
    layer: str,
    needs: Needs,
    checks_plan: CheckPlan | None,
) -> dg.AssetsDefinition:
    """Return the asset of a stage or a table."""

    def rows(run: Run, first: int, stop: int) -> tuple[pa.RecordBatchReader | StateRows, Mapping[str, Any]]:
        glance = stage_glance(run.plan, table.name, first, stop)
        metadata = (
            {}
            if glance is None
            else {"at_a_glance": drawing_metadata(table.name, [glance.drawing]), "glance_shows": glance.description}
        )
        together = run.passes.batches(run.plan, table.name, run_tables(run.context, run.plan), first, stop)
        if together is not None:
            return pa.RecordBatchReader.from_batches(run.plan.schema(table), together), metadata
        return rows_to_store(run.plan, table, first, stop), metadata

    return partitioned_asset(
        plan,
        table.name,
        partitions,
        needs,
        entry=entry_of_table(plan, table, layer, needs.store_kind),
        deps=upstream(plan, table),
        checks=[in_store(table.name), *([] if checks_plan is None else table_checks(checks_plan, table.name))],
        rows=rows,
    )
