"""Peak memory of runs: of about 10 and about 100 million rows of datasets, and of many units or many periods.

python -m benchmarks.memory        # about twenty minutes
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import plotsim_core
from benchmarks.performance import save

SIZES = {"saas": (250, 2500), "delivery": (170, 1700)}
"""Dataset to the scales of about 10 and about 100 million rows."""
SHAPES: dict[str, tuple[int, dict[str, str]]] = {
    "a million shops x 24 months": (1_000_000, {"start": "2023-01", "end": "2024-12", "every": "month"}),
    "10,000 shops x 3,653 days": (10_000, {"start": "2015-01-01", "end": "2024-12-31", "every": "day"}),
}
"""How many units, and the window: each with a fact for each of three metrics."""


def shops(units: int, window: dict[str, str]) -> dict[str, Any]:
    """Return a config of so many shops."""
    return {
        "about": "Shops",
        "unit": "shop",
        "seed": 1,
        "window": window,
        "metrics": [
            {"name": "sales", "type": "amount", "polarity": "positive", "range": [0, 500]},
            {"name": "visits", "type": "count", "polarity": "positive", "mean": [0.1, 0.5]},
            {"name": "mood", "type": "score", "polarity": "positive"},
        ],
        "connections": [["sales", "related", "mood"]],
        "segments": [
            {"name": "rising", "count": units // 2, "archetype": "growth"},
            {"name": "falling", "count": units // 2, "archetype": "decline"},
        ],
    }


def measure(name: str, scale: float, format: str) -> tuple[int, float]:
    """Return the rows of a dataset or a shape, and the peak memory in MB of this process, which writes them."""
    if name in SHAPES:
        plan = plotsim_core.from_mapping(shops(*SHAPES[name]), name="shops")
    else:
        plan = plotsim_core.load_config(plotsim_core.template(name), scale=scale)
    window = [plan.grain.label(period) for period in (plan.first, plan.stop_or_span - 1)]  # an open one for its span
    with tempfile.TemporaryDirectory() as folder:
        rows = plotsim_core.write_tables(plan, folder, format=format, periods="..".join(window))
    return sum(rows.values()), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 10)


def row(name: str, scale: float, format: str, label: str, smaller: float | None = None) -> dict[str, Any]:
    """Return a row of the table, measured in a process of its own; `smaller` is the peak of a tenth."""
    command = [sys.executable, "-m", "benchmarks.memory", name, str(scale), format]
    run = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1])
    count, peak = run.stdout.split()
    ratio = None if smaller is None else round(float(peak) / smaller, 2)
    return {"dataset": label, "into": format, "rows": f"{int(count):,}", "peak, MB": round(float(peak)), "ratio": ratio}


def main() -> None:
    if len(sys.argv) == 4:
        print(*measure(sys.argv[1], float(sys.argv[2]), sys.argv[3]))
        return
    rows: list[dict[str, Any]] = []
    for dataset, (small, large) in SIZES.items():
        for format in ("parquet", "duckdb"):
            rows.append(row(dataset, small, format, f"{dataset} x {small}"))
            rows.append(row(dataset, large, format, f"{dataset} x {large}", rows[-1]["peak, MB"]))
    rows += [row(name, 1, format, name) for name in SHAPES for format in ("parquet", "duckdb")]
    save("memory", rows)


if __name__ == "__main__":
    main()
