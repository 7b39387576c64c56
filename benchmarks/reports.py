"""What the report of one day costs, after one year and after ten.

    python -m benchmarks.reports        # about seven minutes
    python -m benchmarks.reports --old /path/to/a/checkout    # and an earlier version of this one beside it

Everything is CPU time of a process of its own, start-up apart. The rows lie in DuckDB; all checks are asked of the last day.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from benchmarks.increments import DATASETS, YEARS, plan_of, stored, warm_up
from benchmarks.performance import save

WINDOW = 365 * YEARS[-1] + 30


def judged(dataset: str, scale: float, folder: str, days: int) -> float:
    """Return the CPU seconds that the report of the last of some days takes."""
    from plotsim_core.validation.report import check_store
    from plotsim_core.validation.store import stored_data
    from plotsim_pipeline.stores.checkpoints import take_checkpoints

    plan = plan_of(dataset, scale, WINDOW)
    warm_up(plan, WINDOW, days)
    take_checkpoints(plan, folder)
    last = plan.first + days - 1
    relations = {table.name: f'{plan.name}."{table.name}"' for table in plan.tables}
    with duckdb.connect(f"{folder}/store.duckdb", read_only=True) as connection:
        start = time.process_time()
        report = check_store(stored_data(plan, connection, relations, last, last + 1))
        cost = time.process_time() - start
    assert not report.failed, report.text()
    return cost


def _cpu(function: str, *arguments: Any, old: Path | None = None) -> float:
    """Return what a function of this file gives in a process of its own, with the packages of `old`."""
    path = [str(Path(__file__).parents[1])] if old is None else [str(old), str(Path(__file__).parents[1])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path)}
    command = [
        sys.executable,
        "-c",
        "import benchmarks.reports as m; m.main()",
        "--measure",
        json.dumps([function, *arguments]),
    ]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, cwd="/")
    return float(run.stdout.split()[-1])


def figures(dataset: str, scale: float, old: Path | None) -> list[dict[str, Any]]:
    """Return the rows of the table of a dataset."""
    rows: list[dict[str, Any]] = []
    first_year: dict[str, float] = {}
    for days in (365 * year for year in YEARS):
        with tempfile.TemporaryDirectory() as folder:
            _cpu("stored", dataset, scale, WINDOW, folder, 0, days)
            costs = {"report": _cpu("judged", dataset, scale, folder, days)}
            if old is not None:
                costs["report, before"] = _cpu("judged", dataset, scale, folder, days, old=old)
        for what, cost in costs.items():
            first = first_year.setdefault(what, cost)
            before = costs.get("report, before")
            rows.append(
                {
                    "dataset": dataset,
                    "a day": f"{what}, after {days:,} days",
                    "of before": None if before is None or cost == before else round(cost / before, 3),
                    "of year 1": None if cost == first else round(cost / first, 2),
                }
            )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--old", type=Path, help="a checkout of an earlier version")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        pa.set_cpu_count(1)
        name, *arguments = json.loads(options.measure)
        functions: dict[str, Callable[..., float]] = {"stored": stored, "judged": judged}
        print(functions[name](*arguments))
        return
    save("reports", [row for dataset, scale in DATASETS.items() for row in figures(dataset, scale, options.old)])


if __name__ == "__main__":
    main()
