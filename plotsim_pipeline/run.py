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
from plotsim_pipeline.datasets import definitions_of, load_dataset
from plotsim_pipeline.dead import end_dead_runs
from plotsim_pipeline.home import batched_instance, command
from plotsim_pipeline.manifest import MANIFEST
from plotsim_pipeline.parameters import expected_rows, plan_with, refuse_mixture
from plotsim_pipeline.partitions import RANGE, window_keys
from plotsim_pipeline.reconcile import VALIDATION_REPORT
from plotsim_pipeline.report import OVERVIEW
from plotsim_pipeline.runs import LOCATION, PARAMETERS_TAG, REPOSITORY, REPOSITORY_TAG, give_origin
from plotsim_pipeline.status import Step, TableStatus, between, chosen, statuses, steps
from plotsim_pipeline.stores import store_from_environment
from plotsim_pipeline.stores.columns import remedy
from plotsim_pipeline.stores.store import Store
from plotsim_pipeline.verify import verified

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
    at_once: int | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Found:
    """What there is of what is asked for: the plan as the config has it, and as it is made, and where it is stored."""

    base: Plan
    plan: Plan
    store: Store
    keys: tuple[str, ...]
    tables: tuple[TableStatus, ...]


def find(request: Request) -> Found:
    """Return what there is of what is asked for. Raises UsageError or ConfigError for what cannot be."""
    base = load_dataset(request.dataset)
    plan = plan_with(base, request.parameters)
    store = store_from_environment()
    keys = between(plan, window_keys(plan, datetime.now(UTC)), request.partitions)
    tables = statuses(plan, store, keys)
    if request.verify:
        only = chosen(plan, request.tables)
        chosen_tables = [table for table in tables if not only or table.table in only]
        checked = {table.table: table for table in verified(plan, store, keys, chosen_tables)}
        tables = [checked.get(table.table, table) for table in tables]
    return Found(base, plan, store, tuple(keys), tuple(tables))


def planned(request: Request, found: Found, instance: dg.DagsterInstance) -> list[Step]:
    """Return the runs that do what is asked. Raises Failure where its parameters contradict what is stored."""
    changed = found.plan.digest != found.base.digest
    todo = steps(
        found.plan,
        found.tables,
        found.keys,
        instance,
        everything=request.everything,
        only=chosen(found.plan, request.tables),
        at_once=None if changed else request.at_once,
        one=changed,  # each run is judged by what it replaces
    )
    if changed and todo:
        made = {name for step in todo for name in step.assets}
        refuse_mixture(found.plan, found.store, found.store.records(found.plan.name), made, todo[0].keys)
    return todo


def obstacles(request: Request, found: Found) -> dict[str, str]:
    """Return why stored tables of those that are asked for cannot take the rows of the config, by table."""
    only = chosen(found.plan, request.tables)
    return {t.table: t.obstacle for t in found.tables if t.obstacle is not None and (not only or t.table in only)}


def recreate(request: Request, found: Found, console: Console) -> Found:
    """Take the tables away that cannot take the rows of the config, so that all of their partitions are missing; return what
    there is now."""
    reasons = obstacles(request, found)
    if request.partitions is not None and reasons:
        raise UsageError("--recreate makes all partitions of a table anew: leave --partition-range away")
    for table, reason in reasons.items():
        console.print(f"{found.plan.name}.{table} is made anew: {reason}", soft_wrap=True)
        found.store.drop(found.plan.name, table)
    return find(request) if reasons else found


def materialise(
    plan: Plan, step: Step, progress: Callable[[str, str], None], parameters: Mapping[str, Any] | None = None
) -> dict[str, float]:
    """Make a step in one run on the instance; return the seconds of each asset.

    `progress(event, asset)` is told when an asset's step starts ("start"), and how it ends ("done" or "failed"). Raises
    Failure with what was wrong.
    """
    job = definitions_of([plan], given=parameters).resolve_job_def(plan.name)
    seconds: dict[str, float] = {}
    begun: dict[str, float] = {}

    def listen(entry: dg.EventLogEntry) -> None:
        event = entry.dagster_event
        if event is not None and event.event_type == dg.DagsterEventType.RUN_START:
            give_origin(instance, run_id)
        if event is None or event.step_key is None:
            return
        name = event.step_key.removeprefix(f"{plan.name}__")
        if event.event_type_value == "STEP_START":
            begun[name] = time.perf_counter()
            progress("start", name)
        elif event.event_type_value in ("STEP_SUCCESS", "STEP_FAILURE"):
            seconds[name] = time.perf_counter() - begun.get(name, time.perf_counter())
            progress("done" if event.event_type_value == "STEP_SUCCESS" else "failed", name)

    tags = dict(zip(RANGE, (step.keys[0], step.keys[-1]), strict=True)) if step.keys else {}
    tags[REPOSITORY_TAG] = f"{REPOSITORY}@{LOCATION}"
    config: dict[str, Any] = {"loggers": _LOGGERS}
    if parameters:
        tags[PARAMETERS_TAG] = json.dumps(dict(parameters), sort_keys=True)
    run_id = str(uuid4())
    with batched_instance() as instance:
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
        raise RunFailed(next(_failures(plan, result), "the run failed"))
    return seconds


def _failures(plan: Plan, result: dg.ExecuteInProcessResult) -> Iterator[str]:
    """Yield what was wrong in the end in each step that failed, in a line."""
    for event in result.filter_events(lambda event: event.is_step_failure):
        error = event.step_failure_data.error
        while error is not None and error.cause is not None and error.cls_name != dg.Failure.__name__:
            error = error.cause
        if error is not None and error.cls_name == dg.DagsterExecutionInterruptedError.__name__:
            raise KeyboardInterrupt
        if error is not None:
            name = (event.step_key or "").removeprefix(f"{plan.name}__")
            said = error.message.strip().removeprefix(f"{dg.Failure.__module__}.{dg.Failure.__name__}: ")
            yield f"{plan.name}.{name}: {said}"


def run(request: Request, console: Console, dry: bool = False) -> None:
    """Make what is missing and stale of what is asked for, and print what is there; if it is a `dry` run, print what would
    be made."""
    found = find(request)
    reasons = obstacles(request, found)
    if request.recreate and not dry:
        found = recreate(request, found, console)
    elif reasons and not request.recreate:
        lines = (f"{found.plan.name}.{name}: {reason}. {remedy(found.plan.name, name)}" for name, reason in reasons.items())
        raise UsageError("\n".join(lines))
    with dg.DagsterInstance.get() as instance:
        end_dead_runs(instance)
        todo = planned(request, found, instance)
    name = found.plan.name
    if "target_rows" in request.parameters:
        console.print(_aimed(found.plan, request.parameters["target_rows"]), soft_wrap=True)
    if not todo:
        console.print(f"[bold]{name}[/] is whole and made from this config: nothing to do.")
    elif dry or len(todo) > 1 or todo[0].keys != found.keys:
        console.print(f"[bold]{name}[/]: {'would make' if dry else 'makes'}, in {len(todo)} run{'s'[: len(todo) != 1]},")
        for step in todo:
            console.print(f"  {step}", soft_wrap=True)
    if dry:
        return
    seconds: dict[str, float] = {}
    for step in todo:
        for asset, spent in _with_progress(found.plan, step, request.parameters, console).items():
            seconds[asset] = seconds.get(asset, 0.0) + spent
    _summary(found.plan, found.store, statuses(found.plan, found.store, found.keys), seconds, console)


def _aimed(plan: Plan, rows: int) -> str:
    expected = expected_rows(plan)
    return (
        f"{plan.name}: scale {plan.dataset.scale:g} gives about {expected:,} rows ({expected / rows - 1:+.1%} of {rows:,})"
    )


def _with_progress(plan: Plan, step: Step, parameters: Mapping[str, Any], console: Console) -> dict[str, float]:
    if not console.is_terminal:
        begun = time.perf_counter()
        return materialise(plan, step, partial(_say, plan, console, begun), parameters)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(f"{plan.name}: starting", total=len(step.assets))

        def show(event: str, name: str) -> None:
            if event == "start":
                bar.update(task, description=f"{plan.name}: {name}")
            else:
                bar.advance(task)

        return materialise(plan, step, show, parameters)


def _say(plan: Plan, console: Console, begun: float, event: str, name: str) -> None:
    """Tell the progress in lines, where nothing can be drawn."""
    if event != "start":
        console.print(f"{plan.name}.{name}: {event} after {time.perf_counter() - begun:.1f} s", soft_wrap=True)


def _summary(
    plan: Plan, store: Store, tables: Sequence[TableStatus], seconds: Mapping[str, float], console: Console
) -> None:
    shown = Table(title=f"{plan.name}: {plan.dataset.about}", title_justify="left")
    shown.add_column("table")
    for heading in ("rows", "partitions", "seconds"):
        shown.add_column(heading, justify="right")
    for table in tables:
        if table.table == VALIDATION_REPORT:
            continue
        took = f"{seconds[table.table]:.2f}" if table.table in seconds else ""
        many = len(table.made) + len(table.due)
        there = ("as of the latest" if table.made else "none") if table.state else f"{len(table.made)} of {many}"
        shown.add_row(table.table, f"{table.rows:,}", there, took)
    for name in (VALIDATION_REPORT, OVERVIEW, MANIFEST):
        if name in seconds:
            shown.add_row(name, "", "", f"{seconds[name]:.2f}", style="dim")
    console.print(shown)
    console.print(f"Stored in [bold]{store.path}[/]", soft_wrap=True)
    console.print(f"A first query:   {command('query', first_query(plan))}", soft_wrap=True)
    console.print(f"The Dagster UI:  {command('ui')}")


def first_query(plan: Plan) -> str:
    """Return a query worth starting with: how the metrics of the first fact move over time, or how many events there are."""
    timed = [table for table in (plan.clean or plan).tables if table.time is not None and table.kind != "date"]
    first = next((table for table in timed if table.kind == "fact"), timed[0] if timed else plan.tables[0])
    metrics = [column.name for column in first.columns if column.spec.word == "metric"][:2]
    shown = [*filter(None, [first.time]), "count(*) AS rows", *(f"round(avg({name}), 2) AS {name}" for name in metrics)]
    return f"SELECT {', '.join(shown)} FROM {plan.name}.{first.name} GROUP BY ALL ORDER BY ALL"
