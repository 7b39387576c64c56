"""Materialise what is missing of a dataset through Dagster from the command line, and say what is there now."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import uuid4

import dagster as dg
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from plotsim_core import Plan, UsageError
from plotsim_core.output.partitions import WHOLE
from plotsim_pipeline.assets.manifest import MANIFEST
from plotsim_pipeline.assets.report import OVERVIEW
from plotsim_pipeline.commands.status import Step, TableStatus, chosen, keys_in_range, statuses, steps
from plotsim_pipeline.commands.verify import verified_statuses
from plotsim_pipeline.dagster_home import batched_instance, command
from plotsim_pipeline.datasets import definitions_of, load_dataset
from plotsim_pipeline.parameters import expected_rows, plan_with, refuse_mixture
from plotsim_pipeline.partitions import RANGE, window_keys
from plotsim_pipeline.runs import LOCATION, PARAMETERS_TAG, REPOSITORY, REPOSITORY_TAG, give_origin
from plotsim_pipeline.sensors.killed_runs import end_dead_runs
from plotsim_pipeline.sensors.reconcile import VALIDATION_REPORT
from plotsim_pipeline.stores import store_from_environment
from plotsim_pipeline.stores.columns import remedy
from plotsim_pipeline.stores.store import Store

_LOGGERS = {"console": {"config": {"log_level": "CRITICAL"}}}


class RunFailed(dg.Failure):
    """A run failed, and its log is in the instance."""


@dataclass(frozen=True)
class Request:
    """What is asked of a run: a dataset, which partitions (`A...B`) and tables (`a,b`) of it, whether what is there is made
    again (`everything`), whether tables that cannot take its rows are made anew (`recreate`), whether stored rows are
    compared with those that the config makes (`verify`), how many partitions at a time, and what is made otherwise than the
    config says."""

    dataset: str
    partitions: str | None = None
    tables: str | None = None
    everything: bool = False
    recreate: bool = False
    verify: bool = False
    max_partitions: int | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Inventory:
    """What there is of what is asked for: the plan as the config has it, and as it is made, and where it is stored."""

    base: Plan
    plan: Plan
    store: Store
    keys: tuple[str, ...]
    tables: tuple[TableStatus, ...]


def inventory_of(request: Request) -> Inventory:
    """Return what there is of what is asked for. Raises UsageError or ConfigError for what cannot be."""
    base = load_dataset(request.dataset)
    plan = plan_with(base, request.parameters)
    store = store_from_environment()
    keys = keys_in_range(plan, window_keys(plan, datetime.now(UTC)), request.partitions)
    tables = statuses(plan, store, keys)
    if request.verify:
        table_names = chosen(plan, request.tables)
        chosen_tables = [table for table in tables if not table_names or table.table in table_names]
        verified_tables = {table.table: table for table in verified_statuses(plan, store, keys, chosen_tables)}
        tables = [verified_tables.get(table.table, table) for table in tables]
    return Inventory(base, plan, store, tuple(keys), tuple(tables))


def planned_steps(request: Request, inventory: Inventory, instance: dg.DagsterInstance) -> list[Step]:
    """Return the runs that do what is asked. Raises Failure where its parameters contradict what is stored."""
    is_changed = inventory.plan.digest != inventory.base.digest
    todo = steps(
        inventory.plan,
        inventory.tables,
        inventory.keys,
        instance,
        everything=request.everything,
        only_tables=chosen(inventory.plan, request.tables),
        max_partitions=None if is_changed else request.max_partitions,
        in_one_run=is_changed,  # each run is judged by what it replaces
    )
    if is_changed and todo:
        asset_names = {name for step in todo for name in step.assets}
        refuse_mixture(
            inventory.plan, inventory.store, inventory.store.records(inventory.plan.name), asset_names, todo[0].keys
        )
    return todo


def obstacles(request: Request, inventory: Inventory) -> dict[str, str]:
    """Return why stored tables of those that are asked for cannot take the rows of the config, by table."""
    table_names = chosen(inventory.plan, request.tables)
    return {
        t.table: t.obstacle
        for t in inventory.tables
        if t.obstacle is not None and (not table_names or t.table in table_names)
    }


def recreate(request: Request, inventory: Inventory, console: Console) -> Inventory:
    """Take the tables away that cannot take the rows of the config, so that all of their partitions are missing; return what
    there is now."""
    reasons = obstacles(request, inventory)
    if request.partitions is not None and reasons:
        raise UsageError("--recreate makes all partitions of a table anew: leave --partition-range away")
    for table, reason in reasons.items():
        console.print(f"{inventory.plan.name}.{table} is made anew: {reason}", soft_wrap=True)
        inventory.store.drop(inventory.plan.name, table)
    return inventory_of(request) if reasons else inventory


def materialise(
    instance: dg.DagsterInstance, plan: Plan, step: Step, progress: Callable[[str, str], None], parameters: Mapping[str, Any]
) -> dict[str, float]:
    """Make a step in one run on an instance; return the seconds of each asset.

    `progress(event, asset)` is told when an asset's step starts ("start"), and how it ends ("done" or "failed"). Raises
    Failure with what was wrong.
    """
    job = definitions_of([plan], parameters=parameters).resolve_job_def(plan.name)
    seconds: dict[str, float] = {}
    start_times: dict[str, float] = {}

    def listen(entry: dg.EventLogEntry) -> None:
        event = entry.dagster_event
        if event is not None and event.event_type == dg.DagsterEventType.RUN_START:
            give_origin(instance, run_id)
        if event is None or event.step_key is None:
            return
        name = event.step_key.removeprefix(f"{plan.name}__")
        if event.event_type_value == "STEP_START":
            start_times[name] = time.perf_counter()
            progress("start", name)
        elif event.event_type_value in ("STEP_SUCCESS", "STEP_FAILURE"):
            seconds[name] = time.perf_counter() - start_times.get(name, time.perf_counter())
            progress("done" if event.event_type_value == "STEP_SUCCESS" else "failed", name)

    tags = dict(zip(RANGE, (step.keys[0], step.keys[-1]), strict=True)) if step.keys and plan.has_window else {}
    tags[REPOSITORY_TAG] = f"{REPOSITORY}@{LOCATION}"
    config: dict[str, Any] = {"loggers": _LOGGERS}
    if parameters:
        tags[PARAMETERS_TAG] = json.dumps(dict(parameters), sort_keys=True)
    run_id = str(uuid4())
    instance.add_event_listener(run_id, listen)
    result = job.execute_in_process(
        instance=instance,
        run_id=run_id,
        run_config=config,
        tags=tags,
        asset_selection=[dg.AssetKey([plan.name, name]) for name in step.assets],
        raise_on_error=False,
    )
    if not result.success:
        raise RunFailed(next(_failure_messages(plan, result), "the run failed"))
    return seconds


def _failure_messages(plan: Plan, result: dg.ExecuteInProcessResult) -> Iterator[str]:
    """Yield the root cause of each failed step as one line."""
    for event in result.filter_events(lambda event: event.is_step_failure):
        error = event.step_failure_data.error
        while error is not None and error.cause is not None and error.cls_name != dg.Failure.__name__:
            error = error.cause
        if error is not None and error.cls_name == dg.DagsterExecutionInterruptedError.__name__:
            raise KeyboardInterrupt
        if error is not None:
            name = (event.step_key or "").removeprefix(f"{plan.name}__")
            message = error.message.strip().removeprefix(f"{dg.Failure.__module__}.{dg.Failure.__name__}: ")
            yield f"{plan.name}.{name}: {message}"


def run(request: Request, console: Console, dry: bool = False) -> None:
    """Make what is missing and stale of what is asked for, and print what is there; if it is a `dry` run, print what would
    be made."""
    inventory = inventory_of(request)
    reasons = obstacles(request, inventory)
    if request.recreate and not dry:
        inventory = recreate(request, inventory, console)
    elif reasons and not request.recreate:
        lines = (
            f"{inventory.plan.name}.{name}: {reason}. {remedy(inventory.plan.name, name)}"
            for name, reason in reasons.items()
        )
        raise UsageError("\n".join(lines))
    seconds: dict[str, float] = {}
    with batched_instance() as instance:
        end_dead_runs(instance)
        todo = planned_steps(request, inventory, instance)
        _print_steps(request, inventory, todo, console, dry)
        for step in [] if dry else todo:
            for asset, duration in _materialise_with_progress(instance, inventory.plan, step, request, console).items():
                seconds[asset] = seconds.get(asset, 0.0) + duration
    if not dry:
        tables = statuses(inventory.plan, inventory.store, inventory.keys) if todo else inventory.tables
        _print_summary(inventory.plan, inventory.store, tables, seconds, console)


def _print_steps(request: Request, inventory: Inventory, todo: Sequence[Step], console: Console, dry: bool) -> None:
    """Print the runs that make what is asked for, or would make it, where they are not one of all partitions."""
    name = inventory.plan.name
    if "target_rows" in request.parameters:
        console.print(_rows_note(inventory.plan, request.parameters["target_rows"]), soft_wrap=True)
    if not todo:
        console.print(f"[bold]{name}[/] is whole and made from this config: nothing to do.")
    elif dry or len(todo) > 1 or todo[0].keys != inventory.keys:
        console.print(f"[bold]{name}[/]: {'would make' if dry else 'makes'}, in {len(todo)} run{'s'[: len(todo) != 1]},")
        for step in todo:
            console.print(f"  {step}", soft_wrap=True)


def _rows_note(plan: Plan, rows: int) -> str:
    expected = expected_rows(plan)
    return (
        f"{plan.name}: scale {plan.dataset.scale:g} gives about {expected:,} rows ({expected / rows - 1:+.1%} of {rows:,})"
    )


def _materialise_with_progress(
    instance: dg.DagsterInstance, plan: Plan, step: Step, request: Request, console: Console
) -> dict[str, float]:
    if not console.is_terminal:
        start_time = time.perf_counter()
        show_line = partial(_print_progress, plan, console, start_time)
        return materialise(instance, plan, step, show_line, request.parameters)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(f"{plan.name}: starting", total=len(step.assets))

        def show(event: str, name: str) -> None:
            if event == "start":
                bar.update(task, description=f"{plan.name}: {name}")
            else:
                bar.advance(task)

        return materialise(instance, plan, step, show, request.parameters)


def _print_progress(plan: Plan, console: Console, start_time: float, event: str, name: str) -> None:
    """Print progress as lines, where the console is no terminal."""
    if event != "start":
        console.print(f"{plan.name}.{name}: {event} after {time.perf_counter() - start_time:.1f} s", soft_wrap=True)


def _print_summary(
    plan: Plan, store: Store, tables: Sequence[TableStatus], seconds: Mapping[str, float], console: Console
) -> None:
    summary = Table(title=f"{plan.name}: {plan.dataset.about}", title_justify="left")
    summary.add_column("table")
    for heading in ("rows", "partitions", "seconds"):
        summary.add_column(heading, justify="right")
    for table in tables:
        if table.table == VALIDATION_REPORT:
            continue
        duration = f"{seconds[table.table]:.2f}" if table.table in seconds else ""
        partition_count = len(table.made_keys) + len(table.due)
        made_text = (
            (_state_text(plan) if table.made_keys else "none")
            if table.is_state
            else f"{len(table.made_keys)} of {partition_count}"
        )
        summary.add_row(table.table, f"{table.rows:,}", made_text, duration)
    for name in (VALIDATION_REPORT, OVERVIEW, MANIFEST):
        if name in seconds:
            summary.add_row(name, "", "", f"{seconds[name]:.2f}", style="dim")
    console.print(summary)
    console.print(f"Stored in [bold]{store.path}[/]", soft_wrap=True)
    console.print(f"A first query:   {command('query', first_query(plan))}", soft_wrap=True)
    console.print(f"The Dagster UI:  {command('ui')}")


def _state_text(plan: Plan) -> str:
    return "as of the latest" if plan.has_window else WHOLE


def first_query(plan: Plan) -> str:
    """Return a query worth starting with: how the metrics of the first fact move over time, or how many events there are.
    Where nothing has a time it shows some rows."""
    timed_tables = [table for table in plan.clean.tables if table.time is not None and not table.spec.is_date_dimension]
    first_table = next(
        (table for table in timed_tables if table.spec.is_per_cell), timed_tables[0] if timed_tables else plan.tables[0]
    )
    if first_table.time is None:
        return f"SELECT * FROM {plan.name}.{first_table.name} LIMIT 5"
    metrics = list(first_table.stored_metrics)[:2]
    expressions = [
        first_table.time,
        "count(*) AS rows",
        *(f"round(avg({name}), 2) AS {name}" for name in metrics),
    ]
    return f"SELECT {', '.join(expressions)} FROM {plan.name}.{first_table.name} GROUP BY ALL ORDER BY ALL"
