"""Rows per second, stage by stage, table by table and from the config to Parquet; then every table kind and every column
source on its own, and the slowest ten of them.

    python benchmarks/speed.py            # scales 1 and 100
    python benchmarks/speed.py 10 50      # these scales
    python benchmarks/speed.py --full     # 1, 100 and 1000

Each scale is measured in a process of its own. The page is printed and written to benchmarks/results.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import pyarrow as pa

import plotsim_core
from plotsim_core.columns.source import ColumnSource
from plotsim_core.engine.block import Block
from plotsim_core.engine.slice import full_slice
from plotsim_core.plan.plan import Plan, TablePlan
from plotsim_core.tables.kind import table_kind

TEMPLATE = "saas"
EVERYTHING = Path(__file__).with_name("everything.yaml")
SCALE = 500
"""Of EVERYTHING: so many times forty clients."""
RESULTS = Path(__file__).with_name("results.md")
STAGES = ("trajectories", "metrics", "correlated_metrics", "noised_metrics")
MEASURE = ("fact", "metric")
"""The kind and the source that the others are compared to."""
SLOWEST, ENOUGH = 10, 2000


def measure(scale: float) -> dict[str, Any]:
    """Return {what: [rows, CPU seconds]} and the peak memory in MB of one scale, in this process."""
    path = plotsim_core.template(TEMPLATE)
    start = time.process_time()
    plan = plotsim_core.load_config(path, scale=scale)
    with tempfile.TemporaryDirectory() as directory:
        written = plotsim_core.write_tables(plan, directory, format="parquet")
    figures = {"config to Parquet": [sum(written.values()), time.process_time() - start]}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    for seed, name in enumerate((*STAGES, *(table.name for table in plan.tables))):
        fresh = plotsim_core.load_config(path, scale=scale, seed=seed)  # another seed shares no work with the one before
        start = time.process_time()
        rows = sum(batch.num_rows for batch in plotsim_core.batches(fresh, name)[1])
        figures[name] = [rows, time.process_time() - start]
    return {"units": plan.population.units, "peak": peak, "found": figures}


def pieces() -> dict[str, Any]:
    """Return {what: [rows or values, CPU seconds]} of every table kind and of every column source, on one core.

    A kind is all of its table, with its columns and what they need of the engine. A source is its columns alone: what the
    engine makes of metrics is there before.
    """
    pa.set_cpu_count(1)
    plotsim_core.generate_tables(plotsim_core.load_config(EVERYTHING))  # what is solved once is solved before
    kinds: dict[str, list[float]] = defaultdict(lambda: [0, 0.0])
    names = [table.name for table in plotsim_core.load_config(EVERYTHING).tables]
    for seed, name in enumerate(names):
        plan = plotsim_core.load_config(EVERYTHING, scale=SCALE, seed=seed)
        start = time.process_time()
        rows = sum(batch.num_rows for batch in plotsim_core.batches(plan, name)[1])
        _add(kinds[_kind(plan.table(name))], rows, time.process_time() - start)
    sources: dict[str, list[float]] = defaultdict(lambda: [0, 0.0])
    plan = plotsim_core.load_config(EVERYTHING, scale=SCALE)
    for table in plan.tables:
        if not table.shown_table and not table_kind(table).is_derived:
            _fill(plan, table, sources)
    return {"kinds": kinds, "sources": sources}


def _kind(table: TablePlan) -> str:
    """Return what a table is called in the results: its kind, or how it follows from another one."""
    suffix = table.name.removeprefix(table.shown_table)
    return f"{table.form}, {suffix.strip('_')}" if table.shown_table and suffix != table.name else table.form.strip("_")


def _fill(plan: Plan, table: TablePlan, sources: dict[str, list[float]]) -> None:
    """Add the time that each column of a table takes, its block and its rows being there."""
    kind = table_kind(table)
    for slice_ in kind.cut(plan.population, full_slice(plan.population)):
        for column in table.columns:
            block = Block(plan.population, slice_)
            for place in range(len(plan.population.metrics)):
                block.noised(place)
            rows = kind.rows_in(table, block)
            start = time.process_time()
            source = column.spec.source
            if not isinstance(source, ColumnSource):
                raise TypeError(f"{table.name}.{column.name} is made by its table")
            filled = source.fill(column, table, rows)
            _add(sources[column.spec.word], len(filled), time.process_time() - start)


def _add(to: list[float], count: float, seconds: float) -> None:
    to[0] += count
    to[1] += seconds


def apart(what: str) -> dict[str, Any]:
    """Measure in a process of its own, on one core where that is asked for."""
    one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1") if what == "pieces" else {}
    command = [sys.executable, __file__, "--one", what]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, **one})
    measured: dict[str, Any] = json.loads(done.stdout)
    return measured


def markdown(measured: dict[float, dict[str, Any]], alone: dict[str, dict[str, list[float]]]) -> str:
    """Return the measurements as a page."""
    system = f"{platform.machine()}, Python {platform.python_version()}, one process"
    lines = ["# Speed", "", f"`{TEMPLATE}`, {system}. Written by `make bench`.", ""]
    for scale, result in measured.items():
        lines += [f"## Scale {scale:g}: {result['units']:,} units, peak memory {result['peak']:,.0f} MB", ""]
        lines += ["| what | rows | CPU seconds | rows per second |", "|---|---:|---:|---:|"]
        for what, (rows, seconds) in result["found"].items():
            lines.append(f"| {what} | {rows:,} | {seconds:.3f} | {rows / seconds:,.0f} |")
        lines.append("")
    return "\n".join([*lines, *_alone(alone)])


def _alone(alone: dict[str, dict[str, list[float]]]) -> list[str]:
    """Return the part about table kinds and column sources."""
    lines = [f"## Every table kind and every column source: `{EVERYTHING.name}`, scale {SCALE}, one core", ""]
    lines += ["A kind is its whole table, with all columns. A source is its columns alone, the metrics being there.", ""]
    for noun, measure, what in (("kind", MEASURE[0], "rows"), ("source", MEASURE[1], "values")):
        figures = alone[f"{noun}s"]
        rate = {name: count / max(seconds, 1e-9) for name, (count, seconds) in figures.items()}
        slowest_first = sorted(figures, key=lambda name: rate[name])
        lines += [f"| {noun} | {what} | CPU seconds | {what} per second | times as long as `{measure}` |"]
        lines += ["|---|---:|---:|---:|---:|"]
        for name in slowest_first:
            count, seconds = figures[name]
            ratio = rate[measure] / rate[name]
            lines.append(f"| {name} | {count:,.0f} | {seconds:.3f} | {rate[name]:,.0f} | {ratio:.1f} |")
        enough = [name for name in slowest_first if figures[name][0] >= ENOUGH][:SLOWEST]
        durations = ", ".join(f"{name} ({1e9 / rate[name]:,.0f})" for name in enough)
        lines += ["", f"The slowest {SLOWEST} of those with {ENOUGH:,} {what}, in nanoseconds for each: {durations}.", ""]
    return lines


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scales", nargs="*", type=float, default=[1, 100])
    parser.add_argument("--full", action="store_true", help="measure scale 1000 as well")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one is not None:
        print(json.dumps(pieces() if options.one == "pieces" else measure(float(options.one))))
        return
    scales = [*options.scales, *([1000] if options.full else [])]
    page = markdown({scale: apart(str(scale)) for scale in scales}, apart("pieces"))
    RESULTS.write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
