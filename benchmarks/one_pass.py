"""What a run costs that makes tables in one pass, beside runs that make each table alone.

    python -m benchmarks.one_pass      # some five minutes

CPU time of processes of their own that write Parquet, start-up apart.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import plotsim_core
from benchmarks.isolated import cpu_seconds, measure
from plotsim_core.tables.one_pass import made_together

DATASETS = {"ecommerce": 100, "healthcare": 50, "marketing": 50, "retail": 20}
"""Dataset to scale."""


def written(dataset: str, scale: float, names: list[str]) -> float:
    """Return the CPU seconds that it takes to write some tables of a dataset."""
    plan = plotsim_core.load_config(plotsim_core.template(dataset), scale=scale)
    start = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        plotsim_core.write_tables(plan, folder, format="parquet", tables=names)
    return time.process_time() - start


def figures(dataset: str, scale: float, _: Path | None) -> list[dict[str, Any]]:
    """Return the rows of the table of a dataset: of each group of tables that is made together."""
    plan = plotsim_core.load_config(plotsim_core.template(dataset), scale=scale)
    rows = []
    for group in made_together(plan, plan.tables):
        names = [table.name for table in group]
        together = cpu_seconds("one_pass", "written", dataset, scale, names)
        alone = sum(cpu_seconds("one_pass", "written", dataset, scale, [name]) for name in names)
        rows.append({"dataset": dataset, "tables": ", ".join(names), "of each alone": round(together / alone, 2)})
    return rows


def main() -> None:
    measure("one_pass", __doc__, {"written": written}, figures, DATASETS, "a checkout of an older version")


if __name__ == "__main__":
    main()
