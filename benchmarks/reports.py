"""What the report of one day costs, after one year and after ten.

    python -m benchmarks.reports        # about seven minutes
    python -m benchmarks.reports --old /path/to/a/checkout    # and an earlier version of this one beside it

Everything is CPU time of a process of its own, start-up apart. The rows lie in DuckDB; all checks are asked of the last day.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.increments import DATASETS, YEARS, plan_of, stored, warm_up
from benchmarks.isolated import cpu_seconds, measure

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


def figures(dataset: str, scale: float, old: Path | None) -> list[dict[str, Any]]:
    """Return the rows of the table of a dataset."""
    rows: list[dict[str, Any]] = []
    first_year: dict[str, float] = {}
    for days in (365 * year for year in YEARS):
        with tempfile.TemporaryDirectory() as folder:
            cpu_seconds("reports", "stored", dataset, scale, WINDOW, folder, 0, days)
            costs = {"report": cpu_seconds("reports", "judged", dataset, scale, folder, days)}
            if old is not None:
                costs["report, before"] = cpu_seconds("reports", "judged", dataset, scale, folder, days, old=old)
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
    functions: dict[str, Callable[..., float]] = {"stored": stored, "judged": judged}
    measure("reports", __doc__, functions, figures, DATASETS, "a checkout of an earlier version")


if __name__ == "__main__":
    main()
