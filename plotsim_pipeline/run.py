"""Materialise a dataset through Dagster from the command line, with progress, and say what is there now."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from uuid import uuid4

import dagster as dg
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from plotsim_core import Plan
from plotsim_core.plan.plan import TablePlan
from plotsim_pipeline.datasets import definitions_of, load_dataset
from plotsim_pipeline.manifest import MANIFEST, manifest_assets
from plotsim_pipeline.partitions import key_of
from plotsim_pipeline.report import OVERVIEW, VALIDATION_REPORT
from plotsim_pipeline.schedules import latest_complete
from plotsim_pipeline.stores import store_from_environment
from plotsim_pipeline.stores.store import Store

_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
_CODE_VERSION = "dagster/code_version"
_RANGE = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


@dataclass(frozen=True)
class Held:
    """What a store holds of one table: rows, partitions (of how many), and whether that is all the config asks for."""

    name: str
    rows: int
    partitions: str
    whole: bool


def window_keys(plan: Plan) -> list[str]:
    """Return the partition keys of a dataset: of its whole window, or up to the latest complete period if it is open."""
    stop = plan.stop if plan.stop is not None else latest_complete(plan, datetime.now(UTC)) + 1
    return [key_of(plan, period) for period in range(plan.first, stop)]


def held(plan: Plan, store: Store, keys: list[str]) -> list[Held]:
    """Return what the store holds of each table of a dataset."""
    kept = store.held(plan.name)
    return [_held(plan, table, kept.get(table.name, {}), keys) for table in plan.tables]


def _held(plan: Plan, table: TablePlan, kept: dict[str, tuple[int, str]], keys: list[str]) -> Held:
    rows = sum(count for count, _ in kept.values())
    current = {key for key, (_, digest) in kept.items() if digest == plan.digest}
    if table.time is None:
        return Held(table.name, rows, "as of the latest" if kept else "none", bool(current))
    return Held(table.name, rows, f"{len(kept)} of {len(keys)}", current.issuperset(keys))


def reported(plan: Plan, instance: dg.DagsterInstance) -> bool:
    """Return whether an instance knows report, overview and manifest of a dataset as it is now."""
    names = [VALIDATION_REPORT, OVERVIEW, *(asset.key.path[-1] for asset in manifest_assets(plan))]
    events = [instance.get_latest_materialization_event(dg.AssetKey([plan.name, name])) for name in names]
    made = [event.asset_materialization for event in events if event is not None]
    current = [found is not None and (found.tags or {}).get(_CODE_VERSION) == plan.digest for found in made]
    return len(current) == len(names) and all(current)


def materialise(plan: Plan, keys: list[str], progress: Callable[[str, str], None]) -> dict[str, float]:
    """Run a dataset's job over a range of partitions on the instance; return the seconds of each asset.

    `progress(event, asset)` is told when an asset's step starts ("start"), and how it ends ("done" or "failed"). Raises
    Failure with what was wrong.
    """
    job = definitions_of([plan]).resolve_job_def(plan.name)
    seconds: dict[str, float] = {}
    begun: dict[str, float] = {}

    def listen(entry: dg.EventLogEntry) -> None:
        event = entry.dagster_event
        if event is None or event.step_key is None:
            return
        name = event.step_key.removeprefix(f"{plan.name}__")
        if event.event_type_value == "STEP_START":
            begun[name] = time.perf_counter()
            progress("start", name)
        elif event.event_type_value in ("STEP_SUCCESS", "STEP_FAILURE"):
            seconds[name] = time.perf_counter() - begun.get(name, time.perf_counter())
            progress("done" if event.event_type_value == "STEP_SUCCESS" else "failed", name)

    run_id = str(uuid4())
    with dg.DagsterInstance.get() as instance:
        instance.add_event_listener(run_id, listen)
        result = job.execute_in_process(
            instance=instance,
            run_id=run_id,
            run_config=_QUIET,
            tags=dict(zip(_RANGE, (keys[0], keys[-1]), strict=True)),
            raise_on_error=False,
        )
    if not result.success:
        raise dg.Failure(next(_failures(plan, result), "the run failed"))
    return seconds


def _failures(plan: Plan, result: dg.ExecuteInProcessResult) -> Iterator[str]:
    """Yield what was wrong in the end in each step that failed, in a line."""
    for event in result.filter_events(lambda event: event.is_step_failure):
        error = event.step_failure_data.error
        while error is not None and error.cause is not None:
            error = error.cause
        if error is not None and error.cls_name == dg.DagsterExecutionInterruptedError.__name__:
            raise KeyboardInterrupt
        if error is not None:
            yield f"{(event.step_key or '').removeprefix(f'{plan.name}__')}: {error.message.strip()}"


def run(name: str, console: Console) -> None:
    """Make what is missing of a dataset and print what is there."""
    plan = load_dataset(name)
    store = store_from_environment()
    keys = window_keys(plan)
    seconds: dict[str, float] = {}
    with dg.DagsterInstance.get() as instance:
        whole = all(table.whole for table in held(plan, store, keys)) and reported(plan, instance)
    if whole:
        console.print(f"[bold]{plan.name}[/] is whole and made from this config: nothing to do.")
    else:
        seconds = _with_progress(plan, keys, console)
    _summary(plan, store, held(plan, store, keys), seconds, console)


def _with_progress(plan: Plan, keys: list[str], console: Console) -> dict[str, float]:
    if not console.is_terminal:
        begun = time.perf_counter()
        return materialise(plan, keys, partial(_say, plan, console, begun))
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(f"{plan.name}: starting", total=len(plan.tables) + 3)

        def show(event: str, name: str) -> None:
            if event == "start":
                bar.update(task, description=f"{plan.name}: {name}")
            else:
                bar.advance(task)

        return materialise(plan, keys, show)


def _say(plan: Plan, console: Console, begun: float, event: str, name: str) -> None:
    """Tell the progress in lines, where nothing can be drawn."""
    if event != "start":
        console.print(f"{plan.name}.{name}: {event} after {time.perf_counter() - begun:.1f} s", soft_wrap=True)


def _summary(plan: Plan, store: Store, tables: list[Held], seconds: dict[str, float], console: Console) -> None:
    shown = Table(title=f"{plan.name}: {plan.dataset.about}", title_justify="left")
    shown.add_column("table")
    for heading in ("rows", "partitions", "seconds"):
        shown.add_column(heading, justify="right")
    for table in tables:
        took = f"{seconds[table.name]:.2f}" if table.name in seconds else ""
        shown.add_row(table.name, f"{table.rows:,}", table.partitions, took)
    for name in (VALIDATION_REPORT, OVERVIEW, MANIFEST):
        if name in seconds:
            shown.add_row(name, "", "", f"{seconds[name]:.2f}", style="dim")
    console.print(shown)
    console.print(f"Stored in [bold]{store.path}[/]", soft_wrap=True)
    console.print(f'A first query:   make query SQL="{first_query(plan)}"', soft_wrap=True)
    console.print("The Dagster UI:  make ui")


def first_query(plan: Plan) -> str:
    """Return a query worth starting with: how the metrics of the first fact move over time, or how many events there are."""
    timed = [table for table in plan.tables if table.time is not None and table.kind != "date"]
    first = next((table for table in timed if table.kind == "fact"), timed[0] if timed else plan.tables[0])
    metrics = [column.name for column in first.columns if column.spec.word == "metric"][:2]
    shown = [*filter(None, [first.time]), "count(*) AS rows", *(f"round(avg({name}), 2) AS {name}" for name in metrics)]
    return f"SELECT {', '.join(shown)} FROM {plan.name}.{first.name} GROUP BY ALL ORDER BY ALL"
