"""What one new day costs, as a multiple of the average day of a full run: in a store that holds the days before, and alone.

    python -m benchmarks.increments                          # two years, and the same day after one and ten
    python -m benchmarks.increments --old /path/to/plotsim-0.5   # and version 0.5 beside it

Everything is CPU time of a process of its own, start-up apart: the plan is loaded and each table was made once, at scale 1.
What is stored goes into DuckDB as the bodies of the assets store it, without Dagster around it.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import plotsim_core
from benchmarks.isolated import cpu_seconds, measure
from plotsim_core import Plan
from plotsim_core.engine.block import Block
from plotsim_core.engine.cohorts import units_by
from plotsim_core.engine.slice import Slice

DATASETS = {"delivery": 100, "streaming": 20}
"""Dataset to scale."""
DAYS = 731
YEARS = (1, 10)


def plan_of(dataset: str, scale: float, days: int, seed: int | None = None) -> Plan:
    """Return a dataset whose window has so many days at least; archetypes take two years, as they do in it."""
    raw = plotsim_core.load_config(plotsim_core.template(dataset)).raw
    if "end" in raw["window"]:
        start = int(str(raw["window"]["start"])[:4])
        raw = {**raw, "window": {**raw["window"], "end": f"{start + days // 365}-12", "span": DAYS}}
    return plotsim_core.from_mapping({**raw, "scale": scale, "seed": seed or raw["seed"]}, name=dataset)


def warm_up(plan: Plan, days: int, stop: int) -> None:
    """Solve and draw what a process needs once: names and code by the tables of the last day from another seed, quantiles
    and shares by the metrics of another day. Nothing else is shared with what is measured."""
    other = plan_of(plan.name, plan.dataset.scale, days, seed=1)
    for table in other.tables:
        for _ in plotsim_core.batches(other, table.name, plan.first + stop - 1, plan.first + stop)[1]:
            pass
    for population in plan.kinds:
        day = plan.first + max(0, stop - 30)
        block = Block(population, Slice(day, day + 1, 0, units_by(population, day + 1)))
        for metric in range(len(population.metrics)):
            block.noised(metric)


def made(dataset: str, scale: float, first: int, stop: int) -> float:
    """Return the CPU seconds that all tables of some days take, counted from the first of the window."""
    plan = plan_of(dataset, scale, stop)
    warm_up(plan, stop, stop)
    start = time.process_time()
    for table in plan.tables:
        for _ in plotsim_core.batches(plan, table.name, plan.first + first, plan.first + stop)[1]:
            pass
    return time.process_time() - start


def made_on(dataset: str, scale: float, days: int, folder: str, first: int, stop: int) -> float:
    """Return the CPU seconds that the rows of some days take with what is known in a store, of a window that has so many
    days."""
    from plotsim_pipeline.assets.tables import rows_to_store
    from plotsim_pipeline.stores.checkpoints import take_checkpoints
    from plotsim_pipeline.stores.state_rows import StateRows

    plan = plan_of(dataset, scale, days)
    warm_up(plan, days, stop)
    start = time.process_time()
    take_checkpoints(plan, folder)
    for table in plan.tables:
        rows = rows_to_store(plan, table, plan.first + first, plan.first + stop)
        for _ in rows.changes() if isinstance(rows, StateRows) else rows:
            pass
    return time.process_time() - start


def stored(dataset: str, scale: float, days: int, folder: str, first: int, stop: int) -> float:
    """Return the CPU seconds that some days take in a store, of a window that has so many days."""
    import dagster as dg

    from plotsim_core.output.partitions import keys_between
    from plotsim_pipeline.assets.tables import rows_to_store
    from plotsim_pipeline.partitions import partitions_for
    from plotsim_pipeline.stores.checkpoints import save_checkpoints, take_checkpoints
    from plotsim_pipeline.stores.duckdb import DuckDBStore
    from plotsim_pipeline.stores.placement import ROW_KEY, placement_metadata
    from plotsim_pipeline.stores.state_rows import StateRows

    plan = plan_of(dataset, scale, days)
    warm_up(plan, days, stop)
    store = DuckDBStore(path=f"{folder}/store.duckdb")
    partitions = partitions_for(plan)
    assert isinstance(partitions, dg.TimeWindowPartitionsDefinition)
    keys = keys_between(plan, plan.first + first, plan.first + stop)
    edges = [partitions.time_window_for_partition_key(key) for key in keys]
    bounds = tuple(int(f"{moment:%Y%m%d}") for moment in [*(edge.start for edge in edges), edges[-1].end])
    start = time.process_time()
    for table in plan.tables:
        take_checkpoints(plan, store.folder)
        placement = replace(
            placement_metadata(plan, table.name, table.time, table.key)[ROW_KEY].placement,
            keys=tuple(keys),
            bounds=bounds,
            as_of=f"{edges[-1].end:%Y-%m-%d %H:%M:%S}",
        )
        rows = rows_to_store(plan, table, plan.first + first, plan.first + stop)
        if isinstance(rows, StateRows):
            is_known = store.state_moment(placement, rows.schema) == rows.since
            placement = replace(placement, since=rows.since) if is_known else placement
            rows = rows.changes() if is_known else rows.whole()
        store.write(placement, rows)
        save_checkpoints(plan, store.folder)
    return time.process_time() - start


def figures(dataset: str, scale: float, old: Path | None) -> list[dict[str, Any]]:
    """Return the rows of the table of a dataset."""
    versions = {"alone, version 0.5": old, "alone": None} if old is not None else {"alone": None}
    spans = (0, DAYS), (DAYS - 1, DAYS)
    rows = []
    for what, folder in versions.items():
        whole, day = (cpu_seconds("increments", "made", dataset, scale, *span, old=folder) for span in spans)
        rows.append(_row(dataset, what, whole, day))
    window = 365 * YEARS[-1] + 30
    first_year: dict[str, float] = {}
    for days in (DAYS, *(365 * year for year in YEARS)):
        with tempfile.TemporaryDirectory() as place:
            before = cpu_seconds("increments", "stored", dataset, scale, window, place, 0, days - 1)
            # a day that is not measured: DuckDB puts the file in order once after a large load
            cpu_seconds("increments", "stored", dataset, scale, window, place, days - 1, days)
            costs = {"stored": before * days / (days - 1), "made": whole}
            for function in ("made", "stored"):
                name = "made_on" if function == "made" else function
                day = cpu_seconds("increments", name, dataset, scale, window, place, days, days + 1)
                row = _row(dataset, f"{function}, after {days:,} days", costs[function], day, days)
                if days == 365:
                    first_year[function] = day
                elif days > DAYS:
                    row["of year 1"] = round(day / first_year[function], 2)
                rows.append(row)
    return rows


def _row(dataset: str, what: str, whole: float, day: float, days: int = DAYS) -> dict[str, Any]:
    average = whole / (DAYS if what.startswith(("alone", "made")) else days)
    return {
        "dataset": dataset,
        "a day": what,
        "average days": round(day / average, 1),
        "of the full run": f"{day / whole:.1%}",
        "of year 1": None,
    }


def main() -> None:
    functions: dict[str, Callable[..., float]] = {"made": made, "made_on": made_on, "stored": stored}
    measure("increments", __doc__, functions, figures, DATASETS, "a checkout of version 0.5")


if __name__ == "__main__":
    main()
